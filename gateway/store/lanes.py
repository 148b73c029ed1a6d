"""Lanes: one per recipient and child, worked by one worker at a time under a fence.

A claim raises the lane's fence; whatever is written about its deliveries is written only while that fence still stands.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select, text, update

from gateway.store.tables import lane


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a lane."""

    recipient: str
    child_id: UUID
    fence: int


_DUE = """
    SELECT l.recipient, l.child_id, l.fence FROM lane l
    WHERE l.next_at <= :at AND (l.locked_until IS NULL OR l.locked_until <= :at) {which}
        AND NOT EXISTS (SELECT FROM breaker b
            WHERE b.recipient = l.recipient AND b.state <> 'closed' AND b.probe_at > :at)
    ORDER BY l.next_at LIMIT {limit}
"""

_CLAIM = """
    UPDATE lane SET fence = fence + 1, locked_until = :until
    WHERE (recipient, child_id) = (SELECT recipient, child_id FROM ({due} FOR UPDATE OF l SKIP LOCKED) AS due)
    RETURNING recipient, child_id, fence
"""

_CLAIM_ANY = text(_CLAIM.format(due=_DUE.format(which="", limit=1)))
_CLAIM_ONE = text(
    _CLAIM.format(due=_DUE.format(which="AND l.recipient = :recipient AND l.child_id = :child", limit=1))
)
_DUE_LANES = text(_DUE.format(which="", limit=":most"))


def claim_lane(
    connection: Connection, at: datetime, lease: timedelta, lane_of: tuple[str, UUID] | None = None
) -> Claim | None:
    """Take a due lane that nobody works, or the one named; None where there is none.

    A lane of a recipient whose breaker is open is not due. One whose lease ran out is: its worker died or lost its fence.
    """
    parameters: dict[str, Any] = {"at": at, "until": at + lease}
    statement = _CLAIM_ANY
    if lane_of is not None:
        parameters |= {"recipient": lane_of[0], "child": lane_of[1]}
        statement = _CLAIM_ONE
    row = connection.execute(statement, parameters).first()
    return None if row is None else Claim(*row)


class DueLane(NamedTuple):
    """A lane that should be worked, and the fence it had when it was looked at."""

    recipient: str
    child_id: UUID
    fence: int


def due_lanes(connection: Connection, at: datetime, most: int) -> tuple[DueLane, ...]:
    """Lanes that should be rung now: due and free, or left behind by a worker that died."""
    return tuple(DueLane(*row) for row in connection.execute(_DUE_LANES, {"at": at, "most": most}))


def next_due(connection: Connection, at: datetime) -> datetime | None:
    """When the next lane falls due that is not due now; None where none waits."""
    statement = select(lane.c.next_at).where(lane.c.next_at > at).order_by(lane.c.next_at).limit(1)
    found = connection.execute(statement).scalar()
    return found if isinstance(found, datetime) else None


def holds(connection: Connection, claim: Claim, until: datetime) -> bool:
    """Lock the lane and renew the lease, if the claim's fence still stands. Call it first in a transaction that writes."""
    renewed = connection.execute(
        update(lane)
        .where(
            lane.c.recipient == claim.recipient,
            lane.c.child_id == claim.child_id,
            lane.c.fence == claim.fence,
        )
        .values(locked_until=until)
    )
    return renewed.rowcount == 1


_RELEASE = text(
    "UPDATE lane SET locked_until = NULL, failures = :failures, next_at = CASE WHEN EXISTS ("
    "SELECT FROM delivery d WHERE d.recipient = :recipient AND d.child_id = :child AND d.state = 'pending') "
    "THEN :next_at END WHERE recipient = :recipient AND child_id = :child AND fence = :fence"
)


def let_go(connection: Connection, claim: Claim, next_at: datetime, *, failures: int) -> bool:
    """Hand the lane back: due at `next_at` where something waits, else not due at all; False if the fence had moved.

    Call after `holds` in the same transaction: with the lane locked, no delivery can be enqueued unseen.
    """
    parameters = {
        "recipient": claim.recipient,
        "child": claim.child_id,
        "fence": claim.fence,
        "next_at": next_at,
        "failures": failures,
    }
    return connection.execute(_RELEASE, parameters).rowcount == 1


def lane_failures(connection: Connection, claim: Claim) -> int:
    """Failures in a row of this lane."""
    statement = select(lane.c.failures).where(
        lane.c.recipient == claim.recipient, lane.c.child_id == claim.child_id
    )
    return int(connection.execute(statement).scalar_one())


def forget_failures(connection: Connection, claim: Claim) -> None:
    """A delivery went through: the next failure is the first one again."""
    connection.execute(
        update(lane)
        .where(lane.c.recipient == claim.recipient, lane.c.child_id == claim.child_id, lane.c.failures > 0)
        .values(failures=0)
    )
