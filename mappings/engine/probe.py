"""The leak probe: change every part of a document and watch what changes in the result.

It proves on samples what the checker computes beforehand: nothing outside the read-set has influence, and no output
changes because of a source value whose category the output's own does not cover. A filter that only decides whether a
fact appears is caught the same way (hubs.md §2.4).
"""

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mappings.engine.compiled import CompiledMap
from mappings.engine.feeds import categories_of, covers
from mappings.engine.paths import PathNode, PathType, Special
from mappings.engine.result import MapResult, Output
from mappings.record.category import Category

Step = str | int
MAX_PLACES = 5_000


@dataclass(frozen=True, slots=True)
class Leak:
    """An influence that should not be: source path, the change made, the rule whose output changed, and why it is wrong."""

    path: str
    change: str
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What the probe found: the paths seen to have influence, how often the map ran, and the leaks."""

    influences: frozenset[str]
    runs: int
    leaks: tuple[Leak, ...]


def probe(compiled: CompiledMap, source: dict[str, Any]) -> ProbeReport:
    """Probe one document. Members the path table does not know are probed too: they must have no influence at all."""
    source = copy.deepcopy(source)  # changed and put back place by place; the caller's stays as it is
    base = compiled.run(source)
    places = list(_places(source))
    influences: set[str] = set()
    leaks: list[Leak] = []
    runs = 0
    for steps in places:
        path = ".".join(step for step in steps if isinstance(step, str))
        owner = _owner(source, steps)
        for change, changed in _changes(source, steps):
            runs += 1
            result = compiled.run(changed)
            touched = _touched(base, result) if result.outputs != base.outputs else ()
            if not touched and result.issues == base.issues and result.record_id == base.record_id:
                continue
            influences.add(path)
            leaks.extend(_judge(compiled, path, change, touched, owner))
    return ProbeReport(frozenset(influences), runs, tuple(dict.fromkeys(leaks)))


def _places(source: dict[str, Any]) -> Iterator[tuple[Step, ...]]:
    """Every leaf, array item and group of a document, breadth first, up to a limit."""
    level: list[tuple[tuple[Step, ...], Any]] = [((), source)]
    told = 0
    while level:
        below: list[tuple[tuple[Step, ...], Any]] = []
        for steps, value in level:
            members = (
                value.items()
                if isinstance(value, dict)
                else enumerate(value)
                if isinstance(value, list)
                else ()
            )
            for name, member in members:
                if name in {"_id", "_category"}:
                    continue
                told += 1
                if told > MAX_PLACES:
                    return
                yield (*steps, name)
                below.append(((*steps, name), member))
        level = below


def _changes(source: dict[str, Any], steps: tuple[Step, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The document with one place removed, and with other values there; it is as it was when the last is done."""
    holder, name = _at(source, steps[:-1]), steps[-1]
    value = holder[name]
    before = dict(holder) if isinstance(holder, dict) else list(holder)
    try:
        del holder[name]
        yield "removed", source
        _restore(holder, before)
        for other in _others(value):
            holder[name] = other
            yield "changed", source
    finally:
        _restore(holder, before)


def _restore(holder: Any, before: Any) -> None:
    """Put every member back, in its order."""
    holder.clear()
    if isinstance(before, dict):
        holder.update(before)
    else:
        holder.extend(before)


def _at(source: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        source = source[step]
    return source


def _others(value: Any) -> list[Any]:
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, -1]
        case str():
            later = value[:-1] + ("1" if value[-1:] != "1" else "2")
            return [later, f"{value}x", "", "true"]
        case None:
            return ["x", True]
        case _:
            return []  # groups and arrays are changed through their members


def _touched(before: MapResult, after: MapResult) -> tuple[Output, ...]:
    """Outputs that stand in one result and not in the other; where they came from (`path`) does not count."""
    mine, theirs = (Counter(_frozen(output) for output in result.outputs) for result in (before, after))
    gone = [output for output in before.outputs if mine[_frozen(output)] > theirs[_frozen(output)]]
    come = [output for output in after.outputs if theirs[_frozen(output)] > mine[_frozen(output)]]
    return tuple(gone + come)


def _frozen(output: Output) -> str:
    return repr(output._replace(path="", uses=frozenset(sorted(output.uses)), labels=frozenset()))


def _owner(source: dict[str, Any], steps: tuple[Step, ...]) -> Category | None:
    """The category an assertion of a view carries for everything in it."""
    owner = None
    value: Any = source
    for step in steps:
        value = value[step]
        if isinstance(value, dict) and "_category" in value:
            owner = Category(value["_category"])
    return owner


def _judge(
    compiled: CompiledMap, path: str, change: str, touched: tuple[Output, ...], owner: Category | None
) -> Iterator[Leak]:
    known = _node(compiled.paths, path)
    allowed = compiled.reads | compiled.loops
    if known is None or not (
        path in allowed or (known.is_group and any(r.startswith(f"{path}.") for r in allowed))
    ):
        yield Leak(path, change, "", "it is not in the read-set")
        return
    brings = (
        frozenset({known.category})
        if not known.is_group
        else categories_of(_read_below(compiled, path), compiled.paths)
    )
    for output in touched:
        if output.category is not None and not covers(output.category, brings - {Special.PRIVATE}):
            yield Leak(path, change, output.rule, f"its category is not covered by {output.category.value}")
    outward = [output for output in touched if output.category is None]
    if owner is not None and outward and not any(owner in output.categories for output in outward):
        # Where one item steps in for another, one of the two outputs carries the one that changed.
        why = f"an assertion in {owner.value} is not among its categories"
        yield Leak(path, change, outward[0].rule, why)


def _read_below(compiled: CompiledMap, path: str) -> list[str]:
    below = [read for read in compiled.reads if read.startswith(f"{path}.")]
    return below or [path]


def _node(top: PathNode, path: str) -> PathNode | None:
    node: PathNode | None = top
    for step in path.split("."):
        node = node.children.get(step) if node else None
    return node if node is None or node.type in set(PathType) else None
