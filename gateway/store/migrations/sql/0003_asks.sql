-- What a family is asked. It opens nothing: a directive does.
CREATE TABLE ask (
    ask_id uuid NOT NULL,
    child_id uuid NOT NULL,
    recipient text NOT NULL,
    asker text NOT NULL,
    categories text[] DEFAULT '{}'::text[] NOT NULL,
    purpose text NOT NULL,
    until timestamptz NOT NULL,
    made_by text NOT NULL,
    referral_id uuid,
    made_at timestamptz NOT NULL,
    lapses_at timestamptz NOT NULL,
    answer text,
    answered_at timestamptz,
    closed_at timestamptz,
    reminders integer DEFAULT 0 NOT NULL,
    reminded_at timestamptz,
    body bytea NOT NULL,
    CONSTRAINT pk_ask PRIMARY KEY (ask_id),
    CONSTRAINT ck_ask_answer CHECK (answer IN ('permit', 'deny'))
);
CREATE INDEX ix_ask_child_id ON ask (child_id);
CREATE UNIQUE INDEX uq_ask_open ON ask (child_id, recipient, asker, purpose) WHERE closed_at IS NULL;

-- What the portal shows and the message sender carries; ids only.
CREATE TABLE message (
    message_id uuid NOT NULL,
    child_id uuid NOT NULL,
    audience text NOT NULL,
    kind text NOT NULL,
    subject_id uuid NOT NULL,
    due_at timestamptz NOT NULL,
    sent_at timestamptz,
    CONSTRAINT pk_message PRIMARY KEY (message_id)
);
CREATE INDEX ix_message_child_id ON message (child_id);
CREATE INDEX ix_message_due ON message (due_at) WHERE sent_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON ask TO planhub_app;
GRANT SELECT, INSERT, UPDATE ON message TO planhub_app;
