"""Connections and transactions: SQLAlchemy Core over psycopg 3, READ COMMITTED, one transaction at a time per thread.

A role or a setting never outlives its transaction: both are set LOCAL, and a connection on its way back to the pool is
reset by the server, so the next user of it starts as the login role with nothing set (ARCHITECTURE §6).
"""

import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import PoolResetState

from gateway.store.pipeline import RESET, doubt, is_clean, soil, stain, wiped

_thread = threading.local()


class Role(StrEnum):
    """The roles planhub_app may take on for one transaction; each has no login (ARCHITECTURE §6)."""

    CONSENT = "planhub_consent"
    RELEASE = "planhub_release"
    MATCH = "planhub_match"
    INTAKE = "planhub_intake"
    FAMILY = "planhub_family"
    SEQUENCER = "planhub_sequencer"


class Database:
    """A pool of connections and the only way to open a transaction on them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def transaction(self, *, role: Role | None = None, durable: bool = True) -> Iterator[Connection]:
        """One READ COMMITTED transaction: committed at the end of the block, rolled back when it raises.

        `role` is taken on with SET LOCAL ROLE before the first statement. `durable=False` lets the commit return before
        its WAL is on disk: only for a commit that a later durable one covers (ARCHITECTURE §7). Raises RuntimeError
        where this thread already has a transaction open, whichever database it is on: two at once can wait for each
        other, and what belongs together belongs in one.
        """
        if in_transaction():
            raise RuntimeError("a transaction is already open on this thread; pass its connection on instead")
        _thread.open = True
        try:
            with self.engine.begin() as connection:
                _settle(connection, role, durable)
                yield connection
        finally:
            _thread.open = False

    def close(self) -> None:
        """Close every pooled connection. The database can be used again afterwards; it reconnects."""
        self.engine.dispose()


def in_transaction() -> bool:
    """Whether this thread is inside `Database.transaction`. Whoever is about to use a socket asserts that it is not."""
    return getattr(_thread, "open", False)


def open_database(url: str, pool_size: int = 8, *, application: str = "planhub") -> Database:
    """A `Database` on this URL; nothing is connected until the first transaction.

    `url` is a libpq or SQLAlchemy URL (`postgresql://` or `postgresql+psycopg://`). At most `pool_size` connections are
    open at once and further threads wait up to 30 s. `application` shows in pg_stat_activity.
    """
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        isolation_level="READ COMMITTED",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        pool_reset_on_return=None,  # _reset does it, with more than a rollback
        hide_parameters=True,  # an error text never carries a bound value
        connect_args={"application_name": application, **_patience(url)},
    )
    event.listen(engine, "checkout", _still_there)
    event.listen(engine, "reset", _reset)
    event.listen(engine, "before_cursor_execute", stain)
    event.listen(engine, "commit", soil)
    event.listen(engine, "rollback", doubt)
    event.listen(engine, "rollback_savepoint", doubt)
    return Database(engine)


LOCK_WAIT_S = 60


def _patience(url: str) -> dict[str, Any]:
    """How long a connection waits: to be made, for a lock, and for a server that has vanished without a word.

    Whatever a URL says itself is left as it is (PostgreSQL manual, 32.1.2).
    """
    waits = {
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        "options": f"-c lock_timeout={LOCK_WAIT_S}s",
    }
    return {name: value for name, value in waits.items() if name not in make_url(url).query}


def libpq_url(url: str, *, database: str | None = None) -> str:
    """The same address for psycopg or a PostgreSQL program, on another database of the server where one is named."""
    address = make_url(url).set(drivername="postgresql")
    if database is not None:
        address = address.set(database=database)
    base, mark, query = address.render_as_string(hide_password=False).partition("?")
    return (
        base + mark + query.replace("+", "%20")
    )  # libpq takes a plus sign for itself, SQLAlchemy writes it for a space


def _settle(connection: Connection, role: Role | None, durable: bool) -> None:
    """Role and durability in one round trip, before anything the caller does."""
    statements = []
    if role is not None:
        statements.append(f"SET LOCAL ROLE {role.value}")
    if not durable:
        statements.append("SET LOCAL synchronous_commit = off")
    if statements:
        connection.exec_driver_sql("; ".join(statements))


def _still_there(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    """Drop the pool's connections once the server has closed one, without a round trip per checkout.

    An idle connection has nothing to read; when its socket is readable, the server has hung up or said that it will. A
    peer that vanished without a word (a pulled cable) is not noticed here: that request fails and the next one connects.
    """
    poll = select.poll()
    if not dbapi_connection.closed:
        poll.register(dbapi_connection.fileno(), select.POLLIN)
        if not poll.poll(0):
            return
    raise InvalidatePoolError("the server has closed this connection")


def _reset(dbapi_connection: Any, record: Any, state: PoolResetState) -> None:
    """Undo whatever the last user left: an open transaction, a role, settings, cursors, advisory locks."""
    if state.terminate_only or is_clean(
        record.info
    ):  # the connection is closed next, or was reset with its last commit
        return
    dbapi_connection.rollback()
    dbapi_connection.autocommit = True  # else psycopg would open a transaction around the reset
    dbapi_connection.execute("; ".join(RESET))
    dbapi_connection.autocommit = False
    wiped(record.info)
