"""Canonical JSON (JCS, RFC 8785) over the part of JSON whose form is beyond doubt.

Accepted: objects with text keys, lists, tuples, text, integers a double holds exactly, booleans, null. Not accepted: floats (their
shortest form is where implementations differ), larger integers, text with lone surrogates. So equal values have equal
bytes in every language.
"""

from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

_EXACT = 2**53 - 1  # RFC 8785 §3.2.2.3: numbers are IEEE 754 doubles


def canonical_json(value: Any) -> bytes:
    """The one UTF-8 spelling of a value; raises ValueError for a value outside the accepted part."""
    return _encoded(_spelled(value))


def canonical_object(spelled: Mapping[str, bytes]) -> bytes:
    """An object whose values are spelled already: the same bytes as `canonical_json` of the whole."""
    members = [_encoded(encode_basestring(key)) + b":" + spelled[key] for key in _ordered(spelled)]
    return b"{" + b",".join(members) + b"}"


def _spelled(value: Any) -> str:  # noqa: PLR0911 - one for each kind of value
    if value is None:
        return "null"
    if value.__class__ is str:
        return encode_basestring(value)
    if isinstance(value, str):
        return encode_basestring(str(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) <= _EXACT:
        return str(int(value))
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([_spelled(item) for item in value]) + "]"
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        members = [f"{encode_basestring(str(key))}:{_spelled(value[key])}" for key in _ordered(value)]
        return "{" + ",".join(members) + "}"
    msg = f"canonical JSON does not hold a {type(value).__name__} here"
    raise ValueError(msg)


def _ordered(keys: Mapping[str, Any]) -> list[str]:
    """The keys in the order of their UTF-16 code units (RFC 8785 §3.2.3); of ASCII that is Python's own order."""
    if all(key.isascii() for key in keys):
        return sorted(keys)
    return sorted(keys, key=lambda key: _encoded(key, "utf-16-be"))


def _encoded(text: str, encoding: str = "utf-8") -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        msg = "canonical JSON does not hold text with a lone surrogate"
        raise ValueError(msg) from None
