"""The documents of the sandbox Ed-Fi API, with the change versions that change queries are answered from.

Every write takes the next change version. A row keeps its place (`number`) for life, so that a cursor over numbers
survives deletes, which an offset does not.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.sandbox.edfi import keys
from adapters.sandbox.edfi.keys import Document, Key

LOADED = datetime(2026, 8, 24, 6, tzinfo=UTC)
SERVER_MEMBERS = ("id", "_etag", "_lastModifiedDate", "_changeVersion")


@dataclass(slots=True)
class Row:
    """One item: its place, its id (32 hexadecimal digits), its document and when it last changed."""

    number: int
    id: str
    key: Key
    document: Document
    version: int
    changed: datetime

    @property
    def etag(self) -> str:
        """Changes with every change, and tells nothing else."""
        return str(int.from_bytes(hashlib.sha256(f"{self.id}/{self.version}".encode()).digest()[:7], "big"))


@dataclass(frozen=True, slots=True)
class Deleted:
    """What `/deletes` tells of an item that is gone."""

    id: str
    version: int
    key: Key
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """What `/keyChanges` tells of an item whose natural key changed."""

    id: str
    version: int
    old: Mapping[str, Any]
    new: Mapping[str, Any]


@dataclass(slots=True)
class Shelf:
    """The items of one resource, in order of creation, and what became of those that are gone."""

    rows: dict[str, Row] = field(default_factory=dict)
    by_key: dict[Key, str] = field(default_factory=dict)
    deleted: list[Deleted] = field(default_factory=list)
    rekeyed: list[Rekeyed] = field(default_factory=list)

    def tombstones(self, low: int, high: int) -> list[Document]:
        """What `/deletes` tells of a window; an item that was created again under the same key is not told of."""
        return [
            {"id": gone.id, "changeVersion": gone.version, "keyValues": dict(gone.values)}
            for gone in self.deleted
            if low <= gone.version <= high and gone.key not in self.by_key
        ]

    def key_changes(self, low: int, high: int) -> list[Document]:
        """What `/keyChanges` tells of a window: per item its first old and its last new key."""
        found: dict[str, Document] = {}
        for change in self.rekeyed:
            if low <= change.version <= high:
                first = found.get(change.id, {"oldKeyValues": dict(change.old)})
                found[change.id] = {
                    "id": change.id,
                    "changeVersion": change.version,
                    "oldKeyValues": first["oldKeyValues"],
                    "newKeyValues": dict(change.new),
                }
        return list(found.values())


class Store:
    """All resources. Not safe for threads by itself: the sandbox holds one lock around each request."""

    def __init__(
        self, documents: Mapping[str, Iterable[Document]], now: Callable[[], datetime] | None = None
    ) -> None:
        self.shelves: dict[str, Shelf] = {resource: Shelf() for resource in documents}
        self.newest = 0
        self._created = 0
        self._now = now or (lambda: datetime.now(UTC))
        for resource, items in documents.items():
            for document in items:
                self._insert(resource, bare(document), LOADED + timedelta(seconds=self.newest))
        self.served = {keys.singular(resource): resource for resource in self.shelves}

    def find(self, resource: str, document: Document) -> Row | None:
        """The item with the same natural key."""
        shelf = self.shelves[resource]
        found = shelf.by_key.get(keys.of(resource, document))
        return shelf.rows[found] if found else None

    def upsert(self, resource: str, document: Document) -> tuple[Row, bool]:
        """Create or replace by natural key; True when created. A document that changes nothing changes no version."""
        document = bare(document)
        row = self.find(resource, document)
        if row is None:
            return self._insert(resource, document, self._now()), True
        if row.document != document:
            row.document = document
            self._stamp(row)
        return row, False

    def replace(self, resource: str, row: Row, document: Document) -> None:
        """Replace an item by id; a new natural key goes to `/keyChanges`."""
        document, shelf = bare(document), self.shelves[resource]
        key = keys.of(resource, document)
        if row.document == document:
            return
        old = keys.values(resource, row.document)
        row.document = document
        self._stamp(row)
        if key != row.key:
            shelf.by_key[key] = shelf.by_key.pop(row.key)
            row.key = key
            shelf.rekeyed.append(Rekeyed(row.id, row.version, old, keys.values(resource, document)))

    def delete(self, resource: str, row: Row) -> None:
        """Remove an item and remember that it was there."""
        shelf = self.shelves[resource]
        del shelf.rows[row.id]
        shelf.by_key.pop(row.key, None)
        self.newest += 1
        values = keys.values(resource, row.document)
        shelf.deleted.append(Deleted(row.id, self.newest, row.key, values))

    def touch(self, row: Row) -> None:
        """A new change version for an item whose content stays, as after a nightly re-send by a SIS."""
        self._stamp(row)

    def resolve(self, reference: str, value: Mapping[str, Any]) -> tuple[bool, Row | None, str]:
        """Whether a reference can be checked here, what it leads to, and the resource that was found or expected."""
        candidates = keys.targets(reference, value, self.served)
        for resource, key in candidates:
            found = self.shelves[resource].by_key.get(key)
            if found:
                return True, self.shelves[resource].rows[found], resource
        return bool(candidates), None, candidates[0][0] if candidates else ""

    def dependents(self, resource: str, row: Row) -> str | None:
        """A resource with an item that refers to this one, if any."""
        for other, shelf in self.shelves.items():
            for item in shelf.rows.values():
                for name, value in item.document.items():
                    leads = name.endswith("Reference") and isinstance(value, dict)
                    if leads and (resource, row.key) in keys.targets(name, value, self.served):
                        return other
        return None

    def copy(self) -> "Store":
        """A snapshot: what the store holds now, for ever."""
        return deepcopy(self, {id(self._now): self._now})

    def _insert(self, resource: str, document: Document, at: datetime) -> Row:
        self.newest += 1
        self._created += 1
        key = keys.of(resource, document)
        seed = f"{resource}/{key}/{self._created}"
        row = Row(
            self._created, hashlib.sha256(seed.encode()).hexdigest()[:32], key, document, self.newest, at
        )
        shelf = self.shelves[resource]
        shelf.rows[row.id] = row
        shelf.by_key[key] = row.id
        return row

    def _stamp(self, row: Row) -> None:
        self.newest += 1
        row.version = self.newest
        row.changed = self._now()


def bare(document: Mapping[str, Any]) -> Document:
    """A document without what the server adds."""
    return {
        name: {inner: value[inner] for inner in value if inner != "link"}
        if isinstance(value, dict)
        else value
        for name, value in document.items()
        if name not in SERVER_MEMBERS
    }
