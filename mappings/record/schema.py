"""The record as a published JSON Schema (2020-12): what `planhub schema` prints.

One schema for an assertion, with one definition per kind for its value. Every leaf field carries `x-planhub-kind` and
`x-planhub-category` (`assertion` where it follows its assertion's own category), so that a reader of a plan, or a map's
author, can see what a field leaves under without reading our code.
"""

from collections.abc import Mapping
from typing import Any

from mappings.record.assertion import StoredAssertion
from mappings.record.elements import FOLLOWS_ASSERTION, elements
from mappings.record.kind import MODEL, PART, Kind

SCHEMA_ID = "urn:planhub:schema:record"
Json = dict[str, Any]


def record_schema() -> Json:
    """The whole schema; a fresh object at each call."""
    envelope = StoredAssertion.model_json_schema()
    shared = envelope.pop("$defs")
    envelope["properties"]["value"] = {
        "type": "object",
        "description": "In the shape of its kind; see oneOf.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **envelope,
        "oneOf": [
            {"properties": {"kind": {"const": kind}, "value": {"$ref": f"#/$defs/{kind}"}}} for kind in Kind
        ],
        "$defs": {**shared, **{str(kind): kind_schema(kind) for kind in Kind}},
    }


def kind_schema(kind: Kind) -> Json:
    """The schema of one kind's value, self-contained, each leaf field with its kind and category."""
    schema = MODEL[kind].model_json_schema()
    inner = schema.pop("$defs", {})
    whole: Json = _inlined(schema, inner)
    whole["x-planhub-kind"] = str(kind)
    whole["x-planhub-part"] = str(PART[kind])
    _mark(whole, kind, "")
    return whole


def _inlined(node: Any, inner: Mapping[str, Any]) -> Any:
    """The node with references into `inner` replaced by what they name; our models do not recurse."""
    if isinstance(node, list):
        return [_inlined(item, inner) for item in node]
    if not isinstance(node, dict):
        return node
    if target := node.get("$ref"):
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {**_inlined(inner[target.removeprefix("#/$defs/")], inner), **beside}
    return {key: _inlined(value, inner) for key, value in node.items()}


def _mark(node: Json, kind: Kind, prefix: str) -> None:
    for name, field in node["properties"].items():
        path = f"{prefix}{name}"
        nested = _object_in(field)
        if nested is not None:
            _mark(nested, kind, f"{path}.")
            continue
        element = elements()[kind, path]
        field["x-planhub-kind"] = str(kind)
        field["x-planhub-category"] = element.category or FOLLOWS_ASSERTION
        if element.note:
            field["x-planhub-note"] = element.note


def _object_in(field: Json) -> Json | None:
    """The object a field holds, alone, as a choice with null, or as an array's items; None for a leaf."""
    candidates = [field, *field.get("anyOf", ()), *([field["items"]] if "items" in field else ())]
    return next((found for found in candidates if "properties" in found), None)
