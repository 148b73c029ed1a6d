"""`planhub import`: every document read is accepted, rejected by name, or set aside, and a second run changes nothing."""

import csv
import io
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapters.sandbox.edfi import CLIENT_ID, CLIENT_SECRET, EdFiSandbox
from gateway.cli.exits import Exit
from gateway.store.turns import turn
from tests.adapters.oneroster.packages import (
    PARENT,
    STUDENT,
    TEACHER,
    USERS_1_2,
    manifest,
    package,
    role,
    table,
)
from tests.adapters.oneroster.packages import ROLES as ROLE_COLUMNS
from tests.gateway.cli.conftest import Planhub, Ran
from tests.gateway.exchange.feeds import add_connection
from tests.gateway.family import add_agency

SHEET = ("row_id", "child_id", "first_name", "last_name", "birth_date", "row_kind", "topic", "statement")


@pytest.fixture
def district(hub):
    return add_agency(hub)


@pytest.fixture
def roster(hub, district):
    return add_connection(hub, district, "oneroster-csv", roster=True)


@pytest.fixture
def write(tmp_path):
    def written(name: str, data: bytes) -> Path:
        path = Path(tmp_path) / name
        path.write_bytes(data)
        return path

    return written


def somebody() -> dict[str, str]:
    """A student nobody else in this module resembles."""
    letters = "".join(chr(ord("a") + int(digit, 16)) for digit in uuid4().hex[:10])
    return STUDENT | {"givenName": f"Ama{letters}", "familyName": f"Boateng{letters}", "agentSourcedIds": ""}


def one_student() -> bytes:
    """The small package, about a student of its own."""
    return package(users=table(USERS_1_2, [somebody(), PARENT, TEACHER]))


def students(count: int) -> bytes:
    """A bulk package of that many students, each with a name and a number of their own."""
    users = [
        somebody() | {"sourcedId": f"u-{n}", "identifier": f"1{n:03}", "userIds": ""} for n in range(count)
    ]
    return package(
        manifest=manifest(dict.fromkeys(("users", "roles", "orgs"), "bulk")),
        users=table(USERS_1_2, users),
        roles=table(ROLE_COLUMNS, [role(n, f"u-{n}", "student") for n in range(count)]),
        enrollments=None,
        demographics=None,
    )


def balanced(figures: dict[str, Any]) -> bool:
    return all(
        one["read"] == one["accepted"] + one["rejected"] + one["aside"]
        for one in figures["resources"].values()
    )


def test_a_package_is_taken_in_and_a_second_run_changes_nothing(planhub, roster, write):
    path = write("roster.zip", one_student())
    first = planhub("import", path, "--connection", roster, "--json").json
    assert balanced(first)
    assert first["resources"]["users"]["accepted"] == 1
    assert first["asides"] == {"otherUsers:no-map": 2}
    assert (first["children"], first["complete"]) == (1, True)
    again = planhub("import", path, "--connection", roster, "--json").json
    assert again["resources"]["users"]["unchanged"] == 1
    assert (again["children"], again["facts"]) == (0, [0, 0, 0])


def test_the_table_gives_each_resource_its_figures_and_talk_goes_to_stderr(planhub, roster, write):
    ran = planhub("import", write("roster.zip", one_student()), "--connection", roster)
    assert ran.code == Exit.OK
    header, *lines = [line.split() for line in ran.out.splitlines()]
    assert header == ["resource", "read", "accepted", "unchanged", "rejected", "set", "aside", "removed"]
    assert lines == [
        ["otherUsers", "2", "0", "0", "0", "2", "0"],
        ["users", "1", "1", "0", "0", "0", "0"],
        ["total", "3", "1", "0", "0", "2", "0"],
    ]
    assert "1 children new" in ran.err
    assert "Boateng" not in ran.out + ran.err


def test_a_dry_run_says_what_would_be_taken_in_and_keeps_nothing(hub, planhub, roster, write):
    path = write("roster.zip", one_student())
    ran = planhub("import", path, "--connection", roster, "--dry-run", "--json").json
    assert balanced(ran)
    assert (ran["dry_run"], ran["resources"]["users"]["accepted"], ran["children"]) == (True, 1, 0)
    with hub.db.transaction() as connection:
        statement = "SELECT count(*) FROM source_identity WHERE connection = %s"
        assert connection.exec_driver_sql(statement, (roster,)).scalar_one() == 0
    assert planhub("import", path, "--connection", roster, "--json").json["children"] == 1
    known = planhub("import", path, "--connection", roster, "--dry-run", "--json").json
    assert known["resources"]["users"]["unchanged"] == 1


def test_a_child_that_was_imported_is_named_by_the_number_its_agency_sent(planhub, district, roster, write):
    planhub("import", write("roster.zip", one_student()), "--connection", roster)
    shown = planhub("consent", "show", "--child", f"{district}:state:S-100", "--json").json
    by_number = planhub("consent", "show", "--child", f"{district}:student-number:100", "--json").json
    assert shown["child"] == by_number["child"]
    (record,) = planhub("review", "records", "--child", shown["child"], "--json").json["records"]
    assert (record["agency"], record["connection"]) == (district, roster)


def test_a_package_that_cannot_be_used_is_refused_whole_with_file_row_and_column(hub, planhub, roster, write):
    broken = table(USERS_1_2, [STUDENT, PARENT | {"sourcedId": "u-1"}])
    ran = planhub("import", write("roster.zip", package(users=broken)), "--connection", roster)
    assert ran.code == Exit.CHECK_FAILED
    assert "rejected users.csv:3:1: " in ran.out
    assert "nothing of it could be taken in" in ran.err
    with hub.db.transaction() as connection:
        statement = "SELECT count(*) FROM source_identity WHERE connection = %s"
        assert connection.exec_driver_sql(statement, (roster,)).scalar_one() == 0


@pytest.mark.parametrize("data", [b"", b"no zip at all", package()[:200]])
def test_a_file_that_is_no_package_is_refused_in_one_sentence(planhub, roster, write, data):
    ran = planhub("import", write("roster.zip", data), "--connection", roster)
    assert ran.code == Exit.CHECK_FAILED
    assert ran.out.count("\nrejected ") == 1


def test_a_removal_that_is_too_large_is_held_back_until_a_person_agrees(planhub, roster, write):
    many, few = write("many.zip", students(40)), write("few.zip", students(5))
    assert planhub("import", many, "--connection", roster).code == Exit.OK
    held = planhub("import", few, "--connection", roster)
    assert held.code == Exit.CONFLICT
    assert f"planhub import --connection {roster} --may-shrink" in held.err
    agreed = planhub("import", few, "--connection", roster, "--may-shrink", "--json")
    assert agreed.code == Exit.OK
    assert agreed.json["resources"]["users"]["removed"] == 35


def sheet(*rows: dict[str, str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, SHEET)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


GOOD = {
    "row_id": "r-1", "child_id": "100", "first_name": "Ama", "last_name": "Boateng", "birth_date": "04/05/2017",
    "row_kind": "strength", "topic": "Clubs and sports", "statement": "plays the drums",
}  # fmt: skip


def test_a_sheet_says_by_file_row_and_column_what_it_could_not_use(hub, planhub, district, write):
    connection = add_connection(hub, district, "plan-sheet", roster=True)
    nobody = {"row_id": "r-2", "row_kind": "strength", "topic": "school", "statement": "a secret wish"}
    data = sheet(GOOD, nobody) + b"r-3,1,2,3,4,5,6,7,one too many\r\n"
    ran = planhub("import", write("plan.csv", data), "--connection", connection, "--json")
    figures = ran.json
    assert balanced(figures)
    assert figures["resources"]["planRow"]["rejected"] == 2
    places = {one["record"]: one["place"] for one in figures["rejections"]}
    assert places[""] == "plan.csv:4:9"
    assert places["r-2"] == "planRow"
    assert "secret" not in ran.out + ran.err


def test_a_worklist_that_names_no_referral_of_its_agency_is_refused(hub, planhub, write):
    agency = add_agency(hub)
    connection = add_connection(hub, agency, "worklist-folder")
    data = b"referral_id,child_ref,status\r\nnobodys,nobodys,accepted\r\n"
    ran = planhub("import", write("back.csv", data), "--connection", connection, "--json")
    assert ran.code == Exit.CHECK_FAILED
    assert [one["code"] for one in ran.json["rejections"]] == ["not-ours"]


@pytest.fixture
def edfi(hub, district, planhub, monkeypatch):
    """A district's Ed-Fi host on this machine, and its connection."""
    monkeypatch.setenv("PLANHUB_ALLOW_LOOPBACK_PARTNERS", "true")
    monkeypatch.setenv("DISTRICT_ID", CLIENT_ID)
    monkeypatch.setenv("DISTRICT_SECRET", CLIENT_SECRET)
    document = {
        "studentUniqueId": "900102", "firstName": "Tobias", "lastSurname": somebody()["familyName"],
        "birthDate": "2011-11-30",
    }  # fmt: skip
    with EdFiSandbox({"students": [document], "grades": [{"gradeId": "1"}]}) as sandbox:
        config = {
            "base_url": sandbox.base_url,
            "resources": ["ed-fi/students", "ed-fi/grades"],
            "secrets": {"client_id": "env:DISTRICT_ID", "client_secret": "env:DISTRICT_SECRET"},
        }
        yield add_connection(hub, district, "edfi", roster=True, config=config)


def test_without_a_file_the_system_is_asked_and_asked_only_for_changes_the_next_time(planhub, edfi):
    first = planhub("import", "--connection", edfi, "--json").json
    assert balanced(first)
    assert first["resources"]["students"]["accepted"] == 1
    assert first["asides"] == {"grades:no-map": 1}
    assert planhub("import", "--connection", edfi, "--json").json["resources"] == {}


def test_a_pull_can_be_rehearsed(planhub, edfi):
    ran = planhub("import", "--connection", edfi, "--dry-run", "--json").json
    assert ran["resources"]["students"]["accepted"] == 1
    assert planhub("import", "--connection", edfi, "--json").json["children"] == 1


def test_credentials_the_system_does_not_accept_are_not_allowed(planhub, edfi, monkeypatch):
    monkeypatch.setenv("DISTRICT_SECRET", "another")
    ran = planhub("import", "--connection", edfi)
    assert ran.code == Exit.NOT_ALLOWED
    assert "bad-token" in ran.err


def test_a_secret_that_is_not_set_is_named_and_never_shown(planhub, edfi, monkeypatch):
    monkeypatch.delenv("DISTRICT_SECRET")
    ran = planhub("import", "--connection", edfi)
    assert ran.code == Exit.USAGE
    assert "env:DISTRICT_SECRET" in ran.err


def test_a_system_that_does_not_answer_is_unreachable(hub, planhub, district, monkeypatch):
    monkeypatch.setenv("PLANHUB_ALLOW_LOOPBACK_PARTNERS", "true")
    monkeypatch.setenv("DISTRICT_ID", CLIENT_ID)
    config = {
        "base_url": "http://127.0.0.1:9",
        "resources": ["ed-fi/students"],
        "secrets": {"client_id": "env:DISTRICT_ID", "client_secret": "env:DISTRICT_ID"},
    }
    connection = add_connection(hub, district, "edfi", roster=True, config=config)
    ran = planhub("import", "--connection", connection)
    assert ran.code == Exit.UNREACHABLE
    assert "planhub import again" in ran.err


def test_a_system_takes_no_file(planhub, edfi, write):
    ran = planhub("import", write("x.csv", b"a,b"), "--connection", edfi)
    assert (ran.code, f"planhub import --connection {edfi}" in ran.err) == (Exit.USAGE, True)


def test_while_another_process_reads_the_connection_the_command_says_so(hub, planhub, roster, edfi, write):
    path = write("roster.zip", one_student())
    for connection, words in ((roster, (path,)), (edfi, ())):
        with turn(hub.db, f"poll {connection}") as mine:
            assert mine
            ran = planhub("import", *words, "--connection", connection)
        assert ran.code == Exit.CONFLICT


def fails(planhub: Planhub, *words: object) -> Ran:
    ran = planhub("import", *words)
    assert ran.code == Exit.USAGE
    assert "  → " in ran.err
    return ran


def test_what_is_missing_is_said_with_the_next_step(planhub, roster):
    assert "planhub apply" in fails(planhub, "--connection", "nowhere").err
    fails(planhub, "/nowhere/roster.zip", "--connection", roster)
    fails(planhub)
    assert "has no file" in fails(planhub, "--connection", roster).err
