"""The people and places of the fictional city, as plain values."""

from dataclasses import dataclass
from datetime import date

from adapters.sandbox.city.names import Tradition

TODAY = date(2026, 11, 22)
SCHOOL_YEAR = 2027  # Ed-Fi names a school year by the calendar year it ends in
FIRST_DAY = date(2026, 9, 1)
PREKINDERGARTEN, KINDERGARTEN, LAST_GRADE = -1, 0, 8


@dataclass(frozen=True, slots=True)
class School:
    """A school and the grades it has (-1 is prekindergarten, 0 kindergarten)."""

    id: int
    name: str
    category: str
    grades: range


@dataclass(frozen=True, slots=True)
class Address:
    """Where a household lives; `confidential` must not be published."""

    street: str
    unit: str | None
    postal: str
    confidential: bool = False


@dataclass(frozen=True, slots=True)
class Guardian:
    """An adult around children: a contact in Ed-Fi, a parent user in OneRoster. `relation` is an Ed-Fi code value."""

    id: str
    first: str
    last: str
    relation: str
    phone: str
    email: str | None
    language: str
    lives_with: bool = True
    legal: bool = False
    restriction: str | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """A pupil. `key` is set for the few that stories are told of."""

    id: str
    first: str
    middle: str | None
    last: str
    suffix: str | None
    preferred: str | None
    former_last: str | None
    born: date
    sex: str
    grade: int
    school: School
    address: Address
    guardians: tuple[Guardian, ...]
    tradition: Tradition
    multiple_birth: bool
    key: str | None = None

    @property
    def name(self) -> str:
        """First and last name, as one would say it."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Staff:
    """Someone who works for the district. `role` is an Ed-Fi staff classification; `grade` the homeroom of a teacher."""

    id: str
    first: str
    last: str
    role: str
    title: str
    school: School | None
    grade: int | None = None

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Canary:
    """A planted string that must never be found in a log, a message, a temporary file or a database dump."""

    kind: str
    value: str
    where: str
