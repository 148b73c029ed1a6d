"""The CSV tables of OneRoster 1.1 and 1.2 that this hub reads: columns, required ones, and spellings seen in the field.

Columns: 1EdTech OneRoster CSV Binding 1.1 and 1.2 (`reference/school.md` §3.2); spellings: §3.3, rows 12-14. Gradebook,
resource and class tables are known by name so that they are not reported as foreign, but they are not read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Table(StrEnum):
    """Tables that are read."""

    ORGS = "orgs"
    USERS = "users"
    ROLES = "roles"
    ENROLLMENTS = "enrollments"
    DEMOGRAPHICS = "demographics"


NOT_READ = frozenset(
    {
        "academicSessions",
        "categories",
        "classes",
        "classResources",
        "courseResources",
        "courses",
        "lineItemLearningObjectiveIds",
        "lineItems",
        "lineItemScoreScales",
        "resources",
        "resultLearningObjectiveIds",
        "results",
        "resultScoreScales",
        "scoreScales",
        "userProfiles",
        "userResources",
    }
)
"""The standard's other tables: nothing in a success plan comes from them."""

_HEAD = ("sourcedId", "status", "dateLastModified")
_USERS = (
    *_HEAD, "enabledUser", "orgSourcedIds", "role", "username", "userIds", "givenName", "familyName", "middleName",
    "identifier", "email", "sms", "phone", "agentSourcedIds", "grades", "password", "userMasterIdentifier",
    "preferredGivenName", "preferredMiddleName", "preferredFamilyName", "primaryOrgSourcedId", "pronouns",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of one table. A row without a value in `required` is left out; a file without such a column is refused."""

    known: tuple[str, ...]
    required: tuple[str, ...]


COLUMNS: Mapping[Table, Columns] = {
    Table.ORGS: Columns((*_HEAD, "name", "type", "identifier", "parentSourcedId"), ("sourcedId", "name", "type")),
    Table.USERS: Columns(_USERS, ("sourcedId", "givenName", "familyName")),
    Table.ROLES: Columns(
        (*_HEAD, "userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId", "userProfileSourcedId"),
        ("userSourcedId", "role", "orgSourcedId"),
    ),
    Table.ENROLLMENTS: Columns(
        (*_HEAD, "classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"),
        ("sourcedId", "userSourcedId", "schoolSourcedId", "role"),
    ),
    Table.DEMOGRAPHICS: Columns(
        (
            *_HEAD, "birthDate", "sex", "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican",
            "nativeHawaiianOrOtherPacificIslander", "white", "demographicRaceTwoOrMoreRaces",
            "hispanicOrLatinoEthnicity", "countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth",
            "publicSchoolResidenceStatus",
        ),
        ("sourcedId",),
    ),
}  # fmt: skip

ALIASES: Mapping[str, str] = {
    "agents": "agentSourcedIds",
    "agentsourcedid": "agentSourcedIds",
    "datalastmodified": "dateLastModified",
    "firstname": "givenName",
    "lastname": "familyName",
    "orgsourcedid": "orgSourcedIds",
    "preferedgivenname": "preferredGivenName",
    "prefferedgivenname": "preferredGivenName",
    "prefferedmiddlename": "preferredMiddleName",
    "prefferedfamilyname": "preferredFamilyName",
    "preferredfirstname": "preferredGivenName",
    "preferredlastname": "preferredFamilyName",
    "userid": "userIds",
    "userids": "userIds",
}
"""Misspellings and names of other versions, by lower case; used only where the table has no column of that very name."""

LISTS = frozenset({"orgSourcedIds", "agentSourcedIds", "grades"})
"""Columns that hold several values in one cell, separated by commas."""

PASSWORD = "password"  # noqa: S105 - a column name
EXTENSION_PREFIXES = ("metadata.", "ext_", "ext.")
ROLES_MARK = frozenset({"userSourcedId", "roleType", "role", "orgSourcedId"})
"""Columns that tell a roles table whatever the file is called (§3.3, row 12)."""


def canonical(table: Table, heading: str) -> str | None:
    """The standard's name of a column, whatever its case, spaces or known misspelling; None for a foreign one."""
    folded = heading.strip().lower().replace(" ", "").replace("_", "")
    known = {name.lower(): name for name in COLUMNS[table].known}
    if folded in known:
        return known[folded]
    alias = ALIASES.get(folded)
    return alias if alias in COLUMNS[table].known else None
