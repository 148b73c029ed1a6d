"""Bringing in by hand what a connection has to say: a file somebody was given, or a pull of its system; for real, or rehearsed.

A rehearsal reads and maps everything and keeps nothing, so it can say what would be refused, not whose record is whose.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.port import Operation, SourceDocument, Watermark
from gateway.exchange.ahead import read_ahead
from gateway.exchange.community_file import AdapterKind
from gateway.exchange.connect import Misconfigured, pull, sheet_documents
from gateway.exchange.context import Hub
from gateway.exchange.feed import Feed, Row, read_feed, read_row, short
from gateway.exchange.intake import BATCH, take_in
from gateway.exchange.item import Item, Pulled, Secrets, first_error, map_item, receive
from gateway.exchange.lookup import Lookup, secrets_of
from gateway.exchange.poll import poll
from gateway.exchange.tally import Aside, Tally
from gateway.store import documents
from gateway.store.turns import turn
from mappings.record.issue import Issue

Watch = Callable[[int], None]
"""Told how many documents have been read so far."""

_SHEETS = {AdapterKind.PLAN_SHEET: "plan", AdapterKind.WORKLIST_FOLDER: "worklist"}
PULLED = frozenset({AdapterKind.EDFI, AdapterKind.FHIR})
"""Adapters whose system is asked; no file of theirs is taken."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Another process is reading this connection at this moment."""


def bring(hub: Hub, connection: str, path: Path | None, *, may_shrink: bool, watch: Watch) -> Tally | Busy:
    """Take in a file, or pull where `path` is None. A person has agreed to `may_shrink`.

    Raises ConnectionMissing, MapMissing, Misconfigured or SecretMissing, each text with the next step.
    """
    with hub.db.transaction() as conn:
        row = read_row(conn, connection)
    if path is None:
        tally = poll(hub, connection, may_shrink=may_shrink)
        return Busy() if _untouched(tally) else tally
    with turn(hub.db, f"poll {connection}") as mine:
        if not mine:
            return Busy()
        asked_for = row.adapter is AdapterKind.WORKLIST_FOLDER  # it answers what we sent
        with closing(read_ahead(_file(hub, row, path))) as told:
            return take_in(hub, connection, _watched(told, watch), asked_for=asked_for, may_shrink=may_shrink)


def _untouched(tally: Tally) -> bool:
    """What `poll` answers where another process has the turn."""
    return not (tally.complete or tally.resources or tally.failure)


def _file(hub: Hub, row: Row, path: Path) -> Iterator[Pulled]:
    """The file as documents of this connection."""
    if row.adapter is AdapterKind.ONEROSTER_CSV:
        return pull(hub, replace(row, config={**row.config, "file": str(path)}), None)
    if row.adapter in _SHEETS:
        return sheet_documents(path.stem, path, kind=_SHEETS[row.adapter])
    raise Misconfigured(
        f"connection {row.connection} ({row.adapter}) takes no file; planhub import --connection {row.connection} "
        "pulls from its system"
    )


def _watched(told: Iterator[Pulled], watch: Watch) -> Iterator[Pulled]:
    number = 0
    for one in told:
        number += isinstance(one, SourceDocument)
        watch(number)
        yield one


def rehearse(hub: Hub, connection: str, path: Path | None, *, watch: Watch) -> Tally:
    """What an import would accept, refuse and set aside. Nothing is kept, and nobody is matched.

    Raises as `bring` does.
    """
    with hub.db.transaction() as conn:
        feed = read_feed(conn, connection)
        since = documents.read_mark(conn, connection)
    row = feed.row
    told = pull(hub, row, since) if path is None else _file(hub, row, path)
    rehearsal = _Rehearsal(hub, feed, secrets_of(hub))
    for one in _watched(told, watch):
        rehearsal.take(one)
    rehearsal.flush()
    return rehearsal.tally


@dataclass(slots=True)
class _Rehearsal:
    """A reading under way, in batches like the real one."""

    hub: Hub
    feed: Feed
    secrets: Secrets
    tally: Tally = field(default_factory=Tally)
    _waiting: list[Item] = field(default_factory=list, init=False)
    _lookup: Lookup = field(init=False)

    def __post_init__(self) -> None:
        self._lookup = Lookup(self.hub, self.feed, self.secrets, self.tally)

    def take(self, one: Pulled) -> None:
        match one:
            case SourceDocument(operation=Operation.UPSERT):
                self._document(one)
            case SourceDocument():
                pass  # a deletion or key change is no document to be accepted
            case Issue():
                resource = short(one.path.split(":", 1)[0]) or self.feed.row.connection
                self.tally.of(resource).read += 1
                self.tally.reject(resource, "", one)
            case Watermark():
                self.tally.complete = True
            case _:
                self.tally.failure = one

    def _document(self, document: SourceDocument) -> None:
        item = receive(document, self.feed, self.secrets)
        self.tally.of(item.resource).read += 1
        self.tally.cuts += item.kept.cuts
        join = self.feed.companion(item.resource)
        if join is not None:
            self._lookup.take_companion(item, join)
        elif item.resource not in self.feed.maps:
            self.tally.put_aside(item.resource, Aside.NO_MAP)
        else:
            self._waiting.append(item)
            if len(self._waiting) >= BATCH:
                self.flush()

    def flush(self) -> None:
        items: Sequence[Item] = self._waiting
        self._waiting = []
        if not items:
            return
        with self.hub.db.transaction() as conn:
            found = self._lookup.look(conn, items)
        for item in found.items:
            unchanged = found.is_unchanged(item)
            issues = () if unchanged else map_item(item, self.feed.maps[item.resource], self.feed)
            error = first_error(issues)
            if error is None:
                self.tally.accept(item.resource, unchanged=unchanged)
            else:
                self.tally.reject(item.resource, item.record_id, error)
