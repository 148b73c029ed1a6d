"""The outbox: deliveries in ordered lanes, one lane per recipient and child, one breaker per recipient."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from gateway.store.tables.base import Sealed, Uuid, child, counter, key, metadata, moment

delivery = Table(
    "delivery",
    metadata,
    # also the idempotency key of every attempt
    key("delivery_id"),
    Column("recipient", Text, nullable=False),
    child(),
    Column("connection", Text, nullable=False),
    # plan, referral, outcome, recall
    Column("topic", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    Column("purpose", Text, nullable=False),
    # order within the lane
    Column("position", BigInteger, nullable=False),
    # pending, delivered, withheld, dead, held (a person must look: an earlier one of the same referral is dead)
    Column("state", Text, nullable=False),
    # a closed code, shown to staff
    Column("reason", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("map", Text),
    Column("map_version", Text),
    Column("ledger_seq", BigInteger),
    Column("payload_digest", LargeBinary),
    # the partner's own id for what it stored (a Task's id), sealed: it names the child in the partner's system
    Column("receipt", Sealed),
    moment("created_at"),
    moment("updated_at"),
    Index(
        "ix_delivery_lane", "recipient", "child_id", "position", postgresql_where=text("state = 'pending'")
    ),
    # the plan a recipient got last by a connection
    Index(
        "ix_delivery_sent",
        "recipient",
        "child_id",
        "connection",
        "position",
        postgresql_where=text("state = 'delivered' AND topic = 'plan'"),
    ),
    # what needs a person. No index leads with the state of those that wait: while few do, the planner would take it for the
    # shortest way to the next of a lane, and keep to that plan when many wait
    Index(
        "ix_delivery_stuck",
        "state",
        "updated_at",
        postgresql_where=text("state = ANY (ARRAY['dead', 'held', 'withheld'])"),
    ),
)

lane = Table(
    "lane",
    metadata,
    Column("recipient", Text, primary_key=True),
    child(primary_key=True),
    # last position handed out
    counter("position"),
    # raised at every claim; a completion with an older number is refused
    counter("fence"),
    moment("locked_until", nullable=True),
    # null when nothing waits
    moment("next_at", nullable=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Index("ix_lane_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
)

breaker = Table(
    "breaker",
    metadata,
    Column("recipient", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    moment("probe_at", nullable=True),
)

attempt = Table(
    "attempt",
    metadata,
    key("attempt_id"),
    Column("delivery_id", Uuid, nullable=False),
    Column("n", Integer, nullable=False),
    Column("entry_seq", BigInteger),
    Column("result", Text, nullable=False),
    Column("cause", Text),
    Column("status_code", Integer),
    Column("milliseconds", Integer, nullable=False),
    moment("at"),
    Index(None, "delivery_id"),
)

inbox = Table(
    "inbox",
    metadata,
    # a file or batch taken in: only its hash stays, and what became of it
    key("batch_id"),
    Column("connection", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("counts", JSONB, nullable=False),
    moment("at"),
    Index(None, "connection", "digest"),
)
