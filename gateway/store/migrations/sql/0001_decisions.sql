-- A decision row must be able to stand on what it cites: the second net under `consent.decision` (ARCHITECTURE §6).
--
-- Every statement below takes its own snapshot (READ COMMITTED, volatile functions), and the first takes the child's
-- epoch lock, so "lock, then look" holds here even where the caller forgot it. Names are qualified: a temporary table of the
-- session cannot stand in for a real one. Age, data period and form of signature are inside sealed bodies and are not checked.

-- Purposes a directive may name to answer the one asked: the inverse of `consent.vocabulary.COVERS`; a test compares them.
CREATE FUNCTION answering(purpose text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
    SELECT CASE purpose
        WHEN 'COC' THEN ARRAY['COC', 'TREAT']
        WHEN 'TREAT' THEN ARRAY['TREAT']
        WHEN 'CAREMGT' THEN ARRAY['CAREMGT']
        WHEN 'STUSUP' THEN ARRAY['STUSUP']
        WHEN 'REFOUT' THEN ARRAY['REFOUT']
        ELSE '{}'::text[]
    END
$$;

CREATE FUNCTION refuse_decision(why text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'the decision row is refused: %', why USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- The first topic no agreement in force covers; null where each is covered.
CREATE FUNCTION topic_beyond_agreements(new_row public.decision) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RETURN (
        SELECT topic FROM unnest(new_row.categories) AS topic
        WHERE NOT EXISTS (
            SELECT FROM public.agreement g
            WHERE g.org = new_row.recipient AND g.status = 'in-force' AND new_row.purpose = ANY (g.purposes)
                AND topic = ANY (g.categories)
                AND g.valid_from <= new_row.at AND new_row.at < g.valid_until
        )
        LIMIT 1
    );
END $$;

-- The first topic none of these guardian links carries at that instant; null where each is carried.
CREATE FUNCTION topic_beyond_links(links uuid[], new_row public.decision) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RETURN (
        SELECT topic FROM unnest(new_row.categories) AS topic
        WHERE NOT EXISTS (
            SELECT FROM public.guardian_link g
            WHERE g.guardian_link_id = ANY (links) AND g.child_id = new_row.child_id
                AND g.authority = 'verified' AND g.verified_at <= new_row.at
                AND g.valid_from <= new_row.at AND (g.valid_until IS NULL OR new_row.at < g.valid_until)
                AND NOT EXISTS (
                    SELECT FROM public.restraint r
                    WHERE r.child_id = g.child_id AND r.guardian_link_id = g.guardian_link_id
                        AND topic = ANY (r.categories)
                        AND r.valid_from <= new_row.at AND (r.valid_until IS NULL OR new_row.at < r.valid_until)
                )
        )
        LIMIT 1
    );
END $$;

-- The first topic no cited directive permits; null where each is permitted by one whose signer still stands for it.
CREATE FUNCTION topic_beyond_directives(new_row public.decision) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RETURN (
        SELECT topic FROM unnest(new_row.categories) AS topic
        WHERE NOT EXISTS (
            SELECT FROM public.directive d
            JOIN public.guardian_link g ON g.guardian_link_id = d.signer_link AND g.child_id = d.child_id
                AND g.authority = 'verified' AND g.verified_at <= new_row.at
                AND g.valid_from <= new_row.at AND (g.valid_until IS NULL OR new_row.at < g.valid_until)
            WHERE d.directive_id = ANY (new_row.directive_ids) AND d.child_id = new_row.child_id
                AND d.effect = 'permit' AND d.recipient = new_row.recipient
                AND d.purposes && public.answering(new_row.purpose) AND topic = ANY (d.categories)
                AND d.state IN ('given', 'renewed-given') AND d.ended_at IS NULL
                AND d.valid_from <= new_row.at AND (d.valid_until IS NULL OR new_row.at < d.valid_until)
                AND NOT EXISTS (
                    SELECT FROM public.restraint r
                    WHERE r.child_id = d.child_id AND r.guardian_link_id = d.signer_link AND topic = ANY (r.categories)
                        AND r.valid_from <= new_row.at AND (r.valid_until IS NULL OR new_row.at < r.valid_until)
                )
                AND NOT EXISTS (
                    SELECT FROM public.directive s
                    WHERE s.child_id = d.child_id AND s.supersedes = d.directive_id AND s.valid_from <= new_row.at
                        AND s.state NOT IN ('unknown', 'requested', 'request-deferred', 'refused')
                )
        )
        LIMIT 1
    );
END $$;

-- The first topic an order or hold stops for this recipient; null where none does.
CREATE FUNCTION topic_restrained(new_row public.decision) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RETURN (
        SELECT topic FROM unnest(new_row.categories) AS topic
        WHERE EXISTS (
            SELECT FROM public.restraint r
            WHERE r.child_id = new_row.child_id AND topic = ANY (r.categories)
                AND (r.recipient = new_row.recipient OR (r.recipient IS NULL AND r.guardian_link_id IS NULL))
                AND r.valid_from <= new_row.at AND (r.valid_until IS NULL OR new_row.at < r.valid_until)
        )
        LIMIT 1
    );
END $$;

-- The first topic a family's stop covers; null where none does. A guardian's stop yields to permits the young person
-- signed: it lapses at majority, which only the sealed birth date can tell.
CREATE FUNCTION topic_stopped(new_row public.decision) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RETURN (
        SELECT topic FROM unnest(new_row.categories) AS topic
        WHERE EXISTS (
            SELECT FROM public.directive d
            LEFT JOIN public.guardian_link g ON g.guardian_link_id = d.signer_link
            WHERE d.child_id = new_row.child_id AND d.effect = 'deny' AND topic = ANY (d.categories)
                AND (d.recipient = new_row.recipient OR d.recipient LIKE 'class:%')
                AND (new_row.purpose = ANY (d.purposes) OR d.purposes && public.answering(new_row.purpose))
                AND d.state IN ('given', 'renewed-given', 'disputed') AND d.ended_at IS NULL
                AND d.valid_from <= new_row.at AND (d.valid_until IS NULL OR new_row.at < d.valid_until)
                AND (g.guardian_link_id IS NULL OR (g.authority = 'verified' AND g.verified_at <= new_row.at))
                AND (g.kind IS NOT DISTINCT FROM 'self' OR EXISTS (
                    SELECT FROM public.directive p
                    JOIN public.guardian_link l ON l.guardian_link_id = p.signer_link
                    WHERE p.directive_id = ANY (new_row.directive_ids) AND l.kind <> 'self'
                ))
        )
        LIMIT 1
    );
END $$;

-- What must hold for every permitting row, whatever its basis; takes the child's epoch lock.
CREATE FUNCTION check_counters(new_row public.decision) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM FROM public.consent_epoch e
    WHERE e.child_id = new_row.child_id AND e.epoch = new_row.child_epoch FOR SHARE;
    IF NOT FOUND THEN
        PERFORM public.refuse_decision('the child''s consent epoch is not current');
    END IF;
    PERFORM FROM public.rules_in_force r WHERE r.rules_version = new_row.rules_version;
    IF NOT FOUND THEN
        PERFORM public.refuse_decision('its rules are not those in force');
    END IF;
    IF new_row.basis NOT IN ('family', 'steward') THEN
        PERFORM FROM public.agreement_epoch a WHERE a.org = new_row.recipient AND a.epoch = new_row.agreement_epoch;
        IF NOT FOUND THEN
            PERFORM public.refuse_decision('the recipient''s agreement epoch is not current');
        END IF;
    END IF;
    PERFORM FROM public.child c
    WHERE c.child_id = new_row.child_id AND (c.state = 'active' OR new_row.basis = 'steward');
    IF NOT FOUND THEN
        PERFORM public.refuse_decision('nothing of a child parked in review is released');
    END IF;
END $$;

CREATE FUNCTION check_consent(new_row public.decision) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    topic text;
BEGIN
    IF NOT new_row.parts <@ (
        CASE new_row.purpose WHEN 'REFOUT' THEN ARRAY['outcome'] ELSE ARRAY['plan', 'referral'] END
    ) THEN
        PERFORM public.refuse_decision('how a referral ended is asked for by itself, and only so');
    END IF;
    topic := public.topic_beyond_agreements(new_row);
    IF topic IS NOT NULL THEN
        PERFORM public.refuse_decision('no agreement in force covers ' || topic);
    END IF;
    topic := public.topic_restrained(new_row);
    IF topic IS NOT NULL THEN
        PERFORM public.refuse_decision('an order or hold covers ' || topic);
    END IF;
    topic := public.topic_stopped(new_row);
    IF topic IS NOT NULL THEN
        PERFORM public.refuse_decision('a stop covers ' || topic);
    END IF;
    topic := public.topic_beyond_directives(new_row);
    IF topic IS NOT NULL THEN
        PERFORM public.refuse_decision('no cited directive covers ' || topic);
    END IF;
END $$;

-- An agency reads what it sent: policy `own` shows it its own rows and no others.
CREATE FUNCTION check_own(new_row public.decision) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    PERFORM FROM public.org o WHERE o.org = new_row.recipient AND o.status = 'active';
    IF NOT FOUND THEN
        PERFORM public.refuse_decision('its recipient is no agency of this community');
    END IF;
END $$;

CREATE FUNCTION check_family(new_row public.decision) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    topic text := coalesce(
        public.topic_restrained(new_row), public.topic_beyond_links(new_row.evidence_ids, new_row)
    );
BEGIN
    IF topic IS NOT NULL THEN
        PERFORM public.refuse_decision('the guardian link it rests on does not carry ' || topic);
    END IF;
END $$;

CREATE FUNCTION check_steward(new_row public.decision) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF new_row.categories <> ARRAY['identity'] OR new_row.parts <> ARRAY['plan'] THEN
        PERFORM public.refuse_decision('a steward reads who the child is and nothing else');
    END IF;
    PERFORM FROM public.review_item i
    JOIN public.source_identity s ON s.source_identity_id = i.source_identity_id
    WHERE i.review_id = ANY (new_row.evidence_ids) AND i.state = 'open'
        AND (s.sealed_for = new_row.child_id OR new_row.child_id = ANY (i.candidates));
    IF NOT FOUND THEN
        PERFORM public.refuse_decision('no open review names this child');
    END IF;
END $$;

CREATE FUNCTION check_decision() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
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
        WHEN 'steward' THEN PERFORM public.check_steward(NEW);
        ELSE PERFORM public.refuse_decision('no exception is enabled');
    END CASE;
    RETURN NEW;
END $$;
CREATE TRIGGER covered BEFORE INSERT ON decision FOR EACH ROW EXECUTE FUNCTION check_decision();
