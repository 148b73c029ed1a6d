"""The rules of docs/maps.md, evaluated the slow and plain way: a second opinion on the code the engine writes.

It walks the expressions on every document, knows nothing of generated code, and gives values only (no issues, no feeds).
It shares the engine's reading of YAML, its functions and its crosswalks, which have tests of their own.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from mappings.engine import expression as ex
from mappings.engine import functions as fn
from mappings.engine.compiled import CompiledMap
from mappings.engine.feeds import TargetShape
from mappings.engine.functions import FUNCTIONS
from mappings.engine.paths import PathNode, PathType
from mappings.record.category import Category
from mappings.record.sensitivity import Label, forced_category


class Here:
    """The document, the item at hand with its node of the path table, and the names in force."""

    def __init__(
        self, top: Any, top_node: PathNode, item: Any, node: PathNode, names: dict[str, Any]
    ) -> None:
        self.top, self.top_node, self.item, self.node, self.names = top, top_node, item, node, names

    def inside(self, item: Any, node: PathNode) -> "Here":
        return Here(self.top, self.top_node, item, node, self.names)

    def naming(self, name: str, value: Any) -> "Here":
        return Here(self.top, self.top_node, self.item, self.node, {**self.names, name: value})


def typed(value: Any, kind: PathType) -> Any:  # noqa: PLR0911 - one return per type
    match kind:
        case PathType.TEXT:
            return value if isinstance(value, str) and value else None
        case PathType.INTEGER:
            if isinstance(value, float) and value.is_integer():
                return int(value)
            return value if isinstance(value, int) and not isinstance(value, bool) else None
        case PathType.NUMBER:
            fine = isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0
            return value if fine else None
        case PathType.BOOLEAN:
            return value if isinstance(value, bool) else None
        case PathType.DATE:
            try:
                day = fn.date_iso(value) if isinstance(value, str) else None
            except ValueError:
                return None
            return day if day and date.fromisoformat(day) else None
        case _:
            return value if isinstance(value, dict) else None


def walk(path: str, here: Here) -> tuple[Any, PathNode, bool]:
    """The raw value at a path and its node."""
    if path == ".":
        return here.item, here.node, True
    value, node, steps = here.item, here.node, path.split(".")
    if steps[0] == "$":
        value, node, steps = here.top, here.top_node, steps[1:]
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
        node = node.children[step]
    return value, node, False


def items(over: ex.Read, here: Here) -> Iterator[tuple[int, Here]]:
    value, node, _ = walk(over.path, here)
    found = value if isinstance(value, list) else []
    for number, item in enumerate(found[:10_000]):
        if not node.is_group or isinstance(item, dict):
            yield number, here.inside(item, node)


class Interpreter:
    def __init__(self, compiled: CompiledMap) -> None:
        self.compiled = compiled

    def value(self, expr: ex.Expr, here: Here, shape: TargetShape | None = None) -> tuple[Any, bool]:  # noqa: PLR0911 - one return per verb
        """The value, and whether anything real (not a constant) is in it."""
        match expr:
            case ex.Const():
                return expr.value, False
            case ex.Read():
                return self.read(expr, here)
            case ex.Items():
                parts = [self.value(member, here, shape) for member in expr.members]
                present = [part for part, _ in parts if part is not None]
                return present or None, any(real for _, real in parts)
            case ex.Obj():
                return self.obj(expr, here, shape)
            case ex.Each():
                found: list[Any] = []
                for _, item in items(expr.over, here):
                    if expr.when is None or self.holds(expr.when, item):
                        part, _ = self.value(expr.do, item, shape)
                        found.extend([part] if part is not None else [])
                result = (found[0] if found else None) if expr.first else found or None
                return result, result is not None
            case ex.If():
                branch = expr.then if self.holds(expr.cond, here) else expr.otherwise
                made = self.value(branch, here, shape)[0] if branch else None
                return made, made is not None
            case ex.Join():
                parts = [self.value(member, here) for member in expr.members]
                texts = [one for part, _ in parts for one in (part if isinstance(part, list) else [part])]
                text = expr.between.join(one for one in texts if isinstance(one, str) and one)
                return text or None, any(real for _, real in parts)
            case ex.Let():
                return self.value(expr.do, self.named(expr.names, here), shape)
            case _:
                return self.modified(expr, here, shape)

    def named(self, names: Any, here: Here) -> Here:
        for name, _, expr in names:
            here = here.naming(name, (*self.value(expr, here), self.constant(expr, here)))
        return here

    def read(self, expr: ex.Read, here: Here) -> tuple[Any, bool]:
        if expr.path[0] == "$" and not expr.path.startswith("$."):
            value, real, _ = here.names[expr.path[1:]]
            return value, real
        value, node, is_item = walk(expr.path, here)
        if node.is_list and not is_item:
            members = value if isinstance(value, list) else []
            made = [
                one for one in (typed(member, node.type) for member in members[:10_000]) if one is not None
            ]
            return made or None, bool(made)
        made = typed(value, node.type)
        return made, made is not None

    def obj(self, expr: ex.Obj, here: Here, shape: TargetShape | None) -> tuple[Any, bool]:
        fields = shape.fields if shape else {}
        made, real, constant = {}, False, True
        for name, _, member in expr.members:
            part, part_real = self.value(member, here, fields.get(name))
            real = real or part_real
            constant = constant and self.constant(member, here)
            if part is not None:
                made[name] = part
        lacks = shape is not None and any(
            name not in made for name in shape.required if name in {name for name, _, _ in expr.members}
        )
        if lacks or not (real or constant):
            return None, False
        return made, real

    def constant(self, expr: ex.Expr, here: Here) -> bool:  # noqa: PLR0911 - one return per verb
        """Whether an expression is made of constants alone, so that its presence says nothing."""
        match expr:
            case ex.Const():
                return True
            case ex.Items() | ex.Join():
                return all(self.constant(member, here) for member in expr.members)
            case ex.Obj():
                return all(self.constant(member, here) for _, _, member in expr.members)
            case ex.Read() if expr.path[0] == "$" and not expr.path.startswith("$."):
                constant: bool = here.names[expr.path[1:]][2]
                return constant
            case ex.Let():
                return self.constant(expr.do, self.named(expr.names, here))
            case ex.Default() | ex.Codes() | ex.Prefix() | ex.Bool() | ex.Call():
                return self.constant(expr.of, here)
            case _:
                return False

    def modified(self, expr: Any, here: Here, shape: TargetShape | None) -> tuple[Any, bool]:
        value, real = self.value(expr.of, here, shape)
        if isinstance(expr, ex.Default):
            return (expr.value if value is None else value), real
        if value is None:
            return None, False
        made = self.changed(expr, value)
        return made, made is not None and not self.constant(expr.of, here)

    def changed(self, expr: Any, value: Any) -> Any:
        match expr:
            case ex.Prefix():
                return expr.text + str(value)
            case ex.Codes():
                use, table = self.compiled.tables[expr.table]
                code = table.lookup.get(table.fold(value)) if isinstance(value, str) else None
                if code is not None:
                    return code or None
                return {"reject": None, "default": use.default, "pass": value}[use.unmapped]
            case ex.Bool():
                call, args = fn.true_false, ()
            case _:
                call, args = FUNCTIONS[expr.function].call, expr.args
        try:
            return call(value, *args)
        except (ValueError, TypeError, AttributeError):
            return None

    def holds(self, cond: ex.Cond, here: Here) -> bool:  # noqa: PLR0911 - one return per test
        match cond:
            case ex.Many():
                return (all if cond.all else any)(self.holds(member, here) for member in cond.members)
            case ex.Not():
                return not self.holds(cond.of, here)
        value = self.looked_at(cond.of, here)
        match cond.op:
            case "present":
                return value is not None
            case "absent":
                return value is None
            case "is":
                return value is not None and value == cond.against[0]
            case "in":
                return value in cond.against
            case _:
                return value not in cond.against

    def looked_at(self, expr: ex.Expr, here: Here) -> Any:
        if isinstance(expr, ex.Read) and expr.path[0] not in "$.":
            raw, node, _ = walk(expr.path, here)
            if node.is_group:
                return raw or None
        return self.value(expr, here)[0]

    def rule(
        self, rule: ex.Rule, shape: TargetShape | None, document: dict[str, Any]
    ) -> list[tuple[Any, ...]]:
        root: PathNode = self.compiled.paths
        top = Here(document, root, document, root, {})
        places = items(rule.each, top) if rule.each else [(None, top)]
        outputs: list[tuple[Any, ...]] = []
        seen: dict[str, int] = {}
        for number, place in places:
            here = self.named(rule.names, place)
            if rule.when is not None and not self.holds(rule.when, here):
                continue
            made = self.output(rule, shape, here, seen)
            if made is not None:
                outputs.append((rule.name, f"{rule.each.path}.{number}" if rule.each else "", *made))
        return outputs

    def output(
        self, rule: ex.Rule, shape: TargetShape | None, here: Here, seen: dict[str, int]
    ) -> tuple[Any, ...] | None:
        bare = TargetShape(shape.fields) if shape else None
        value, real = self.obj(rule.value, here, bare)
        needed = {name for name, _ in rule.required} | (shape.required if shape else frozenset())
        constant = all(self.constant(member, here) for _, _, member in rule.value.members)
        if not (real or constant) or any(name not in (value or {}) for name in needed):
            return None
        category = Category(rule.category) if rule.category else None
        if rule.category_by is not None:
            word = self.value(rule.category_by, here)[0]
            if word is None:
                return None
            category = Category(word)
        labels = frozenset(
            Label(code) if code in set(Label) else Label.VERY_RESTRICTED
            for code in (self.value(label, here)[0] for label in rule.labels)
            if code is not None
        )
        category = forced_category(labels) or category
        key = ""
        if rule.key is not None:
            key = str(self.value(rule.key, here)[0] or "")
            if rule.each is not None:
                seen[key] = seen.get(key, 0) + 1
                key = key if seen[key] == 1 else f"{key}~{seen[key]}"
        return value, category, labels, key
