"""What a OneRoster package may get wrong and still be read, each fault told by its place."""

import json
import random

import pytest

from adapters.oneroster.csv import read
from mappings.record.issue import IssueCode, Severity
from tests.adapters.oneroster.packages import (
    ORGS,
    PARENT,
    ROLES,
    SCHOOL,
    STUDENT,
    TEACHER,
    USERS_1_2,
    files,
    manifest,
    package,
    role,
    table,
    zipped,
)
from tests.adapters.oneroster.reading import AMA, accepted, only, people


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
