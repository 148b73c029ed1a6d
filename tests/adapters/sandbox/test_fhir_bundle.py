"""Transactions and batches of the sandbox FHIR server (FHIR R4 §3.1.0.11); resources are invented."""

import uuid
from typing import Any

import pytest

from adapters.sandbox.fhir import FhirSandbox
from tests.adapters.sandbox.caller import Answer, call
from tests.adapters.sandbox.test_fhir import SYSTEM, condition, issue, patient


@pytest.fixture
def clinic():
    with FhirSandbox() as running:
        yield running


def entry(resource: dict[str, Any], full: str | None = None, **request: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"], **request},
    }
    return made | ({"fullUrl": full} if full else {})


def send(clinic: FhirSandbox, *entries: dict[str, Any], kind: str = "transaction") -> Answer:
    return call(
        clinic.base_url,
        "POST",
        {"resourceType": "Bundle", "type": kind, "entry": list(entries)},
        Content_Type="application/fhir+json",
    )


def urn() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def test_references_between_entries_become_those_of_the_stored_resources(clinic):
    child, need = urn(), urn()
    goal = {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": {"text": "Eats breakfast"},
        "subject": {"reference": child},
        "addresses": [{"reference": need}],
    }
    answer = send(clinic, entry(goal, urn()), entry(condition(child), need), entry(patient(1), child))
    assert answer.status == 200
    assert answer.json["type"] == "transaction-response"
    assert [one["response"]["status"] for one in answer.json["entry"]] == ["201 Created"] * 3
    stored_goal, stored_need, stored_child = (one["resource"] for one in answer.json["entry"])
    assert stored_goal["subject"]["reference"] == f"Patient/{stored_child['id']}"
    assert stored_goal["addresses"][0]["reference"] == f"Condition/{stored_need['id']}"
    location = answer.json["entry"][2]["response"]["location"]
    assert location == f"Patient/{stored_child['id']}/_history/1"
    history = call(f"{clinic.base_url}/Patient/{stored_child['id']}/_history").json
    assert history["entry"][0]["request"]["method"] == "POST"


def test_the_same_transaction_twice_creates_once_where_it_says_if_none_exist(clinic):
    child = urn()
    given = [
        entry(patient(1), child, ifNoneExist=f"identifier={SYSTEM}|p1"),
        entry(
            {**condition(child), "identifier": [{"system": SYSTEM, "value": "c1"}]},
            ifNoneExist=f"identifier={SYSTEM}|c1",
        ),
    ]
    first, second = send(clinic, *given), send(clinic, *given)
    assert [one["response"]["status"] for one in second.json["entry"]] == ["200 OK", "200 OK"]
    assert [one["response"]["location"] for one in second.json["entry"]] == [
        one["response"]["location"] for one in first.json["entry"]
    ]
    assert len(clinic.resources("Patient")) == len(clinic.resources("Condition")) == 1


def test_a_new_resource_can_refer_to_one_that_was_there_already(clinic):
    clinic.add(patient(1, id="known"))
    child = urn()
    answer = send(
        clinic, entry(patient(1), child, ifNoneExist=f"identifier={SYSTEM}|p1"), entry(condition(child))
    )
    assert answer.json["entry"][1]["resource"]["subject"]["reference"] == "Patient/known"
    conditional = send(clinic, entry(condition(f"Patient?identifier={SYSTEM}|p1")))
    assert conditional.json["entry"][0]["resource"]["subject"]["reference"] == "Patient/known"
    assert send(clinic, entry(condition("Patient?identifier=nobody"))).status == 412


def test_a_conditional_put_updates_what_it_finds_or_creates(clinic):
    where = f"Patient?identifier={SYSTEM}|p1"
    child = urn()
    first = send(clinic, entry(patient(1), child, method="PUT", url=where), entry(condition(child)))
    name = first.json["entry"][0]["resource"]["id"]
    assert first.json["entry"][1]["resource"]["subject"]["reference"] == f"Patient/{name}"
    second = send(clinic, entry(patient(1, gender="other"), method="PUT", url=where))
    assert second.json["entry"][0]["response"]["etag"] == 'W/"2"'
    assert second.json["entry"][0]["resource"]["id"] == name


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        (entry(condition("Patient/none")), 422, "not-found"),
        (entry(condition("urn:uuid:00000000-0000-0000-0000-000000000000")), 400, "invalid"),
        (entry({"resourceType": "Goal"}), 400, "required"),
        (entry({"resourceType": "Starship"}), 404, "not-supported"),
        (entry(patient(2, id="known"), method="PUT", url="Patient/known", ifMatch='W/"7"'), 412, "conflict"),
        ({"request": {"method": "POST", "url": "Patient"}}, 400, "invalid"),
        ({"request": {"method": "STEAL", "url": "Patient"}}, 400, "invalid"),
    ],
)
def test_a_transaction_that_fails_anywhere_leaves_nothing_behind(clinic, bad, status, code):
    clinic.add(patient(0, id="known"))
    before = clinic.read("Patient", "known")
    answer = send(clinic, entry(patient(1), urn()), bad)
    assert (answer.status, issue(answer)) == (status, code)
    assert clinic.resources("Patient") == [before]


def test_a_batch_does_what_it_can(clinic):
    answer = send(
        clinic,
        entry(patient(1)),
        entry(condition("Patient/none")),
        {"request": {"method": "GET", "url": "Patient?name=invented&name:contains=nothing"}},
        {"request": {"method": "GET", "url": "Patient/none"}},
        kind="batch",
    )
    assert answer.status == 200
    assert [one["response"]["status"].split()[0] for one in answer.json["entry"]] == [
        "201",
        "422",
        "200",
        "404",
    ]
    assert answer.json["entry"][1]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert len(clinic.resources("Patient")) == 1


def test_deletes_come_first_and_reads_last_whatever_the_order_of_entries(clinic):
    clinic.add(patient(1, id="old"))
    answer = send(
        clinic,
        {"request": {"method": "GET", "url": "Patient"}},
        entry(patient(2, id="new"), method="PUT", url="Patient/new"),
        {"request": {"method": "DELETE", "url": "Patient/old"}},
    )
    found = answer.json["entry"][0]["resource"]
    assert [one["resource"]["id"] for one in found["entry"]] == ["new"]


def test_a_batch_creates_conditionally_and_deletes(clinic):
    clinic.add(patient(1, id="known"))
    given = entry(patient(1), ifNoneExist=f"identifier={SYSTEM}|p1")
    gone = {"request": {"method": "DELETE", "url": "Patient/known"}}
    answer = send(clinic, given, gone, given, kind="batch")
    assert [one["response"]["status"].split()[0] for one in answer.json["entry"]] == ["200", "204", "201"]
    clinic.add(patient(1))
    assert send(clinic, given, kind="batch").json["entry"][0]["response"]["status"].startswith("412")
    patch = {"request": {"method": "PATCH", "url": "Patient/known"}}
    assert send(clinic, patch, kind="batch").json["entry"][0]["response"]["status"].startswith("405")


def test_two_entries_may_not_have_the_same_full_url(clinic):
    same = urn()
    assert send(clinic, entry(patient(1), same), entry(patient(2), same)).status == 400
