"""The end of an intake: what the source no longer has is taken back, unless it is too much; and the mark for the next one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from adapters.port import Watermark
from gateway.exchange import match
from gateway.exchange.context import Hub
from gateway.exchange.feed import Feed
from gateway.exchange.item import (
    CHILD_SUBJECTS,
    Companion,
    Item,
    Secrets,
    companion_key,
    identity_key,
    named,
    parse_kept,
)
from gateway.exchange.journal import keys_for
from gateway.exchange.keep import Keeping, companion_document, forget
from gateway.exchange.neverkeep import Kept
from gateway.exchange.tally import Shrink, Tally
from gateway.store import documents, identities
from gateway.store.documents import Present
from gateway.store.epochs import NOBODY
from mappings.engine.expression import Read
from mappings.record.assertion import Status

SHRINK_SHARE = 0.2
SHRINK_LEAST = 25
"""A pull that would remove more than a fifth of a resource, and at least 25 records, is for a person to allow."""

_CHUNK = 2_000


def remove(
    hub: Hub,
    feed: Feed,
    tally: Tally,
    *,
    gone: Collection[bytes],
    seen: Collection[bytes] | None,
    may_shrink: bool,
) -> bool:
    """Take back records the source deleted: those it says are `gone` and, after a full pull, those it did not show.

    True where a resource would have lost too much, so that nothing of it was removed and a person must decide.
    """
    if not gone and seen is None:
        return False
    with hub.db.transaction() as conn:
        held = documents.record_keys(conn, feed.row.connection)
    shown = None if seen is None else set(seen)
    leaving: dict[str, list[bytes]] = {}
    sizes: dict[str, int] = {}
    for key, resource in held.items():
        sizes[resource] = sizes.get(resource, 0) + 1
        if key in gone or (shown is not None and key not in shown):
            leaving.setdefault(resource, []).append(key)
    for resource, keys in sorted(leaving.items()):
        if not may_shrink and len(keys) >= SHRINK_LEAST and len(keys) > SHRINK_SHARE * sizes[resource]:
            tally.shrinks.append(Shrink(resource, len(keys), sizes[resource]))
            continue
        for start in range(0, len(keys), _CHUNK):
            tally.of(resource).removed += _forget(hub, feed, tally, keys[start : start + _CHUNK])
    return bool(tally.shrinks)


def _forget(hub: Hub, feed: Feed, tally: Tally, keys: Sequence[bytes]) -> int:
    with hub.db.transaction() as conn:
        rows = [row for found in documents.present(conn, feed.row.connection, keys).values() for row in found]
        held = keys_for(hub, list({row.sealed_for for row in rows}))
        work = Keeping(hub, conn, feed, Secrets(b"", b""), held, tally, hub.clock())
        _forget_features(hub, conn, rows)
        return forget(work, rows)


def _forget_features(hub: Hub, conn: Connection, rows: Sequence[Present]) -> None:
    """A deleted record no longer says who the child is."""
    parts: dict[UUID, set[str]] = {}
    for row in rows:
        parts.setdefault(row.source_identity_id, set()).add(row.record_key[:8].hex())
    known = identities.by_id(conn, list(parts))
    opened = match.open_all(hub, conn, list(known))
    held = hub.keys.get_many(list({identity.sealed_for for identity in known.values()}))
    restated = []
    for identity_id, before in opened.items():
        after = {name: part for name, part in before.items() if name not in parts[identity_id]}
        identity = known[identity_id]
        if after != before and identity.sealed_for in held:
            restated.append(match.Restated(identity, held[identity.sealed_for], before, after))
    match.restate(hub, conn, restated)


def rekey(hub: Hub, feed: Feed, secrets: Secrets, resource: str, body: Mapping[str, Any]) -> bool:
    """A source gave a child another key of its own: the same identity goes by the new one from now on.

    True where it did; a notice about another member of a key is none about the child.
    """
    compiled = feed.maps.get(resource)
    if compiled is None:
        return False
    found = False
    before, after = body.get("oldKeyValues", {}), body.get("newKeyValues", {})
    for name, _, read in compiled.document.subjects:
        if name not in CHILD_SUBJECTS or not isinstance(read, Read):
            continue
        path = read.path
        if path not in before or path not in after:
            continue
        old = identity_key(secrets, feed, name, str(before[path]))
        new = identity_key(secrets, feed, name, str(after[path]))
        if old == new:
            continue
        found = True
        with hub.db.transaction() as conn:
            if not identities.known(conn, feed.row.connection, [new]):
                identities.rekey(conn, feed.row.connection, old, new)
    return found


def keep_companions(
    hub: Hub, feed: Feed, secrets: Secrets, companions: Sequence[Companion], tally: Tally
) -> list[Item]:
    """Keep records nobody's record names yet, or that speak of no child, under the hub's own key.

    One that changed while the records naming it did not has changed what they say: those are returned, to be taken in again.
    """
    again: list[Item] = []
    for start in range(0, len(companions), _CHUNK):
        chunk = companions[start : start + _CHUNK]
        with hub.db.transaction() as conn:
            present = documents.present(conn, feed.row.connection, [one.record_key for one in chunk])
            held = keys_for(hub, list({row.sealed_for for rows in present.values() for row in rows}))
            work = Keeping(hub, conn, feed, secrets, held, tally, hub.clock())
            rows, ended = [], []
            for one in chunk:
                stale = [
                    row
                    for row in present.get(one.record_key, ())
                    if row.sealed_for in held and held[row.sealed_for].digest(one.kept.raw) != row.digest
                ]
                own = [row for row in stale if row.sealed_for == NOBODY]
                ended += [row.document_id for row in own]
                if own or one.record_key not in present:
                    rows.append(companion_document(work, held[NOBODY], one, NOBODY))
                again += _naming(work, one, [row for row in stale if row.sealed_for != NOBODY])
            documents.end_documents(conn, ended, Status.SUPERSEDED)
            documents.add_documents(conn, rows)
    return again


def _naming(work: Keeping, one: Companion, stale: Iterable[Present]) -> list[Item]:
    """The stored records of these children that name a companion."""
    children = {row.sealed_for for row in stale}
    if not children:
        return []
    ids = documents.of_resource(work.connection, work.feed.row.connection, one.join.into, children)
    key = companion_key(one.kept.body, one.join)
    items = stored_items(work, ids)
    return [item for item in items if named(item.kept.body, one.join) == key]


def stored_items(work: Keeping, ids: Collection[UUID]) -> list[Item]:
    """Received records as they lie there, opened to be mapped again."""
    stored = documents.read_bodies(work.connection, ids)
    held = keys_for(work.hub, list({row.sealed_for for row in stored.values()}))
    items = []
    for row in stored.values():
        key = held.get(row.sealed_for)
        if key is None:
            continue
        raw = key.open(row.body, row=row.document_id, kind="document")
        kept = Kept(raw, parse_kept(raw), row.cuts)
        items.append(Item(row.resource, "", row.record_key, row.source_version, raw, kept))
    return items


def stored_companions(feed: Feed, items: Iterable[Item]) -> dict[bytes, Companion]:
    """Those of these stored records that others are completed with, by their key."""
    found = {}
    for item in items:
        join = feed.companion(item.resource)
        if join is not None:
            found[item.record_key] = Companion(join, item.record_key, item.version, item.original, item.kept)
    return found


def close(hub: Hub, feed: Feed, tally: Tally, mark: Watermark | None, digest: bytes) -> None:
    """Write what became of the intake and, where it ended well, where the next one starts.

    After a full pull the mark is kept even if records name others that are not there: reading everything again would not
    bring them. After a partial one it would, so the next pull is told to read everything.
    """
    at = hub.clock()
    with hub.db.transaction() as conn:
        documents.add_batch(conn, hub.ids(), feed.row.connection, digest, tally.counts(), at)
        if mark is None or tally.shrinks:
            return
        unresolved = tally.read_all_next and not mark.full
        position = "" if mark.since is None or unresolved else str(mark.since)
        documents.set_mark(conn, feed.row.connection, position, at)
