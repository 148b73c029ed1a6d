"""Small Ed-Fi documents for tests of the maps; field names of the Ed-Fi Resource API (5.0), invented children."""

from typing import Any

from mappings.engine.result import MapResult, Output
from mappings.engine.shipped import shipped_map

NS = "uri://ed-fi.org/"


def run(name: str, document: dict[str, Any]) -> MapResult:
    """Map a document with one of the Ed-Fi maps."""
    return shipped_map(f"planhub/edfi-{name}").run(document)


def of(result: MapResult, kind: str) -> list[Output]:
    """The outputs of one kind."""
    return [output for output in result.outputs if output.kind == kind]


def seoa(**more: Any) -> dict[str, Any]:
    """A student education organization association."""
    return {
        "connection": {"assigner": "harbor"},
        "studentReference": {"studentUniqueId": "900101"},
        "educationOrganizationReference": {"educationOrganizationId": 900255},
        **more,
    }


def contact_association(**more: Any) -> dict[str, Any]:
    """A student contact association with its contact joined in."""
    return {
        "studentReference": {"studentUniqueId": "900101"},
        "contactReference": {"contactUniqueId": "c-1"},
        "relationDescriptor": f"{NS}RelationDescriptor#Mother",
        "contact": {"contactUniqueId": "c-1", "firstName": "Ada", "lastSurname": "Okafor"},
        **more,
    }
