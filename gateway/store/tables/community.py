"""The community, its agencies, their agreements and how their systems are reached. Configuration, applied from the community file."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from gateway.store.tables.base import counter, metadata, moment, texts

community = Table(
    "community",
    metadata,
    Column("community", Text, primary_key=True),
    Column("name", Text, nullable=False),
    # where its days begin and end, and whose law rows hold
    Column("timezone", Text, nullable=False),
    Column("jurisdiction", Text, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'active'")),
)

org = Table(
    "org",
    metadata,
    Column("org", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # the category its very name reveals: a clinic's name tells what its value hides (ARCHITECTURE §5)
    Column("programme_category", Text, nullable=False),
    Column("hub_role", Text, nullable=False),
    texts("regimes"),
    Column("roster_authority", Text, nullable=False, server_default=text("'no'")),
    Column("status", Text, nullable=False, server_default=text("'active'")),
)

agreement = Table(
    "agreement",
    metadata,
    Column("agreement", Text, primary_key=True),
    Column("org", Text, ForeignKey("org.org"), nullable=False),
    Column("hub_role", Text, nullable=False),
    texts("purposes"),
    texts("categories"),
    moment("valid_from"),
    moment("valid_until"),
    Column("status", Text, nullable=False),
    CheckConstraint(text("status IN ('draft', 'in-force', 'suspended', 'ended')"), name="status"),
)

agreement_epoch = Table(
    "agreement_epoch",
    metadata,
    Column("org", Text, ForeignKey("org.org"), primary_key=True),
    counter("epoch", 1),
)

connection = Table(
    "connection",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("org", Text, ForeignKey("org.org"), nullable=False),
    Column("adapter", Text, nullable=False),
    # addresses and options; secrets are names that settings resolve, never values
    Column("config", JSONB, nullable=False),
    Column("maps", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("status", Text, nullable=False, server_default=text("'active'")),
)

cursor = Table(
    "cursor",
    metadata,
    Column("connection", Text, ForeignKey("connection.connection"), primary_key=True),
    Column("resource", Text, primary_key=True),
    Column("position", Text, nullable=False),
    moment("at"),
)

subscription = Table(
    "subscription",
    metadata,
    Column("subscription", Text, primary_key=True),
    Column("org", Text, ForeignKey("org.org"), nullable=False),
    Column("connection", Text, ForeignKey("connection.connection"), nullable=False),
    Column("purpose", Text, nullable=False),
    texts("parts"),
    texts("categories"),
    Column("status", Text, nullable=False, server_default=text("'active'")),
)

api_client = Table(
    "api_client",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("org", Text, ForeignKey("org.org"), nullable=False),
    Column("jwks", JSONB, nullable=False),
    texts("scopes"),
    texts("purposes"),
    Column("status", Text, nullable=False, server_default=text("'active'")),
)

token_use = Table(
    "token_use",
    metadata,
    Column("client_id", Text, primary_key=True),
    Column("jti_digest", LargeBinary, primary_key=True),
    moment("expires"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("org", Text, primary_key=True),
    Column("key_digest", LargeBinary, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    # null while the first request is still running
    Column("status", Integer),
    # ids and states only: a stored answer never holds a child's content
    Column("answer", JSONB),
    moment("at"),
)

map_version = Table(
    "map_version",
    metadata,
    Column("map", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("content_hash", LargeBinary, nullable=False),
    Column("files", JSONB, nullable=False),
    Column("owner", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("published_by", Text),
    Column("approved_by", Text),
    Column("note", Text),
    moment("at"),
    Column("position", BigInteger, nullable=False, server_default=text("0")),
)
