"""What families decided, who may sign, and the decisions releases rest on."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, text

from gateway.store.tables.base import Sealed, Texts, Uuid, Uuids, child, key, metadata, moment, texts

directive = Table(
    "directive",
    metadata,
    key("directive_id"),
    child(),
    Column("effect", Text, nullable=False),
    # null: whoever in the hub holds it; else the disclosing organisations it speaks of
    Column("disclosers", Texts),
    Column("recipient", Text, nullable=False),
    texts("categories"),
    texts("purposes"),
    texts("regimes"),
    moment("valid_from"),
    moment("valid_until", nullable=True),
    Column("state", Text, nullable=False),
    Column("signer_link", Uuid, nullable=False),
    Column("supersedes", Uuid),
    moment("recorded_at"),
    moment("ended_at", nullable=True),
    # notice id, version, locale and hash, capacity, authentication, attestation, reason for ending
    Column("body", Sealed, nullable=False),
    Index(None, "child_id"),
)

guardian_link = Table(
    "guardian_link",
    metadata,
    key("guardian_link_id"),
    child(),
    Column("kind", Text, nullable=False),
    # candidate until the hub's own verification step; a candidate can sign nothing
    Column("authority", Text, nullable=False),
    moment("valid_from"),
    moment("valid_until", nullable=True),
    Column("verified_by", Text),
    moment("verified_at", nullable=True),
    # person, contact, evidence, restrictions
    Column("body", Sealed, nullable=False),
    Index(None, "child_id"),
)

restraint = Table(
    "restraint",
    metadata,
    key("restraint_id"),
    child(),
    # court-order or safety-hold
    Column("kind", Text, nullable=False),
    Column("guardian_link_id", Uuid),
    Column("recipient", Text),
    texts("categories"),
    moment("valid_from"),
    moment("valid_until", nullable=True),
    Column("body", Sealed, nullable=False),
    Index(None, "child_id"),
)

child_fact = Table(
    "child_fact",
    metadata,
    child(primary_key=True),
    # birth date and jurisdiction: what authority is computed from at decision time
    Column("body", Sealed, nullable=False),
    moment("at"),
)

release = Table(
    "release",
    metadata,
    key("release_id"),
    Column("recipient", Text, nullable=False),
    Column("requester", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    moment("at"),
)

decision = Table(
    "decision",
    metadata,
    key("decision_id"),
    Column("release_id", Uuid, nullable=False),
    child(),
    Column("recipient", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    # consent, exception, own, family, steward
    Column("basis", Text, nullable=False),
    texts("parts"),
    # permitted; empty on a denial
    texts("categories"),
    Column("directive_ids", Uuids, nullable=False, server_default=text("'{}'::uuid[]")),
    # what a basis other than consent rests on: a review item, a guardian link
    Column("evidence_ids", Uuids, nullable=False, server_default=text("'{}'::uuid[]")),
    Column("child_epoch", BigInteger, nullable=False),
    Column("agreement_epoch", BigInteger, nullable=False),
    Column("rules_version", LargeBinary, nullable=False),
    Column("outcome", Text, nullable=False),
    moment("at"),
    moment("expires"),
    Index(None, "release_id"),
    Index(None, "child_id"),
)

rules_in_force = Table(
    "rules_in_force",
    metadata,
    # one row: the version of the loaded rules, to which a live decision must be bound
    Column("only", Text, primary_key=True),
    Column("rules_version", LargeBinary, nullable=False),
    moment("at"),
)
