"""Builds the fictional city: a school district of three schools, its children, their families and its staff.

Everything follows from the seed; the same seed gives the same city on every machine. All people and organisations are
invented. Telephone numbers are from the range 555-0100 to 555-0199 that is kept for fiction.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Self

from adapters.sandbox.city.cast import CANARIES, CAST, Household
from adapters.sandbox.city.names import POOLS, STREETS, VIETNAMESE_MIDDLE, Pool, Tradition
from adapters.sandbox.city.people import (
    KINDERGARTEN,
    LAST_GRADE,
    PREKINDERGARTEN,
    TODAY,
    Address,
    Canary,
    Child,
    Guardian,
    School,
    Staff,
)

CITY_NAME = "Brindlecove"
STATE = "MA"
DISTRICT_ID = 990100
DISTRICT = "Brindlecove Public Schools"
CLINIC = "Brindlecove Children's Clinic"
PROGRAMME = "Kitebridge After School"
MENTORS = "Long Oar Mentors"
PANTRY = "Second Shelf Pantry"
SCHOOLS = (
    School(990101, "Heronwick School", "Elementary School", range(PREKINDERGARTEN, 3)),
    School(990102, "Lanternway School", "Elementary School", range(3, 6)),
    School(990103, "Cobblelight Middle School", "Middle School", range(6, LAST_GRADE + 1)),
)
AREA_CODES = (978, 351, 781, 339, 617, 857, 508, 774, 413)
POSTAL_CODES = ("01997", "01998")
COORDINATOR = "Odalys Figueroa"


@dataclass(frozen=True, slots=True)
class City:
    """The whole invented city. `cast` finds the children that stories are told of; `canaries` what must never leak."""

    seed: int
    children: tuple[Child, ...]
    staff: tuple[Staff, ...]
    cast: Mapping[str, Child]
    name: str = CITY_NAME
    today: date = TODAY
    schools: tuple[School, ...] = SCHOOLS
    canaries: tuple[Canary, ...] = CANARIES

    @classmethod
    def build(cls, seed: int = 7, children: int = 300) -> Self:
        """A city with that many children; ValueError for fewer than the cast has."""
        builder = _Builder(random.Random(seed))
        pupils = builder.pupils(children)
        cast = {child.key: child for child in pupils if child.key}
        return cls(seed, pupils, builder.staff(), MappingProxyType(cast))

    @property
    def guardians(self) -> tuple[Guardian, ...]:
        """Every adult once, in order of first mention."""
        found = {adult.id: adult for child in self.children for adult in child.guardians}
        return tuple(found.values())

    def private_strings(self) -> frozenset[str]:
        """Names, birth dates, addresses, numbers and telephones of all children: what a dump must not show."""
        found: set[str] = {canary.value for canary in self.canaries}
        for child in self.children:
            found |= {child.name, child.born.isoformat(), child.id, child.address.street}
            found |= {adult.phone for adult in child.guardians}
        return frozenset(found)


class _Builder:
    """Draws in one fixed order from one source of randomness."""

    def __init__(self, source: random.Random) -> None:
        self._draw = source
        self._children = self._adults = 0
        numbers = [f"({area}) 555-01{line:02}" for line in range(100) for area in AREA_CODES]
        self._draw.shuffle(numbers)
        self._phones = numbers

    def pupils(self, count: int) -> tuple[Child, ...]:
        """The cast, then families until there are enough children."""
        found = [child for household in CAST for child in self._household(household)]
        if count < len(found):
            raise ValueError(f"A city has at least {len(found)} children.")
        while len(found) < count:
            found.extend(list(self._family())[: count - len(found)])
        return tuple(found)

    def staff(self) -> tuple[Staff, ...]:
        """A coordinator and a principal for each school, a teacher for each grade, and the district's own people."""
        found = [self._worker("Superintendent", "Superintendent", None)]
        for school in SCHOOLS:
            found.append(self._worker("Principal", "Principal", school))
            found.append(
                self._worker("Student Support Services Staff (w/o Psychology)", "Coordinator", school)
            )
            found.append(self._worker("School Counselor", "School counselor", school))
            for grade in school.grades:
                role = "Kindergarten Teacher" if grade <= KINDERGARTEN else "Teacher"
                found.append(self._worker(role, f"Teacher, {grade_name(grade)}", school, grade))
        return tuple(found)

    def _worker(self, role: str, title: str, school: School | None, grade: int | None = None) -> Staff:
        self._adults += 1
        number = f"{20_000 + self._adults}"
        if title == "Coordinator" and school is SCHOOLS[1]:
            first, _, last = COORDINATOR.partition(" ")
            return Staff(number, first, last, role, title, school)
        pool = POOLS[self._tradition()]
        first = self._draw.choice(self._draw.choice((pool.girls, pool.boys)))
        return Staff(number, first, self._draw.choice(pool.families), role, title, school, grade)

    def _household(self, household: Household) -> Iterator[Child]:
        """A family of the cast."""
        address = self._address(confidential=household.confidential)
        adults = tuple(
            Guardian(
                self._adult_number(),
                one.first,
                one.last,
                one.relation,
                self._phone(),
                one.email,
                one.language,
                one.lives_with,
                one.legal,
                one.restriction,
            )
            for one in household.adults
        )
        for role in household.children:
            yield Child(
                self._child_number(),
                role.first,
                role.middle,
                role.last,
                role.suffix,
                role.preferred,
                role.former_last,
                role.born,
                role.sex,
                role.grade,
                school_of(role.grade),
                address,
                adults,
                household.tradition,
                role.multiple_birth,
                role.key,
            )

    def _family(self) -> Iterator[Child]:
        """An invented family: one to three children in different grades, or twins."""
        draw, tradition = self._draw, self._tradition()
        pool, address = POOLS[tradition], self._address()
        fathers, mothers = draw.sample(pool.families, 2)
        plain = tradition is Tradition.VIETNAMESE and draw.random() < 0.5  # noqa: PLR2004 - half write no diacritics
        last = _child_family(draw, tradition, fathers, mothers)
        adults = self._parents(pool, tradition, fathers, mothers)
        twins = draw.random() < 0.04  # noqa: PLR2004 - about as in life
        grades = draw.sample(range(PREKINDERGARTEN, LAST_GRADE + 1), draw.choices((1, 2, 3), (6, 3, 1))[0])
        grades = [grades[0]] * 2 if twins else grades
        born = self._born(grades[0])
        used: set[str] = set()
        for grade in grades:
            sex = draw.choice(("female", "male"))
            first = draw.choice(
                [name for name in (pool.girls if sex == "female" else pool.boys) if name not in used]
            )
            used.add(first)
            middle = draw.choice(VIETNAMESE_MIDDLE[sex]) if tradition is Tradition.VIETNAMESE else None
            yield Child(
                self._child_number(),
                _ascii(first) if plain else first,
                _ascii(middle) if plain and middle else middle,
                _ascii(last) if plain else last,
                "Jr." if sex == "male" and draw.random() < 0.02 else None,  # noqa: PLR2004 - a few
                first[:3] if draw.random() < 0.06 and " " not in first else None,  # noqa: PLR2004 - a few
                None,
                born if twins else self._born(grade),
                sex,
                grade,
                school_of(grade),
                address,
                adults,
                tradition,
                twins,
            )

    def _parents(self, pool: Pool, tradition: Tradition, fathers: str, mothers: str) -> tuple[Guardian, ...]:
        draw = self._draw
        if tradition is Tradition.HISPANIC:  # each parent has two surnames too
            third, fourth = draw.sample(pool.families, 2)
            fathers, mothers = f"{fathers} {third}", f"{mothers} {fourth}"
        kinds = draw.choices(
            (("Mother",), ("Mother", "Father"), ("Father",), ("Grandmother",), ("Mother", "Grandmother")),
            (30, 45, 8, 7, 10),
        )[0]
        women, men = draw.sample(pool.girls, 2), draw.sample(pool.boys, 2)
        return tuple(
            Guardian(
                self._adult_number(),
                men.pop() if kind == "Father" else women.pop(),
                fathers if kind == "Father" else mothers,
                kind,
                self._phone(),
                f"family{self._adults}@mail.example" if draw.random() < 0.12 else None,  # noqa: PLR2004 - as in real feeds
                pool.language,
                lives_with=draw.random() < 0.9,  # noqa: PLR2004 - nine in ten
                legal=draw.random() < 0.01,  # noqa: PLR2004 - real feeds hardly ever say it
            )
            for kind in kinds
        )

    def _tradition(self) -> Tradition:
        return self._draw.choices(list(POOLS), [pool.weight for pool in POOLS.values()])[0]

    def _address(self, *, confidential: bool = False) -> Address:
        unit = f"Apt {self._draw.randint(1, 24)}" if self._draw.random() < 0.5 else None  # noqa: PLR2004 - half rent
        street = f"{self._draw.randint(1, 480)} {self._draw.choice(STREETS)}"
        return Address(street, unit, self._draw.choice(POSTAL_CODES), confidential)

    def _born(self, grade: int) -> date:
        """A birth date that fits the grade with a cut-off of 1 September; one in twenty-five repeats a year."""
        older = self._draw.random() < 0.04 and grade > KINDERGARTEN  # noqa: PLR2004 - about as in life
        begin = date(2020 - grade - (1 if older else 0), 9, 2)
        return begin + timedelta(days=self._draw.randrange(365))

    def _phone(self) -> str:
        number = self._phones.pop(0)
        self._phones.append(number)  # beyond 900 adults numbers come round again
        return number

    def _child_number(self) -> str:
        self._children += 1
        return str(1_041_000_000 + self._children * 7_919 + self._draw.randrange(7_919))

    def _adult_number(self) -> str:
        self._adults += 1
        return str(770_000 + self._adults)


def school_of(grade: int) -> School:
    """The school that has a grade."""
    return next(school for school in SCHOOLS if grade in school.grades)


GRADE_NAMES = (
    "Prekindergarten", "Kindergarten", "First grade", "Second grade", "Third grade", "Fourth grade", "Fifth grade",
    "Sixth grade", "Seventh grade", "Eighth grade",
)  # fmt: skip


def grade_name(grade: int) -> str:
    """The grade as Ed-Fi's descriptor spells it."""
    return GRADE_NAMES[grade + 1]


def _child_family(draw: random.Random, tradition: Tradition, fathers: str, mothers: str) -> str:
    """A child's family name after the tradition of its family."""
    if tradition is Tradition.HISPANIC:
        return draw.choices((f"{fathers} {mothers}", f"{fathers}-{mothers}", fathers), (80, 8, 12))[0]
    if tradition in {Tradition.ENGLISH, Tradition.NIGERIAN} and draw.random() < 0.15:  # noqa: PLR2004 - some
        return f"{fathers}-{mothers}"
    return draw.choices((fathers, mothers), (75, 25))[0]


_BARE = str.maketrans(
    "ăâđêôơưĂÂĐÊÔƠƯáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵÝỲ",
    "aadeoouAADEOOUaaaaaaaaaaaaaaaeeeeeeeeeeiiiiiooooooooooooooouuuuuuuuuuyyyyyYY",
)


def _ascii(name: str) -> str:
    """A Vietnamese name without its diacritics, as many registers write it."""
    return name.translate(_BARE)
