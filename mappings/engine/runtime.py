"""What generated map code calls when data is not as the path table says: it notes an issue and goes on.

`where` is a source path with `[]` for each array passed, `at` the numbers to put there. Issue texts say what and the next
step, never the value.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mappings.engine.functions import date_iso
from mappings.record.category import Category
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.sensitivity import Label

MAX_ITEMS = 10_000
MAX_INNER_ITEMS = 1_000
MAX_TEXT = 20_000
MAX_SHARED_TEXT = 1_000
MAX_ISSUES = 200

Where = str
At = tuple[int, ...]


class Issues(list[Issue]):
    """The issues of one run, each once: a value read by several rules is complained of once."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        """Start with none."""
        self.told: set[tuple[IssueCode, str, str]] = set()


def placed(where: Where, at: At) -> str:
    """The path with its item numbers: `addresses.[].city` and 2 give `addresses.2.city`."""
    for number in at:
        where = where.replace("[]", str(number), 1)
    return where


def note(issues: Issues, severity: Severity, code: IssueCode, path: str, text: str) -> None:
    """Add an issue, up to a limit, so that a hostile document cannot make a list longer than itself."""
    if len(issues) > MAX_ISSUES or (code, path, text) in issues.told:
        return
    issues.told.add((code, path, text))
    if len(issues) < MAX_ISSUES:
        issues.append(Issue(severity=severity, code=code, path=path, text=text))
    else:
        text = f"more than {MAX_ISSUES} issues; the rest are not listed. Mend these and send again."
        issues.append(Issue(severity=Severity.WARNING, code=IssueCode.TOO_LARGE, path="", text=text))


def _bad(issues: Issues, where: Where, at: At, wanted: str) -> None:
    text = f"is not {wanted}; left out. Correct it at the source."
    note(issues, Severity.WARNING, IssueCode.BAD_VALUE, placed(where, at), text)


def odd_text(value: Any, where: Where, at: At, issues: Issues) -> str | None:
    """An empty text is nothing; anything but text of a length the record takes is an issue."""
    if isinstance(value, str):
        return fitting(str(value), MAX_TEXT, where, at, issues) or None
    _bad(issues, where, at, "text")
    return None


def fitting(value: Any, limit: int, where: Where, at: At, issues: Issues) -> Any:
    """A text that is not too long; a text shared by every item of a loop has a shorter limit than one that stands once."""
    if not isinstance(value, str) or len(value) <= limit:
        return value
    text = f"is longer than {limit} characters; left out. Shorten it at the source."
    note(issues, Severity.WARNING, IssueCode.TOO_LARGE, placed(where, at), text)
    return None


def odd_integer(value: Any, where: Where, at: At, issues: Issues) -> int | None:
    """2022.0 is 2022; an empty text is nothing."""
    if value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    _bad(issues, where, at, "a whole number")
    return None


def odd_number(value: Any, where: Where, at: At, issues: Issues) -> float | None:
    """A number that is not one (NaN, infinity) or not a number at all is an issue."""
    if value != "":
        _bad(issues, where, at, "a number")
    return None


def odd_boolean(value: Any, where: Where, at: At, issues: Issues) -> bool | None:
    """Yes and no in words belong to a text path read with `bool: true`."""
    if value != "":
        _bad(issues, where, at, "true or false")
    return None


def odd_date(value: Any, where: Where, at: At, issues: Issues) -> str | None:
    """A date-time gives its date; anything else that is no calendar date is an issue."""
    if value == "":
        return None
    if isinstance(value, str):
        try:
            return date_iso(value)
        except ValueError:
            pass
    text = "is not a calendar date (year-month-day); left out. Correct it at the source."
    note(issues, Severity.WARNING, IssueCode.BAD_DATE, placed(where, at), text)
    return None


def odd_group(value: Any, where: Where, at: At, issues: Issues) -> dict[str, Any]:
    """Nothing is an empty group; anything but an object is an issue."""
    if value is not None:
        _bad(issues, where, at, "an object")
    return {}


def odd_array(value: Any, where: Where, at: At, issues: Issues, limit: int = MAX_ITEMS) -> list[Any]:
    """Nothing is an empty array; a longer one than the limit is cut; anything else is an issue."""
    if value is None or value == "":
        return []
    if isinstance(value, list):
        text = f"has more than {limit} items; the rest are left out. Send fewer per document."
        note(issues, Severity.WARNING, IssueCode.TOO_LARGE, placed(where, at), text)
        return value[:limit]
    _bad(issues, where, at, "an array")
    return []


def odd_item(value: Any, where: Where, at: At, issues: Issues) -> None:
    """An item that is not an object."""
    if value is not None:
        _bad(issues, where, at, "an object")


def unmapped(
    value: Any, policy: str, default: str | None, table: str, where: Where, at: At, issues: Issues
) -> str | None:
    """What the table's policy makes of a code it does not know."""
    end, severity, result = "left out", Severity.WARNING, None
    if policy == "default":
        end, severity, result = "taken as the table's default", Severity.INFORMATION, default
    elif policy == "pass" and isinstance(value, str):
        end, severity, result = "passed on as it is", Severity.INFORMATION, value
    text = f"has a code that table {table!r} does not know; {end}. Add a row to the table."
    note(issues, severity, IssueCode.UNKNOWN_CODE, placed(where, at), text)
    return result


def failed(code: IssueCode, function: str, where: Where, at: At, issues: Issues) -> None:
    """A function of the registry could not read the value."""
    text = f"could not be read as {function.replace('_', ' ')}; left out. Correct it at the source."
    note(issues, Severity.WARNING, code, placed(where, at), text)


def yes_no(value: Any, call: Callable[[Any], bool], where: Where, at: At, issues: Issues) -> bool | None:
    """Words for yes and no."""
    try:
        return call(value)
    except ValueError:
        _bad(issues, where, at, "yes or no")
        return None


def missing(field: str, rule: str, where: Where, at: At, issues: Issues) -> None:
    """A required field came out as nothing, so the fact is left out."""
    text = f"{field} of {rule} is missing; the fact was left out. Fill it at the source."
    note(issues, Severity.WARNING, IssueCode.REQUIRED, placed(where, at), text)


def missing_key(name: str, where: Where, issues: Issues) -> None:
    """A document without its natural key or subject is refused whole."""
    text = f"{name} is missing; the document was refused. Fill it at the source."
    note(issues, Severity.ERROR, IssueCode.REQUIRED, where, text)


def category_of(value: Any, where: Where, at: At, issues: Issues) -> Category | None:
    """The value-driven category; None leaves the fact out, since a fact without a topic could not be asked for."""
    if value is not None:
        return Category(value)  # compile time has checked every code it can be
    text = "does not say the topic; the fact was left out. Fill the topic at the source."
    note(issues, Severity.WARNING, IssueCode.REQUIRED, placed(where, at), text)
    return None


def labels_of(codes: tuple[Any, ...], where: Where, at: At, issues: Issues) -> frozenset[Label]:
    """Security labels from values; an unknown one is an issue, and the most restrictive general label is taken for it."""
    found = set()
    for code in codes:
        if code is None:
            continue
        for one in code if isinstance(code, list) else [code]:
            if isinstance(one, str) and one in _LABELS:
                found.add(_LABELS[one])
            else:
                found.add(Label.VERY_RESTRICTED)
                text = "has a security label we do not know; treated as very restricted. Add it to the table."
                note(issues, Severity.WARNING, IssueCode.UNKNOWN_CODE, placed(where, at), text)
    return frozenset(found)


_LABELS: Mapping[Any, Label] = {label.value: label for label in Label}


def joined(between: str, parts: tuple[Any, ...]) -> str | None:
    """Texts, and texts in lists, joined; nothing is left out."""
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, list):
            texts.extend(member for member in part if isinstance(member, str))
    return between.join(text for text in texts if text) or None


def used(uses: dict[str, Category], item: Mapping[str, Any], where: Where, at: At, issues: Issues) -> None:
    """Note that an assertion of a record view fed the output at hand."""
    try:
        uses[str(item["_id"])] = Category(item["_category"])
    except (KeyError, ValueError):
        text = "an item of the view has no _id and _category; the view is not well made."
        note(issues, Severity.ERROR, IssueCode.BAD_VALUE, placed(where, at), text)


def again(key: str, seen: dict[str, int], where: Where, at: At, issues: Issues) -> str:
    """A key met before in this document gets a number, so that no fact hides another."""
    seen[key] = number = seen[key] + 1
    text = "has the same key as an earlier item of this document; kept under a numbered key."
    note(issues, Severity.INFORMATION, IssueCode.DUPLICATE, placed(where, at), text)
    return f"{key}~{number}"
