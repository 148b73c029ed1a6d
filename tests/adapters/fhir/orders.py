"""A referral as a transaction Bundle, with invented people (shapes: Gravity SDOH Clinical Care 3.0.0, health.md §1)."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from adapters.fhir.client import FhirClient
from adapters.http import HttpClient
from adapters.oauth import BearerClient
from adapters.port import Sealed
from adapters.sandbox.server import Sandbox

SYSTEM = "https://hub.invalid/delivery"
DELIVERY = UUID(int=42)
CODES = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"

Resource = dict[str, Any]


def identified(kind: str, value: str, **more: Any) -> Resource:
    return {"resourceType": kind, "identifier": [{"system": SYSTEM, "value": value}], **more}


def entry(name: str, resource: Resource) -> Resource:
    value = resource["identifier"][0]["value"]
    return {
        "fullUrl": f"urn:uuid:{name}",
        "resource": resource,
        "request": {
            "method": "POST",
            "url": resource["resourceType"],
            "ifNoneExist": f"identifier={SYSTEM}|{value}",
        },
    }


def order(number: int = 1) -> Resource:
    """A child, a request and the Task that carries its state."""
    patient, request = UUID(int=100 + number), UUID(int=200 + number)
    subject = {"reference": f"urn:uuid:{patient}"}
    fulfil = {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]}
    entries = [
        entry(
            str(patient),
            identified("Patient", f"child-{number}", name=[{"family": "Boateng", "given": ["Ama"]}]),
        ),
        entry(
            str(request),
            identified(
                "ServiceRequest", f"request-{number}", status="active", intent="order", subject=subject
            ),
        ),
        entry(
            str(UUID(int=300 + number)),
            identified(
                "Task",
                f"task-{number}",
                status="requested",
                intent="order",
                code=fulfil,
                focus={"reference": f"urn:uuid:{request}"},
                **{"for": subject},
            ),
        ),
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def sealed(resource: Any, delivery: UUID = DELIVERY) -> Sealed:
    """Sealed as the gateway would, for tests of sockets only."""
    body = resource if isinstance(resource, bytes) else json.dumps(resource).encode()
    digest = hashlib.sha256(body).digest()
    return Sealed(body, 7, delivery, digest, datetime(2026, 11, 22, 8, tzinfo=UTC), "release")


def fhir(http: HttpClient, host: Sandbox) -> FhirClient:
    return FhirClient(BearerClient(http, None), host.base_url)
