"""The sandbox FHIR server against R4 §3.1 (RESTful API) and §2.6.2 (JSON); resources are invented."""

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.sandbox.fhir import FhirSandbox, RefusedError
from tests.adapters.sandbox.caller import Answer, call

SYSTEM = "https://hub.example/id"


def patient(number: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": f"p{number}"}],
        "name": [{"family": "Émile-Invented", "given": [f"Given{number}"]}],
        "gender": "unknown",
        "birthDate": f"2015-0{number % 9 + 1}-10",
        **more,
    }


def condition(subject: str, code: str = "733423003") -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "subject": {"reference": subject},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]},
    }


@pytest.fixture
def clinic() -> Iterator[FhirSandbox]:
    with FhirSandbox(page=5) as running:
        yield running


@pytest.fixture
def ask(clinic):
    def asked(path: str = "", method: str = "GET", body: Any = None, **rest: Any) -> Answer:
        return call(f"{clinic.base_url}/{path}", method, body, **rest)

    return asked


def issue(answer: Answer) -> str:
    assert answer.json["resourceType"] == "OperationOutcome"
    return str(answer.json["issue"][0]["code"])


def test_metadata_says_r4_and_json_only(ask):
    found = ask("metadata").json
    assert (found["resourceType"], found["fhirVersion"]) == ("CapabilityStatement", "4.0.1")
    assert found["format"] == ["application/fhir+json"]
    task = next(one for one in found["rest"][0]["resource"] if one["type"] == "Task")
    assert {"status", "owner", "focus", "patient", "_lastUpdated"} <= {p["name"] for p in task["searchParam"]}
    assert ask("metadata", Accept="application/fhir+xml").status == 406
    assert ask("Patient", "POST", b"<Patient/>", Content_Type="application/fhir+xml").status == 415


def test_create_gives_an_id_a_first_version_a_location_and_an_etag(clinic, ask):
    answer = ask("Patient", "POST", patient(1))
    assert answer.status == 201
    stored = answer.json
    assert stored["meta"]["versionId"] == "1"
    assert stored["meta"]["lastUpdated"].endswith("Z")
    assert answer.headers["location"] == f"{clinic.base_url}/Patient/{stored['id']}/_history/1"
    assert answer.headers["etag"] == 'W/"1"'
    assert ask(f"Patient/{stored['id']}").json == stored
    assert ask("Patient", "POST", patient(2), Prefer="return=minimal").body == b""


def test_update_makes_a_new_version_and_old_ones_stay_readable(ask):
    stored = ask("Patient", "POST", patient(1)).json
    path = f"Patient/{stored['id']}"
    answer = ask(path, "PUT", {**stored, "gender": "other"})
    assert (answer.status, answer.json["meta"]["versionId"], answer.headers["etag"]) == (200, "2", 'W/"2"')
    assert ask(f"{path}/_history/1").json == stored
    history = ask(f"{path}/_history").json
    assert [entry["resource"]["meta"]["versionId"] for entry in history["entry"]] == ["2", "1"]
    assert [entry["request"]["method"] for entry in history["entry"]] == ["PUT", "POST"]
    assert ask(f"{path}/_history/3").status == 404


def test_update_with_an_unknown_id_creates_it_and_the_address_must_agree_with_the_body(ask):
    assert ask("Patient/mine", "PUT", patient(1, id="mine")).status == 201
    assert ask("Patient/other", "PUT", patient(1, id="mine")).status == 400
    assert ask("Patient/mine", "PUT", condition("Patient/mine")).status == 400


def test_if_match_guards_against_a_state_the_client_has_not_seen(ask):
    stored = ask("Patient", "POST", patient(1)).json
    path = f"Patient/{stored['id']}"
    assert ask(path, "PUT", stored, If_Match='W/"1"').status == 200
    stale = ask(path, "PUT", stored, If_Match='W/"1"')
    assert (stale.status, issue(stale)) == (412, "conflict")
    assert ask("Patient/none", "PUT", patient(1, id="none"), If_Match='W/"1"').status == 412


def test_an_unchanged_resource_is_not_sent_again(ask):
    stored = ask("Patient", "POST", patient(1)).json
    answer = ask(f"Patient/{stored['id']}", If_None_Match='W/"1"')
    assert (answer.status, answer.body) == (304, b"")


def test_deleted_is_gone_and_unknown_is_not_found(ask):
    stored = ask("Patient", "POST", patient(1)).json
    path = f"Patient/{stored['id']}"
    assert ask(path, "DELETE").status == 204
    assert ask(path, "DELETE").status == 204
    assert (ask(path).status, issue(ask(path))) == (410, "deleted")
    assert ask("Patient").json["total"] == 0
    assert (ask("Patient/none").status, issue(ask("Patient/none"))) == (404, "not-found")
    deletion = ask(f"{path}/_history").json["entry"][0]
    assert deletion["request"]["method"] == "DELETE"
    assert "resource" not in deletion


def test_conditional_create_makes_one_however_often_it_is_sent(ask):
    condition_ = f"identifier={SYSTEM}|p1"
    first = ask("Patient", "POST", patient(1), If_None_Exist=condition_)
    second = ask("Patient", "POST", patient(1), If_None_Exist=condition_)
    assert (first.status, second.status) == (201, 200)
    assert first.headers["location"] == second.headers["location"]
    assert ask("Patient").json["total"] == 1
    ask("Patient", "POST", patient(1))
    assert ask("Patient", "POST", patient(1), If_None_Exist=condition_).status == 412


def test_conditional_update_finds_creates_or_refuses(ask):
    where = {"identifier": f"{SYSTEM}|p1"}
    assert ask("Patient", "PUT", patient(1), params=where).status == 201
    assert ask("Patient", "PUT", patient(1, gender="other"), params=where).status == 200
    ask("Patient", "POST", patient(1))
    assert ask("Patient", "PUT", patient(1), params=where).status == 412


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"resourceType": "Condition"}, "required"),
        ({"resourceType": "Condition", "subject": {"reference": "Patient/none"}}, "not-found"),
        ({**condition("Patient/1"), "note": []}, "structure"),
        ({**condition("Patient/1"), "recordedDate": None}, "structure"),
        ({**condition("Patient/1"), "recordedDate": ""}, "structure"),
        ({**condition("#nobody")}, "not-found"),
        ({"resourceType": "Patient"}, "invalid"),
        ([], "invalid"),
        (b"{", "structure"),
        (b"[" * 100_000, "structure"),
        (b'{"resourceType":"Condition","subject":{},"x":' + b"[" * 900 + b"]" * 900 + b"}", "structure"),
    ],
)
def test_a_resource_that_r4_does_not_allow_is_refused_with_an_outcome(ask, body, code):
    ask("Patient", "POST", patient(1))
    answer = ask("Condition", "POST", body, Content_Type="application/fhir+json")
    assert answer.status in {400, 422}
    assert issue(answer) == code
    assert ask("Condition").json["total"] == 0


def test_unknown_types_methods_and_addresses_are_refused(ask):
    assert ask("Starship").status == 404
    assert ask("Starship", "POST", {"resourceType": "Starship"}).status == 404
    assert ask("Patient/1", "PATCH", {}).status == 405
    assert ask("Patient/1/$everything").status == 404
    assert ask("", "POST", {"resourceType": "Bundle", "type": "collection"}).status == 400


def test_without_one_of_its_tokens_it_answers_401_except_for_metadata():
    with FhirSandbox([patient(1, id="a")], tokens={"good"}) as running:
        assert call(f"{running.base_url}/metadata").status == 200
        answer = call(f"{running.base_url}/Patient/a")
        assert (answer.status, issue(answer)) == (401, "login")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert call(f"{running.base_url}/Patient/a", Authorization="Bearer bad").status == 401
        assert call(f"{running.base_url}/Patient/a", Authorization="Bearer good").status == 200


def test_every_change_is_later_than_the_one_before_so_that_polling_by_time_misses_nothing(clinic, ask):
    for number in range(20):
        clinic.add(patient(number))
    times = [one["meta"]["lastUpdated"] for one in clinic.resources("Patient")]
    assert times == sorted(set(times))
    later = ask("Patient", params={"_lastUpdated": f"gt{times[14]}", "_sort": "-_lastUpdated"})
    assert [entry["resource"]["meta"]["lastUpdated"] for entry in later.json["entry"]] == times[:14:-1]


def test_what_staff_do_is_not_visible_to_their_caller_by_reference(clinic):
    stored = clinic.add(patient(1))
    stored["gender"] = "changed outside"
    assert clinic.read("Patient", stored["id"])["gender"] == "unknown"
    with pytest.raises(RefusedError):
        clinic.read("Patient", "none")


def test_prefer_asks_for_an_outcome_and_other_methods_are_refused(ask):
    answer = ask("Patient", "POST", patient(1), Prefer="return=OperationOutcome")
    assert (answer.status, issue(answer)) == (201, "informational")
    assert ask("Patient", "DELETE").status == 405
    assert ask("Patient/1/_history", "DELETE").status == 405
    assert ask("../elsewhere").status == 404
