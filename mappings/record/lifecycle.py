"""Which state a plan or a referral may enter next, and who may say so; and what a plan still lacks to become active.

Plan states: domain.md §3.4. Referral states: domain.md §3.5, with the edges and the "set by" column of the Task state
diagram in Gravity SDOH Clinical Care 3.0.0 (TaskForReferralManagement; health.md §1.2). Three things are added to Gravity's
diagram and never reach a partner: `awaiting-consent` (a draft that nothing may leave of), the cancellation of a draft, and
`received`, an acknowledgement that base FHIR R4 has and Gravity's table has not.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.kind import Kind
from mappings.record.plan import Agreement, FamilyPresence, GoalStatus, ProfileKind
from mappings.record.referral import ReferralState


class PlanStatus(StrEnum):
    """Where a success plan stands (domain.md §3.4)."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    ACTIVE = "active"
    IN_REVIEW = "in-review"
    ON_HOLD = "on-hold"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    COMPLETED = "completed"
    ENTERED_IN_ERROR = "entered-in-error"


class Party(StrEnum):
    """Who moves a plan or a referral: the agency that leads or asks, or the one that is asked."""

    REQUESTER = "requester"
    TARGET = "target"


_LEAD = frozenset({Party.REQUESTER})
_ASKED = frozenset({Party.TARGET})
_EITHER = frozenset(Party)

State = TypeVar("State", PlanStatus, ReferralState)
Edges = Mapping[State, Mapping[State, frozenset[Party]]]

_P = PlanStatus
PLAN_EDGES: Edges[PlanStatus] = {
    _P.DRAFT: {_P.PROPOSED: _LEAD, _P.REVOKED: _LEAD, _P.ENTERED_IN_ERROR: _LEAD},
    _P.PROPOSED: {_P.DRAFT: _LEAD, _P.ACTIVE: _LEAD, _P.REVOKED: _LEAD, _P.ENTERED_IN_ERROR: _LEAD},
    _P.ACTIVE: {
        _P.IN_REVIEW: _LEAD,
        _P.ON_HOLD: _LEAD,
        _P.SUPERSEDED: _LEAD,
        _P.REVOKED: _LEAD,
        _P.COMPLETED: _LEAD,
        _P.ENTERED_IN_ERROR: _LEAD,
    },
    _P.IN_REVIEW: {
        _P.ACTIVE: _LEAD,
        _P.ON_HOLD: _LEAD,
        _P.SUPERSEDED: _LEAD,
        _P.REVOKED: _LEAD,
        _P.COMPLETED: _LEAD,
        _P.ENTERED_IN_ERROR: _LEAD,
    },
    _P.ON_HOLD: {
        _P.ACTIVE: _LEAD,
        _P.REVOKED: _LEAD,
        _P.COMPLETED: _LEAD,
        _P.ENTERED_IN_ERROR: _LEAD,
    },
    _P.SUPERSEDED: {_P.ENTERED_IN_ERROR: _LEAD},
    _P.REVOKED: {_P.ENTERED_IN_ERROR: _LEAD},
    _P.COMPLETED: {_P.ENTERED_IN_ERROR: _LEAD},
    _P.ENTERED_IN_ERROR: {},
}
"""From → to → who. A plan is the lead agency's to move; what other agencies contribute are assertions, not states."""

_R = ReferralState
REFERRAL_EDGES: Edges[ReferralState] = {
    _R.DRAFT: {
        _R.AWAITING_CONSENT: _LEAD,
        _R.SENT: _LEAD,
        _R.CANCELLED: _LEAD,
        _R.ENTERED_IN_ERROR: _LEAD,
    },
    _R.AWAITING_CONSENT: {
        _R.DRAFT: _LEAD,
        _R.SENT: _LEAD,
        _R.CANCELLED: _LEAD,
        _R.ENTERED_IN_ERROR: _LEAD,
    },
    _R.SENT: {
        _R.RECEIVED: _ASKED,
        _R.ACCEPTED: _ASKED,
        _R.DECLINED: _ASKED,
        _R.CANCELLED: _EITHER,
        _R.ENTERED_IN_ERROR: _LEAD,
    },
    _R.RECEIVED: {
        _R.ACCEPTED: _ASKED,
        _R.DECLINED: _ASKED,
        _R.CANCELLED: _EITHER,
        _R.ENTERED_IN_ERROR: _LEAD,
    },
    _R.ACCEPTED: {
        _R.IN_PROGRESS: _ASKED,
        _R.WAITLISTED: _ASKED,
        _R.COMPLETED: _ASKED,
        _R.FAILED: _ASKED,
        _R.CANCELLED: _EITHER,
        _R.ENTERED_IN_ERROR: _LEAD,
    },
    _R.WAITLISTED: {
        _R.IN_PROGRESS: _ASKED,
        _R.COMPLETED: _ASKED,
        _R.FAILED: _ASKED,
        _R.CANCELLED: _EITHER,
        _R.ENTERED_IN_ERROR: _LEAD,
    },
    _R.IN_PROGRESS: {
        _R.WAITLISTED: _ASKED,
        _R.COMPLETED: _ASKED,
        _R.FAILED: _ASKED,
        _R.CANCELLED: _EITHER,
        _R.ENTERED_IN_ERROR: _LEAD,
    },
    _R.COMPLETED: {_R.ENTERED_IN_ERROR: _LEAD},
    _R.DECLINED: {_R.ENTERED_IN_ERROR: _LEAD},
    _R.CANCELLED: {_R.ENTERED_IN_ERROR: _LEAD},
    _R.FAILED: {_R.ENTERED_IN_ERROR: _LEAD},
    _R.ENTERED_IN_ERROR: {},
}
"""From → to → who. `waitlisted` stands where Gravity's diagram has `on-hold`."""

PLAN_START = frozenset({_P.DRAFT})
REFERRAL_START = frozenset({_R.DRAFT, _R.AWAITING_CONSENT, _R.SENT})
REFERRAL_TERMINAL = frozenset({_R.COMPLETED, _R.DECLINED, _R.CANCELLED, _R.FAILED, _R.ENTERED_IN_ERROR})


def advance_plan(now: PlanStatus | None, to: PlanStatus, *, path: str = "status") -> PlanStatus | Issue:
    """The plan's next state, or the issue that says why not. `now` is None for a plan that does not exist yet."""
    return _advance(PLAN_EDGES, PLAN_START, now, to, Party.REQUESTER, path, "domain.md §3.4")


def advance_referral(
    now: ReferralState | None, to: ReferralState, by: Party, *, path: str = "status"
) -> ReferralState | Issue:
    """The referral's next state, or the issue that says why not. `now` is None for a referral that does not exist yet."""
    source = "Gravity SDOH Clinical Care 3.0.0, TaskForReferralManagement"
    return _advance(REFERRAL_EDGES, REFERRAL_START, now, to, by, path, source)


def _advance(
    edges: Edges[State],
    start: frozenset[State],
    now: State | None,
    to: State,
    by: Party,
    path: str,
    source: str,
) -> State | Issue:
    if now is None:
        if to in start and by is Party.REQUESTER:
            return to
        return _illegal(path, f"nothing begins as {to} when the {by} says so", sorted(start), source)
    allowed = edges[now]
    if by in allowed.get(to, frozenset()):
        return to
    may = sorted(state for state, parties in allowed.items() if by in parties)
    return _illegal(path, f"the {by} cannot move it from {now} to {to}", may, source)


def _illegal(path: str, what: str, may: list[State], source: str) -> Issue:
    choice = f"may become {', '.join(may)}" if may else "has no way on from here"
    return Issue(
        severity=Severity.ERROR,
        code=IssueCode.ILLEGAL_TRANSITION,
        path=path,
        text=f"{what}: it {choice} ({source})",
    )


def steps(now: ReferralState, to: ReferralState, by: Party) -> tuple[ReferralState, ...] | None:
    """The shortest run of allowed moves by `by` that ends in `to`; empty where it stands there already, None where none is.

    A partner that is polled, or that fills in a sheet once a week, shows only where it is now: `sent` then `completed`
    means it accepted in between. A way back (`completed` → `accepted`) has no such run. `received` and `waitlisted` are
    never guessed as a station on the way.
    """
    if now is to:
        return ()
    guessed = {ReferralState.RECEIVED, ReferralState.WAITLISTED}
    queue = deque([(now, ())])  # type: deque[tuple[ReferralState, tuple[ReferralState, ...]]]
    seen = {now}
    while queue:
        state, way = queue.popleft()
        for after, parties in REFERRAL_EDGES[state].items():
            if by not in parties or after in seen:
                continue
            if after is to:
                return (*way, after)
            if after not in guessed:
                seen.add(after)
                queue.append((after, (*way, after)))
    return None


class Lack(StrEnum):
    """What keeps a plan from becoming active (domain.md §3.1, last paragraph)."""

    CHILD = "child"
    GUARDIAN = "guardian"
    NAVIGATOR = "navigator"
    ONE_NAVIGATOR = "one-navigator"
    STRENGTH = "strength"
    INTEREST = "interest"
    GOAL = "goal"
    SUPPORT = "support"
    CONFERENCE = "conference"
    AGREEMENT = "agreement"
    AGREED = "agreed"
    REVIEW_DATE = "review-date"


LACK_TEXT: Mapping[Lack, str] = {
    Lack.CHILD: "the child's name is not on record",
    Lack.GUARDIAN: "no guardian is on record, and the plan does not say unaccompanied youth",
    Lack.NAVIGATOR: "nobody is named as the child's navigator: mark one care team member as primary",
    Lack.ONE_NAVIGATOR: "more than one care team member is marked as primary: one plan has one navigator",
    Lack.STRENGTH: "no strength is on record",
    Lack.INTEREST: "no interest is on record",
    Lack.GOAL: "there is no goal, and the plan does not say universal supports only",
    Lack.SUPPORT: "no support or opportunity is matched",
    Lack.CONFERENCE: "no conference, and no attempt to hold one, is on record",
    Lack.AGREEMENT: "the family's answer to the plan is not on record",
    Lack.AGREED: "a family member said no, or was not reached and no attempt to meet is on record",
    Lack.REVIEW_DATE: "the plan's terms, with the date of its next review, are not on record",
}


class Fact(Protocol):
    """What the rule reads of an assertion; stored and viewed ones both fit."""

    @property
    def kind(self) -> Kind:
        """What the assertion states."""
        ...

    @property
    def value(self) -> Mapping[str, Any]:
        """Its value, in the shape of its kind's model, as JSON."""
        ...

    @property
    def asserted_at(self) -> datetime:
        """When it was stated."""
        ...


def lacks_for_active(facts: Iterable[Fact]) -> tuple[Lack, ...]:
    """What a plan made of these current facts still lacks to be active, in the order of `Lack`; empty where nothing does.

    Facts that are superseded, retracted or entered in error are the caller's to leave out.
    """
    by_kind: dict[Kind, list[Fact]] = {kind: [] for kind in Kind}
    for fact in facts:
        by_kind[fact.kind].append(fact)
    terms = [fact.value for fact in by_kind[Kind.PLAN_TERMS]]
    profile = {item.value["profile"] for item in by_kind[Kind.PROFILE_ITEM] if not item.value.get("resolved")}
    navigators = {
        member.value["name"] for member in by_kind[Kind.CARE_TEAM_MEMBER] if member.value.get("primary")
    }
    dead_goals = {GoalStatus.CANCELLED, GoalStatus.REJECTED, GoalStatus.ENTERED_IN_ERROR}
    goals = [goal for goal in by_kind[Kind.GOAL] if goal.value.get("status") not in dead_goals]
    answers = _answers(by_kind[Kind.FAMILY_VOICE])
    found = {
        Lack.CHILD: not by_kind[Kind.NAME],
        Lack.GUARDIAN: not by_kind[Kind.GUARDIAN]
        and not any(term.get("unaccompanied_youth") for term in terms),
        Lack.NAVIGATOR: not navigators,
        Lack.ONE_NAVIGATOR: len(navigators) > 1,
        Lack.STRENGTH: ProfileKind.STRENGTH not in profile,
        Lack.INTEREST: ProfileKind.INTEREST not in profile,
        Lack.GOAL: not goals and not any(term.get("universal_supports_only") for term in terms),
        Lack.SUPPORT: not by_kind[Kind.SUPPORT],
        Lack.CONFERENCE: not by_kind[Kind.CONFERENCE],
        Lack.AGREEMENT: not answers,
        Lack.AGREED: bool(answers) and not _agreed(answers, by_kind[Kind.CONFERENCE]),
        Lack.REVIEW_DATE: not terms,
    }
    return tuple(lack for lack in Lack if found[lack])


def _answers(voices: list[Fact]) -> frozenset[str]:
    """Each speaker's latest answer; an earlier no that became a yes no longer counts."""
    latest: dict[str, str] = {}
    for voice in sorted(voices, key=lambda fact: fact.asserted_at):
        if agreement := voice.value.get("agreement"):
            latest[voice.value["speaker"]] = agreement
    return frozenset(latest.values())


def _agreed(answers: frozenset[str], conferences: list[Fact]) -> bool:
    """Any no stops the plan; a yes or a partly carries it; nobody reached carries it only with attempts on record."""
    if Agreement.NO in answers:
        return False
    if answers & {Agreement.AGREE, Agreement.PARTLY}:
        return True
    return any(held.value["family_present"] == FamilyPresence.ATTEMPTS for held in conferences)
