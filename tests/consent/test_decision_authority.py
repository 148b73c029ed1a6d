from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from consent.guardian import Authority, GuardianKind, Standing
from consent.vocabulary import Reason
from mappings.record.base import Period
from mappings.record.category import Category
from mappings.record.regime import Regime
from tests.consent.family import (
    DAY,
    NOON,
    SELF,
    child,
    decided,
    directive,
    link,
    request,
    stop,
    why,
)
from tests.consent.statutes import state_law

SECOND = timedelta(seconds=1)
SCHOOL = Category.SCHOOL


@pytest.mark.parametrize(
    ("changes", "reason", "standing"),
    [
        ({"authority": Authority.CANDIDATE}, Reason.SIGNATURES_MISSING, Standing.UNVERIFIED),
        ({"authority": Authority.NONE}, Reason.SIGNATURES_MISSING, Standing.NO_AUTHORITY),
        ({"verified_at": NOON - DAY}, Reason.SIGNATURES_MISSING, Standing.UNVERIFIED_WHEN_SIGNED),
        ({"verified_at": NOON - 30 * DAY}, Reason.GRANTED, None),
        ({"valid_until": NOON}, Reason.AUTHORITY_LAPSED, Standing.OUT_OF_PERIOD),
        ({"restricted": frozenset({SCHOOL})}, Reason.AUTHORITY_LAPSED, Standing.RESTRICTED),
        ({"kind": GuardianKind.SELF}, Reason.AUTHORITY_LAPSED, Standing.UNDER_AGE),
    ],
)
def test_a_permit_is_worth_what_its_signer_may_sign_now(changes, reason, standing):
    found = decided(directive(), links=(link(**changes),)).by_category[SCHOOL]
    assert (found.reason, found.standing) == (reason, standing)


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(-1, Reason.GRANTED), (0, Reason.AUTHORITY_LAPSED), (86400, Reason.AUTHORITY_LAPSED)],
)
def test_a_parents_permit_lapses_at_midnight_of_the_eighteenth_birthday(seconds, reason):
    midnight = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
    permit = directive(valid_until=NOON + 400 * DAY)
    facts = {"child": child(birth_date=date(2008, 11, 22))}
    assert why(permit, at=midnight + timedelta(seconds=seconds), **facts) is reason


def test_after_majority_the_young_adult_signs_and_a_parents_stop_no_longer_binds():
    grown: dict[str, Any] = {"child": child(birth_date=date(2008, 5, 17))}
    own = directive(signer_link=SELF, capacity=GuardianKind.SELF)
    assert why(own, **grown) is Reason.GRANTED
    assert why(own, stop(), **grown) is Reason.GRANTED
    assert why(own, stop(signer_link=SELF), **grown) is Reason.GUARDIAN_DENY
    assert why(own, stop()) is Reason.GUARDIAN_DENY  # while still a child


def test_an_unknown_birth_date_opens_nothing_and_keeps_every_stop():
    unknown: dict[str, Any] = {"child": child(birth_date=None)}
    assert why(directive(), **unknown) is Reason.AUTHORITY_LAPSED
    assert why(directive(), stop(), **unknown) is Reason.GUARDIAN_DENY


@pytest.mark.parametrize(
    "category", [Category.COUNSELING, Category.SUBSTANCE_USE, Category.SEXUAL_HEALTH, Category.SAFETY]
)
def test_where_no_table_says_who_signs_a_sensitive_topic_stays_closed(category):
    found = decided(directive(categories=frozenset({category})), ask=request(category))
    assert found.reasons == {category: Reason.SIGNATURES_MISSING}


def test_what_law_leaves_to_the_minor_the_minor_alone_opens():
    topic = Category.COUNSELING
    facts: dict[str, Any] = {
        "law": state_law(),
        "child": child(birth_date=date(2012, 11, 22)),
        "ask": request(topic),
    }
    alone: dict[str, Any] = {"categories": frozenset({topic})}
    young = directive(1, signer_link=SELF, **alone)
    assert decided(young, **facts).reasons[topic] is Reason.GRANTED
    assert decided(directive(2, **alone), **facts).reasons[topic] is Reason.SIGNATURES_MISSING
    younger = facts | {"child": child(birth_date=date(2012, 11, 23))}
    assert decided(young, **younger).reasons[topic] is Reason.AUTHORITY_LAPSED


def test_where_both_must_sign_only_what_both_say_is_open():
    topic = Category.SUBSTANCE_USE
    facts: dict[str, Any] = {
        "law": state_law(),
        "child": child(birth_date=date(2012, 1, 1)),
        "ask": request(topic),
    }
    both: dict[str, Any] = {"categories": frozenset({topic}), "regimes": frozenset({Regime.P2, Regime.HLTH})}
    mother = directive(
        1, disclosers=frozenset({"a1", "b1"}), data_period=Period(start=date(2026, 1, 1)), **both
    )
    young = directive(
        2,
        signer_link=SELF,
        disclosers=frozenset({"b1", "c1"}),
        data_period=Period(end=date(2026, 6, 1)),
        **both,
    )
    assert decided(mother, **facts).reasons[topic] is Reason.SIGNATURES_MISSING
    assert decided(young, **facts).reasons[topic] is Reason.SIGNATURES_MISSING
    (scope,) = decided(mother, young, **facts).by_category[topic].scopes
    assert scope.directive_ids == (mother.directive_id, young.directive_id)
    assert scope.disclosers == frozenset({"b1"})
    assert scope.data_period == Period(start=date(2026, 1, 1), end=date(2026, 6, 1))
    for apart in (
        {"disclosers": frozenset({"c1"})},
        {"data_period": Period(end=date(2026, 1, 1))},
        {"regimes": frozenset({Regime.HLTH}), "disclosers": frozenset({"c1"})},
    ):
        other = young.model_copy(update=apart)
        assert decided(mother, other, **facts).reasons[topic] is Reason.SIGNATURES_MISSING
    anyone = young.model_copy(update={"disclosers": None, "data_period": Period()})
    (scope,) = decided(mother, anyone, **facts).by_category[topic].scopes
    assert (scope.disclosers, scope.data_period) == (mother.disclosers, mother.data_period)
