"""Referrals: asking another agency for help, hearing how it went, and telling the asker, each as far as the family agreed.

Three axes stand apart (ARCHITECTURE §4): the workflow moves only along its table, the outcome is what the child got, consent
is what the last attempt to send found. How a referral ended is a disclosure of its own on the way back: the asker is told only
by a decision for the purpose "how a referral ended".
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, select

from consent.vocabulary import Purpose
from gateway.exchange.context import Hub
from gateway.exchange.plans import contributor
from gateway.store import outbox, records, referrals, tables
from gateway.store.outbox import NewDelivery, Topic
from gateway.store.records import Fact
from gateway.store.referrals import EventRow, ReferralRow
from mappings.record.assertion import AssertedBy, Method, StoredAssertion
from mappings.record.category import Category
from mappings.record.contribution import DOMAIN_CATEGORY, strictest
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.kind import Kind, Part
from mappings.record.lifecycle import REFERRAL_TERMINAL, Party, steps
from mappings.record.referral import Referral, ReferralConsent, ReferralEvent, ReferralState
from mappings.record.sensitivity import Label, forced_category


class NotReferred(StrEnum):
    """Why a referral was not taken in, or not moved."""

    NO_SUCH_AGENCY = "no-such-agency"
    NO_CHANNEL = "no-channel"  # the agency has no connection that takes referrals
    NO_SUCH_REFERRAL = "no-such-referral"
    NOT_A_PARTY = "not-a-party"
    ILLEGAL = "illegal-transition"


@dataclass(frozen=True, slots=True)
class Submitted:
    """A referral on its way: what happens next is the family's to say."""

    referral_id: UUID
    state: ReferralState
    delivery_id: UUID


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a referral stands after a report. `repeated` where the report was known already."""

    state: ReferralState
    revision: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class NotMoved:
    """A report that was not taken, and why; `issue` quotes the row of the table it breaks."""

    why: NotReferred
    issue: Issue | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """How an agency is sent something of this part."""

    connection: str
    purpose: str


def channel(conn: Connection, org: str, part: Part) -> Channel | None:
    """The subscription by which an agency takes referrals or hears outcomes; None where it has none."""
    s = tables.subscription
    row = conn.execute(
        select(s.c.connection, s.c.purpose)
        .where(s.c.org == org, s.c.status == "active", s.c.parts.contains([part.value]))
        .order_by(s.c.subscription)
        .limit(1)
    ).first()
    return None if row is None else Channel(row.connection, row.purpose)


def submit(
    hub: Hub,
    org: str,
    child: UUID,
    to_org: str,
    asked: Referral,
    *,
    topics: frozenset[Category] = frozenset(),
    labels: frozenset[Label] = frozenset(),
    referral_id: UUID | None = None,
) -> Submitted | NotMoved:
    """Take a referral in and queue it. It waits for consent until an attempt to send finds the family's permission.

    Its topic is that of its need; a topic its author ticks or a label it carries can only make it stricter. With
    `referral_id` a repeated call finds the first one.
    """
    now = hub.clock()
    key = hub.keys.get(child)
    forced = forced_category(labels)
    category = strictest(
        frozenset({DOMAIN_CATEGORY[asked.domain], *topics, *({forced} if forced else set())})
    )
    assert category is not None
    with hub.db.transaction() as conn:
        way = _way(conn, to_org)
        if isinstance(way, NotMoved):
            return way
        known = referrals.find_referral(conn, referral_id) if referral_id else None
        if known is not None:
            return Submitted(
                known.referral_id, known.state, _queue(hub, conn, known, Topic.REFERRAL, to_org, way, now)
            )
        fact = _stated(
            hub, conn, org, child, Kind.REFERRAL, asked.model_dump(mode="json", exclude_none=True), category
        )
        if labels:
            fact = fact.model_copy(update={"labels": labels})
        records.append(conn, [Fact(key, fact)])
        row = _waiting(referral_id or hub.ids(), child, fact.assertion_id, org, to_org, category, now)
        referrals.add_referral(conn, row)
        return Submitted(row.referral_id, row.state, _queue(hub, conn, row, Topic.REFERRAL, to_org, way, now))


def _waiting(
    referral_id: UUID, child: UUID, assertion: UUID, org: str, to_org: str, category: Category, now: datetime
) -> ReferralRow:
    """A new referral: nothing has left, nobody has been asked."""
    return ReferralRow(
        referral_id=referral_id,
        child_id=child,
        assertion_id=assertion,
        from_org=org,
        to_org=to_org,
        category=category,
        state=ReferralState.AWAITING_CONSENT,
        outcome=None,
        consent_state=ReferralConsent.NOT_ASKED,
        revision=1,
        sent_at=None,
        accepted_at=None,
        closed_at=None,
        family_informed_at=None,
        created_at=now,
        updated_at=now,
    )


def _way(conn: Connection, to_org: str) -> Channel | NotMoved:
    found = conn.execute(
        select(tables.org.c.org).where(tables.org.c.org == to_org, tables.org.c.status == "active")
    ).first()
    if found is None:
        return NotMoved(NotReferred.NO_SUCH_AGENCY)
    return channel(conn, to_org, Part.REFERRAL) or NotMoved(NotReferred.NO_CHANNEL)


def _stated(
    hub: Hub,
    conn: Connection,
    org: str,
    child: UUID,
    kind: Kind,
    value: dict[str, object],
    category: Category,
) -> StoredAssertion:
    now = hub.clock()
    return StoredAssertion(
        assertion_id=hub.ids(),
        child_id=child,
        kind=kind,
        category=category,
        value=value,
        asserted_by=AssertedBy(org=org),
        method=Method.STAFF_ENTERED,
        asserted_at=now,
        received_at=now,
        regimes=contributor(conn, org).regimes,
    )


def _queue(
    hub: Hub, conn: Connection, row: ReferralRow, topic: Topic, to: str, way: Channel, now: datetime
) -> UUID:
    return outbox.enqueue(
        conn,
        NewDelivery(
            delivery_id=hub.ids(),
            recipient=to,
            child_id=row.child_id,
            connection=way.connection,
            topic=topic,
            subject_id=row.referral_id,
            purpose=way.purpose,
        ),
        now,
    )


def resume(hub: Hub, child: UUID) -> tuple[UUID, ...]:
    """Queue again what waits for consent, after a family said yes to something; each is decided at its send."""
    now = hub.clock()
    queued = []
    with hub.db.transaction() as conn:
        for row in referrals.of_child(conn, child, [ReferralState.AWAITING_CONSENT]):
            way = channel(conn, row.to_org, Part.REFERRAL)
            if way is not None and row.consent_state is not ReferralConsent.NOT_ASKED:
                queued.append(_queue(hub, conn, row, Topic.REFERRAL, row.to_org, way, now))
    return tuple(queued)


def mark_sent(conn: Connection, referral_id: UUID, at: datetime) -> None:
    """The partner has it: the first delivery moves it to sent, a repeat changes nothing."""
    row = referrals.find_referral(conn, referral_id, lock=True)
    if row is None or row.state is not ReferralState.AWAITING_CONSENT:
        return
    referrals.change_referral(
        conn, referral_id, at, state=ReferralState.SENT, consent_state=ReferralConsent.PERMITTED, sent_at=at
    )


def mark_withheld(conn: Connection, referral_id: UUID, at: datetime) -> ReferralRow | None:
    """No permission covered the send: it waits; withdrawn where it had been permitted before. The referral the family is to be
    asked about, None where it waits no more.
    """
    row = referrals.find_referral(conn, referral_id, lock=True)
    if row is None or row.state is not ReferralState.AWAITING_CONSENT:
        return None
    before = row.consent_state
    now = ReferralConsent.WITHDRAWN if before is ReferralConsent.PERMITTED else ReferralConsent.WAITING
    if now is not before:
        referrals.change_referral(conn, referral_id, at, consent_state=now)
    return row


def report(
    hub: Hub, org: str, referral_id: UUID, event: ReferralEvent, *, source_key: bytes | None = None
) -> Moved | NotMoved:
    """Take in what a party says happened; the workflow moves only along its table, skipped stations included.

    `source_key` is the keyed hash of the source's own report: handed in twice, it counts once.
    """
    with hub.db.transaction() as conn:
        row = referrals.find_referral(conn, referral_id, lock=True)
        if row is None or org not in {row.from_org, row.to_org}:
            return NotMoved(NotReferred.NO_SUCH_REFERRAL if row is None else NotReferred.NOT_A_PARTY)
        if any(e.source_key == source_key for e in referrals.events(conn, referral_id) if source_key):
            return Moved(row.state, row.revision, repeated=True)
        party = Party.REQUESTER if org == row.from_org else Party.TARGET
        way = steps(row.state, event.state, party)
        if way is None:
            return NotMoved(NotReferred.ILLEGAL, _illegal(row.state, event.state, party))
        _enter(hub, conn, row, org, event, source_key)
        state = way[-1] if way else row.state
        referrals.change_referral(conn, referral_id, hub.clock(), **_columns(row, state, way, event))
        _tell_back(hub, conn, row, org, state)
        return Moved(state, row.revision + 1)


def _illegal(now: ReferralState, to: ReferralState, party: Party) -> Issue:
    text = f"the {party} cannot move it from {now} to {to} (Gravity SDOH Clinical Care 3.0.0, TaskForReferralManagement)"
    return Issue(severity=Severity.ERROR, code=IssueCode.ILLEGAL_TRANSITION, path="state", text=text)


def _enter(
    hub: Hub, conn: Connection, row: ReferralRow, org: str, event: ReferralEvent, source_key: bytes | None
) -> None:
    """The event's words as an assertion of whoever reports it, its bare move as a row."""
    value = event.model_dump(mode="json", exclude_none=True)
    stated = _stated(hub, conn, org, row.child_id, Kind.REFERRAL_EVENT, value, row.category)
    fact = stated.model_copy(update={"links": (row.assertion_id,)})
    records.append(conn, [Fact(hub.keys.get(row.child_id), fact)])
    referrals.add_event(
        conn,
        EventRow(
            event_id=hub.ids(),
            referral_id=row.referral_id,
            org=org,
            state=event.state,
            outcome=event.outcome,
            assertion_id=fact.assertion_id,
            source_key=source_key,
            at=event.at,
        ),
    )


def _columns(
    row: ReferralRow, state: ReferralState, way: tuple[ReferralState, ...], event: ReferralEvent
) -> dict[str, object]:
    values: dict[str, object] = {"state": state}
    if event.outcome is not None:
        values["outcome"] = event.outcome
    if row.accepted_at is None and ReferralState.ACCEPTED in way:
        values["accepted_at"] = event.at
    if row.closed_at is None and state in REFERRAL_TERMINAL:
        values["closed_at"] = event.at
    return values


def _tell_back(hub: Hub, conn: Connection, row: ReferralRow, by: str, state: ReferralState) -> None:
    """Queue word to the asker. Whether it may be told is decided when it is sent; ids only until then."""
    if by != row.to_org or state is row.state:
        return
    way = channel(conn, row.from_org, Part.OUTCOME)
    if way is not None and way.purpose == Purpose.REFERRAL_OUTCOME:
        _queue(hub, conn, row, Topic.OUTCOME, row.from_org, way, hub.clock())


def family_informed(hub: Hub, org: str, referral_id: UUID) -> Moved | NotMoved:
    """The asker says that the family knows how it ended: with that the loop is closed (domain.md §3.5)."""
    now = hub.clock()
    with hub.db.transaction() as conn:
        row = referrals.find_referral(conn, referral_id, lock=True)
        if row is None or org not in {row.from_org, row.to_org}:
            return NotMoved(NotReferred.NO_SUCH_REFERRAL)
        if row.closed_at is None:
            return NotMoved(NotReferred.ILLEGAL)
        if row.family_informed_at is None:
            referrals.change_referral(conn, referral_id, now, family_informed_at=now)
        return Moved(
            row.state,
            row.revision + (row.family_informed_at is None),
            repeated=row.family_informed_at is not None,
        )
