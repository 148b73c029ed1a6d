"""Entries on their way into the ledger: committed to with a fresh salt, sealed with the child's key, opened again to be shown.

An entry about no single child, or about one nobody knows, is sealed with the hub's own key (`NOBODY`).
"""

import os
from collections.abc import Sequence
from uuid import UUID

from consent.commitment import SALT_BYTES, commit_entry, record_in
from consent.entry import Entry, read_entry
from gateway.exchange.context import Hub
from gateway.store.childkey import ChildKey
from gateway.store.epochs import NOBODY
from gateway.store.ledger import PendingEntry

_KIND = "ledger"
_TAG_BYTES = 16


def child_tag(key: ChildKey) -> str:
    """The child's random 128-bit tag in the log, 32 hex digits: derived from its key, so it goes when the key goes."""
    return key.digest(b"ledger tag")[:_TAG_BYTES].hex()


def keys_for(hub: Hub, children: Sequence[UUID]) -> dict[UUID, ChildKey]:
    """The keys of those of these children who have one, and always the hub's own under `NOBODY`."""
    keys = hub.keys.get_many((*children, NOBODY))
    if NOBODY not in keys:
        hub.keys.create((NOBODY,))
        keys |= hub.keys.get_many((NOBODY,))
    return keys


def seal_entry(key: ChildKey, entry: Entry, *, entry_id: UUID, subject: UUID | None = None) -> PendingEntry:
    """The entry as a pending row. `key` is the child's, or the hub's where no child is meant."""
    committed = commit_entry(entry, os.urandom(SALT_BYTES))
    return PendingEntry(
        entry_id=entry_id,
        leaf=committed.header,
        kind=entry.kind.value,
        child_id=None if key.child_id == NOBODY else key.child_id,
        recipient=entry.recipient,
        subject=subject,
        body=key.seal(committed.body, row=entry_id, kind=_KIND),
        at=entry.at,
    )


def open_entry(key: ChildKey, entry_id: UUID, leaf: bytes, body: bytes) -> Entry | None:
    """The entry in a sealed body, or None where it is not what the leaf committed to; raises SealBroken for another's."""
    record = record_in(leaf, open_body(key, entry_id, body))
    return None if record is None else read_entry(record)


def open_body(key: ChildKey, entry_id: UUID, body: bytes) -> bytes:
    """Salt and record of a sealed body; raises SealBroken for another's."""
    return key.open(body, row=entry_id, kind=_KIND)
