import csv
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.oneroster.csv import read
from adapters.oneroster.package import Mode
from mappings.oneroster.joining import join_students
from mappings.record.issue import IssueCode, Severity
from tests.adapters.oneroster.packages import (
    DEMOGRAPHICS,
    ENROLLMENTS,
    ORGS,
    ROLES,
    SCHOOL,
    STUDENT,
    USERS_1_1,
    USERS_1_2,
    files,
    manifest,
    package,
    role,
    table,
    zipped,
)
from tests.adapters.oneroster.reading import AMA, accepted, people
from tests.paths import corpus


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
