"""What is asked and what is known: the two arguments of a decision besides the instant."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consent.agreement import Agreement
from consent.directive import Directive
from consent.guardian import ChildFacts, GuardianLink, Restraint
from consent.law import Law
from consent.vocabulary import Basis
from mappings.record.category import Category
from mappings.record.kind import Part


@dataclass(frozen=True, slots=True)
class ExceptionEvidence:
    """What a disclosure without consent would rest on (34 CFR 99.31, 99.36; 45 CFR 164.512). No exception is enabled."""

    kind: str
    statement: str
    stated_by: str
    stated_at: datetime
    document_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class StatedEmergency:
    """What an agency states when somebody is in danger (34 CFR 99.32(a)(5); 42 CFR 2.51), and which topics it needs for it."""

    emergency_id: UUID
    threat_statement: str
    affected_person: str
    personnel: str
    affiliation: str
    topics: frozenset[Category]
    stated_at: datetime


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """Who wants to see which topics and parts of one child's record, and why.

    `decision_id` is random, drawn by the caller; it is the one thing about a decision the outside may learn. `purpose`
    is a `Purpose` value; any other text is answered with PURPOSE_UNKNOWN, so a caller need not pre-check. `recipient`
    is an organisation's key; under the bases `family` and `steward`, which leave no organisation's wall, it only names the reader.
    `evidence_ids` say what a basis other than consent rests on: a review item for `steward`.
    """

    decision_id: UUID
    child_id: UUID
    recipient: str
    requester: str
    purpose: str
    parts: frozenset[Part]
    categories: frozenset[Category]
    basis: Basis = Basis.CONSENT
    guardian_link_id: UUID | None = None  # family: whose reading this is
    evidence_ids: tuple[UUID, ...] = ()
    exception: ExceptionEvidence | None = None
    emergency: StatedEmergency | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that bears on one child and one recipient, as read under the child's epoch lock.

    Every directive, link and restraint of the child belongs in it, whatever its state: leaving one out could widen. The
    agreements are the recipient's.
    """

    child: ChildFacts
    recipient: str
    directives: tuple[Directive, ...]
    links: tuple[GuardianLink, ...]
    restraints: tuple[Restraint, ...]
    agreements: tuple[Agreement, ...]
    child_epoch: int
    agreement_epoch: int
    law: Law
