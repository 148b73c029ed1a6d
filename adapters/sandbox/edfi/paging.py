"""Which rows a GET asks for: filters, change window, offset paging, cursor paging and partitions.

Rules: school.md §1.4, after the query parameter validator of the ODS. A cursor is a range of row numbers, so the
next page starts after the last row served and a delete in between loses nothing. An offset counts rows, so it does.
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.sandbox.edfi.keys import Document
from adapters.sandbox.edfi.problem import Problem, bad_parameter, invalid
from adapters.sandbox.edfi.store import Row

MAX_PARTITIONS = 200
PAGES_PER_PARTITION = 5
LAST = 2**62
_NUMBERS = {
    "offset": "offset",
    "limit": "limit",
    "pageSize": "size",
    "minChangeVersion": "minimum",
    "maxChangeVersion": "maximum",
    "number": "number",
}
_RESERVED = {name.lower(): name for name in (*_NUMBERS, "totalCount", "pageToken")}


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a GET, understood but not yet judged."""

    offset: int | None = None
    limit: int | None = None
    size: int | None = None
    token: str | None = None
    total: bool = False
    minimum: int | None = None
    maximum: int | None = None
    number: int | None = None
    filters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """The rows to answer with, the token of what follows (None outside cursor paging), and how many there are."""

    rows: Sequence[Row]
    token: str | None
    total: int


def parse(parameters: Iterable[tuple[str, str]]) -> Query | Problem:
    """Read the query string. A value that is no number is a 400; a parameter nobody knows is taken as a filter."""
    found: dict[str, Any] = {}
    filters: dict[str, str] = {}
    for name, value in parameters:
        known = _RESERVED.get(name.lower())
        if known is None:
            filters[name] = value
        elif known == "pageToken":
            found["token"] = value
        elif known == "totalCount":
            if value.lower() not in {"true", "false"}:
                return invalid({"$.totalCount": [f"The value '{value}' is not valid for TotalCount."]})
            found["total"] = value.lower() == "true"
        else:
            try:
                found[_NUMBERS[known]] = int(value)
            except ValueError:
                return invalid({f"$.{known}": [f"The value '{value}' is not valid for {known}."]})
    return Query(filters=filters, **found)


def judge(query: Query, *, page_limit: int, cursor: bool) -> Problem | None:
    """What is wrong with the paging that was asked for, if anything."""
    if query.token is None:
        reason = _offset_fault(query, page_limit)
    elif not cursor:
        reason = "Cursor paging is not supported by this host."
    else:
        reason = _cursor_fault(query, query.token, page_limit)
    return bad_parameter(reason) if reason else None


def _offset_fault(query: Query, page_limit: int) -> str | None:
    if query.size is not None:
        return "PageToken is required when pageSize is specified."
    if query.offset is not None and query.offset < 0:
        return "Offset cannot be a negative value."
    if query.limit is not None and not 0 <= query.limit <= page_limit:
        return f"Limit must be a value between 0 and {page_limit}."
    return None


def _cursor_fault(query: Query, token: str, page_limit: int) -> str | None:
    if query.offset is not None:
        return (
            "Both offset and pageToken parameters were provided, but they support alternative paging approaches "
            "and cannot be used together."
        )
    if query.limit is not None:
        return "Use pageSize instead of limit when using cursor paging with pageToken."
    if query.total:
        return "TotalCount cannot be requested when using cursor paging with pageToken."
    if query.size is not None and not 0 <= query.size <= page_limit:
        return f"PageSize must be a value between 0 and {page_limit}."
    return None if _range(token) else "The pageToken is not valid."


def select(rows: Iterable[Row], query: Query) -> list[Row] | Problem:
    """The rows that pass the filters and the change window, by number.

    A parameter that no document has as a member filters nothing, as in the ODS, where unknown parameters are ignored.
    """
    everything = list(rows)
    low = query.minimum if query.minimum is not None else 0
    high = query.maximum if query.maximum is not None else LAST
    chosen = [row for row in everything if low <= row.version <= high]
    for name, wanted in query.filters.items():
        if name == "id":
            chosen = [row for row in chosen if row.id == wanted.replace("-", "").lower()]
            continue
        sample = next((value for row in everything for value in _bare(row.document, name)), None)
        if sample is None:
            continue
        if type(sample) is int and not wanted.lstrip("-").isdigit():
            return invalid({f"$.{name}": [f"The value '{wanted}' is not valid for {name}."]})
        chosen = [
            row for row in chosen if any(_same(name, found, wanted) for found in _bare(row.document, name))
        ]
    return chosen


def page(rows: Sequence[Row], query: Query, *, default_limit: int, cursor: bool) -> Page:
    """One page of selected rows."""
    if query.token is not None:
        low, high = _range(query.token) or (0, 0)
        size = default_limit if query.size is None else query.size
        served = [row for row in rows if low <= row.number <= high][:size]
        return Page(served, _token(served[-1].number + 1, high) if served else None, len(rows))
    limit = default_limit if query.limit is None else query.limit
    begin = query.offset or 0
    served = list(rows[begin : begin + limit])
    follows = cursor and query.offset is None and served
    return Page(served, _token(served[-1].number + 1, LAST) if follows else None, len(rows))


def partitions(rows: Sequence[Row], number: int | None, page_limit: int) -> list[str] | Problem:
    """Tokens of evenly sized ranges; none holds less than five full pages."""
    if number is not None and not 1 <= number <= MAX_PARTITIONS:
        return bad_parameter(f"The number of partitions must be between 1 and {MAX_PARTITIONS}.")
    if not rows:
        return []
    wanted = number or 10
    smallest = PAGES_PER_PARTITION * page_limit
    count = max(1, min(wanted, len(rows) // smallest))
    starts = [rows[len(rows) * part // count].number for part in range(count)]
    ends = [*(start - 1 for start in starts[1:]), LAST]
    return [_token(low, high) for low, high in zip(starts, ends, strict=True)]


def _bare(document: Document, name: str) -> Iterable[Any]:
    """The value of a root member, and of a member of a reference by its bare name."""
    if name in document and not isinstance(document[name], (list, dict)):
        yield document[name]
    for value in document.values():
        if isinstance(value, dict) and name in value:
            yield value[name]


def _same(name: str, value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted.lower() == str(value).lower()
    if name.endswith("Descriptor"):
        return str(value).lower() == wanted.lower()
    return str(value) == wanted


def _token(low: int, high: int) -> str:
    return base64.urlsafe_b64encode(f"{low},{high}".encode()).decode().rstrip("=")


def _range(token: str) -> tuple[int, int] | None:
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
        low, high = text.split(",")
        return int(low), int(high)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
