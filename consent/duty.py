"""Duties that bind the hub rather than a decision: how long a record is kept, and whom to tell of an incident by when.

Rows as data like `consent.law`, loaded strictly, each with its section and how well its text was read. They stand in
`duties/*.toml`; whoever runs the hub reads the files and passes their bytes.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent.law import DEFAULT, Evidence, Slug
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.regime import Regime


class _Row(BaseModel):
    """In force on days [effective_from, effective_until), in one jurisdiction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Slug
    jurisdiction: Slug = DEFAULT
    section: str = Field(min_length=1)
    evidence: Evidence
    effective_from: date
    effective_until: date | None = None
    regime: Regime
    remark: str | None = Field(default=None, min_length=1)

    def holds(self, jurisdiction: str, day: date) -> bool:
        """Whether the row is in force there on that day; a default row is in force everywhere."""
        begun = self.effective_from <= day and (self.effective_until is None or day < self.effective_until)
        return begun and self.jurisdiction in {DEFAULT, jurisdiction}


class Keeping(_Row):
    """How many years after the last fact or flow the record must stay readable; None: as long as its source keeps the fact.

    So far back an account of disclosures reaches, and within `answer_days` it is given to who asks for it.
    """

    keep_years: int | None = Field(default=None, ge=1)
    answer_days: int | None = Field(default=None, ge=1)


class Notifying(_Row):
    """Whom to tell of facts of this regime in wrong hands, within so many days of learning of it; None: without delay.

    `at_least` is the number of people from which the row binds.
    """

    tell: str = Field(min_length=1)
    within_days: int | None = Field(default=None, ge=0)
    at_least: int = Field(default=1, ge=1)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    keeping: tuple[Keeping, ...] = ()
    notifying: tuple[Notifying, ...] = ()


@dataclass(frozen=True, slots=True)
class Duties:
    """All loaded rows."""

    keeping: tuple[Keeping, ...]
    notifying: tuple[Notifying, ...]

    def years(self, jurisdiction: str, day: date) -> dict[Regime, int | None]:
        """How long each regime's record is kept there on that day; of several rows the longest counts."""
        found: dict[Regime, int | None] = {}
        for row in self.keeping:
            if row.holds(jurisdiction, day):
                known = found.get(row.regime)
                found[row.regime] = row.keep_years if known is None else max(known, row.keep_years or 0)
        return found

    def account(self, jurisdiction: str, day: date, regime: Regime) -> tuple[int | None, int | None]:
        """How many years back an account of this regime reaches and in how many days it is owed; None without a limit."""
        held = [row for row in self.keeping if row.regime is regime and row.holds(jurisdiction, day)]
        days = [row.answer_days for row in held if row.answer_days is not None]
        return self.years(jurisdiction, day).get(regime), min(days, default=None)

    def notices(self, jurisdiction: str, day: date, regime: Regime, people: int = 1) -> tuple[Notifying, ...]:
        """Who is to be told of an incident with facts of this regime that touches so many people."""
        return tuple(
            row
            for row in self.notifying
            if row.regime is regime and row.at_least <= people and row.holds(jurisdiction, day)
        )


def load_duties(files: Mapping[str, bytes]) -> Duties | tuple[Issue, ...]:
    """The duties these files state, by name, or everything that is wrong with them. Nothing is loaded in part."""
    issues: list[Issue] = []
    keeping: list[Keeping] = []
    notifying: list[Notifying] = []
    for name, raw in sorted(files.items()):
        try:
            found = _File.model_validate(tomllib.loads(raw.decode()))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            issues.append(_issue(IssueCode.BAD_ENCODING, name, f"not a TOML file: {error}"))
        except ValidationError as error:
            issues += [
                _issue(IssueCode.BAD_VALUE, ".".join([name, *map(str, one["loc"])]), one["msg"])
                for one in error.errors(include_url=False, include_context=False, include_input=False)
            ]
        else:
            keeping += found.keeping
            notifying += found.notifying
    ids = [row.id for row in (*keeping, *notifying)]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    issues += [_issue(IssueCode.DUPLICATE, one, "two rows have this id") for one in twice]
    return tuple(issues) if issues else Duties(tuple(keeping), tuple(notifying))


def _issue(code: IssueCode, path: str, text: str) -> Issue:
    return Issue(
        severity=Severity.ERROR, code=code, path=path, text=f"{text}; correct the row and load again"
    )
