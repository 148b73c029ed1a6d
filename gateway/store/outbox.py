"""The outbox: deliveries in lanes, one lane per recipient and child. Rows are the truth; a queue message only rings.

A lane is worked by one worker at a time. It is claimed with a fence, a number that rises at every claim, and whatever is
written about its deliveries is written only while that fence still stands. Whoever enqueues locks the lane row before it
inserts, so that a worker that finds a lane empty and lets it go cannot miss a delivery being committed beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, text, update

from gateway.store.lanes import Claim
from gateway.store.tables import attempt, delivery


class Topic(StrEnum):
    """What a delivery is about; it decides which part of the record is asked for."""

    PLAN = "plan"
    REFERRAL = "referral"
    OUTCOME = "outcome"


class DeliveryState(StrEnum):
    """Where a delivery stands. Every one ends delivered, withheld or dead; a held one waits for a person."""

    PENDING = "pending"
    DELIVERED = "delivered"
    WITHHELD = "withheld"
    DEAD = "dead"
    HELD = "held"


OPEN_STATES = (DeliveryState.PENDING, DeliveryState.HELD)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """Something to be sent, by ids only; what it will say is decided and rendered at each attempt."""

    delivery_id: UUID
    recipient: str
    child_id: UUID
    connection: str
    topic: Topic
    subject_id: UUID
    purpose: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The next delivery of a claimed lane. `unfinished` counts attempts that began and never told how they ended."""

    delivery_id: UUID
    connection: str
    topic: Topic
    subject_id: UUID
    purpose: str
    attempts: int
    unfinished: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """How one attempt ended: never a body, a header or a name."""

    attempt_id: UUID
    delivery_id: UUID
    n: int
    entry_seq: int | None
    result: str
    cause: str | None
    status_code: int | None
    milliseconds: int
    at: datetime


_LOCK_LANE = text(
    "INSERT INTO lane (recipient, child_id, position, next_at) VALUES (:recipient, :child, 1, :at) "
    "ON CONFLICT (recipient, child_id) DO UPDATE SET position = lane.position + 1, "
    "next_at = coalesce(lane.next_at, excluded.next_at) RETURNING position, locked_until IS NULL"
)

_SAME_WAITING = text(
    "SELECT delivery_id FROM delivery WHERE recipient = :recipient AND child_id = :child AND state = 'pending' "
    "AND topic = :topic AND subject_id = :subject AND connection = :connection AND purpose = :purpose "
    "ORDER BY position DESC LIMIT 1"
)

_FAILED_BEFORE = text(
    "SELECT EXISTS (SELECT FROM delivery WHERE recipient = :recipient AND child_id = :child "
    "AND subject_id = :subject AND topic IN ('referral', 'outcome') AND state IN ('dead', 'held'))"
)


def enqueue(connection: Connection, new: NewDelivery, at: datetime) -> UUID:
    """Queue a delivery at the end of its lane, in the caller's transaction; the id under which it will be sent.

    What is sent is rendered at the attempt, so a plan that already waits in a lane nobody is working needs no second
    delivery: its id is returned. A delivery about a referral one of whose deliveries died waits for a person.
    """
    where = {"recipient": new.recipient, "child": new.child_id, "subject": new.subject_id}
    position, idle = connection.execute(_LOCK_LANE, where | {"at": at}).one()
    same = {"topic": new.topic, "connection": new.connection, "purpose": new.purpose}
    if new.topic is Topic.PLAN and idle:
        waiting = connection.execute(_SAME_WAITING, where | same).scalar()
        if isinstance(waiting, UUID):
            return waiting
    held = new.topic is not Topic.PLAN and connection.execute(_FAILED_BEFORE, where).scalar_one()
    connection.execute(
        insert(delivery).values(
            delivery_id=new.delivery_id,
            recipient=new.recipient,
            child_id=new.child_id,
            connection=new.connection,
            topic=new.topic,
            subject_id=new.subject_id,
            purpose=new.purpose,
            position=position,
            state=DeliveryState.HELD if held else DeliveryState.PENDING,
            reason="earlier-dead" if held else None,
            created_at=at,
            updated_at=at,
        )
    )
    connection.exec_driver_sql("NOTIFY planhub_lane")  # heard at commit: `gateway.store.listening`
    return new.delivery_id


_NEXT = text(
    "SELECT delivery_id, connection, topic, subject_id, purpose, attempts, created_at, "
    "attempts - (SELECT count(*) FROM attempt a WHERE a.delivery_id = d.delivery_id) AS unfinished "
    "FROM delivery d WHERE recipient = :recipient AND child_id = :child AND state = 'pending' "
    "ORDER BY position LIMIT 1"
)


def begin_next(connection: Connection, claim: Claim, at: datetime) -> Waiting | None:
    """The lane's next delivery, its attempt counted before any work is done; None where nothing waits.

    Counting first is what makes a delivery that kills its worker visible: `unfinished` grows.
    """
    row = (
        connection.execute(_NEXT, {"recipient": claim.recipient, "child": claim.child_id}).mappings().first()
    )
    if row is None:
        return None
    connection.execute(
        update(delivery)
        .where(delivery.c.delivery_id == row["delivery_id"])
        .values(attempts=delivery.c.attempts + 1, updated_at=at)
    )
    return Waiting(
        row["delivery_id"],
        row["connection"],
        Topic(row["topic"]),
        row["subject_id"],
        row["purpose"],
        row["attempts"] + 1,
        row["unfinished"],
        row["created_at"],
    )


def uncount(connection: Connection, delivery_id: UUID) -> None:
    """Take back the counting of an attempt that was not begun after all."""
    connection.execute(
        update(delivery).where(delivery.c.delivery_id == delivery_id).values(attempts=delivery.c.attempts - 1)
    )


def last_digest(connection: Connection, claim: Claim, waiting: Waiting) -> bytes | None:
    """The keyed digest of what this recipient last got of the same thing by this connection; None for a first delivery.

    Only a plan is compared: a referral is sent because something happened.
    """
    if waiting.topic is not Topic.PLAN:
        return None
    found = connection.execute(
        select(delivery.c.payload_digest)
        .where(
            delivery.c.recipient == claim.recipient,
            delivery.c.child_id == claim.child_id,
            delivery.c.connection == waiting.connection,
            delivery.c.topic == waiting.topic,
            delivery.c.state == DeliveryState.DELIVERED,
        )
        .order_by(delivery.c.position.desc())
        .limit(1)
    ).scalar()
    return None if found is None else bytes(found)


def record_attempt(connection: Connection, row: AttemptRow) -> None:
    """Add how an attempt ended."""
    connection.execute(
        insert(attempt).values(
            attempt_id=row.attempt_id,
            delivery_id=row.delivery_id,
            n=row.n,
            entry_seq=row.entry_seq,
            result=row.result,
            cause=row.cause,
            status_code=row.status_code,
            milliseconds=row.milliseconds,
            at=row.at,
        )
    )


def settle(
    connection: Connection, delivery_id: UUID, state: DeliveryState, at: datetime, **columns: Any
) -> bool:
    """Move a pending delivery to its end (or set what is known of it while it stays pending); False if it was not pending."""
    changed = connection.execute(
        update(delivery)
        .where(delivery.c.delivery_id == delivery_id, delivery.c.state == DeliveryState.PENDING)
        .values(state=state, updated_at=at, **columns)
    )
    return changed.rowcount == 1


def hold_same_referral(connection: Connection, claim: Claim, subject_id: UUID, at: datetime) -> int:
    """Later deliveries of a referral one of whose deliveries died wait for a person; how many."""
    held = connection.execute(
        update(delivery)
        .where(
            delivery.c.recipient == claim.recipient,
            delivery.c.child_id == claim.child_id,
            delivery.c.subject_id == subject_id,
            delivery.c.topic.in_([Topic.REFERRAL, Topic.OUTCOME]),
            delivery.c.state == DeliveryState.PENDING,
        )
        .values(state=DeliveryState.HELD, reason="earlier-dead", updated_at=at)
    )
    return held.rowcount


def resend(connection: Connection, delivery_id: UUID, at: datetime) -> tuple[str, UUID] | None:
    """Put a dead, held or withheld delivery back at the end of its lane; its lane, or None where it cannot be resent.

    The id stays, so a partner that did get it the first time drops the repeat.
    """
    row = connection.execute(
        select(delivery.c.recipient, delivery.c.child_id).where(
            delivery.c.delivery_id == delivery_id,
            delivery.c.state.in_([DeliveryState.DEAD, DeliveryState.HELD, DeliveryState.WITHHELD]),
        )
    ).first()
    if row is None:
        return None
    where = {"recipient": row.recipient, "child": row.child_id}
    position, _ = connection.execute(_LOCK_LANE, where | {"at": at}).one()
    moved = connection.execute(
        update(delivery)
        .where(delivery.c.delivery_id == delivery_id, delivery.c.state != DeliveryState.DELIVERED)
        .values(
            state=DeliveryState.PENDING,
            reason=None,
            position=position,
            attempts=select(func.count()).where(attempt.c.delivery_id == delivery_id).scalar_subquery(),
            created_at=at,
            updated_at=at,
        )
    )
    if moved.rowcount == 0:
        return None
    connection.exec_driver_sql("NOTIFY planhub_lane")
    return (row.recipient, row.child_id)


def list_deliveries(
    connection: Connection,
    *,
    states: Sequence[DeliveryState] | None = None,
    recipient: str | None = None,
    child_id: UUID | None = None,
    most: int = 200,
) -> list[RowMapping]:
    """Deliveries, newest first, without the sealed receipt."""
    shown = [column for column in delivery.c if column.name not in {"receipt", "payload_digest"}]
    statement = select(*shown).order_by(delivery.c.updated_at.desc(), delivery.c.delivery_id).limit(most)
    if states is not None:
        statement = statement.where(delivery.c.state.in_(bindparam("states", list(states), expanding=True)))
    if recipient is not None:
        statement = statement.where(delivery.c.recipient == recipient)
    if child_id is not None:
        statement = statement.where(delivery.c.child_id == child_id)
    return list(connection.execute(statement).mappings())


def by_cause(connection: Connection) -> list[RowMapping]:
    """Deliveries that are not through, counted by recipient, state and cause: a thousand failures have few causes."""
    statement = (
        select(
            delivery.c.recipient,
            delivery.c.state,
            delivery.c.reason.label("cause"),
            func.count().label("deliveries"),
            func.min(delivery.c.created_at).label("since"),
        )
        .where(delivery.c.state != DeliveryState.DELIVERED)
        .group_by(delivery.c.recipient, delivery.c.state, delivery.c.reason)
        .order_by(func.count().desc())
    )
    return list(connection.execute(statement).mappings())


def show(connection: Connection, delivery_id: UUID) -> tuple[dict[str, Any], list[RowMapping]] | None:
    """One delivery and its attempts in order; None where there is none."""
    row = connection.execute(select(delivery).where(delivery.c.delivery_id == delivery_id)).mappings().first()
    if row is None:
        return None
    attempts = select(attempt).where(attempt.c.delivery_id == delivery_id).order_by(attempt.c.at, attempt.c.n)
    return dict(row), list(connection.execute(attempts).mappings())
