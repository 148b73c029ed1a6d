-- Row-level security: a body is readable only where a live decision of the named release says so (ARCHITECTURE §6).
--
-- Each condition is an uncorrelated IN, computed once per statement and hashed. A correlated EXISTS would be computed per
-- row. Policies speak of uuid, text and timestamptz only: their comparisons are leakproof, so indexes stay usable.

DO $$
DECLARE
    guarded text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['assertion', 'source_document', 'identity_features', 'directive', 'guardian_link',
                                   'restraint', 'child_fact', 'ledger_entry', 'ledger_pending'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
        -- rows, not columns: which columns planhub_app sees is a matter of its grants, and no body is among them
        EXECUTE format('CREATE POLICY app ON %I TO planhub_app USING (true) WITH CHECK (true)', guarded);
    END LOOP;
END $$;

-- Each begins with the decisions of the release, found by index and set apart (MATERIALIZED), so that no plan begins elsewhere.
CREATE POLICY consented ON assertion FOR SELECT TO planhub_release USING (
    (child_id, category, part) IN (
        WITH live AS MATERIALIZED (
            SELECT d.child_id, d.categories, d.parts
            FROM decision d
            JOIN consent_epoch e ON e.child_id = d.child_id AND e.epoch = d.child_epoch
            JOIN rules_in_force r ON r.rules_version = d.rules_version
            JOIN agreement_epoch a ON a.org = d.recipient AND a.epoch = d.agreement_epoch
            WHERE d.release_id = nullif(current_setting('planhub.release', true), '')::uuid
                AND d.outcome <> 'deny' AND d.basis IN ('consent', 'exception') AND statement_timestamp() < d.expires
        )
        SELECT d.child_id, c.category, p.part
        FROM live d
        CROSS JOIN LATERAL unnest(d.categories) AS c (category)
        CROSS JOIN LATERAL unnest(d.parts) AS p (part)
    )
);

CREATE POLICY own ON assertion FOR SELECT TO planhub_release USING (
    (child_id, category, part, org) IN (
        WITH live AS MATERIALIZED (
            SELECT d.child_id, d.categories, d.parts, d.recipient
            FROM decision d
            JOIN consent_epoch e ON e.child_id = d.child_id AND e.epoch = d.child_epoch
            JOIN rules_in_force r ON r.rules_version = d.rules_version
            JOIN agreement_epoch a ON a.org = d.recipient AND a.epoch = d.agreement_epoch
            WHERE d.release_id = nullif(current_setting('planhub.release', true), '')::uuid
                AND d.outcome <> 'deny' AND d.basis = 'own' AND statement_timestamp() < d.expires
        )
        SELECT d.child_id, c.category, p.part, d.recipient
        FROM live d
        CROSS JOIN LATERAL unnest(d.categories) AS c (category)
        CROSS JOIN LATERAL unnest(d.parts) AS p (part)
    )
);

CREATE POLICY steward ON assertion FOR SELECT TO planhub_release USING (
    category = 'identity' AND child_id IN (
        WITH live AS MATERIALIZED (
            SELECT d.child_id, d.evidence_ids
            FROM decision d
            JOIN consent_epoch e ON e.child_id = d.child_id AND e.epoch = d.child_epoch
            JOIN rules_in_force r ON r.rules_version = d.rules_version
            WHERE d.release_id = nullif(current_setting('planhub.release', true), '')::uuid
                AND d.outcome <> 'deny' AND d.basis = 'steward' AND statement_timestamp() < d.expires
        )
        SELECT d.child_id
        FROM live d
        CROSS JOIN LATERAL unnest(d.evidence_ids) AS v (review_id)
        JOIN review_item i ON i.review_id = v.review_id AND i.state = 'open'
        JOIN source_identity s ON s.source_identity_id = i.source_identity_id
        WHERE d.child_id = s.sealed_for OR d.child_id = ANY (i.candidates)
    )
);

CREATE POLICY family ON assertion FOR SELECT TO planhub_family USING (
    (child_id, category, part) IN (
        WITH live AS MATERIALIZED (
            SELECT d.child_id, d.categories, d.parts
            FROM decision d
            JOIN consent_epoch e ON e.child_id = d.child_id AND e.epoch = d.child_epoch
            JOIN rules_in_force r ON r.rules_version = d.rules_version
            WHERE d.release_id = nullif(current_setting('planhub.release', true), '')::uuid
                AND d.outcome <> 'deny' AND d.basis = 'family' AND statement_timestamp() < d.expires
        )
        SELECT d.child_id, c.category, p.part
        FROM live d
        CROSS JOIN LATERAL unnest(d.categories) AS c (category)
        CROSS JOIN LATERAL unnest(d.parts) AS p (part)
    )
);

-- What a guardian may read beside the record: what was decided for the child, who may sign, and who saw what.
DO $$
DECLARE
    shown text;
BEGIN
    FOREACH shown IN ARRAY ARRAY['directive', 'guardian_link', 'ledger_entry'] LOOP
        EXECUTE format($policy$
            CREATE POLICY family ON %I FOR SELECT TO planhub_family USING (
                child_id IN (
                    SELECT d.child_id
                    FROM decision d
                    JOIN consent_epoch e ON e.child_id = d.child_id AND e.epoch = d.child_epoch
                    JOIN rules_in_force r ON r.rules_version = d.rules_version
                    WHERE d.release_id = nullif(current_setting('planhub.release', true), '')::uuid
                        AND d.outcome <> 'deny' AND d.basis = 'family'
                        AND statement_timestamp() < d.expires
                )
            )$policy$, shown);
    END LOOP;
END $$;

-- Deciding opens what was signed, by whom, and from which age: every row of the child, for leaving one out could widen.
DO $$
DECLARE
    weighed text;
BEGIN
    FOREACH weighed IN ARRAY ARRAY['directive', 'guardian_link', 'restraint', 'child_fact'] LOOP
        EXECUTE format('CREATE POLICY consent ON %I FOR SELECT TO planhub_consent USING (true)', weighed);
    END LOOP;
END $$;

-- Matching opens features and nothing else; the sequencer moves sealed entries without opening them.
CREATE POLICY match ON identity_features FOR SELECT TO planhub_match USING (true);
-- Intake opens what was received to map it again, after a review or for a guardian named in two records.
CREATE POLICY intake ON source_document FOR SELECT TO planhub_intake USING (true);
CREATE POLICY sequencer ON ledger_pending TO planhub_sequencer USING (true);
CREATE POLICY sequencer ON ledger_entry TO planhub_sequencer USING (true) WITH CHECK (true);
