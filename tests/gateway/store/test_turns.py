"""A turn is one process's at a time, and is over when its block or its session is."""

import psycopg
import pytest

from gateway.store.engine import open_database
from gateway.store.pipeline import batch
from gateway.store.turns import turn


@pytest.fixture
def two(worker_copy):
    """Two processes, each with one connection."""
    databases = [open_database(worker_copy.app, pool_size=1) for _ in range(2)]
    yield databases
    for database in databases:
        database.close()


def test_one_has_it_and_the_other_goes_on_without_waiting(two):
    with turn(two[0], "poll clinic") as mine, turn(two[1], "poll clinic") as theirs:
        assert (mine, theirs) == (True, False)
    with turn(two[1], "poll clinic") as theirs:
        assert theirs


def test_turns_of_other_names_are_others(two):
    with turn(two[0], "poll clinic") as mine, turn(two[1], "poll district") as theirs:
        assert mine
        assert theirs


def test_a_block_that_fails_gives_its_turn_back(two):
    def fail() -> None:
        with turn(two[0], "poll clinic"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with turn(two[1], "poll clinic") as theirs:
        assert theirs


def test_a_connection_that_was_reset_with_its_last_commit_gives_the_turn_back_too(two):
    with two[0].transaction() as connection, batch(connection) as statements:
        statements.commit()
    with turn(two[0], "poll clinic") as mine:
        assert mine
    with turn(two[1], "poll clinic") as theirs:
        assert theirs


def test_a_turn_ends_with_its_session(two, worker_copy):
    with turn(two[0], "poll clinic") as mine:
        assert mine
        with psycopg.connect(worker_copy.admin, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        with turn(two[1], "poll clinic") as theirs:
            assert theirs
