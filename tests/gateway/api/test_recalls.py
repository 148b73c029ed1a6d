"""`/v1/recalls`: what was taken back from an agency, and its answer."""

from uuid import uuid4

import pytest

from gateway.exchange.permission import Changed, revoke
from mappings.record.category import Category
from tests.gateway.family import add_agency, let_out


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


@pytest.fixture
def recalled(hub, family, clinic):
    """A permission by which the clinic had something, and that was stopped; the recall."""
    family.states(add_agency(hub), Category.SCHOOL)
    directive = family.permits(clinic, Category.SCHOOL)
    let_out(hub, family.request(clinic))
    done = revoke(hub, family.child, directive, by_link=family.link, actor="front desk")
    assert isinstance(done, Changed)
    (one,) = done.recalls
    return one


def test_an_agency_sees_its_recalls_until_it_has_answered(system, family, clinic, recalled):
    agency = system(clinic)
    (one,) = agency.call("GET", "/v1/recalls").json()["recalls"]
    assert one["recall"] == str(recalled.recall_id)
    assert one["child"] == agency.knows(family.child)
    answer = agency.call("POST", one["acknowledge"], json={"done": "deleted"})
    assert answer.status_code == 200
    assert answer.json()["done"] == "deleted"
    assert agency.call("GET", "/v1/recalls").json() == {"recalls": []}


def test_the_same_answer_sent_twice_is_one_entry(system, clinic, recalled):
    agency, key = system(clinic), uuid4().hex
    path = f"/v1/recalls/{recalled.recall_id}/acknowledgement"
    first = agency.call("POST", path, key=key, json={"done": "kept"})
    again = agency.call("POST", path, key=key, json={"done": "kept"})
    assert first.json() == again.json()


def test_another_agencys_recall_is_the_same_as_none(system, hub, clinic, recalled):
    other = system(add_agency(hub))
    assert other.call("GET", "/v1/recalls").json() == {"recalls": []}
    of_clinic = other.call(
        "POST", f"/v1/recalls/{recalled.recall_id}/acknowledgement", json={"done": "deleted"}
    )
    of_nobody = other.call("POST", f"/v1/recalls/{uuid4()}/acknowledgement", json={"done": "deleted"})
    assert of_clinic.status_code == of_nobody.status_code == 404
    assert of_clinic.json()["title"] == of_nobody.json()["title"]


def test_an_answer_that_is_none_of_the_words_is_refused(system, clinic, recalled):
    answer = system(clinic).call(
        "POST", f"/v1/recalls/{recalled.recall_id}/acknowledgement", json={"done": "maybe"}
    )
    assert answer.status_code == 422


def test_the_scope_is_needed(system, clinic):
    assert system(clinic, scopes=()).call("GET", "/v1/recalls").status_code in {401, 403}
