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

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any

from adapters.oneroster.tables import COLUMNS, Table

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
_DEMOGRAPHICS = COLUMNS[Table.DEMOGRAPHICS].known
_DISTINCT = frozenset({"sourcedId", "dateLastModified", "userProfileSourcedId"})
"""Columns in which hardly two rows say the same; of the others each value is held once."""

_write_card = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode

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


def is_student(person: Person) -> bool:
    """Whether somebody is a student anywhere: whom the OneRoster map is for."""
    return any(role.get("role") == "student" for role in person["roles"])


def _pack(cells: Cells, names: tuple[str, ...]) -> _Packed:
    """A row as a tuple, repeated values held once: a district has a hundred thousand enrolments."""
    plain = _plain(cells)
    return tuple(
        [
            (plain[name] if name in _DISTINCT else intern(plain[name])) if name in plain else None
            for name in names
        ]
    )


def _unpack(packed: _Packed, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in zip(names, packed, strict=True) if value is not None}


def _plain(cells: Cells) -> Cells:
    """A row with its booleans in lower case."""
    wrong = _BOOLEANS.intersection(cells)
    return cells if not wrong else {**cells, **{name: cells[name].lower() for name in wrong}}


def user_row(cells: Cells) -> dict[str, Any]:
    """A row of users with its lists as lists."""
    row: dict[str, Any] = {name: value for name, value in _plain(cells).items() if name not in _ONLY_1_1}
    row["userIds"] = user_ids(cells.get("userIds", ""))
    row["grades"] = listed(cells.get("grades", ""))
    return row


@dataclass(slots=True)
class Roster:
    """Everything about users but the users themselves, indexed by user; held small, since a district is held whole."""

    orgs: dict[str, dict[str, str]] = field(default_factory=dict)
    roles: dict[str, tuple[_Packed, ...]] = field(default_factory=dict)
    demographics: dict[str, _Packed] = field(default_factory=dict)
    enrollments: dict[str, tuple[_Packed, ...]] = field(default_factory=dict)
    linked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cards: dict[str, bytes] = field(default_factory=dict)  # JSON

    def add_org(self, cells: Cells) -> None:
        """One row of orgs."""
        self.orgs[cells["sourcedId"]] = dict(cells)

    def add_role(self, cells: Cells) -> None:
        """One row of roles (1.2)."""
        user = intern(cells["userSourcedId"])
        self.roles[user] = (*self.roles.get(user, ()), _pack(cells, _ROLE))

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
        self.demographics[intern(cells["sourcedId"])] = _pack(cells, _DEMOGRAPHICS)

    def add_enrollment(self, cells: Cells) -> None:
        """One row of enrollments."""
        user = intern(cells["userSourcedId"])
        self.enrollments[user] = (*self.enrollments.get(user, ()), _pack(cells, _ENROLLMENT))

    def link(self, user: str, agents: Iterable[str]) -> None:
        """A user names agents: each then has the other, whichever row says so."""
        for agent in agents:
            for one, other in ((user, agent), (agent, user)):
                known = self.linked.get(one, ())
                if other not in known and one != other:
                    self.linked[intern(one)] = (*known, intern(other))

    def add_card(self, user: Mapping[str, Any]) -> None:
        """The finished row of a user, kept where others are linked to it."""
        if user["sourcedId"] in self.linked:
            self.cards[intern(user["sourcedId"])] = _write_card(user).encode()

    def person(self, user: Mapping[str, Any], metadata: Mapping[str, Any]) -> Person:
        """The joined document of one user, from its finished row."""
        me = user["sourcedId"]
        roles = self._roles(me)
        enrollments = [
            {"userSourcedId": me, **_unpack(each, _ENROLLMENT)} for each in self.enrollments.get(me, ())
        ]
        enrollments.sort(key=lambda each: each.get("beginDate", "9999"))
        schools = list(dict.fromkeys(role["orgSourcedId"] for role in roles))
        named = [*schools, *(each["schoolSourcedId"] for each in enrollments)]
        for role in roles:
            role["org"] = self.orgs.get(role["orgSourcedId"], {})
            role["enrollments"] = [
                each for each in enrollments if each["schoolSourcedId"] == role["orgSourcedId"]
            ]
        if "primaryOrgSourcedId" in user:
            named.append(user["primaryOrgSourcedId"])
        return {
            "user": {**user, "metadata": dict(metadata)},
            "roles": roles,
            "demographics": _unpack(self.demographics[me], _DEMOGRAPHICS) if me in self.demographics else {},
            "enrollments": [each for each in enrollments if each["schoolSourcedId"] not in schools],
            "agents": [
                {**json.loads(self.cards[each]), "roles": self._roles(each)}
                for each in self.linked.get(me, ())
                if each in self.cards
            ],
            "orgs": self._orgs(named),
        }

    def _roles(self, user: str) -> list[dict[str, Any]]:
        return [{"userSourcedId": user, **_unpack(each, _ROLE)} for each in self.roles.get(user, ())]

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
