"""Packages read in tests: what the small one says of its pupil, and how a reading ended."""

from typing import Any

from adapters.oneroster.csv import OneRosterBundle, read
from mappings.record.issue import Issue, IssueCode, Severity

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
    """Everybody in a package, by id."""
    return {each["user"]["sourcedId"]: each for each in bundle.people}


def only(bundle: OneRosterBundle, code: IssueCode) -> Issue:
    """The one issue with this code."""
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
    """The package is taken: everybody in it, and what there was to tell."""
    with read(data) as bundle:
        assert not bundle.refused, bundle.issues
        return people(bundle), bundle.issues
