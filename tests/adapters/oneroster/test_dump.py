import json
from collections import Counter
from typing import Any

import pytest

from adapters.oneroster.csv import read
from adapters.oneroster.dump import READ, from_json_dump
from mappings.record.issue import IssueCode, Severity
from tests.adapters.oneroster.packages import (
    DEMOGRAPHICS,
    ENROLLMENTS,
    ORGS,
    ROLES,
    USERS_1_2,
    manifest,
    table,
    zipped,
)
from tests.paths import corpus

# Shapes: OneRoster 1.2 rostering service, REST binding (school.md §3.1).
HEAD = {"status": "active", "dateLastModified": "2026-11-01T00:00:00.000Z"}


def reference(sourced_id: str, kind: str) -> dict[str, str]:
    return {"href": f"/{kind}s/{sourced_id}", "sourcedId": sourced_id, "type": kind}


def dump(**changed: Any) -> dict[str, bytes]:
    user = {
        "sourcedId": "u-1", **HEAD, "username": "", "enabledUser": True, "givenName": "Ama", "familyName": "Boateng",
        "preferredFirstName": "Amie", "identifier": 100, "grades": ["03"], "primaryOrg": reference("o-1", "org"),
        "userIds": [{"type": "State", "identifier": "S-100"}], "agents": [reference("u-2", "user")],
        "roles": [{"roleType": "primary", "role": "student", "org": reference("o-1", "org")}],
        "metadata": {"vendor": {"house": "Oak"}},
    }  # fmt: skip
    parent = {"sourcedId": "u-2", **HEAD, "givenName": "Kofi", "familyName": "Boateng", "roles": []}
    bodies: dict[str, Any] = {
        "users": [user, parent],
        "orgs": [
            {
                "sourcedId": "o-1", **HEAD, "name": "Alder Street School", "type": "school",
                "parent": reference("o-0", "org"), "children": [],
            }
        ],
        "demographics": [{"sourcedId": "u-1", **HEAD, "birthDate": "2017-04-05", "asian": "false"}],
        "enrollments": [
            {
                "sourcedId": "e-1", **HEAD, "class": reference("c-1", "class"), "user": reference("u-1", "user"),
                "school": reference("o-1", "org"), "role": "student", "primary": "true",
            }
        ],
        **changed,
    }  # fmt: skip
    return {
        name: json.dumps({name: listed}).encode() for name, listed in bodies.items() if listed is not None
    }


def test_references_become_ids_and_names_those_of_the_csv_binding():
    bundle = from_json_dump(dump())
    ama, kofi = bundle.people
    assert not bundle.refused
    assert bundle.issues == ()
    assert ama["user"] == {
        "sourcedId": "u-1", **HEAD, "enabledUser": "true", "givenName": "Ama", "familyName": "Boateng",
        "preferredGivenName": "Amie", "identifier": "100", "primaryOrgSourcedId": "o-1", "grades": ["03"],
        "userIds": [{"type": "State", "identifier": "S-100"}], "metadata": {"vendor": {"house": "Oak"}},
        "agentSourcedIds": "u-2",
    }  # fmt: skip
    (role,) = ama["roles"]
    assert (role["role"], role["org"]["name"]) == ("student", "Alder Street School")
    assert ama["demographics"]["birthDate"] == "2017-04-05"
    assert role["enrollments"][0]["classSourcedId"] == "c-1"
    assert [agent["givenName"] for agent in ama["agents"]] == ["Kofi"]
    assert [agent["givenName"] for agent in kofi["agents"]] == ["Ama"]
    assert [org["parentSourcedId"] for org in ama["orgs"]] == ["o-0"]


def test_passwords_are_cut_and_counted_wherever_they_hide():
    user = {
        "sourcedId": "u-1", "givenName": "Ama", "familyName": "B", "password": "hunter2",
        "userProfiles": [{"credentials": {"username": "a", "password": "hunter3"}}, {"password": "hunter4"}, "x"],
    }  # fmt: skip
    bundle = from_json_dump(dump(users=[user]))
    assert bundle.passwords_cut == 3
    assert "hunter" not in json.dumps(list(bundle.people))
    assert IssueCode.FORBIDDEN in {issue.code for issue in bundle.issues}


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"users": None}, "users.json"),
        ({"users": [{"sourcedId": "u", "givenName": "A", "familyName": "B"}] * 2}, "users.json:2"),
    ],
)
def test_a_dump_without_users_or_with_one_twice_is_refused(changed, path):
    bundle = from_json_dump(dump(**changed))
    assert bundle.refused
    assert list(bundle.people) == []
    assert [issue.path for issue in bundle.issues if issue.severity is Severity.ERROR] == [path]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"users": 3}', b"[" * 9999, b"\xff"])
def test_a_body_that_is_none_refuses_the_dump(body):
    bundle = from_json_dump({**dump(), "users": body})
    assert bundle.refused
    assert list(bundle.people) == []


def test_objects_that_make_no_sense_are_left_out_alone():
    users = [
        7,
        {"sourcedId": 3},
        {"sourcedId": "u-9", "givenName": "Esi", "familyName": "Adu", "roles": [4, {}]},
    ]
    bundle = from_json_dump(dump(users=users, enrollments=None, demographics=[{"sourcedId": "u-404"}]))
    assert [person["user"]["sourcedId"] for person in bundle.people] == ["u-9"]
    assert len(bundle.issues) == 4


def test_a_folder_is_read_like_the_bytes(tmp_path):
    for name, body in dump().items():
        (tmp_path / f"{name}.json").write_bytes(body)
    there, here = from_json_dump(tmp_path), from_json_dump(dump())
    assert list(there.people) == list(here.people)
    assert there.sha256 == here.sha256


def as_csv(held: dict[str, list[dict[str, Any]]]) -> bytes:
    """The same district as a CSV package, written here and not by the code under test."""
    users, roles = [], []
    for user in held["users"]:
        users.append(
            {name: user[name] for name in USERS_1_2 if isinstance(user.get(name), str)}
            | {
                "status": "", "dateLastModified": "",
                "preferredGivenName": user.get("preferredFirstName", ""),
                "preferredFamilyName": user.get("preferredLastName", ""),
                "grades": ",".join(user.get("grades", ())),
                "userIds": ",".join(f"{{{each['type']}:{each['identifier']}}}" for each in user.get("userIds", ())),
            }
        )  # fmt: skip
        roles += [
            {
                "sourcedId": f"{user['sourcedId']}-{number}", "userSourcedId": user["sourcedId"],
                "roleType": role["roleType"], "role": role["role"], "orgSourcedId": role["org"]["sourcedId"],
            }
            for number, role in enumerate(user["roles"])
        ]  # fmt: skip
    orgs = [
        {"parentSourcedId": org.get("parent", {}).get("sourcedId", "")}
        | {name: org.get(name, "") for name in ("sourcedId", "name", "type", "identifier")}
        for org in held["orgs"]
    ]
    enrollments = [
        {f"{name}SourcedId": each[name]["sourcedId"] for name in ("class", "school", "user")}
        | {name: each.get(name, "") for name in ("sourcedId", "role", "primary", "beginDate", "endDate")}
        for each in held["enrollments"]
    ]
    demographics = [
        {name: each.get(name, "") for name in DEMOGRAPHICS if name not in HEAD}
        for each in held["demographics"]
    ]
    return zipped(
        {
            "manifest.csv": manifest(
                dict.fromkeys(("users", "roles", "orgs", "enrollments", "demographics"), "bulk")
            ),
            "users.csv": table(USERS_1_2, users),
            "roles.csv": table(ROLES, roles),
            "orgs.csv": table(ORGS, orgs),
            "enrollments.csv": table(ENROLLMENTS, enrollments),
            "demographics.csv": table(DEMOGRAPHICS, demographics),
        }
    )


def without_lifecycle(value: Any) -> Any:
    """Without what a bulk CSV leaves out, and without ids of roles, which JSON has not."""
    if isinstance(value, dict):
        hidden = {*HEAD, "metadata"} | ({"sourcedId"} if "roleType" in value else set())
        return {name: without_lifecycle(each) for name, each in value.items() if name not in hidden}
    return [without_lifecycle(each) for each in value] if isinstance(value, list) else value


@pytest.mark.corpus
def test_the_recorded_district_gives_the_same_people_from_json_and_from_csv():
    folder = corpus("school", "oneroster-1.2-recorded", "full")
    held = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))[name] for name in READ}
    recorded = from_json_dump(folder)
    assert not recorded.refused
    assert recorded.issues == ()
    people = list(recorded.people)
    assert len(people) == 2898
    roles = Counter(role for person in people for role in {each["role"] for each in person["roles"]})
    assert roles == {"parent": 1872, "student": 970, "teacher": 55, "principal": 1}
    assert sum(1 for person in people if person["demographics"]) == 970
    assert (
        sum(
            len(person["enrollments"]) + sum(len(role["enrollments"]) for role in person["roles"])
            for person in people
        )
        == 5355
    )
    with read(as_csv(held)) as package:
        assert not package.refused
        assert package.issues == ()
        assert without_lifecycle(list(package.people)) == without_lifecycle(people)
