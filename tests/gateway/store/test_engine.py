import os
import threading
import time
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError, OperationalError, ProgrammingError

from gateway.store.engine import LOCK_WAIT_S, Database, Role, in_transaction, libpq_url, open_database


def who(connection: Connection) -> str:
    return str(connection.execute(text("SELECT current_user")).scalar_one())


def setting(connection: Connection, name: str) -> str:
    return str(
        connection.execute(text("SELECT current_setting(:name, true)"), {"name": name}).scalar_one() or ""
    )


@pytest.fixture
def one_connection(worker_copy):
    """A pool of one, so that every transaction gets the connection the last one gave back."""
    database = open_database(worker_copy.app, pool_size=1)
    yield database
    database.close()


def backend(database: Database) -> int:
    with database.transaction() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_transaction_is_read_committed_as_the_login_role(db):
    with db.transaction() as connection:
        assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
        assert who(connection) == "planhub_app"


def test_a_transaction_commits_at_its_end_and_rolls_back_when_its_block_raises(db, worker_copy):
    table = f"t_{uuid4().hex}"
    with psycopg.connect(worker_copy.admin) as admin:
        admin.execute(f"CREATE TABLE {table} (n int); GRANT ALL ON {table} TO planhub_app")
    with db.transaction() as connection:
        connection.execute(text(f"INSERT INTO {table} VALUES (1)"))

    def fail_halfway() -> None:
        with db.transaction() as connection:
            connection.execute(text(f"INSERT INTO {table} VALUES (2)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    with db.transaction() as connection:
        assert connection.execute(text(f"SELECT array_agg(n) FROM {table}")).scalar_one() == [1]


@pytest.mark.parametrize("role", list(Role))
def test_a_role_lasts_one_transaction(one_connection, role):
    with one_connection.transaction(role=role) as connection:
        assert who(connection) == role.value
    with one_connection.transaction() as connection:
        assert who(connection) == "planhub_app"


def test_a_role_does_not_outlive_a_transaction_that_failed(one_connection):
    with pytest.raises(ProgrammingError), one_connection.transaction(role=Role.RELEASE) as connection:
        connection.execute(text("SELECT no_such_column"))
    with one_connection.transaction() as connection:
        assert who(connection) == "planhub_app"


def test_a_transaction_that_need_not_be_durable_says_so_to_the_server_and_the_next_one_does_not(
    one_connection,
):
    with one_connection.transaction(durable=False) as connection:
        assert setting(connection, "synchronous_commit") == "off"
    with one_connection.transaction() as connection:
        assert setting(connection, "synchronous_commit") == "on"


def test_role_and_durability_are_set_together(one_connection):
    with one_connection.transaction(role=Role.SEQUENCER, durable=False) as connection:
        assert (who(connection), setting(connection, "synchronous_commit")) == ("planhub_sequencer", "off")


def test_a_pooled_connection_keeps_neither_role_nor_setting_nor_lock_even_where_they_were_not_set_local(
    one_connection,
):
    same = backend(one_connection)
    with one_connection.transaction() as connection:
        connection.execute(text("SET ROLE planhub_release"))
        connection.execute(text("SELECT set_config('planhub.release', :id, false)"), {"id": str(uuid4())})
        connection.execute(text("SET search_path = pg_temp"))
        connection.execute(text("SELECT pg_advisory_lock(77)"))
    with one_connection.transaction() as connection:
        assert connection.execute(text("SELECT pg_backend_pid()")).scalar_one() == same
        assert who(connection) == "planhub_app"
        assert setting(connection, "planhub.release") == ""
        assert setting(connection, "search_path") != "pg_temp"
        locks = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert connection.execute(locks).scalar_one() == 0


def test_prepared_statements_survive_the_way_back_to_the_pool(one_connection):
    for _ in range(12):  # psycopg prepares a statement at its sixth use
        with one_connection.transaction() as connection:
            assert connection.execute(text("SELECT cast(:n AS int)"), {"n": 3}).scalar_one() == 3
    with one_connection.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one() >= 1


def test_a_transaction_inside_a_transaction_is_refused_even_on_another_database(db, one_connection):
    with db.transaction():
        with pytest.raises(RuntimeError, match="already open on this thread"), one_connection.transaction():
            pass
        assert in_transaction()
    assert not in_transaction()


def test_a_refused_inner_transaction_leaves_the_outer_one_usable(db):
    with db.transaction() as connection:
        with pytest.raises(RuntimeError), db.transaction():
            pass
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_another_thread_may_have_a_transaction_of_its_own(db):
    seen: list[object] = []

    def elsewhere():
        seen.append(in_transaction())
        with db.transaction() as connection:
            seen.append(who(connection))

    with db.transaction():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(10)
    assert seen == [False, "planhub_app"]


def test_a_connection_the_server_has_closed_is_replaced_before_it_is_used(one_connection, worker_copy):
    before = backend(one_connection)
    with psycopg.connect(worker_copy.admin, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", (before,))
        for _ in range(200):
            if admin.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (before,)).fetchone() is None:
                break
            time.sleep(0.01)
    assert backend(one_connection) != before


def test_a_server_that_is_not_there_is_an_operational_error_not_a_hang(tmp_path):
    database = open_database(f"postgresql://planhub_app@/planhub?host={tmp_path}")
    began = time.monotonic()
    with pytest.raises(OperationalError), database.transaction():
        pass
    assert time.monotonic() - began < 5
    assert not in_transaction()


def test_an_error_never_shows_a_bound_value(db):
    with pytest.raises(DataError) as failed, db.transaction() as connection:
        connection.execute(text("SELECT length(:name) / 0"), {"name": "Wilhelmina"})
    assert "Wilhelmina" not in str(failed.value)


def test_nobody_waits_for_a_lock_for_ever_and_a_role_taken_on_waits_no_longer(one_connection):
    with one_connection.transaction() as connection:
        assert setting(connection, "lock_timeout") == f"{LOCK_WAIT_S // 60}min"
        connection.execute(text("SET lock_timeout = 0"))
    with one_connection.transaction(role=Role.RELEASE) as connection:
        assert setting(connection, "lock_timeout") == f"{LOCK_WAIT_S // 60}min"


def test_a_url_that_says_how_long_to_wait_is_heeded(worker_copy):
    separator = "&" if "?" in worker_copy.app else "?"
    database = open_database(f"{worker_copy.app}{separator}options=-c%20lock_timeout%3D5s", pool_size=1)
    with database.transaction() as connection:
        assert setting(connection, "lock_timeout") == "5s"
    database.close()


def test_the_url_for_other_programs_can_name_another_database():
    url = "postgresql+psycopg://planhub_app:p%40ss@/planhub?host=%2Frun%2Fplanhub"
    assert libpq_url(url) == "postgresql://planhub_app:p%40ss@/planhub?host=%2Frun%2Fplanhub"
    assert libpq_url("postgresql://a@/b?host=%2Frun%2Fan%20hub%2B").endswith("?host=%2Frun%2Fan%20hub%2B")
    assert libpq_url(url, database="copy").split("?")[0].endswith("/copy")


def test_threads_wait_for_a_free_connection(worker_copy):
    database = open_database(worker_copy.app, pool_size=2)
    done = []

    def work():
        with database.transaction() as connection:
            connection.execute(text("SELECT pg_sleep(0.02)"))
            done.append(os.getpid())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    database.close()
    assert len(done) == 8
