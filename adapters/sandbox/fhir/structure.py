"""What any R4 server may refuse about a resource's form: unknown type, missing elements, empty values, dead references.

Not a validator: no bindings, no invariants, no profiles. Minimum cardinalities are those of the R4 base definitions.
"""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from adapters.sandbox.fhir.outcome import RefusedError, Resource, invalid

# Elements with minimum cardinality 1 in R4 4.0.1; `x[x]` needs any one of its choices.
REQUIRED: dict[str, tuple[str, ...]] = {
    "AllergyIntolerance": ("patient",),
    "AuditEvent": ("type", "recorded", "agent", "source"),
    "CarePlan": ("status", "intent", "subject"),
    "CareTeam": (),
    "Condition": ("subject",),
    "Consent": ("status", "scope", "category"),
    "Device": (),
    "DocumentReference": ("status", "content"),
    "Encounter": ("status", "class"),
    "Goal": ("lifecycleStatus", "description", "subject"),
    "Group": ("type", "actual"),
    "HealthcareService": (),
    "Immunization": ("status", "vaccineCode", "patient", "occurrence[x]"),
    "Location": (),
    "MedicationRequest": ("status", "intent", "medication[x]", "subject"),
    "Observation": ("status", "code"),
    "Organization": (),
    "Patient": (),
    "Practitioner": (),
    "PractitionerRole": (),
    "Procedure": ("status", "subject"),
    "Provenance": ("target", "recorded", "agent"),
    "Questionnaire": ("status",),
    "QuestionnaireResponse": ("status",),
    "RelatedPerson": ("patient",),
    "ServiceRequest": ("status", "intent", "subject"),
    "Subscription": ("status", "reason", "criteria", "channel"),
    "Task": ("status", "intent"),
}


def check(kind: str, resource: Any) -> Resource:
    """The resource, when it may be stored under this type; RefusedError otherwise."""
    if not isinstance(resource, dict):
        raise invalid("The body is not a JSON object.")
    if resource.get("resourceType") != kind:
        raise invalid(f"The body's resourceType is not {kind}.", "resourceType")
    known(kind)
    for element in REQUIRED[kind]:
        stem = element.removesuffix("[x]")
        chosen = [name for name in resource if name == element or (stem != element and name.startswith(stem))]
        if not chosen:
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, "required", f"{kind}.{element} is missing.", f"{kind}.{stem}"
            )
    empty = next(_empty(resource, kind), None)
    if empty:
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "structure", "FHIR JSON has no empty or null values (R4 §2.6.2).", empty
        )
    return resource


def known(kind: str) -> None:
    """RefusedError for a type that is not served."""
    if kind not in REQUIRED:
        raise RefusedError(HTTPStatus.NOT_FOUND, "not-supported", f"Type {kind} is not served here.")


def _empty(value: Any, path: str) -> Iterator[str]:
    """Where a value is empty. Null stands only in arrays, beside the extensions of a primitive."""
    if value is None or value in ("", {}, []):
        yield path
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _empty(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            if inner is not None:
                yield from _empty(inner, f"{path}[{place}]")


def references(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every literal reference in a resource, with its path."""
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}" if path else name
            if name == "reference" and isinstance(inner, str):
                yield inner, here
            else:
                yield from references(inner, here)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from references(inner, f"{path}[{place}]")


def rewritten(value: Any, change: Callable[[str], str]) -> Any:
    """A copy with every literal reference changed."""
    if isinstance(value, dict):
        return {
            name: change(inner)
            if name == "reference" and isinstance(inner, str)
            else rewritten(inner, change)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [rewritten(inner, change) for inner in value]
    return value


def split(reference: str) -> tuple[str, str] | None:
    """Type and id of a relative literal reference, without a version; None for anything else."""
    parts = reference.split("/_history/", maxsplit=1)[0].split("/")
    if len(parts) == 2 and parts[0] in REQUIRED:  # noqa: PLR2004 - type and id
        return parts[0], parts[1]
    return None


def dead(resource: Resource, exists: Callable[[str, str], bool]) -> tuple[str, str] | None:
    """The first relative or contained reference that leads nowhere, with its path."""
    inside = {f"#{one.get('id')}" for one in resource.get("contained", [])}
    for reference, path in references(resource):
        target = split(reference)
        if (target and not exists(*target)) or (
            reference.startswith("#") and reference not in inside | {"#"}
        ):
            return reference, f"{resource['resourceType']}.{path}"
    return None
