"""Entries to fill a log with, for the tests of the ledger."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from consent.entry import ChangeEntry, EntryKind
from gateway.exchange.context import Hub
from gateway.exchange.journal import child_tag, seal_entry
from gateway.store import ledger
from tests.gateway.family import now


def an_entry(hub: Hub, child: UUID, number: int = 0) -> ledger.PendingEntry:
    key = hub.keys.get(child)
    entry = ChangeEntry(
        kind=EntryKind.CHILD_FACTS_CHANGED,
        at=now(),
        child_tag=child_tag(key),
        actor=f"test {number}",
        subject=uuid4(),
        subject_sha256="0" * 64,
        epoch=number,
    )
    return seal_entry(key, entry, entry_id=uuid4())


def append(hub: Hub, child: UUID, count: int) -> list[UUID]:
    """Pending entries, committed and not yet numbered; their ids."""
    entries = [an_entry(hub, child, number) for number in range(count)]
    with hub.db.transaction() as connection:
        ledger.append_pending(connection, entries)
    return [entry.entry_id for entry in entries]


def rows(hub: Hub, statement: str) -> list[Any]:
    with hub.db.transaction() as connection:
        return list(connection.execute(text(statement)))
