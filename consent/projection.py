"""The one door out: from a live decision and stored assertions, the record as this recipient may see it.

Only this module may make a `RecordView`, and exporters take nothing else. What may not leave is simply not there: no count,
no null, no placeholder, no link to it (ARCHITECTURE §2, §6).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID

from consent.decision import Decision, Scope
from consent.vocabulary import Basis, Obligation, Outcome
from mappings._mint import mint
from mappings.record.assertion import Quality, Status, StoredAssertion
from mappings.record.category import Category
from mappings.record.kind import Kind, Part
from mappings.record.sensitivity import FORCED_CATEGORY, Label
from mappings.view import RecordView, ViewedAssertion

ENFORCED: frozenset[Obligation] = frozenset(
    {
        Obligation.NOTICE,  # ids in the view and the receipt
        Obligation.NO_REDISCLOSURE,  # in the receipt, and as a label on what is exported
        Obligation.PERSIST_LABEL,
        Obligation.ATTACH_SCOPE,  # the receipt's scope
    }
)
"""The obligations this hub fulfils. A decision that carries any other yields nothing."""


FOR_MATCHING_ONLY: frozenset[Kind] = frozenset({Kind.SEX_FOR_MATCHING})
"""Facts kept to tell children apart; no permission opens them to an agency that did not state them."""


_TO_AGENCIES: frozenset[Basis] = frozenset({Basis.CONSENT, Basis.EXCEPTION})
"""Bases on which other agencies' facts leave, each within the scopes of its decision."""


class RefusalReason(StrEnum):
    """Why there is no view. Inside only."""

    DENIED = "denied"
    NOT_LIVE = "not-live"  # the decision has expired, or is of a later instant
    OTHER_CHILD = (
        "other-child"  # an assertion, or the decision on the recipient's own facts, is of another child
    )
    OBLIGATION_UNKNOWN = "obligation-unknown"


@dataclass(frozen=True, slots=True)
class Refusal:
    """No view, and why."""

    decision_id: UUID
    reason: RefusalReason


def project(
    decision: Decision,
    assertions: Iterable[StoredAssertion],
    *,
    child_ref: str,
    outward_id: Callable[[UUID], str],
    at: datetime,
    programmes: Mapping[str, Category],
    own: Decision | None = None,
    plan_status: str | None = None,
    enforced: frozenset[Obligation] = ENFORCED,
) -> RecordView | Refusal:
    """The record of one child as `decision` lets its recipient see it at `at`; assertions keep their order.

    `child_ref` and `outward_id` are pairwise for the recipient. `programmes` says which topic an organisation's very name
    reveals: where that topic is not permitted, or the organisation is not listed, the fact leaves without saying who
    stated it (`org` is empty). `own` is a second live decision, basis own, that adds what the recipient itself sent.
    """
    decisions = (decision,) if own is None else (decision, own)
    held = tuple(assertions)
    refusal = _refusal(decisions, held, at, enforced)
    if refusal is not None:
        return Refusal(decision.decision_id, refusal)
    gates = tuple((one, one.categories) for one in decisions)
    admitted = [found for found in _present(held) if any(_admits(one, open_, found) for one, open_ in gates)]
    named = {
        org: _names_source(decision, gates[0][1], org, programmes)
        for org in {found.asserted_by.org for found in admitted}
    }
    kept = _told_once(admitted, named)
    in_view = frozenset(found.assertion_id for found in kept)
    return mint(
        decision_id=decision.decision_id,
        child_ref=child_ref,
        recipient=decision.recipient,
        purpose=decision.purpose,
        at=at,
        expires=min(one.expires for one in decisions),
        assertions=tuple(_viewed(found, in_view, outward_id, named[found.asserted_by.org]) for found in kept),
        notices=_notices(decision, kept),
        plan_status=plan_status if Part.PLAN in decision.parts else None,
    )


def _refusal(
    decisions: tuple[Decision, ...],
    held: tuple[StoredAssertion, ...],
    at: datetime,
    enforced: frozenset[Obligation],
) -> RefusalReason | None:
    first = decisions[0]
    for one in decisions:
        if one.outcome is Outcome.DENY:
            return RefusalReason.DENIED
        if not one.live(at):
            return RefusalReason.NOT_LIVE
        if not one.obligations <= enforced:
            return RefusalReason.OBLIGATION_UNKNOWN
    for second in decisions[1:]:
        if second.basis is not Basis.OWN or second.recipient != first.recipient:
            return RefusalReason.DENIED
    children = {one.child_id for one in decisions} | {found.child_id for found in held}
    return RefusalReason.OTHER_CHILD if children != {first.child_id} else None


def _present(held: tuple[StoredAssertion, ...]) -> Iterable[StoredAssertion]:
    """The facts that hold now, each once: neither replaced, withdrawn nor entered in error, and every label known."""
    replaced = {found.supersedes for found in held if found.supersedes is not None}
    once = {found.assertion_id: found for found in held}
    return (
        found
        for found in once.values()
        if found.status is Status.CURRENT
        and found.quality is not Quality.ENTERED_IN_ERROR
        and found.assertion_id not in replaced
        and all(isinstance(label, Label) for label in found.labels)
    )


def _told_once(admitted: list[StoredAssertion], named: Mapping[str, bool]) -> list[StoredAssertion]:
    """The facts without needless ones of who the child is: those a source repeats, and those of a source that may not be
    named where another says as much. A recipient needs to know whom it is about, not how many others know it too.
    """
    spoken = {
        found.kind
        for found in admitted
        if found.category is Category.IDENTITY and named[found.asserted_by.org]
    }
    seen: set[str] = set()
    kept = []
    for found in admitted:
        if found.category is Category.IDENTITY:
            mark = f"{found.kind}|{found.asserted_by.org}|{found.value!r}|{found.effective!r}"
            if mark in seen or (found.kind in spoken and not named[found.asserted_by.org]):
                continue
            seen.add(mark)
        kept.append(found)
    return kept


def _admits(decision: Decision, permitted: frozenset[Category], found: StoredAssertion) -> bool:
    """Whether this decision, which permits these topics, lets this fact out."""
    if found.part not in decision.parts or found.category not in permitted or found.kind in decision.left_out:
        return False
    if decision.basis is Basis.OWN:
        return found.asserted_by.org == decision.recipient
    if decision.basis in _TO_AGENCIES and found.kind in FOR_MATCHING_ONLY:
        return False
    # A code outranks its field: a fact whose label belongs to another topic needs that topic permitted as well.
    topics = {found.category, *(FORCED_CATEGORY[label] for label in found.labels if label in FORCED_CATEGORY)}
    if not topics <= permitted:
        return False
    if decision.basis not in _TO_AGENCIES:
        return True
    day = _day(found)
    return all(
        any(_covers(scope, found, day) for scope in decision.by_category[topic].scopes) for topic in topics
    )


def _covers(scope: Scope, found: StoredAssertion, day: date) -> bool:
    """Whether a permit's scope covers a fact: who holds it, which day it is about, under which law it came."""
    if scope.disclosers is not None and found.asserted_by.org not in scope.disclosers:
        return False
    return found.regimes <= scope.regimes and scope.data_period.holds(day)


def _day(found: StoredAssertion) -> date:
    """The day a fact is about: when it began to hold, else when it was stated."""
    if found.effective is not None and found.effective.start is not None:
        return found.effective.start
    return found.asserted_at.astimezone(UTC).date()


def _names_source(
    decision: Decision,
    permitted: frozenset[Category],
    org: str,
    programmes: Mapping[str, Category],
) -> bool:
    """Whether the reader may learn that a fact is this organisation's."""
    if decision.basis in {Basis.FAMILY, Basis.STEWARD} or org == decision.recipient:
        return True
    return programmes.get(org) in permitted


def _viewed(
    found: StoredAssertion, in_view: frozenset[UUID], outward_id: Callable[[UUID], str], names_source: bool
) -> ViewedAssertion:
    source = found.asserted_by
    return ViewedAssertion(
        id=outward_id(found.assertion_id),
        kind=found.kind,
        category=found.category,
        value=found.value,
        org=source.org if names_source else "",
        person=source.person if names_source else None,
        role=source.role if names_source else None,
        method=found.method.value,
        asserted_at=found.asserted_at,
        effective=found.effective,
        regimes=found.regimes,
        labels=found.labels,
        quality=found.quality.value,
        links=tuple(outward_id(link) for link in found.links if link in in_view),
    )


def _notices(decision: Decision, kept: Iterable[StoredAssertion]) -> tuple[str, ...]:
    """The notice ids owed for the regimes that actually occur: a notice for an absent regime would hint at it."""
    owed = {
        duty.detail
        for found in kept
        if found.category in decision.by_category
        for regime in found.regimes
        for duty in decision.by_category[found.category].duties.get(regime, ())
        if duty.obligation is Obligation.NOTICE
    }
    return tuple(sorted(owed))
