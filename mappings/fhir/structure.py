"""The structural gate for FHIR R4 JSON: what we receive and what we send passes here before anything else reads it.

`read_json` turns bytes into one JSON value; `check_structure` says whether a resource is shaped as R4 says. The second uses
`fhir.resources.R4B`, whose models have exactly R4's elements for the types we use, and adds what that library lets
through: Python spellings of reserved names (`for_fhir`), nulls, empty arrays and objects, blank strings, over-long ids and
references with white space (health.md §4). Codes are checked in `bindings`, profiles in `profiles`. The library is never
the serializer of record: it re-prints instants and decimals.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from mappings.record.issue import Issue, IssueCode, Severity

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 40
MAX_ISSUES = 100

# FHIR R4 JSON: an element's name, or `_name` for a primitive's extensions; datatypes: code and id.
_ELEMENT = re.compile(r"_?[A-Za-z][A-Za-z0-9]*")
_CODE = re.compile(r"\S+(\s\S+)*")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")

_NO_SPACE = frozenset({"reference", "system", "fullUrl"})

Json = dict[str, Any]
Found = tuple[IssueCode, str, str]


class _TwiceNamedError(ValueError):
    """A JSON object that names one member twice; which of them was meant nobody can say."""


def _unique(pairs: Sequence[tuple[str, Any]]) -> Json:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _TwiceNamedError
    return members


def _no_constant(_: str) -> Any:
    msg = "NaN and Infinity are not JSON"
    raise ValueError(msg)


def read_json(document: bytes, *, path: str = "") -> tuple[Json | None, tuple[Issue, ...]]:
    """One JSON object out of received bytes, or None and why not. A byte order mark is tolerated (RFC 8259 §8.1)."""
    if len(document) > MAX_BYTES:
        why = IssueCode.TOO_LARGE, f"the document is larger than {MAX_BYTES} bytes; split it"
        return None, (_issue(why[0], path, why[1]),)
    try:
        text = document.decode("utf-8-sig")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        why = IssueCode.BAD_ENCODING, "the document is not UTF-8; send JSON in UTF-8"
    except RecursionError:
        why = IssueCode.TOO_DEEP, "the document is nested too deeply"
    except _TwiceNamedError:
        why = IssueCode.DUPLICATE, "an object names one member twice"
    except ValueError:
        why = IssueCode.BAD_VALUE, "the document is not JSON; send application/fhir+json"
    else:
        if isinstance(value, dict):
            return value, ()
        why = IssueCode.BAD_VALUE, "the document is not a JSON object with a resourceType"
    return None, (_issue(why[0], path, why[1]),)


def check_structure(resource: Any, *, path: str | None = None) -> tuple[Issue, ...]:
    """What keeps `resource` from being an R4 resource: every issue an error, none quoting a value; empty where it is one.

    `path` replaces the resource's type as the start of every issue's path.
    """
    if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
        return (
            _issue(IssueCode.REQUIRED, path or "", "there is no resourceType; send one FHIR R4 resource"),
        )
    start = path or (resource["resourceType"] if _ELEMENT.fullmatch(resource["resourceType"]) else "resource")
    found: list[Found] = []
    for one in _faults(resource, start, 0):
        found.append(one)
        if len(found) >= MAX_ISSUES:
            break
    if not found:
        found.extend(_model_faults(resource, start))
    return tuple(_issue(*one) for one in found[:MAX_ISSUES])


def _faults(node: Any, path: str, depth: int) -> Iterator[Found]:
    """What the library lets through, found by walking the JSON."""
    if depth > MAX_DEPTH:
        yield IssueCode.TOO_DEEP, path, f"elements are nested more than {MAX_DEPTH} deep"
    elif isinstance(node, dict):
        yield from _object_faults(node, path, depth)
    elif isinstance(node, list):
        if not node:
            yield IssueCode.BAD_VALUE, path, "an array is empty; leave the element out"
        is_primitive = path.rpartition(".")[2].startswith("_")
        for index, item in enumerate(node):
            if item is None and not is_primitive and not _padded(node):
                yield (
                    IssueCode.BAD_VALUE,
                    f"{path}.{index}",
                    "null is no value in FHIR; leave the element out",
                )
            elif item is not None:
                yield from _faults(item, f"{path}.{index}", depth + 1)
    elif isinstance(node, str) and not node.strip():
        yield IssueCode.BAD_VALUE, path, "a text is empty or blank; leave the element out"


def _padded(items: list[Any]) -> bool:
    """An array of primitives may hold nulls where a `_name` sibling says something about that place (R4 JSON §2.6.2.3)."""
    return any(isinstance(item, str | int | float | bool) for item in items)


def _object_faults(node: Mapping[str, Any], path: str, depth: int) -> Iterator[Found]:
    if not node:
        yield IssueCode.BAD_VALUE, path, "an object is empty; leave the element out"
    for name, value in node.items():
        if not isinstance(name, str) or not _ELEMENT.fullmatch(name):
            yield IssueCode.UNKNOWN_FIELD, path, "an element's name is not one FHIR could have"
            continue
        below = f"{path}.{name}"
        if value is None:
            yield IssueCode.BAD_VALUE, below, "null is no value in FHIR; leave the element out"
        elif name == "resourceType" and depth and not _known(value):
            yield IssueCode.UNKNOWN_FIELD, below, "R4 has no such resource type"
        elif (
            name == "id" and "resourceType" in node and not (isinstance(value, str) and _ID.fullmatch(value))
        ):
            yield IssueCode.BAD_VALUE, below, "an id is 1 to 64 letters, digits, hyphens and dots"
        elif name in _NO_SPACE and isinstance(value, str) and any(c.isspace() for c in value):
            yield IssueCode.BAD_VALUE, below, f"a {name} holds white space"
        elif name == "code" and isinstance(value, str) and not _CODE.fullmatch(value):
            yield (
                IssueCode.BAD_VALUE,
                below,
                "a code has white space at its ends, or more than one blank inside",
            )
        else:
            yield from _faults(value, below, depth + 1)


@lru_cache(maxsize=256)
def _model(resource_type: str) -> Any:
    """The library's model of a type, or None. The library is imported with the first resource: it takes 0.3 s and 30 MB."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        return get_fhir_model_class(resource_type)
    except Exception:  # noqa: BLE001 - the library answers an unknown name with ValueError, KeyError or AttributeError
        return None


def _known(resource_type: Any) -> bool:
    is_name = isinstance(resource_type, str) and _ELEMENT.fullmatch(resource_type) is not None
    return is_name and _model(resource_type) is not None


_TEXT = {
    "extra_forbidden": (
        IssueCode.UNKNOWN_FIELD,
        "R4 has no such element here; put it in an extension or leave it out",
    ),
    "model_field_validation.missing": (IssueCode.REQUIRED, "a required element is missing"),
    "missing": (IssueCode.REQUIRED, "a required element is missing"),
}


def _model_faults(resource: Json, start: str) -> Iterator[Found]:
    """What the library's model of the type refuses."""
    if not _known(resource["resourceType"]):
        yield IssueCode.UNKNOWN_FIELD, f"{start}.resourceType", "R4 has no such resource type"
        return
    try:
        _model(resource["resourceType"]).model_validate(resource)
    except ValidationError as error:
        for found in error.errors(include_input=False, include_url=False, include_context=False):
            where = ".".join([start, *map(str, found["loc"])])
            code, text = _TEXT.get(
                found["type"], (IssueCode.BAD_VALUE, "the value does not have its element's type")
            )
            if "one of field value is expected" in found["msg"]:
                text = "more than one, or none, of an element's choice of types is given"
            yield code, where, text
    except Exception:  # noqa: BLE001 - bad input is a value: what the library cannot even refuse is refused here
        yield IssueCode.BAD_VALUE, start, "the resource could not be read as R4"


def _issue(code: IssueCode, path: str, text: str) -> Issue:
    return Issue(severity=Severity.ERROR, code=code, path=path, text=text)
