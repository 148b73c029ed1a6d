"""The connection below SQLAlchemy, for the few paths where round trips are what time is spent on.

A batch goes to the server in one write and comes back in one read, over libpq's pipeline mode (PostgreSQL manual, 34.5): psycopg's
own pipeline writes each statement by itself, which wakes the server as often. Inside a batch each statement still takes its
own snapshot, so "lock, then look" holds (ARCHITECTURE §6); if one fails, those after it do not run.
"""

import re
import select
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, NamedTuple

import psycopg
from psycopg import pq
from psycopg.abc import Buffer
from psycopg.adapt import PyFormat, Transformer
from psycopg.rows import TupleRow
from sqlalchemy import Connection

Driver = psycopg.Connection[TupleRow]
_Key = tuple[str, tuple[int, ...]]

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_COMMIT = "COMMIT"
RESET = ("RESET ROLE", "RESET ALL", "CLOSE ALL", "UNLISTEN *", "SELECT pg_advisory_unlock_all()")
"""DISCARD ALL without DEALLOCATE ALL, which would pull the prepared statements from under whoever prepared them."""

_SESSION = "planhub session"
_NAMED = re.compile(r"%\((\w+)\)s")
_PASSING = re.compile(r"(BEGIN|COMMIT|SELECT|INSERT|UPDATE|DELETE|WITH|SET LOCAL)\b")
_OUTLASTING = re.compile(r"set_config\((?!'[\w.]+', [^()]+, true\))|advisory_(?!xact)", re.IGNORECASE)


def driver_of(connection: Connection) -> Driver:
    """The psycopg connection below; raises RuntimeError in autocommit, where SET LOCAL would last one statement."""
    stain(connection)  # what is done with it is not seen here
    return _driver(connection)


def _driver(connection: Connection) -> Driver:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    if driver.autocommit:
        raise RuntimeError("this needs a transaction: a connection in autocommit forgets SET LOCAL at once")
    return driver


@lru_cache(maxsize=512)
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...], bool]:
    """The statement with `$1` in place of `%(name)s`, the names in their order, whether it may outlast its transaction."""
    names: dict[str, int] = {}
    text = _NAMED.sub(lambda found: f"${names.setdefault(found[1], len(names) + 1)}", statement)
    outlasts = _PASSING.match(text) is None or _OUTLASTING.search(text) is not None
    return text.encode(), tuple(names), outlasts


class _Session:
    """What lasts as long as a connection: its way of writing and reading values, and what it has prepared.

    `names`: a statement and the types of its values → its name on the server. `stained`: something may have been done on it
    since it was last reset that outlasts its transaction. `clean`: it is not, and no transaction is open.
    """

    def __init__(self, driver: Driver) -> None:
        self.transformer = Transformer(driver)
        self.names: dict[_Key, bytes] = {}
        self.doubtful = False
        self.stained = True  # what happened before is not known
        self.clean = False
        self._drawn = 0

    def recall(self, driver: Driver) -> None:
        """Keep of `names` what the server still has: psycopg has it drop every prepared statement after a rollback."""
        kept = driver.execute("SELECT array_agg(name::text) FROM pg_prepared_statements").fetchone()
        there = {name.encode() for name in (kept and kept[0]) or ()}
        self.names = {key: name for key, name in self.names.items() if name in there}
        self.doubtful = False

    def draw(self) -> bytes:
        """A name nobody has: a statement that could not be prepared does not give its own back."""
        self._drawn += 1
        return b"planhub_%d" % self._drawn


class Answer:
    """The rows of one statement of a batch. Asking for them waits for everything sent so far."""

    __slots__ = ("_batch", "_rows", "_taken")

    def __init__(self, batch: "Batch") -> None:
        self._batch = batch
        self._rows: list[TupleRow] | None = None
        self._taken = 0

    def fill(self, rows: list[TupleRow]) -> None:
        """The rows have come."""
        self._rows = rows

    def fetchall(self) -> list[TupleRow]:
        """The rows nobody has fetched yet."""
        if self._rows is None:
            self._batch.wait()
        assert self._rows is not None
        rest = self._rows[self._taken :]
        self._taken = len(self._rows)
        return rest

    def fetchone(self) -> TupleRow | None:
        """The next row, or None after the last."""
        if self._rows is None:
            self._batch.wait()
        assert self._rows is not None
        if self._taken == len(self._rows):
            return None
        self._taken += 1
        return self._rows[self._taken - 1]

    def __iter__(self) -> Iterator[TupleRow]:
        return iter(self.fetchall())


class _Expected(NamedTuple):
    """A result on its way: whose rows it holds, and what it makes known on this connection if it is well."""

    answer: Answer | None = None
    prepares: tuple[_Key, bytes] | None = None


class Batch:
    """Statements on their way to the server together; results are waited for where one is asked for."""

    def __init__(self, driver: Driver, session: _Session, *, alone: bool) -> None:
        self._server = driver.pgconn
        self._session = session
        self._preparing: dict[_Key, bytes] = {}
        self._expected: deque[_Expected] = deque()
        self._begun = alone or self._server.transaction_status != pq.TransactionStatus.IDLE

    def send(self, statement: str, values: Mapping[str, Any] | None = None) -> Answer:
        """Queue a statement, prepared on the server the first time this connection meets it."""
        if not self._begun:
            self._begun, self._session.clean = True, False
            self._queue(_BEGIN, {})
        return self._queue(statement, values or {})

    def commit(self) -> None:
        """Commit after what was sent; whoever opened the transaction then finds nothing left to commit.

        Where something may outlast it, the connection is reset in the same write: its way back to the pool costs no more.
        """
        for statement in (_COMMIT, *(RESET if self._session.stained else ())):
            self._queue(statement, {})
        self.wait()
        self._session.clean, self._session.stained = True, False
        self._begun = False

    def wait(self) -> None:
        """Have everything sent so far answered. Raises the database's error of the first statement that failed."""
        if self._expected:
            failure = self._settle()
            if failure is not None:
                raise failure

    def abandon(self) -> None:
        """Leave no answer on the way, whatever it says; for a batch whose block has raised."""
        if self._expected:
            self._settle()

    def _queue(self, statement: str, values: Mapping[str, Any]) -> Answer:
        text, order, outlasts = _numbered(statement)
        self._session.stained |= outlasts
        params: Sequence[Buffer | None] | None = None
        types: tuple[int, ...] = ()
        formats: Sequence[pq.Format] | None = None
        if order:
            transformer = self._session.transformer
            params = transformer.dump_sequence([values[name] for name in order], [PyFormat.AUTO] * len(order))
            types, formats = transformer.types or (), transformer.formats
        self._server.send_query_prepared(
            self._name(statement, types, text), params, formats, pq.Format.BINARY
        )
        answer = Answer(self)
        self._expected.append(_Expected(answer))
        return answer

    def _name(self, statement: str, types: tuple[int, ...], text: bytes) -> bytes:
        """The name this statement is prepared under, which goes ahead of it where it is not."""
        key = (statement, types)
        name = self._session.names.get(key) or self._preparing.get(key)
        if name is None:
            name = self._preparing[key] = self._session.draw()
            self._server.send_prepare(name, text, types or None)
            self._expected.append(_Expected(prepares=(key, name)))
        return name

    def _settle(self) -> psycopg.Error | None:
        """Write everything, read every result; the first error among them."""
        self._server.pipeline_sync()
        poll = select.poll()
        self._flush(poll)
        poll.register(self._server.socket, select.POLLIN)
        failure: psycopg.Error | None = None
        while (result := self._next(poll)).status != pq.ExecStatus.PIPELINE_SYNC:
            expected = self._expected.popleft()
            if result.status == pq.ExecStatus.PIPELINE_ABORTED:
                continue  # one before it failed
            if result.status == pq.ExecStatus.FATAL_ERROR:
                failure = failure or psycopg.errors.error_from_result(result)
            elif expected.prepares is not None:
                key, name = expected.prepares
                self._session.names[key] = name
            elif expected.answer is not None:
                expected.answer.fill(self._rows(result))
        return failure

    def _flush(self, poll: select.poll) -> None:
        server = self._server
        poll.register(server.socket, select.POLLIN | select.POLLOUT)
        while server.flush():
            if any(happened & ~select.POLLOUT for _, happened in poll.poll()):
                server.consume_input()  # else each side could wait for the other to read

    def _next(self, poll: select.poll) -> pq.abc.PGresult:
        server = self._server
        while True:
            while server.is_busy():
                poll.poll()
                server.consume_input()
            result = server.get_result()
            if result is not None:  # None stands between two statements
                return result

    def _rows(self, result: pq.abc.PGresult) -> list[TupleRow]:
        if result.status != pq.ExecStatus.TUPLES_OK:
            return []
        self._session.transformer.set_pgresult(result)
        return self._session.transformer.load_rows(0, result.ntuples, tuple)


def doubt(connection: Connection, *_: object) -> None:
    """Something was rolled back on this connection: what it had prepared may be gone. A listener of the engine's events."""
    session = connection.info.get(_SESSION)
    if session is not None:
        session.doubtful, session.clean = True, False


def soil(connection: Connection) -> None:
    """A transaction is about to be committed, by SQLAlchemy: what it did came after the last reset. A listener too."""
    session = connection.info.get(_SESSION)
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    if session is not None and driver.pgconn.transaction_status != pq.TransactionStatus.IDLE:
        session.clean = False


def stain(connection: Connection, *_: object) -> None:
    """Something is about to be done on this connection that no batch does. A listener too."""
    session = connection.info.get(_SESSION)
    if session is not None:
        session.stained, session.clean = True, False


def is_clean(info: Mapping[str, Any]) -> bool:
    """Whether a connection is as it was when last reset, with no transaction open; `info` is its record's."""
    session = info.get(_SESSION)
    return session is not None and session.clean and not session.stained


def wiped(info: Mapping[str, Any]) -> None:
    """The connection has been reset."""
    session = info.get(_SESSION)
    if session is not None:
        session.stained, session.clean = False, True


@contextmanager
def batch(connection: Connection, *, alone: bool = False) -> Iterator[Batch]:
    """One pipeline on the connection's open transaction, which begins with the first statement if it has not.

    A batch that is `alone` on a connection with no transaction open needs neither BEGIN nor COMMIT: what it sends up to the
    first answer asked for is a transaction of its own (PostgreSQL manual, 34.5.1.1).
    """
    driver = _driver(connection)
    session = connection.info.get(_SESSION)
    if session is None:
        session = connection.info[_SESSION] = _Session(driver)
    elif session.doubtful:
        session.recall(driver)
    statements = Batch(driver, session, alone=alone)
    driver.pgconn.enter_pipeline_mode()
    try:
        yield statements
        statements.wait()
    except BaseException:
        with suppress(psycopg.Error):  # what was raised says more than that the connection is gone
            statements.abandon()
            driver.pgconn.exit_pipeline_mode()
        raise
    driver.pgconn.exit_pipeline_mode()
