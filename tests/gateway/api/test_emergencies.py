"""`/v1/emergencies`: its own scope and purpose, and nothing without a statement."""

import pytest

from gateway.store.clients import Scope
from mappings.record.category import Category
from tests.gateway.family import add_agency

SAID = {
    "medical": False,
    "threat": "Allergic shock on the playground",
    "affected_person": "the child",
    "personnel": "Nurse Vale",
    "affiliation": "Harbor Clinic",
}


@pytest.fixture
def clinic(hub, system):
    return system(add_agency(hub, programme=Category.HEALTH), purposes=("COC", "BTG"))


def _state(agency, family, **more):
    body = {"child": agency.knows(family.child), "topics": ["health"]} | SAID | more
    return agency.call("POST", "/v1/emergencies", json=body)


def test_stating_it_opens_the_named_topics_and_stands_in_the_answer(hub, clinic, family):
    family.states(add_agency(hub), Category.HEALTH, Category.SCHOOL, words="peanuts")
    stated = _state(clinic, family)
    assert stated.status_code == 201
    assert set(stated.json()) == {"emergency", "expires"}
    read = clinic.call("GET", f"/v1/emergencies/{stated.json()['emergency']}")
    assert read.status_code == 200
    assert read.text.count("peanuts") == 1
    plan = f"/v1/children/{clinic.knows(family.child)}/plan"
    assert clinic.call("GET", plan, headers={"Purpose-Of-Use": "COC"}).status_code == 404
    assert clinic.call("GET", plan, headers={"Purpose-Of-Use": "BTG"}).status_code == 404


@pytest.mark.parametrize(
    "missing", ["threat", "affected_person", "personnel", "affiliation", "medical", "topics"]
)
def test_without_what_must_be_stated_it_is_not_taken(clinic, family, missing):
    body = {"child": clinic.knows(family.child), "topics": ["health"]} | SAID
    del body[missing]
    assert clinic.call("POST", "/v1/emergencies", json=body).status_code == 422
    if missing in SAID and missing != "medical":
        assert _state(clinic, family, **{missing: "   "}).status_code == 422


def test_it_needs_its_own_scope_and_purpose(hub, system, clinic, family):
    plain = system(add_agency(hub), scopes=[one for one in Scope if one is not Scope.EMERGENCIES_OPEN])
    assert _state(plain, family).status_code == 403
    treating = system(add_agency(hub), purposes=("TREAT", "COC"))
    assert _state(treating, family).status_code == 403
    assert _state(clinic, family, medical=True).status_code == 403


def test_somebody_elses_emergency_and_no_child_are_nothing(hub, system, clinic, family):
    other = system(add_agency(hub), purposes=("BTG",))
    made = _state(clinic, family).json()["emergency"]
    assert other.call("GET", f"/v1/emergencies/{made}").status_code == 404
    assert _state(clinic, family, child="a" * 26).status_code == 404
