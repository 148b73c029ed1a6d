"""Joins OneRoster 1.2 tables into one document per student, the form the OneRoster map reads.

The document is `{user, roles, demographics, enrollments, agents}`. Members keep their CSV column names (OneRoster 1.2 CSV
binding, school.md §3.2); references are followed where the map needs what they point to:

- `user`: the users row, with `userIds` as a list of `{type, identifier}` and `grades` as a list;
- `roles`: the user's rows of roles, each with `org`, the row of orgs it names, and `enrollments`, the user's rows of
  enrollments at that school by begin date;
- `demographics`: the row with the same sourcedId;
- `enrollments`: the user's rows of enrollments at schools where the user has no role;
- `agents`: the users rows named in `agentSourcedIds`, each with its own `roles`.

Columns named `password` never enter a document (school.md §3.2). `rows_from_rest` turns answers of the REST binding into
the same rows, since both bindings carry the same facts under other names.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Row = Mapping[str, str]
Tables = Mapping[str, Sequence[Row]]

_USER_ID = re.compile(r"\{\s*([^:{}]*?)\s*:\s*([^{}]*?)\s*\}")
_REFUSED = frozenset({"password"})


def join_students(tables: Tables) -> Iterator[dict[str, Any]]:
    """One document per user that has a student role; other users appear as agents only.

    `tables` are rows by file name without its ending (`users`, `roles`, `orgs`, `demographics`, `enrollments`); missing
    tables count as empty. A user named in `agentSourcedIds` that is not in the tables is left out: the map cannot use it.
    """
    orgs = {row.get("sourcedId", ""): row for row in tables.get("orgs", ())}
    users = {row.get("sourcedId", ""): row for row in tables.get("users", ())}
    demographics = {row.get("sourcedId", ""): row for row in tables.get("demographics", ())}
    roles = _by_user(tables.get("roles", ()))
    enrollments = _by_user(tables.get("enrollments", ()))
    for key, row in users.items():
        mine = roles.get(key, [])
        if not any(role.get("role") == "student" for role in mine):
            continue
        classes = enrollments.get(key, [])
        schools = {role.get("orgSourcedId", "") for role in mine}
        yield {
            "user": _user(row),
            "roles": [_role(role, orgs, classes) for role in mine],
            "demographics": _filled(demographics.get(key, {})),
            "enrollments": [_filled(one) for one in classes if one.get("schoolSourcedId", "") not in schools],
            "agents": [
                _user(users[agent]) | {"roles": [_filled(role) for role in roles.get(agent, [])]}
                for agent in cells(row.get("agentSourcedIds", ""))
                if agent in users
            ],
        }


def cells(text: str) -> list[str]:
    """The members of a comma-joined cell."""
    return [part for part in (piece.strip() for piece in text.split(",")) if part]


def user_ids(text: str) -> list[dict[str, str]]:
    """The members of a `userIds` cell, written `{type:identifier},{type:identifier}`; others are left out."""
    return [{"type": kind, "identifier": value} for kind, value in _USER_ID.findall(text) if value]


def _filled(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value != "" and name.lower() not in _REFUSED}


def _user(row: Row) -> dict[str, Any]:
    user = _filled(row)
    user["userIds"] = user_ids(row.get("userIds", ""))
    user["grades"] = cells(row.get("grades", ""))
    return user


def _role(role: Row, orgs: Mapping[str, Row], classes: Sequence[Row]) -> dict[str, Any]:
    """A role with its school and the classes taken there, the earliest first."""
    school = role.get("orgSourcedId", "")
    there = [_filled(one) for one in classes if one.get("schoolSourcedId", "") == school]
    there.sort(key=lambda one: str(one.get("beginDate", "9999")))
    return _filled(role) | {"org": _filled(orgs.get(school, {})), "enrollments": there}


def _by_user(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.get("userSourcedId", ""), []).append(row)
    return found


def rows_from_rest(
    users: Iterable[Mapping[str, Any]],
    *,
    orgs: Iterable[Mapping[str, Any]] = (),
    demographics: Iterable[Mapping[str, Any]] = (),
    enrollments: Iterable[Mapping[str, Any]] = (),
) -> dict[str, list[dict[str, str]]]:
    """REST objects (OneRoster 1.2 rostering service) as CSV rows; a reference becomes its sourcedId.

    The REST binding calls preferred names `preferredFirstName` and so on, the CSV binding `preferredGivenName`; a server
    that writes `preferredLastName` is read too.
    """
    tables: dict[str, list[dict[str, str]]] = {
        "users": [],
        "roles": [],
        "orgs": [],
        "demographics": [],
        "enrollments": [],
    }
    for user in users:
        row = _plain(user)
        row["userIds"] = ",".join(
            f"{{{one.get('type', '')}:{one.get('identifier', '')}}}" for one in user.get("userIds") or ()
        )
        row["grades"] = ",".join(user.get("grades") or ())
        row["agentSourcedIds"] = ",".join(agent["sourcedId"] for agent in user.get("agents") or ())
        for csv_name, rest_names in _PREFERRED.items():
            row[csv_name] = next((str(user[name]) for name in rest_names if user.get(name)), "")
        tables["users"].append(row)
        tables["roles"].extend(
            _plain(role) | {"userSourcedId": row["sourcedId"], "orgSourcedId": _ref(role, "org")}
            for role in user.get("roles") or ()
        )
    tables["orgs"] = [_plain(org) for org in orgs]
    tables["demographics"] = [_plain(one) for one in demographics]
    tables["enrollments"] = [
        _plain(one)
        | {
            "userSourcedId": _ref(one, "user"),
            "classSourcedId": _ref(one, "class"),
            "schoolSourcedId": _ref(one, "school"),
        }
        for one in enrollments
    ]
    return tables


_PREFERRED = {
    "preferredGivenName": ("preferredFirstName",),
    "preferredMiddleName": ("preferredMiddleName",),
    "preferredFamilyName": ("preferredLastSurname", "preferredLastName"),
}


def _plain(thing: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in thing.items() if isinstance(value, str | int | float)}


def _ref(thing: Mapping[str, Any], name: str) -> str:
    target = thing.get(name)
    return str(target.get("sourcedId", "")) if isinstance(target, Mapping) else ""
