"""Law as data: effective-dated rows, each with its section and how well it was checked, loaded strictly.

The rows stand in `rules/*.toml`; whoever runs the hub reads the files and passes their bytes. The engine names no state: a
row says which jurisdiction it is for, a row of `default` holds where a jurisdiction has none of its own. The version of a law is the
SHA-256 of the loaded bytes, and stands in every decision.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from hashlib import sha256
from itertools import combinations
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from consent.vocabulary import Obligation
from mappings.record.category import Category
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.regime import Regime

DEFAULT = "default"
"""The jurisdiction whose rows hold where a child's own has none."""

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
    """What every row of law carries. In force on days [effective_from, effective_until)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    id: Slug
    jurisdiction: Slug = DEFAULT
    section: str = Field(min_length=1)
    evidence: Evidence
    effective_from: date
    effective_until: date | None = None

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

    def holds(self, day: date) -> bool:
        """Whether the row is in force on `day`."""
        return self.effective_from <= day and (self.effective_until is None or day < self.effective_until)

    def overlaps(self, other: "Row") -> bool:
        """Whether some day sees both in force."""
        return self.holds(other.effective_from) or other.holds(self.effective_from)


class Majority(Row):
    """The age at which the child's own word replaces the guardian's."""

    age: int = Field(ge=1, le=30)
    leap_day: LeapDay


class Signature(Row):
    """Who signs for a category, from which age a minor may, and whether a guardian reads it on the family's page."""

    category: Category
    who_signs: WhoSigns
    minor_from_age: int | None = Field(default=None, ge=0, le=30)
    guardian_reads: bool

    @property
    def subject(self) -> str:
        """The topic."""
        return self.category

    @model_validator(mode="after")
    def _minor_age_where_a_minor_signs(self) -> "Signature":
        if (self.who_signs is WhoSigns.GUARDIAN) != (self.minor_from_age is None):
            msg = "minor_from_age stands exactly where a minor may sign"
            raise ValueError(msg)
        return self


class Duty(BaseModel):
    """One obligation with its argument: a notice's id, a path, an instant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    obligation: Obligation
    detail: str = ""


class RegimeRule(Row):
    """That facts of this regime may leave on a family's consent, and what must go with them."""

    regime: Regime
    duties: tuple[Duty, ...] = ()

    @property
    def subject(self) -> str:
        """The regime."""
        return self.regime


class _File(BaseModel):
    """One file of rows: tables `majority`, `signature`, `regime`, nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    majority: tuple[Majority, ...] = ()
    signature: tuple[Signature, ...] = ()
    regime: tuple[RegimeRule, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        return (*self.majority, *self.signature, *self.regime)


@dataclass(frozen=True, slots=True)
class LawInForce:
    """The rows of one jurisdiction on one day. A category or regime without a row is one nobody may open."""

    majority: Majority | None
    signature: Mapping[Category, Signature]
    regime: Mapping[Regime, RegimeRule]


@dataclass(frozen=True, slots=True)
class Law:
    """All loaded rows and their version."""

    version: bytes
    rows: tuple[Row, ...]
    _spans: Mapping[str, tuple[tuple[date, LawInForce], ...]] = field(repr=False, compare=False)

    def in_force(self, jurisdiction: str, day: date) -> LawInForce:
        """The rows that hold there on that day; an unlisted jurisdiction has the default rows."""
        spans = self._spans.get(jurisdiction) or self._spans[DEFAULT]
        found = spans[0][1]
        for start, law in spans:
            if start > day:
                break
            found = law
        return found

    def changes_on(self, jurisdiction: str, day: date) -> bool:
        """Whether another set of rows begins to hold on that day."""
        spans = self._spans.get(jurisdiction) or self._spans[DEFAULT]
        return any(start == day for start, _ in spans)


def load_law(files: Mapping[str, bytes]) -> Law | tuple[Issue, ...]:
    """The law these files state, by name, or everything that is wrong with them. Nothing is loaded in part."""
    issues: list[Issue] = []
    rows: list[Row] = []
    for name, raw in sorted(files.items()):
        try:
            rows += _File.model_validate(tomllib.loads(raw.decode())).rows
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            issues.append(_issue(IssueCode.BAD_ENCODING, name, f"not a TOML file: {error}"))
        except ValidationError as error:
            issues += [
                _issue(IssueCode.BAD_VALUE, ".".join([name, *map(str, found["loc"])]), found["msg"])
                for found in error.errors(include_url=False, include_context=False, include_input=False)
            ]
    issues += _collisions(rows)
    return tuple(issues) if issues else Law(_version(files), tuple(rows), _spans(rows))


def _issue(code: IssueCode, path: str, text: str) -> Issue:
    return Issue(
        severity=Severity.ERROR, code=code, path=path, text=f"{text}; correct the row and load again"
    )


def _collisions(rows: list[Row]) -> list[Issue]:
    """Rows with one id, and rows that would answer the same question on the same day."""
    issues = []
    for one, other in combinations(rows, 2):
        if one.id == other.id:
            issues.append(_issue(IssueCode.DUPLICATE, one.id, "two rows have this id"))
        same = (type(one), one.jurisdiction, one.subject) == (type(other), other.jurisdiction, other.subject)
        if same and one.overlaps(other):
            issues.append(_issue(IssueCode.DUPLICATE, one.id, f"in force on the same day as {other.id}"))
    return issues


def _version(files: Mapping[str, bytes]) -> bytes:
    """SHA-256 over every file's name and bytes, each with its length, in the order of names."""
    digest = sha256()
    for name, raw in sorted(files.items()):
        for part in (name.encode(), raw):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _spans(rows: list[Row]) -> dict[str, tuple[tuple[date, LawInForce], ...]]:
    """Per jurisdiction, the days on which the rows in force change and what then holds, worked out once."""
    places = {DEFAULT} | {row.jurisdiction for row in rows}
    spans = {}
    for place in places:
        seen = [row for row in rows if row.jurisdiction in {place, DEFAULT}]
        starts = {row.effective_from for row in seen} | {row.effective_until for row in seen}
        days = [date.min, *sorted(day for day in starts if day is not None)]
        spans[place] = tuple((day, _on(seen, place, day)) for day in days)
    return spans


def _on(rows: list[Row], place: str, day: date) -> LawInForce:
    # The jurisdiction's own rows come last and so replace the default ones of the same subject.
    held = sorted((row for row in rows if row.holds(day)), key=lambda row: row.jurisdiction == place)
    majorities = [row for row in held if isinstance(row, Majority)]
    return LawInForce(
        majority=majorities[-1] if majorities else None,
        signature={row.category: row for row in held if isinstance(row, Signature)},
        regime={row.regime: row for row in held if isinstance(row, RegimeRule)},
    )
