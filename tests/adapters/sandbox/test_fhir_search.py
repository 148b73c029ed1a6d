"""Searching the sandbox FHIR server (FHIR R4 §3.1.1); resources are invented."""

from typing import Any
from urllib.parse import urlencode

import pytest

from adapters.sandbox.fhir import FhirSandbox
from tests.adapters.sandbox.caller import call
from tests.adapters.sandbox.test_fhir import SYSTEM, condition, issue, patient

FULFIL = {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]}
PSY = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY"}


def task(name: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "id": name,
        "status": "requested",
        "intent": "order",
        "code": FULFIL,
        "for": {"reference": "Patient/a"},
        "focus": {"reference": "ServiceRequest/s"},
        "authoredOn": "2026-11-20T09:30:00Z",
        **more,
    }


RESOURCES: list[dict[str, Any]] = [
    patient(
        1, id="a", birthDate="2015-02-10", name=[{"family": "Évora-Invented", "given": ["Adilson", "Zé"]}]
    ),
    patient(2, id="b", birthDate="2016-03-01", active=True),
    {**condition("Patient/a"), "id": "c1", "meta": {"security": [PSY]}, "recordedDate": "2026-05"},
    {**condition("Patient/b", "21897009"), "id": "c2", "recordedDate": "2026-06-15"},
    {"resourceType": "Organization", "id": "o", "name": "Invented Pantry"},
    {
        "resourceType": "ServiceRequest",
        "id": "s",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/a"},
    },
    task("t1", owner={"reference": "Organization/o"}),
    task("t2", status="accepted", basedOn=[{"reference": "ServiceRequest/s"}]),
    {
        "resourceType": "Procedure",
        "id": "p",
        "status": "completed",
        "subject": {"reference": "Patient/a"},
        "basedOn": [{"reference": "ServiceRequest/s"}],
        "performedPeriod": {"start": "2026-11-01", "end": "2026-11-10"},
    },
    {
        "resourceType": "Provenance",
        "id": "v",
        "target": [{"reference": "Task/t1"}],
        "recorded": "2026-11-20T09:30:00Z",
        "agent": [{"who": {"reference": "Organization/o"}}],
    },
]


@pytest.fixture(scope="module")
def base():
    with FhirSandbox(RESOURCES) as running:
        yield running.base_url


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Patient?_id=a", "a"),
        ("Patient?_id=a,b", "ab"),
        (f"Patient?identifier={SYSTEM}|p1", "a"),
        ("Patient?identifier=p1", "a"),
        ("Patient?identifier=other|p1", ""),
        (f"Patient?identifier={SYSTEM}|", "ab"),
        ("Patient?identifier=|p1", ""),
        ("Patient?name=evora", "a"),
        ("Patient?name=adil", "a"),
        ("Patient?name=invented", ""),
        ("Patient?name:contains=INVENTED", "ab"),
        ("Patient?given:exact=Zé", "a"),
        ("Patient?given:exact=zé", ""),
        ("Patient?birthdate=2015-02-10", "a"),
        ("Patient?birthdate=2015", "a"),
        ("Patient?birthdate=ge2015-02-10&birthdate=lt2016-03-01", "a"),
        ("Patient?birthdate=gt2015-02-10", "b"),
        ("Patient?birthdate=le2016-03", "ab"),
        ("Patient?birthdate=ne2015-02-10", "b"),
        ("Patient?active=true", "b"),
        ("Patient?active:missing=true", "a"),
        ("Patient?gender:not=male", "ab"),
        ("Condition?patient=a", "c1"),
        ("Condition?patient=Patient/a", "c1"),
        ("Condition?subject=Patient/b", "c2"),
        ("Condition?patient.identifier=p2", "c2"),
        ("Condition?subject:Patient.name=evora", "c1"),
        ("Condition?code=http://snomed.info/sct|733423003", "c1"),
        ("Condition?code=733423003,21897009", "c1c2"),
        ("Condition?_security=PSY", "c1"),
        ("Condition?recorded-date=ge2026-06-01", "c2"),
        ("Condition?recorded-date=eb2026-06-01", "c1"),
        ("Task?status=requested", "t1"),
        ("Task?owner=Organization/o", "t1"),
        ("Task?owner=o", "t1"),
        ("Task?owner:missing=true&status=accepted", "t2"),
        ("Task?focus=ServiceRequest/s", "t1t2"),
        ("Task?based-on=ServiceRequest/s", "t2"),
        ("Task?patient=a&code=fulfill", "t1t2"),
        ("Task?authored-on=2026-11-20", "t1t2"),
        ("Task?authored-on=gt2026-11-20T09:30:00Z", ""),
        ("Task?_lastUpdated=gt2026-01-01T00:00:00Z", "t1t2"),
        ("Task?_lastUpdated=lt2026-01-01T00:00:00Z", ""),
        ("Procedure?based-on=ServiceRequest/s", "p"),
        ("Procedure?date=2026-11", "p"),
        ("Procedure?date=sa2026-11-20", ""),
    ],
)
def test_criteria_find_what_the_standard_says(base, query, expected):
    found = call(f"{base}/{query.replace('|', '%7C').replace('é', '%C3%A9')}")
    assert found.status == 200, found.body
    assert found.json["type"] == "searchset"
    assert "".join(entry["resource"]["id"] for entry in found.json.get("entry", [])) == expected
    assert found.json["total"] == len(found.json.get("entry", []))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("Patient?mood=happy", "not-supported"),
        ("Patient?_has:Condition:patient:code=x", "not-supported"),
        ("Patient?birthdate=soon", "invalid"),
        ("Patient?birthdate=2015-13-45", "invalid"),
        ("Patient?name:sounds=x", "invalid"),
        ("Patient?active:missing=perhaps", "invalid"),
        ("Patient?_count=many", "invalid"),
        ("Patient?_sort=mood", "invalid"),
        ("Task?focus.status=active", "invalid"),
        ("Task?status.name=x", "invalid"),
        ("Task?_include=Task:mood", "invalid"),
        ("Patient?_getpages=forgotten", "not-found"),
    ],
)
def test_a_criterion_that_cannot_be_applied_is_refused_not_ignored(base, query, code):
    answer = call(f"{base}/{query}")
    assert answer.status in {400, 410}
    assert issue(answer) == code


def test_search_by_post_is_the_same_search(base):
    answer = call(
        f"{base}/Patient/_search",
        "POST",
        urlencode({"identifier": f"{SYSTEM}|p1"}).encode(),
        Content_Type="application/x-www-form-urlencoded",
    )
    assert [entry["resource"]["id"] for entry in answer.json["entry"]] == ["a"]


def test_includes_bring_what_is_referred_to_and_what_refers(base):
    answer = call(f"{base}/Task?_id=t1&_include=Task:focus&_include=Task:owner&_revinclude=Provenance:target")
    found = {(one["resource"]["resourceType"], one["search"]["mode"]) for one in answer.json["entry"]}
    assert found == {
        ("Task", "match"),
        ("ServiceRequest", "include"),
        ("Organization", "include"),
        ("Provenance", "include"),
    }
    assert answer.json["total"] == 1


def test_count_only_and_count_zero_give_the_number_alone(base):
    for query in ("_summary=count", "_count=0"):
        answer = call(f"{base}/Task?{query}").json
        assert answer["total"] == 2
        assert "entry" not in answer


def test_pages_follow_next_links_and_stand_still_while_data_changes():
    with FhirSandbox([patient(number, id=f"n{number:02}") for number in range(12)], page=5) as running:
        answer = call(f"{running.base_url}/Patient?gender=unknown").json
        assert answer["link"][0] == {
            "relation": "self",
            "url": f"{running.base_url}/Patient?gender=unknown",
        }
        seen = [entry["resource"]["id"] for entry in answer["entry"]]
        call(f"{running.base_url}/Patient/n00", "DELETE")
        running.add(patient(99))
        sizes = [len(seen)]
        while following := [link["url"] for link in answer["link"] if link["relation"] == "next"]:
            answer = call(following[0]).json
            seen += [entry["resource"]["id"] for entry in answer["entry"]]
            sizes.append(len(answer["entry"]))
        assert sizes == [5, 5, 2]
        assert seen == [f"n{number:02}" for number in range(12)]


def test_a_page_is_as_large_as_asked(base):
    answer = call(f"{base}/Task?_count=1").json
    assert (len(answer["entry"]), answer["total"]) == (1, 2)
