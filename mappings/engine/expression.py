"""The tree a map's rules are read into. Closed: what is not here cannot be said in a map."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mark:
    """Where something stands in the map file, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Const:
    """A literal; `value` is any JSON."""

    mark: Mark
    value: Any


@dataclass(frozen=True, slots=True)
class Read:
    """A source path as written: `a.b` from here, `$.a.b` from the top of the document, `.` the item, `$name` a `let`."""

    mark: Mark
    path: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list of values; nothing is left out of it."""

    mark: Mark
    members: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class Obj:
    """An object; members that are nothing are left out of it."""

    mark: Mark
    members: tuple[tuple[str, Mark, "Expr"], ...]


@dataclass(frozen=True, slots=True)
class Each:
    """One value per item of a source array that passes `when`; with `first`, only the first that is something."""

    mark: Mark
    over: Read
    when: "Cond | None"
    do: "Expr"
    first: bool


@dataclass(frozen=True, slots=True)
class If:
    """One of two values; a missing `else` is nothing."""

    mark: Mark
    cond: "Cond"
    then: "Expr"
    otherwise: "Expr | None"


@dataclass(frozen=True, slots=True)
class Join:
    """Texts joined by `between`; nothing is left out; all nothing is nothing."""

    mark: Mark
    members: tuple["Expr", ...]
    between: str


@dataclass(frozen=True, slots=True)
class Let:
    """Names for values, usable as `$name` in `do`."""

    mark: Mark
    names: tuple[tuple[str, Mark, "Expr"], ...]
    do: "Expr"


@dataclass(frozen=True, slots=True)
class Codes:
    """A value looked up in one of the map's tables."""

    mark: Mark
    of: "Expr"
    table: str


@dataclass(frozen=True, slots=True)
class Default:
    """A literal where the value is nothing."""

    mark: Mark
    of: "Expr"
    value: Any


@dataclass(frozen=True, slots=True)
class Prefix:
    """A text with another before it."""

    mark: Mark
    of: "Expr"
    text: str


@dataclass(frozen=True, slots=True)
class Bool:
    """Yes or no out of true/false or the usual words for them."""

    mark: Mark
    of: "Expr"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the registry."""

    mark: Mark
    of: "Expr"
    function: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """`present`, `absent`, `is`, `in` or `not_in` of a value."""

    mark: Mark
    of: "Expr"
    op: str
    against: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Many:
    """All, or any, of some conditions."""

    mark: Mark
    all: bool
    members: tuple["Cond", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    mark: Mark
    of: "Cond"


Expr = Const | Read | Items | Obj | Each | If | Join | Let | Codes | Default | Prefix | Bool | Call
Cond = Test | Many | Not


@dataclass(frozen=True, slots=True)
class TableUse:
    """How a map uses one crosswalk."""

    mark: Mark
    name: str
    file: str
    unmapped: str
    default: str | None
    ignore_case: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it makes, from which items, when, and out of what."""

    mark: Mark
    name: str
    kind: str
    kind_mark: Mark
    category: str | None
    category_mark: Mark
    category_by: Expr | None
    each: Read | None
    names: tuple[tuple[str, Mark, Expr], ...]
    when: Cond | None
    key: Expr | None
    links: tuple[Expr, ...]
    labels: tuple[Expr, ...]
    method: str | None
    regimes: tuple[str, ...]
    required: tuple[tuple[str, Mark], ...]
    value: Obj
    effective: Obj | None


@dataclass(frozen=True, slots=True)
class Document:
    """A map as written. `record_id` and `subjects` (name, whether it may be missing, value) stand at the top of the source."""

    id: str
    version: str
    title: str
    source: str
    resource: str
    target: str
    owner: str
    record_id: tuple[Read, ...]
    subjects: tuple[tuple[str, bool, Expr], ...]
    tables: tuple[TableUse, ...]
    rules: tuple[Rule, ...]

    @property
    def inbound(self) -> bool:
        """Whether it makes assertions of the record (its rules declare categories) or leaves it (its outputs carry them)."""
        return self.target == "record"
