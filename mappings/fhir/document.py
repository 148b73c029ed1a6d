"""A record view as the map `planhub/fhir-plan` reads it: the outward document with three things said FHIR's way.

A period's end becomes the inclusive last day (R4 datatypes, Period), an identifier's system becomes a URI, and a text loses
control characters, so that one made of nothing else is nothing.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from mappings.fhir.piece import spoken
from mappings.organization import Organizations
from mappings.outward import Value, outward_document
from mappings.record.kind import Kind
from mappings.view import RecordView

_PERIODS = ("period", "span")


def view_document(view: RecordView, organizations: Organizations, *, system: str) -> dict[str, Any]:
    """The source document; `system` is the hub's base for identifier systems that are no URI."""

    def change(kind: Kind, value: Value) -> Value:
        changed: Value = _spoken(dict(_inclusive(value))) or {}
        if kind is Kind.IDENTIFIER and "system" in changed:
            changed["system"] = identifier_system(changed["system"], system)
        return changed

    return outward_document(view, organizations, change)


def _spoken(node: Any) -> Any:
    if isinstance(node, str):
        return spoken(node)
    if isinstance(node, list):
        return [said for item in node if (said := _spoken(item)) is not None]
    if isinstance(node, dict):
        return {name: said for name, value in node.items() if (said := _spoken(value)) is not None}
    return node


def identifier_system(system: str, base: str) -> str:
    """A URI for an identifier's system: itself where it is one, else below the hub's base."""
    scheme, colon, _ = system.partition(":")
    is_uri = bool(colon) and scheme.isalnum() and scheme.isascii() and " " not in system
    return system if is_uri else f"{base}/identifier/{quote(system, safe='')}"


def _inclusive(value: Value) -> Iterator[tuple[str, Any]]:
    """The value with our half-open periods turned into FHIR's."""
    for name, member in value.items():
        if name in _PERIODS and isinstance(member, dict) and member.get("end"):
            last = date.fromisoformat(member["end"]) - timedelta(days=1)
            first = member.get("start")
            yield name, {**member, "end": max(first, last.isoformat()) if first else last.isoformat()}
        elif isinstance(member, dict):
            yield name, dict(_inclusive(member))
        else:
            yield name, member
