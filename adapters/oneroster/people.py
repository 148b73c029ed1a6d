"""One document per user, joined from the tables of OneRoster: what the OneRoster map reads (`mappings/oneroster/paths.csv`).

Names are those of the CSV binding 1.2, also where the data came from JSON or from version 1.1; empty values are absent;
booleans are the strings "true" and "false" as everywhere in OneRoster. The shape:

    {"user": row of users, with userIds as [{"type"?, "identifier"}], grades as [text], metadata as {name: text},
     "roles": [row of roles, with org = row of orgs, enrollments = [rows of enrollments there, by begin date]],
     "demographics": row of demographics,
     "enrollments": [rows of enrollments at schools where the user has no role],
     "agents": [row of users as above, with roles = [rows of roles]],
     "orgs": [rows of orgs named above, and theirs up to the district]}

Lists are always there, if empty. `agents` are the users linked to this one, whichever of the two rows says so: guardians
of a student, children of a parent.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any

Cells = Mapping[str, str]
Person = dict[str, Any]

MAX_ORG_LEVELS = 10

_USER_ID = re.compile(r"\{([^:{}]*):([^{}]*)\}")
_BOOLEANS = frozenset(
    {
        "enabledUser", "primary", "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican",
        "nativeHawaiianOrOtherPacificIslander", "white", "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity",
    }
)  # fmt: skip
_ONLY_1_1 = frozenset({"orgSourcedIds", "role"})
_ROLE = (
    "sourcedId", "status", "dateLastModified", "roleType", "role", "beginDate", "endDate", "orgSourcedId",
    "userProfileSourcedId",
)  # fmt: skip
_ENROLLMENT = (
    "sourcedId", "status", "dateLastModified", "classSourcedId", "schoolSourcedId", "role", "primary", "beginDate",
    "endDate",
)  # fmt: skip
_OFTEN = frozenset(
    {
        "status",
        "roleType",
        "role",
        "orgSourcedId",
        "classSourcedId",
        "schoolSourcedId",
        "primary",
        "beginDate",
        "endDate",
    }
)

_Packed = tuple[str | None, ...]


def listed(cell: str) -> list[str]:
    """The values of a cell that holds a comma-separated list."""
    return [part.strip() for part in cell.split(",") if part.strip()]


def user_ids(cell: str) -> list[dict[str, str]]:
    """`{State:12},{Local:7}` as objects; text without braces is an identifier of unknown type."""
    found = [
        {"type": kind.strip(), "identifier": value.strip()} if kind.strip() else {"identifier": value.strip()}
        for kind, value in _USER_ID.findall(cell)
        if value.strip()
    ]
    return found or [{"identifier": part} for part in listed(cell.replace("{", "").replace("}", ""))]


def _plain(name: str, value: str) -> str:
    return value.lower() if name in _BOOLEANS else value


def is_student(person: Person) -> bool:
    """Whether somebody is a student anywhere: whom the OneRoster map is for."""
    return any(role.get("role") == "student" for role in person["roles"])


def _pack(cells: Cells, names: tuple[str, ...]) -> _Packed:
    """A row as a tuple, frequent values stored once: a district has a hundred thousand enrolments."""
    return tuple(
        (intern(cells[name]) if name in _OFTEN else cells[name]) if name in cells else None for name in names
    )


def _unpack(user: str, packed: _Packed, names: tuple[str, ...]) -> dict[str, Any]:
    row = {name: _plain(name, value) for name, value in zip(names, packed, strict=True) if value is not None}
    return {"userSourcedId": user, **row}


def user_row(cells: Cells) -> dict[str, Any]:
    """A row of users with its lists as lists."""
    row: dict[str, Any] = {
        name: _plain(name, value) for name, value in cells.items() if name not in _ONLY_1_1
    }
    row["userIds"] = user_ids(cells.get("userIds", ""))
    row["grades"] = listed(cells.get("grades", ""))
    return row


@dataclass(slots=True)
class Roster:
    """Everything about users but the users themselves, indexed by user."""

    orgs: dict[str, dict[str, str]] = field(default_factory=dict)
    roles: dict[str, list[_Packed]] = field(default_factory=dict)
    demographics: dict[str, dict[str, str]] = field(default_factory=dict)
    enrollments: dict[str, list[_Packed]] = field(default_factory=dict)
    linked: dict[str, list[str]] = field(default_factory=dict)
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_org(self, cells: Cells) -> None:
        """One row of orgs."""
        self.orgs[cells["sourcedId"]] = dict(cells)

    def add_role(self, cells: Cells) -> None:
        """One row of roles (1.2)."""
        self.roles.setdefault(cells["userSourcedId"], []).append(_pack(cells, _ROLE))

    def add_roles_of_1_1(self, user: Cells) -> None:
        """The one role of a 1.1 user at each of its orgs; the first org counts as primary."""
        if "role" in user:
            for number, org in enumerate(listed(user.get("orgSourcedIds", ""))):
                kind = "secondary" if number else "primary"
                self.add_role(
                    {
                        "userSourcedId": user["sourcedId"],
                        "roleType": kind,
                        "role": user["role"],
                        "orgSourcedId": org,
                    }
                )

    def add_demographics(self, cells: Cells) -> None:
        """One row of demographics; its sourcedId is the user's."""
        self.demographics[cells["sourcedId"]] = {name: _plain(name, value) for name, value in cells.items()}

    def add_enrollment(self, cells: Cells) -> None:
        """One row of enrollments."""
        self.enrollments.setdefault(cells["userSourcedId"], []).append(_pack(cells, _ENROLLMENT))

    def link(self, user: str, agents: Iterable[str]) -> None:
        """A user names agents: each then has the other, whichever row says so."""
        for agent in agents:
            for one, other in ((user, agent), (agent, user)):
                known = self.linked.setdefault(one, [])
                if other not in known and one != other:
                    known.append(other)

    def add_card(self, user: Mapping[str, Any]) -> None:
        """The finished row of a user, kept where others are linked to it."""
        if user["sourcedId"] in self.linked:
            self.cards[user["sourcedId"]] = dict(user)

    def person(self, user: Mapping[str, Any], metadata: Mapping[str, Any]) -> Person:
        """The joined document of one user, from its finished row."""
        me = user["sourcedId"]
        roles = self._roles(me)
        enrollments = [_unpack(me, each, _ENROLLMENT) for each in self.enrollments.get(me, ())]
        enrollments.sort(key=lambda each: each.get("beginDate", "9999"))
        schools = list(dict.fromkeys(role["orgSourcedId"] for role in roles))
        named = [*schools, *(each["schoolSourcedId"] for each in enrollments)]
        for role in roles:
            role["org"] = self.orgs.get(role["orgSourcedId"], {})
            role["enrollments"] = [
                each for each in enrollments if each["schoolSourcedId"] == role["orgSourcedId"]
            ]
        return {
            "user": {**user, "metadata": dict(metadata)},
            "roles": roles,
            "demographics": self.demographics.get(me, {}),
            "enrollments": [each for each in enrollments if each["schoolSourcedId"] not in schools],
            "agents": [
                {**self.cards[each], "roles": self._roles(each)}
                for each in self.linked.get(me, ())
                if each in self.cards
            ],
            "orgs": self._orgs(
                [*named, *([user["primaryOrgSourcedId"]] if "primaryOrgSourcedId" in user else [])]
            ),
        }

    def _roles(self, user: str) -> list[dict[str, Any]]:
        return [_unpack(user, each, _ROLE) for each in self.roles.get(user, ())]

    def _orgs(self, named: Iterable[str]) -> list[dict[str, str]]:
        """The orgs named and those above them, each once; a circle among parents ends."""
        found: dict[str, dict[str, str]] = {}
        for name in named:
            at: str | None = name
            for _ in range(MAX_ORG_LEVELS):
                if at is None or at in found or at not in self.orgs:
                    break
                found[at] = self.orgs[at]
                at = self.orgs[at].get("parentSourcedId")
        return list(found.values())
