"""What the sandbox FHIR server says it can do."""

from adapters.sandbox.fhir.outcome import Resource
from adapters.sandbox.fhir.parameters import parameters
from adapters.sandbox.fhir.structure import REQUIRED

INTERACTIONS = ("create", "read", "vread", "update", "delete", "history-instance", "search-type")
INCLUDES = {"Task": ["Task:focus", "Task:patient", "Task:owner", "Task:requester", "Task:output"]}


def statement(base: str, *, secured: bool) -> Resource:
    """The CapabilityStatement: R4, JSON only."""
    rest: Resource = {
        "mode": "server",
        "interaction": [{"code": "transaction"}, {"code": "batch"}],
        "resource": [_served(kind) for kind in REQUIRED],
    }
    if secured:
        rest["security"] = {
            "cors": False,
            "description": "SMART Backend Services: a bearer token on every request.",
        }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "software": {"name": "Sandbox FHIR server"},
        "implementation": {"description": "Invented data in memory", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [rest],
    }


def _served(kind: str) -> Resource:
    search = [{"name": name, "type": one.kind.value} for name, one in parameters(kind).items()]
    found: Resource = {
        "type": kind,
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": True,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "enforced"],
        "searchParam": search,
    }
    if kind in INCLUDES:
        found["searchInclude"] = INCLUDES[kind]
    return found
