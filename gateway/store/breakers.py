"""One breaker per recipient: failures in a row stop all its lanes, and one probe at a time finds out whether it is back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, select, text, update
from sqlalchemy.dialects.postgresql import insert

from gateway.store.tables import breaker


class BreakerState(StrEnum):
    """Closed lets everything through, open nothing, half-open one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Trip:
    """When a breaker opens and for how long."""

    failures: int
    wait: timedelta


def may_send(connection: Connection, recipient: str, at: datetime, lease: timedelta) -> bool:
    """Whether a delivery to this recipient may be tried now.

    Where the breaker is open and its wait is over, the first caller becomes the probe and everybody else waits: for the
    probe's answer, or for `lease` where the probe died.
    """
    row = connection.execute(select(breaker).where(breaker.c.recipient == recipient)).first()
    if row is None or row.state == BreakerState.CLOSED:
        return True
    probing = connection.execute(
        update(breaker)
        .where(
            breaker.c.recipient == recipient,
            breaker.c.state != BreakerState.CLOSED,
            breaker.c.probe_at <= at,
        )
        .values(state=BreakerState.HALF_OPEN, probe_at=at + lease)
    )
    return probing.rowcount == 1


def succeeded(connection: Connection, recipient: str) -> None:
    """The recipient answered: forget its failures."""
    connection.execute(
        update(breaker)
        .where(
            breaker.c.recipient == recipient,
            (breaker.c.failures > 0) | (breaker.c.state != BreakerState.CLOSED),
        )
        .values(state=BreakerState.CLOSED, failures=0, probe_at=None)
    )


_FAILED = text(
    "UPDATE breaker SET failures = failures + 1, "
    "state = CASE WHEN state <> 'closed' OR failures + 1 >= :limit THEN 'open' ELSE 'closed' END, "
    "probe_at = CASE WHEN state <> 'closed' OR failures + 1 >= :limit THEN cast(:probe_at AS timestamptz) END "
    "WHERE recipient = :recipient RETURNING state"
)


def failed(connection: Connection, recipient: str, at: datetime, trip: Trip) -> BreakerState:
    """One more failure in a row; the state it leaves behind. A failed probe opens the breaker again at once."""
    connection.execute(
        insert(breaker)
        .values(recipient=recipient, state=BreakerState.CLOSED, failures=0)
        .on_conflict_do_nothing()
    )
    parameters = {"recipient": recipient, "limit": trip.failures, "probe_at": at + trip.wait}
    return BreakerState(connection.execute(_FAILED, parameters).scalar_one())


def release_probe(connection: Connection, recipient: str, at: datetime) -> None:
    """A probe that was not sent after all (its decision refused) tells nothing: the next one may try at once."""
    connection.execute(
        update(breaker)
        .where(breaker.c.recipient == recipient, breaker.c.state == BreakerState.HALF_OPEN)
        .values(state=BreakerState.OPEN, probe_at=at)
    )


def list_breakers(connection: Connection) -> list[RowMapping]:
    """Every recipient that ever failed, the stopped ones first."""
    statement = select(breaker).order_by(breaker.c.state != BreakerState.OPEN, breaker.c.recipient)
    return list(connection.execute(statement).mappings())
