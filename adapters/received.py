"""Bytes that came from outside, read within bounds and kept exactly as they came.

A document of many records is cut into records without re-serialising: what is sealed per child is byte for byte what
the source sent (ARCHITECTURE §4).
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from mappings.record.issue import Issue, IssueCode, Severity

MAX_DEPTH = 64
"""Nesting accepted in JSON from outside. FHIR and Ed-Fi documents stay below 20."""

# A string is taken whole; the unterminated one at the end counts as one too, so that the scan stays linear.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_SQUARE = bytes.maketrans(b"{}", b"[]")
_WHITESPACE = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Received:
    """One JSON value: the bytes it came in and what they mean."""

    raw: bytes = field(repr=False)
    value: Any = field(repr=False)


def _issue(code: IssueCode, text: str) -> Issue:
    return Issue(severity=Severity.ERROR, code=code, path="", text=text)


def _no_constant(_: str) -> NoReturn:
    msg = "NaN and Infinity are not JSON"
    raise ValueError(msg)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def too_deep(data: bytes, max_depth: int = MAX_DEPTH) -> bool:
    """Whether JSON nests deeper than allowed; before any recursive parser sees it.

    Of the brackets alone, innermost pairs are taken away level by level. What then is left has no partner: that is no
    JSON, and its opening brackets count as if each were in the one before.
    """
    brackets = _STRING.sub(b"", data).translate(_SQUARE, _NOT_BRACKETS)
    levels = 0
    while levels <= max_depth and len(rest := brackets.replace(b"[]", b"")) < len(brackets):
        brackets, levels = rest, levels + 1
    return levels + brackets.count(b"[") > max_depth


def _text(data: bytes, max_depth: int) -> str | Issue:
    data = data.removeprefix(_BOM)  # the Ed-Fi dependencies document begins with one
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _issue(
            IssueCode.BAD_ENCODING, "The document is not UTF-8, as RFC 8259 asks. Export it as UTF-8."
        )
    if too_deep(data, max_depth):
        return _issue(
            IssueCode.TOO_DEEP, f"The JSON nests deeper than {max_depth} levels. Send it in a flatter form."
        )
    return text


def parse_json(data: bytes, max_depth: int = MAX_DEPTH) -> Any | Issue:
    """The value of one JSON document, or the Issue that says why there is none; never raises.

    Stricter than `json.loads`: UTF-8 only (a byte order mark is tolerated), no NaN, no unpaired surrogate, bounded depth.
    """
    text = _text(data, max_depth)
    if isinstance(text, Issue):
        return text
    try:
        value = _DECODER.decode(text)
        if _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return _issue(
            IssueCode.BAD_ENCODING, "A string holds half of a surrogate pair, which is not a character."
        )
    except ValueError as fault:  # its message may quote the document, so only the place is told
        place = (
            f" at line {fault.lineno}, column {fault.colno}"
            if isinstance(fault, json.JSONDecodeError)
            else ""
        )
        return _issue(
            IssueCode.BAD_VALUE, f"The document is not valid JSON{place}. Check that it arrived whole."
        )
    return value


def _skip(text: str, at: int) -> int:
    found = _WHITESPACE.match(text, at)
    return found.end() if found else at


_Span = tuple[int, int, Any]


def _elements(text: str, at: int) -> tuple[list[_Span], int]:
    """Each element of the array that opens at `at`: where it begins and ends, and its value; and where the array ends.

    Raises ValueError or IndexError where it is no JSON array.
    """
    if text[at] != "[":
        raise ValueError(at)
    found: list[_Span] = []
    at = _skip(text, at + 1)
    if text[at] == "]":
        return found, at + 1
    while True:
        value, end = _DECODER.raw_decode(text, at)
        found.append((at, end, value))
        at = _skip(text, end)
        if text[at] == "]":
            return found, at + 1
        if text[at] != ",":
            raise ValueError(at)
        at = _skip(text, at + 1)


def _member(text: str, at: int, name: str) -> int | None:
    """Where the value of the last member called `name` begins (the last one is what a parser keeps)."""
    found = None
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)  # over the colon
        if key == name:
            found = at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _received(text: str, start: int, end: int, value: Any) -> Received:
    return Received(text[start:end].encode("utf-8"), value)


def split_array(data: bytes, max_depth: int = MAX_DEPTH) -> list[Received] | Issue:
    """The elements of a JSON array, each with exactly its own bytes; parsed once where the document is sound."""
    text = _text(data, max_depth)
    if isinstance(text, Issue):
        return text
    try:
        spans, end = _elements(text, _skip(text, 0))
        sound = _skip(text, end) == len(text) and not _SURROGATE.search(data)
    except (ValueError, IndexError):
        spans, sound = [], False
    if not sound:
        whole = parse_json(data, max_depth)  # it says what is wrong, if anything
        if isinstance(whole, Issue):
            return whole
        if not isinstance(whole, list):
            return _issue(IssueCode.BAD_VALUE, "The document is not a JSON array.")
    return [_received(text, *span) for span in spans]


def split_entries(data: bytes, max_depth: int = MAX_DEPTH) -> tuple[dict[str, Any], list[Received]] | Issue:
    """A FHIR Bundle and its resources (`entry[*].resource`), each with exactly its own bytes.

    Entries without a resource (a deletion, an outcome) have no place in the list.
    """
    whole = parse_json(data, max_depth)
    if isinstance(whole, Issue):
        return whole
    if not isinstance(whole, dict) or not isinstance(whole.get("entry", []), list):
        return _issue(IssueCode.BAD_VALUE, "The document is not a FHIR Bundle.")
    text = data.removeprefix(_BOM).decode("utf-8")
    entries = _member(text, _skip(text, 0), "entry")
    resources: list[Received] = []
    for entry, _, _ in _elements(text, entries)[0] if entries is not None else ():
        resource = _member(text, entry, "resource") if text[entry] == "{" else None
        if resource is not None:
            value, end = _DECODER.raw_decode(text, resource)
            resources.append(_received(text, resource, end, value))
    return whole, resources
