"""The named functions a map may call: a closed registry of small pure functions.

Each takes the value (never nothing: the engine does not call a function on an absent value) and literal arguments from
the map, and returns a value, or None for nothing. A value it cannot read raises ValueError, which the engine turns into
an issue at the source path; nothing else may be raised. What a real map needs and cannot say is added here with tests,
never as an expression language.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from mappings.record.issue import IssueCode

_ISO_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ][\d:.+Z-]*)?", re.ASCII)
_US_DATE = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})")
_DECIMAL = re.compile(r"\d{1,6}(\.\d{1,4})?", re.ASCII)
_NOT_DIGIT = re.compile(r"\D+")
_WHITE = re.compile(r"\s+")
_NANP = 10  # digits of a North American number without its country code
_TRUE = frozenset({"true", "yes", "y", "1", "x", "t"})
_FALSE = frozenset({"false", "no", "n", "0", "f"})


def date_iso(value: str) -> str:
    """ISO 8601 year-month-day, or that part of an ISO date-time, checked: 2014-02-30 and 20140230 are refused."""
    found = _ISO_DATE.fullmatch(value.strip())
    if not found:
        raise ValueError
    return date.fromisoformat(found[1]).isoformat()


def date_us(value: str) -> str:
    """Month/day/year with four digits of year, or ISO. Two-digit years are refused: a century is not guessed."""
    found = _US_DATE.fullmatch(value.strip())
    if not found:
        return date_iso(value)
    month, day, year = (int(part) for part in found.groups())
    return date(year, month, day).isoformat()


def datetime_iso(value: str) -> str:
    """ISO 8601 date-time, checked and kept as its source wrote it (the offset is a fact, not noise)."""
    text = value.strip()
    datetime.fromisoformat(text)
    return text


def noon_utc(value: str) -> str:
    """A calendar date as a moment on that day everywhere in the Americas: noon UTC, since no time of day is known."""
    return f"{date_iso(value)}T12:00:00Z"


def lower(value: str) -> str:
    """Lower case, by Unicode."""
    return value.lower()


def upper(value: str) -> str:
    """Upper case, by Unicode."""
    return value.upper()


def strip(value: str) -> str | None:
    """Without white space at the ends; white space alone is nothing."""
    return value.strip() or None


def squeeze(value: str) -> str | None:
    """One space for every run of white space, none at the ends."""
    return _WHITE.sub(" ", value).strip() or None


def plain(value: str) -> str | None:
    """Lower case without accents and outer white space: for codes typed by hand, never for names."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", value) if not unicodedata.combining(c))
    return _WHITE.sub(" ", bare).strip().lower() or None


def phone(value: str) -> str | None:
    """Digits, with `+` where the source had it; ten digits of North America get `+1`; fewer than 7 are refused."""
    text = value.strip()
    if not text:
        return None
    digits = _NOT_DIGIT.sub("", text)
    if len(digits) < 7 or len(digits) > 15:  # noqa: PLR2004 - ITU-T E.164: at most 15; 7 is the shortest local number
        raise ValueError
    if text.startswith("+"):
        return f"+{digits}"
    if len(digits) == _NANP:
        return f"+1{digits}"
    return f"+{digits}" if len(digits) == _NANP + 1 and digits[0] == "1" else digits


def email(value: str) -> str | None:
    """Stripped; must hold one `@` with something on both sides. The local part keeps its case (RFC 5321 §2.3.11)."""
    text = value.strip()
    if not text:
        return None
    local, _, domain = text.rpartition("@")
    if not local or not domain or "@" in local or " " in text:
        raise ValueError
    return f"{local}@{domain.lower()}"


def descriptor_code(value: str) -> str | None:
    """The code value of an Ed-Fi descriptor: what follows `#` in `uri://ed-fi.org/SexDescriptor#Female`.

    Ed-Fi API design guidelines, descriptors: `uri://{namespace}/{Name}Descriptor#{CodeValue}`.
    """
    return value.rpartition("#")[2].strip() or None


def descriptor_system(value: str) -> str | None:
    """The namespace and name of an Ed-Fi descriptor: what stands before `#`; nothing where there is no `#`."""
    return value.rpartition("#")[0].strip() or None


def true_false(value: object) -> bool:
    """true/false, yes/no, y/n, 1/0, t/f and the X mark of a sheet. OneRoster 1.2 writes booleans as text."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else ""
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError


def text(value: object) -> str:
    """A number or boolean as text: Ed-Fi's `schoolId` is a number, our identifiers are text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    raise ValueError


def whole_number(value: object) -> int:
    """A count or minutes written as text or number, without a fraction and not below zero."""
    if isinstance(value, str):
        word = value.strip()
        if not word.isascii() or not word.isdigit() or len(word) > 9:  # noqa: PLR2004 - no count of ours is longer
            raise ValueError
        return int(word)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, float) and value >= 0 and value.is_integer():
        return int(value)
    raise ValueError


def decimal(value: object) -> str:
    """Hours or minutes with a fraction, not below zero, as text: 1.5 stays 1.5 and never becomes 1.4999."""
    word = text(value).strip()
    if not _DECIMAL.fullmatch(word):
        raise ValueError
    return word


def next_day(value: str) -> str:
    """The day after: a sheet's last day as the open end of a half-open period."""
    try:
        return (date.fromisoformat(date_iso(value)) + timedelta(days=1)).isoformat()
    except OverflowError as error:  # the last day of the year 9999
        raise ValueError from error


def split(value: str, separator: str = ",") -> list[str] | None:
    """Parts between separators, stripped, empties left out: OneRoster's lists are comma-joined in one cell."""
    return [part for part in (piece.strip() for piece in value.split(separator)) if part] or None


def first(value: list[Any]) -> Any:
    """The first of a list."""
    return value[0] if value else None


def only(value: list[Any]) -> Any:
    """The one member of a list; more than one is refused rather than guessed."""
    if len(value) > 1:
        raise ValueError
    return value[0] if value else None


def distinct(value: list[Any]) -> list[Any]:
    """A list without repeats, in order of first appearance."""
    seen: list[Any] = []
    for member in value:
        if member not in seen:
            seen.append(member)
    return seen


def flatten(value: list[Any]) -> list[Any] | None:
    """Lists in a list as one list; members that are no lists stay."""
    flat: list[Any] = []
    for member in value:
        flat.extend(member if isinstance(member, list) else [member])
    return flat or None


def before(value: str, mark: str) -> str | None:
    """What stands before the first `mark`; the whole text where the mark is absent."""
    return value.partition(mark)[0].strip() or None


def after(value: str, mark: str) -> str | None:
    """What follows the first `mark`; nothing where the mark is absent."""
    return value.partition(mark)[2].strip() or None


@dataclass(frozen=True, slots=True)
class Function:
    """A registry entry: what it takes and gives, how many literal arguments, which issue a refusal makes, and its loss.

    `loses` is empty where the way back is certain.
    """

    call: Callable[..., Any]
    takes: str
    gives: str
    code: IssueCode
    loses: str
    least_args: int = 0
    most_args: int = 0


_BAD = IssueCode.BAD_VALUE
_DATE = IssueCode.BAD_DATE

FUNCTIONS: Mapping[str, Function] = {
    "date_iso": Function(date_iso, "text", "text", _DATE, "the time of day, where there was one"),
    "date_us": Function(date_us, "text", "text", _DATE, "how the date was written"),
    "datetime_iso": Function(datetime_iso, "text", "text", _DATE, ""),
    "noon_utc": Function(noon_utc, "text", "text", _DATE, "that no time of day was known"),
    "lower": Function(lower, "text", "text", _BAD, "upper case"),
    "upper": Function(upper, "text", "text", _BAD, "lower case"),
    "strip": Function(strip, "text", "text", _BAD, "white space at the ends"),
    "squeeze": Function(squeeze, "text", "text", _BAD, "runs of white space"),
    "plain": Function(plain, "text", "text", _BAD, "case, accents and white space"),
    "phone": Function(phone, "text", "text", _BAD, "punctuation and extension of the number"),
    "email": Function(email, "text", "text", _BAD, "upper case in the domain"),
    "descriptor_code": Function(descriptor_code, "text", "text", _BAD, "the descriptor's namespace"),
    "descriptor_system": Function(descriptor_system, "text", "text", _BAD, "the descriptor's code"),
    "true_false": Function(true_false, "any", "boolean", _BAD, "how yes and no were written"),
    "text": Function(text, "any", "text", _BAD, ""),
    "whole_number": Function(whole_number, "any", "integer", _BAD, ""),
    "decimal": Function(decimal, "any", "text", _BAD, ""),
    "next_day": Function(next_day, "text", "text", _DATE, ""),
    "split": Function(split, "text", "list", _BAD, "empty parts and white space", 0, 1),
    "first": Function(first, "list", "any", _BAD, "all but the first"),
    "only": Function(only, "list", "any", _BAD, ""),
    "distinct": Function(distinct, "list", "list", _BAD, "repeats"),
    "flatten": Function(flatten, "list", "list", _BAD, "which list a member came from"),
    "before": Function(before, "text", "text", _BAD, "what follows the mark", 1, 1),
    "after": Function(after, "text", "text", _BAD, "what stands before the mark", 1, 1),
}
"""The closed registry. A map that calls anything else is refused when it is saved."""
