"""Reading a JSON value by hand: its type checked, its place said only where it is wrong."""

from collections.abc import Mapping
from typing import Any

from mappings.engine import functions as fn
from mappings.engine.shipped import shipped_files
from mappings.record.issue import Issue, IssueCode, Severity

Issues = list[Issue]
Group = dict[str, Any]
At = tuple[str | int, ...]

EMPTY: Group = {}


def _table(name: str) -> Mapping[str, str]:
    files = next(one for one in shipped_files() if one.folder == "edfi")
    rows = (line.rpartition("\n")[2] for line in files.crosswalks[f"{name}.csv"].splitlines()[1:])
    found = {}
    for row in rows:
        source, _, rest = row[1:].partition('",') if row.startswith('"') else row.partition(",")
        found[source.casefold()] = rest.partition(",")[0]
    return found


SEX, GRADE, OTHER_NAME, RELATION = _table("sex"), _table("grade"), _table("other_name"), _table("relation")
ADDRESS_USE, PHONE_USE, EMAIL_USE = _table("address_use"), _table("phone_use"), _table("email_use")
CANDIDATES = frozenset(
    {
        "mother", "father", "parent", "mother, step", "father, step", "parent, step", "foster parent", "grandmother",
        "grandfather", "grandparent", "great grandparent", "guardian", "courtappointedguardian",
    }
)  # fmt: skip


def placed(at: At, name: str) -> str:
    return ".".join(map(str, (*at, name)))


def warn(
    issues: Issues, code: IssueCode, path: str, text: str, severity: Severity = Severity.WARNING
) -> None:
    issues.append(Issue(severity=severity, code=code, path=path, text=text))


def text(group: Group, name: str, at: At, issues: Issues) -> str | None:
    value = group.get(name)
    if value is None or (value.__class__ is str and 0 < len(value) <= 20_000):
        return value
    if isinstance(value, str) and value:
        what = "is longer than 20000 characters; left out. Shorten it at the source."
        warn(issues, IssueCode.TOO_LARGE, placed(at, name), what)
    elif not isinstance(value, str):
        warn(
            issues, IssueCode.BAD_VALUE, placed(at, name), "is not text; left out. Correct it at the source."
        )
    return None


def flag(group: Group, name: str, at: At, issues: Issues) -> bool | None:
    value = group.get(name)
    if value is None or value is True or value is False:
        return value
    if value != "":
        warn(
            issues,
            IssueCode.BAD_VALUE,
            placed(at, name),
            "is not true or false; left out. Correct it at the source.",
        )
    return None


def whole(group: Group, name: str, at: At, issues: Issues) -> int | None:
    value = group.get(name)
    if value is None or value.__class__ is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value != "":
        warn(
            issues,
            IssueCode.BAD_VALUE,
            placed(at, name),
            "is not a whole number; left out. Correct it at the source.",
        )
    return None


def day(group: Group, name: str, at: At, issues: Issues) -> str | None:
    value = group.get(name)
    if value is None or value == "":
        return None
    try:
        return fn.date_iso(value)
    except (ValueError, TypeError, AttributeError):
        warn(
            issues,
            IssueCode.BAD_DATE,
            placed(at, name),
            "is not a calendar date (year-month-day); left out. Correct it at the source.",
        )
        return None


def part(group: Group, name: str, at: At, issues: Issues) -> Group:
    value = group.get(name)
    if value.__class__ is dict:
        return value
    if value is not None:
        warn(
            issues,
            IssueCode.BAD_VALUE,
            placed(at, name),
            "is not an object; left out. Correct it at the source.",
        )
    return EMPTY


def array(group: Group, name: str, at: At, issues: Issues) -> list[Any]:
    value = group.get(name)
    if value.__class__ is list and len(value) <= 10_000:
        return value
    if value is None or value == "":
        return []
    if isinstance(value, list):
        warn(
            issues,
            IssueCode.TOO_LARGE,
            placed(at, name),
            "has more than 10000 items; the rest are left out. Send fewer per document.",
        )
        return value[:10_000]
    warn(
        issues, IssueCode.BAD_VALUE, placed(at, name), "is not an array; left out. Correct it at the source."
    )
    return []


def bad_item(item: Any, at: At, issues: Issues) -> None:
    if item is not None:
        warn(
            issues,
            IssueCode.BAD_VALUE,
            ".".join(map(str, at)),
            "is not an object; left out. Correct it at the source.",
        )


def look_up(
    table: Mapping[str, str], name: str, code: str | None, at: At, field: str, issues: Issues
) -> str | None:
    if code is None:
        return None
    found = table.get(code.casefold())
    if found is None:
        what = f"has a code that table {name!r} does not know; left out. Add a row to the table."
        warn(issues, IssueCode.UNKNOWN_CODE, placed(at, field), what)
    return found or None
