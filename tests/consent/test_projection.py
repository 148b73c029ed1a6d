from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import Decision, decide
from consent.law import Duty
from consent.projection import Refusal, RefusalReason, project
from consent.vocabulary import Basis, Obligation, Outcome, Purpose, Reason
from mappings.record.assertion import AssertedBy, Method, Quality, Status, StoredAssertion
from mappings.record.base import Period
from mappings.record.category import Category
from mappings.record.kind import Kind, Part
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from mappings.view import RecordView
from tests.consent.family import CHILD, CLINIC, MOTHER, NOON, directive, request, snapshot

SCHOOL_ORG = "marlow-schools"
PROGRAMMES = {
    SCHOOL_ORG: Category.SCHOOL,
    CLINIC: Category.HEALTH,
    "lantern-shelter": Category.LIVING_SITUATION,
}


def fact(number: int = 1, **changes: Any) -> StoredAssertion:
    fields: dict[str, Any] = {
        "assertion_id": UUID(int=0x5000 + number),
        "child_id": CHILD,
        "kind": Kind.GOAL,
        "category": Category.SCHOOL,
        "value": {"note": f"fact {number}"},
        "asserted_by": AssertedBy(org=SCHOOL_ORG, person="staff 4", role="teacher"),
        "method": Method.STAFF_ENTERED,
        "asserted_at": NOON - timedelta(days=3),
        "received_at": NOON - timedelta(days=2),
        "regimes": frozenset({Regime.EDU}),
    }
    return StoredAssertion(**fields | changes)


def decision(*directives, ask=None, **changes) -> Decision:
    given_ = directives or (directive(),)
    return decide(ask or request(Category.SCHOOL, Category.HEALTH), snapshot(*given_, **changes), NOON)


def outward(internal: UUID) -> str:
    return f"out-{internal.int & 0xFFF}"


def seen(found: Decision, *facts: StoredAssertion, **options: Any) -> RecordView:
    view = attempt(found, *facts, **options)
    assert isinstance(view, RecordView), view
    return view


def attempt(found: Decision, *facts: StoredAssertion, **options: Any) -> RecordView | Refusal:
    base: dict[str, Any] = {
        "child_ref": "pair-1",
        "outward_id": outward,
        "at": NOON + timedelta(seconds=5),
        "programmes": PROGRAMMES,
    }
    return project(found, facts, **base | options)


def notes(view: RecordView) -> list[str]:
    return [item.value["note"] for item in view.assertions]


def test_only_permitted_topics_are_in_the_view():
    view = seen(
        decision(),
        fact(1),
        fact(2, category=Category.HOME),
        fact(3, category=Category.HEALTH, regimes={Regime.HLTH}),
    )
    assert notes(view) == ["fact 1", "fact 3"]
    assert view.categories == {Category.SCHOOL, Category.HEALTH}


def test_a_view_carries_outward_references_and_no_internal_id():
    view = seen(decision(), fact(1, links=(UUID(int=0x5002),)), fact(2))
    assert view.child_ref == "pair-1"
    assert [item.id for item in view.assertions] == ["out-1", "out-2"]
    assert view.assertions[0].links == ("out-2",)
    assert str(CHILD) not in repr(view)
    assert "UUID('00000000-0000-0000-0000-000000005001')" not in repr(view)


def test_a_link_vanishes_unless_both_ends_are_in_view():
    hidden = fact(2, category=Category.HOME)
    view = seen(decision(), fact(1, links=(hidden.assertion_id, UUID(int=0x5003))), hidden, fact(3))
    assert view.assertions[0].links == ("out-3",)


def test_what_is_dropped_leaves_no_trace():
    without = seen(decision(), fact(1))
    hidden = fact(
        2,
        category=Category.SUBSTANCE_USE,
        regimes=frozenset({Regime.P2}),
        labels=frozenset({Label.SUBSTANCE_USE}),
    )
    assert seen(decision(), fact(1, links=(hidden.assertion_id,)), hidden) == without


@pytest.mark.parametrize(
    "changes",
    [
        {"status": Status.SUPERSEDED},
        {"status": Status.RETRACTED},
        {"quality": Quality.ENTERED_IN_ERROR},
        {"kind": Kind.REFERRAL},  # the request asked for the plan only
        {"kind": Kind.REFERRAL_EVENT},
        {"regimes": frozenset({Regime.EDU, Regime.FOOD})},  # one regime of two is not enough
        {"labels": frozenset({Label.SUBSTANCE_USE})},  # the code outranks the field
        {"labels": frozenset({Label.NORMAL, Label.LIVING_ARRANGEMENT})},
    ],
)  # fmt: skip
def test_a_fact_that_may_not_leave_does_not(changes):
    assert seen(decision(), fact(1), fact(2, **changes)) == seen(decision(), fact(1))


def test_a_fact_with_a_label_nobody_knows_is_dropped():
    strange = fact(2).model_copy(update={"labels": frozenset({"XYZZY"})})
    assert notes(seen(decision(), fact(1), strange)) == ["fact 1"]


def test_a_corrected_fact_leaves_only_as_its_correction():
    old, new = fact(1), fact(2, supersedes=UUID(int=0x5001))
    assert notes(seen(decision(), old, new)) == ["fact 2"]
    private = fact(2, supersedes=UUID(int=0x5001), category=Category.COUNSELING)
    assert notes(seen(decision(), old, private)) == []


def test_a_disputed_fact_is_shown_as_disputed():
    assert seen(decision(), fact(1, quality=Quality.DISPUTED)).assertions[0].quality == "disputed"


def test_a_fact_given_twice_is_shown_once():
    assert notes(seen(decision(), fact(1), fact(1))) == ["fact 1"]


def test_only_what_the_named_disclosers_hold_leaves():
    narrow = decision(directive(disclosers=frozenset({SCHOOL_ORG})))
    other = fact(2, asserted_by=AssertedBy(org="tide-after-school"))
    assert notes(seen(narrow, fact(1), other)) == ["fact 1"]
    assert attempt(decision(directive(disclosers=frozenset())), fact(1)) == Refusal(
        UUID(int=0xF1), RefusalReason.DENIED
    )


def test_the_data_period_bounds_what_facts_are_about():
    period = Period(start=date(2026, 9, 1), end=date(2026, 11, 19))
    narrow = decision(directive(data_period=period))
    stated_inside = fact(1, asserted_at=NOON - timedelta(days=4))
    stated_at_the_end = fact(2, asserted_at=NOON - timedelta(days=3))
    began_before = fact(3, effective=Period(start=date(2026, 8, 31)))
    began_inside = fact(4, effective=Period(start=date(2026, 9, 1)))
    view = seen(narrow, stated_inside, stated_at_the_end, began_before, began_inside)
    assert notes(view) == ["fact 1", "fact 4"]


def test_a_label_of_another_permitted_topic_needs_that_topics_scope_too():
    asked = request(Category.SCHOOL, Category.LIVING_SITUATION)
    both = decision(
        directive(1),
        directive(
            2,
            categories=frozenset({Category.LIVING_SITUATION}),
            disclosers=frozenset({"lantern-shelter"}),
        ),
        ask=asked,
    )
    assert both.categories == asked.categories
    labelled = fact(1, labels=frozenset({Label.LIVING_ARRANGEMENT}))
    assert notes(seen(both, labelled)) == []
    sheltered = fact(
        2, labels=frozenset({Label.LIVING_ARRANGEMENT}), asserted_by=AssertedBy(org="lantern-shelter")
    )
    assert notes(seen(both, labelled, sheltered)) == ["fact 2"]


def test_an_organisation_whose_name_reveals_a_closed_topic_is_not_named():
    sheltered = AssertedBy(org="lantern-shelter", person="staff 9", role="advocate")
    view = seen(
        decision(), fact(1), fact(2, asserted_by=sheltered), fact(3, asserted_by=AssertedBy(org="unlisted"))
    )
    assert [(item.org, item.person, item.role) for item in view.assertions] == [
        (SCHOOL_ORG, "staff 4", "teacher"),
        ("", None, None),
        ("", None, None),
    ]


def test_only_notices_for_regimes_that_occur_are_carried():
    wide = directive(regimes=frozenset({Regime.EDU, Regime.HLTH, Regime.P2}))
    assert Duty(obligation=Obligation.NOTICE, detail="part2-2.32-statement") in decision(wide).duties
    assert seen(decision(wide), fact(1)).notices == ("ferpa-99.33",)
    both = seen(decision(wide), fact(1), fact(2, category=Category.HEALTH, regimes={Regime.HLTH}))
    assert both.notices == ("ferpa-99.33", "hipaa-164.508-redisclosure")
    assert seen(decision(wide)).notices == ()


def test_a_denial_yields_no_view():
    denied = decision(directive(recipient="someone-else"))
    assert attempt(denied, fact(1)) == Refusal(UUID(int=0xF1), RefusalReason.DENIED)


@pytest.mark.parametrize(("seconds", "live"), [(-1, False), (0, True), (59, True), (60, False)])
def test_a_decision_is_good_from_its_instant_until_it_expires(seconds, live):
    found = attempt(decision(), fact(1), at=NOON + timedelta(seconds=seconds))
    assert isinstance(found, RecordView) is live
    if not live:
        assert found == Refusal(UUID(int=0xF1), RefusalReason.NOT_LIVE)


def test_one_fact_of_another_child_refuses_the_whole_view():
    stray = fact(2, child_id=UUID(int=0xBAD))
    assert attempt(decision(), fact(1), stray) == Refusal(UUID(int=0xF1), RefusalReason.OTHER_CHILD)


@pytest.mark.parametrize(
    "obligation", [Obligation.REDACT, Obligation.DELETE_AFTER_USE, Obligation.HUMAN_APPROVAL, "SOMETHING-NEW"]
)
def test_an_obligation_nobody_here_fulfils_refuses_the_whole_view(obligation):
    found = decision()
    duties = {Regime.EDU: (Duty.model_construct(obligation=obligation, detail=""),)}
    owing = replace(
        found, by_category={Category.SCHOOL: replace(found.by_category[Category.SCHOOL], duties=duties)}
    )
    assert attempt(owing, fact(1)) == Refusal(UUID(int=0xF1), RefusalReason.OBLIGATION_UNKNOWN)


def test_an_agency_always_sees_what_it_sent_and_by_that_basis_nothing_else():
    ask = request(*Category, basis=Basis.OWN)
    own = decision(ask=ask, agreements=())
    mine = fact(
        2,
        category=Category.COUNSELING,
        labels=frozenset({Label.PSYCHIATRY}),
        asserted_by=AssertedBy(org=CLINIC),
    )
    view = seen(own, fact(1), mine)
    assert notes(view) == ["fact 2"]
    assert view.assertions[0].org == CLINIC


def test_what_an_agency_sent_joins_what_the_family_permits_it():
    mine = fact(2, category=Category.HOME, asserted_by=AssertedBy(org=CLINIC))
    own = decision(ask=request(*Category, basis=Basis.OWN))
    own = replace(own, expires=NOON + timedelta(seconds=30))
    view = seen(
        decision(), fact(1, links=(mine.assertion_id,)), mine, fact(3, category=Category.HOME), own=own
    )
    assert notes(view) == ["fact 1", "fact 2"]
    assert view.assertions[0].links == ("out-2",)
    assert view.expires == own.expires
    assert view.notices == ("ferpa-99.33",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"basis": Basis.CONSENT}, RefusalReason.DENIED),
        ({"recipient": "someone-else"}, RefusalReason.DENIED),
        ({"child_id": UUID(int=0xBAD)}, RefusalReason.OTHER_CHILD),
        ({"expires": NOON}, RefusalReason.NOT_LIVE),
        ({"outcome": Outcome.DENY}, RefusalReason.DENIED),
    ],
)
def test_only_a_live_own_decision_of_the_same_recipient_and_child_may_join(changes, reason):
    own = replace(decision(ask=request(*Category, basis=Basis.OWN)), **changes)
    assert attempt(decision(), fact(1), own=own) == Refusal(UUID(int=0xF1), reason)


def test_a_guardian_reads_every_source_by_name():
    ask = request(
        Category.SCHOOL,
        basis=Basis.FAMILY,
        purpose=Purpose.FAMILY_REQUEST,
        recipient="family",
        guardian_link_id=MOTHER,
    )
    view = seen(
        decision(ask=ask), fact(1, asserted_by=AssertedBy(org="lantern-shelter"), regimes={Regime.FOOD})
    )
    assert view.assertions[0].org == "lantern-shelter"


def test_a_guardian_does_not_read_a_fact_whose_label_belongs_to_the_young_person():
    ask = request(
        Category.SCHOOL,
        basis=Basis.FAMILY,
        purpose=Purpose.FAMILY_REQUEST,
        recipient="family",
        guardian_link_id=MOTHER,
    )
    assert notes(seen(decision(ask=ask), fact(1), fact(2, labels=frozenset({Label.SEXUALITY})))) == ["fact 1"]


def test_the_plans_status_is_shown_only_to_who_asked_for_the_plan():
    assert seen(decision(), fact(1), plan_status="active").plan_status == "active"
    ask = request(Category.SCHOOL, parts=frozenset({Part.REFERRAL}))
    assert seen(decision(ask=ask), fact(1, kind=Kind.REFERRAL), plan_status="active").plan_status is None


def test_how_a_referral_ended_leaves_only_by_its_own_permission():
    ended = fact(1, kind=Kind.REFERRAL_EVENT)
    ask = request(Category.SCHOOL, purpose=Purpose.REFERRAL_OUTCOME, parts=frozenset({Part.OUTCOME}))
    assert decision(ask=ask).reasons == {Category.SCHOOL: Reason.PURPOSE}
    told = decision(directive(purposes=frozenset({Purpose.REFERRAL_OUTCOME})), ask=ask)
    assert notes(seen(told, ended, fact(2))) == ["fact 1"]


facts = st.builds(
    fact,
    st.integers(1, 6),
    category=st.sampled_from(Category),
    kind=st.sampled_from([Kind.GOAL, Kind.REFERRAL, Kind.REFERRAL_EVENT]),
    regimes=st.frozensets(st.sampled_from(Regime), min_size=1, max_size=2),
    labels=st.frozensets(st.sampled_from(Label), max_size=2),
    status=st.sampled_from(Status),
    quality=st.sampled_from(Quality),
    asserted_by=st.sampled_from([AssertedBy(org=org) for org in (SCHOOL_ORG, CLINIC)]),
    links=st.lists(st.integers(1, 6).map(lambda n: UUID(int=0x5000 + n)), max_size=2).map(tuple),
)


@given(
    st.lists(facts, max_size=6),
    st.frozensets(st.sampled_from([c for c in Category if c not in (Category.COUNSELING, Category.SAFETY)]), max_size=1),
    st.frozensets(st.sampled_from(Regime)),
)  # fmt: skip
def test_a_view_is_always_a_subset_of_what_is_permitted(held, extra, regimes):
    permit = directive(categories=frozenset({Category.IDENTITY}) | extra, regimes=regimes)
    found = decision(permit, ask=request(*Category))
    view = attempt(found, *held)
    if isinstance(view, Refusal):
        assert found.outcome is Outcome.DENY
        return
    ids = {item.id for item in view.assertions}
    for item in view.assertions:
        assert item.category in found.categories <= permit.categories
        assert item.regimes <= regimes
        assert item.kind is Kind.GOAL
        assert item.quality != "entered-in-error"
        assert set(item.links) <= ids


def test_what_is_kept_for_matching_is_shown_to_no_agency_that_did_not_state_it():
    sex = fact(1, kind=Kind.SEX_FOR_MATCHING, category=Category.IDENTITY, value={"sex": "female"})
    name = fact(2, kind=Kind.NAME, category=Category.IDENTITY, value={"family": "Rivera"})
    found = decision(directive(categories=frozenset({Category.IDENTITY})), ask=request(Category.IDENTITY))
    assert [item.kind for item in seen(found, sex, name).assertions] == [Kind.NAME]


def test_who_the_child_is_is_told_once_and_not_by_a_source_that_may_not_be_named():
    def name(number, org):
        stated = AssertedBy(org=org)
        return fact(
            number, kind=Kind.NAME, category=Category.IDENTITY, value={"family": "R"}, asserted_by=stated
        )

    both = (Category.IDENTITY, Category.SCHOOL)
    found = decision(directive(categories=frozenset(both)), ask=request(*both))
    programmes = {"school": Category.SCHOOL, "clinic": Category.HEALTH}
    view = seen(found, name(1, "school"), name(2, "school"), name(3, "clinic"), programmes=programmes)
    assert [item.org for item in view.assertions] == ["school"]
    alone = seen(found, name(3, "clinic"), programmes=programmes)
    assert [item.org for item in alone.assertions] == [""]
