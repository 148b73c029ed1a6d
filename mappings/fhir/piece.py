"""One resource on its way into a Bundle: its body, what it was made from, and the references not yet turned into URLs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Body = dict[str, Any]

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/"
PATIENT = "@patient"

MAY_REFER: Mapping[str, frozenset[str]] = {
    "CarePlan.activity.detail.reasonReference": frozenset({"Condition", "Observation"}),
    "CarePlan.activity.detail.goal": frozenset({"Goal"}),
    "Goal.addresses": frozenset({"Condition", "Observation", "ServiceRequest"}),
    "Observation.focus": frozenset({"Goal"}),
    "Procedure.basedOn": frozenset({"CarePlan", "ServiceRequest"}),
    "ServiceRequest.reasonReference": frozenset({"Condition", "Observation"}),
    "ServiceRequest.extension.valueReference": frozenset({"Goal"}),
}
"""Where a link of the record becomes a reference, and the types R4 and our profiles allow there."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def spoken(text: str) -> str | None:
    """A text without control characters, which FHIR does not allow (R4 datatypes, string); None where nothing is left."""
    said = _CONTROL.sub("", text)
    return said if said.strip() else None


@dataclass(frozen=True, slots=True)
class Piece:
    """`key` is what symbolic references call it (`@patient`, `@` and an assertion's id); `identity` names it outside.

    `uses` are the outward ids of the assertions in it. `updates` says that a later Bundle replaces it at the destination
    instead of leaving what is there.
    """

    type: str
    key: str
    identity: str
    body: Body
    uses: frozenset[str] = frozenset()
    profiles: tuple[str, ...] = ()
    updates: bool = False

    def url(self, system: str) -> str:
        """The entry's fullUrl: the same for the same hub, recipient and fact."""
        return f"urn:uuid:{uuid5(NAMESPACE_URL, f'{system}/{self.type}/{self.identity}')}"

    def with_body(self, **members: Any) -> "Piece":
        """With these members of the body, empty ones left out."""
        return replace(self, body={**self.body, **{name: value for name, value in members.items() if value}})


def resolved(body: Body, kind: str, targets: Mapping[str, tuple[str, str]]) -> Body:
    """The body with symbolic references turned into URLs; those without a target, or of a type not allowed there, vanish.

    `targets` is key → (type, URL). What is empty afterwards vanishes with them, and so does an extension without value.
    """
    return _resolved(body, kind, targets) or {}


def _resolved(node: Any, path: str, targets: Mapping[str, tuple[str, str]]) -> Any:
    if isinstance(node, list):
        items = [_resolved(item, path, targets) for item in node]
        return [item for item in items if item not in (None, {}, [])] or None
    if isinstance(node, str):
        return spoken(node)
    if not isinstance(node, dict):
        return node
    reference = node.get("reference")
    if isinstance(reference, str) and reference.startswith("@"):
        kind, url = targets.get(reference, ("", ""))
        allowed = MAY_REFER.get(path)
        return {**node, "reference": url} if url and (allowed is None or kind in allowed) else None
    made = {name: _resolved(value, f"{path}.{name}", targets) for name, value in node.items()}
    kept = {name: value for name, value in made.items() if value not in (None, {}, [])}
    if set(kept) == {"url"}:  # an extension says nothing without its value
        return None
    return kept or None
