"""Walking a FHIR resource by element path, safely: whatever is not there, or not of the expected shape, is simply not found.

Paths are FHIR's own: `Task.statusReason.text`, `Observation.value[x]`; the first part is the resource's type. Lists are
walked through. Found places are named the way issues name them (`Task.input.0.type`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]
Place = tuple[str, Any]


def places(resource: Json, path: str) -> Iterator[Place]:
    """Every value at `path` with where it stands; nothing where the resource is of another type."""
    head, _, rest = path.partition(".")
    if resource.get("resourceType") != head:
        return
    yield from _below((head, resource), rest.split(".") if rest else [])


def _below(place: Place, parts: list[str]) -> Iterator[Place]:
    where, value = place
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _below((f"{where}.{index}", item), parts)
    elif not parts:
        if value is not None:
            yield place
    elif isinstance(value, dict):
        for name in _names(value, parts[0]):
            yield from _below((f"{where}.{name}", value[name]), parts[1:])


def _names(value: Json, part: str) -> list[str]:
    if not part.endswith("[x]"):
        return [part] if part in value else []
    stem = part.removesuffix("[x]")
    return [name for name in value if name.startswith(stem) and name[len(stem) :][:1].isupper()]


def texts(resource: Json, path: str) -> Iterator[str]:
    """The text values at `path`."""
    return (value for _, value in places(resource, path) if isinstance(value, str))


def codings(concept: Any) -> Iterator[tuple[str | None, str]]:
    """The (system, code) pairs of a CodeableConcept, a Coding, or a list of either."""
    if isinstance(concept, list):
        for item in concept:
            yield from codings(item)
    elif isinstance(concept, dict):
        for coding in (concept, *_listed(concept.get("coding"))):
            if isinstance(coding, dict) and isinstance(code := coding.get("code"), str):
                system = coding.get("system")
                yield (system if isinstance(system, str) else None), code


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
