-- Every table, with its keys and indexes. `gateway/store/tables` describes the same; a test holds the two together.

CREATE TABLE assertion (
    assertion_id uuid NOT NULL,
    child_id uuid NOT NULL,
    category text NOT NULL,
    kind text NOT NULL,
    part text NOT NULL,
    status text NOT NULL,
    org text NOT NULL,
    regimes text[] DEFAULT '{}'::text[] NOT NULL,
    labels text[] DEFAULT '{}'::text[] NOT NULL,
    quality text NOT NULL,
    asserted_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    supersedes uuid,
    source_identity_id uuid,
    source_key bytea,
    value_digest bytea NOT NULL,
    links uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT pk_assertion PRIMARY KEY (assertion_id)
);
CREATE INDEX ix_assertion_child_id ON assertion (child_id);
CREATE UNIQUE INDEX uq_assertion_source ON assertion (source_key) WHERE status = 'current';

CREATE TABLE attempt (
    attempt_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    n integer NOT NULL,
    entry_seq bigint,
    result text NOT NULL,
    cause text,
    status_code integer,
    milliseconds integer NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_attempt PRIMARY KEY (attempt_id)
);
CREATE INDEX ix_attempt_delivery_id ON attempt (delivery_id);

CREATE TABLE breaker (
    recipient text NOT NULL,
    state text NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    probe_at timestamptz,
    CONSTRAINT pk_breaker PRIMARY KEY (recipient)
);

CREATE TABLE child (
    child_id uuid NOT NULL,
    state text NOT NULL,
    linked_to uuid,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_child PRIMARY KEY (child_id)
);

CREATE TABLE child_fact (
    child_id uuid NOT NULL,
    body bytea NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_child_fact PRIMARY KEY (child_id)
);

CREATE TABLE consent_epoch (
    child_id uuid NOT NULL,
    epoch bigint DEFAULT 1 NOT NULL,
    CONSTRAINT pk_consent_epoch PRIMARY KEY (child_id)
);

CREATE TABLE decision (
    decision_id uuid NOT NULL,
    release_id uuid NOT NULL,
    child_id uuid NOT NULL,
    recipient text NOT NULL,
    purpose text NOT NULL,
    basis text NOT NULL,
    parts text[] DEFAULT '{}'::text[] NOT NULL,
    categories text[] DEFAULT '{}'::text[] NOT NULL,
    directive_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    evidence_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
    child_epoch bigint NOT NULL,
    agreement_epoch bigint NOT NULL,
    rules_version bytea NOT NULL,
    outcome text NOT NULL,
    at timestamptz NOT NULL,
    expires timestamptz NOT NULL,
    CONSTRAINT pk_decision PRIMARY KEY (decision_id)
);
CREATE INDEX ix_decision_child_id ON decision (child_id);
CREATE INDEX ix_decision_release_id ON decision (release_id);

CREATE TABLE delivery (
    delivery_id uuid NOT NULL,
    recipient text NOT NULL,
    child_id uuid NOT NULL,
    connection text NOT NULL,
    topic text NOT NULL,
    subject_id uuid NOT NULL,
    purpose text NOT NULL,
    position bigint NOT NULL,
    state text NOT NULL,
    reason text,
    attempts integer DEFAULT 0 NOT NULL,
    map text,
    map_version text,
    ledger_seq bigint,
    payload_digest bytea,
    receipt bytea,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_delivery PRIMARY KEY (delivery_id)
);
CREATE INDEX ix_delivery_lane ON delivery (recipient, child_id, position) WHERE state = 'pending';
CREATE INDEX ix_delivery_sent ON delivery (recipient, child_id, connection, position) WHERE state = 'delivered' AND topic = 'plan';
CREATE INDEX ix_delivery_stuck ON delivery (state, updated_at) WHERE state = ANY (ARRAY['dead', 'held', 'withheld']);

CREATE TABLE directive (
    directive_id uuid NOT NULL,
    child_id uuid NOT NULL,
    effect text NOT NULL,
    disclosers text[],
    recipient text NOT NULL,
    categories text[] DEFAULT '{}'::text[] NOT NULL,
    purposes text[] DEFAULT '{}'::text[] NOT NULL,
    regimes text[] DEFAULT '{}'::text[] NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    state text NOT NULL,
    signer_link uuid NOT NULL,
    supersedes uuid,
    recorded_at timestamptz NOT NULL,
    ended_at timestamptz,
    body bytea NOT NULL,
    CONSTRAINT pk_directive PRIMARY KEY (directive_id)
);
CREATE INDEX ix_directive_child_id ON directive (child_id);

CREATE TABLE guardian_link (
    guardian_link_id uuid NOT NULL,
    child_id uuid NOT NULL,
    kind text NOT NULL,
    authority text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    verified_by text,
    verified_at timestamptz,
    body bytea NOT NULL,
    CONSTRAINT pk_guardian_link PRIMARY KEY (guardian_link_id)
);
CREATE INDEX ix_guardian_link_child_id ON guardian_link (child_id);

CREATE TABLE idempotency (
    org text NOT NULL,
    key_digest bytea NOT NULL,
    request_digest bytea NOT NULL,
    status integer,
    answer jsonb,
    at timestamptz NOT NULL,
    CONSTRAINT pk_idempotency PRIMARY KEY (org, key_digest)
);

CREATE TABLE identity_features (
    source_identity_id uuid NOT NULL,
    sealed_for uuid NOT NULL,
    features bytea NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_identity_features PRIMARY KEY (source_identity_id)
);

CREATE TABLE identity_key (
    key bytea NOT NULL,
    source_identity_id uuid NOT NULL,
    rule text NOT NULL,
    CONSTRAINT pk_identity_key PRIMARY KEY (key, source_identity_id)
);

CREATE TABLE identity_link (
    link_id uuid NOT NULL,
    child_id uuid NOT NULL,
    source_identity_id uuid NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    match_id uuid NOT NULL,
    CONSTRAINT pk_identity_link PRIMARY KEY (link_id)
);
CREATE INDEX ix_identity_link_child_id ON identity_link (child_id);
CREATE UNIQUE INDEX uq_identity_link_open ON identity_link (source_identity_id) WHERE valid_to IS NULL;

CREATE TABLE inbox (
    batch_id uuid NOT NULL,
    connection text NOT NULL,
    digest bytea NOT NULL,
    counts jsonb NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_inbox PRIMARY KEY (batch_id)
);
CREATE INDEX ix_inbox_connection_digest ON inbox (connection, digest);

CREATE TABLE lane (
    recipient text NOT NULL,
    child_id uuid NOT NULL,
    position bigint DEFAULT 0 NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    locked_until timestamptz,
    next_at timestamptz,
    failures integer DEFAULT 0 NOT NULL,
    CONSTRAINT pk_lane PRIMARY KEY (recipient, child_id)
);
CREATE INDEX ix_lane_due ON lane (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE ledger_checkpoint (
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_ledger_checkpoint PRIMARY KEY (size)
);

CREATE TABLE ledger_entry (
    seq bigint NOT NULL,
    pending_id bigint NOT NULL,
    entry_id uuid NOT NULL,
    leaf bytea NOT NULL,
    kind text NOT NULL,
    child_id uuid,
    recipient text,
    subject uuid,
    body bytea NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_ledger_entry PRIMARY KEY (seq),
    CONSTRAINT uq_ledger_entry_pending_id UNIQUE (pending_id),
    CONSTRAINT uq_ledger_entry_entry_id UNIQUE (entry_id)
);
CREATE INDEX ix_ledger_entry_child_id ON ledger_entry (child_id);

CREATE TABLE ledger_pending (
    pending_id bigint GENERATED ALWAYS AS IDENTITY,
    entry_id uuid NOT NULL,
    leaf bytea NOT NULL,
    kind text NOT NULL,
    child_id uuid,
    recipient text,
    subject uuid,
    body bytea NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_ledger_pending PRIMARY KEY (pending_id),
    CONSTRAINT uq_ledger_pending_entry_id UNIQUE (entry_id)
);

CREATE TABLE ledger_tile (
    level integer NOT NULL,
    idx bigint NOT NULL,
    hashes bytea NOT NULL,
    CONSTRAINT pk_ledger_tile PRIMARY KEY (level, idx)
);

CREATE TABLE map_version (
    map text NOT NULL,
    version text NOT NULL,
    content_hash bytea NOT NULL,
    files jsonb NOT NULL,
    owner text NOT NULL,
    state text NOT NULL,
    published_by text,
    approved_by text,
    note text,
    at timestamptz NOT NULL,
    position bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_map_version PRIMARY KEY (map, version)
);

CREATE TABLE match_decision (
    match_id uuid NOT NULL,
    source_identity_id uuid NOT NULL,
    child_id uuid,
    outcome text NOT NULL,
    rule text NOT NULL,
    evidence jsonb NOT NULL,
    decided_by text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_match_decision PRIMARY KEY (match_id)
);
CREATE INDEX ix_match_decision_source_identity_id ON match_decision (source_identity_id);

CREATE TABLE org (
    org text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    programme_category text NOT NULL,
    hub_role text NOT NULL,
    regimes text[] DEFAULT '{}'::text[] NOT NULL,
    roster_authority text DEFAULT 'no' NOT NULL,
    status text DEFAULT 'active' NOT NULL,
    CONSTRAINT pk_org PRIMARY KEY (org)
);

CREATE TABLE pairwise_ref (
    child_id uuid NOT NULL,
    org text NOT NULL,
    ref text NOT NULL,
    CONSTRAINT pk_pairwise_ref PRIMARY KEY (child_id, org),
    CONSTRAINT uq_pairwise_ref_org_ref UNIQUE (org, ref)
);

CREATE TABLE plan (
    child_id uuid NOT NULL,
    lead_org text NOT NULL,
    status text NOT NULL,
    active_version uuid,
    next_review_at timestamptz,
    revision bigint DEFAULT 0 NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_plan PRIMARY KEY (child_id)
);

CREATE TABLE plan_version (
    plan_version_id uuid NOT NULL,
    child_id uuid NOT NULL,
    n integer NOT NULL,
    status text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    activated_at timestamptz,
    assertion_ids uuid[] NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT pk_plan_version PRIMARY KEY (plan_version_id),
    CONSTRAINT uq_plan_version_child_id_n UNIQUE (child_id, n)
);

CREATE TABLE referral (
    referral_id uuid NOT NULL,
    child_id uuid NOT NULL,
    assertion_id uuid NOT NULL,
    from_org text NOT NULL,
    to_org text NOT NULL,
    category text NOT NULL,
    state text NOT NULL,
    outcome text,
    consent_state text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    sent_at timestamptz,
    accepted_at timestamptz,
    closed_at timestamptz,
    family_informed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_referral PRIMARY KEY (referral_id)
);
CREATE INDEX ix_referral_child_id ON referral (child_id);
CREATE INDEX ix_referral_from_org ON referral (from_org);
CREATE INDEX ix_referral_to_org ON referral (to_org);

CREATE TABLE referral_event (
    event_id uuid NOT NULL,
    referral_id uuid NOT NULL,
    org text NOT NULL,
    state text NOT NULL,
    outcome text,
    assertion_id uuid,
    source_key bytea,
    at timestamptz NOT NULL,
    CONSTRAINT pk_referral_event PRIMARY KEY (event_id),
    CONSTRAINT uq_referral_event_source_key UNIQUE (source_key)
);
CREATE INDEX ix_referral_event_referral_id ON referral_event (referral_id);

CREATE TABLE release (
    release_id uuid NOT NULL,
    recipient text NOT NULL,
    requester text NOT NULL,
    purpose text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_release PRIMARY KEY (release_id)
);

CREATE TABLE restraint (
    restraint_id uuid NOT NULL,
    child_id uuid NOT NULL,
    kind text NOT NULL,
    guardian_link_id uuid,
    recipient text,
    categories text[] DEFAULT '{}'::text[] NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    body bytea NOT NULL,
    CONSTRAINT pk_restraint PRIMARY KEY (restraint_id)
);
CREATE INDEX ix_restraint_child_id ON restraint (child_id);

CREATE TABLE review_item (
    review_id uuid NOT NULL,
    source_identity_id uuid NOT NULL,
    candidates uuid[] NOT NULL,
    rule text NOT NULL,
    state text NOT NULL,
    decided_by text,
    decided_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_review_item PRIMARY KEY (review_id),
    CONSTRAINT uq_review_item_source_identity_id UNIQUE (source_identity_id)
);

CREATE TABLE rules_in_force (
    "only" text NOT NULL,
    rules_version bytea NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_rules_in_force PRIMARY KEY ("only")
);

CREATE TABLE source_document (
    document_id uuid NOT NULL,
    source_identity_id uuid NOT NULL,
    sealed_for uuid NOT NULL,
    connection text NOT NULL,
    resource text NOT NULL,
    record_key bytea NOT NULL,
    source_version text,
    digest bytea NOT NULL,
    original_digest bytea NOT NULL,
    cuts integer DEFAULT 0 NOT NULL,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL,
    status text NOT NULL,
    CONSTRAINT pk_source_document PRIMARY KEY (document_id)
);
CREATE INDEX ix_source_document_current ON source_document (connection, record_key) WHERE status = 'current';
CREATE INDEX ix_source_document_source_identity_id ON source_document (source_identity_id);

CREATE TABLE source_identity (
    source_identity_id uuid NOT NULL,
    org text NOT NULL,
    connection text NOT NULL,
    source_key bytea NOT NULL,
    sealed_for uuid NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_source_identity PRIMARY KEY (source_identity_id),
    CONSTRAINT uq_source_identity_connection_source_key UNIQUE (connection, source_key)
);
CREATE INDEX ix_source_identity_sealed_for ON source_identity (sealed_for);

CREATE TABLE token_use (
    client_id text NOT NULL,
    jti_digest bytea NOT NULL,
    expires timestamptz NOT NULL,
    CONSTRAINT pk_token_use PRIMARY KEY (client_id, jti_digest)
);

CREATE TABLE view_version (
    change bigint GENERATED ALWAYS AS IDENTITY,
    recipient text NOT NULL,
    child_id uuid NOT NULL,
    resource text NOT NULL,
    n integer NOT NULL,
    digest bytea NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_view_version PRIMARY KEY (change),
    CONSTRAINT uq_view_version_recipient_child_id_resource_n UNIQUE (recipient, child_id, resource, n)
);
CREATE INDEX ix_view_version_recipient_change ON view_version (recipient, change);

CREATE TABLE agreement (
    agreement text NOT NULL,
    org text NOT NULL,
    hub_role text NOT NULL,
    purposes text[] DEFAULT '{}'::text[] NOT NULL,
    categories text[] DEFAULT '{}'::text[] NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    status text NOT NULL,
    CONSTRAINT pk_agreement PRIMARY KEY (agreement),
    CONSTRAINT ck_agreement_status CHECK (status IN ('draft', 'in-force', 'suspended', 'ended')),
    CONSTRAINT fk_agreement_org FOREIGN KEY(org) REFERENCES org (org)
);

CREATE TABLE agreement_epoch (
    org text NOT NULL,
    epoch bigint DEFAULT 1 NOT NULL,
    CONSTRAINT pk_agreement_epoch PRIMARY KEY (org),
    CONSTRAINT fk_agreement_epoch_org FOREIGN KEY(org) REFERENCES org (org)
);

CREATE TABLE api_client (
    client_id text NOT NULL,
    org text NOT NULL,
    jwks jsonb NOT NULL,
    scopes text[] DEFAULT '{}'::text[] NOT NULL,
    purposes text[] DEFAULT '{}'::text[] NOT NULL,
    status text DEFAULT 'active' NOT NULL,
    CONSTRAINT pk_api_client PRIMARY KEY (client_id),
    CONSTRAINT fk_api_client_org FOREIGN KEY(org) REFERENCES org (org)
);

CREATE TABLE community (
    community text NOT NULL,
    name text NOT NULL,
    timezone text NOT NULL,
    jurisdiction text NOT NULL,
    status text DEFAULT 'active'::text NOT NULL,
    CONSTRAINT pk_community PRIMARY KEY (community)
);

CREATE TABLE connection (
    connection text NOT NULL,
    org text NOT NULL,
    adapter text NOT NULL,
    config jsonb NOT NULL,
    maps jsonb DEFAULT '{}'::jsonb NOT NULL,
    status text DEFAULT 'active' NOT NULL,
    CONSTRAINT pk_connection PRIMARY KEY (connection),
    CONSTRAINT fk_connection_org FOREIGN KEY(org) REFERENCES org (org)
);

CREATE TABLE cursor (
    connection text NOT NULL,
    resource text NOT NULL,
    position text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_cursor PRIMARY KEY (connection, resource),
    CONSTRAINT fk_cursor_connection FOREIGN KEY(connection) REFERENCES connection (connection)
);

CREATE TABLE subscription (
    subscription text NOT NULL,
    org text NOT NULL,
    connection text NOT NULL,
    purpose text NOT NULL,
    parts text[] DEFAULT '{}'::text[] NOT NULL,
    categories text[] DEFAULT '{}'::text[] NOT NULL,
    status text DEFAULT 'active' NOT NULL,
    CONSTRAINT pk_subscription PRIMARY KEY (subscription),
    CONSTRAINT fk_subscription_org FOREIGN KEY(org) REFERENCES org (org),
    CONSTRAINT fk_subscription_connection FOREIGN KEY(connection) REFERENCES connection (connection)
);
