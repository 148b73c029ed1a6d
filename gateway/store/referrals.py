"""Referrals: three independent axes in clear (workflow, outcome, consent), what they say sealed as assertions."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.store.tables import referral, referral_event
from mappings.record.category import Category
from mappings.record.referral import ReferralConsent, ReferralOutcome, ReferralState


@dataclass(frozen=True, slots=True)
class ReferralRow:
    """A referral's envelope. `assertion_id` holds what is asked; `category` is that of its need."""

    referral_id: UUID
    child_id: UUID
    assertion_id: UUID
    from_org: str
    to_org: str
    category: Category
    state: ReferralState
    outcome: ReferralOutcome | None
    consent_state: ReferralConsent
    revision: int
    sent_at: datetime | None
    accepted_at: datetime | None
    closed_at: datetime | None
    family_informed_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def loop_closed(self) -> bool:
        """Terminal state, outcome or reason on record, and the family told (domain.md §3.5)."""
        return self.closed_at is not None and self.family_informed_at is not None


@dataclass(frozen=True, slots=True)
class EventRow:
    """One thing that happened to a referral. `source_key` makes the same report count once."""

    event_id: UUID
    referral_id: UUID
    org: str
    state: ReferralState
    outcome: ReferralOutcome | None
    assertion_id: UUID | None
    source_key: bytes | None
    at: datetime


def _referral(row: Any) -> ReferralRow:
    return ReferralRow(
        row.referral_id,
        row.child_id,
        row.assertion_id,
        row.from_org,
        row.to_org,
        Category(row.category),
        ReferralState(row.state),
        None if row.outcome is None else ReferralOutcome(row.outcome),
        ReferralConsent(row.consent_state),
        row.revision,
        row.sent_at,
        row.accepted_at,
        row.closed_at,
        row.family_informed_at,
        row.created_at,
        row.updated_at,
    )


def add_referral(connection: Connection, row: ReferralRow) -> None:
    """Write a new referral."""
    connection.execute(
        insert(referral).values(**{name: getattr(row, name) for name in ReferralRow.__dataclass_fields__})
    )


def find_referral(connection: Connection, referral_id: UUID, *, lock: bool = False) -> ReferralRow | None:
    """One referral, locked for a change where asked."""
    statement = select(referral).where(referral.c.referral_id == referral_id)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    return None if row is None else _referral(row)


def change_referral(connection: Connection, referral_id: UUID, at: datetime, **values: Any) -> None:
    """Set columns and raise the revision."""
    connection.execute(
        update(referral)
        .where(referral.c.referral_id == referral_id)
        .values(**values, updated_at=at, revision=referral.c.revision + 1)
    )


def add_event(connection: Connection, row: EventRow) -> bool:
    """Add an event; False where the same report was taken in before."""
    statement = insert(referral_event).values(
        **{name: getattr(row, name) for name in EventRow.__dataclass_fields__}
    )
    once = statement.on_conflict_do_nothing(index_elements=["source_key"])
    # Asked of the row itself: SQLAlchemy does not count what an INSERT wrote.
    return connection.execute(once.returning(referral_event.c.event_id)).one_or_none() is not None


def events(connection: Connection, referral_id: UUID) -> list[EventRow]:
    """What happened, in order."""
    statement = (
        select(referral_event)
        .where(referral_event.c.referral_id == referral_id)
        .order_by(referral_event.c.at, referral_event.c.event_id)
    )
    return [
        EventRow(
            row.event_id,
            row.referral_id,
            row.org,
            ReferralState(row.state),
            None if row.outcome is None else ReferralOutcome(row.outcome),
            row.assertion_id,
            None if row.source_key is None else bytes(row.source_key),
            row.at,
        )
        for row in connection.execute(statement)
    ]


def of_child(
    connection: Connection, child: UUID, states: Collection[ReferralState] | None = None
) -> list[ReferralRow]:
    """The child's referrals, oldest first; those in these states where named."""
    statement = select(referral).where(referral.c.child_id == child)
    if states is not None:
        statement = statement.where(referral.c.state.in_(list(states)))
    return [_referral(row) for row in connection.execute(statement.order_by(referral.c.created_at))]


def of_org(connection: Connection, org: str, states: Collection[ReferralState]) -> list[ReferralRow]:
    """Referrals made to an agency that stand in these states, oldest first."""
    statement = (
        select(referral)
        .where(referral.c.to_org == org, referral.c.state.in_(list(states)))
        .order_by(referral.c.created_at)
    )
    return [_referral(row) for row in connection.execute(statement)]


def of_party(connection: Connection, org: str) -> list[ReferralRow]:
    """Every referral an agency made or was sent, oldest first."""
    statement = select(referral).where((referral.c.to_org == org) | (referral.c.from_org == org))
    return [_referral(row) for row in connection.execute(statement.order_by(referral.c.created_at))]


def children_referred(connection: Connection, org: str) -> set[UUID]:
    """Children for whom a referral from or to this agency exists."""
    statement = (
        select(referral.c.child_id)
        .where((referral.c.to_org == org) | (referral.c.from_org == org))
        .distinct()
    )
    return {row[0] for row in connection.execute(statement)}
