"""Every field of every kind, with the consent category it leaves under: the table that keeps a new field private.

`elements.csv` has the columns `kind,field,category,note`: one row per leaf field of each kind's model (`guardian,
telecoms.value`). `category` is `assertion` where the field follows its assertion's own category, or the one category every
assertion of that kind must have. A field without a row has no category, so the published schema cannot be built and the
shape test fails until somebody decides.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, get_args

from mappings.record.base import Record
from mappings.record.category import Category
from mappings.record.kind import MODEL, Kind

COLUMNS = ("kind", "field", "category", "note")
FOLLOWS_ASSERTION = "assertion"


@dataclass(frozen=True, slots=True)
class Element:
    """One field. `category` is None where the field follows its assertion."""

    kind: Kind
    field: str
    category: Category | None
    note: str


def leaf_fields(model: type[Record]) -> Iterator[str]:
    """The dotted paths of a model's leaf fields; lists are not marked."""
    for name, info in model.model_fields.items():
        inner = _record_in(info.annotation)
        if inner is None:
            yield name
        else:
            yield from (f"{name}.{below}" for below in leaf_fields(inner))


def _record_in(annotation: Any) -> type[Record] | None:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    found = (_record_in(part) for part in get_args(annotation))
    return next((model for model in found if model is not None), None)


def parse_elements(text: str) -> dict[tuple[Kind, str], Element]:
    """The table, strictly: ValueError for a wrong header, an unknown kind, field or category, or a field twice or missing."""
    rows = csv.reader(io.StringIO(text))
    if tuple(next(rows, ())) != COLUMNS:
        msg = f"elements.csv: the header is not {','.join(COLUMNS)}"
        raise ValueError(msg)
    known = {(kind, field) for kind in Kind for field in leaf_fields(MODEL[kind])}
    table: dict[tuple[Kind, str], Element] = {}
    for row in rows:
        where = f"elements.csv:{rows.line_num}"
        if len(row) != len(COLUMNS):
            msg = f"{where}: {len(row)} columns instead of {len(COLUMNS)}"
            raise ValueError(msg)
        kind, field, category, note = row
        key = (Kind(kind), field)
        if key not in known or key in table:
            what = "stands twice" if key in table else "is not a field of its model"
            msg = f"{where}: {kind} {field} {what}"
            raise ValueError(msg)
        fixed = None if category == FOLLOWS_ASSERTION else Category(category)
        table[key] = Element(key[0], field, fixed, note)
    if absent := sorted(f"{kind} {field}" for kind, field in known - table.keys()):
        msg = f"elements.csv: no row for {', '.join(absent)}; decide its category and add one"
        raise ValueError(msg)
    return table


@cache
def elements() -> Mapping[tuple[Kind, str], Element]:
    """The table shipped beside this module."""
    return parse_elements(files("mappings.record").joinpath("elements.csv").read_text(encoding="utf-8"))


def required_category(kind: Kind) -> Category | None:
    """The one category every assertion of this kind must have, or None where its maker chooses."""
    fixed = {element.category for (of, _), element in elements().items() if of is kind}
    return fixed.pop() if len(fixed) == 1 else None
