"""Holds that keep a record from being erased, and erasures asked for and confirmed."""

from sqlalchemy import CheckConstraint, Column, Index, Table, Text

from gateway.store.tables.base import child, key, metadata, moment

legal_hold = Table(
    "legal_hold",
    metadata,
    key("hold_id"),
    child(),
    Column("set_by", Text, nullable=False),
    moment("set_at"),
    Column("lifted_by", Text),
    moment("lifted_at", nullable=True),
    Index(None, "child_id"),
)

erasure = Table(
    "erasure",
    metadata,
    key("erasure_id"),
    child(),
    Column("asked_by", Text, nullable=False),
    moment("asked_at"),
    Column("confirmed_by", Text),
    moment("confirmed_at", nullable=True),
    CheckConstraint("lower(confirmed_by) <> lower(asked_by)", name="two_people"),
    Index(None, "child_id", unique=True),
)
