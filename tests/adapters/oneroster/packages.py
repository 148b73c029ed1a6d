"""OneRoster CSV packages of invented people. Columns: CSV Binding 1.1 and 1.2 (reference/school.md §3.2)."""

import csv
import io
import zipfile
from collections.abc import Mapping, Sequence

from adapters.oneroster.tables import COLUMNS, NOT_READ, Table

USERS_1_2 = tuple(name for name in COLUMNS[Table.USERS].known if name not in {"orgSourcedIds", "role"})
USERS_1_1 = (
    "sourcedId", "status", "dateLastModified", "enabledUser", "orgSourcedIds", "role", "username", "userIds",
    "givenName", "familyName", "middleName", "identifier", "email", "sms", "phone", "agentSourcedIds", "grades",
    "password",
)  # fmt: skip
ROLES = COLUMNS[Table.ROLES].known
ORGS = COLUMNS[Table.ORGS].known
ENROLLMENTS = COLUMNS[Table.ENROLLMENTS].known
DEMOGRAPHICS = COLUMNS[Table.DEMOGRAPHICS].known

Rows = Sequence[Mapping[str, str]]


def table(columns: Sequence[str], rows: Rows) -> bytes:
    """A CSV table as RFC 4180 wants it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([row.get(name, "") for name in columns])
    return text.getvalue().encode()


def manifest(files: Mapping[str, str], version: str = "1.2") -> bytes:
    """A manifest; files not named are absent."""
    named = {name: files.get(name, "absent") for name in (*(each.value for each in Table), *sorted(NOT_READ))}
    rows = [("manifest.version", "1.0"), ("oneroster.version", version)]
    rows += [(f"file.{name}", mode) for name, mode in named.items()]
    return table(("propertyName", "value"), [{"propertyName": name, "value": value} for name, value in rows])


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    """A ZIP of the files given."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


STUDENT = {
    "sourcedId": "u-1",
    "enabledUser": "true",
    "username": "ama.b",
    "userIds": "{State:S-100},{Local:77}",
    "givenName": "Ama",
    "familyName": "Boateng",
    "identifier": "100",
    "agentSourcedIds": "u-2",
    "grades": "03,04",
    "primaryOrgSourcedId": "o-1",
}
PARENT = {
    "sourcedId": "u-2",
    "enabledUser": "true",
    "givenName": "Kofi",
    "familyName": "Boateng",
    "phone": "555-0101",
}
TEACHER = {
    "sourcedId": "u-3",
    "enabledUser": "true",
    "givenName": "Yaa",
    "familyName": "Mensah",
    "email": "y@alder.invalid",
}
DISTRICT = {"sourcedId": "o-0", "name": "Riverbend District", "type": "district", "identifier": "9"}
SCHOOL = {
    "sourcedId": "o-1",
    "name": "Alder Street School",
    "type": "school",
    "identifier": "77",
    "parentSourcedId": "o-0",
}


def role(number: int, user: str, name: str, **more: str) -> dict[str, str]:
    """A row of roles at the one school."""
    return {
        "sourcedId": f"r-{number}", "userSourcedId": user, "roleType": "primary", "role": name, "orgSourcedId": "o-1",
        **more,
    }  # fmt: skip


def files(**changed: bytes | None) -> dict[str, bytes]:
    """The files of a small bulk package 1.2; name one to replace it, None to leave it out."""
    made: dict[str, bytes | None] = {
        "manifest": manifest(dict.fromkeys(("users", "roles", "orgs", "enrollments", "demographics"), "bulk")),
        "orgs": table(ORGS, [DISTRICT, SCHOOL]),
        "users": table(USERS_1_2, [STUDENT, PARENT, TEACHER]),
        "roles": table(ROLES, [role(1, "u-1", "student"), role(2, "u-2", "parent"), role(3, "u-3", "teacher")]),
        "enrollments": table(
            ENROLLMENTS,
            [
                {
                    "sourcedId": "e-1", "classSourcedId": "c-1", "schoolSourcedId": "o-1", "userSourcedId": "u-1",
                    "role": "student", "primary": "FALSE", "beginDate": "2026-08-24",
                }
            ],
        ),
        "demographics": table(DEMOGRAPHICS, [{"sourcedId": "u-1", "birthDate": "2017-04-05", "sex": "female", "asian": "TRUE"}]),
        **changed,
    }  # fmt: skip
    return {f"{name}.csv": data for name, data in made.items() if data is not None}


def package(**changed: bytes | None) -> bytes:
    """The small package as a ZIP."""
    return zipped(files(**changed))
