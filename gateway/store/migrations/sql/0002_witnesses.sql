-- A witness's cosignature on a checkpoint: evidence, only ever added.
CREATE TABLE ledger_cosignature (
    size bigint NOT NULL,
    witness text NOT NULL,
    line text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_ledger_cosignature PRIMARY KEY (size, witness)
);

-- Where each witness stands as far as it last said, and what it answered then.
CREATE TABLE ledger_witness (
    witness text NOT NULL,
    size bigint NOT NULL,
    answer text NOT NULL,
    asked_at timestamptz NOT NULL,
    CONSTRAINT pk_ledger_witness PRIMARY KEY (witness)
);

-- One row while nothing may be signed: the log is behind what others saw of it, or is not what they saw.
CREATE TABLE ledger_halt (
    "only" text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_ledger_halt PRIMARY KEY ("only"),
    CONSTRAINT ck_ledger_halt_one_row CHECK ("only" = 'ledger')
);

CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON ledger_cosignature FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON ledger_cosignature FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

GRANT SELECT, INSERT ON ledger_cosignature TO planhub_app;
GRANT SELECT, INSERT, UPDATE ON ledger_witness TO planhub_app;
GRANT SELECT, INSERT, DELETE ON ledger_halt TO planhub_app;
GRANT SELECT ON ledger_halt TO planhub_sequencer;
GRANT SELECT ON ledger_cosignature TO planhub_sequencer;
