"""One breaker per recipient: failures in a row stop all its lanes, and one probe at a time finds out whether it is back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, select

from gateway.store.pipeline import Answer, Batch
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


def look(statements: Batch, recipient: str) -> Answer:
    """How the recipient's breaker stands; read the answer with `is_closed`."""
    return statements.send(
        "SELECT 1 FROM breaker WHERE recipient = %(recipient)s AND state <> 'closed'",
        {"recipient": recipient},
    )


_PROBE = """
    UPDATE breaker SET state = 'half-open', probe_at = %(until)s
    WHERE recipient = %(recipient)s AND state <> 'closed' AND probe_at <= %(at)s RETURNING recipient
"""


def is_closed(found: Answer) -> bool:
    """Whether deliveries to the recipient go through, by what `look` was answered."""
    return found.fetchone() is None


def take_probe(statements: Batch, recipient: str, at: datetime, lease: timedelta) -> bool:
    """Where the wait of a breaker that is not closed is over, the first caller becomes the probe; whether it is this one.

    Everybody else waits: for the probe's answer, or for `lease` where the probe died.
    """
    probe = {"recipient": recipient, "at": at, "until": at + lease}
    return statements.send(_PROBE, probe).fetchone() is not None


_SUCCEEDED = """
    UPDATE breaker SET state = 'closed', failures = 0, probe_at = NULL
    WHERE recipient = %(recipient)s AND (failures > 0 OR state <> 'closed')
"""


def succeeded(statements: Batch, recipient: str) -> None:
    """The recipient answered: forget its failures."""
    statements.send(_SUCCEEDED, {"recipient": recipient})


_FIRST = """
    INSERT INTO breaker (recipient, state, failures) VALUES (%(recipient)s, 'closed', 0) ON CONFLICT DO NOTHING
"""
_FAILED = """
    UPDATE breaker SET failures = failures + 1,
        state = CASE WHEN state <> 'closed' OR failures + 1 >= %(limit)s THEN 'open' ELSE 'closed' END,
        probe_at = CASE WHEN state <> 'closed' OR failures + 1 >= %(limit)s THEN %(probe_at)s::timestamptz END
    WHERE recipient = %(recipient)s
"""


def failed(statements: Batch, recipient: str, at: datetime, trip: Trip) -> None:
    """One more failure in a row; as many as `trip` says open the breaker, and so does a probe that failed."""
    statements.send(_FIRST, {"recipient": recipient})
    statements.send(_FAILED, {"recipient": recipient, "limit": trip.failures, "probe_at": at + trip.wait})


_UNPROBED = """
    UPDATE breaker SET state = 'open', probe_at = %(at)s WHERE recipient = %(recipient)s AND state = 'half-open'
"""


def release_probe(statements: Batch, recipient: str, at: datetime) -> None:
    """A probe that was not sent after all (its decision refused) tells nothing: the next one may try at once."""
    statements.send(_UNPROBED, {"recipient": recipient, "at": at})


def list_breakers(connection: Connection) -> list[RowMapping]:
    """Every recipient that ever failed, the stopped ones first."""
    statement = select(breaker).order_by(breaker.c.state != BreakerState.OPEN, breaker.c.recipient)
    return list(connection.execute(statement).mappings())
