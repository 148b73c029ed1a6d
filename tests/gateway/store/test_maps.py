"""Maps lie in the database in every version that was ever approved; one person alone changes nothing that runs."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.store import maps
from gateway.store.maps import MapName, MapRefusal
from mappings.engine.compiled import CompiledMap
from mappings.engine.shipped import MapFiles, shipped_files

AT = datetime(2026, 11, 22, tzinfo=UTC)
NAME = "planhub/edfi-staff"


def version(number: str, title: str = "Staff") -> tuple[MapFiles, CompiledMap]:
    files = next(one for one in shipped_files() if f"map: {NAME}\n" in one.map_text)
    lines = files.map_text.splitlines(keepends=True)
    lines = [f"version: {number}\n" if line.startswith("version: ") else line for line in lines]
    lines = [f"title: {title}\n" if line.startswith("title: ") else line for line in lines]
    changed = replace(files, map_text="".join(lines))
    compiled = changed.compile().map
    assert compiled is not None
    return changed, compiled


@pytest.fixture
def conn(db):
    """A transaction whose work is not kept."""
    with db.transaction() as connection:
        yield connection
        connection.rollback()


def used(conn) -> str:
    return maps.in_use(conn)[NAME].version


def approve(conn, number: str) -> MapRefusal | None:
    return maps.approve(conn, MapName(NAME, number), "tom", AT)


def test_a_release_records_its_maps_once(conn):
    assert maps.record_shipped(conn, [version("7.0.0")], AT) == ()
    assert maps.record_shipped(conn, [version("7.0.0")], AT) == ()
    assert used(conn) == "7.0.0"


def test_a_release_that_changes_a_version_is_told_so_and_changes_nothing(conn):
    maps.record_shipped(conn, [version("7.0.0")], AT)
    assert maps.record_shipped(conn, [version("7.0.0", "Other")], AT) == (MapName(NAME, "7.0.0"),)
    loaded = maps.load(conn, MapName(NAME, "7.0.0"))
    assert loaded is not None
    assert "title: Staff\n" in loaded[0].map_text


def test_what_is_loaded_compiles_to_what_was_recorded(conn):
    files, compiled = version("7.0.0")
    maps.record_shipped(conn, [(files, compiled)], AT)
    loaded = maps.load(conn, MapName(NAME, ""))
    assert loaded is not None
    again = loaded[0].compile().map
    assert again is not None
    assert again.content_hash == compiled.content_hash == loaded[1].hex()


def test_a_version_is_used_once_a_second_person_agreed(conn):
    maps.record_shipped(conn, [version("7.0.0")], AT)
    assert maps.publish(conn, *version("7.1.0"), "ines", AT) is None
    assert used(conn) == "7.0.0"
    assert maps.load(conn, MapName(NAME, "7.1.0")) is None
    assert maps.approve(conn, MapName(NAME, "7.1.0"), "ines", AT) is MapRefusal.SAME_PERSON
    assert approve(conn, "7.1.0") is None
    assert used(conn) == "7.1.0"
    assert approve(conn, "7.1.0") is MapRefusal.NOT_PUBLISHED


def test_publishing_again_what_is_in_use_changes_nothing_until_it_is_approved(conn):
    maps.record_shipped(conn, [version("7.0.0")], AT)
    maps.publish(conn, *version("7.1.0"), "ines", AT)
    approve(conn, "7.1.0")
    before = maps.hashes(conn)
    maps.publish(conn, *version("7.1.0"), "ines", AT)
    assert used(conn) == "7.1.0"
    assert maps.hashes(conn) == before
    maps.publish(conn, *version("7.0.0"), "ines", AT)
    assert used(conn) == "7.1.0"
    assert maps.load(conn, MapName(NAME, "7.0.0")) is not None, "a connection that names it goes on with it"
    approve(conn, "7.0.0")
    assert used(conn) == "7.0.0"


def test_a_version_that_is_there_with_other_content_needs_a_new_number(conn):
    maps.record_shipped(conn, [version("7.0.0")], AT)
    refused = maps.publish(conn, *version("7.0.0", "Other"), "ines", AT)
    assert refused is MapRefusal.OTHER_CONTENT
    assert used(conn) == "7.0.0"


def test_versions_are_listed_with_the_people_who_put_them_there(conn):
    maps.record_shipped(conn, [version("7.0.0")], AT)
    maps.publish(conn, *version("7.1.0"), "ines", AT, "two more roles")
    approve(conn, "7.1.0")
    rows = [row for row in maps.list_versions(conn, NAME) if row["version"].startswith("7.")]
    assert [(row["version"], row["published_by"], row["approved_by"], row["note"]) for row in rows] == [
        ("7.1.0", "ines", "tom", "two more roles"),
        ("7.0.0", "release", "release", None),
    ]
    assert all("files" not in row for row in rows)
