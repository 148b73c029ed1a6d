import json
from typing import Any

import pytest

from adapters.fhir.client import Capability, FhirClient
from adapters.oauth import BearerClient
from adapters.port import Cause, Failure, Malformed, Refused, SourceDocument, Transient
from adapters.sandbox.fhir import FhirSandbox
from adapters.sandbox.wire import Request, Response, as_json
from tests.adapters.fhir.orders import fhir, sealed
from tests.adapters.partners import Partner, client

PATIENTS = [{"resourceType": "Patient", "id": f"p{number}", "gender": "female"} for number in range(7)]


def found(items: Any) -> list[str]:
    names = []
    for item in items:
        assert isinstance(item, SourceDocument), item
        names.append(item.record_id)
    return names


def answering(*answers: Any) -> Partner:
    """A FHIR server that gives one answer after the other, the last one for ever."""
    left = list(answers)

    def serve(request: Request) -> Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if callable(answer):
            answer = answer(request)
        return answer if isinstance(answer, Response) else as_json(200, answer)

    return Partner(serve)


def bundle(*resources: Any, following: str | None = None) -> dict[str, Any]:
    links = [{"relation": "next", "url": following}] if following is not None else []
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": "self", "url": "x"}, *links],
        "entry": [{"resource": each} for each in resources],
    }


def test_capabilities_are_asked_once():
    with FhirSandbox() as clinic, client() as http:
        reader = fhir(http, clinic)
        first = reader.capability()
        assert isinstance(first, Capability)
        assert first.is_r4
        assert first.transaction
        assert "Task:output" in first.includes["Task"]
        assert reader.capability() is first
        assert len(clinic.received) == 1


@pytest.mark.parametrize(
    ("version", "r4"), [("4.0.1", True), ("4.0.0", True), ("4.3.0", False), ("5.0.0", False)]
)
def test_only_r4_counts_as_r4(version, r4):
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": version, "rest": [{"mode": "client"}]}
    with answering(statement) as clinic, client() as http:
        capability = fhir(http, clinic).capability()
        assert isinstance(capability, Capability)
        assert capability.is_r4 is r4
        assert capability.transaction is False


@pytest.mark.parametrize(
    "nonsense", [[], {"resourceType": "Patient"}, Response(200, b"<CapabilityStatement/>")]
)
def test_what_is_no_capability_statement_is_a_value(nonsense):
    with answering(nonsense) as clinic, client() as http:
        assert fhir(http, clinic).capability() == Malformed(Cause.BAD_SHAPE, 200)


def test_a_search_follows_every_page_and_keeps_the_bytes():
    with FhirSandbox(PATIENTS, page=3) as clinic, client() as http:
        documents = list(fhir(http, clinic).search("Patient", {"_count": "3"}))
        assert sorted(found(documents)) == [f"p{number}" for number in range(7)]
        for document in documents:
            assert isinstance(document, SourceDocument)
            assert json.loads(document.raw) == document.body
            assert document.version == "1"
        assert all(each.header("prefer") == "handling=strict" for each in clinic.received)


def test_the_bytes_of_a_resource_are_not_re_serialised():
    raw = b'{"resourceType":"Observation","id":"o1",  "valueQuantity":{"value":0.40}}'
    body = b'{"resourceType":"Bundle","type":"searchset","entry":[{"resource":' + raw + b"}]}"
    with answering(Response(200, body)) as clinic, client() as http:
        (document,) = list(fhir(http, clinic).search("Observation", {}))
        assert isinstance(document, SourceDocument)
        assert document.raw == raw


def test_a_next_link_to_another_origin_is_not_followed():
    with answering(bundle(PATIENTS[1])) as elsewhere:
        page = bundle(PATIENTS[0], following=elsewhere.base_url + "/Patient?page=2")
        with answering(page) as clinic, client() as http:
            items = list(fhir(http, clinic).search("Patient", {}))
        assert isinstance(items[0], SourceDocument)
        assert items[1:] == [Malformed(Cause.BAD_PAGING)]
        assert elsewhere.received == []


@pytest.mark.parametrize("link", ["?page=2", "/Patient?page=2", 7, "https://[::1"])
def test_pages_that_go_round_in_a_circle_or_nowhere_end(link):
    page = bundle(PATIENTS[0])
    page["link"] = [{"relation": "next", "url": link}]
    with answering(page) as clinic, client() as http:
        items = list(fhir(http, clinic).search("Patient", {}))
        assert items[-1] == Malformed(Cause.BAD_PAGING)
        assert len(clinic.received) <= 2


def test_a_relative_next_link_stays_below_the_base():
    pages = [bundle(PATIENTS[0], following="Patient?page=2"), bundle(PATIENTS[1])]
    with answering(*pages) as clinic, client() as http:
        reader = FhirClient(BearerClient(http, None), clinic.base_url + "/fhir/r4/")
        assert found(reader.search("Patient", {})) == ["p0", "p1"]
        assert [each.path for each in clinic.received] == ["/fhir/r4/Patient"] * 2


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(200, b"{"), Malformed(Cause.BAD_JSON, 200)),
        (Response(200, b'{"a":' * 500), Malformed(Cause.TOO_DEEP, 200)),
        ({"resourceType": "Patient", "id": "p"}, Malformed(Cause.BAD_SHAPE, 200)),
        (Response(503), Transient(Cause.HTTP_5XX, 503)),
    ],
)
def test_a_search_that_goes_wrong_ends_with_the_reason(answer, expected):
    with answering(bundle(PATIENTS[0], following="?page=2"), answer) as clinic, client() as http:
        items = list(fhir(http, clinic).search("Patient", {}))
        assert items[-1] == expected
        assert found(items[:-1]) == ["p0"]


def test_outcomes_and_entries_without_type_or_id_are_not_documents():
    page = bundle(
        {"resourceType": "OperationOutcome", "issue": []},
        {"id": "x"},
        {"resourceType": "Patient"},
        7,
        PATIENTS[0],
    )
    with answering(page) as clinic, client() as http:
        assert found(fhir(http, clinic).search("Patient", {})) == ["p0"]


def test_a_refusal_carries_issue_types_and_never_the_servers_words():
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "error", "code": "business-rule", "diagnostics": "Ama Boateng is unknown"},
            {"severity": "error", "code": "Ama Boateng"},
            {"severity": "error", "code": "business-rule"},
            7,
        ],
    }
    with answering(lambda _: as_json(422, outcome)) as clinic, client() as http:
        assert fhir(http, clinic).read("Patient", "p1") == Refused(Cause.HTTP_4XX, 422, ("business-rule",))


def test_one_resource_is_read_and_one_that_is_gone_says_so():
    with FhirSandbox(PATIENTS) as clinic, client() as http:
        reader = fhir(http, clinic)
        document = reader.read("Patient", "p3")
        assert isinstance(document, SourceDocument)
        assert document.body["gender"] == "female"
        missing = reader.read("Patient", "p99")
        assert isinstance(missing, Refused)
        assert missing.cause is Cause.NOT_FOUND


@pytest.mark.parametrize(
    ("kind", "name"), [("Patient", "../x"), ("patient", "1"), ("Patient?x", "1"), ("Patient", "")]
)
def test_types_and_ids_that_are_none_never_become_addresses(kind, name):
    with FhirSandbox() as clinic, client() as http:
        assert fhir(http, clinic).read(kind, name) == Refused(Cause.BAD_ADDRESS)
        assert clinic.received == []


def test_an_update_of_a_version_somebody_has_changed_since_is_refused():
    with FhirSandbox(PATIENTS) as clinic, client() as http:
        writer = fhir(http, clinic)
        body = sealed(PATIENTS[0] | {"active": True})
        assert not isinstance(writer.update("Patient", "p0", body, "1", opened=lambda: None), Failure)
        again = sealed(PATIENTS[0] | {"active": False})
        stale = writer.update("Patient", "p0", again, "1", opened=lambda: None)
        assert isinstance(stale, Refused)
        assert stale.cause is Cause.CONFLICT
        assert clinic.read("Patient", "p0")["active"] is True
