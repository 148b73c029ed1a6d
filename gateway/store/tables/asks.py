"""What families are asked, and what is to be told to whom."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, Table, Text, text

from gateway.store.tables.base import Sealed, Uuid, child, key, metadata, moment, texts

ask = Table(
    "ask",
    metadata,
    key("ask_id"),
    child(),
    # who would see, and who asked: they differ where a referral asks
    Column("recipient", Text, nullable=False),
    Column("asker", Text, nullable=False),
    texts("categories"),
    Column("purpose", Text, nullable=False),
    moment("until"),
    # agency, referral, staff
    Column("made_by", Text, nullable=False),
    Column("referral_id", Uuid),
    moment("made_at"),
    moment("lapses_at"),
    # permit, deny; null while the family is silent
    Column("answer", Text),
    moment("answered_at", nullable=True),
    # when its place was free for another: at a yes, or once lapsed. A no keeps it, or the asker could tell
    moment("closed_at", nullable=True),
    Column("reminders", Integer, nullable=False, server_default=text("0")),
    moment("reminded_at", nullable=True),
    # in which language the family needs an interpreter
    Column("body", Sealed, nullable=False),
    CheckConstraint(text("answer IN ('permit', 'deny')"), name="answer"),
    Index(None, "child_id"),
    Index(
        "uq_ask_open",
        "child_id",
        "recipient",
        "asker",
        "purpose",
        unique=True,
        postgresql_where=text("closed_at IS NULL"),
    ),
)

message = Table(
    "message",
    metadata,
    key("message_id"),
    child(),
    # family, privacy-officer
    Column("audience", Text, nullable=False),
    # ask, ask-reminder, emergency
    Column("kind", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False),
    moment("due_at"),
    moment("sent_at", nullable=True),
    Index(None, "child_id"),
    Index("ix_message_due", "due_at", postgresql_where=text("sent_at IS NULL")),
)
