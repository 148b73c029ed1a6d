"""What agencies stated when somebody was in danger, and the review that must follow."""

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, text

from gateway.store.tables.base import Sealed, child, key, metadata, moment, texts

emergency = Table(
    "emergency",
    metadata,
    key("emergency_id"),
    child(),
    Column("recipient", Text, nullable=False),
    Column("requester", Text, nullable=False),
    # BTG, or ETREAT for medical personnel
    Column("purpose", Text, nullable=False),
    texts("categories"),
    moment("stated_at"),
    moment("expires_at"),
    # threat, affected person, personnel, affiliation; why the family is told later, where it is
    Column("body", Sealed, nullable=False),
    Column("finding", Text),
    Column("reviewed_by", Text),
    moment("reviewed_at", nullable=True),
    Column("review_note", Sealed),
    CheckConstraint(text("purpose IN ('BTG', 'ETREAT')"), name="purpose"),
    CheckConstraint(text("expires_at <= stated_at + interval '24 hours'"), name="a_day"),
    CheckConstraint(text("(finding IS NULL) = (reviewed_at IS NULL)"), name="review"),
    Index(None, "child_id"),
    Index("ix_emergency_open", "stated_at", postgresql_where=text("finding IS NULL")),
)
