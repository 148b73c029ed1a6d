"""`planhub map`: a map is a folder an IT person edits, checks, compares and puts forward; a second person takes it into use."""

import json
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from gateway.exchange.opening import record_maps
from tests.gateway.cli.conftest import Planhub, Ran

NAME = "elm-city/student"


@pytest.fixture
def folder(planhub, tmp_path):
    """A community's own map, begun from a shipped one."""
    path = Path(tmp_path) / "student"
    ran = planhub("map", "new", path, "--from", "planhub/edfi-student", "--id", NAME)
    assert ran.code == Exit.OK, ran.err
    return path


@pytest.fixture
def edit(folder):
    def edited(old: str, new: str, path: Path = folder) -> Path:
        text = (path / "map.yaml").read_text()
        assert old in text
        (path / "map.yaml").write_text(text.replace(old, new, 1))
        return path

    return edited


def raised(edit, version: str) -> Path:
    """The map under another version: what is published once never changes."""
    changed: Path = edit("version: 0.1.0", f"version: {version}")
    return changed


def published(planhub: Planhub, folder: Path, by: str = "ines") -> Ran:
    return planhub("map", "publish", folder, "-m", "dates are US style", "--by", by, "--yes")


def states(planhub: Planhub) -> dict[str, str]:
    maps = planhub("map", "list", "--json").json["maps"]
    return {f"{one['map']}@{one['version']}": one["state"] for one in maps}


def test_a_new_map_is_the_shipped_one_under_its_own_name_and_passes_its_check(planhub, folder):
    text = (folder / "map.yaml").read_text()
    assert f"map: {NAME}\n" in text
    assert "version: 0.1.0\n" in text
    assert "owner: elm-city\n" in text
    ran = planhub("map", "check", folder, "--json")
    assert ran.code == Exit.OK
    assert (ran.json["ok"], ran.json["map"], ran.json["leaks"]) == (True, NAME, [])
    assert {one["ok"] for one in ran.json["samples"]} == {True}


def test_a_map_is_never_written_over_and_starts_from_one_there_is(planhub, folder, tmp_path):
    again = planhub("map", "new", folder, "--from", "planhub/edfi-student", "--id", NAME)
    assert again.code == Exit.CONFLICT
    unknown = planhub("map", "new", tmp_path / "x", "--from", "planhub/nothing", "--id", NAME)
    assert (unknown.code, "planhub/edfi-student" in unknown.err) == (Exit.USAGE, True)


def test_a_misspelt_field_is_named_with_line_and_column(planhub, edit):
    folder = edit("record_id: studentUniqueId", "record_id: studentUniqeId")
    ran = planhub("map", "check", folder)
    assert ran.code == Exit.CHECK_FAILED
    line = next(
        n for n, text in enumerate((folder / "map.yaml").read_text().splitlines(), 1) if "UniqeId" in text
    )
    assert f":{line}:" in ran.out


def test_a_sample_that_comes_out_otherwise_fails_the_check_and_regold_keeps_it(planhub, folder):
    expected = folder / "expected" / "plain.json"
    before = expected.read_text()
    expected.write_text("{}")
    ran = planhub("map", "check", folder)
    assert (ran.code, "FAIL plain" in ran.out) == (Exit.CHECK_FAILED, True)
    planhub("map", "preview", folder, "--regold")
    assert expected.read_text() == before
    assert planhub("map", "check", folder).code == Exit.OK


def test_a_preview_shows_what_a_document_becomes(planhub, folder, tmp_path):
    sample = Path(tmp_path) / "one.json"
    sample.write_text(
        json.dumps({"studentUniqueId": "1", "firstName": "Ama", "lastSurname": "Boateng", "birthDate": "x"})
    )
    ran = planhub("map", "preview", folder, sample)
    assert ran.code == Exit.OK
    assert '"Boateng"' in ran.out
    assert "birthDate" in ran.out


def test_every_field_is_explained_and_every_loss_is_named(planhub, folder):
    assert "firstName" in planhub("map", "explain", folder).out
    assert planhub("map", "explain", folder, "--json").json["origins"]
    assert planhub("map", "explain", folder, "--loss").out.startswith("#")
    assert planhub("map", "explain", folder, "--loss", "--json").code == Exit.OK


def test_two_maps_are_compared_by_rules_and_by_what_they_make(planhub, folder, edit, tmp_path):
    other = Path(tmp_path) / "other"
    planhub("map", "new", other, "--from", "planhub/edfi-student", "--id", NAME)
    assert planhub("map", "diff", folder, other, "--json").json["same"] is True
    edit("rule: official name", "rule: name on the papers", other)
    edit("version: 0.1.0", "version: 0.2.0", other)
    ran = planhub("map", "diff", folder, other)
    assert "name on the papers" in ran.out
    assert planhub("map", "diff", folder, other, "--json").json["same"] is False


def test_what_one_person_publishes_another_takes_into_use(hub, planhub, edit):
    folder = raised(edit, "0.1.1")
    name = f"{NAME}@0.1.1"
    assert published(planhub, folder).code == Exit.OK
    assert states(planhub)[name] == "published"
    own = planhub("map", "approve", name, "--by", "ines")
    assert (own.code, "ask a second person" in own.err) == (Exit.NOT_ALLOWED, True)
    assert planhub("map", "approve", name, "--by", "tom").code == Exit.OK
    assert states(planhub)[name] == "approved"
    again = planhub("map", "approve", name, "--by", "tom")
    assert again.code == Exit.CONFLICT


def test_a_published_version_never_changes(planhub, edit):
    folder = raised(edit, "0.1.2")
    published(planhub, folder)
    edit("title: Ed-Fi student to who the child is", "title: Another title")
    ran = published(planhub, folder)
    assert (ran.code, "give the map a new version number" in ran.err) == (Exit.CONFLICT, True)


def test_a_map_that_fails_its_check_is_not_published(planhub, edit):
    folder = raised(edit, "0.1.3")
    (folder / "expected" / "plain.json").write_text("{}")
    assert published(planhub, folder).code == Exit.CHECK_FAILED
    assert f"{NAME}@0.1.3" not in states(planhub)


def test_rolling_back_is_publishing_the_old_one_again(planhub, edit, folder):
    for old, new in (("0.1.0", "0.2.0"), ("0.2.0", "0.3.0")):
        edit(f"version: {old}", f"version: {new}")
        published(planhub, folder)
        planhub("map", "approve", f"{NAME}@{new}", "--by", "tom")
    ran = planhub("map", "rollback", f"{NAME}@0.2.0", "-m", "too soon", "--by", "ines")
    assert ran.code == Exit.OK
    assert states(planhub)[f"{NAME}@0.2.0"] == "published"
    assert planhub("map", "approve", f"{NAME}@0.2.0", "--by", "tom").code == Exit.OK
    lines = [line for line in planhub("map", "list").out.splitlines() if line.startswith(f"{NAME} ")]
    assert [line.split()[1] for line in lines if "in use" in line] == ["0.2.0"]


def test_what_was_never_approved_cannot_be_rolled_back_to(planhub):
    assert planhub("map", "rollback", f"{NAME}@9.9.9", "-m", "why").code == Exit.USAGE


def test_the_shipped_maps_are_listed_as_approved_by_the_release(hub, planhub):
    record_maps(hub)
    rows = planhub("map", "list", "--json").json["maps"]
    shipped = [one for one in rows if one["map"] == "planhub/edfi-student"]
    assert [(one["state"], one["published_by"], one["approved_by"]) for one in shipped] == [
        ("approved", "release", "release")
    ]


@pytest.mark.parametrize("words", [("check",), ("preview",), ("explain",), ("publish", "-m", "x")])
def test_a_folder_that_is_no_map_is_refused_in_words(planhub, tmp_path, words):
    ran = planhub("map", words[0], tmp_path, *words[1:])
    assert (ran.code, "docs/maps.md" in ran.err) == (Exit.USAGE, True)
