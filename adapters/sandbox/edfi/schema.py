"""JSON Schemas of what is served, derived from the documents themselves and the standard's natural keys.

Named as Ed-Fi names them: `edFi_student`, `edFi_studentReference`, `edFi_studentOtherName`, and below `_ext` one
schema per extension project. `required` holds the natural key only: what else a host demands is not for a sample of
its documents to say.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from adapters.sandbox.edfi import keys
from adapters.sandbox.edfi.keys import Document

Schema = dict[str, Any]
REF = "#/components/schemas/"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
_INT32 = 2**31


def schema_name(resource: str) -> str:
    """`students` → `edFi_student`; `sample/busRoutes` → `sample_busRoute`."""
    project, _, plural = resource.rpartition("/")
    return f"{project or 'edFi'}_{keys.singular(plural)}"


def schemas(documents: Mapping[str, Iterable[Document]]) -> dict[str, Schema]:
    """All schemas for the resources served, by name."""
    found: dict[str, Schema] = {
        "link": {"type": "object", "properties": {"rel": {"type": "string"}, "href": {"type": "string"}}}
    }
    for resource, items in documents.items():
        name = schema_name(resource)
        schema = found.setdefault(name, _object())
        identity = keys.members(resource)
        for document in items:
            _describe(found, name, schema, document)
        for member in identity:
            if member not in schema["properties"]:  # known even where no document is served
                _member(found, name, schema, member, {} if member.endswith("Reference") else "")
            _mark(found, schema["properties"][member])
        schema["required"] = sorted(identity)
        schema["properties"] |= {
            "_etag": {"type": "string"},
            "_lastModifiedDate": {"type": "string", "format": "date-time"},
        }
        schema["properties"] = {"id": {"type": "string"}, **schema["properties"]}
        if not schema["required"]:
            del schema["required"]
    return found


def _describe(found: dict[str, Schema], name: str, schema: Schema, document: Document) -> None:
    for member, value in document.items():
        _member(found, name, schema, member, value)


def _member(found: dict[str, Schema], owner: str, schema: Schema, member: str, value: Any) -> None:
    properties = schema["properties"]
    if member == "_ext":
        properties[member] = {"$ref": f"{REF}{owner}Extensions"}
        _extensions(found, owner, value)
    elif isinstance(value, dict):
        name = f"edFi_{member}" if member.endswith("Reference") else owner + _upper(member)
        part = found.setdefault(name, _object())
        properties[member] = {"$ref": REF + name}
        _describe(found, name, part, value)
        if member.endswith("Reference"):
            part["required"] = sorted(inner for inner in part["properties"] if inner != "link")
            part["properties"]["link"] = {"$ref": f"{REF}link"}
    elif isinstance(value, list):
        properties.setdefault(member, {"type": "array", "items": {}})
        for item in value:
            if isinstance(item, dict):
                name = owner + _upper(keys.singular(member))
                properties[member]["items"] = {"$ref": REF + name}
                _describe(found, name, found.setdefault(name, _object()), item)
            elif item is not None:
                properties[member]["items"] = _leaf(member, item)
    elif value is not None:
        properties[member] = _wider(properties.get(member), _leaf(member, value))


def _extensions(found: dict[str, Schema], owner: str, value: Document) -> None:
    shell = found.setdefault(f"{owner}Extensions", _object())
    for project, members in value.items():
        name = f"{project}_{owner.partition('_')[2]}Extension"
        shell["properties"][project] = {"$ref": REF + name}
        _describe(found, name, found.setdefault(name, _object()), members)


def _mark(found: dict[str, Schema], property_schema: Schema) -> None:
    """Tell that a member belongs to the natural key."""
    reference = property_schema.get("$ref")
    if reference is None:
        property_schema["x-Ed-Fi-isIdentity"] = True
        return
    for name, inner in found[reference.removeprefix(REF)]["properties"].items():
        if name != "link":
            inner["x-Ed-Fi-isIdentity"] = True


def _leaf(member: str, value: Any) -> Schema:
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        return {"type": "integer", "format": "int32" if abs(value) < _INT32 else "int64"}
    if isinstance(value, float):
        return {"type": "number", "format": "double"}
    if member.endswith("Descriptor"):
        return {"type": "string", "maxLength": 306}
    if _DATE.fullmatch(value):
        return {"type": "string", "format": "date"}
    return {"type": "string", "format": "date-time"} if _MOMENT.match(value) else {"type": "string"}


def _wider(known: Schema | None, seen: Schema) -> Schema:
    """The schema that admits both: an integer beside a number is a number, a date beside free text is text."""
    if known is None or known["type"] == seen["type"] == "boolean":
        return seen
    if known["type"] != seen["type"]:
        kinds = {known["type"], seen["type"]}
        return (
            {"type": "number", "format": "double"} if kinds == {"integer", "number"} else {"type": "string"}
        )
    if known.get("format") != seen.get("format"):
        return {"type": "integer", "format": "int64"} if seen["type"] == "integer" else {"type": seen["type"]}
    return known


def _object() -> Schema:
    return {"type": "object", "properties": {}}


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]
