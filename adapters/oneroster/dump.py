"""A district as OneRoster 1.2 REST bodies (`{"users": [...]}`, …), read into the same documents as the CSV package.

References become ids, JSON names become those of the CSV binding (`preferredFirstName` → `preferredGivenName`), user
profiles are dropped at the door: they hold passwords.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.findings import Findings
from adapters.oneroster.csv import OneRosterBundle
from adapters.oneroster.package import Mode
from adapters.oneroster.people import Person, Roster
from adapters.oneroster.tables import COLUMNS, PASSWORD, Table
from adapters.received import parse_json
from mappings.record.issue import Issue, IssueCode

MAX_FILE_BYTES = 500_000_000
READ = ("users", "orgs", "demographics", "enrollments")
"""Bodies that are read; roles stand inside users."""

_RENAMED = {
    "preferredFirstName": "preferredGivenName",
    "preferredLastName": "preferredFamilyName",
}
_REFERENCES = {
    "class": "classSourcedId",
    "school": "schoolSourcedId",
    "user": "userSourcedId",
    "org": "orgSourcedId",
    "parent": "parentSourcedId",
    "primaryOrg": "primaryOrgSourcedId",
}
_NEEDED = {
    "users": COLUMNS[Table.USERS].required,
    "orgs": COLUMNS[Table.ORGS].required,
    "demographics": COLUMNS[Table.DEMOGRAPHICS].required,
    "enrollments": COLUMNS[Table.ENROLLMENTS].required,
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One object of a body: as it came, and its scalar members under the CSV binding's names."""

    raw: Mapping[str, Any]
    cells: dict[str, str]


def from_json_dump(source: Path | Mapping[str, bytes]) -> OneRosterBundle:
    """Read a folder of `users.json`, `orgs.json`, `demographics.json`, `enrollments.json`, or the same as bytes by name.

    Bodies are held in memory: a dump is a one-off import, while districts of a million send CSV.
    """
    findings, roster = Findings(), Roster()
    bodies = {name: _body(source, name, findings) for name in READ}
    held = {name: list(_objects(name, body, findings)) for name, body in bodies.items() if body is not None}
    if "users" not in held:
        findings.error(
            IssueCode.REQUIRED,
            "The dump has no users.json, so there is nobody to take over.",
            file="users.json",
        )
    passwords = sum(_passwords(each.raw) for each in held.get("users", ()))
    people = _people(held, roster, findings)
    if passwords:
        text = f"{passwords} passwords were cut out and not kept. Leave them out of the export."
        findings.inform(IssueCode.FORBIDDEN, text, file="users.json")
    digest = hashlib.sha256(b"".join(hashlib.sha256(bodies[name] or b"").digest() for name in READ)).digest()
    return OneRosterBundle(
        people=() if findings.refused else people,
        issues=findings.issues(),
        refused=findings.refused,
        version="1.2",
        mode=Mode.BULK,
        sha256=digest,
        passwords_cut=passwords,
    )


def _body(source: Path | Mapping[str, bytes], name: str, findings: Findings) -> bytes | None:
    if not isinstance(source, Path):
        return source.get(name)
    path = source / f"{name}.json"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            text = "The file is too large for a dump. Send the district as a OneRoster CSV package."
            findings.error(IssueCode.TOO_LARGE, text, file=path.name)
            return None
        return path.read_bytes()
    except OSError:
        return None


def _objects(name: str, body: bytes, findings: Findings) -> Iterator[_Entry]:
    """The objects of one body that have what they need; the rest are findings."""
    file = f"{name}.json"
    value = parse_json(body)
    if isinstance(value, Issue):
        findings.error(value.code, value.text, file=file)
        return
    listed = value.get(name) if isinstance(value, dict) else None
    if not isinstance(listed, list):
        text = f'The body is not {{"{name}": [...]}} as the OneRoster binding says.'
        findings.error(IssueCode.BAD_VALUE, text, file=file)
        return
    seen: set[str] = set()
    for number, entry in enumerate(listed, start=1):
        cells = _cells(entry) if isinstance(entry, dict) else {}
        missing = next((each for each in _NEEDED[name] if each not in cells), None)
        if missing is not None:
            text = f"The object was left out because {missing} is missing or not text."
            findings.warn(IssueCode.REQUIRED, text, file=file, row=number)
        elif cells["sourcedId"] in seen:
            text = (
                "Two objects have this sourcedId, so it cannot be told which is right. Make the dump again."
            )
            findings.error(IssueCode.DUPLICATE, text, file=file, row=number)
        else:
            seen.add(cells["sourcedId"])
            yield _Entry(entry, cells)


def _cells(entry: Mapping[str, Any]) -> dict[str, str]:
    """The scalar members and references of an object, under the CSV binding's names."""
    cells: dict[str, str] = {}
    for name, value in entry.items():
        if name in _REFERENCES:
            target = value.get("sourcedId") if isinstance(value, dict) else None
            if isinstance(target, str) and target:
                cells[_REFERENCES[name]] = target
        elif name == PASSWORD:
            continue
        elif isinstance(value, bool):
            cells[name] = "true" if value else "false"
        elif isinstance(value, str | int) and str(value).strip():
            cells[_RENAMED.get(name, name)] = str(value).strip()
    return cells


def _passwords(user: Mapping[str, Any]) -> int:
    profiles = user.get("userProfiles")
    held = (
        [user, *(each for each in profiles if isinstance(each, dict))]
        if isinstance(profiles, list)
        else [user]
    )
    return sum(
        1
        for each in held
        for keeper in (each, each.get("credentials") if isinstance(each.get("credentials"), dict) else {})
        if isinstance(keeper, dict) and keeper.get(PASSWORD)
    )


def _people(held: Mapping[str, list[_Entry]], roster: Roster, findings: Findings) -> list[Person]:
    users = held.get("users", [])
    known = {user.cells["sourcedId"] for user in users}
    for org in held.get("orgs", ()):
        roster.add_org(_of(Table.ORGS, org.cells))
    for user in users:
        _add_roles(user, roster, findings)
        roster.link(user.cells["sourcedId"], _references(user.raw.get("agents")))
    for row in held.get("demographics", ()):
        if row.cells["sourcedId"] in known:
            roster.add_demographics(_of(Table.DEMOGRAPHICS, row.cells))
    for row in held.get("enrollments", ()):
        if row.cells["userSourcedId"] in known:
            roster.add_enrollment(row.cells)
    rows = [_row(user) for user in users]
    for finished in rows:
        roster.add_card(finished)
    return [roster.person(finished, _metadata(user)) for finished, user in zip(rows, users, strict=True)]


def _of(table: Table, cells: Mapping[str, str]) -> dict[str, str]:
    """The columns the CSV binding has."""
    return {name: cells[name] for name in COLUMNS[table].known if name in cells}


def _references(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else []
    return [
        each["sourcedId"]
        for each in entries
        if isinstance(each, dict) and isinstance(each.get("sourcedId"), str)
    ]


def _add_roles(user: _Entry, roster: Roster, findings: Findings) -> None:
    listed = user.raw.get("roles")
    for role in listed if isinstance(listed, list) else ():
        cells = _cells(role) if isinstance(role, dict) else {}
        if "role" in cells and "orgSourcedId" in cells:
            roster.add_role({**cells, "userSourcedId": user.cells["sourcedId"]})
        else:
            findings.warn(IssueCode.REQUIRED, "A role without role or org was left out.", file="users.json")


def _row(user: _Entry) -> dict[str, Any]:
    """A user as its finished row in the CSV binding's names."""
    row: dict[str, Any] = _of(Table.USERS, user.cells)
    agents = _references(user.raw.get("agents"))
    if agents:
        row["agentSourcedIds"] = ",".join(agents)
    grades, ids = user.raw.get("grades"), user.raw.get("userIds")
    row["grades"] = [each for each in grades if isinstance(each, str)] if isinstance(grades, list) else []
    row["userIds"] = [
        {name: each[name] for name in ("type", "identifier") if isinstance(each.get(name), str)}
        for each in (ids if isinstance(ids, list) else ())
        if isinstance(each, dict) and each.get("identifier")
    ]
    return row


def _metadata(user: _Entry) -> Mapping[str, Any]:
    metadata = user.raw.get("metadata")
    return metadata if isinstance(metadata, dict) else {}
