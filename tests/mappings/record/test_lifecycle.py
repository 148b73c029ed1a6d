from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.record.issue import Issue, IssueCode
from mappings.record.kind import Kind
from mappings.record.lifecycle import (
    LACK_TEXT,
    PLAN_EDGES,
    REFERRAL_EDGES,
    REFERRAL_TERMINAL,
    Lack,
    Party,
    PlanStatus,
    advance_plan,
    advance_referral,
    lacks_for_active,
    steps,
)
from mappings.record.referral import ReferralState as R

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)

# Gravity SDOH Clinical Care 3.0.0, "Set By" column and state diagram (health.md §1.2); on-hold is our waitlisted.
GRAVITY = {
    (R.DRAFT, R.SENT): {Party.REQUESTER},
    (R.SENT, R.ACCEPTED): {Party.TARGET},
    (R.SENT, R.DECLINED): {Party.TARGET},
    (R.SENT, R.CANCELLED): {Party.REQUESTER, Party.TARGET},
    (R.ACCEPTED, R.IN_PROGRESS): {Party.TARGET},
    (R.ACCEPTED, R.WAITLISTED): {Party.TARGET},
    (R.ACCEPTED, R.COMPLETED): {Party.TARGET},
    (R.ACCEPTED, R.FAILED): {Party.TARGET},
    (R.ACCEPTED, R.CANCELLED): {Party.REQUESTER, Party.TARGET},
    (R.IN_PROGRESS, R.WAITLISTED): {Party.TARGET},
    (R.IN_PROGRESS, R.COMPLETED): {Party.TARGET},
    (R.IN_PROGRESS, R.FAILED): {Party.TARGET},
    (R.IN_PROGRESS, R.CANCELLED): {Party.REQUESTER, Party.TARGET},
    (R.WAITLISTED, R.IN_PROGRESS): {Party.TARGET},
    (R.WAITLISTED, R.COMPLETED): {Party.TARGET},
    (R.WAITLISTED, R.FAILED): {Party.TARGET},
    (R.WAITLISTED, R.CANCELLED): {Party.REQUESTER, Party.TARGET},
}
OURS_ONLY = {R.AWAITING_CONSENT, R.RECEIVED}  # states no Gravity table has


def test_between_states_gravity_knows_exactly_gravitys_moves_are_allowed():
    ours = {
        (a, b): set(by)
        for a, after in REFERRAL_EDGES.items()
        for b, by in after.items()
        if not {a, b} & OURS_ONLY and b is not R.ENTERED_IN_ERROR and (a, b) != (R.DRAFT, R.CANCELLED)
    }
    assert ours == GRAVITY


@pytest.mark.parametrize("state", [state for state in R if state is not R.ENTERED_IN_ERROR])
def test_only_the_requester_can_say_a_referral_was_entered_in_error_and_from_any_state(state):
    assert advance_referral(state, R.ENTERED_IN_ERROR, Party.REQUESTER) is R.ENTERED_IN_ERROR
    assert isinstance(advance_referral(state, R.ENTERED_IN_ERROR, Party.TARGET), Issue)


def test_an_ended_referral_goes_nowhere_but_to_entered_in_error():
    for state in REFERRAL_TERMINAL - {R.ENTERED_IN_ERROR}:
        assert set(REFERRAL_EDGES[state]) == {R.ENTERED_IN_ERROR}
    assert REFERRAL_EDGES[R.ENTERED_IN_ERROR] == {}


def test_a_completed_referral_that_asks_again_is_refused_and_the_refusal_names_the_table():
    issue = advance_referral(R.COMPLETED, R.SENT, Party.REQUESTER, path="Task.status")
    assert isinstance(issue, Issue)
    assert (issue.code, issue.path) == (IssueCode.ILLEGAL_TRANSITION, "Task.status")
    assert "completed" in issue.text
    assert "TaskForReferralManagement" in issue.text


def test_a_referral_begins_with_the_requester_and_not_in_the_middle():
    assert advance_referral(None, R.AWAITING_CONSENT, Party.REQUESTER) is R.AWAITING_CONSENT
    assert isinstance(advance_referral(None, R.SENT, Party.TARGET), Issue)
    assert isinstance(advance_referral(None, R.ACCEPTED, Party.REQUESTER), Issue)


def test_a_partner_seen_only_now_and_then_is_read_along_the_shortest_allowed_way():
    assert steps(R.SENT, R.COMPLETED, Party.TARGET) == (R.ACCEPTED, R.COMPLETED)
    assert steps(R.SENT, R.WAITLISTED, Party.TARGET) == (R.ACCEPTED, R.WAITLISTED)
    assert steps(R.RECEIVED, R.IN_PROGRESS, Party.TARGET) == (R.ACCEPTED, R.IN_PROGRESS)
    assert steps(R.SENT, R.SENT, Party.TARGET) == ()
    assert steps(R.COMPLETED, R.ACCEPTED, Party.TARGET) is None
    assert steps(R.ACCEPTED, R.DECLINED, Party.TARGET) is None


@given(st.sampled_from(R), st.sampled_from(R), st.sampled_from(Party))
def test_every_step_of_a_way_is_a_move_that_party_may_make(now, to, by):
    way = steps(now, to, by)
    if way is None:
        assert isinstance(advance_referral(now, to, by), Issue)
        return
    for state in way:
        assert advance_referral(now, state, by) is state
        now = state
    assert now is to


@given(st.sampled_from(PlanStatus), st.sampled_from(PlanStatus))
def test_a_plan_moves_exactly_along_its_table(now, to):
    assert (advance_plan(now, to) is to) == (to in PLAN_EDGES[now])


def test_a_plan_begins_as_a_draft_and_is_active_only_after_it_was_proposed():
    assert advance_plan(None, PlanStatus.DRAFT) is PlanStatus.DRAFT
    assert isinstance(advance_plan(None, PlanStatus.ACTIVE), Issue)
    assert isinstance(advance_plan(PlanStatus.DRAFT, PlanStatus.ACTIVE), Issue)
    assert advance_plan(PlanStatus.PROPOSED, PlanStatus.ACTIVE) is PlanStatus.ACTIVE


@dataclass(frozen=True)
class Said:
    kind: Kind
    value: dict[str, Any]
    asserted_at: datetime = field(default=NOON)


def whole_plan() -> dict[str, Said]:
    return {
        "child": Said(Kind.NAME, {"family": "Okafor"}),
        "guardian": Said(Kind.GUARDIAN, {"person_key": "g1", "relationship": "mother"}),
        "navigator": Said(Kind.CARE_TEAM_MEMBER, {"name": "Ida Brandt", "primary": True}),
        "strength": Said(Kind.PROFILE_ITEM, {"profile": "strength", "statement": "draws"}),
        "interest": Said(Kind.PROFILE_ITEM, {"profile": "interest", "statement": "chess"}),
        "goal": Said(Kind.GOAL, {"description": "reads daily", "status": "active"}),
        "support": Said(Kind.SUPPORT, {"name": "reading club"}),
        "conference": Said(Kind.CONFERENCE, {"date": "2026-09-01", "family_present": "yes"}),
        "agreement": Said(Kind.FAMILY_VOICE, {"speaker": "mother", "agreement": "agree"}),
        "review-date": Said(Kind.PLAN_TERMS, {"school_year": "2026-2027", "next_review": "2027-02-01"}),
    }


def test_a_whole_plan_lacks_nothing():
    assert lacks_for_active(whole_plan().values()) == ()


@pytest.mark.parametrize("part", list(whole_plan()))
def test_a_plan_without_one_of_its_parts_lacks_exactly_that(part):
    plan = whole_plan()
    del plan[part]
    assert lacks_for_active(plan.values()) == (Lack(part),)
    assert LACK_TEXT[Lack(part)]


def test_universal_supports_only_stands_for_a_goal_and_unaccompanied_youth_for_a_guardian():
    plan = whole_plan()
    del plan["goal"], plan["guardian"]
    plan["review-date"].value.update(universal_supports_only=True, unaccompanied_youth=True)
    assert lacks_for_active(plan.values()) == ()


def test_a_cancelled_goal_and_a_strength_that_no_longer_holds_do_not_count():
    plan = whole_plan()
    plan["goal"].value["status"] = "cancelled"
    plan["strength"].value["resolved"] = True
    assert lacks_for_active(plan.values()) == (Lack.STRENGTH, Lack.GOAL)


def test_one_plan_has_one_navigator():
    plan = whole_plan()
    plan["second"] = Said(Kind.CARE_TEAM_MEMBER, {"name": "Tomas Reyes", "primary": True})
    assert lacks_for_active(plan.values()) == (Lack.ONE_NAVIGATOR,)
    plan["second"] = Said(
        Kind.CARE_TEAM_MEMBER, {"name": "Ida Brandt", "primary": True}
    )  # two agencies, one person
    assert lacks_for_active(plan.values()) == ()


def test_one_guardians_no_stops_a_plan_the_other_agreed_to_until_the_same_person_says_yes():
    plan = whole_plan()
    plan["no"] = Said(Kind.FAMILY_VOICE, {"speaker": "father", "agreement": "no"})
    assert lacks_for_active(plan.values()) == (Lack.AGREED,)
    later = NOON + timedelta(days=1)
    plan["yes"] = Said(Kind.FAMILY_VOICE, {"speaker": "father", "agreement": "partly"}, later)
    assert lacks_for_active(plan.values()) == ()


def test_a_family_nobody_reached_carries_a_plan_only_where_the_attempts_are_on_record():
    plan = whole_plan()
    plan["agreement"].value["agreement"] = "not-reached"
    assert lacks_for_active(plan.values()) == (Lack.AGREED,)
    plan["conference"].value["family_present"] = "attempts"
    assert lacks_for_active(plan.values()) == ()
