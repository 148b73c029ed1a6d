"""A connection of its own that waits for the database to say that something was queued, and holds the sweepers' lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
from sqlalchemy import Engine

from gateway.store.engine import libpq_url

CHANNEL = "planhub_lane"
LOCK = 5_044_913_220
"""pg_advisory_lock: one sweeper per database."""


class Listener:
    """Wakes when a lane got work. Notifications carry nothing: what is due is always looked up."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self._connection = connection

    def has_turn(self) -> bool:
        """Whether this process sweeps; another one that does keeps the lock until it ends. Ask once."""
        found = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
        return found == (True,)

    def wait(self, longest: timedelta) -> bool:
        """Until something was queued, at most this long; whether something was. Raises psycopg.OperationalError when cut off."""
        told = list(self._connection.notifies(timeout=max(0.0, longest.total_seconds()), stop_after=1))
        return bool(told)


@contextmanager
def listening(engine: Engine) -> Iterator[Listener]:
    """A listener on the engine's database for a block."""
    url = libpq_url(engine.url.render_as_string(hide_password=False))
    with psycopg.connect(url, autocommit=True, application_name="planhub sweep") as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        yield Listener(connection)
