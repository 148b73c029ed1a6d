from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from consent.directive import State
from consent.vocabulary import Effect, Element, Purpose
from mappings.record.category import EXTRA_PRIVATE, Category
from tests.consent.family import CLINIC, NOON, directive, stop


def test_a_whole_permit_lacks_nothing():
    assert directive().defects() == ()


@pytest.mark.parametrize(
    ("changes", "element"),
    [
        ({"categories": frozenset()}, Element.CATEGORIES),
        ({"purposes": frozenset()}, Element.PURPOSES),
        ({"disclosers": frozenset()}, Element.DISCLOSERS),
        ({"regimes": frozenset()}, Element.REGIMES),
        ({"notice": None}, Element.NOTICE),
        ({"auth_evidence": None}, Element.SIGNATURE),
        ({"valid_until": None}, Element.EXPIRY),
    ],
)
def test_each_element_a_permit_lacks_is_named(changes, element):
    assert directive(**changes).defects() == (element,)


def test_an_event_may_end_a_permit_instead_of_a_date():
    assert directive(valid_until=None, ends_on_event="end of treatment").defects() == ()


def test_a_stop_needs_no_form():
    assert stop(notice=None, auth_evidence=None, regimes=frozenset(), valid_until=None).defects() == ()


@pytest.mark.parametrize("private", sorted(EXTRA_PRIVATE))
def test_an_extra_private_topic_is_only_ever_permitted_alone(private):
    alone = directive(categories=frozenset({private, Category.IDENTITY}))
    assert alone.categories == {private, Category.IDENTITY}
    with pytest.raises(ValidationError, match="asked alone"):
        directive(categories=frozenset({private, Category.SCHOOL}))
    assert private in stop(categories=frozenset(Category)).categories


@pytest.mark.parametrize("empty", ["categories", "purposes"])
def test_a_stop_that_would_stop_nothing_cannot_be_written(empty):
    nothing: dict[str, Any] = {empty: frozenset()}
    with pytest.raises(ValidationError, match="would stop nothing"):
        stop(**nothing)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": "*"},
        {"recipient": ""},
        {"recipient": "Harbor Clinic"},
        {"recipient": "class:clinics"},
        {"recipient": "class:clinics@0"},
        {"valid_until": NOON - timedelta(days=31)},
        {"valid_from": datetime(2026, 11, 22)},  # noqa: DTZ001 - an instant without a zone is the point
        {"state": "maybe"},
        {"colour": "red"},
    ],
)
def test_what_is_no_sentence_cannot_be_written(changes):
    with pytest.raises(ValidationError):
        directive(**changes)


def test_a_directive_cannot_be_changed_in_place():
    with pytest.raises(ValidationError):
        directive().state = State.WITHDRAWN  # type: ignore[misc]  # that it is refused is the test


def test_a_directive_may_be_of_no_time_at_all():
    found = directive(valid_from=NOON, valid_until=NOON)
    assert found.started(NOON)
    assert found.ended(NOON)


def test_its_time_is_half_open():
    found = directive(valid_from=NOON, valid_until=NOON + timedelta(seconds=1))
    instants = [NOON - timedelta(microseconds=1), NOON, NOON + timedelta(seconds=1)]
    assert [found.started(at) and not found.ended(at) for at in instants] == [False, True, False]


def test_a_class_of_recipients_is_permitted_to_nobody_and_stopped_to_everybody():
    permit, objection = directive(recipient="class:clinics@2"), stop(recipient="class:clinics@2")
    assert not permit.permits_recipient(CLINIC)
    assert not permit.permits_recipient("clinics")
    assert objection.stops_recipient(CLINIC)
    assert not stop(recipient="someone-else").stops_recipient(CLINIC)


def test_a_permit_answers_what_its_purposes_cover_and_a_stop_also_what_they_name():
    treat: dict[str, Any] = {"purposes": frozenset({Purpose.TREATMENT})}
    assert directive(**treat).answers(Purpose.CARE_COORDINATION)
    assert not directive().answers(Purpose.TREATMENT)
    glass: dict[str, Any] = {"purposes": frozenset({Purpose.BREAK_GLASS})}
    assert not directive(**glass).answers(Purpose.BREAK_GLASS)
    assert stop(**glass).objects_to(Purpose.BREAK_GLASS)
    assert stop(**treat).objects_to(Purpose.CARE_COORDINATION)
    assert not stop().objects_to(Purpose.TREATMENT)
    assert stop().effect is Effect.DENY
