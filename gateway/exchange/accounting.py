"""Who saw what of a child, for a guardian who asks: the child's entries in the log, opened and told in plain sentences.

One log serves every accounting duty (34 CFR 99.32, 45 CFR 164.528, 42 CFR 2.24); this is a projection of it, topics and never
values. The asking is itself a read on the basis family and an entry, made before anything is opened. What the reader may not
read of the record is not told of it either: neither the topic nor that there was an entry.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from consent.accounting import Account, owed
from consent.entry import ChangeEntry, DisclosureEntry, Entry, EntryKind
from consent.vocabulary import Basis, Purpose
from gateway.exchange import inquiry, naming
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused, Released, ReleaseRequest, Rendered
from gateway.exchange.journal import open_entry
from gateway.exchange.release import release
from gateway.exchange.sequence import sequence_all
from gateway.exchange.telling import Context, sentence
from gateway.store import ledger
from gateway.store.configuration import read_place
from gateway.store.engine import Role
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.view import RecordView

DESCRIPTION = "who saw what"
_TRIES = 3

UNTOLD = frozenset({EntryKind.RESTRAINT_SET, EntryKind.RESTRAINT_ENDED})
"""An order or hold is no disclosure, and may be there to protect the child from whoever reads."""

_RELEASED = frozenset({EntryKind.DISCLOSURE, EntryKind.BREAK_GLASS})


class Unreadable(RuntimeError):  # noqa: N818 - it says what happened
    """An entry of the child does not open as what its leaf committed to: `planhub ledger verify` says more."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as its reader is told it. `topics` are those the reader may know of, `left` is false where nothing left."""

    number: int
    entry: Entry
    topics: tuple[Category, ...]
    sentence: str
    left: bool

    def _required(self, account: Account) -> bool:
        found = owed(account, self.entry, left=self.left)
        return found is not None and found.required

    def row(self) -> dict[str, Any]:
        """The entry in columns (34 CFR 99.32(a)(3)-(5), 45 CFR 164.528(b)(2)); codes, no values."""
        entry = self.entry
        told = {"entry": self.number, "at": entry.at.isoformat(), "kind": entry.kind.value}
        if isinstance(entry, ChangeEntry):
            return {
                **_EMPTY,
                **told,
                "party": entry.recipient or "",
                "requested_by": entry.actor,
                "told": self.sentence,
            }
        emergency = entry.emergency
        return {
            **told,
            "party": entry.recipient,
            "party_address": entry.recipient_address or "",
            "requested_by": entry.requester,
            "purpose": entry.purpose,
            "basis": entry.basis.value,
            "permissions": " ".join(map(str, entry.directive_ids)),
            "permission_ends": entry.valid_until.isoformat() if entry.valid_until else "",
            "topics": " ".join(self.topics),
            "description": entry.description,
            "left": self.left,
            "further_parties": " ".join(entry.onward_parties),
            "threat": emergency.threat_statement if emergency else "",
            "threatened_person": emergency.affected_person if emergency else "",
            "ferpa_99_32_required": self._required(Account.FERPA),
            "hipaa_164_528_required": self._required(Account.HIPAA),
            "told": self.sentence,
        }


COLUMNS = (
    "entry", "at", "kind", "party", "party_address", "requested_by", "purpose", "basis", "permissions", "permission_ends",
    "topics", "description", "left", "further_parties", "threat", "threatened_person", "ferpa_99_32_required",
    "hipaa_164_528_required", "told",
)  # fmt: skip
_EMPTY: Mapping[str, Any] = dict.fromkeys(COLUMNS, "") | {
    "left": False,
    "ferpa_99_32_required": False,
    "hipaa_164_528_required": False,
}


@dataclass(frozen=True, slots=True)
class Accounting:
    """The lines in the order of the log, this reading's own the last of them; `entry` is its number."""

    entry: int
    lines: tuple[Line, ...]


def who_saw_what(
    hub: Hub, child: UUID, *, guardian_link: UUID, requester: str, description: str = DESCRIPTION
) -> Accounting | Refused:
    """Tell a guardian everything the log holds about the child. `requester` is who asks for them, or they themselves.
    `description` says in the log what the reading is for.

    Refused, and entered as such, where the link carries no topic now. Raises Unreadable where an entry was tampered with.
    """
    sequence_all(hub)  # what a process that died left without a number
    for _ in range(_TRIES):
        released = release(hub, family_request(child, guardian_link, requester, description))
        if isinstance(released, Refused):
            return released
        entries = _open(hub, child, released)
        if any(number == released.sealed.entry for number, _ in entries):
            return Accounting(released.sealed.entry, _lines(hub, child, released, entries))
    raise RuntimeError("consent for this child kept changing while the log was read; ask again")


def family_request(child: UUID, guardian_link: UUID, requester: str, description: str) -> ReleaseRequest:
    """A guardian's look at what is about the record and not in it: no fact is read by it."""
    return ReleaseRequest(
        recipient=f"guardian:{guardian_link}",
        requester=requester,
        purpose=Purpose.FAMILY_REQUEST.value,
        parts=frozenset({Part.PLAN}),
        categories=frozenset(Category),
        children=(child,),
        render=_head,
        description=description,
        basis=Basis.FAMILY,
        about=frozenset(),
        guardian_link_id=guardian_link,
    )


def _head(view: RecordView) -> Rendered:
    """What the release itself gives out: whose log is about to be read. No fact of the view is used."""
    head = json.dumps({"child": view.child_ref, "asked": DESCRIPTION}, sort_keys=True).encode()
    return Rendered(head, "application/json", frozenset())


def _open(hub: Hub, child: UUID, released: Released) -> list[tuple[int, Entry]]:
    """The child's entries as the live decision shows them; none at all where it has ended in the meantime."""
    key = hub.keys.get(child)
    with hub.db.transaction(role=Role.FAMILY) as conn:
        rows = ledger.read_bodies(conn, released.release_id, child)
    opened = []
    for number, entry_id, leaf, body in rows:
        entry = open_entry(key, entry_id, bytes(leaf), bytes(body))
        if entry is None:
            raise Unreadable(f"entry {number} is not what its leaf committed to")
        opened.append((number, entry))
    return opened


def _lines(hub: Hub, child: UUID, released: Released, entries: list[tuple[int, Entry]]) -> tuple[Line, ...]:
    readable = released.decision.categories
    with hub.db.transaction() as conn:
        said = {one.directive_id: one for one in inquiry.said(conn, child)}
        guardians = {one.guardian_link_id: one for one in inquiry.guardians(conn, child)}
        context = Context(naming.agencies(conn), said, guardians, read_place(conn).zone)
    undone = {
        e.attempt_id for _, e in entries if e.kind is EntryKind.NOT_SENT and isinstance(e, DisclosureEntry)
    }
    told = (_line(number, entry, readable, undone, context) for number, entry in entries)
    return tuple(line for line in told if line is not None)


def _line(
    number: int,
    entry: Entry,
    readable: Collection[Category],
    undone: Collection[UUID | None],
    context: Context,
) -> Line | None:
    """The entry as this reader is told it; None for one that is not told."""
    if (
        entry.kind in UNTOLD or entry.kind is EntryKind.NOT_SENT
    ):  # the latter is told with the attempt it undoes
        return None
    if isinstance(entry, ChangeEntry):
        signed = context.said.get(entry.subject)
        topics = topics_told(signed.categories, readable) if signed is not None else ()
        if topics is None:
            return None
        return Line(number, entry, topics, sentence(entry, topics, context, left=False), left=False)
    topics = topics_told(entry.categories, readable)
    if topics is None:
        return None
    left = entry.kind in _RELEASED and (entry.attempt_id is None or entry.attempt_id not in undone)
    return Line(number, entry, topics, sentence(entry, topics, context, left=left), left)


def topics_told(topics: Collection[Category], readable: Collection[Category]) -> tuple[Category, ...] | None:
    """The topics a reader may know of; None where the entry is about others only, whoever the child is aside."""
    matters = set(topics) - {Category.IDENTITY}
    if matters and not matters & set(readable):
        return None
    return tuple(topic for topic in Category if topic in topics and topic in readable)
