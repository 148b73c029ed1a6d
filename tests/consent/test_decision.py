from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from consent.agreement import AgreementStatus
from consent.directive import State
from consent.guardian import Authority, RestraintKind
from consent.vocabulary import Element, Outcome, Purpose, Reason
from mappings.record.base import Period
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.regime import Regime
from tests.consent.family import (
    DAY,
    FATHER,
    MOTHER,
    NOON,
    PROGRAMME,
    agreement,
    decided,
    directive,
    link,
    request,
    restraint,
    stop,
    why,
)

SECOND = timedelta(seconds=1)
SCHOOL = Category.SCHOOL


def test_what_a_guardian_permits_is_permitted_and_what_she_did_not_name_is_not():
    found = decided(directive(), ask=request(SCHOOL, Category.HOME))
    assert found.outcome is Outcome.PERMIT_WITH_OBLIGATIONS
    assert found.categories == {SCHOOL}
    assert found.reasons == {SCHOOL: Reason.GRANTED, Category.HOME: Reason.CATEGORY}
    assert found.directive_ids == (UUID(int=0xD001),)


def test_without_a_directive_nothing_is_permitted():
    assert why() is Reason.NO_GRANT


def test_an_empty_request_is_a_denial():
    assert decided(directive(), ask=request()).outcome is Outcome.DENY
    assert why(directive(), ask=request(SCHOOL, parts=frozenset())) is Reason.CATEGORY


def test_either_guardian_may_grant():
    for signer in (MOTHER, FATHER):
        assert why(directive(signer_link=signer)) is Reason.GRANTED


@pytest.mark.parametrize("first", [True, False])
def test_any_guardian_may_stop_whoever_spoke_last(first):
    earlier, later = NOON - 9 * DAY, NOON - DAY
    permit = directive(recorded_at=earlier if first else later)
    objection = stop(recorded_at=later if first else earlier)
    found = decided(permit, objection)
    assert found.reasons == {SCHOOL: Reason.GUARDIAN_DENY}
    assert found.by_category[SCHOOL].directive_ids == (objection.directive_id,)
    assert found.directive_ids == ()


def test_a_guardian_may_stop_what_she_herself_permitted():
    assert why(directive(), stop(signer_link=MOTHER)) is Reason.GUARDIAN_DENY


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"recipient": PROGRAMME}, Reason.GRANTED),
        ({"categories": frozenset({Category.HEALTH})}, Reason.GRANTED),
        ({"purposes": frozenset({Purpose.TREATMENT})}, Reason.GUARDIAN_DENY),  # covers the purpose asked
        ({"purposes": frozenset({Purpose.STUDENT_SUPPORT})}, Reason.GRANTED),
        ({"recipient": "class:clinics@1"}, Reason.GUARDIAN_DENY),
        ({"valid_from": NOON + SECOND}, Reason.GRANTED),
        ({"valid_from": NOON}, Reason.GUARDIAN_DENY),
        ({"valid_until": NOON}, Reason.GRANTED),
        ({"valid_until": None}, Reason.GUARDIAN_DENY),
        ({"state": State.DISPUTED}, Reason.GUARDIAN_DENY),
        ({"state": State.RENEWED_GIVEN}, Reason.GUARDIAN_DENY),
        ({"state": State.WITHDRAWN}, Reason.GRANTED),
        ({"state": State.REQUESTED}, Reason.GRANTED),
        ({"state": State.TERMINATED}, Reason.GRANTED),
        ({"revoked_at": NOON - DAY}, Reason.GRANTED),
        ({"signer_link": UUID(int=77)}, Reason.GUARDIAN_DENY),  # a signer we do not know closes
        ({"notice": None, "auth_evidence": None, "regimes": frozenset()}, Reason.GUARDIAN_DENY),
    ],
)
def test_a_stop_closes_exactly_what_it_names_while_it_stands(changes, reason):
    assert why(directive(), stop(**changes)) is reason


def test_a_stop_outlives_its_speakers_custody_and_a_hold_on_them():
    for father in (link(FATHER, valid_until=NOON - DAY), link(FATHER, restricted=frozenset(Category))):
        assert why(directive(), stop(), links=(link(), father)) is Reason.GUARDIAN_DENY
    held = restraint(guardian_link_id=FATHER, kind=RestraintKind.SAFETY_HOLD)
    assert why(directive(), stop(), restraints=(held,)) is Reason.GUARDIAN_DENY


def test_whoever_was_never_verified_stops_nothing():
    for father in (link(FATHER, authority=Authority.CANDIDATE), link(FATHER, authority=Authority.NONE)):
        assert why(directive(), stop(), links=(link(), father)) is Reason.GRANTED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"recipient": PROGRAMME}, Reason.RECIPIENT),
        ({"recipient": "class:clinics@1"}, Reason.RECIPIENT),
        ({"purposes": frozenset({Purpose.STUDENT_SUPPORT})}, Reason.PURPOSE),
        ({"purposes": frozenset()}, Reason.PURPOSE),
        ({"categories": frozenset({Category.IDENTITY})}, Reason.CATEGORY),
        ({"categories": frozenset()}, Reason.CATEGORY),
        ({"state": State.REQUESTED}, Reason.NOT_GIVEN),
        ({"state": State.REQUEST_DEFERRED}, Reason.NOT_GIVEN),
        ({"state": State.REFUSED}, Reason.NOT_GIVEN),
        ({"state": State.UNKNOWN}, Reason.NOT_GIVEN),
        ({"state": State.TERMINATED}, Reason.NOT_GIVEN),
        ({"state": State.INVALIDATED}, Reason.NOT_GIVEN),
        ({"state": State.WITHDRAWN}, Reason.REVOKED),
        ({"state": State.EXPIRED}, Reason.EXPIRED),
        ({"state": State.DISPUTED}, Reason.DISPUTED),
        ({"revoked_at": NOON - DAY}, Reason.REVOKED),
        ({"revoked_at": NOON + DAY}, Reason.REVOKED),  # a clock that runs ahead must not keep a door open
        ({"valid_until": NOON}, Reason.EXPIRED),
        ({"valid_until": NOON + SECOND}, Reason.GRANTED),
        ({"valid_from": NOON + SECOND}, Reason.NOT_YET_VALID),
        ({"valid_from": NOON}, Reason.GRANTED),
        ({"notice": None}, Reason.DEFECTIVE),
        ({"signer_link": UUID(int=77)}, Reason.SIGNATURES_MISSING),
        ({"state": State.RENEWED_GIVEN}, Reason.GRANTED),
        ({"purposes": frozenset({Purpose.TREATMENT})}, Reason.GRANTED),
    ],
)
def test_a_permit_that_does_not_hold_says_why(changes, reason):
    assert why(directive(**changes)) is reason


def test_of_several_permits_that_fail_the_nearest_gives_the_reason():
    far, nearer, nearest = (
        directive(1, recipient=PROGRAMME),
        directive(2, valid_until=NOON),
        directive(3, notice=None),
    )
    assert why(far, nearer) is Reason.EXPIRED
    found = decided(nearest, far, nearer)
    assert found.reasons[SCHOOL] is Reason.DEFECTIVE
    assert found.by_category[SCHOOL].element is Element.NOTICE


def test_a_missing_element_is_named():
    assert decided(directive(auth_evidence=None)).by_category[SCHOOL].element is Element.SIGNATURE


def test_a_form_for_regimes_no_law_row_lets_out_is_defective():
    found = decided(directive(regimes=frozenset({Regime.FOOD}))).by_category[SCHOOL]
    assert (found.reason, found.element) == (Reason.DEFECTIVE, Element.REGIMES)


def test_two_permits_together_open_what_each_opens_and_both_are_cited():
    schools = directive(1, disclosers=frozenset({"marlow-schools"}))
    lately = directive(2, data_period=Period(start=date(2026, 9, 1)), signer_link=FATHER)
    found = decided(lately, schools).by_category[SCHOOL]
    assert found.directive_ids == (schools.directive_id, lately.directive_id)
    assert [scope.directive_ids for scope in found.scopes] == [
        (schools.directive_id,),
        (lately.directive_id,),
    ]


def test_identity_is_never_implied():
    found = decided(directive(categories=frozenset({SCHOOL})), ask=request(SCHOOL, Category.IDENTITY))
    assert found.categories == {SCHOOL}


def test_a_successor_replaces_what_it_names_from_its_first_instant():
    old = directive(1)
    narrower = directive(2, supersedes=old.directive_id, categories=frozenset({Category.HEALTH}))
    assert why(old, narrower) is Reason.REVOKED
    assert why(old, narrower.model_copy(update={"valid_from": NOON + SECOND})) is Reason.GRANTED


@pytest.mark.parametrize("state", [State.WITHDRAWN, State.EXPIRED, State.TERMINATED, State.DISPUTED])
def test_ending_the_successor_does_not_bring_the_wider_one_back(state):
    narrower = directive(2, supersedes=UUID(int=0xD001), categories=frozenset({Category.HEALTH}), state=state)
    assert why(directive(1), narrower) is Reason.REVOKED


def test_a_successor_nobody_has_signed_replaces_nothing():
    asked = directive(2, supersedes=UUID(int=0xD001), state=State.REQUESTED)
    assert why(directive(1), asked) is Reason.GRANTED


def test_a_permit_never_replaces_a_stop():
    assert why(stop(90), directive(2, supersedes=UUID(int=0xD000 + 90))) is Reason.GUARDIAN_DENY


@pytest.mark.parametrize("kind", list(RestraintKind))
def test_an_order_or_hold_stands_above_every_permit(kind):
    assert why(directive(), restraints=(restraint(kind=kind),)) is Reason(kind.value)
    assert why(directive(), restraints=(restraint(kind=kind, recipient=PROGRAMME),)) is Reason.GRANTED
    assert (
        why(directive(), restraints=(restraint(kind=kind, categories=frozenset({Category.HOME})),))
        is Reason.GRANTED
    )
    assert (
        why(directive(), restraints=(restraint(kind=kind, guardian_link_id=MOTHER),))
        is Reason.AUTHORITY_LAPSED
    )


def test_an_order_is_named_before_a_hold():
    hold = restraint(restraint_id=UUID(int=0xE2), kind=RestraintKind.SAFETY_HOLD)
    assert why(restraints=(hold, restraint())) is why(restraints=(restraint(), hold)) is Reason.COURT_ORDER


@pytest.mark.parametrize(
    ("agreements", "reason"),
    [
        ((), Reason.AGREEMENT_MISSING),
        ((agreement(status=AgreementStatus.SUSPENDED),), Reason.AGREEMENT_SUSPENDED),
        ((agreement(valid_until=NOON),), Reason.AGREEMENT_EXPIRED),
        ((agreement(purposes=frozenset({Purpose.TREATMENT})),), Reason.AGREEMENT_PURPOSE),
        ((agreement(categories=frozenset({Category.HEALTH})),), Reason.AGREEMENT_CATEGORY),
        ((agreement(org=PROGRAMME),), Reason.AGREEMENT_MISSING),
    ],
)
def test_without_an_agreement_in_force_nothing_flows_whatever_a_family_grants(agreements, reason):
    assert why(directive(), agreements=agreements) is reason


@pytest.mark.parametrize(
    "changes",
    [
        {"child_id": UUID(int=9)},
        {"recipient": PROGRAMME},
    ],
)
def test_a_snapshot_of_another_child_or_recipient_answers_nothing(changes):
    assert why(directive(), ask=request(SCHOOL, **changes)) is Reason.TENANT_MISMATCH


def test_one_fact_of_another_child_spoils_the_snapshot():
    other: dict[str, Any] = {"child_id": UUID(int=9)}
    assert why(directive(1), directive(2, **other)) is Reason.TENANT_MISMATCH
    assert why(directive(), links=(link(), link(FATHER, **other))) is Reason.TENANT_MISMATCH
    assert why(directive(), restraints=(restraint(**other),)) is Reason.TENANT_MISMATCH


@pytest.mark.parametrize("purpose", ["", "coc", "MARKETING"])
def test_an_unknown_purpose_is_denied_and_not_an_error(purpose):
    assert why(directive(), ask=request(SCHOOL, purpose=purpose)) is Reason.PURPOSE_UNKNOWN


@pytest.mark.parametrize(
    "purpose",
    [Purpose.EMERGENCY_TREATMENT, Purpose.BREAK_GLASS, Purpose.FAMILY_REQUEST, Purpose.RECORD_MANAGEMENT],
)
def test_no_directive_opens_a_purpose_that_has_its_own_door(purpose):
    treats = directive(purposes=frozenset(Purpose))
    assert why(treats, ask=request(SCHOOL, purpose=purpose)) is Reason.PURPOSE


def test_how_a_referral_ended_cannot_be_had_under_another_purpose():
    told = directive(purposes=frozenset(Purpose))
    plan_too = request(SCHOOL, parts=frozenset({Part.PLAN, Part.OUTCOME}))
    assert why(told, ask=plan_too) is Reason.PURPOSE
    outcome = request(SCHOOL, purpose=Purpose.REFERRAL_OUTCOME, parts=frozenset({Part.OUTCOME}))
    assert why(told, ask=outcome) is Reason.GRANTED
    assert why(directive(), ask=outcome) is Reason.PURPOSE
    assert why(told, ask=replace(outcome, parts=frozenset(Part))) is Reason.PURPOSE
