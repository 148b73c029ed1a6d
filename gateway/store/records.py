"""Assertions as rows: appended in bulk, superseded, retracted, and read only under a release.

Intake never opens a body to compare: equality of `value_digest`, an HMAC under the child's key, says that nothing changed.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from typing import Any
from uuid import UUID

from psycopg.rows import TupleRow
from pydantic_core import to_json
from sqlalchemy import Connection, bindparam, text

from gateway.store.childkey import ChildKey
from gateway.store.copying import copy_rows
from gateway.store.pipeline import Answer, Batch
from gateway.store.tables.base import Ids, Keys
from mappings.record.assertion import Method, Quality, Status, StoredAssertion
from mappings.record.category import Category
from mappings.record.kind import PART, Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label

_CHUNK = 5_000
_CLEAR = (
    "assertion_id", "child_id", "category", "kind", "part", "status", "org", "regimes", "labels", "quality",
    "asserted_at", "received_at", "supersedes", "source_identity_id", "source_key", "value_digest", "links",
)  # fmt: skip
_COLUMNS = (*_CLEAR, "body")
_STAGE = """CREATE TEMPORARY TABLE IF NOT EXISTS new_assertion (
assertion_id uuid, child_id uuid, category text, kind text, part text, status text, org text, regimes text[],
labels text[], quality text, asserted_at timestamptz, received_at timestamptz, supersedes uuid, source_identity_id uuid,
source_key bytea, value_digest bytea, links uuid[], body bytea) ON COMMIT DELETE ROWS"""
# A fact that another import has committed in the meantime is not added again; one it is about to commit breaks the unique
# index on `source_key`, which fails this transaction. Each is looked up by itself: a plain NOT EXISTS reads all there are.
_TAKE = f"""INSERT INTO assertion ({", ".join(_COLUMNS)})
SELECT {", ".join(f"n.{column}" for column in _COLUMNS)} FROM pg_temp.new_assertion n
LEFT JOIN LATERAL (
    SELECT true AS there FROM assertion a WHERE a.source_key = n.source_key AND a.status = 'current' LIMIT 1
) a ON true
WHERE a.there IS NULL"""  # noqa: S608 - our own names
_READ = """SELECT assertion_id, child_id, category, kind, status, org, regimes, labels, quality, asserted_at, received_at,
supersedes, links, body FROM assertion
WHERE child_id = ANY(%(children)s) AND status = 'current'
AND category = ANY(%(categories)s) AND part = ANY(%(parts)s)
AND (%(about)s::uuid[] IS NULL OR category = 'identity' OR assertion_id = ANY(%(about)s::uuid[]))
ORDER BY child_id, asserted_at, assertion_id"""


@dataclass(frozen=True, slots=True)
class Fact:
    """An assertion to be kept, with the key of its child.

    `source_key` is the keyed hash of connection, record and fact that makes an import repeatable; None for what a person
    entered.
    """

    key: ChildKey
    assertion: StoredAssertion
    source_identity_id: UUID | None = None
    source_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of the facts: ids of the new ones and of those they superseded, and how many had not changed."""

    added: tuple[UUID, ...]
    superseded: tuple[UUID, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class Envelope:
    """What lies in clear of an assertion."""

    assertion_id: UUID
    child_id: UUID
    category: str
    kind: str
    part: str
    status: str
    org: str
    quality: str
    asserted_at: datetime
    source_identity_id: UUID | None
    source_key: bytes | None
    links: tuple[UUID, ...]


def append(connection: Connection, facts: Iterable[Fact]) -> Appended:
    """Keep these facts, in the caller's transaction.

    A fact whose `source_key` is current with the same value is left alone; with another value it is superseded. Facts
    are sealed only if they are new, 5,000 at a time, so a district that did not change costs one look. Raises ValueError
    where two facts have one `source_key`, which the map that made them must tell apart.
    """
    added: list[UUID] = []
    superseded: list[UUID] = []
    unchanged = 0
    seen: set[bytes] = set()
    rest = iter(facts)
    while chunk := list(islice(rest, _CHUNK)):
        keyed = [fact.source_key for fact in chunk if fact.source_key is not None]
        before = len(seen)
        seen.update(keyed)
        if len(seen) != before + len(keyed):
            raise ValueError("two facts of one import have the same source key")
        current = _current(connection, keyed)
        rows = []
        replaced = []
        for fact in chunk:
            digest = value_digest(fact.key, fact.assertion)
            standing = current.get(fact.source_key) if fact.source_key is not None else None
            if standing is not None and standing[1] == digest:
                unchanged += 1
                continue
            supersedes = standing[0] if standing is not None else fact.assertion.supersedes
            rows.append(_row(fact, digest, supersedes))
            if supersedes is not None:
                replaced.append(supersedes)
        superseded += change_status(connection, replaced, "superseded")
        added += _take(connection, rows)
    return Appended(tuple(added), tuple(superseded), unchanged)


def value_digest(key: ChildKey, assertion: StoredAssertion) -> bytes:
    """What tells whether a fact changed: its value, its envelope's meaning, not its ids, times or links.

    The HMAC is of one JSON object: members sorted, no white space, ASCII only.
    """
    source, effective = assertion.asserted_by, assertion.effective
    meaning = _meaning(
        source.org,
        source.person,
        source.role,
        assertion.category,
        None if effective is None else (effective.start, effective.end),
        assertion.kind,
        assertion.labels,
        assertion.method,
        assertion.regimes,
    )
    return key.digest(f'{meaning[:-1]},"value":{_canonical(assertion.value)}}}'.encode())


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode


@lru_cache(maxsize=4_096)
def _meaning(
    org: str,
    person: str | None,
    role: str | None,
    category: Category,
    effective: tuple[date | None, date | None] | None,
    kind: Kind,
    labels: frozenset[Label],
    method: Method,
    regimes: frozenset[Regime],
) -> str:
    """The digested object but for its value, which comes last; most facts of a source share a few of these."""
    days = None if effective is None else [day and day.isoformat() for day in effective]
    return _canonical(
        {
            "kind": kind,
            "category": category,
            "asserted_by": {"org": org, "person": person, "role": role},
            "method": method,
            "effective": None if days is None else {"start": days[0], "end": days[1]},
            "regimes": sorted(regimes),
            "labels": sorted(labels),
        }
    )


def change_status(connection: Connection, assertion_ids: Collection[UUID], status: str) -> list[UUID]:
    """Mark current assertions as `superseded` or `retracted`; those that were current."""
    if not assertion_ids:
        return []
    changed = connection.execute(
        text(
            "UPDATE assertion SET status = :status WHERE assertion_id = ANY(:ids) AND status = 'current' "
            "RETURNING assertion_id"
        ).bindparams(bindparam("ids", type_=Ids)),
        {"status": status, "ids": list(assertion_ids)},
    )
    return list(changed.scalars())


def dispute(connection: Connection, assertion_ids: Collection[UUID]) -> int:
    """Mark assertions as disputed by the family, which every reader is shown; how many."""
    return connection.execute(
        text("UPDATE assertion SET quality = 'disputed' WHERE assertion_id = ANY(:ids)").bindparams(
            bindparam("ids", type_=Ids)
        ),
        {"ids": list(assertion_ids)},
    ).rowcount


def envelopes(
    connection: Connection, children: Collection[UUID], *, status: str | None = "current"
) -> list[Envelope]:
    """What lies in clear of these children's assertions, oldest first; of every status where `status` is None."""
    rows = connection.execute(
        text(
            "SELECT assertion_id, child_id, category, kind, part, status, org, quality, asserted_at, "
            "source_identity_id, source_key, links FROM assertion WHERE child_id = ANY(:children) "
            "AND (cast(:status AS text) IS NULL OR status = :status) ORDER BY asserted_at, assertion_id"
        ).bindparams(bindparam("children", type_=Ids)),
        {"children": list(children), "status": status},
    )
    return [Envelope(**{**row, "links": tuple(row["links"])}) for row in rows.mappings()]


def read_released(
    statements: Batch,
    *,
    children: Sequence[UUID],
    categories: Collection[str],
    parts: Collection[str],
    about: Collection[UUID] | None,
) -> Answer:
    """Send the read of the current assertions; PostgreSQL answers with those the named release may see.

    The caller has taken on `planhub_release` or `planhub_family` and set `planhub.release`. With `about`, of all facts but
    those of who the child is only these are read.
    """
    return statements.send(
        _READ,
        {
            "children": list(children),
            "categories": list(categories),
            "parts": list(parts),
            "about": None if about is None else list(about),
        },
    )


def open_assertions(rows: Iterable[TupleRow], keys: Mapping[UUID, ChildKey]) -> Iterator[StoredAssertion]:
    """The assertions of a released read; a child's whose key is not given are left out."""
    for row in rows:
        key = keys.get(row[1])
        if key is not None:
            body = json.loads(key.open(bytes(row[13]), row=row[0], kind="assertion"))
            yield StoredAssertion.model_validate(
                {
                    "assertion_id": row[0],
                    "child_id": row[1],
                    "category": row[2],
                    "kind": row[3],
                    "status": row[4],
                    "asserted_by": {"org": row[5], "person": body.get("person"), "role": body.get("role")},
                    "regimes": row[6],
                    "labels": row[7],
                    "quality": row[8],
                    "asserted_at": row[9],
                    "received_at": row[10],
                    "supersedes": row[11],
                    "links": row[12],
                    "value": body["value"],
                    "method": body["method"],
                    "effective": body.get("effective"),
                    "source": body.get("source"),
                }
            )


def _current(connection: Connection, source_keys: list[bytes]) -> dict[bytes, tuple[UUID, bytes]]:
    rows = connection.execute(
        text(
            "SELECT source_key, assertion_id, value_digest FROM assertion "
            "WHERE source_key = ANY(:keys) AND status = 'current'"
        ).bindparams(bindparam("keys", type_=Keys)),
        {"keys": source_keys},
    ).all()
    return {bytes(row[0]): (row[1], bytes(row[2])) for row in rows}


def _row(fact: Fact, digest: bytes, supersedes: UUID | None) -> tuple[Any, ...]:
    """The row, in the order of `_COLUMNS`."""
    kept = fact.assertion
    source, period = kept.asserted_by, kept.effective
    body: dict[str, Any] = {"value": kept.value, "method": kept.method}
    if source.person is not None:
        body["person"] = source.person
    if source.role is not None:
        body["role"] = source.role
    if period is not None:
        body["effective"] = period
    if kept.source is not None:
        body["source"] = kept.source
    sealed = fact.key.seal(to_json(body, exclude_none=True), row=kept.assertion_id, kind="assertion")
    return (
        kept.assertion_id,
        kept.child_id,
        *_codes(kept.category, kept.kind, kept.status, source.org, kept.regimes, kept.labels, kept.quality),
        kept.asserted_at,
        kept.received_at,
        supersedes,
        fact.source_identity_id,
        fact.source_key,
        digest,
        _array(map(str, kept.links)) if kept.links else "{}",
        sealed,
    )


@lru_cache(maxsize=1_024)
def _codes(
    category: Category,
    kind: Kind,
    status: Status,
    org: str,
    regimes: frozenset[Regime],
    labels: frozenset[Label],
    quality: Quality,
) -> tuple[str, ...]:
    """The columns of a row that many share, from `category` to `quality`."""
    return (
        category.value,
        kind.value,
        PART[kind].value,
        status.value,
        org,
        _array(sorted(regimes)),
        _array(sorted(labels)),
        quality.value,
    )


def _array(members: Iterable[str]) -> str:
    """Codes or ids as PostgreSQL writes an array of them: none holds a comma, brace, quote or backslash."""
    return f"{{{','.join(members)}}}"


def _take(connection: Connection, rows: list[tuple[Any, ...]]) -> list[UUID]:
    """Insert these rows; the ids of those that were not there already."""
    if not rows:
        return []
    connection.exec_driver_sql(_STAGE)
    connection.exec_driver_sql("DELETE FROM pg_temp.new_assertion")
    copy_rows(connection, "pg_temp.new_assertion", _COLUMNS, rows)
    taken = connection.exec_driver_sql(_TAKE).rowcount
    ids = [row[0] for row in rows]
    return ids if taken == len(ids) else _among(connection, ids)


def _among(connection: Connection, ids: list[UUID]) -> list[UUID]:
    """Those of these assertions that are there."""
    found = connection.execute(
        text("SELECT assertion_id FROM assertion WHERE assertion_id = ANY(:ids)").bindparams(
            bindparam("ids", type_=Ids)
        ),
        {"ids": ids},
    )
    return list(found.scalars())
