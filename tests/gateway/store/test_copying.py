"""Rows go in by COPY as they came: whatever their text holds, and values psycopg knows how to write and we do not."""

from datetime import UTC, date, datetime, timedelta, timezone
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from sqlalchemy import text

from gateway.store.copying import copy_rows
from mappings.record.assertion import Status


def test_rows_are_copied_in_and_roll_back_with_their_transaction(db):
    ids = [uuid4() for _ in range(3)]
    rows = [(ids[0], b"\x00\xff", "tab\there", 1), (ids[1], b"", "line\nend\\N", None), (ids[2], b"a", "", 3)]
    with db.transaction() as connection:
        connection.execute(
            text("CREATE TEMP TABLE staged (id uuid, body bytea, words text, n int) ON COMMIT DROP")
        )
        assert copy_rows(connection, "staged", ("id", "body", "words", "n"), iter(rows)) == 3
        back = connection.execute(text("SELECT id, body, words, n FROM staged")).all()
        assert sorted(map(tuple, back)) == sorted(rows)
        assert copy_rows(connection, "pg_temp.staged", ("id",), []) == 0


def test_a_moment_a_status_a_list_and_json_arrive_as_they_are(db):
    at = datetime(2026, 11, 22, 6, 30, 1, 5, tzinfo=timezone(timedelta(hours=-5)))
    rows = [
        (at, Status.CURRENT, ["a,b", 'c"d', "e\\f"], Jsonb({"k": "tab\t"}), True, date(2026, 2, 3), 1.5),
        (at.astimezone(UTC), "", [], Jsonb(None), None, None, None),
    ]
    columns = ("at", "status", "words", "told", "yes", "day", "share")
    with db.transaction() as connection:
        connection.execute(
            text(
                "CREATE TEMP TABLE staged (at timestamptz, status text, words text[], told jsonb, yes boolean, day date, "
                "share float) ON COMMIT DROP"
            )
        )
        assert copy_rows(connection, "staged", columns, rows) == 2
        first, second = connection.execute(text("SELECT * FROM staged ORDER BY status DESC")).all()
    assert tuple(first) == (
        at,
        "current",
        ["a,b", 'c"d', "e\\f"],
        {"k": "tab\t"},
        True,
        date(2026, 2, 3),
        1.5,
    )
    assert tuple(second) == (at, "", [], None, None, None, None)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_characters="\0", codec="utf-8")), st.binary()), max_size=250
    )
)
def test_any_text_and_any_bytes_survive(db, rows):
    numbered = [(number, *row) for number, row in enumerate(rows)]
    with db.transaction() as connection:
        connection.execute(text("CREATE TEMP TABLE staged (n int, words text, body bytea) ON COMMIT DROP"))
        assert copy_rows(connection, "staged", ("n", "words", "body"), numbered) == len(rows)
        back = connection.execute(text("SELECT n, words, body FROM staged ORDER BY n")).all()
    assert [tuple(row) for row in back] == numbered
