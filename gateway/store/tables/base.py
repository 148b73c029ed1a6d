"""The metadata every table hangs on, and the column types used throughout."""

import uuid
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, LargeBinary, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, UUID
from sqlalchemy.types import UserDefinedType

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


class Ids(UserDefinedType[Collection[uuid.UUID]]):
    """A list of ids as a parameter, written as PostgreSQL reads it: psycopg adapts a list member by member, and slowly."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in PostgreSQL."""
        return "uuid[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:  # noqa: ARG002 - as SQLAlchemy calls it
        """How a value is written."""
        return lambda ids: f"{{{','.join([one.hex for one in ids])}}}"


class Keys(UserDefinedType[Collection[bytes]]):
    """A list of keyed hashes as a parameter, written like `Ids`."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in PostgreSQL."""
        return "bytea[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str]:  # noqa: ARG002 - as SQLAlchemy calls it
        """How a value is written."""
        return lambda keys: "{" + ",".join([rf'"\\x{one.hex()}"' for one in keys]) + "}"


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
