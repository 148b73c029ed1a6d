"""Break-glass: an agency states that somebody is in danger, and for a day reads the few topics it named (consent.md §1.7).

Stating it opens nothing by itself: each reading is a decision, and an entry that says what was stated. The family and the
privacy officer are told of the statement, and a person has to review it, whether or not anything was read.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import text

from consent.emergency import LONGEST, MOST_TOPICS, Finding
from consent.request import StatedEmergency
from consent.vocabulary import Basis, Purpose
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused, Released, ReleaseRequest, Rendered
from gateway.exchange.organizations import organizations
from gateway.exchange.release import release
from gateway.store import emergencies
from gateway.store.emergencies import EmergencyRow
from gateway.store.messages import Audience, Message, MessageKind, add_messages
from mappings import native
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.view import RecordView

LONGEST_DELAY = timedelta(hours=72)
"""The family is told at the latest this long after, where telling it at once would endanger somebody."""

_STATED = ("threat_statement", "affected_person", "personnel", "affiliation")
_KIND = "emergency"
_NOTE = "emergency-review"


class NotOpened(StrEnum):
    """Why a statement was not taken."""

    NO_SUCH_CHILD = "no-such-child"
    UNSTATED = "unstated"  # threat, affected person, personnel or affiliation is missing
    TOPICS = "topics"  # none, or more than the danger can be about
    DELAY = "delay"  # telling the family later needs a reason, and ends


@dataclass(frozen=True, slots=True)
class NewEmergency:
    """What an agency states. `medical`: to treat somebody, by medical personnel. `delay` and `delay_reason`: telling the family
    later, None for at once.
    """

    emergency_id: UUID
    child_id: UUID
    recipient: str
    requester: str
    topics: frozenset[Category]
    medical: bool
    threat_statement: str
    affected_person: str
    personnel: str
    affiliation: str
    delay: timedelta | None = None
    delay_reason: str | None = None


def purpose_of(medical: bool) -> Purpose:
    """Treating somebody in an emergency, or any other danger: neither is implied by another purpose."""
    return Purpose.EMERGENCY_TREATMENT if medical else Purpose.BREAK_GLASS


def state(hub: Hub, new: NewEmergency) -> EmergencyRow | NotOpened:
    """Take a statement in, have the family and the privacy officer told, and open its review. Nothing is read."""
    fault = _fault(new)
    if fault is not None:
        return fault
    key = hub.keys.get_many((new.child_id,)).get(new.child_id)
    if key is None:
        return NotOpened.NO_SUCH_CHILD
    said = {
        "threat_statement": new.threat_statement,
        "affected_person": new.affected_person,
        "personnel": new.personnel,
        "affiliation": new.affiliation,
        "delay_reason": new.delay_reason,
    }
    with hub.db.transaction() as conn:
        known = emergencies.find_emergency(conn, new.emergency_id, new.recipient)
        if known is not None:
            return known
        at: datetime = conn.execute(text("SELECT statement_timestamp()")).scalar_one()
        row = EmergencyRow(
            emergency_id=new.emergency_id,
            child_id=new.child_id,
            recipient=new.recipient,
            requester=new.requester,
            purpose=purpose_of(new.medical).value,
            topics=new.topics - {Category.IDENTITY},
            stated_at=at,
            expires_at=at + LONGEST,
            body=key.seal(json.dumps(said).encode(), row=new.emergency_id, kind=_KIND),
        )
        emergencies.add_emergency(conn, row)
        add_messages(conn, [_message(hub, row, who, new.delay) for who in Audience])
    return row


def _fault(new: NewEmergency) -> NotOpened | None:
    said = (new.threat_statement, new.affected_person, new.personnel, new.affiliation)
    if not all(one.strip() for one in said):
        return NotOpened.UNSTATED
    if not 1 <= len(new.topics - {Category.IDENTITY}) <= MOST_TOPICS:
        return NotOpened.TOPICS
    if new.delay is None:
        return None if not new.delay_reason else NotOpened.DELAY
    reasoned = bool((new.delay_reason or "").strip()) and timedelta(0) < new.delay <= LONGEST_DELAY
    return None if reasoned else NotOpened.DELAY


def _message(hub: Hub, row: EmergencyRow, who: Audience, delay: timedelta | None) -> Message:
    later = delay if delay is not None and who is Audience.FAMILY else timedelta(0)
    return Message(
        hub.ids(), row.child_id, who, MessageKind.EMERGENCY, row.emergency_id, row.stated_at + later
    )


def read(hub: Hub, recipient: str, requester: str, emergency_id: UUID) -> Released | Refused | None:
    """The plan as far as the stated emergency opens it now; None where this agency stated no such one."""
    with hub.db.transaction() as conn:
        row = emergencies.find_emergency(conn, emergency_id, recipient)
    if row is None:
        return None
    names = organizations(hub)

    def render(view: RecordView) -> Rendered:
        return Rendered(native.encode(native.document(view, names)), native.MEDIA_TYPE, view.categories)

    return release(
        hub,
        ReleaseRequest(
            recipient=recipient,
            requester=requester,
            purpose=row.purpose,
            parts=frozenset({Part.PLAN}),
            categories=row.topics | {Category.IDENTITY},
            children=(row.child_id,),
            render=render,
            description="the plan, read in an emergency",
            basis=Basis.EXCEPTION,
            emergency=_stated(hub, row),
        ),
    )


def _stated(hub: Hub, row: EmergencyRow) -> StatedEmergency:
    said = dict.fromkeys(_STATED, "") | statement_of(hub, row)
    return StatedEmergency(
        emergency_id=row.emergency_id,
        threat_statement=said["threat_statement"],
        affected_person=said["affected_person"],
        personnel=said["personnel"],
        affiliation=said["affiliation"],
        topics=row.topics,
        stated_at=row.stated_at,
    )


def statement_of(hub: Hub, row: EmergencyRow) -> dict[str, str]:
    """What was stated, for the log and for whoever reviews it; nothing once the child's record is erased."""
    key = hub.keys.get_many((row.child_id,)).get(row.child_id)
    if key is None:
        return {}
    said = json.loads(key.open(row.body, row=row.emergency_id, kind=_KIND))
    return {name: value or "" for name, value in said.items()}


def review(hub: Hub, emergency_id: UUID, finding: Finding, *, by: str, note: str) -> bool:
    """Close the review of a statement for good; False where it is closed, or there is none."""
    with hub.db.transaction() as conn:
        row = emergencies.find_emergency(conn, emergency_id)
        if row is None:
            return False
        key = hub.keys.get_many((row.child_id,)).get(row.child_id)
        sealed = None if key is None else key.seal(note.encode(), row=emergency_id, kind=_NOTE)
        return emergencies.close_review(conn, emergency_id, finding, by, hub.clock(), sealed)
