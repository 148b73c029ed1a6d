-- A child's record must not be erased while a hold stands. Why it was set lies sealed in the log.
CREATE TABLE legal_hold (
    hold_id uuid NOT NULL,
    child_id uuid NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL,
    lifted_by text,
    lifted_at timestamptz,
    CONSTRAINT pk_legal_hold PRIMARY KEY (hold_id)
);
CREATE INDEX ix_legal_hold_child_id ON legal_hold (child_id);

-- Erasing a child's record takes two people: one asks, another confirms.
CREATE TABLE erasure (
    erasure_id uuid NOT NULL,
    child_id uuid NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    CONSTRAINT pk_erasure PRIMARY KEY (erasure_id),
    CONSTRAINT ck_erasure_two_people CHECK (lower(confirmed_by) <> lower(asked_by))
);
CREATE UNIQUE INDEX ix_erasure_child_id ON erasure (child_id);

GRANT SELECT, INSERT, UPDATE (lifted_by, lifted_at) ON legal_hold TO planhub_app;
GRANT SELECT, INSERT, UPDATE (confirmed_by, confirmed_at) ON erasure TO planhub_app;
