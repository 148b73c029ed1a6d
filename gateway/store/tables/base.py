"""The metadata every table hangs on, and the column types used throughout."""

from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, UUID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Uuid = UUID(as_uuid=True)
Uuids = ARRAY(UUID(as_uuid=True))
Texts = ARRAY(Text)
Moment = TIMESTAMP(timezone=True)
Sealed = LargeBinary


def key(name: str = "id") -> Column[Any]:
    """A uuid primary key, minted in Python (PostgreSQL 15 has no uuidv7)."""
    return Column(name, Uuid, primary_key=True)


def child(*, nullable: bool = False, primary_key: bool = False) -> Column[Any]:
    """The child a row is about. No foreign key: bulk intake checks it, and the epoch row is what is locked."""
    return Column("child_id", Uuid, nullable=nullable, primary_key=primary_key)


def texts(name: str) -> Column[Any]:
    """A list of codes, empty rather than null."""
    return Column(name, Texts, nullable=False, server_default=text("'{}'::text[]"))


def counter(name: str, start: int = 0) -> Column[Any]:
    """A count that begins at `start`."""
    return Column(name, BigInteger, nullable=False, server_default=text(str(start)))


def moment(name: str, *, nullable: bool = False) -> Column[Any]:
    """An instant with its zone."""
    return Column(name, Moment, nullable=nullable)
