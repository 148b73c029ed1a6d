"""What refuses a OneRoster package whole: a fault that could put a value under the wrong heading, or the wrong child."""

from pathlib import Path

import pytest

from adapters.archive import Caps
from adapters.oneroster.csv import read
from adapters.oneroster.rows import MAX_LINE_BYTES
from mappings.record.issue import IssueCode, Severity
from tests.adapters.oneroster.packages import (
    PARENT,
    STUDENT,
    TEACHER,
    USERS_1_2,
    files,
    manifest,
    package,
    table,
    zipped,
)
from tests.adapters.oneroster.reading import accepted, refused


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
