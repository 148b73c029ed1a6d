"""The sandbox FHIR server driven by a client nobody here wrote: `fhirpy`; and its resources parsed by `fhir.resources`."""

from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

from adapters.sandbox.fhir import FhirSandbox
from tests.adapters.sandbox.caller import call
from tests.adapters.sandbox.test_fhir import SYSTEM, condition, patient


@pytest.fixture
def clinic():
    with FhirSandbox(page=5, tokens={"token"}) as running:
        yield running


@pytest.fixture
def client(clinic):
    return SyncFHIRClient(clinic.base_url, authorization="Bearer token")


def resource(client: SyncFHIRClient, body: dict[str, Any]) -> Any:
    return client.resource(body["resourceType"], **{k: v for k, v in body.items() if k != "resourceType"})


@pytest.mark.peer
def test_it_creates_reads_changes_and_deletes(client):
    made = resource(client, patient(1))
    made.save()
    assert made["meta"]["versionId"] == "1"
    read = client.reference("Patient", made["id"]).to_resource()
    assert read.serialize() == made.serialize()
    read["gender"] = "other"
    read.save()
    assert client.resources("Patient").search(_id=made["id"]).get()["gender"] == "other"
    read.delete()
    with pytest.raises((OperationOutcome, ResourceNotFound)):
        client.reference("Patient", made["id"]).to_resource()


@pytest.mark.peer
def test_it_searches_counts_and_follows_pages(clinic, client):
    for number in range(12):
        clinic.add(patient(number))
    found = client.resources("Patient").search(gender="unknown").fetch_all()
    assert len(found) == 12
    assert client.resources("Patient").search(birthdate__ge="2015-05-01").count() == 5
    first = client.resources("Patient").search(identifier=f"{SYSTEM}|p3").first()
    assert first["identifier"][0]["value"] == "p3"


@pytest.mark.peer
def test_it_updates_or_creates_by_a_condition(clinic, client):
    where = client.resources("Patient").search(identifier=f"{SYSTEM}|p1")
    _first, created = where.update(resource(client, patient(1)))
    _second, again = where.update(resource(client, patient(1)))
    assert (created, again) == (True, False)
    assert len(clinic.resources("Patient")) == 1


@pytest.mark.peer
def test_it_understands_a_refusal(client):
    with pytest.raises(OperationOutcome) as refused:
        resource(client, condition("Patient/none")).save()
    assert refused.value.resource["issue"][0]["code"] == "not-found"


@pytest.mark.peer
def test_searches_histories_and_the_capability_statement_are_valid_r4_structures(clinic):
    stored = clinic.add(patient(1))
    clinic.add(stored)
    for path in ("Patient", f"Patient/{stored['id']}/_history"):
        body = call(f"{clinic.base_url}/{path}", Authorization="Bearer token").body
        assert Bundle.model_validate_json(body).total == (1 if path == "Patient" else 2)
    CapabilityStatement.model_validate_json(call(f"{clinic.base_url}/metadata").body)
