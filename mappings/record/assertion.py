"""A fact as its source states it: who said it, how, when, under which law, in exactly one consent category.

Assertions are immutable; a correction is a new one that supersedes (domain.md §3.2, ARCHITECTURE §4). The current plan is a
view over them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, Field, ValidationError

from mappings.record.base import Period, Record
from mappings.record.category import Category
from mappings.record.issue import Issue, IssueCode, Severity, place_of
from mappings.record.kind import MODEL, PART, Kind, Part
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label


class Method(StrEnum):
    """How the asserter came to know (FHIR Condition and Observation asserter)."""

    FAMILY_STATED = "family-stated"
    CHILD_STATED = "child-stated"
    OBSERVED = "observed"
    RECORD_IMPORT = "record-import"
    SCREENED = "screened"
    DERIVED = "derived"
    STAFF_ENTERED = "staff-entered"


class Quality(StrEnum):
    """How far a fact may be relied on; a family's dispute is shown to every reader."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    DISPUTED = "disputed"
    ENTERED_IN_ERROR = "entered-in-error"


class Status(StrEnum):
    """Whether an assertion is part of the present record."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    RETRACTED = "retracted"


class AssertedBy(Record):
    """Who states the fact (FHIR Provenance.agent). `org` is the agency's key in the community file."""

    org: str
    person: str | None = None
    role: str | None = None


class SourceRef(Record):
    """Where an imported fact came from; with `path` it identifies the fact inside its record."""

    system: str
    record_id: str
    path: str = ""
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What an inbound map yields: a fact not yet tied to a child, an organisation or a moment.

    `key` tells two facts of one kind in one source record apart and is stable between pulls.
    `links` name other drafts of the same source record by their `key`.
    """

    kind: Kind
    category: Category
    value: dict[str, Any]
    key: str = ""
    regimes: frozenset[Regime] = frozenset()
    labels: frozenset[Label] = frozenset()
    method: Method = Method.RECORD_IMPORT
    effective: Period | None = None
    links: tuple[str, ...] = ()


class StoredAssertion(Record):
    """One assertion with its envelope. `value` has the shape of `MODEL[kind]` and is JSON."""

    assertion_id: UUID
    child_id: UUID
    kind: Kind
    category: Category
    value: dict[str, Any]
    asserted_by: AssertedBy
    method: Method
    asserted_at: AwareDatetime
    received_at: AwareDatetime
    effective: Period | None = None
    source: SourceRef | None = None
    regimes: frozenset[Regime] = Field(min_length=1)
    labels: frozenset[Label] = frozenset({Label.RESTRICTED})
    quality: Quality = Quality.UNVERIFIED
    status: Status = Status.CURRENT
    supersedes: UUID | None = None
    links: tuple[UUID, ...] = ()

    @property
    def part(self) -> Part:
        """Which conversation the fact belongs to."""
        return PART[self.kind]

    def body(self) -> Record:
        """The value as its model; raises ValidationError only for a value that never passed `check_value`."""
        return MODEL[self.kind].model_validate(self.value)

    def at(self) -> datetime:
        """When the fact was stated."""
        return self.asserted_at


def check_value(
    kind: Kind, value: dict[str, Any], path: str
) -> tuple[dict[str, Any] | None, tuple[Issue, ...]]:
    """The value normalised to JSON in its model's shape, or None and why not; texts never quote the value."""
    try:
        return MODEL[kind].model_validate(value).model_dump(mode="json", exclude_none=True), ()
    except ValidationError as error:
        issues = tuple(
            Issue(
                severity=Severity.WARNING,
                code=IssueCode.REQUIRED if found["type"] == "missing" else IssueCode.BAD_VALUE,
                path=".".join([path, *place_of(found["type"], found["loc"])]),
                text=f"{kind}: {found['type'].replace('_', ' ')}; the fact was left out",
            )
            for found in error.errors(include_input=False, include_url=False, include_context=False)
        )
        return None, issues
