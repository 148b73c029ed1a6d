"""The kinds of row law consists of, each with its section, its days in force, and how well its text was read.

A row says which jurisdiction it is for; a row of `default` holds where a jurisdiction has none of its own. Loading and
looking up: `consent.law`.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from hashlib import sha256
from string import Formatter
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from consent.vocabulary import Element, Obligation
from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.record.regime import Regime

DEFAULT = "default"
"""The jurisdiction whose rows hold where a child's own has none."""

PLACES = frozenset({"recipient", "purpose", "topics", "until"})
"""What a notice's text may leave open in braces, filled in when it is carried."""

Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]


class Evidence(StrEnum):
    """How well the text behind a row was read."""

    VERBATIM = "verbatim"
    SECONDARY = "secondary"
    NEEDS_COUNSEL = "needs-counsel"


class LeapDay(StrEnum):
    """On which day of a common year someone born on 29 February comes of age."""

    FEBRUARY_28 = "feb-28"
    MARCH_1 = "mar-1"


class WhoSigns(StrEnum):
    """Whose signature a category needs while the child is a minor."""

    GUARDIAN = "guardian"
    MINOR = "minor"
    EITHER = "either"
    BOTH = "both"


class Row(BaseModel):
    """What every row of law carries. In force on days [effective_from, effective_until).

    `quote` is taken word for word from the section; `remark` tells counsel what the row makes of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    table: ClassVar[str] = ""  # the table of a rule file it stands in

    id: Slug
    jurisdiction: Slug = DEFAULT
    section: str = Field(min_length=1)
    evidence: Evidence
    effective_from: date
    effective_until: date | None = None
    quote: str | None = Field(default=None, min_length=1)
    remark: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _until_after_from(self) -> "Row":
        if self.effective_until is not None and self.effective_until <= self.effective_from:
            msg = "effective_until must lie after effective_from"
            raise ValueError(msg)
        return self

    @property
    def subject(self) -> str:
        """What the row is about; two rows of one kind, jurisdiction and subject may not be in force at once."""
        return ""

    @property
    def says(self) -> str:
        """What the row rules, in a few words; for whoever reads the table."""
        return self.id

    def holds(self, day: date) -> bool:
        """Whether the row is in force on `day`."""
        return self.effective_from <= day and (self.effective_until is None or day < self.effective_until)

    def overlaps(self, other: "Row") -> bool:
        """Whether some day sees both in force."""
        return self.holds(other.effective_from) or other.holds(self.effective_from)


class Majority(Row):
    """The age at which the child's own word replaces the guardian's."""

    table = "majority"

    age: int = Field(ge=1, le=30)
    leap_day: LeapDay

    @property
    def says(self) -> str:
        """The age, and the day a leap-day child reaches it."""
        return f"of age at {self.age}; who was born on 29 February on {self.leap_day}"


class Signature(Row):
    """Who signs for a category, from which age or grade a minor may, and whether a guardian reads it on the family's page.

    Before that age and grade `younger` signs and reads: a guardian, or where it is missing nobody.
    """

    table = "signature"

    category: Category
    who_signs: WhoSigns
    minor_from_age: int | None = Field(default=None, ge=0, le=30)
    minor_from_grade: int | None = Field(default=None, ge=1, le=13)
    younger: WhoSigns | None = None
    guardian_reads: bool

    @property
    def subject(self) -> str:
        """The topic."""
        return self.category

    @property
    def says(self) -> str:
        """Who signs, from when, and who reads."""
        grade = f" or grade {self.minor_from_grade}" if self.minor_from_grade is not None else ""
        since = f" from {self.minor_from_age}{grade}" if self.minor_from_age is not None else ""
        young = WhoSigns.GUARDIAN if self.who_signs is WhoSigns.EITHER else self.younger
        before = f", before that {young or 'nobody'}" if since else ""
        reads = "reads" if self.guardian_reads else "does not read"
        return f"{self.category}: {self.who_signs} signs{since}{before}; a guardian {reads} it"

    @model_validator(mode="after")
    def _minor_age_where_a_minor_signs(self) -> "Signature":
        if (self.who_signs is WhoSigns.GUARDIAN) != (self.minor_from_age is None):
            msg = "minor_from_age stands exactly where a minor may sign"
            raise ValueError(msg)
        if self.minor_from_age is None and (self.minor_from_grade is not None or self.younger is not None):
            msg = "minor_from_grade and younger stand only where a minor may sign"
            raise ValueError(msg)
        if self.younger not in {None, WhoSigns.GUARDIAN}:
            msg = "before the minor may sign only a guardian can"
            raise ValueError(msg)
        return self


class NonCustodial(Row):
    """When a parent without physical custody comes to the record: so many full days after asking in writing, and without
    these kinds of fact.
    """

    table = "non_custodial"

    topics: frozenset[Category] = Field(min_length=1)
    wait_days: int = Field(ge=0)
    leaves_out: frozenset[Kind] = frozenset()

    @property
    def says(self) -> str:
        """The wait and what is left out."""
        without = ", ".join(sorted(self.leaves_out)) or "nothing"
        topics = ", ".join(sorted(self.topics))
        return (
            f"a parent without custody reads and signs {self.wait_days} full days after asking in writing, "
            f"without: {without} ({topics})"
        )


class Duty(BaseModel):
    """One obligation with its argument: a notice's id, a path, an instant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    obligation: Obligation
    detail: str = ""


CARRIED = frozenset({Obligation.NOTICE, Obligation.ATTACH_SCOPE})
"""The obligations fulfilled by carrying a text, whose id is the duty's detail."""


class RegimeRule(Row):
    """That facts of this regime may leave on a family's consent, and what must go with them."""

    table = "regime"

    regime: Regime
    duties: tuple[Duty, ...] = ()

    @property
    def subject(self) -> str:
        """The regime."""
        return self.regime

    @property
    def says(self) -> str:
        """The regime and what is owed with its facts."""
        owed = ", ".join(f"{duty.obligation} {duty.detail}".strip() for duty in self.duties) or "nothing"
        return f"{self.regime} leaves on consent; owed with it: {owed}"


class Requirement(Row):
    """One element a consent must have before facts of this regime leave on it."""

    table = "requirement"

    regime: Regime
    element: Element
    longest_days: int | None = Field(default=None, ge=1)

    @property
    def subject(self) -> str:
        """The regime and the element."""
        return f"{self.regime}/{self.element}"

    @property
    def says(self) -> str:
        """The element, and the longest term."""
        longest = f", at most {self.longest_days} days" if self.longest_days is not None else ""
        return f"consent for {self.regime} has: {self.element}{longest}"

    @model_validator(mode="after")
    def _days_with_a_term(self) -> "Requirement":
        if (self.element is Element.TERM) != (self.longest_days is not None):
            msg = "longest_days stands exactly with the element term"
            raise ValueError(msg)
        return self


class NoticeRule(Row):
    """A text that goes with what leaves, or that a form for signing says, in one language."""

    table = "notice"

    notice: Slug
    version: str = Field(pattern=r"^[1-9][0-9]*$")
    locale: str = Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")
    text: str = Field(min_length=1)

    @field_validator("text")
    @classmethod
    def _known_places(cls, text: str) -> str:
        places = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
        if not places <= PLACES:
            msg = f"a text leaves open only {', '.join(sorted(PLACES))}"
            raise ValueError(msg)
        return text

    @property
    def subject(self) -> str:
        """The notice and its language."""
        return f"{self.notice}/{self.locale}"

    @property
    def says(self) -> str:
        """The notice's name, version, language and the digest of its text."""
        return f"{self.notice}@{self.version} {self.locale} sha256 {self.sha256[:12]}: {self.text}"

    @property
    def sha256(self) -> str:
        """SHA-256 of the text as it stands in the row, in hex."""
        return sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Form:
    """What consent must have for facts of one regime: its elements, and the longest it may hold."""

    elements: frozenset[Element]
    longest: timedelta | None = None
