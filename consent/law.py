"""Law as data: effective-dated rows, each with its section and how well it was checked, loaded strictly.

The rows stand in `rules/*.toml`; whoever runs the hub reads the files and passes their bytes. The engine names no state: what
holds where and when is worked out from the rows once, at loading. The version of a law is the SHA-256 of the loaded bytes,
and stands in every decision.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from itertools import combinations

from pydantic import BaseModel, ConfigDict, ValidationError

from consent.statute import (
    CARRIED,
    DEFAULT,
    Duty,
    Evidence,
    Form,
    LeapDay,
    Majority,
    NonCustodial,
    NoticeRule,
    RegimeRule,
    Requirement,
    Row,
    Signature,
    Slug,
    WhoSigns,
)
from mappings.record.category import Category
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.regime import Regime

__all__ = [
    "DEFAULT",
    "HUB_LOCALE",
    "Duty",
    "Evidence",
    "Law",
    "LawInForce",
    "LeapDay",
    "Slug",
    "WhoSigns",
    "load_law",
]

HUB_LOCALE = "en"
"""The language every notice that is owed must exist in."""


class _File(BaseModel):
    """One file of rows: these tables, nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    majority: tuple[Majority, ...] = ()
    signature: tuple[Signature, ...] = ()
    non_custodial: tuple[NonCustodial, ...] = ()
    regime: tuple[RegimeRule, ...] = ()
    requirement: tuple[Requirement, ...] = ()
    notice: tuple[NoticeRule, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for name in type(self).model_fields for row in getattr(self, name))


@dataclass(frozen=True, slots=True)
class LawInForce:
    """The rows of one jurisdiction on one day. A category or regime without a row is one nobody may open.

    `form` is what a consent must have for facts of a regime; `notice` are the texts by name and language. `rows` are all of them.
    """

    majority: Majority | None
    signature: Mapping[Category, Signature]
    regime: Mapping[Regime, RegimeRule]
    form: Mapping[Regime, Form] = field(default_factory=dict)
    notice: Mapping[tuple[str, str], NoticeRule] = field(default_factory=dict)
    non_custodial: NonCustodial | None = None
    rows: tuple[Row, ...] = ()

    def forms(self, regimes: Iterable[Regime]) -> Iterator[Form]:
        """What consent must have, for each of these regimes that has a row about it."""
        return (self.form[regime] for regime in regimes if regime in self.form)


@dataclass(frozen=True, slots=True)
class _Span:
    """What holds in one jurisdiction: `laws[n]` from `starts[n]` until the next start."""

    starts: tuple[date, ...]
    laws: tuple[LawInForce, ...]


@dataclass(frozen=True, slots=True)
class Law:
    """All loaded rows and their version."""

    version: bytes
    rows: tuple[Row, ...]
    _spans: Mapping[str, _Span] = field(repr=False, compare=False)

    def in_force(self, jurisdiction: str, day: date) -> LawInForce:
        """The rows that hold there on that day; an unlisted jurisdiction has the default rows."""
        span = self._spans.get(jurisdiction) or self._spans[DEFAULT]
        return span.laws[bisect_right(span.starts, day) - 1]

    def changes_on(self, jurisdiction: str, day: date) -> bool:
        """Whether another set of rows begins to hold on that day."""
        span = self._spans.get(jurisdiction) or self._spans[DEFAULT]
        return day in span.starts

    def rows_of(self, jurisdiction: str, day: date | None = None) -> tuple[Row, ...]:
        """The rows that hold there on that day, or on any; a default row only while no row of the place's own replaces it."""
        span = self._spans.get(jurisdiction) or self._spans[DEFAULT]
        laws = span.laws if day is None else (self.in_force(jurisdiction, day),)
        held = {row.id for law in laws for row in law.rows}
        return tuple(row for row in self.rows if row.id in held)

    @property
    def jurisdictions(self) -> tuple[str, ...]:
        """The jurisdictions that have rows of their own, the default first."""
        return (DEFAULT, *sorted(self._spans.keys() - {DEFAULT}))


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
    spans = _spans(rows)
    issues += _unwritten(rows, spans)
    return tuple(issues) if issues else Law(_version(files), tuple(rows), spans)


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
        same = (one.table, one.jurisdiction, one.subject) == (other.table, other.jurisdiction, other.subject)
        if same and one.overlaps(other):
            issues.append(_issue(IssueCode.DUPLICATE, one.id, f"in force on the same day as {other.id}"))
    return issues


def _unwritten(rows: list[Row], spans: Mapping[str, _Span]) -> Iterator[Issue]:
    """Notices owed on some day on which no row gives their text."""
    for row in rows:
        if isinstance(row, RegimeRule):
            places = spans if row.jurisdiction == DEFAULT else (row.jurisdiction,)
            owed = {duty.detail for duty in row.duties if duty.obligation in CARRIED}
            held = [law for place in places for law in _while(row, spans[place])]
            for name in sorted(owed):
                if any(
                    law.regime.get(row.regime) is row and (name, HUB_LOCALE) not in law.notice for law in held
                ):
                    yield _issue(
                        IssueCode.UNRESOLVED_REFERENCE,
                        row.id,
                        f"notice {name} has no text in {HUB_LOCALE} while it is owed",
                    )


def _while(row: Row, span: _Span) -> Iterator[LawInForce]:
    """The laws in force while a row is."""
    for start, law in zip(span.starts, span.laws, strict=True):
        if row.holds(start):
            yield law


def _version(files: Mapping[str, bytes]) -> bytes:
    """SHA-256 over every file's name and bytes, each with its length, in the order of names."""
    digest = sha256()
    for name, raw in sorted(files.items()):
        for part in (name.encode(), raw):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _spans(rows: list[Row]) -> dict[str, _Span]:
    """Per jurisdiction, the days on which the rows in force change and what then holds, worked out once."""
    places = {DEFAULT} | {row.jurisdiction for row in rows}
    spans = {}
    for place in places:
        seen = [row for row in rows if row.jurisdiction in {place, DEFAULT}]
        starts = {row.effective_from for row in seen} | {row.effective_until for row in seen}
        days = (date.min, *sorted(day for day in starts if day is not None))
        spans[place] = _Span(days, tuple(_on(seen, place, day) for day in days))
    return spans


def _on(rows: list[Row], place: str, day: date) -> LawInForce:
    # The jurisdiction's own rows come last and so replace the default ones of the same subject.
    held = sorted((row for row in rows if row.holds(day)), key=lambda row: row.jurisdiction == place)
    kept = {(row.table, row.subject): row for row in held}.values()
    required = [row for row in kept if isinstance(row, Requirement)]
    return LawInForce(
        majority=next((row for row in kept if isinstance(row, Majority)), None),
        signature={row.category: row for row in kept if isinstance(row, Signature)},
        regime={row.regime: row for row in kept if isinstance(row, RegimeRule)},
        form={regime: _form(regime, required) for regime in {row.regime for row in required}},
        notice={(row.notice, row.locale): row for row in kept if isinstance(row, NoticeRule)},
        non_custodial=next((row for row in kept if isinstance(row, NonCustodial)), None),
        rows=tuple(kept),
    )


def _form(regime: Regime, required: Iterable[Requirement]) -> Form:
    asked = [row for row in required if row.regime is regime]
    days = [row.longest_days for row in asked if row.longest_days is not None]
    return Form(frozenset(row.element for row in asked), timedelta(days=min(days)) if days else None)
