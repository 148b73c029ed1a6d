"""What is cut out of everything received before anything of it is written (ARCHITECTURE §4).

Cut: fields named for a social security number, citizenship, immigration, a visa or a password, with all they hold; the
smallest object that says by a code or system that it is about one of these (an identification code of the system SSN, a
characteristic `Immigrant`); and in any text, a number written as a social security number is (000-00-0000).

Not done: nine digits without hyphens are left alone, since student and case numbers look the same; words in free text
("her visa ran out") are not looked for, since no rule finds them without cutting the rest of the sentence. Free text takes
the strictest category its author ticks, and its author is told not to write such things.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

_FIELD = re.compile(
    r"^ssn$|^ssn(?=number|last|encrypted)|(?<=student)ssn|(?<=contact)ssn|socialsecurity|socsec|citizenship|immigra"
    r"|^visas?$|visa(?:type|descriptor|number|status|class)|(?:student|document)visa|passw|^pwd$|passphrase|greencard"
    r"|alienregistration|naturali[sz]ation"
)
"""Matched against a field's name in lower case without punctuation."""

_CODE = re.compile(
    r"\bssn\b|us-ssn|social\s*security|immigra|\bvisa\b|citizenship|\brefugee\b|\basyl(?:um|ee)|undocumented"
    r"|alien\s*registration|green\s*card|permanent\s*resident|2\.16\.840\.1\.113883\.4\.1(?!\d)",
    re.IGNORECASE,
)
"""Matched against values of fields that hold codes or systems. The last is the OID of US social security numbers."""

_NUMBER_LENGTH = len("000-00-0000")
_CODE_FIELDS = ("descriptor", "system", "type", "code", "use", "kind", "identificationdocument")

_NUMBER = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
"""A number as the Social Security Administration issues it (POMS RM 10201.030): never area 000, 666 or 900-999."""

_GONE = object()
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """A document after the cut. `raw` is byte for byte what was received where nothing was cut, else the rest as JSON."""

    raw: bytes = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)
    cuts: int


def cut(raw: bytes, body: Mapping[str, Any]) -> Kept:
    """What may be kept of a received record, and how many things were cut."""
    count = [0]
    kept = _object(body, count, 0)
    if not count[0]:
        return Kept(raw, body, 0)
    rest: dict[str, Any] = kept if isinstance(kept, dict) else {}
    return Kept(json.dumps(rest, ensure_ascii=False, separators=(",", ":")).encode(), rest, count[0])


_NOTHING, _CODES, _NEVER = range(3)
"""What a field's name says of what it holds."""


class _Names(dict[str, int]):
    """What fields' names say, each worked out once; names come from outside, so only so many are remembered."""

    def __missing__(self, name: str) -> int:
        named = "".join(letter for letter in name.lower() if letter.isalnum())
        if _FIELD.search(named) is not None:
            says = _NEVER
        else:
            says = _CODES if named.endswith(_CODE_FIELDS) else _NOTHING
        if len(self) >= _MOST_NAMES:
            self.clear()
        self[name] = says
        return says


_MOST_NAMES = 8_192
_NAMES = _Names()


def never_field(name: str) -> bool:
    """Whether a field of this name is never kept, however it is written (`SSN`, `social_security_no`)."""
    return _NAMES[name] == _NEVER


@lru_cache(maxsize=8_192)
def _never_code(value: str) -> bool:
    return _CODE.search(value) is not None


def _value(value: Any, count: list[int], depth: int) -> Any:
    """The value without what is never kept: itself where there is nothing of it, as in most of what comes."""
    if isinstance(value, str):
        if len(value) < _NUMBER_LENGTH:
            return value
        kept, found = _NUMBER.subn("", value)
        count[0] += found
        return kept if found else value
    if isinstance(value, dict):
        return _object(value, count, depth + 1)
    if isinstance(value, list):
        return _array(value, count, depth + 1)
    return value


def _array(value: list[Any], count: list[int], depth: int) -> list[Any]:
    before = count[0]
    kept = [_value(member, count, depth) for member in value]
    return value if count[0] == before else [member for member in kept if member is not _GONE]


def _object(value: Mapping[str, Any], count: list[int], depth: int) -> Any:
    """The object without what is never kept; `_GONE` where the whole of it is, except at the top."""
    if depth > MAX_DEPTH:  # adapters refuse such depth; were one to get here, nothing below is kept
        count[0] += 1
        return _GONE
    changed: dict[str, Any] = {}
    for name, member in value.items():
        says = _NAMES[name]
        if (
            says == _NOTHING
            and member.__class__ is str
            and (len(member) < _NUMBER_LENGTH or "-" not in member)
        ):
            continue  # nearly all there is
        if says == _NEVER:
            count[0] += 1
            changed[name] = _GONE
        elif says == _CODES and isinstance(member, str) and _never_code(member):
            count[0] += 1
            if depth:
                return _GONE
            changed[name] = _GONE
        else:
            rest = _value(member, count, depth)
            if rest is not member:
                changed[name] = rest
    if not changed:
        return value
    kept = ((name, changed.get(name, member)) for name, member in value.items())
    return {name: member for name, member in kept if member is not _GONE}
