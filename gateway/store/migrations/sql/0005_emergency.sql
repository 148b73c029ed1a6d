-- What an agency stated when somebody was in danger, and the review that must follow. Written once; only the review is added.
CREATE TABLE emergency (
    emergency_id uuid NOT NULL,
    child_id uuid NOT NULL,
    recipient text NOT NULL,
    requester text NOT NULL,
    purpose text NOT NULL,
    categories text[] DEFAULT '{}'::text[] NOT NULL,
    stated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    body bytea NOT NULL,
    finding text,
    reviewed_by text,
    reviewed_at timestamptz,
    review_note bytea,
    CONSTRAINT pk_emergency PRIMARY KEY (emergency_id),
    CONSTRAINT ck_emergency_purpose CHECK (purpose IN ('BTG', 'ETREAT')),
    CONSTRAINT ck_emergency_a_day CHECK (expires_at <= stated_at + interval '24 hours'),
    CONSTRAINT ck_emergency_review CHECK ((finding IS NULL) = (reviewed_at IS NULL))
);
CREATE INDEX ix_emergency_child_id ON emergency (child_id);
CREATE INDEX ix_emergency_open ON emergency (stated_at) WHERE finding IS NULL;

GRANT SELECT, INSERT ON emergency TO planhub_app;
GRANT UPDATE (finding, reviewed_by, reviewed_at, review_note) ON emergency TO planhub_app;

-- In an emergency the one it was stated for, by whoever stated it, within its day and topics; never past an order, a hold or
-- the agreement, and what is substance use only to medical personnel (42 CFR 2.51). A guardian's stop does not hold it up.
CREATE FUNCTION check_exception(new_row public.decision) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    topic text;
BEGIN
    PERFORM FROM public.emergency e
    WHERE e.emergency_id = ANY (new_row.evidence_ids) AND e.child_id = new_row.child_id
        AND e.recipient = new_row.recipient AND e.purpose = new_row.purpose
        AND new_row.categories <@ (e.categories || ARRAY['identity'])
        AND e.stated_at <= new_row.at AND new_row.at < e.expires_at;
    IF NOT FOUND THEN
        PERFORM public.refuse_decision('no exception is enabled, and no emergency of the day covers it');
    END IF;
    IF new_row.parts <> ARRAY['plan'] OR new_row.directive_ids <> '{}' THEN
        PERFORM public.refuse_decision('in an emergency the plan is read and nothing else, on nobody''s permission');
    END IF;
    IF new_row.purpose <> 'ETREAT' AND 'substance-use' = ANY (new_row.categories) THEN
        PERFORM public.refuse_decision('substance use opens to medical personnel only');
    END IF;
    topic := public.topic_beyond_agreements(new_row);
    IF topic IS NOT NULL THEN
        PERFORM public.refuse_decision('no agreement in force covers ' || topic);
    END IF;
    topic := public.topic_restrained(new_row);
    IF topic IS NOT NULL THEN
        PERFORM public.refuse_decision('an order or hold covers ' || topic);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION check_decision() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM FROM public.release r
    WHERE r.release_id = NEW.release_id AND r.recipient = NEW.recipient AND r.purpose = NEW.purpose;
    IF NOT FOUND THEN
        PERFORM public.refuse_decision('its release is another recipient''s, or for another purpose');
    END IF;
    IF NEW.outcome = 'deny' THEN
        IF NEW.categories <> '{}' OR NEW.directive_ids <> '{}' THEN
            PERFORM public.refuse_decision('a denial permits nothing');
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.outcome NOT IN ('permit', 'permit-with-obligations') OR NEW.categories = '{}' OR NEW.parts = '{}' THEN
        PERFORM public.refuse_decision('it permits nothing and does not say so');
    END IF;
    IF NEW.at NOT BETWEEN statement_timestamp() - interval '60 seconds' AND statement_timestamp() + interval '1 second'
        OR NEW.expires <= NEW.at OR NEW.expires > NEW.at + interval '60 seconds'
    THEN
        PERFORM public.refuse_decision('it is not of this instant, or outlives 60 seconds');
    END IF;
    PERFORM public.check_counters(NEW);
    CASE NEW.basis
        WHEN 'consent' THEN PERFORM public.check_consent(NEW);
        WHEN 'own' THEN PERFORM public.check_own(NEW);
        WHEN 'family' THEN PERFORM public.check_family(NEW);
        WHEN 'exception' THEN PERFORM public.check_exception(NEW);
        WHEN 'steward' THEN PERFORM public.check_steward(NEW);
        ELSE PERFORM public.refuse_decision('no exception is enabled');
    END CASE;
    RETURN NEW;
END $$;

REVOKE EXECUTE ON FUNCTION check_exception(public.decision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION check_exception(public.decision) TO planhub_app;
