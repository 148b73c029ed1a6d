"""Narrative made from the resource it stands in, and from nothing else; received narrative is never sent on."""

from collections.abc import Iterator
from html import escape
from typing import Any

_WORDS = {
    "Patient": ("Child", ("name", "birthDate")),
    "RelatedPerson": ("Parent or guardian", ("name", "relationship")),
    "Organization": ("Organisation", ("name",)),
    "CareTeam": ("People around the child", ("participant",)),
    "CarePlan": ("Plan", ("title", "activity", "supportingInfo", "note")),
    "Goal": ("Goal", ("description", "lifecycleStatus", "target", "note")),
    "Condition": ("Need", ("code", "note")),
    "Observation": ("Observation", ("code", "valueString", "valueCodeableConcept", "component", "note")),
    "Procedure": ("Service", ("code", "status", "performedDateTime", "note")),
    "ServiceRequest": ("Referral", ("code", "reasonCode", "orderDetail", "note")),
    "Task": ("State of the referral", ("status", "statusReason", "businessStatus", "note")),
    "Provenance": ("Source", ("agent",)),
}
_SKIP = frozenset({"system", "reference", "url", "use", "period", "type"})


def narrative(resource: dict[str, Any], more: tuple[str, ...] = ()) -> dict[str, str] | None:
    """The `text` element of a resource, with `more` lines after its own; None for a type without words here."""
    kind = resource["resourceType"]
    if kind not in _WORDS:
        return None
    title, members = _WORDS[kind]
    lines = [*(line for name in members for line in _lines(resource.get(name))), *more]
    body = "".join(f"<p>{escape(line)}</p>" for line in dict.fromkeys(lines))
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><h3>{title}</h3>{body}</div>'
    return {"status": "generated", "div": div}


def _lines(value: Any) -> Iterator[str]:
    """One line per thing said: text before display before code; lists one line each."""
    if isinstance(value, list):
        for item in value:
            yield from _lines(item)
    elif isinstance(value, dict):
        said = value.get("text") or value.get("display")
        if isinstance(said, str):
            yield said
            return
        if "coding" in value or ("code" in value and isinstance(value["code"], str)):
            yield from _coded(value)
            return
        parts = [part for name, member in value.items() if name not in _SKIP for part in _lines(member)]
        if parts:
            yield " ".join(parts)
    elif isinstance(value, bool):
        yield "yes" if value else "no"
    elif isinstance(value, str | int | float):
        yield str(value)


def _coded(value: dict[str, Any]) -> Iterator[str]:
    for coding in value.get("coding", [value]):
        said = coding.get("display") or coding.get("code")
        if said:
            yield str(said)
            return
