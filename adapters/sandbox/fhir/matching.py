"""Whether a resource meets one search criterion (FHIR R4 §3.1.1.4 and §3.1.1.5)."""

import calendar
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.sandbox.fhir.outcome import Resource, invalid
from adapters.sandbox.fhir.parameters import Kind, Parameter

Range = tuple[datetime, datetime]
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T.*)?)?)?")
_COMPARISONS: Mapping[str, Callable[[Range, Range], bool]] = {
    "eq": lambda value, asked: asked[0] <= value[0] and value[1] <= asked[1],
    "ne": lambda value, asked: not (asked[0] <= value[0] and value[1] <= asked[1]),
    "gt": lambda value, asked: value[1] > asked[1],
    "ge": lambda value, asked: value[1] > asked[1] or (asked[0] <= value[0] and value[1] <= asked[1]),
    "lt": lambda value, asked: value[0] < asked[0],
    "le": lambda value, asked: value[0] < asked[0] or (asked[0] <= value[0] and value[1] <= asked[1]),
    "sa": lambda value, asked: value[0] >= asked[1],
    "eb": lambda value, asked: value[1] <= asked[0],
}


def values(resource: Any, path: str) -> Iterator[Any]:
    """All values at a path; arrays on the way are opened."""
    head, _, rest = path.partition(".")
    found = resource.get(head) if isinstance(resource, dict) else None
    for one in found if isinstance(found, list) else [] if found is None else [found]:
        if rest:
            yield from values(one, rest)
        else:
            yield one


def matches(resource: Resource, parameter: Parameter, modifier: str, wanted: str, base: str) -> bool:
    """Whether a resource meets one value or another of a criterion (values joined by commas mean OR)."""
    found = [value for path in parameter.paths for value in values(resource, path)]
    if modifier == "missing":
        if wanted not in {"true", "false"}:
            raise invalid("The modifier :missing takes true or false.")
        return (not found) is (wanted == "true")
    test = _test(parameter, modifier, base)
    met = any(test(value, one) for one in _alternatives(wanted) for value in found)
    return not met if modifier == "not" else met


def _alternatives(wanted: str) -> list[str]:
    return [part.replace(r"\,", ",") for part in re.split(r"(?<!\\),", wanted)]


def _test(parameter: Parameter, modifier: str, base: str) -> Callable[[Any, str], bool]:
    """The comparison for a kind and modifier; RefusedError for a modifier that is not served."""
    kind = parameter.kind
    if kind is Kind.TOKEN and modifier in {"", "not"}:
        return token
    if kind is Kind.STRING and modifier in {"", "exact", "contains"}:
        return lambda value, asked: text(value, asked, modifier)
    if kind is Kind.REFERENCE and modifier in {"", "identifier"} | (
        {parameter.target} if parameter.target else set()
    ):
        if modifier == "identifier":
            return lambda value, asked: token(value.get("identifier", {}), asked)
        return lambda value, asked: reference(value, asked, parameter.target, base)
    if kind is Kind.DATE and not modifier:
        return date
    if kind is Kind.URI and not modifier:
        return lambda value, asked: bool(value == asked)
    raise invalid(f"The modifier :{modifier} is not served for a {kind} parameter.")


def token(value: Any, asked: str) -> bool:
    """`code`, `system|code`, `system|` and `|code` against a code, Coding, CodeableConcept, Identifier or telecom."""
    system, bar, code = asked.rpartition("|")
    for found_system, found_code in _codes(value):
        if code and found_code != code:
            continue
        if not bar or (found_system or "") == system:
            return True
    return False


def _codes(value: Any) -> Iterator[tuple[str | None, str]]:
    if isinstance(value, bool):
        yield None, str(value).lower()
    elif isinstance(value, str):
        yield None, value
    elif "coding" in value:
        for coding in value["coding"]:
            yield coding.get("system"), coding.get("code", "")
    else:
        yield value.get("system"), value.get("code") or value.get("value") or ""


def text(value: Any, asked: str, modifier: str) -> bool:
    """Begins with, whatever case and accents; or exactly; or contains."""
    if modifier == "exact":
        return bool(value == asked)
    plain, wanted = _plain(str(value)), _plain(asked)
    return wanted in plain if modifier == "contains" else plain.startswith(wanted)


def _plain(word: str) -> str:
    apart = unicodedata.normalize("NFD", word.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def reference(value: Any, asked: str, target: str | None, base: str) -> bool:
    """A literal reference, relative or absolute; a bare id means the parameter's own type."""
    found = value.get("reference", "") if isinstance(value, dict) else ""
    wanted = asked.removeprefix(f"{base}/")
    if "/" not in wanted:
        return found == f"{target}/{wanted}" if target else found.rpartition("/")[2] == wanted
    return bool(found.removeprefix(f"{base}/").split("/_history/")[0] == wanted)


def date(value: Any, asked: str) -> bool:
    """A date, dateTime, instant or Period against a date with a prefix; both are ranges of their precision."""
    prefix = asked[:2] if asked[:2] in _COMPARISONS else "eq"
    wanted = moment(asked[2:] if asked[:2] in _COMPARISONS else asked)
    if isinstance(value, dict):
        low = moment(value["start"])[0] if "start" in value else datetime.min.replace(tzinfo=UTC)
        high = moment(value["end"])[1] if "end" in value else datetime.max.replace(tzinfo=UTC)
        return _COMPARISONS[prefix]((low, high), wanted)
    return _COMPARISONS[prefix](moment(value), wanted)


def moment(written: str) -> Range:
    """The stretch of time a partial date means, from inclusive to exclusive; RefusedError where it is no date."""
    match = _DATE.fullmatch(written.strip().replace(" ", "+"))
    if match is None:
        raise invalid(f"{written!r} is not a date.")
    year, month, day, time = match.groups()
    try:
        if time:
            return _instant(match.string)
        low = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
    except ValueError as fault:
        raise invalid(f"{written!r} is not a date.") from fault
    if day:
        return low, low + timedelta(days=1)
    if month:
        return low, low + timedelta(days=calendar.monthrange(low.year, low.month)[1])
    return low, low.replace(year=low.year + 1)


def _instant(written: str) -> Range:
    begin = datetime.fromisoformat(written)
    if begin.tzinfo is None:
        begin = begin.replace(tzinfo=UTC)
    clock = written.partition("T")[2]
    if "." in clock:
        length = timedelta(milliseconds=1)
    else:
        length = timedelta(seconds=1) if clock.count(":") > 1 else timedelta(minutes=1)
    return begin, begin + length
