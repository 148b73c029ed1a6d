"""The normalized record: assertions, plans and referrals. What lies in clear here is what ARCHITECTURE §4 lists."""

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store.tables.base import Sealed, Uuid, Uuids, child, counter, key, metadata, moment, texts

assertion = Table(
    "assertion",
    metadata,
    key("assertion_id"),
    child(),
    Column("category", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("part", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("org", Text, nullable=False),
    texts("regimes"),
    texts("labels"),
    Column("quality", Text, nullable=False),
    moment("asserted_at"),
    moment("received_at"),
    Column("supersedes", Uuid),
    Column("source_identity_id", Uuid),
    # keyed hash of connection, record id and the fact's key within it: the idempotency key of an import
    Column("source_key", LargeBinary),
    Column("value_digest", LargeBinary, nullable=False),
    Column("links", Uuids, nullable=False, server_default=text("'{}'::uuid[]")),
    # value, asserter's person and role, method, effective period, source record: everything else
    Column("body", Sealed, nullable=False),
    Index(None, "child_id"),
    Index("uq_assertion_source", "source_key", unique=True, postgresql_where=text("status = 'current'")),
)

plan = Table(
    "plan",
    metadata,
    child(primary_key=True),
    Column("lead_org", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("active_version", Uuid),
    moment("next_review_at", nullable=True),
    counter("revision"),
    moment("updated_at"),
)

plan_version = Table(
    "plan_version",
    metadata,
    key("plan_version_id"),
    child(),
    Column("n", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    moment("proposed_at"),
    moment("activated_at", nullable=True),
    # the assertions it froze; a version is immutable but for its status
    Column("assertion_ids", Uuids, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    UniqueConstraint("child_id", "n"),
)

referral = Table(
    "referral",
    metadata,
    key("referral_id"),
    child(),
    Column("assertion_id", Uuid, nullable=False),
    Column("from_org", Text, nullable=False),
    Column("to_org", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("consent_state", Text, nullable=False),
    counter("revision", 1),
    moment("sent_at", nullable=True),
    moment("accepted_at", nullable=True),
    moment("closed_at", nullable=True),
    moment("family_informed_at", nullable=True),
    moment("created_at"),
    moment("updated_at"),
    Index(None, "child_id"),
    Index(None, "to_org"),
    Index(None, "from_org"),
)

referral_event = Table(
    "referral_event",
    metadata,
    key("event_id"),
    Column("referral_id", Uuid, nullable=False),
    Column("org", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    # its words and counts; a mere workflow move has none
    Column("assertion_id", Uuid),
    # keyed hash of the source's own event, so that a worklist handed in twice counts once
    Column("source_key", LargeBinary, unique=True),
    moment("at"),
    Index(None, "referral_id"),
)

view_version = Table(
    "view_version",
    metadata,
    Column("change", BigInteger, Identity(always=True), primary_key=True),
    Column("recipient", Text, nullable=False),
    child(),
    # "plan" or "referral/<id>"
    Column("resource", Text, nullable=False),
    Column("n", Integer, nullable=False),
    # HMAC under the child's key of the rendered view: grows only when this recipient's view changed
    Column("digest", LargeBinary, nullable=False),
    moment("at"),
    UniqueConstraint("recipient", "child_id", "resource", "n"),
    Index(None, "recipient", "change"),
)
