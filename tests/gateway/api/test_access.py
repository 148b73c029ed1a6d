"""`/v1/children/{ref}/access`: an agency is told what the family opened to it, and nothing of anybody else."""

import pytest

from consent.entry import EntryKind
from consent.vocabulary import Effect
from gateway.exchange.accounting import who_saw_what
from gateway.exchange.permission import object_to
from gateway.exchange.wording import receipt_number
from mappings.record.category import Category
from tests.gateway.family import Family, add_agency


@pytest.fixture
def clinic(hub, system):
    return system(add_agency(hub, programme=Category.HEALTH))


@pytest.fixture
def club(hub, system):
    return system(add_agency(hub, programme=Category.ACTIVITIES))


def _access(agency, family, **kwargs):
    return agency.call("GET", f"/v1/children/{agency.knows(family.child)}/access", **kwargs)


def test_each_open_topic_comes_with_its_end_and_the_permissions_number(clinic, family):
    directive = family.permits(clinic.org, Category.SCHOOL)
    answer = _access(clinic, family)
    assert answer.status_code == 200
    (topic,) = answer.json()["topics"]
    assert topic["topic"] == "school"
    assert topic["permissions"] == [receipt_number(directive)]
    assert topic["until"] is not None
    assert str(directive) not in answer.text


def test_an_agency_learns_nothing_of_what_another_may_see_or_of_what_is_closed(hub, clinic, club, family):
    family.permits(club.org, Category.ACTIVITIES)
    family.permits(clinic.org, Category.SCHOOL)
    before = _access(clinic, family)
    object_to(hub, family.sentence(clinic.org, Category.HEALTH, effect=Effect.DENY), actor="guardian")
    assert _access(clinic, family).json() == before.json()
    assert "activities" not in before.text
    assert club.org not in before.text


def test_nothing_open_and_no_such_child_are_one_answer(hub, clinic, club, family):
    family.permits(club.org, Category.ACTIVITIES)
    family.states(clinic.org, Category.HEALTH)
    answers = [
        _access(clinic, family),
        clinic.call("GET", f"/v1/children/{'a' * 26}/access"),
        clinic.call("GET", f"/v1/children/{club.knows(family.child)}/access"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    bodies = [{k: v for k, v in answer.json().items() if k != "instance"} for answer in answers]
    assert bodies[0] == bodies[1] == bodies[2]


def test_the_asking_is_a_decision_and_an_entry_whatever_the_answer(hub, clinic, family):
    refused = _access(clinic, family)
    family.permits(clinic.org, Category.SCHOOL)
    told = _access(clinic, family)
    assert (refused.status_code, told.status_code) == (404, 200)
    lines = who_saw_what(hub, family.child, guardian_link=family.link, requester="her").lines
    kinds = [line.entry.kind for line in lines if line.entry.recipient == clinic.org]
    assert kinds == [EntryKind.DENIAL, EntryKind.DIRECTIVE_GIVEN, EntryKind.DISCLOSURE]
    (line,) = [one for one in lines if one.number == int(told.headers["Planhub-Entry"])]
    assert line.entry.payload_sha256 is not None
    assert line.entry.disclosers == ()


def test_no_fact_of_the_record_is_told(hub, clinic, family):
    family.states(add_agency(hub), Category.SCHOOL, words="canary sentence")
    family.permits(clinic.org, Category.SCHOOL, Category.IDENTITY)
    answer = _access(clinic, family)
    assert "canary" not in answer.text
    assert set(answer.json()) == {"child", "purpose", "topics", "notices"}


def test_a_purpose_one_is_not_registered_for_is_refused(clinic, family):
    assert _access(clinic, family, headers={"Purpose-Of-Use": "BTG"}).status_code == 403


def test_a_stopped_permission_is_open_no_more(hub, clinic):
    family = Family(hub)
    family.permits(clinic.org, Category.SCHOOL)
    stop = family.sentence(clinic.org, Category.SCHOOL, effect=Effect.DENY)
    assert _access(clinic, family).status_code == 200
    object_to(hub, stop, actor="guardian")
    assert _access(clinic, family).status_code == 404
