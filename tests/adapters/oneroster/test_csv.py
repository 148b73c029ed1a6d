import csv
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.archive import Caps
from adapters.oneroster.csv import OneRosterBundle, read
from adapters.oneroster.package import Mode
from adapters.oneroster.rows import MAX_LINE_BYTES
from mappings.oneroster.joining import join_students
from mappings.record.issue import Issue, IssueCode, Severity
from tests.adapters.oneroster.packages import (
    DEMOGRAPHICS,
    ENROLLMENTS,
    ORGS,
    PARENT,
    ROLES,
    SCHOOL,
    STUDENT,
    TEACHER,
    USERS_1_1,
    USERS_1_2,
    files,
    manifest,
    package,
    role,
    table,
    zipped,
)
from tests.paths import corpus

ALDER = {
    "sourcedId": "o-1",
    "name": "Alder Street School",
    "type": "school",
    "identifier": "77",
    "parentSourcedId": "o-0",
}
AMA = {
    "user": {
        "sourcedId": "u-1",
        "enabledUser": "true",
        "username": "ama.b",
        "givenName": "Ama",
        "familyName": "Boateng",
        "identifier": "100",
        "agentSourcedIds": "u-2",
        "primaryOrgSourcedId": "o-1",
        "userIds": [{"type": "State", "identifier": "S-100"}, {"type": "Local", "identifier": "77"}],
        "grades": ["03", "04"],
        "metadata": {},
    },
    "roles": [
        {
            "sourcedId": "r-1",
            "userSourcedId": "u-1",
            "roleType": "primary",
            "role": "student",
            "orgSourcedId": "o-1",
            "org": ALDER,
            "enrollments": [
                {
                    "sourcedId": "e-1",
                    "classSourcedId": "c-1",
                    "schoolSourcedId": "o-1",
                    "userSourcedId": "u-1",
                    "role": "student",
                    "primary": "false",
                    "beginDate": "2026-08-24",
                }
            ],
        }
    ],
    "demographics": {"sourcedId": "u-1", "birthDate": "2017-04-05", "sex": "female", "asian": "true"},
    "enrollments": [],
    "agents": [
        {
            "sourcedId": "u-2",
            "enabledUser": "true",
            "givenName": "Kofi",
            "familyName": "Boateng",
            "phone": "555-0101",
            "userIds": [],
            "grades": [],
            "roles": [
                {
                    "sourcedId": "r-2",
                    "userSourcedId": "u-2",
                    "roleType": "primary",
                    "role": "parent",
                    "orgSourcedId": "o-1",
                }
            ],
        }
    ],
    "orgs": [
        ALDER,
        {"sourcedId": "o-0", "name": "Riverbend District", "type": "district", "identifier": "9"},
    ],
}


def people(bundle: OneRosterBundle) -> dict[str, dict[str, Any]]:
    return {each["user"]["sourcedId"]: each for each in bundle.people}


def only(bundle: OneRosterBundle, code: IssueCode) -> Issue:
    found = [issue for issue in bundle.issues if issue.code is code]
    assert len(found) == 1, bundle.issues
    return found[0]


def refused(data: bytes, code: IssueCode, path: str) -> Issue:
    """The package is refused, nobody is taken over, and the finding names the place."""
    with read(data) as bundle:
        assert bundle.refused
        assert list(bundle.people) == []
        matching = [
            issue
            for issue in bundle.issues
            if issue.code is code and issue.path == path and issue.severity is Severity.ERROR
        ]
        assert matching, bundle.issues
        return matching[0]


def accepted(data: bytes) -> tuple[dict[str, dict[str, Any]], tuple[Issue, ...]]:
    with read(data) as bundle:
        assert not bundle.refused, bundle.issues
        return people(bundle), bundle.issues


def test_each_user_is_joined_with_roles_demographics_enrollments_agents_and_orgs():
    with read(package()) as bundle:
        found = people(bundle)
        assert bundle.issues == ()
        assert (bundle.version, bundle.mode, bundle.passwords_cut) == ("1.2", Mode.BULK, 0)
    assert found["u-1"] == AMA
    assert [agent["sourcedId"] for agent in found["u-2"]["agents"]] == ["u-1"]
    assert found["u-3"]["demographics"] == {}


def test_people_may_be_read_again_and_from_disk(tmp_path):
    (tmp_path / "roster.zip").write_bytes(package())
    with read(tmp_path / "roster.zip") as bundle:
        assert people(bundle) == people(bundle)
        assert bundle.sha256 == read(package()).sha256


def test_version_1_1_keeps_the_role_in_users():
    user = STUDENT | {"role": "student", "orgSourcedIds": "o-1, o-2", "primaryOrgSourcedId": ""}
    found, issues = accepted(
        package(
            users=table(USERS_1_1, [user]),
            roles=None,
            enrollments=None,
            orgs=table(ORGS, [SCHOOL, SCHOOL | {"sourcedId": "o-2", "name": "Birch"}]),
            manifest=manifest({"users": "bulk", "orgs": "bulk", "demographics": "bulk"}, "1.1"),
        )
    )
    assert [(each["roleType"], each["role"], each["org"]["name"]) for each in found["u-1"]["roles"]] == [
        ("primary", "student", "Alder Street School"),
        ("secondary", "student", "Birch"),
    ]
    assert [issue.code for issue in issues] == [
        IssueCode.UNRESOLVED_REFERENCE
    ]  # the agent is not in the package


def test_the_students_are_the_documents_the_map_is_made_for():
    def rows(name: str) -> list[dict[str, str]]:
        text = files()[f"{name}.csv"].decode().replace("TRUE", "true").replace("FALSE", "false")
        return [dict(row) for row in csv.DictReader(text.splitlines())]

    tables = {name: rows(name) for name in ("users", "roles", "orgs", "enrollments", "demographics")}
    with read(package()) as bundle:
        (student,) = bundle.students()
    student["user"].pop("metadata")
    student.pop("orgs")
    assert [student] == list(join_students(tables))


def test_a_class_at_a_school_without_a_role_stands_apart():
    elsewhere = {"sourcedId": "e-2", "schoolSourcedId": "o-2", "userSourcedId": "u-1", "role": "student"}
    schools = [SCHOOL, SCHOOL | {"sourcedId": "o-2", "name": "Birch"}]
    found, _ = accepted(package(enrollments=table(ENROLLMENTS, [elsewhere]), orgs=table(ORGS, schools)))
    assert [each["sourcedId"] for each in found["u-1"]["enrollments"]] == ["e-2"]
    assert found["u-1"]["roles"][0]["enrollments"] == []


class TestTolerance:
    def test_a_byte_order_mark_line_feeds_case_and_spaces_change_nothing(self):
        rough = {
            name: b"\xef\xbb\xbf" + data.replace(b"\r\n", b"\n").replace(b"givenName", b" GIVENNAME ")
            for name, data in files().items()
        }
        found, issues = accepted(zipped(rough))
        assert found["u-1"] == AMA
        assert {issue.severity for issue in issues} == {Severity.INFORMATION}

    def test_columns_may_stand_in_any_order(self):
        shuffled = list(USERS_1_2)
        random.Random(7).shuffle(shuffled)
        assert accepted(package(users=table(shuffled, [STUDENT, PARENT, TEACHER])))[0]["u-1"] == AMA

    @pytest.mark.parametrize(
        ("seen", "meant"),
        [
            ("prefferedGivenName", "preferredGivenName"),
            ("agents", "agentSourcedIds"),
            ("userId", "userIds"),
            ("dataLastModified", "dateLastModified"),
        ],
    )
    def test_known_misspellings_are_read_and_told(self, seen, meant):
        columns = [seen if name == meant else name for name in USERS_1_2]
        row = {seen: "2026-11-01T00:00:00.000Z" if meant == "dateLastModified" else "x-9", **STUDENT}
        found, issues = accepted(package(users=table(columns, [row, PARENT, TEACHER])))
        assert "u-1" in found
        told = [issue for issue in issues if issue.code is IssueCode.BAD_HEADER]
        assert [issue.path for issue in told] == [f"users.csv:1:{columns.index(seen) + 1}"]
        assert meant in told[0].text

    def test_foreign_columns_are_named_by_place_and_never_by_their_text(self):
        columns = (*USERS_1_2, "Ama Boateng", "metadata.bus", "ext_house")
        row = STUDENT | {"Ama Boateng": "x", "metadata.bus": "12", "ext_house": "Oak"}
        with read(package(users=table(columns, [row, PARENT, TEACHER]))) as bundle:
            issue = only(bundle, IssueCode.UNKNOWN_FIELD)
            assert issue.path == f"users.csv:1:{len(USERS_1_2) + 1}"
            assert "Ama" not in issue.text
            assert people(bundle)["u-1"]["user"]["metadata"] == {"metadata.bus": "12", "ext_house": "Oak"}

    def test_file_names_in_any_case_inside_a_folder_and_beside_litter(self):
        rough: dict[str, bytes | str] = {f"export/{name.upper()}": data for name, data in files().items()}
        rough |= {"__MACOSX/export/._USERS.CSV": b"\x00", "export/.DS_Store": b"\x00"}
        found, issues = accepted(zipped(rough))
        assert found["u-1"] == AMA
        assert {issue.code for issue in issues} == {IssueCode.BAD_ARCHIVE}

    def test_a_roles_table_called_user_profiles_is_recognised(self):
        roles = files()["roles.csv"]
        odd = {**files(roles=None), "userprofiles.csv": roles}
        odd["manifest.csv"] = manifest(
            {
                "users": "bulk",
                "userProfiles": "bulk",
                "orgs": "bulk",
                "enrollments": "bulk",
                "demographics": "bulk",
            }
        )
        found, issues = accepted(zipped(odd))
        assert found["u-1"] == AMA
        assert [issue.path for issue in issues] == ["userProfiles.csv"]

    def test_cells_missing_at_the_end_count_as_empty(self):
        short = files()["users.csv"] + b"u-9,,,true,yaw,,Yaw,Adu\r\n"
        found, issues = accepted(package(users=short))
        assert found["u-9"]["user"]["familyName"] == "Adu"
        assert [(issue.code, issue.path) for issue in issues] == [(IssueCode.BAD_ROW, "users.csv:5")]

    def test_a_row_without_a_name_is_left_out_alone(self):
        found, issues = accepted(
            package(
                users=table(USERS_1_2, [STUDENT, PARENT, TEACHER, {"sourcedId": "u-4", "givenName": "Esi"}])
            )
        )
        assert set(found) == {"u-1", "u-2", "u-3"}
        column = USERS_1_2.index("familyName") + 1
        assert [(issue.code, issue.path) for issue in issues] == [
            (IssueCode.REQUIRED, f"users.csv:5:{column}")
        ]

    def test_the_same_row_twice_is_taken_once(self):
        found, issues = accepted(package(users=table(USERS_1_2, [STUDENT, PARENT, TEACHER, STUDENT])))
        assert len(found) == 3
        assert [(issue.code, issue.path) for issue in issues] == [(IssueCode.DUPLICATE, "users.csv:5")]

    def test_a_quotation_mark_inside_a_cell_is_text(self):
        users = files()["users.csv"] + b'u-9,,,true,x,,Yaw "Bear",Adu\r\nu-8,,,true,x,,5" tall,Adu\r\n'
        found, issues = accepted(package(users=users))
        assert found["u-9"]["user"]["givenName"] == 'Yaw "Bear"'
        assert "u-8" in found
        assert {issue.path for issue in issues if "quotation" in issue.text} == {"users.csv:5", "users.csv:6"}

    def test_rows_about_nobody_are_left_out(self):
        roles = [
            role(1, "u-1", "student"),
            role(2, "u-404", "student"),
            role(3, "u-3", "teacher", orgSourcedId="o-404"),
        ]
        _, issues = accepted(package(roles=table(ROLES, roles)))
        assert [(issue.code, issue.path) for issue in issues] == [
            (IssueCode.UNRESOLVED_REFERENCE, "roles.csv:3"),
            (IssueCode.UNRESOLVED_REFERENCE, "roles.csv:4"),
        ]

    def test_thousands_of_rows_with_one_fault_are_a_short_list(self):
        rows = [{"sourcedId": f"x-{n}", "givenName": "Esi"} for n in range(5000)]
        _, issues = accepted(package(users=table(USERS_1_2, [STUDENT, PARENT, TEACHER, *rows])))
        assert len(issues) == 21
        assert issues[-1].text.startswith("4980 more")

    def test_parents_of_parents_in_a_circle_end(self):
        around = [
            SCHOOL | {"parentSourcedId": "o-0"},
            {"sourcedId": "o-0", "name": "D", "type": "district", "parentSourcedId": "o-1"},
        ]
        found, _ = accepted(package(orgs=table(ORGS, around)))
        assert [org["sourcedId"] for org in found["u-1"]["orgs"]] == ["o-1", "o-0"]

    def test_a_link_told_by_the_parents_row_alone_is_seen_from_both_sides(self):
        users = [STUDENT | {"agentSourcedIds": ""}, PARENT | {"agentSourcedIds": "u-1"}, TEACHER]
        found, _ = accepted(package(users=table(USERS_1_2, users)))
        assert [agent["sourcedId"] for agent in found["u-1"]["agents"]] == ["u-2"]
        assert [agent["sourcedId"] for agent in found["u-2"]["agents"]] == ["u-1"]

    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ("{Local:863}", [{"type": "Local", "identifier": "863"}]),
            ("863", [{"identifier": "863"}]),
            ("{863}", [{"identifier": "863"}]),
            ("{:5}", [{"identifier": "5"}]),
            ("{State:}", [{"identifier": "State:"}]),
            ("", []),
        ],
    )
    def test_user_ids_in_every_form_seen(self, cell, expected):
        found, _ = accepted(package(users=table(USERS_1_2, [STUDENT | {"userIds": cell}, PARENT, TEACHER])))
        assert found["u-1"]["user"]["userIds"] == expected


class TestPasswords:
    def test_they_are_cut_at_the_door_and_counted(self):
        users = [STUDENT | {"password": "hunter2"}, PARENT | {"password": "hunter3"}, TEACHER]
        with read(package(users=table(USERS_1_2, users))) as bundle:
            assert bundle.passwords_cut == 2
            assert "hunter" not in json.dumps(list(bundle.people))
            issue = only(bundle, IssueCode.FORBIDDEN)
            assert issue.text.startswith("2 passwords")

    def test_also_where_they_hide_in_an_extension(self):
        users = table(
            (*USERS_1_2, "metadata.Password"), [STUDENT | {"metadata.Password": "hunter2"}, PARENT, TEACHER]
        )
        with read(package(users=users)) as bundle:
            assert bundle.passwords_cut == 1
            assert "hunter2" not in json.dumps(list(bundle.people))


class TestRefusal:
    """A fault that could put a value under the wrong heading, or the wrong child, refuses the whole package."""

    def test_more_cells_than_headings(self):
        headings = USERS_1_2 + tuple(f"metadata.x{number}" for number in range(29 - len(USERS_1_2)))
        assert len(headings) == 29
        row = [STUDENT.get(name, "") for name in headings] + ["one too many"]
        data = table(headings, [PARENT, TEACHER]) + ",".join(f'"{cell}"' for cell in row).encode() + b"\r\n"
        issue = refused(package(users=data), IssueCode.BAD_ROW, "users.csv:4:30")
        assert issue.text.startswith("The row has 30 cells under 29 headings")

    def test_two_different_users_with_one_id(self):
        users = table(USERS_1_2, [STUDENT, PARENT, TEACHER, STUDENT | {"givenName": "Esi"}])
        issue = refused(package(users=users), IssueCode.DUPLICATE, "users.csv:5:1")
        assert "Esi" not in issue.text

    def test_a_heading_twice(self):
        refused(
            package(users=table((*USERS_1_2, "GivenName"), [STUDENT])), IssueCode.BAD_HEADER, "users.csv:1"
        )

    @pytest.mark.parametrize("missing", ["sourcedId", "givenName", "familyName"])
    def test_a_table_without_a_column_it_needs(self, missing):
        columns = [name for name in USERS_1_2 if name != missing]
        issue = refused(package(users=table(columns, [STUDENT])), IssueCode.BAD_HEADER, "users.csv:1")
        assert missing in issue.text

    def test_a_table_without_a_header_never_quotes_the_child_in_its_place(self):
        data = files()["users.csv"].split(b"\r\n", 1)[1]
        with read(package(users=data)) as bundle:
            assert bundle.refused
            assert not any(word in repr(bundle.issues) for word in ("Ama", "Boateng", "S-100"))

    @pytest.mark.parametrize("name", ["users", "roles", "orgs"])
    def test_a_table_announced_and_not_sent(self, name):
        refused(package(**{name: None}), IssueCode.REQUIRED, f"{name}.csv")

    def test_users_without_roles_or_schools(self):
        listed = manifest({"users": "bulk"})
        data = package(roles=None, orgs=None, enrollments=None, demographics=None, manifest=listed)
        refused(data, IssueCode.REQUIRED, "roles.csv")
        refused(data, IssueCode.REQUIRED, "orgs.csv")

    def test_a_table_the_manifest_calls_absent(self):
        said = dict.fromkeys(("users", "roles", "orgs", "demographics"), "bulk")
        refused(package(manifest=manifest(said)), IssueCode.BAD_VALUE, "enrollments.csv")

    def test_no_manifest(self):
        refused(package(manifest=None), IssueCode.REQUIRED, "manifest.csv")

    def test_a_manifest_that_is_none(self):
        refused(package(manifest=b"hello,world\r\n"), IssueCode.BAD_HEADER, "manifest.csv:1")

    @pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "utf-16"])
    def test_a_table_that_is_not_utf_8_and_where(self, encoding):
        users = table(USERS_1_2, [PARENT, STUDENT | {"givenName": "Zoë"}, TEACHER]).decode().encode(encoding)
        column = USERS_1_2.index("givenName") + 1
        path = "users.csv:1:1" if encoding == "utf-16" else f"users.csv:3:{column}"
        refused(package(users=users), IssueCode.BAD_ENCODING, path)

    @pytest.mark.parametrize(
        ("rows", "path"),
        [
            (b'u-9,"unclosed,,,\r\nu-8,,,,\r\n', "users.csv:5"),
            (b'u-9,,,,,,Yaw,"unclosed', "users.csv:5"),
            (b'u-9,,,,,,Y"w,Adu\r\n"u-8,,,,,,Esi,Adu\r\n', "users.csv:6"),
        ],
    )
    def test_quotation_marks_that_hide_rows(self, rows, path):
        refused(package(users=files()["users.csv"] + rows), IssueCode.BAD_ROW, path)

    def test_a_cell_with_a_line_break_in_quotes_is_one_row(self):
        found, issues = accepted(
            package(users=table(USERS_1_2, [STUDENT | {"middleName": "A\r\nB"}, PARENT, TEACHER]))
        )
        assert found["u-1"]["user"]["middleName"] == "A\r\nB"
        assert issues == ()

    def test_an_empty_table(self):
        refused(package(users=b""), IssueCode.BAD_HEADER, "users.csv")

    def test_a_line_without_end(self):
        refused(
            package(users=files()["users.csv"] + b"x" * (MAX_LINE_BYTES + 10)),
            IssueCode.TOO_LARGE,
            "users.csv:5",
        )

    def test_a_broken_zip(self):
        refused(package()[:-100], IssueCode.BAD_ARCHIVE, "")
        refused(b"PK", IssueCode.BAD_ARCHIVE, "")

    def test_a_bomb_and_an_evil_path(self):
        refused(zipped({"users.csv": b"a" * 20_000_000}), IssueCode.TOO_LARGE, "entry 1")
        refused(zipped({"../users.csv": b"a"}), IssueCode.FORBIDDEN, "entry 1")

    def test_the_same_table_twice(self):
        refused(zipped({**files(), "Users.CSV": files()["users.csv"]}), IssueCode.DUPLICATE, "users.csv")

    def test_two_gigabytes_are_refused_early(self, tmp_path: Path):
        path = tmp_path / "roster.zip"
        with path.open("wb") as file:
            file.truncate(2_000_000_000)
        bundle = read(path, Caps())
        assert bundle.refused
        assert [issue.code for issue in bundle.issues] == [IssueCode.TOO_LARGE]

    def test_every_fault_is_told_at_once(self):
        users = table(USERS_1_2, [STUDENT, STUDENT | {"givenName": "Esi"}])
        roles = files()["roles.csv"] + b"a,b,c,d,e,f,g,h,i,j,k\r\n"
        with read(package(users=users, roles=roles)) as bundle:
            assert {issue.path for issue in bundle.issues if issue.severity is Severity.ERROR} == {
                "users.csv:3:1",
                "roles.csv:5:11",
            }


class TestDelta:
    def delta(self, **changed: bytes) -> bytes:
        user = STUDENT | {"status": "tobedeleted", "dateLastModified": "2026-11-01T08:00:00.000Z"}
        made = {
            "manifest.csv": manifest({"users": "delta"}),
            "users.csv": table(USERS_1_2, [user]),
        }
        return zipped(made | {f"{name}.csv": data for name, data in changed.items()})

    def test_only_what_changed_is_there_and_a_deletion_is_marked(self):
        with read(self.delta()) as bundle:
            assert bundle.mode is Mode.DELTA
            assert not bundle.refused
            assert people(bundle)["u-1"]["user"]["status"] == "tobedeleted"
            assert people(bundle)["u-1"]["roles"] == []

    def test_a_row_without_status_counts_as_active_and_is_told(self):
        _, issues = accepted(self.delta(users=table(USERS_1_2, [STUDENT])))
        assert [issue.code for issue in issues] == [IssueCode.REQUIRED] * 2

    def test_rows_may_refer_to_what_came_earlier(self):
        roles = table(
            ROLES, [role(9, "u-77", "student", status="active", dateLastModified="2026-11-01T08:00:00.000Z")]
        )
        listed = manifest({"users": "delta", "roles": "delta"})
        found, issues = accepted(self.delta(roles=roles, manifest=listed))
        assert set(found) == {"u-1"}
        assert issues == ()


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(files())),
    at=st.integers(0, 2000),
    noise=st.binary(max_size=30),
    cut=st.integers(0, 40),
)
def test_no_bytes_whatever_raise_or_half_arrive(name, at, noise, cut):
    damaged = dict(files())
    data = damaged[name]
    at %= len(data) + 1
    damaged[name] = data[:at] + noise + data[at + cut :]
    with read(zipped(damaged)) as bundle:
        found = list(bundle.people)
        assert not (bundle.refused and found)
        for person in found:
            assert person["user"]["sourcedId"]
            assert person["user"]["givenName"]


def test_memory_stays_small_for_a_district():
    users = [
        {"sourcedId": f"user-{n:032}", "givenName": f"Ama{n}", "familyName": "Boateng"} for n in range(4000)
    ]
    lessons = [
        {
            "sourcedId": f"enrollment-{user['sourcedId']}-{lesson}",
            "classSourcedId": f"class-{lesson}",
            "schoolSourcedId": "o-1",
            "userSourcedId": user["sourcedId"],
            "role": "student",
        }
        for user in users
        for lesson in range(4)
    ]
    data = package(
        users=table(USERS_1_2, users),
        roles=table(ROLES, [role(n, user["sourcedId"], "student") for n, user in enumerate(users)]),
        enrollments=table(ENROLLMENTS, lessons),
        demographics=table(DEMOGRAPHICS, [{"sourcedId": user["sourcedId"]} for user in users]),
    )
    tracemalloc.start()
    try:
        with read(data) as bundle:
            assert sum(1 for _ in bundle.people) == 4000
        assert tracemalloc.get_traced_memory()[1] < 5_000 * len(users)
    finally:
        tracemalloc.stop()


EXPECTED = {
    # What a strict validator says (index.json of the corpus) and what a tolerant reader makes of it.
    "package.missing_manifest": (Severity.ERROR, IssueCode.REQUIRED, "manifest.csv"),
    "manifest.invalid_header": (Severity.WARNING, IssueCode.BAD_HEADER, "manifest.csv:1"),
    "package.unknown_file": (Severity.WARNING, IssueCode.UNKNOWN_FIELD, "entry 2"),
    "manifest.file_unexpected": (Severity.ERROR, IssueCode.BAD_VALUE, "users.csv"),
    "csv.unescaped_quote": (Severity.WARNING, IssueCode.BAD_ROW, "users.csv:2"),
    "row.field_forbidden_in_bulk": (Severity.WARNING, IssueCode.BAD_VALUE, "users.csv:2"),
    "reference.duplicate_sourced_id": (Severity.ERROR, IssueCode.DUPLICATE, "users.csv:3:1"),
}
OUTSIDE = {"reference.missing_target_record"}
"""Diagnoses about tables this hub does not read: a gradebook category that is missing."""


@pytest.mark.corpus
def test_every_recorded_package_gets_the_diagnosis_its_index_expects():
    folder = corpus("school", "oneroster-csv")
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    present = [entry for entry in index if (folder / entry["file"]).exists()]
    assert len(present) == 13
    for entry in present:
        with read(folder / entry["file"]) as bundle:
            if entry["expect"] == "ok":
                assert not bundle.refused, (entry["file"], bundle.issues)
                assert not [issue for issue in bundle.issues if issue.severity is not Severity.INFORMATION]
                continue
            found = {(issue.severity, issue.code, issue.path) for issue in bundle.issues}
            for code in entry["expectedCodes"]:
                if code not in OUTSIDE:
                    assert EXPECTED[code] in found, (entry["file"], code, bundle.issues)


@pytest.mark.corpus
def test_a_valid_package_gives_the_people_it_holds():
    with read(corpus("school", "oneroster-csv", "valid", "full-bulk-package.zip")) as bundle:
        found = people(bundle)
    assert set(found) == {"user-agent", "user-1"}
    assert found["user-1"]["roles"][0]["role"] == "teacher"
    assert [agent["sourcedId"] for agent in found["user-1"]["agents"]] == ["user-agent"]
    assert [org["sourcedId"] for org in found["user-1"]["orgs"]] == ["org-1", "org-root"]
