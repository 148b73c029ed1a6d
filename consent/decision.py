"""The decision: pure, default deny, a stop overrides every permit, each topic by itself (consent.md §5.3).

A decision is made for one child, one recipient, one purpose at one instant; it binds the three counters it was made from
and ends by itself (ARCHITECTURE §6). To the outside every denial looks alike: see `consent.explanation`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from consent.agreement import uncovered
from consent.emergency import LONGEST as LONGEST_EMERGENCY
from consent.emergency import emergency_refusal, opened_regimes
from consent.guardian import Standing, guardian_reads, next_date_boundary, opens_at, standing
from consent.law import Duty, LeapDay
from consent.permission import UNSIGNED, Considered, Frame, Scope
from consent.request import DecisionRequest, ExceptionEvidence, Snapshot
from consent.vocabulary import COVERS, PARTS, Basis, Element, Obligation, Outcome, Purpose, Reason
from mappings.record.base import Period
from mappings.record.category import Category
from mappings.record.kind import Kind, Part
from mappings.record.regime import Regime

__all__ = [
    "CategoryDecision",
    "Considered",
    "Decision",
    "DecisionRequest",
    "ExceptionEvidence",
    "Scope",
    "Snapshot",
    "decide",
]

LONGEST = timedelta(seconds=60)
"""No decision outlives this (ARCHITECTURE §6)."""


@dataclass(frozen=True, slots=True)
class CategoryDecision:
    """What was decided for one topic.

    `directive_ids` are those the outcome rests on, sorted. A fact may leave if one of `scopes` admits it; outside the basis
    consent there are none. `duties` are owed for facts of the regime they stand under. `considered` is for the full trace.
    """

    category: Category
    outcome: Outcome
    reason: Reason
    directive_ids: tuple[UUID, ...] = ()
    scopes: tuple[Scope, ...] = ()
    duties: Mapping[Regime, tuple[Duty, ...]] = field(default_factory=dict)
    element: Element | None = None
    standing: Standing | None = None
    considered: tuple[Considered, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request, good on [at, expires) while the three counters stand.

    `left_out` are kinds of fact that go to this reader in no topic.
    """

    decision_id: UUID
    child_id: UUID
    recipient: str
    requester: str
    purpose: str
    parts: frozenset[Part]
    basis: Basis
    at: datetime
    expires: datetime
    outcome: Outcome
    by_category: Mapping[Category, CategoryDecision]
    evidence_ids: tuple[UUID, ...]
    child_epoch: int
    agreement_epoch: int
    rules_version: bytes
    left_out: frozenset[Kind] = frozenset()

    @property
    def categories(self) -> frozenset[Category]:
        """The permitted topics; empty on a denial."""
        return frozenset(
            category for category, found in self.by_category.items() if found.outcome is not Outcome.DENY
        )

    @property
    def directive_ids(self) -> tuple[UUID, ...]:
        """The directives the permitted topics rest on, sorted; what a decision row cites."""
        cited = {cited for category in self.categories for cited in self.by_category[category].directive_ids}
        return tuple(sorted(cited))

    @property
    def duties(self) -> tuple[Duty, ...]:
        """Everything that may be owed with the permitted topics, each once, in a fixed order."""
        owed = {(duty.obligation, duty.detail): duty for duty in self._owed()}
        return tuple(owed[name] for name in sorted(owed))

    @property
    def obligations(self) -> frozenset[Obligation]:
        """The obligations among the duties."""
        return frozenset(duty.obligation for duty in self._owed())

    def _owed(self) -> Iterator[Duty]:
        """Every duty of a permitted topic; those of one law row come up once for each topic."""
        for found in self.by_category.values():
            if found.outcome is not Outcome.DENY:
                for duties in found.duties.values():
                    yield from duties

    @property
    def reasons(self) -> Mapping[Category, Reason]:
        """Per topic the reason; inside only."""
        return {category: found.reason for category, found in self.by_category.items()}

    def live(self, at: datetime) -> bool:
        """Whether the decision may still be acted on at `at`."""
        return self.at <= at < self.expires


def decide(request: DecisionRequest, snapshot: Snapshot, at: datetime) -> Decision:
    """Whether, topic by topic, this recipient may see this child's record for this purpose at `at`.

    Never raises on facts: what does not fit, is unknown or is missing is denied with its reason. An `at` without a zone is
    a bug and raises.
    """
    if at.tzinfo is None:
        msg = "a decision needs an instant with a time zone"
        raise ValueError(msg)
    frame = Frame.of(request, snapshot, at)
    refusal = _whole_refusal(frame)
    by_category = {
        category: _deny(category, refusal) if refusal else _BY_BASIS[request.basis](frame, category)
        for category in sorted(request.categories)
    }
    return Decision(
        decision_id=request.decision_id,
        child_id=request.child_id,
        recipient=request.recipient,
        requester=request.requester,
        purpose=request.purpose,
        parts=request.parts,
        basis=request.basis,
        at=at,
        expires=_expires(frame),
        outcome=_overall(by_category),
        by_category=by_category,
        evidence_ids=_evidence(request),
        child_epoch=snapshot.child_epoch,
        agreement_epoch=snapshot.agreement_epoch,
        rules_version=snapshot.law.version,
        left_out=_left_out(frame),
    )


def _left_out(frame: Frame) -> frozenset[Kind]:
    """What a parent without custody does not get to see under the place's procedure: where the other one lives."""
    rule, wanted = frame.law.non_custodial, frame.request.guardian_link_id
    link = frame.links.get(wanted) if wanted is not None else None
    apart = frame.request.basis is Basis.FAMILY and link is not None and not link.custodial
    return rule.leaves_out if apart and rule is not None else frozenset()


def _evidence(request: DecisionRequest) -> tuple[UUID, ...]:
    """What the decision rests on besides directives: for a family's reading, the reader's guardian link."""
    if request.basis is Basis.FAMILY and request.guardian_link_id is not None:
        return tuple(sorted({*request.evidence_ids, request.guardian_link_id}))
    return tuple(sorted(set(request.evidence_ids)))


def _whole_refusal(frame: Frame) -> Reason | None:
    """Why nothing of the request can be answered, whatever the topic."""
    request, snapshot = frame.request, frame.snapshot
    child = snapshot.child.child_id
    children = {directive.child_id for directive in snapshot.directives}
    children |= {link.child_id for link in snapshot.links}
    children |= {restraint.child_id for restraint in snapshot.restraints}
    if request.child_id != child or children - {child}:
        return Reason.TENANT_MISMATCH
    if request.basis not in _INSIDE and request.recipient != snapshot.recipient:
        return Reason.TENANT_MISMATCH
    if request.purpose not in COVERS:
        return Reason.PURPOSE_UNKNOWN
    if request.basis in _INSIDE and request.purpose != _INSIDE[request.basis]:
        return Reason.PURPOSE
    if request.basis is Basis.CONSENT and not request.parts <= PARTS[Purpose(request.purpose)]:
        return Reason.PURPOSE
    return None if request.parts else Reason.CATEGORY


def _by_consent(frame: Frame, category: Category) -> CategoryDecision:
    """Hard stops, then the family's stops, then its permits; nothing found is a denial."""
    request = frame.request
    hard = _restrained(frame, category) or uncovered(
        frame.snapshot.agreements, request.recipient, request.purpose, category, frame.at
    )
    if hard is not None:
        return _deny(category, hard)
    stopping = frame.stopping(category)
    if stopping:
        return CategoryDecision(category, Outcome.DENY, Reason.GUARDIAN_DENY, directive_ids=stopping)
    weighed = frame.weigh(category)
    if weighed.reason is not Reason.GRANTED:
        nearest = weighed.nearest
        return CategoryDecision(
            category,
            Outcome.DENY,
            weighed.reason,
            element=nearest.element if nearest else None,
            standing=nearest.standing if nearest else None,
            considered=weighed.considered,
        )
    regimes = sorted({regime for scope in weighed.scopes for regime in scope.regimes})
    duties = {regime: found for regime in regimes if (found := frame.law.regime[regime].duties)}
    return CategoryDecision(
        category,
        Outcome.PERMIT_WITH_OBLIGATIONS if duties else Outcome.PERMIT,
        Reason.GRANTED,
        directive_ids=tuple(sorted({cited for scope in weighed.scopes for cited in scope.directive_ids})),
        scopes=weighed.scopes,
        duties=duties,
        considered=weighed.considered,
    )


def _by_family(frame: Frame, category: Category) -> CategoryDecision:
    """A guardian, or the young person, reads their own record: no disclosure to a third party (34 CFR 99.31(a)(12))."""
    restrained = _restrained(frame, category)
    if restrained is not None:
        return _deny(category, restrained)
    wanted = frame.request.guardian_link_id
    link = frame.links.get(wanted) if wanted is not None else None
    if link is None:
        return _deny(category, Reason.SIGNATURES_MISSING)
    snapshot = frame.snapshot
    found = standing(link, snapshot.child, category, frame.at, frame.law, snapshot.restraints)
    if not found.may_sign:
        lapsed = Reason.SIGNATURES_MISSING if found in UNSIGNED else Reason.AUTHORITY_LAPSED
        return CategoryDecision(category, Outcome.DENY, lapsed, standing=found)
    if found is Standing.GUARDIAN and not guardian_reads(category, snapshot.child, frame.law, frame.at):
        return CategoryDecision(category, Outcome.DENY, Reason.CATEGORY, standing=found)
    return CategoryDecision(category, Outcome.PERMIT, Reason.FAMILY_READ, standing=found)


def _by_own(_: Frame, category: Category) -> CategoryDecision:
    """An agency always sees what it sent, and only that; the projection keeps to its own assertions."""
    return CategoryDecision(category, Outcome.PERMIT, Reason.OWN_RECORD)


def _by_steward(frame: Frame, category: Category) -> CategoryDecision:
    """The review of a match reads identity facts of the plan, for a named review item, and nothing else."""
    if category is not Category.IDENTITY or frame.request.parts != {Part.PLAN}:
        return _deny(category, Reason.CATEGORY)
    if not frame.request.evidence_ids:
        return _deny(category, Reason.NO_GRANT)
    return CategoryDecision(category, Outcome.PERMIT, Reason.STEWARD_READ)


def _by_exception(frame: Frame, category: Category) -> CategoryDecision:
    """Somebody is in danger, and an agency states it; no other disclosure without consent is enabled."""
    request = frame.request
    if request.emergency is None:
        return _deny(category, Reason.EXCEPTION_NOT_ENABLED)
    refusal = _emergency_refusal(frame, category)
    if refusal is None and category is Category.IDENTITY:  # who the child is goes with a topic, never alone
        others = [_emergency_refusal(frame, topic) for topic in sorted(request.emergency.topics)]
        refusal = None if None in others else next(iter(others), Reason.CATEGORY)
    if refusal is not None:
        return _deny(category, refusal)
    regimes = opened_regimes(request.purpose)
    duties = {
        regime: found
        for regime in sorted(regimes & frame.law.regime.keys())
        if (found := frame.law.regime[regime].duties)
    }
    return CategoryDecision(
        category,
        Outcome.PERMIT_WITH_OBLIGATIONS if duties else Outcome.PERMIT,
        Reason.EMERGENCY,
        scopes=(Scope((), None, Period(), regimes),),
        duties=duties,
    )


def _emergency_refusal(frame: Frame, category: Category) -> Reason | None:
    """Why a topic stays closed in the stated emergency: an order, a hold, the agreement, or what was stated."""
    request = frame.request
    return (
        _restrained(frame, category)
        or uncovered(frame.snapshot.agreements, request.recipient, request.purpose, category, frame.at)
        or emergency_refusal(request, category, frame.at)
    )


_BY_BASIS: Mapping[Basis, Callable[[Frame, Category], CategoryDecision]] = {
    Basis.CONSENT: _by_consent,
    Basis.EXCEPTION: _by_exception,
    Basis.OWN: _by_own,
    Basis.FAMILY: _by_family,
    Basis.STEWARD: _by_steward,
}

_INSIDE: Mapping[Basis, Purpose] = {
    Basis.FAMILY: Purpose.FAMILY_REQUEST,
    Basis.STEWARD: Purpose.RECORD_MANAGEMENT,
}
"""Bases under which nothing reaches an agency, each with the one purpose it serves."""


def _deny(category: Category, reason: Reason) -> CategoryDecision:
    return CategoryDecision(category, Outcome.DENY, reason)


def _restrained(frame: Frame, category: Category) -> Reason | None:
    """The court order or safety hold that stops this topic for this recipient; an order is named before a hold."""
    kinds = [
        restraint.kind
        for restraint in frame.snapshot.restraints
        if category in restraint.categories and restraint.stops(frame.request.recipient, frame.at)
    ]
    return Reason(min(kinds).value) if kinds else None


def _overall(by_category: Mapping[Category, CategoryDecision]) -> Outcome:
    outcomes = {found.outcome for found in by_category.values()}
    if Outcome.PERMIT_WITH_OBLIGATIONS in outcomes:
        return Outcome.PERMIT_WITH_OBLIGATIONS
    return Outcome.PERMIT if Outcome.PERMIT in outcomes else Outcome.DENY


def _expires(frame: Frame) -> datetime:
    """The first instant at which the same question could get another answer, at most a minute away."""
    at, snapshot = frame.at, frame.snapshot
    tomorrow = at.astimezone(snapshot.child.zone).date() + timedelta(days=1)
    boundary = next_date_boundary(
        snapshot.child,
        law_changes_on=snapshot.law.changes_on(snapshot.child.jurisdiction, tomorrow),
        leap_day=frame.law.majority.leap_day if frame.law.majority else LeapDay.MARCH_1,
        at=at,
    )
    opening = (opens_at(link, snapshot.child, frame.law) for link in snapshot.links)
    stated = frame.request.emergency
    over = None if stated is None else stated.stated_at + LONGEST_EMERGENCY
    turning = [
        found for found in (*_edges(snapshot), *opening, boundary, over) if found is not None and found > at
    ]
    return min([at + LONGEST, *turning])


def _edges(snapshot: Snapshot) -> Iterator[datetime | None]:
    """Every instant at which a fact of the snapshot begins or ends to hold."""
    for directive in snapshot.directives:
        yield from (directive.valid_from, directive.valid_until)
    for link in snapshot.links:
        yield from (link.valid_from, link.valid_until, link.verified_at)
    for restraint in snapshot.restraints:
        yield from (restraint.valid_from, restraint.valid_until)
    for agreement in snapshot.agreements:
        yield from (agreement.valid_from, agreement.valid_until)
