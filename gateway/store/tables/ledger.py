"""The log: pending rows, sequenced entries, tiles and checkpoints (ARCHITECTURE §7, C2SP tlog-tiles)."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Integer, LargeBinary, Table, Text

from gateway.store.tables.base import Sealed, Uuid, child, metadata, moment


def _entry_columns() -> list[Column[object]]:
    return [
        # what the body is sealed for: neither number exists yet when it is sealed
        Column("entry_id", Uuid, nullable=False, unique=True),
        # the leaf's own bytes: type, version, hour-rounded time, commitment
        Column("leaf", LargeBinary, nullable=False),
        Column("kind", Text, nullable=False),
        child(nullable=True),
        Column("recipient", Text),
        Column("subject", Uuid),
        # salt and canonical entry, sealed with the child's key (with the hub's where no child is meant)
        Column("body", Sealed, nullable=False),
        moment("at"),
    ]


ledger_pending = Table(
    "ledger_pending",
    metadata,
    # drawn while the child's epoch lock is held, so a child's entries keep their order
    Column("pending_id", BigInteger, Identity(always=True), primary_key=True),
    *_entry_columns(),
)

ledger_entry = Table(
    "ledger_entry",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("pending_id", BigInteger, nullable=False, unique=True),
    *_entry_columns(),
    Index(None, "child_id"),
)

ledger_tile = Table(
    "ledger_tile",
    metadata,
    Column("level", Integer, primary_key=True),
    Column("idx", BigInteger, primary_key=True),
    Column("hashes", LargeBinary, nullable=False),
)

ledger_checkpoint = Table(
    "ledger_checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),
    moment("at"),
)

ledger_cosignature = Table(
    "ledger_cosignature",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", Text, primary_key=True),
    # the signature line as it stands in a note
    Column("line", Text, nullable=False),
    moment("at"),
)

ledger_witness = Table(
    "ledger_witness",
    metadata,
    Column("witness", Text, primary_key=True),
    # the largest size it said it has cosigned
    Column("size", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),
    moment("asked_at"),
)

ledger_halt = Table(
    "ledger_halt",
    metadata,
    Column("only", Text, CheckConstraint("\"only\" = 'ledger'", name="one_row"), primary_key=True),
    Column("reason", Text, nullable=False),
    moment("at"),
)
