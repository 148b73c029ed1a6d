"""The outbox: deliveries in lanes, one lane per recipient and child. Rows are the truth; a queue message only rings.

A lane is worked by one worker at a time. It is claimed with a fence, a number that rises at every claim, and whatever is
written about its deliveries is written only while that fence still stands. Whoever enqueues locks the lane row before it
inserts, so that a worker that finds a lane empty and lets it go cannot miss a delivery being committed beside it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select, text, update

from gateway.store.deliverystate import DeliveryState
from gateway.store.lanes import Claim
from gateway.store.pipeline import Answer, Batch
from gateway.store.tables import attempt, delivery


class Topic(StrEnum):
    """What a delivery is about; it decides which part of the record is asked for."""

    PLAN = "plan"
    REFERRAL = "referral"
    OUTCOME = "outcome"
    RECALL = "recall"  # no part of the record: a permission was ended


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
    """The next delivery of a claimed lane.

    `unfinished` counts attempts that began and never told how they ended. `last_digest` is the keyed digest of what this
    recipient last got of the same plan by this connection: None for a first delivery and for a referral, which is sent because
    something happened.
    """

    delivery_id: UUID
    connection: str
    topic: Topic
    subject_id: UUID
    purpose: str
    attempts: int
    unfinished: int
    created_at: datetime
    last_digest: bytes | None


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


_BEGIN = """
    UPDATE delivery d SET attempts = attempts + 1, updated_at = %(at)s
    WHERE delivery_id = (SELECT delivery_id FROM delivery
        WHERE recipient = %(recipient)s AND child_id = %(child)s AND state = 'pending' ORDER BY position LIMIT 1)
    RETURNING delivery_id, connection, topic, subject_id, purpose, attempts,
        attempts - 1 - (SELECT count(*) FROM attempt a WHERE a.delivery_id = d.delivery_id), created_at,
        (SELECT s.payload_digest FROM delivery s WHERE d.topic = 'plan' AND s.recipient = d.recipient
            AND s.child_id = d.child_id AND s.connection = d.connection AND s.topic = 'plan' AND s.state = 'delivered'
            ORDER BY s.position DESC LIMIT 1)
"""


def begin_next(statements: Batch, claim: Claim, at: datetime) -> Answer:
    """The lane's next delivery, its attempt counted before any work is done; read the answer with `begun`.

    Counting first is what makes a delivery that kills its worker visible: `unfinished` grows.
    """
    return statements.send(_BEGIN, {"recipient": claim.recipient, "child": claim.child_id, "at": at})


def begun(answer: Answer) -> Waiting | None:
    """The delivery that `begin_next` began; None where nothing waits."""
    row = answer.fetchone()
    if row is None:
        return None
    delivery_id, way, topic, subject, purpose, attempts, unfinished, created_at, digest = row
    last = None if digest is None else bytes(digest)
    return Waiting(delivery_id, way, Topic(topic), subject, purpose, attempts, unfinished, created_at, last)


def uncount(statements: Batch, delivery_id: UUID) -> None:
    """Take back the counting of an attempt that was not begun after all."""
    statements.send(
        "UPDATE delivery SET attempts = attempts - 1 WHERE delivery_id = %(delivery)s",
        {"delivery": delivery_id},
    )


_ATTEMPT = """
    INSERT INTO attempt (attempt_id, delivery_id, n, entry_seq, result, cause, status_code, milliseconds, at)
    VALUES (%(attempt_id)s, %(delivery_id)s, %(n)s, %(entry_seq)s, %(result)s, %(cause)s, %(status_code)s, %(milliseconds)s,
        %(at)s)
    ON CONFLICT (attempt_id) DO NOTHING
"""


def record_attempt(statements: Batch, row: AttemptRow) -> None:
    """Add how an attempt ended; nothing where it stands there already, its commit having gone unanswered."""
    statements.send(_ATTEMPT, asdict(row))


_ENDED_BY = """
    SELECT count(*) FROM attempt a JOIN delivery d ON d.delivery_id = a.delivery_id
    WHERE d.delivery_id = %(delivery)s AND a.cause = %(cause)s AND a.at >= d.created_at
"""


def attempts_ended_by(statements: Batch, delivery_id: UUID, cause: str) -> int:
    """How many attempts at a delivery have ended by this cause since it was queued, or queued again."""
    row = statements.send(_ENDED_BY, {"delivery": delivery_id, "cause": cause}).fetchone()
    return 0 if row is None else int(row[0])


_SETTLE = """
    UPDATE delivery SET state = %(state)s, updated_at = %(at)s, reason = %(reason)s, ledger_seq = %(ledger_seq)s,
        payload_digest = %(payload_digest)s, receipt = %(receipt)s, map = %(map)s, map_version = %(map_version)s
    WHERE delivery_id = %(delivery_id)s AND state = 'pending'
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a delivery has come to; `reason` is a closed code, `receipt` sealed with the child's key."""

    delivery_id: UUID
    state: DeliveryState
    at: datetime
    reason: str | None = None
    ledger_seq: int | None = None
    payload_digest: bytes | None = None
    receipt: bytes | None = field(default=None, repr=False)
    map: str | None = None
    map_version: str | None = None


def settle(statements: Batch, what: Settled) -> None:
    """Move a pending delivery to its end, or write down what is known of it while it stays pending."""
    statements.send(_SETTLE, asdict(what) | {"state": what.state.value})


_HOLD = """
    UPDATE delivery SET state = 'held', reason = 'earlier-dead', updated_at = %(at)s
    WHERE recipient = %(recipient)s AND child_id = %(child)s AND subject_id = %(subject)s
        AND topic IN ('referral', 'outcome') AND state = 'pending'
"""


def hold_same_referral(statements: Batch, claim: Claim, subject_id: UUID, at: datetime) -> None:
    """Later deliveries of a referral one of whose deliveries died wait for a person."""
    where = {"recipient": claim.recipient, "child": claim.child_id, "subject": subject_id}
    statements.send(_HOLD, where | {"at": at})


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
        written: Any = bindparam("states", list(states), expanding=True, literal_execute=True)
        statement = statement.where(delivery.c.state.in_(written))  # in the text, as the partial indexes ask
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
