from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from consent.decision import decide
from consent.guardian import Authority, RestraintKind
from consent.law import Duty
from consent.request import ExceptionEvidence
from consent.vocabulary import Basis, Obligation, Outcome, Purpose, Reason
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.regime import Regime
from tests.consent.family import (
    DAY,
    FATHER,
    LAW,
    MOTHER,
    NOON,
    PROGRAMME,
    SELF,
    agreement,
    child,
    decided,
    directive,
    link,
    request,
    restraint,
    snapshot,
    stop,
    why,
)
from tests.consent.statutes import signature, state_law

SECOND = timedelta(seconds=1)
SCHOOL = Category.SCHOOL


def test_an_agency_sees_what_it_sent_without_agreement_or_directive_and_past_any_stop():
    ask = request(SCHOOL, Category.COUNSELING, basis=Basis.OWN)
    found = decided(stop(), ask=ask, agreements=(), restraints=(restraint(),))
    assert found.outcome is Outcome.PERMIT
    assert set(found.reasons.values()) == {Reason.OWN_RECORD}
    assert found.basis is Basis.OWN
    assert decided(ask=request(SCHOOL, basis=Basis.OWN, recipient=PROGRAMME)).outcome is Outcome.DENY


def family(**changes: Any):
    facts = {
        "basis": Basis.FAMILY,
        "purpose": Purpose.FAMILY_REQUEST,
        "recipient": "family",
        "guardian_link_id": MOTHER,
    }
    return request(*Category, **facts | changes)


def test_a_guardian_reads_the_childs_record_but_for_topics_the_law_keeps_from_her():
    found = decided(ask=family(), agreements=())
    closed = {Category.COUNSELING, Category.SUBSTANCE_USE, Category.SEXUAL_HEALTH, Category.SAFETY}
    assert found.categories == set(Category) - closed
    assert found.reasons[SCHOOL] is Reason.FAMILY_READ
    assert found.reasons[Category.COUNSELING] is Reason.CATEGORY
    assert found.evidence_ids == (MOTHER,)


def test_a_table_may_keep_a_topic_from_guardians():
    private = signature("s8", "home", "guardian").replace("guardian_reads = true", "guardian_reads = false")
    found = decided(ask=family(), law=state_law(private))
    assert found.reasons[Category.HOME] is Reason.CATEGORY
    assert found.reasons[SCHOOL] is Reason.FAMILY_READ


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"guardian_link_id": None}, Reason.SIGNATURES_MISSING),
        ({"guardian_link_id": UUID(int=77)}, Reason.SIGNATURES_MISSING),
        ({"guardian_link_id": SELF}, Reason.AUTHORITY_LAPSED),
        ({"purpose": Purpose.CARE_COORDINATION}, Reason.PURPOSE),
    ],
)
def test_who_is_no_guardian_reads_nothing_as_family(changes, reason):
    assert why(ask=family(**changes)) is reason


def test_a_guardian_under_a_hold_or_after_custody_ended_reads_nothing():
    held = restraint(kind=RestraintKind.SAFETY_HOLD, guardian_link_id=MOTHER)
    assert decided(ask=family(), restraints=(held,)).outcome is Outcome.DENY
    assert decided(ask=family(), links=(link(valid_until=NOON),)).outcome is Outcome.DENY
    assert why(ask=family(), links=(link(authority=Authority.CANDIDATE),)) is Reason.SIGNATURES_MISSING
    assert why(ask=family(), restraints=(restraint(),)) is Reason.COURT_ORDER


def test_after_majority_the_young_adult_reads_everything_and_the_parents_nothing():
    grown: dict[str, Any] = {"child": child(birth_date=date(2008, 5, 17))}
    assert decided(ask=family(guardian_link_id=SELF), **grown).categories == set(Category)
    assert decided(ask=family(), **grown).outcome is Outcome.DENY


def test_a_minor_reads_what_the_law_lets_them_sign_for():
    facts: dict[str, Any] = {"law": state_law(), "child": child(birth_date=date(2012, 1, 1))}
    found = decided(ask=family(guardian_link_id=SELF), **facts)
    assert found.categories == {Category.COUNSELING, Category.SUBSTANCE_USE, Category.SEXUAL_HEALTH}


def steward(**changes: Any):
    facts = {
        "basis": Basis.STEWARD,
        "purpose": Purpose.RECORD_MANAGEMENT,
        "recipient": "steward",
        "evidence_ids": (UUID(int=5),),
    }
    return request(*Category, **facts | changes)


def test_a_steward_reads_identity_facts_for_a_named_review_and_nothing_else():
    found = decided(ask=steward(), agreements=())
    assert found.categories == {Category.IDENTITY}
    assert found.reasons[Category.IDENTITY] is Reason.STEWARD_READ
    assert found.reasons[SCHOOL] is Reason.CATEGORY
    assert found.evidence_ids == (UUID(int=5),)


@pytest.mark.parametrize(
    "changes", [{"evidence_ids": ()}, {"purpose": Purpose.TREATMENT}, {"parts": frozenset(Part)}]
)
def test_a_steward_without_a_review_item_reads_nothing(changes):
    assert decided(ask=steward(**changes)).outcome is Outcome.DENY


def test_no_exception_is_enabled_whatever_evidence_is_offered():
    evidence = ExceptionEvidence("emergency", "allergic shock", "nurse 2", NOON)
    ask = request(SCHOOL, basis=Basis.EXCEPTION, purpose=Purpose.EMERGENCY_TREATMENT, exception=evidence)
    assert why(directive(purposes=frozenset(Purpose)), ask=ask) is Reason.EXCEPTION_NOT_ENABLED


def test_each_regime_a_permit_lets_out_brings_its_duties():
    found = decided(directive(regimes=frozenset({Regime.EDU, Regime.P2, Regime.FAM, Regime.CW}))).by_category[
        SCHOOL
    ]
    assert {regime: {duty.obligation for duty in owed} for regime, owed in found.duties.items()} == {
        Regime.EDU: {Obligation.NOTICE, Obligation.NO_REDISCLOSURE},
        Regime.P2: {Obligation.NOTICE, Obligation.NO_REDISCLOSURE, Obligation.ATTACH_SCOPE},
    }
    assert found.scopes[0].regimes == {Regime.EDU, Regime.P2, Regime.FAM}


def test_a_permit_that_owes_nothing_is_plain():
    found = decided(directive(regimes=frozenset({Regime.FAM})))
    assert found.outcome is Outcome.PERMIT
    assert found.duties == ()


def test_duties_are_listed_once_in_a_fixed_order():
    found = decided(directive(), ask=request(SCHOOL, Category.HEALTH))
    assert found.duties == (
        Duty(obligation=Obligation.NO_REDISCLOSURE),
        Duty(obligation=Obligation.NOTICE, detail="ferpa-99.33"),
        Duty(obligation=Obligation.NOTICE, detail="hipaa-164.508-redisclosure"),
    )


def test_a_decision_is_bound_to_the_counters_it_was_made_from():
    found = decided(directive())
    assert (found.child_epoch, found.agreement_epoch, found.rules_version) == (7, 3, LAW.version)


def test_a_decision_holds_for_sixty_seconds_where_nothing_turns_before():
    found = decided(directive())
    assert found.expires == NOON + 60 * SECOND
    assert [found.live(NOON + n * SECOND) for n in (-1, 0, 59, 60)] == [False, True, True, False]


SOON = NOON + 20 * SECOND


@pytest.mark.parametrize(
    "facts",
    [
        {"directives": (directive(valid_until=SOON),)},
        {"directives": (directive(), stop(valid_from=SOON))},
        {"directives": (directive(1), directive(2, supersedes=UUID(int=0xD001), valid_from=SOON))},
        {"links": (link(valid_until=SOON),)},
        {"links": (link(), link(FATHER, valid_from=SOON))},
        {"links": (link(), link(FATHER, verified_at=SOON))},
        {"restraints": (restraint(valid_from=SOON),)},
        {"restraints": (restraint(valid_until=SOON),)},
        {"agreements": (agreement(valid_until=SOON),)},
        {"agreements": (agreement(valid_from=SOON),)},
    ],
)
def test_a_decision_ends_at_the_next_instant_at_which_a_fact_turns(facts):
    base = {"directives": (directive(),)}
    given_ = snapshot(**base | facts)
    assert decide(request(SCHOOL), given_, NOON).expires == SOON
    assert decide(request(SCHOOL), given_, SOON).expires == SOON + 60 * SECOND


@pytest.mark.parametrize(
    ("birth", "law", "turns"),
    [
        (date(2008, 11, 23), LAW, True),
        (date(2015, 11, 23), LAW, True),  # any birthday: a table may name any age
        (date(2015, 11, 24), LAW, False),
        (None, LAW, False),
        (date(2015, 5, 17), "changes", True),
    ],
)
def test_a_decision_ends_at_local_midnight_before_a_birthday_or_a_change_of_law(birth, law, turns):
    if law == "changes":
        law = state_law(signature("s9", "home", "guardian", start="2026-11-23"))
    midnight = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
    found = decided(directive(), at=midnight - 10 * SECOND, child=child(birth_date=birth), law=law)
    assert found.expires == (midnight if turns else midnight + 50 * SECOND)


def test_a_leap_day_childs_birthday_is_a_boundary_on_the_rules_day():
    born: dict[str, Any] = {"child": child(birth_date=date(2008, 2, 29))}
    before_march = datetime(2026, 3, 1, 4, 59, 50, tzinfo=UTC)
    permit = directive(valid_from=before_march - 99 * DAY)
    assert decided(permit, at=before_march, **born).expires == before_march + 10 * SECOND
    before_28 = before_march - DAY
    assert decided(permit, at=before_28, **born).expires == before_28 + 60 * SECOND


def test_an_instant_without_a_zone_is_a_bug():
    with pytest.raises(ValueError, match="time zone"):
        decided(directive(), at=NOON.replace(tzinfo=None))
