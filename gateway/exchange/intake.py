"""Taking in what a source states: in batches, each one transaction, repeatable, with every document accounted for.

A document is cut, completed with what it names, tied to a child and mapped; what has not changed since the last time costs a
digest and nothing more. A batch that was committed stays, whatever ends the pull; the next one starts from the same mark.
"""

import gc
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from adapters.port import Failure, Operation, SourceDocument, Watermark
from gateway.exchange import asked, match, removal
from gateway.exchange.context import Hub
from gateway.exchange.feed import Feed, read_feed, short
from gateway.exchange.item import (
    Item,
    Pulled,
    Secrets,
    first_error,
    left_key,
    map_item,
    receive,
)
from gateway.exchange.keep import Change, Keeping, keep
from gateway.exchange.lookup import Found, Lookup, secrets_of
from gateway.exchange.match import Newcomer, Scope
from gateway.exchange.returns import Told, take_reports
from gateway.exchange.review import reconsider
from gateway.exchange.tally import Aside, Tally, unresolved
from gateway.store import identities
from gateway.store.epochs import NOBODY
from gateway.store.identities import Identity
from mappings.identity.keys import Features, features_of
from mappings.record.issue import Issue
from mappings.record.kind import Kind

BATCH = 2_000
"""Documents of one transaction: large enough for bulk writes, small enough that a batch stays under 20 MB."""

MOST_DEFERRED = 20_000
"""Documents that may wait for the one that says who their child is; more than that are refused."""


def take_in(
    hub: Hub,
    connection: str,
    pulled: Iterable[Pulled],
    *,
    asked_for: bool = False,
    may_shrink: bool = False,
) -> Tally:
    """Take in what a source gives; what became of it.

    `asked_for`: it came in answer to something of ours, so that a record without any candidate is for a person to look
    at. `may_shrink`: a person has agreed that as much may be removed as this pull would remove. Nothing is sent. Raises
    ConnectionMissing or MapMissing.
    """
    with hub.db.transaction() as conn:
        feed = read_feed(conn, connection)
    intake = Intake(hub, feed, asked_for=asked_for or feed.row.authority)
    with _few_collections():
        ended = False
        for one in pulled:
            match one:
                case SourceDocument():
                    intake.take(one)
                case Issue():
                    resource = short(one.path.split(":", 1)[0]) or connection
                    intake.tally.of(resource).read += 1
                    intake.tally.reject(resource, "", one)
                case Watermark():
                    intake.finish(one, may_shrink=may_shrink)
                    ended = True
                case _:
                    intake.stop(one)
                    ended = True
        if not ended:  # a package refused whole tells its faults and nothing else
            intake.stop(None)
    return intake.tally


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for garbage in cycles once a batch, in what is new since the last, and not again and again in everything.

    A batch makes a hundred thousand objects, hardly one in a cycle, beside a roster that stays: left alone, the collector
    takes a quarter of an import's time.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@dataclass(slots=True)
class Intake:
    """One intake under way. Give it documents, then `finish` or `stop`."""

    hub: Hub
    feed: Feed
    asked_for: bool
    tally: Tally = field(default_factory=Tally)
    _secrets: Secrets = field(init=False)
    _lookup: Lookup = field(init=False)
    _waiting: list[Item] = field(default_factory=list, init=False)
    _deferred: list[Item] = field(default_factory=list, init=False)
    _gone: dict[bytes, set[int]] = field(default_factory=dict, init=False)  # ids deleted, by key
    _seen: dict[bytes, int] = field(default_factory=dict, init=False)  # the last id shown, by key
    _unasked: set[bytes] = field(default_factory=set, init=False)
    _unsettled: set[UUID] = field(default_factory=set, init=False)
    _digest: Any = field(default_factory=hashlib.sha256, init=False)

    def __post_init__(self) -> None:
        self._secrets = secrets_of(self.hub)
        self._lookup = Lookup(self.hub, self.feed, self._secrets, self.tally)

    def take(self, document: SourceDocument) -> None:
        """One document; it is written with its batch."""
        self._digest.update(document.raw)
        if document.operation is not Operation.UPSERT:
            self._take_notice(document)
            return
        item = receive(document, self.feed, self._secrets)
        self.tally.of(item.resource).read += 1
        self.tally.cuts += item.kept.cuts
        join = self.feed.companion(item.resource)
        if join is not None:
            record = self._lookup.take_companion(item, join)
            if record is not None:
                self._seen[record] = _short(document.record_id)
        elif item.resource not in self.feed.maps:
            self.tally.put_aside(item.resource, Aside.NO_MAP)
        else:
            self._seen[item.record_key] = _short(document.record_id)
            self._waiting.append(item)
            if len(self._waiting) >= BATCH:
                self._flush()

    def _take_notice(self, document: SourceDocument) -> None:
        """A deletion or a key change: acted on at the end, after whatever else the pull says of the record."""
        resource = short(document.resource)
        join = self.feed.companion(resource)
        if join is None and resource not in self.feed.maps:
            return
        rekeyed = document.operation is Operation.REKEY
        if rekeyed and removal.rekey(self.hub, self.feed, self._secrets, resource, document.body):
            self.tally.read_all_next = True  # what is keyed by the child's own key is not told of again
        if rekeyed and document.body.get("oldKeyValues") == document.body.get("newKeyValues"):
            return
        key = left_key(document, self.feed, self._secrets)
        if key is None:
            self.tally.read_all_next = True
        else:
            self._gone.setdefault(key, set()).update(() if rekeyed else (_short(document.record_id),))

    def _left(self) -> set[bytes]:
        """The records that are gone: not those made again under the same key, nor keys another record has taken over."""
        seen = self._seen
        return {key for key, ids in self._gone.items() if key not in seen or seen[key] in ids}

    def finish(self, mark: Watermark, *, may_shrink: bool) -> None:
        """The source has told everything: the last batch, what waited, deletions, the mark to start from next time."""
        self._flush()
        deferred, self._deferred = self._deferred, []
        self._write(deferred, last=True)
        again = removal.keep_companions(self.hub, self.feed, self._secrets, self._lookup.loose(), self.tally)
        for start in range(0, len(again), BATCH):
            for item in again[start : start + BATCH]:
                self.tally.of(item.resource).read += 1
            self._write(again[start : start + BATCH], last=True)
        shrunk = removal.remove(
            self.hub,
            self.feed,
            self.tally,
            gone=self._left(),
            seen=self._seen if mark.full else None,
            may_shrink=may_shrink,
        )
        self._settle()
        self.tally.complete = not shrunk and not self.tally.read_all_next
        removal.close(self.hub, self.feed, self.tally, mark, self._digest.digest())

    def stop(self, failure: Failure | None) -> None:
        """The pull ended early: what came before it is kept, nothing is removed, the mark stays where it was."""
        self._flush()
        self._settle()
        self.tally.failure = failure
        removal.close(self.hub, self.feed, self.tally, None, self._digest.digest())

    def _flush(self) -> None:
        items, self._waiting = self._waiting, []
        self._write(items, last=False)
        del items
        gc.collect(0)

    def _write(self, items: Sequence[Item], *, last: bool) -> None:
        """One batch: what is unchanged is recognised, the rest is mapped and written in one transaction."""
        once = {item.record_key: item for item in items}
        for item in items:
            if once[item.record_key] is not item:  # the same record twice: the later one counts
                self.tally.accept(item.resource, unchanged=True)
        if not once:
            return
        with self.hub.db.transaction() as conn:
            found = self._lookup.look(conn, list(once.values()))
        mapped = []
        for item in found.items:
            if found.is_unchanged(item):
                self.tally.accept(item.resource, unchanged=True)
                self._lookup.attach(item)
            elif self._is_mapped(item):
                mapped.append(item)
        if mapped:
            with self.hub.db.transaction() as conn:
                identities.lock_placing(conn)
                kept = self._place_and_keep(conn, mapped, found, last=last)
            take_reports(
                self.hub, self.feed.row.org, [one for item in kept for one in _told(item)], self.tally
            )

    def _is_mapped(self, item: Item) -> bool:
        item.drafts = []
        issues = map_item(item, self.feed.maps[item.resource], self.feed)
        error = first_error(issues)
        if error is not None:
            self.tally.reject(item.resource, item.record_id, error)
            return False
        for issue in issues:
            self.tally.note(item.resource, issue)
        item.source = {}
        return True

    def _place_and_keep(
        self, conn: Connection, items: Sequence[Item], found: Found, *, last: bool
    ) -> list[Item]:
        work = Keeping(self.hub, conn, self.feed, self._secrets, found.held, self.tally, self.hub.clock())
        strangers = [
            item
            for item in items
            if item.source_key and item.source_key not in found.known and not self._nobodys(item)
        ]
        placed = self._place(work, found, strangers, last=last)
        changes: list[Change] = []
        for item in items:
            change = _change(item, found, placed)
            if change is None:
                continue
            changes.append(change)
            self.tally.accept(item.resource)
            self._lookup.attach(item)
        self._change_features(work, found, changes)
        keep(work, changes, found.present)
        return [change.item for change in changes]

    def _place(
        self, work: Keeping, found: Found, strangers: Sequence[Item], *, last: bool
    ) -> dict[bytes, match.Placed]:
        """Find out who the newcomers are. Records that do not yet say who their child is wait for one that does."""
        by_child: dict[bytes, list[Item]] = {}
        for item in strangers:
            by_child.setdefault(item.source_key, []).append(item)
        newcomers: dict[bytes, Newcomer] = {}
        claims = {item.claim: item.source_key for item in strangers if item.claim is not None}
        found_by = identities.by_reference(work.connection, self.feed.row.org, claims) if claims else {}
        claimed = {claims[ref]: child for ref, child in found_by.items()}
        for key, own in by_child.items():
            parts = _parts(own)
            if key in claimed or any(part.names for part in parts.values()):
                newcomers[key] = Newcomer(self.hub.ids(), self.hub.ids(), key, parts, claimed.get(key))
            else:
                self._defer(own, last=last)
        scope = asked.scope_of(work.connection, self.feed, asked_for=self.asked_for)
        placed, waiting = match.place_newcomers(self.hub, work.connection, list(newcomers.values()), scope)
        self._unsettled |= waiting
        by_key = {one.newcomer.source_key: one for one in placed}
        for key in newcomers.keys() - by_key.keys():
            self._unasked.add(key)
            for item in by_child[key]:
                self.tally.put_aside(item.resource, Aside.NOBODY_ASKED)
        self._create(work, found, placed, scope)
        return by_key

    def _nobodys(self, item: Item) -> bool:
        """Whether a record is about somebody this agency was not asked about."""
        if item.source_key in self._unasked:
            self.tally.put_aside(item.resource, Aside.NOBODY_ASKED)
            return True
        return False

    def _defer(self, items: Sequence[Item], *, last: bool) -> None:
        if not last and len(self._deferred) + len(items) <= MOST_DEFERRED:
            self._deferred.extend(items)
            return
        text = (
            "is about a child whose own record was not received. Send that first, or correct the reference."
        )
        for item in items:
            self.tally.reject(item.resource, item.record_id, unresolved("", text))
            self.tally.read_all_next = True

    def _create(self, work: Keeping, found: Found, placed: Sequence[match.Placed], scope: Scope) -> None:
        """Keys first, then rows (ARCHITECTURE §8)."""
        made = [one.newcomer.own for one in placed if one.sealed_for == one.newcomer.own]
        self.hub.keys.create(made)
        found.held.update(self.hub.keys.get_many(list({one.sealed_for for one in placed})))
        match.write_placed(self.hub, work.connection, placed, scope, found.held)
        for one in placed:
            self.tally.identities_in_review += one.child_id is None
            self.tally.children_new += one.child_id is not None and one.child_id == one.newcomer.own
            self.tally.identities_linked += one.child_id is not None and one.child_id != one.newcomer.own

    def _change_features(self, work: Keeping, found: Found, changes: Sequence[Change]) -> None:
        """What known identities now say of who the child is; one in review may be settled by it."""
        fresh: dict[UUID, dict[str, Features]] = {}
        rows: dict[UUID, Identity] = {}
        for change in changes:
            identity = found.known.get(change.item.source_key)
            if identity is None or change.identity_id is None:
                continue
            part = features_of(change.item.drafts)
            rows[change.identity_id] = identity
            fresh.setdefault(change.identity_id, {})[_part(change.item)] = part
        telling = [one for one, parts in fresh.items() if any(not part.is_empty for part in parts.values())]
        restated = []
        for one, before in match.open_all(self.hub, work.connection, telling).items():
            after = {name: part for name, part in {**before, **fresh[one]}.items() if not part.is_empty}
            if after != before:
                restated.append(match.Restated(rows[one], found.held[rows[one].sealed_for], before, after))
                if rows[one].child_id is None:
                    self._unsettled.add(one)
        match.restate(self.hub, work.connection, restated)

    def _settle(self) -> None:
        """Look again at reviews that something learnt in this intake may have answered."""
        unsettled, self._unsettled = self._unsettled, set()
        self.tally.settled += reconsider(self.hub, unsettled)


def _short(record_id: str) -> int:
    """A source's id in a few bytes, to compare within this process; hosts write one id with and without hyphens."""
    return hash(record_id.replace("-", "").lower())


def _told(item: Item) -> Iterator[Told]:
    """What a record reports of a referral."""
    for draft in item.drafts:
        if draft.kind is Kind.REFERRAL_EVENT:
            yield Told(item.resource, item.record_id, item.record_key, item.referral_ref or "", draft)


def _part(item: Item) -> str:
    return item.record_key[:8].hex()


def _parts(items: Collection[Item]) -> dict[str, Features]:
    parts = {_part(item): features_of(item.drafts) for item in items}
    return {name: part for name, part in parts.items() if not part.is_empty}


def _change(item: Item, found: Found, placed: Mapping[bytes, match.Placed]) -> Change | None:
    """Whose a record is; None for one that waits or that nobody asked about."""
    if item.child_ref is not None:
        child = found.children.get(item.child_ref)
        return None if child is None else Change(item, None, child, child)
    if not item.source_key:
        return Change(item, None, None, NOBODY)
    identity = found.known.get(item.source_key)
    if identity is not None:
        sealed_for = identity.sealed_for if identity.child_id is None else identity.child_id
        return Change(item, identity.source_identity_id, identity.child_id, sealed_for)
    one = placed.get(item.source_key)
    if one is None:
        return None
    new = one.child_id is not None and one.child_id == one.newcomer.own
    return Change(item, one.newcomer.identity_id, one.child_id, one.sealed_for, new_child=new)
