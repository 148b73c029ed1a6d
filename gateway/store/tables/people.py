"""Children, the identities by which each source knows them, and what was received. Link, never merge (domain.md §7.6)."""

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from gateway.store.tables.base import Sealed, Uuid, Uuids, child, counter, key, metadata, moment

child_table = Table(
    "child",
    metadata,
    child(primary_key=True),
    # provisional: parked in review, its key seals what was received; nothing of it is ever released
    Column("state", Text, nullable=False),
    # set when review linked a provisional child to another: erasure destroys both keys
    Column("linked_to", Uuid),
    moment("created_at"),
)

consent_epoch = Table("consent_epoch", metadata, child(primary_key=True), counter("epoch", 1))

pairwise_ref = Table(
    "pairwise_ref",
    metadata,
    child(primary_key=True),
    Column("org", Text, primary_key=True),
    Column("ref", Text, nullable=False),
    UniqueConstraint("org", "ref"),
)

source_identity = Table(
    "source_identity",
    metadata,
    key("source_identity_id"),
    Column("org", Text, nullable=False),
    Column("connection", Text, nullable=False),
    # keyed hash of system and record id: the id itself is sealed
    Column("source_key", LargeBinary, nullable=False),
    Column("sealed_for", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    moment("created_at"),
    UniqueConstraint("connection", "source_key"),
    Index(None, "sealed_for"),
)

identity_features = Table(
    "identity_features",
    metadata,
    Column("source_identity_id", Uuid, primary_key=True),
    Column("sealed_for", Uuid, nullable=False),
    Column("features", Sealed, nullable=False),
    moment("at"),
)

identity_key = Table(
    "identity_key",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("source_identity_id", Uuid, primary_key=True),
    Column("rule", Text, nullable=False),
)

identity_link = Table(
    "identity_link",
    metadata,
    key("link_id"),
    child(),
    Column("source_identity_id", Uuid, nullable=False),
    moment("valid_from"),
    moment("valid_to", nullable=True),
    Column("match_id", Uuid, nullable=False),
    Index(None, "child_id"),
    Index(
        "uq_identity_link_open", "source_identity_id", unique=True, postgresql_where=text("valid_to IS NULL")
    ),
)

match_decision = Table(
    "match_decision",
    metadata,
    key("match_id"),
    Column("source_identity_id", Uuid, nullable=False),
    child(nullable=True),
    Column("outcome", Text, nullable=False),
    Column("rule", Text, nullable=False),
    # which rules agreed and which did not; never a value
    Column("evidence", JSONB, nullable=False),
    Column("decided_by", Text, nullable=False),
    moment("at"),
    Index(None, "source_identity_id"),
)

review_item = Table(
    "review_item",
    metadata,
    key("review_id"),
    Column("source_identity_id", Uuid, nullable=False, unique=True),
    Column("candidates", Uuids, nullable=False),
    Column("rule", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text),
    moment("decided_at", nullable=True),
    moment("created_at"),
)

source_document = Table(
    "source_document",
    metadata,
    key("document_id"),
    Column("source_identity_id", Uuid, nullable=False),
    Column("sealed_for", Uuid, nullable=False),
    Column("connection", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("record_key", LargeBinary, nullable=False),
    Column("source_version", Text),
    # HMAC under the child's key: equality answers "did it change?" without opening anything
    Column("digest", LargeBinary, nullable=False),
    Column("original_digest", LargeBinary, nullable=False),
    Column("cuts", Integer, nullable=False, server_default=text("0")),
    Column("body", Sealed, nullable=False),
    moment("received_at"),
    # the newest version of a record is current; older ones stay, as they were received
    Column("status", Text, nullable=False),
    Index(None, "source_identity_id"),
    Index(
        "ix_source_document_current", "connection", "record_key", postgresql_where=text("status = 'current'")
    ),
)
