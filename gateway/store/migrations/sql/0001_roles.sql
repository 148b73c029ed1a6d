-- What each role may do; everything not named here is refused. A test lists all of it (tests/gateway/store).
--
-- planhub_app sees envelopes and no body of the record, and appends. The other roles are taken on with SET LOCAL ROLE.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
-- what the trigger on decision calls, as whoever inserts; each only reads what that role may read
GRANT EXECUTE ON FUNCTION
    answering, refuse_decision, topic_beyond_agreements, topic_beyond_links, topic_beyond_directives, topic_restrained,
    topic_stopped, check_counters, check_consent, check_own, check_family, check_steward
    TO planhub_app;

-- which schema this is, for the checkup
GRANT SELECT ON alembic_version TO planhub_app;

-- configuration and the machinery of the exchange: rows the hub keeps for itself
GRANT SELECT, INSERT, UPDATE ON
    community, org, agreement, agreement_epoch, api_client, connection, cursor, subscription, map_version, rules_in_force,
    delivery, lane, breaker
    TO planhub_app;
GRANT SELECT, INSERT ON attempt, inbox TO planhub_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON token_use, idempotency TO planhub_app;

-- people
GRANT SELECT, INSERT, UPDATE ON child, consent_epoch, source_identity, identity_link, review_item TO planhub_app;
GRANT SELECT, INSERT ON pairwise_ref, match_decision TO planhub_app;
GRANT SELECT, INSERT, DELETE ON identity_key TO planhub_app;
GRANT INSERT, SELECT (source_identity_id, sealed_for, at), UPDATE (sealed_for, features, at) ON identity_features
    TO planhub_app;
GRANT INSERT,
    SELECT (document_id, source_identity_id, sealed_for, connection, resource, record_key, source_version, digest,
            original_digest, cuts, received_at, status),
    UPDATE (status) ON source_document TO planhub_app;
GRANT SELECT ON identity_features TO planhub_match;
-- what was received is mapped again when a person has decided whose it is; nobody else ever reads it
GRANT SELECT ON source_document TO planhub_intake;

-- the record
GRANT INSERT,
    SELECT (assertion_id, child_id, category, kind, part, status, org, regimes, labels, quality, asserted_at,
            received_at, supersedes, source_identity_id, source_key, value_digest, links),
    UPDATE (status, quality) ON assertion TO planhub_app;
GRANT SELECT, INSERT, UPDATE ON plan, referral TO planhub_app;
GRANT SELECT, INSERT, UPDATE (status, activated_at) ON plan_version TO planhub_app;
GRANT SELECT, INSERT ON referral_event, view_version TO planhub_app;

-- consent: planhub_app records and ends; the sealed parts are opened to decide (planhub_consent) and for the family
GRANT INSERT,
    SELECT (directive_id, child_id, effect, disclosers, recipient, categories, purposes, regimes, valid_from,
            valid_until, state, signer_link, supersedes, recorded_at, ended_at),
    UPDATE (state, ended_at) ON directive TO planhub_app;
GRANT INSERT,
    SELECT (guardian_link_id, child_id, kind, authority, valid_from, valid_until, verified_by, verified_at),
    UPDATE (authority, valid_from, valid_until, verified_by, verified_at, body) ON guardian_link TO planhub_app;
GRANT INSERT,
    SELECT (restraint_id, child_id, kind, guardian_link_id, recipient, categories, valid_from, valid_until),
    UPDATE (valid_until) ON restraint TO planhub_app;
GRANT INSERT, SELECT (child_id, at), UPDATE (body, at) ON child_fact TO planhub_app;
GRANT SELECT ON directive, guardian_link, restraint, child_fact TO planhub_consent;
GRANT SELECT, INSERT ON release, decision TO planhub_app;

-- reading for a release, and for a family
GRANT SELECT ON assertion TO planhub_release, planhub_family;
GRANT SELECT ON decision, consent_epoch, rules_in_force TO planhub_release, planhub_family;
GRANT SELECT ON agreement_epoch TO planhub_release;
GRANT SELECT (review_id, source_identity_id, candidates, state) ON review_item TO planhub_release;
GRANT SELECT (source_identity_id, sealed_for) ON source_identity TO planhub_release;
GRANT SELECT ON directive, guardian_link, ledger_entry TO planhub_family;

-- the ledger: everyone adds pending rows, one role moves them into the tree
GRANT INSERT, SELECT (pending_id, entry_id, leaf, kind, child_id, recipient, subject, at) ON ledger_pending TO planhub_app;
GRANT SELECT (seq, pending_id, entry_id, leaf, kind, child_id, recipient, subject, at) ON ledger_entry TO planhub_app;
GRANT SELECT ON ledger_tile, ledger_checkpoint TO planhub_app;
GRANT SELECT, DELETE ON ledger_pending TO planhub_sequencer;
GRANT SELECT, INSERT ON ledger_entry, ledger_checkpoint TO planhub_sequencer;
GRANT SELECT, INSERT, UPDATE (hashes) ON ledger_tile TO planhub_sequencer;
