"""A batch goes and comes as one; what fails in it is told, and the connection stays good."""

from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, ProgrammingError

from gateway.store.engine import Database, open_database
from gateway.store.pipeline import batch, driver_of

ECHO = "SELECT %(value)s::text"


@pytest.fixture
def one_connection(worker_copy):
    """A pool of one, so that every transaction gets the connection the last one gave back."""
    database = open_database(worker_copy.app, pool_size=1)
    yield database
    database.close()


def echoed(database: Database, value: str) -> object:
    with database.transaction() as connection, batch(connection) as statements:
        return statements.send(ECHO, {"value": value}).fetchone()


def test_answers_come_to_whoever_asked_whatever_the_order_of_asking(db):
    with db.transaction() as connection, batch(connection) as statements:
        answers = [statements.send(ECHO, {"value": str(n)}) for n in range(5)]
        assert [answer.fetchall() for answer in reversed(answers)] == [[(str(n),)] for n in (4, 3, 2, 1, 0)]


def test_rows_are_given_once_one_by_one_or_the_rest(db):
    with db.transaction() as connection, batch(connection) as statements:
        answer = statements.send("SELECT n FROM generate_series(1, 4) AS n")
        assert answer.fetchone() == (1,)
        assert list(answer) == [(2,), (3,), (4,)]
        assert (answer.fetchone(), answer.fetchall()) == (None, [])


def test_values_come_back_as_they_went(db):
    values = {
        "id": uuid4(),
        "ids": [uuid4(), uuid4()],
        "none": None,
        "empty": [],
        "words": ["a", 'ü,{}"'],
        "bytes": b"\x00\xff",
        "at": datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
        "number": 2**40,
    }
    with db.transaction() as connection, batch(connection) as statements:
        answer = statements.send(
            "SELECT %(id)s::uuid, %(ids)s::uuid[], %(none)s::text, %(empty)s::text[], %(words)s::text[], "
            "%(bytes)s::bytea, %(at)s::timestamptz, %(number)s::bigint",
            values,
        )
        assert answer.fetchone() == tuple(values.values())


def test_a_name_may_stand_in_a_statement_more_than_once(db):
    with db.transaction() as connection, batch(connection) as statements:
        answer = statements.send("SELECT %(b)s::int, %(a)s::int, %(b)s::int", {"a": 1, "b": 2})
        assert answer.fetchone() == (2, 1, 2)


def test_each_statement_has_a_snapshot_of_its_own(db):
    with db.transaction() as connection, batch(connection) as statements:
        first, second = (statements.send("SELECT statement_timestamp()").fetchone() for _ in range(2))
        begun = statements.send("SELECT transaction_timestamp()").fetchone()
    assert begun is not None
    assert first is not None
    assert second is not None
    assert begun <= first < second


def test_a_batch_is_in_the_transaction_around_it(one_connection):
    with one_connection.transaction() as connection:
        connection.execute(text("SET LOCAL search_path = pg_temp"))
        with batch(connection) as statements:
            assert statements.send("SELECT current_setting('search_path')").fetchone() == ("pg_temp",)
            statements.send("SET LOCAL application_name = 'inside'")
        assert connection.execute(text("SHOW application_name")).scalar_one() == "inside"
    with one_connection.transaction() as connection:
        assert connection.execute(text("SHOW application_name")).scalar_one() != "inside"


def test_after_a_commit_nothing_is_open_and_another_statement_begins_anew(one_connection):
    with one_connection.transaction() as connection, batch(connection) as statements:
        statements.send("SET LOCAL application_name = 'first'")
        statements.commit()
        assert statements.send("SHOW application_name").fetchone() != ("first",)
        now = "SELECT transaction_timestamp() = statement_timestamp()"
        statements.send(now)
        assert statements.send(now).fetchone() == (False,)


LEFTOVERS = (
    "SET ROLE planhub_release",
    "SELECT set_config('planhub.release', 'left over', false)",
    "SELECT pg_advisory_lock(78)",
)


def left_on(database: Database) -> tuple[object, ...]:
    """What a new user of the pool's one connection finds."""
    with database.transaction() as connection:
        return tuple(
            connection.execute(
                text(
                    "SELECT current_user::text, coalesce(current_setting('planhub.release', true), ''), "
                    "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
                )
            ).one()
        )


def test_a_batch_that_commits_leaves_nothing_on_the_connection(one_connection):
    with one_connection.transaction() as connection, batch(connection) as statements:
        for statement in LEFTOVERS:
            statements.send(statement)
        statements.commit()
    assert left_on(one_connection) == ("planhub_app", "", 0)


@pytest.mark.parametrize("how", ["sqlalchemy", "driver", "batch"])
def test_what_happens_after_a_batch_has_committed_does_not_stay_either(one_connection, how):
    with one_connection.transaction() as connection:
        with batch(connection) as statements:
            statements.send("SELECT 1")
            statements.commit()
        if how == "batch":
            with batch(connection) as statements:
                for statement in LEFTOVERS:
                    statements.send(statement)
        for statement in LEFTOVERS if how == "sqlalchemy" else ():
            connection.execute(text(statement))
        for statement in LEFTOVERS if how == "driver" else ():
            driver_of(connection).execute(statement.encode())
    assert left_on(one_connection) == ("planhub_app", "", 0)


def test_the_first_failure_is_told_and_what_comes_after_it_does_not_run(one_connection):
    def fail() -> None:
        with one_connection.transaction() as connection, batch(connection) as statements:
            statements.send("SELECT 1 / %(n)s::int", {"n": 0})
            statements.send("SELECT set_config('application_name', 'after the failure', false)")
            statements.send("SELECT no_such_column")

    with pytest.raises(psycopg.errors.DivisionByZero):
        fail()
    with one_connection.transaction() as connection:
        assert connection.execute(text("SHOW application_name")).scalar_one() != "after the failure"
    assert echoed(one_connection, "well") == ("well",)


def test_a_failure_is_raised_where_an_answer_is_waited_for(one_connection):
    def fail() -> None:
        with one_connection.transaction() as connection, batch(connection) as statements:
            answer = statements.send("SELECT 1 / %(n)s::int", {"n": 0})
            with pytest.raises(psycopg.errors.DivisionByZero):
                answer.fetchall()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert echoed(one_connection, "well") == ("well",)


def test_when_the_block_raises_its_own_error_leaves_and_nothing_is_committed(one_connection):
    def fail() -> None:
        with one_connection.transaction() as connection, batch(connection) as statements:
            statements.send("INSERT INTO kept VALUES (1)")
            raise KeyError

    with one_connection.transaction() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE kept (n int)"))
    with pytest.raises(KeyError):
        fail()
    with one_connection.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM kept")).scalar_one() == 0


def test_what_psycopg_had_the_server_forget_is_prepared_again(one_connection):
    def fail() -> None:
        with one_connection.transaction() as connection:
            for _ in range(8):  # psycopg prepares it, and has everything dropped after the rollback
                connection.execute(text("SELECT cast(:n AS int)"), {"n": 1})
            connection.execute(text("SELECT no_such_column"))

    assert echoed(one_connection, "before") == ("before",)
    with pytest.raises(ProgrammingError):
        fail()
    assert echoed(one_connection, "after") == ("after",)
    with one_connection.transaction() as connection:
        for _ in range(8):
            connection.execute(text("SELECT cast(:n AS int)"), {"n": 1})
        with pytest.raises(ProgrammingError), connection.begin_nested():
            connection.execute(text("SELECT no_such_column"))
        with batch(connection) as statements:
            assert statements.send(ECHO, {"value": "after a savepoint"}).fetchone() == ("after a savepoint",)


def test_a_statement_is_prepared_once_for_a_connection(one_connection):
    for _ in range(5):
        echoed(one_connection, "x")
    with one_connection.transaction() as connection:
        found = connection.execute(
            text("SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1::text'")
        )
        assert found.scalar_one() == 1


def test_more_than_both_ways_hold_at_once_goes_through(db):
    long = "x" * 20_000
    with db.transaction() as connection, batch(connection) as statements:
        answers = [statements.send(ECHO, {"value": long}) for _ in range(1_000)]
        assert all(answer.fetchone() == (long,) for answer in answers)


def test_a_connection_lost_in_a_batch_is_an_error_and_the_next_transaction_has_a_new_one(
    one_connection, worker_copy
):
    def lose() -> None:
        with one_connection.transaction() as connection, batch(connection) as statements:
            found = statements.send("SELECT pg_backend_pid()").fetchone()
            assert found is not None
            with psycopg.connect(worker_copy.admin, autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 5000)", found)
            statements.send("SELECT 1").fetchone()

    with pytest.raises((psycopg.OperationalError, OperationalError)):
        lose()
    assert echoed(one_connection, "well") == ("well",)


def test_a_batch_refuses_autocommit(worker_copy):
    database = open_database(worker_copy.app, pool_size=1)
    database.engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with (
            pytest.raises(RuntimeError, match="autocommit"),
            database.transaction() as connection,
            batch(connection),
        ):
            pass
    finally:
        database.close()


def test_a_batch_of_passing_statements_alone_is_not_followed_by_a_reset(one_connection):
    with one_connection.transaction() as connection, batch(connection) as statements:
        statements.send("SET LOCAL ROLE planhub_release")
        statements.commit()
    with one_connection.transaction() as connection, batch(connection) as statements:
        statements.send("SELECT set_config('role', %(role)s, true)", {"role": "planhub_release"})
        statements.commit()
    with one_connection.transaction() as connection:
        session = connection.info["planhub session"]
        assert session.clean
        assert not session.stained
    assert left_on(one_connection) == ("planhub_app", "", 0)


def test_a_batch_alone_opens_no_transaction_and_leaves_nothing_behind(one_connection):
    for statement in ("SELECT 1", *LEFTOVERS):
        with one_connection.transaction() as connection:
            driver = connection.connection.driver_connection
            with batch(connection, alone=True) as statements:
                statements.send(statement).fetchall()
            assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert left_on(one_connection) == ("planhub_app", "", 0)
