"""Path tables: what a source may hold, of which type, and in which consent category.

A table is CSV with the columns `path,type,list,category,note`, one row per path we know, kept beside the maps of its
source. `path` is dotted and starts with the resource (`students.addresses.city`); `list` is `yes` where the value is an
array. `category` is a consent category, or

- `*`: carried by the value itself (an assertion in a record view, a row of a sheet with its own topic column),
- `never`: on the never-keep list; no map may read it,
- empty: private until somebody classifies it; a map that reads it is refused.

`note` says why a path that no map reads is left out; it is printed in the loss table.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from mappings.engine.fault import MapError, did_you_mean
from mappings.record.category import Category

COLUMNS = ("path", "type", "list", "category", "note")
MAX_ROWS = 20_000


class PathType(StrEnum):
    """What a value must be; JSON types, with the text formats the engine checks itself."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    OBJECT = "object"
    ASSERTION = "assertion"  # an object that carries `_id` and `_category`


class Special(StrEnum):
    """What stands in the category column besides a category."""

    BY_VALUE = "*"
    NEVER = "never"
    PRIVATE = ""


GROUPS = frozenset({PathType.OBJECT, PathType.ASSERTION})


@dataclass(slots=True)
class PathNode:
    """One known path of a resource; `path` is relative to the resource and without list marks."""

    path: str
    type: PathType
    is_list: bool
    category: Category | Special
    note: str
    line: int
    children: dict[str, "PathNode"] = field(default_factory=dict)

    @property
    def is_group(self) -> bool:
        """Whether it holds members rather than a value."""
        return self.type in GROUPS

    def leaves(self) -> Iterator["PathNode"]:
        """Itself if it holds a value, else every value below."""
        if not self.is_group:
            yield self
            return
        for child in self.children.values():
            yield from child.leaves()

    def below(self) -> Iterator["PathNode"]:
        """Every node below, groups included."""
        for child in self.children.values():
            yield child
            yield from child.below()

    def relative(self) -> list[str]:
        """Paths below, as a rule standing at this node would write them."""
        start = len(self.path) + 1 if self.path else 0
        return [node.path[start:] for node in self.below()]


@dataclass(frozen=True, slots=True)
class PathTable:
    """A parsed path table: resources by name. Build with `parse_paths`."""

    file: str
    resources: dict[str, PathNode]
    text: str

    def with_extensions(self, resource: str, paths: Iterable[tuple[str, str, bool]]) -> "PathTable":
        """The table with paths a connection's own OpenAPI adds: (path, type, is list), private until classified.

        A path already in the table keeps its row. Unknown types count as text. The text, and so the content hash of a map,
        does not change: an extension may be named in an error but never read.
        """
        copy, _ = parse_paths(self.text, self.file)
        root = copy.resources.setdefault(resource, _group(resource, 0))
        for path, kind, is_list in paths:
            try:
                path_type = PathType(kind)
            except ValueError:
                path_type = PathType.TEXT
            _place(
                root, path, path_type, is_list, Special.PRIVATE, "added by the connection's own OpenAPI", 0
            )
        return copy


def _group(note: str, line: int) -> PathNode:
    return PathNode("", PathType.OBJECT, False, Special.PRIVATE, note, line)


def _place(
    root: PathNode,
    path: str,
    kind: PathType,
    is_list: bool,
    category: Category | Special,
    note: str,
    line: int,
) -> bool:
    """Hang a path into the tree, making the groups it names; False where the path was there already with a row."""
    node, parts = root, path.split(".")
    for depth, part in enumerate(parts[:-1], start=1):
        if part not in node.children:
            implied = PathNode(".".join(parts[:depth]), PathType.OBJECT, False, Special.PRIVATE, "", 0)
            node.children[part] = implied
        node = node.children[part]
    known = node.children.get(parts[-1])
    if known is None:
        node.children[parts[-1]] = PathNode(path, kind, is_list, category, note, line)
        return True
    if known.line == 0 and known.is_group and line:  # an implied group now gets its own row
        known.type, known.is_list, known.category, known.note, known.line = (
            kind,
            is_list,
            category,
            note,
            line,
        )
        return True
    return False


def _category(word: str) -> Category | Special:
    return Special(word) if word in set(Special) else Category(word)


def parse_paths(text: str, file: str) -> tuple[PathTable, tuple[MapError, ...]]:
    """Parse a path table; bad rows are left out and named with their line."""
    table = PathTable(file, {}, text)
    errors: list[MapError] = []
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    header = next(rows, None)
    if header is None or tuple(header) != COLUMNS:
        what, step = "the header is not the one of a path table", f"Write {','.join(COLUMNS)}."
        return table, (MapError(file, 1, 1, what, "columns are read by name", step),)
    for cells in rows:
        line = rows.line_num
        if not cells:
            continue
        row = [cell.strip() for cell in cells]
        wrong = _fault(row, line)
        if wrong is None:
            path, kind, listed, category, note = row
            resource, _, rest = path.partition(".")
            root = table.resources.setdefault(resource, _group(resource, line))
            if not _place(root, rest, PathType(kind), listed == "yes", _category(category), note, line):
                wrong = (f"path {path!r} stands twice", "one row per path", "Remove one of them.")
        if wrong is not None:
            errors.append(MapError(file, line, 1, *wrong))
            if line > MAX_ROWS:
                break
    return table, tuple(errors)


def _fault(  # noqa: PLR0911 - one return per thing that can be wrong with a row
    row: list[str], line: int
) -> tuple[str, str, str] | None:
    """What is wrong with a row, why, and the next step; None where nothing is."""
    if line > MAX_ROWS:
        return "too many rows", f"a path table has at most {MAX_ROWS}", "Split the source."
    if len(row) != len(COLUMNS):
        return f"{len(row)} columns", "a row has five", "Quote a note that holds a comma."
    path, kind, listed, category, _ = row
    if kind not in set(PathType):
        return f"unknown type {kind!r}", "types are closed", did_you_mean(kind, list(PathType))
    if listed not in {"", "yes"}:
        return f"list is {listed!r}", "it is yes or empty", "Write yes for an array."
    if category not in {*Category, *Special}:
        return (
            f"unknown category {category!r}",
            "categories are closed",
            did_you_mean(category, list(Category)),
        )
    if not all(path.split(".")) or "." not in path:
        return f"path {path!r} names no field", "paths start with their resource", "Write resource.field."
    return None
