"""Turns: a named lock that one process holds at a time, for as long as its session lives, and no longer."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from sqlalchemy import text

from gateway.store.engine import Database


@contextmanager
def turn(db: Database, name: str) -> Iterator[bool]:
    """Whether this process has the turn of that name for the block; never waits.

    It holds a connection of the pool. A process that dies, or loses its connection, loses its turn with it: what must not
    be done twice is guarded where it is written, too.
    """
    number = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield bool(connection.execute(text("SELECT pg_try_advisory_lock(:n)"), {"n": number}).scalar_one())
