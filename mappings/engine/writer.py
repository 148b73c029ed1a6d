"""Writes the Python that reads a source: lines, names, groups, leaves, arrays, and loops over them.

The source written here is made of our own variable names, of literals through `repr` of str, int, float and bool, and of
names bound in the namespace; no text of a map ever stands in it as code. A prototype of closures
ran at a third of the speed of hand-written Python (hubs.md §2.1); generated source runs at about its speed
(benchmarks/map_engine.py).

A `Val` names the variable that holds a value (None is nothing), says where in the source it came from for issues, and
which variables tell whether anything real is in it (constants alone do not make an object); a named one also says how
many loops it was made inside of.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from mappings.engine import expression as ex
from mappings.engine import runtime
from mappings.engine.checking import Checker, Found
from mappings.engine.crosswalk import Crosswalk
from mappings.engine.paths import PathNode, PathType


@dataclass(frozen=True, slots=True)
class Val:
    """A written value."""

    var: str
    where: str
    live: tuple[str, ...]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where code stands: the variable of the document and of the item, the pattern and indices of its path, the names."""

    top: str
    here: str
    pattern: str
    at: tuple[str, ...]
    node: PathNode
    names: Mapping[str, Val]

    def where(self, path: str = "") -> str:
        """The two arguments that tell an issue its place."""
        return f"{path or self.pattern!r}, ({''.join(name + ', ' for name in self.at)})"


_ODD: Mapping[PathType, tuple[str, str]] = {
    PathType.TEXT: ("{v}.__class__ is not str or not {v} or len({v}) > MAX_TEXT", "odd_text"),
    PathType.INTEGER: ("{v}.__class__ is not int", "odd_integer"),
    PathType.NUMBER: (
        "{v}.__class__ is not int and ({v}.__class__ is not float or {v} - {v} != 0)",
        "odd_number",
    ),
    PathType.BOOLEAN: ("{v} is not True and {v} is not False", "odd_boolean"),
}
"""When a present value is not as its path's type says, and who decides what becomes of it."""


@dataclass(slots=True)
class Writer:
    """Writes lines of one function after another; `space` is what the code may name."""

    checker: Checker
    tables: Mapping[str, tuple[ex.TableUse, Crosswalk]]
    top: PathNode
    tracked: bool
    space: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    _depth: int = 0
    _count: int = 0
    _known: list[dict[tuple[str, str], Val]] = field(default_factory=lambda: [{}])

    def line(self, text: str) -> None:
        """One line at the present depth."""
        self.lines.append("    " * self._depth + text)

    def fresh(self, stem: str = "v") -> str:
        """A variable name not used before."""
        self._count += 1
        return f"{stem}{self._count}"

    def bind(self, stem: str, thing: Any) -> str:
        """A name in the code's namespace for a thing; the same name for the same thing."""
        for name, known in self.space.items():
            if known is thing or (isinstance(thing, frozenset) and known == thing):
                return name
        name = stem if stem not in self.space else self.fresh(f"{stem}_")
        self.space[name] = thing
        return name

    def helper(self, name: str) -> str:
        """A function of `runtime` by name."""
        return self.bind(name, getattr(runtime, name))

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """An indented block; what was read in it is not known after it."""
        self.line(head)
        self._depth += 1
        self._known.append({})
        yield
        self._known.pop()
        self._depth -= 1

    # reads

    def _remembered(self, base: str, path: str) -> Val | None:
        for level in reversed(self._known):
            if (base, path) in level:
                return level[base, path]
        return None

    def _group(self, base: str, steps: tuple[str, ...], place: Place, top: bool) -> str:
        """The variable of the object that holds the last step; groups are read once per block."""
        for number in range(1, len(steps)):
            path = ".".join(steps[:number])
            known = self._remembered(base, f"{path} as group")
            if known is None:
                var = self.fresh("g")
                holder = self._group(base, steps[:number], place, top)
                where = self._path_where(steps[:number], place, top)
                self.line(f"{var} = {holder}.get({steps[number - 1]!r})")
                self.line(
                    f"if {var}.__class__ is not dict: {var} = {self.helper('odd_group')}({var}, {where}, iss)"
                )
                known = Val(var, where, (var,))
                self._known[-1][base, f"{path} as group"] = known
        if len(steps) == 1:
            return base
        owner = self._remembered(base, f"{'.'.join(steps[:-1])} as group")
        assert owner is not None
        return owner.var

    @staticmethod
    def _path_where(steps: tuple[str, ...], place: Place, top: bool) -> str:
        path = ".".join(steps)
        if top:
            return f"{path!r}, ()"
        return place.where(f"{place.pattern}.{path}" if place.pattern else path)

    def read(self, found: Found, place: Place) -> Val:
        """A leaf's value, checked against its type."""
        if found.start == "item":
            return self._leaf(place.here, "", found.node, place.where(), place.here)
        top = found.start == "top" or place.here == place.top
        base = place.top if top else place.here
        path = ".".join(found.steps)
        if (known := self._remembered(base, path)) is not None:
            self._known[-1][base, path] = carried = self.carried(known, place)
            return carried
        holder = self._group(base, found.steps, place, top)
        val = self._leaf(holder, found.steps[-1], found.node, self._path_where(found.steps, place, top), base)
        if top and place.at and found.node.type is PathType.TEXT:
            self.shared(val)
        self._track(found, base, val, place)
        val = replace(val, depth=len(place.at))
        self._known[-1][base, path] = val
        return val

    def _leaf(self, holder: str, step: str, node: PathNode, where: str, base: str) -> Val:
        var = self.fresh()
        self.line(f"{var} = {holder}.get({step!r})" if step else f"{var} = {base}")
        if node.is_list and step:
            return self._scalars(var, node, where)
        self._typed(var, node.type, where)
        return Val(var, where, (var,))

    def _typed(self, var: str, kind: PathType, where: str) -> None:
        if kind is PathType.DATE:
            iso = self.bind("iso_date", _iso_date)
            with self.block(f"if {var} is not None:"):
                with self.block("try:"):
                    self.line(f"{var} = {iso}({var})")
                with self.block("except (ValueError, TypeError):"):
                    self.line(f"{var} = {self.helper('odd_date')}({var}, {where}, iss)")
            return
        test, helper = _ODD[kind]
        self.bind("MAX_TEXT", runtime.MAX_TEXT)
        odd = f"{self.helper(helper)}({var}, {where}, iss)"
        self.line(f"if {var} is not None and ({test.format(v=var)}): {var} = {odd}")

    def _scalars(self, var: str, node: PathNode, where: str) -> Val:
        """An array of plain values as a list; odd members are noted under the array's path."""
        out, member = self.fresh("l"), self.fresh()
        self.array(var, where)
        self.line(f"{out} = []")
        with self.block(f"for {member} in {var}:"):
            self._typed(member, node.type, where)
            self.line(f"if {member} is not None: {out}.append({member})")
        self.line(f"if not {out}: {out} = None")
        return Val(out, where, (out,))

    def array(self, var: str, where: str, *, inner: bool = False) -> None:
        """Make sure a variable holds an array of at most the limit; `inner` is a loop anew inside another one."""
        name = "MAX_INNER_ITEMS" if inner else "MAX_ITEMS"
        limit = self.bind(name, getattr(runtime, name))
        odd = f"{self.helper('odd_array')}({var}, {where}, iss, {limit})"
        self.line(f"if {var}.__class__ is not list or len({var}) > {limit}: {var} = {odd}")

    def carried(self, val: Val, place: Place) -> Val:
        """A value made outside this loop, for use inside: a long text is not taken along."""
        if len(place.at) == val.depth:
            return val
        inside = Val(self.fresh(), val.where, (), len(place.at))
        self.line(f"{inside.var} = {val.var}")
        self.shared(inside)
        return replace(inside, live=(inside.var,) if val.live else ())

    def shared(self, val: Val) -> None:
        """A text from outside a loop stands in every item: keep it short."""
        args = f"{self.bind('MAX_SHARED_TEXT', runtime.MAX_SHARED_TEXT)}, {val.where}, iss"
        self.line(f"if {val.var} is not None: {val.var} = {self.helper('fitting')}({val.var}, {args})")

    def _track(self, found: Found, base: str, val: Val, place: Place) -> None:
        """A value under an assertion that is not an item (one group carrying `_id`) notes that assertion when it is read."""
        if not self.tracked:
            return
        node = place.node if found.start == "here" else self.top
        for number, step in enumerate(found.steps[:-1], start=1):
            node = node.children[step]
            if node.type is PathType.ASSERTION:
                owner = self._remembered(base, f"{'.'.join(found.steps[:number])} as group")
                assert owner is not None
                note = self.helper("used")
                self.line(f"if {val.var} is not None: {note}(uses, {owner.var}, {val.where}, iss)")

    def source_array(self, found: Found, place: Place) -> tuple[str, str]:
        """The variable of a source array and where it is."""
        top = found.start == "top" or place.here == place.top
        base = place.top if top else place.here
        holder = self._group(base, found.steps, place, top)
        where = self._path_where(found.steps, place, top)
        var = self.fresh("a")
        self.line(f"{var} = {holder}.get({found.steps[-1]!r})")
        self.array(var, where, inner=top and bool(place.at))
        return var, where

    @contextmanager
    def items(self, found: Found, array: str, place: Place) -> Iterator[Place]:
        """A loop over a source array; the place inside it."""
        index, item = self.fresh("i"), self.fresh("s")
        top = found.start == "top" or place.here == place.top
        path = ".".join(found.steps)
        pattern = path if top or not place.pattern else f"{place.pattern}.{path}"
        at = (index,) if top else (*place.at, index)
        inside = Place(place.top, item, f"{pattern}.[]", at, found.node, place.names)
        with self.block(f"for {index}, {item} in enumerate({array}):"):
            if found.node.is_group:
                with self.block(f"if {item}.__class__ is not dict:"):
                    self.line(f"{self.helper('odd_item')}({item}, {inside.where()}, iss)")
                    self.line("continue")
            yield inside


def written(value: Any, *, frozen: bool = False) -> str:
    """A JSON literal as Python source; a fresh list or object each time it is evaluated."""
    match value:
        case None | bool() | int() | float() | str():
            return repr(value)
        case list():
            inner = "".join(f"{written(member)}, " for member in value)
            return f"({inner})" if frozen else f"[{inner}]"
        case dict():
            return f"{{{''.join(f'{str(name)!r}: {written(member)}, ' for name, member in value.items())}}}"
        case _:
            msg = f"not a JSON literal: {type(value).__name__}"
            raise TypeError(msg)


def _iso_date(value: str) -> str:
    """A calendar date in the one form Ed-Fi and OneRoster write; other forms of ISO 8601 are left to `odd_date`."""
    if len(value) != 10 or value[7] != "-":  # noqa: PLR2004 - yyyy-mm-dd; 2014-W01-1 has a digit there
        raise ValueError
    date.fromisoformat(value)
    return value
