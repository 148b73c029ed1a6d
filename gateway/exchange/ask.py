"""Asking a family: an agency over the API, a referral that meets no permission, or staff says what it would like to see.

An ask is a request in the sense of 34 CFR 99.32(a)(1) and is entered as one; it opens nothing. It never reaches beyond the
agency's agreement, and of one asker there is at most one open for a recipient and purpose. Answers come with a guardian's
sentence (`gateway.exchange.permission`), or as a bare no. To the asker a no is silence.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, select

from consent.agreement import uncovered
from consent.ask import (
    ANSWERED_WITHIN,
    BETWEEN_REMINDERS,
    MOST_REMINDERS,
    Ask,
    AskFault,
    AskState,
    MadeBy,
    fault_of,
)
from consent.decision import Decision, DecisionRequest, decide
from consent.entry import DisclosureEntry, EntryKind
from consent.request import Snapshot
from consent.vocabulary import PARTS, Effect, Purpose
from gateway.exchange.context import Hub
from gateway.exchange.inquiry import Said, guardians, said
from gateway.exchange.journal import child_tag, keys_for, seal_entry
from gateway.exchange.sequence import sequence
from gateway.store import asks, tables
from gateway.store.childkey import ChildKey
from gateway.store.identities import ChildState
from gateway.store.ledger import append_pending
from gateway.store.messages import Audience, Message, MessageKind, add_messages
from gateway.store.pipeline import batch
from gateway.store.referrals import ReferralRow
from gateway.store.snapshot import SnapshotReading
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.kind import Part

_KIND = "ask"


class NotAsked(StrEnum):
    """Why a family is not asked, besides what is wrong with the text (`AskFault`)."""

    NO_SUCH_CHILD = "no-such-child"
    NO_SUCH_AGENCY = "no-such-agency"
    BEYOND_AGREEMENT = "beyond-agreement"
    OPEN = "open"  # this asker has one open for this agency and purpose


@dataclass(frozen=True, slots=True)
class NewAsk:
    """What is to be asked. `until` is the first instant after its last day, `interpreter` a language (BCP 47) or None.

    `requester` is the client or the person who asks, for the log.
    """

    ask_id: UUID
    child_id: UUID
    recipient: str
    requester: str
    topics: frozenset[Category]
    purpose: Purpose
    until: datetime
    made_by: MadeBy
    interpreter: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The ask is on record and in the log. `entry` is None where it had been made before."""

    ask: Ask
    entry: int | None


def make(hub: Hub, new: NewAsk) -> Asked | NotAsked | AskFault:
    """Put something to a family; made again with the same id, the first one is found."""
    new = replace(new, topics=new.topics - {Category.IDENTITY})  # who the child is goes with every topic
    keys = keys_for(hub, [new.child_id])
    key = keys.get(new.child_id)
    if key is None:
        return NotAsked.NO_SUCH_CHILD
    with hub.db.transaction() as conn:
        with batch(conn) as statements:
            reading = SnapshotReading(statements, [new.child_id], new.recipient)
            seen = reading.read(keys, hub.rules)
        standing = seen.children[new.child_id]
        fault = fault_of(new.topics, new.purpose, new.until, seen.at)
        if fault is not None:
            return fault
        if standing.state != ChildState.ACTIVE or not seen.active:
            return NotAsked.NO_SUCH_AGENCY if standing.state == ChildState.ACTIVE else NotAsked.NO_SUCH_CHILD
        if _short(standing.snapshot, new, seen.at):
            return NotAsked.BEYOND_AGREEMENT
        decided = decide(_request(hub, new), standing.snapshot, seen.at)
        made = _ask(new, decided)
        body = key.seal((new.interpreter or "").encode(), row=new.ask_id, kind=_KIND)
        closed = made.made_at if made.answer is not None else None
        if not asks.add_ask(conn, made, body, closed_at=closed):
            known = asks.find_ask(conn, new.ask_id, new.recipient)
            return NotAsked.OPEN if known is None else Asked(known, None)
        _tell_family(hub, conn, made)
        pending = seal_entry(key, _entry(new, decided, key), entry_id=hub.ids(), subject=new.ask_id)
        append_pending(conn, [pending])
    return Asked(made, sequence(hub, [pending.entry_id])[pending.entry_id])


def _short(snapshot: Snapshot, new: NewAsk, at: datetime) -> bool:
    """Whether a topic lies beyond the agency's agreement: a fact of its own, so saying so tells nothing of the child."""
    return any(uncovered(snapshot.agreements, new.recipient, new.purpose, topic, at) for topic in new.topics)


def _request(hub: Hub, new: NewAsk) -> DecisionRequest:
    return DecisionRequest(
        decision_id=hub.ids(),
        child_id=new.child_id,
        recipient=new.recipient,
        requester=new.requester,
        purpose=new.purpose.value,
        parts=PARTS[new.purpose] - {Part.REFERRAL},
        categories=new.topics,
    )


def _ask(new: NewAsk, decided: Decision) -> Ask:
    """The ask as it begins: answered already where the family allows all of it."""
    allowed = new.topics <= decided.categories
    return Ask(
        ask_id=new.ask_id,
        child_id=new.child_id,
        recipient=new.recipient,
        asker=new.recipient,
        topics=new.topics,
        purpose=new.purpose,
        until=new.until,
        made_by=new.made_by,
        made_at=decided.at,
        lapses_at=decided.at + ANSWERED_WITHIN,
        answer=Effect.PERMIT if allowed else None,
        answered_at=decided.at if allowed else None,
    )


def _entry(new: NewAsk, decided: Decision, key: ChildKey) -> DisclosureEntry:
    return DisclosureEntry(
        kind=EntryKind.REQUEST,
        at=decided.at,
        child_tag=child_tag(key),
        requester=new.requester,
        recipient=new.recipient,
        purpose=decided.purpose,
        basis=decided.basis,
        parts=tuple(decided.parts),
        categories=tuple(new.topics),
        reasons=dict(decided.reasons),
        description="asked the family",
        decision_id=decided.decision_id,
        rules_version=decided.rules_version.hex(),
        child_epoch=decided.child_epoch,
        agreement_epoch=decided.agreement_epoch,
    )


def _tell_family(hub: Hub, conn: Connection, made: Ask) -> None:
    """Put it before the family, unless it has said yes already."""
    if made.answer is None:
        told = Message(hub.ids(), made.child_id, Audience.FAMILY, MessageKind.ASK, made.ask_id, made.made_at)
        add_messages(conn, [told])


def ask_for_referral(hub: Hub, conn: Connection, row: ReferralRow, purpose: Purpose, at: datetime) -> None:
    """Ask the family about a referral whose send met no permission; what was asked for was entered with that refusal.

    Beyond the agreement nobody is asked, nor where a guardian's stop stands. One that waits takes in the new topic, unless one of the two is extra-private: that
    is only ever asked alone, and waits its turn.
    """
    topics = frozenset({row.category})
    if fault_of(topics, purpose, at + ANSWERED_WITHIN, at) is not None or not _covered(
        conn, row, purpose, at
    ):
        return
    if any(_stops(one, row, purpose, at) for one in said(conn, row.child_id)):
        return
    key = hub.keys.get_many((row.child_id,)).get(row.child_id)
    if key is None:
        return
    made = Ask(
        ask_id=hub.ids(),
        child_id=row.child_id,
        recipient=row.to_org,
        asker=row.from_org,
        topics=topics,
        purpose=purpose,
        until=at + ANSWERED_WITHIN,
        made_by=MadeBy.REFERRAL,
        made_at=at,
        lapses_at=at + ANSWERED_WITHIN,
        referral_id=row.referral_id,
    )
    if asks.add_ask(conn, made, key.seal(b"", row=made.ask_id, kind=_KIND), closed_at=None):
        _tell_family(hub, conn, made)
        return
    _join(conn, made, at)


def _join(conn: Connection, made: Ask, at: datetime) -> None:
    """Let the ask that holds the place take in this one's topic, where it may."""
    for open_one in asks.of_child(conn, made.child_id):
        same = (open_one.recipient, open_one.asker, open_one.purpose) == (
            made.recipient,
            made.asker,
            made.purpose,
        )
        alone = (open_one.topics | made.topics) & EXTRA_PRIVATE
        if same and open_one.state(at) is AskState.WAITING and not alone:
            asks.widen(conn, open_one, made.topics)


def _stops(one: Said, row: ReferralRow, purpose: Purpose, at: datetime) -> bool:
    """Whether a guardian has said no to this already."""
    return (
        one.effect is Effect.DENY
        and one.holds(at)
        and one.recipient == row.to_org
        and row.category in one.categories
        and purpose in one.purposes
    )


def _covered(conn: Connection, row: ReferralRow, purpose: Purpose, at: datetime) -> bool:
    """Whether an agreement of the agency in force names topic and purpose."""
    a = tables.agreement
    found = conn.execute(
        select(a.c.agreement).where(
            a.c.org == row.to_org,
            a.c.status == "in-force",
            a.c.purposes.contains([purpose.value]),
            a.c.categories.contains([row.category.value]),
            a.c.valid_from <= at,
            a.c.valid_until.is_(None) | (a.c.valid_until > at),
        )
    )
    return found.first() is not None


def refuse(hub: Hub, ask_id: UUID, *, by_link: UUID) -> bool:
    """A guardian's bare no to one ask, which stops nothing else; False where there is nothing to answer or no authority."""
    at = hub.clock()
    with hub.db.transaction() as conn:
        found = asks.find_ask(conn, ask_id)
        if found is None or found.state(at) is not AskState.WAITING:
            return False
        acting = {one.guardian_link_id for one in guardians(conn, found.child_id) if one.may_act(at)}
        return by_link in acting and asks.set_answer(conn, ask_id, Effect.DENY, at)


def shown_to(hub: Hub, asker: str, ask_id: UUID) -> tuple[Ask, AskState] | None:
    """An ask and where it stands as its asker may know it; None where it is none of theirs."""
    with hub.db.transaction() as conn:
        found = asks.find_ask(conn, ask_id, asker)
    return None if found is None else (found, found.shown(hub.clock()))


def interpreter_for(hub: Hub, found: Ask) -> str | None:
    """The language the family needs an interpreter for, as the asker said; None where it said none."""
    with hub.db.transaction() as conn:
        body = asks.body_of(conn, found.ask_id)
    key = hub.keys.get_many((found.child_id,)).get(found.child_id)
    if body is None or key is None:  # the child's record was erased
        return None
    return key.open(body, row=found.ask_id, kind=_KIND).decode() or None


def remind(hub: Hub) -> int:
    """Remind families of what they were asked, at most twice and a week apart; how many."""
    at = hub.clock()
    with hub.db.transaction() as conn:
        due = asks.remind(conn, at, BETWEEN_REMINDERS, MOST_REMINDERS)
        add_messages(
            conn,
            [
                Message(hub.ids(), child, Audience.FAMILY, MessageKind.ASK_REMINDER, one, at)
                for one, child in due
            ],
        )
    return len(due)


def asked_of(hub: Hub, child: UUID) -> Collection[Ask]:
    """Everything the family of this child was asked, for those inside."""
    with hub.db.transaction() as conn:
        return asks.of_child(conn, child)
