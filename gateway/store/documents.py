"""What was received, per child and sealed; and the facts it yielded. Both are compared by keyed digests, never opened.

A fact's `source_key` is 32 bytes: 16 that stand for its record, 16 for its place in the record. So the facts of one record
are a range of the index, and what vanished from a record is found without knowing what it said.
"""

import hmac
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from gateway.store.childkey import ChildKey
from gateway.store.engine import Role
from gateway.store.staging import stage_rows
from gateway.store.tables import assertion, cursor, inbox, source_document
from gateway.store.tables.base import Ids, Keys
from mappings.record.assertion import Status

_HALF = 16

EVERYTHING = "*"
"""The resource of a mark that is the whole connection's."""

POLLED = "polled"
"""The resource under which stands when a connection was last asked."""


def record_key(secret: bytes, connection: str, resource: str, record_id: str) -> bytes:
    """The keyed hash under which a source record is found again; the id itself is only in the sealed document."""
    return hmac.digest(secret, f"{connection}\x1f{resource}\x1f{record_id}".encode(), "sha256")


def fact_key(secret: bytes, record: bytes, kind: str, key: str) -> bytes:
    """The keyed hash of one fact of a record: the record's half, then the fact's."""
    place = hmac.digest(secret, record + kind.encode() + b"\x1f" + key.encode(), "sha256")
    return record[:_HALF] + place[:_HALF]


@dataclass(frozen=True, slots=True)
class Document:
    """A received record: `digest` is of what was kept, `original_digest` of what arrived, both under the child's key."""

    document_id: UUID
    source_identity_id: UUID
    sealed_for: UUID
    connection: str
    resource: str
    record_key: bytes
    source_version: str | None
    digest: bytes
    original_digest: bytes
    cuts: int
    body: bytes
    received_at: datetime
    status: Status


@dataclass(frozen=True, slots=True)
class Present:
    """The envelope of a document that is current."""

    document_id: UUID
    source_identity_id: UUID
    sealed_for: UUID
    record_key: bytes
    digest: bytes


def copied(stored: "Stored", document_id: UUID, identity: UUID, key: ChildKey, raw: bytes) -> Document:
    """A stored record as it will lie under another key; `raw` is what it holds, opened."""
    return Document(
        document_id,
        identity,
        key.child_id,
        stored.connection,
        stored.resource,
        stored.record_key,
        stored.source_version,
        key.digest(raw),
        key.digest(raw),
        stored.cuts,
        key.seal(raw, row=document_id, kind="document"),
        stored.received_at,
        Status.CURRENT,
    )


_PRESENT = select(
    source_document.c.document_id,
    source_document.c.source_identity_id,
    source_document.c.sealed_for,
    source_document.c.record_key,
    source_document.c.digest,
).where(source_document.c.status == Status.CURRENT)


def _present(row: Any) -> Present:
    return Present(row[0], row[1], row[2], bytes(row[3]), bytes(row[4]))


def present(connection: Connection, source: str, keys: Collection[bytes]) -> dict[bytes, list[Present]]:
    """The current documents of these records. A guardian's record has one for each child it speaks of."""
    statement = _PRESENT.where(
        source_document.c.connection == source,
        source_document.c.record_key == func.any(bindparam(None, keys, type_=Keys)),
    )
    found: dict[bytes, list[Present]] = {}
    for row in connection.execute(statement).all():
        found.setdefault(bytes(row[3]), []).append(_present(row))
    return found


def of_identities(connection: Connection, identities: Collection[UUID]) -> list[Present]:
    """The current documents that came under these identities."""
    statement = _PRESENT.where(
        source_document.c.source_identity_id == func.any(bindparam(None, identities, type_=Ids))
    )
    return [_present(row) for row in connection.execute(statement).all()]


def record_keys(connection: Connection, source: str) -> dict[bytes, str]:
    """Every record a connection holds now and its resource: what a full pull no longer shows has been deleted."""
    rows = connection.execute(
        select(source_document.c.record_key, source_document.c.resource).where(
            source_document.c.connection == source, source_document.c.status == Status.CURRENT
        )
    ).all()
    return {bytes(row[0]): row[1] for row in rows}


def of_resource(
    connection: Connection, source: str, resource: str, sealed_for: Collection[UUID]
) -> list[UUID]:
    """The current documents of one resource that are sealed with these children's keys."""
    rows = connection.execute(
        select(source_document.c.document_id).where(
            source_document.c.connection == source,
            source_document.c.resource == resource,
            source_document.c.status == Status.CURRENT,
            source_document.c.sealed_for == func.any(bindparam(None, sealed_for, type_=Ids)),
        )
    )
    return [row[0] for row in rows]


def add_documents(connection: Connection, documents: Iterable[Document]) -> int:
    """Write documents. At most once per transaction."""
    columns = tuple(Document.__dataclass_fields__)
    rows = ([getattr(document, column) for column in columns] for document in documents)
    return stage_rows(connection, source_document, columns, rows)


def end_documents(connection: Connection, ids: Collection[UUID], status: Status) -> None:
    """Mark documents as no longer current."""
    if ids:
        connection.execute(
            update(source_document)
            .where(source_document.c.document_id == func.any(bindparam(None, ids, type_=Ids)))
            .values(status=status)
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """A received record as it lies there, for mapping it again."""

    document_id: UUID
    sealed_for: UUID
    connection: str
    resource: str
    record_key: bytes
    source_version: str | None
    original_digest: bytes
    cuts: int
    body: bytes
    received_at: datetime


def read_bodies(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Stored]:
    """What was received, sealed, under `planhub_intake` inside the caller's transaction: only to map it again."""
    if not ids:
        return {}
    columns = [source_document.c[name] for name in Stored.__dataclass_fields__]
    statement = select(*columns).where(
        source_document.c.document_id == func.any(bindparam(None, ids, type_=Ids))
    )
    connection.exec_driver_sql(f"SET LOCAL ROLE {Role.INTAKE.value}")
    rows = connection.execute(statement).mappings().all()
    connection.exec_driver_sql("SET LOCAL ROLE NONE")
    return {row["document_id"]: Stored(**row) for row in rows}


@dataclass(frozen=True, slots=True)
class FactPresent:
    """The envelope of a fact that is current."""

    assertion_id: UUID
    child_id: UUID
    source_key: bytes
    value_digest: bytes


_FACTS = text(
    "SELECT a.assertion_id, a.child_id, a.source_key, a.value_digest "
    "FROM unnest(cast(:first AS bytea[]), cast(:last AS bytea[])) AS r (first, last) "
    "JOIN assertion a ON a.source_key >= r.first AND a.source_key <= r.last WHERE a.status = 'current'"
).bindparams(bindparam("first", type_=Keys), bindparam("last", type_=Keys))


def facts_of(connection: Connection, records: Sequence[bytes]) -> dict[tuple[UUID, bytes], FactPresent]:
    """The current facts that came from these records, by child and fact key."""
    if not records:
        return {}
    halves = [key[:_HALF] for key in records]
    ends = [half + b"\xff" * _HALF for half in halves]
    rows = connection.execute(_FACTS, {"first": halves, "last": ends}).all()
    found = (FactPresent(row[0], row[1], bytes(row[2]), bytes(row[3])) for row in rows)
    return {(fact.child_id, fact.source_key): fact for fact in found}


def end_facts(connection: Connection, ids: Collection[UUID], status: Status) -> int:
    """Mark facts as superseded or retracted; how many were current."""
    if not ids:
        return 0
    ended = connection.execute(
        update(assertion)
        .where(
            assertion.c.assertion_id == func.any(bindparam(None, ids, type_=Ids)),
            assertion.c.status == Status.CURRENT,
        )
        .values(status=status)
    )
    return ended.rowcount


def facts_by_identity(connection: Connection, identities: Collection[UUID]) -> list[UUID]:
    """The current facts that came under these identities; what unlinking takes back."""
    rows = connection.execute(
        select(assertion.c.assertion_id).where(
            assertion.c.source_identity_id == func.any(bindparam(None, identities, type_=Ids)),
            assertion.c.status == Status.CURRENT,
        )
    )
    return [row[0] for row in rows]


def add_batch(
    connection: Connection, batch_id: UUID, source: str, digest: bytes, counts: dict[str, Any], at: datetime
) -> None:
    """Record that a file or pull was taken in, by its hash, and what became of it."""
    connection.execute(
        inbox.insert().values(batch_id=batch_id, connection=source, digest=digest, counts=counts, at=at)
    )


def seen_batch(connection: Connection, source: str, digest: bytes) -> dict[str, Any] | None:
    """What became of a file with this hash the last time it came; None where it never did."""
    row = connection.execute(
        select(inbox.c.counts)
        .where(inbox.c.connection == source, inbox.c.digest == digest)
        .order_by(inbox.c.at.desc())
        .limit(1)
    ).first()
    return None if row is None else dict(row[0])


def read_mark(connection: Connection, source: str, resource: str = EVERYTHING) -> str | None:
    """Where the next pull of a connection starts; None where it has to read everything."""
    position = connection.execute(
        select(cursor.c.position).where(cursor.c.connection == source, cursor.c.resource == resource)
    ).scalar()
    return position or None


def set_mark(
    connection: Connection, source: str, position: str, at: datetime, resource: str = EVERYTHING
) -> None:
    """Remember where the next pull starts; empty: at the beginning."""
    values = {"position": position, "at": at}
    statement = insert(cursor).values(connection=source, resource=resource, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["connection", "resource"], set_=values)
    )


def note_poll(connection: Connection, source: str, at: datetime) -> None:
    """Remember that a connection was asked, whatever came of it."""
    values = {"position": "", "at": at}
    statement = insert(cursor).values(connection=source, resource=POLLED, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["connection", "resource"], set_=values)
    )


def last_polls(connection: Connection) -> dict[str, datetime]:
    """When each connection was last asked."""
    rows = connection.execute(select(cursor.c.connection, cursor.c.at).where(cursor.c.resource == POLLED))
    return {row[0]: row[1] for row in rows}
