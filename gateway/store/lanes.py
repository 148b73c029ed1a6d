"""Lanes: one per recipient and child, worked by one worker at a time under a fence.

A claim raises the lane's fence; whatever is written about its deliveries is written only while that fence still stands. What a
worker does to its lane goes by batches (`gateway.store.pipeline`): it is most of what a delivery asks of the database.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, select

from gateway.store.pipeline import Batch, driver_of
from gateway.store.tables import lane


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's hold on a lane."""

    recipient: str
    child_id: UUID
    fence: int

    def values(self) -> dict[str, Any]:
        """As statements name them."""
        return {"recipient": self.recipient, "child": self.child_id, "fence": self.fence}


_DUE = """
    SELECT l.recipient, l.child_id, l.fence FROM {lanes} l
    WHERE l.next_at <= %(at)s AND (l.locked_until IS NULL OR l.locked_until <= %(at)s)
        AND NOT EXISTS (SELECT FROM breaker b
            WHERE b.recipient = l.recipient AND b.state <> 'closed' AND b.probe_at > %(at)s)
    ORDER BY l.next_at LIMIT {limit}
"""
_NAMED = """
    (SELECT * FROM lane WHERE recipient = %(recipient)s AND child_id = %(child)s FOR UPDATE OFFSET 0)
"""
"""A lane by its key and by nothing else: OFFSET keeps the planner from looking for it among all that are due. It waits for who
enqueues there at that moment: to pass by would lose the ring, and the lane would wait for the sweep of the next minute."""

_CLAIM = """
    UPDATE lane SET fence = fence + 1, locked_until = %(until)s
    WHERE (recipient, child_id) = (SELECT recipient, child_id FROM ({due}) AS due)
    RETURNING recipient, child_id, fence
"""

_CLAIM_ANY = _CLAIM.format(due=_DUE.format(lanes="lane", limit=1) + "FOR UPDATE OF l SKIP LOCKED")
_CLAIM_ONE = _CLAIM.format(due=_DUE.format(lanes=_NAMED, limit=1))
_DUE_LANES = _DUE.format(lanes="lane", limit="%(most)s")


def claim_lane(
    statements: Batch, at: datetime, lease: timedelta, lane_of: tuple[str, UUID] | None = None
) -> Claim | None:
    """Take a due lane that nobody works, or the one named; None where there is none.

    A lane of a recipient whose breaker is open is not due. One whose lease ran out is: its worker died or lost its fence.
    """
    values: dict[str, Any] = {"at": at, "until": at + lease}
    if lane_of is None:
        row = statements.send(_CLAIM_ANY, values).fetchone()
    else:
        named = {"recipient": lane_of[0], "child": lane_of[1]}
        row = statements.send(_CLAIM_ONE, values | named).fetchone()
    return None if row is None else Claim(*row)


class DueLane(NamedTuple):
    """A lane that should be worked, and the fence it had when it was looked at."""

    recipient: str
    child_id: UUID
    fence: int


def due_lanes(connection: Connection, at: datetime, most: int) -> tuple[DueLane, ...]:
    """Lanes that should be rung now: due and free, or left behind by a worker that died."""
    rows = driver_of(connection).execute(_DUE_LANES, {"at": at, "most": most})
    return tuple(DueLane(*row) for row in rows)


def next_due(connection: Connection, at: datetime) -> datetime | None:
    """When the next lane falls due that is not due now; None where none waits."""
    statement = select(lane.c.next_at).where(lane.c.next_at > at).order_by(lane.c.next_at).limit(1)
    found = connection.execute(statement).scalar()
    return found if isinstance(found, datetime) else None


_OF_CLAIM = "WHERE recipient = %(recipient)s AND child_id = %(child)s AND fence = %(fence)s"
_HOLDS = f"UPDATE lane SET locked_until = %(until)s {_OF_CLAIM} RETURNING failures"  # noqa: S608 - our own words
_WAITING = (
    "EXISTS (SELECT FROM delivery d "
    "WHERE d.recipient = %(recipient)s AND d.child_id = %(child)s AND d.state = 'pending')"
)
_LET_GO = f"""
    UPDATE lane SET locked_until = NULL, failures = coalesce(%(failures)s, failures),
        next_at = CASE WHEN {_WAITING} THEN %(next_at)s::timestamptz END {_OF_CLAIM}
"""  # noqa: S608 - as above
_CLOSE = f"UPDATE lane SET locked_until = NULL, failures = 0, next_at = NULL {_OF_CLAIM} AND NOT {_WAITING}"  # noqa: S608 - as above
_FORGET = f"UPDATE lane SET failures = 0 {_OF_CLAIM} AND failures > 0"  # noqa: S608 - as above


def holds(statements: Batch, claim: Claim, until: datetime) -> int | None:
    """Lock the lane and renew the lease, if the claim's fence still stands: its failures in a row, None where it does not.

    Call it first in a transaction that writes.
    """
    row = statements.send(_HOLDS, claim.values() | {"until": until}).fetchone()
    return None if row is None else int(row[0])


def let_go(statements: Batch, claim: Claim, next_at: datetime, *, failures: int | None = None) -> None:
    """Hand the lane back: due at `next_at` where something waits, else not due at all; nothing if the fence has moved.

    `failures` in a row stay as they are where none are given. Call after `claim_lane` or `holds` in the same transaction: with
    the lane locked, no delivery can be enqueued unseen.
    """
    statements.send(_LET_GO, claim.values() | {"next_at": next_at, "failures": failures})


def close_if_empty(statements: Batch, claim: Claim) -> None:
    """Hand the lane back if nothing waits in it any more. Call as `let_go`."""
    statements.send(_CLOSE, claim.values())


def forget_failures(statements: Batch, claim: Claim) -> None:
    """A delivery went through: the next failure is the first one again."""
    statements.send(_FORGET, claim.values())
