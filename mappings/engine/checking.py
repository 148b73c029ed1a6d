"""Checks a map against its source's path table, its crosswalks and its target, and computes what feeds every output.

Three questions are answered here, before any data is seen: does every path exist and fit the verb that reads it; which
source paths feed each target field, by value or by condition; and is any assertion's category narrower than what feeds
it (ARCHITECTURE §5).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.engine import expression as ex
from mappings.engine.crosswalk import Crosswalk
from mappings.engine.expression import Cond, Expr, Mark
from mappings.engine.fault import did_you_mean
from mappings.engine.feeds import Feeds, Value, union
from mappings.engine.functions import FUNCTIONS
from mappings.engine.markup import Faults
from mappings.engine.paths import PathNode, PathType, Special

MAX_RESTARTS = 2

TYPE_OF: Mapping[PathType, str] = {
    PathType.TEXT: "text",
    PathType.DATE: "text",
    PathType.INTEGER: "integer",
    PathType.NUMBER: "number",
    PathType.BOOLEAN: "boolean",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A resolved path: where it starts (`here`, `top`, `item` or `name`), the names to walk, and the node it ends at."""

    start: str
    steps: tuple[str, ...]
    node: PathNode


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands: the top of the document, the item at hand, the names in force, and how many of the
    loops around it run over the document as a whole and not over part of an item.
    """

    top: PathNode
    here: PathNode
    names: Mapping[str, Value]
    restarts: int = 0


@dataclass(slots=True)
class Checker:
    """Walks expressions of one map. `found` remembers each resolved path by the identity of its Read."""

    faults: Faults
    tables: Mapping[str, tuple[ex.TableUse, Crosswalk]]
    found: dict[int, Found] = field(default_factory=dict)
    types: dict[int, str] = field(default_factory=dict)
    leaf_reads: set[str] = field(default_factory=set)
    loops: set[str] = field(default_factory=set)
    used_tables: set[str] = field(default_factory=set)

    # paths

    def resolve(self, read: ex.Read, scope: Scope, *, array: bool = False) -> Found | None:
        """The path a Read means, or None with the fault noted. `array` asks for something to loop over."""
        node, start, steps = scope.here, "here", tuple(read.path.split("."))
        if read.path == ".":
            return self._ends(read, Found("item", (), scope.here), array)
        if steps[0] == "$":
            node, start, steps = scope.top, "top", steps[1:]
        for number, step in enumerate(steps):
            child = node.children.get(step)
            if child is None:
                known = node.relative()
                missing = ".".join(steps[number:])
                self.faults.add(
                    read.mark,
                    f"unknown path {read.path!r}",
                    f"{node.path or 'the document'} has no {step!r} in the path table",
                    did_you_mean(missing, known),
                )
                return None
            if child.is_list and number < len(steps) - 1:
                rest = ".".join(steps[number + 1 :])
                why = "an array is read item by item"
                step_text = f"Write {{each: {'.'.join(steps[: number + 1])}, do: {rest}}}."
                self.faults.add(read.mark, f"{child.path!r} is an array", why, step_text)
                return None
            node = child
        return self._ends(read, Found(start, steps, node), array)

    def _ends(self, read: ex.Read, found: Found, array: bool) -> Found | None:
        node = found.node
        if array and not (node.is_list and found.start != "item"):
            self.faults.add(
                read.mark, f"{read.path!r} is not an array", "each loops over arrays", "Read it with from."
            )
            return None
        if node.category is Special.NEVER:
            why = "it is on the never-keep list"
            self.faults.add(read.mark, f"{node.path!r} may not be read", why, "Leave it out of the map.")
            return None
        if node.category is Special.PRIVATE and not node.is_group:
            why = "it has no category yet, so it is private"
            self.faults.add(
                read.mark, f"{node.path!r} may not be read", why, "Classify it in the path table first."
            )
            return None
        self.found[id(read)] = found
        return found

    # values

    def expr(self, value: Expr, scope: Scope) -> Value:
        """Check an expression; its type is remembered by identity for the code that is written from it."""
        checked = self._expr(value, scope)
        self.types[id(value)] = checked.type
        return checked

    def _expr(self, value: Expr, scope: Scope) -> Value:  # noqa: PLR0911 - one return per verb
        match value:
            case ex.Const():
                return Value(_literal_type(value.value), Feeds())
            case ex.Read():
                return self._read(value, scope)
            case ex.Items():
                parts = [self.expr(member, scope) for member in value.members]
                fields = tuple(field for part in parts for field in part.fields)
                return Value("list", union(part.feeds for part in parts), fields)
            case ex.Obj():
                return self.obj(value, scope)
            case ex.Each():
                return self._each(value, scope)
            case ex.If():
                return self._if(value, scope)
            case ex.Join():
                return self._join(value, scope)
            case ex.Let():
                return self.expr(value.do, self.named(value.names, scope))
            case _:
                return self._modifier(value, scope)

    def _read(self, read: ex.Read, scope: Scope) -> Value:
        if read.path.startswith("$") and not read.path.startswith("$."):
            name = read.path[1:]
            if name in scope.names:
                return scope.names[name]
            self.faults.add(
                read.mark, f"unknown name {read.path!r}", "let defines names", did_you_mean(name, scope.names)
            )
            return Value("any", Feeds())
        found = self.resolve(read, scope)
        if found is None:
            return Value("any", Feeds())
        node = found.node
        if node.is_group:
            what = "an array of groups" if node.is_list and found.start != "item" else "a group"
            step = did_you_mean("", (child for child in node.children))
            self.faults.add(read.mark, f"{read.path!r} is {what}", "a value is one field of it", step)
            return Value("any", Feeds())
        self.leaf_reads.add(node.path)
        kind = "list" if node.is_list and found.start != "item" else TYPE_OF[node.type]
        return Value(kind, Feeds(by_value=frozenset({node.path})))

    def obj(self, value: ex.Obj, scope: Scope) -> Value:
        """An object and its fields, nested ones dotted."""
        fields: list[tuple[str, Feeds]] = []
        for name, _, member in value.members:
            inner = self.expr(member, scope)
            fields.extend((f"{name}.{below}", feeds) for below, feeds in inner.fields)
            if not inner.fields:
                fields.append((name, inner.feeds))
        return Value("object", union(feeds for _, feeds in fields), tuple(fields))

    def _each(self, value: ex.Each, scope: Scope) -> Value:
        item = self.enter(value.over, scope)
        if item is None:
            return Value("list", Feeds())
        when = self.cond(value.when, item).as_condition() if value.when else Feeds()
        inner = self.expr(value.do, item)
        around = self.container(item.here, inner.feeds | when) | when
        if value.when:
            around = around.losing("items that fail the condition are left out (when)")
        if value.first:
            around = around.losing("all but the first item are left out (first)")
        fields = tuple((name, feeds | around) for name, feeds in inner.fields)
        return Value("any" if value.first else "list", inner.feeds | around, fields)

    def enter(self, over: ex.Read, scope: Scope) -> Scope | None:
        """The scope of an array's items."""
        found = self.resolve(over, scope, array=True)
        if found is None:
            return None
        self.loops.add(found.node.path)
        if not found.node.is_group:
            self.leaf_reads.add(found.node.path)
        anew = found.start == "top" or scope.here is scope.top
        if anew and scope.restarts == MAX_RESTARTS:
            why = "three loops over the whole document make every triple of items"
            self.faults.add(
                over.mark, f"{over.path!r} is looped over anew", why, "Loop over what the item holds."
            )
        return Scope(scope.top, found.node, scope.names, scope.restarts + anew)

    @staticmethod
    def container(node: PathNode, inside: Feeds) -> Feeds:
        """That an item is there says something by itself where nothing in it is read."""
        below = f"{node.path}."
        if any(path.startswith(below) or path == node.path for path in inside.paths):
            return Feeds()
        return Feeds(by_condition=frozenset({node.path}))

    def _if(self, value: ex.If, scope: Scope) -> Value:
        deciding = self.cond(value.cond, scope).as_condition()
        then = self.expr(value.then, scope)
        other = self.expr(value.otherwise, scope) if value.otherwise else Value(then.type, Feeds())
        fields = tuple((name, feeds | deciding) for name, feeds in then.fields + other.fields)
        return Value(
            then.type if then.type == other.type else "any", then.feeds | other.feeds | deciding, fields
        )

    def _join(self, value: ex.Join, scope: Scope) -> Value:
        feeds = Feeds()
        for member in value.members:
            inner = self.expr(member, scope)
            feeds |= inner.feeds
            if inner.type not in {"text", "any", "list"}:
                self.faults.add(
                    value.mark, f"join meets a {inner.type}", "it joins texts", "Add fn: text to that part."
                )
        return Value("text", feeds.losing("the joined parts cannot be told apart again (join)"))

    def named(self, names: Iterable[tuple[str, Mark, Expr]], scope: Scope) -> Scope:
        """The scope with more names; a name is not reused, so that a reader need not ask which one is meant."""
        known = dict(scope.names)
        for name, mark, value in names:
            if name in known:
                self.faults.add(
                    mark, f"${name} is already named", "one name, one value", "Choose another name."
                )
            known[name] = self.expr(value, Scope(scope.top, scope.here, known, scope.restarts))
        return Scope(scope.top, scope.here, known, scope.restarts)

    # modifiers

    def _modifier(self, value: Expr, scope: Scope) -> Value:
        assert isinstance(value, ex.Codes | ex.Default | ex.Prefix | ex.Bool | ex.Call)
        inner = self.expr(value.of, scope)
        match value:
            case ex.Codes():
                return self._codes(value, inner)
            case ex.Default():
                kind = _literal_type(value.value)
                if isinstance(value.value, list | dict) or value.value is None:
                    self.faults.add(
                        value.mark, "default is not a word or number", "it stands in", "Write one value."
                    )
                lossy = inner.feeds.losing("an absent value and the default look the same (default)")
                return Value(inner.type if inner.type == kind else "any", lossy, inner.fields)
            case ex.Prefix():
                self._fits(value.mark, "prefix", inner.type, {"text", "integer", "any"})
                return Value("text", inner.feeds)
            case ex.Bool():
                self._fits(value.mark, "bool", inner.type, {"text", "integer", "boolean", "any"})
                return Value("boolean", inner.feeds)
            case ex.Call():
                return self._call(value, inner)

    def _fits(self, mark: Mark, verb: str, given: str, taken: set[str]) -> None:
        if given not in taken:
            why = f"it takes {' or '.join(sorted(taken - {'any'}))}"
            self.faults.add(
                mark, f"{verb} meets a {given}", why, "Change what it reads, or convert it with fn: text."
            )

    def _codes(self, value: ex.Codes, inner: Value) -> Value:
        self._fits(value.mark, "codes", inner.type, {"text", "any"})
        if value.table not in self.tables:
            step = did_you_mean(value.table, self.tables)
            self.faults.add(
                value.mark, f"unknown table {value.table!r}", "tables are named under tables:", step
            )
            return Value("text", inner.feeds)
        use, table = self.tables[value.table]
        self.used_tables.add(value.table)
        feeds = inner.feeds
        if meets := table.many_to_one:
            feeds = feeds.losing(f"several codes become one: {', '.join(meets)} (codes {value.table})")
        if table.dropped:
            feeds = feeds.losing(f"codes without a target: {', '.join(table.dropped)} (codes {value.table})")
        if use.unmapped == "default":
            feeds = feeds.losing(f"unknown codes become {use.default!r} (codes {value.table})")
        return Value("text", feeds)

    def _call(self, value: ex.Call, inner: Value) -> Value:
        known = FUNCTIONS.get(value.function)
        if known is None:
            step = did_you_mean(value.function, FUNCTIONS)
            self.faults.add(
                value.mark, f"unknown function {value.function!r}", "functions are a closed list", step
            )
            return Value("any", inner.feeds)
        if not known.least_args <= len(value.args) <= known.most_args:
            why = f"it takes {known.least_args} to {known.most_args}"
            step = (
                f"Write fn: {value.function}."
                if not known.most_args
                else f"Write fn: {{{value.function}: …}}."
            )
            self.faults.add(value.mark, f"{value.function} has {len(value.args)} arguments", why, step)
        if known.takes != "any":
            self._fits(value.mark, value.function, inner.type, {known.takes, "any"})
        if not known.loses:
            return Value(known.gives, inner.feeds)
        loss = f"{known.loses} (fn {value.function})"
        kept = inner.fields if known.takes == "list" else ()  # lists of objects stay lists of objects
        fields = tuple((name, feeds.losing(loss)) for name, feeds in kept)
        return Value(known.gives, inner.feeds.losing(loss), fields)

    # conditions

    def cond(self, value: Cond, scope: Scope) -> Feeds:
        """What a condition looks at."""
        match value:
            case ex.Many():
                return union(self.cond(member, scope) for member in value.members)
            case ex.Not():
                return self.cond(value.of, scope)
            case ex.Test():
                group = self._group_test(value, scope)
                return group if group is not None else self.expr(value.of, scope).feeds

    def _group_test(self, test: ex.Test, scope: Scope) -> Feeds | None:
        """`present` and `absent` may ask for a group or an array as such; then everything below it is looked at."""
        of = test.of
        if test.op not in {"present", "absent"} or not isinstance(of, ex.Read) or of.path[0] in "$.":
            return None
        node: PathNode | None = scope.here
        for step in of.path.split("."):
            node = node.children.get(step) if node else None
        if node is None or not node.is_group or self.resolve(of, scope) is None:
            return None
        self.loops.add(node.path)
        self.types[id(of)] = "list" if node.is_list else "object"
        return Feeds(by_condition=frozenset({node.path}))


def _literal_type(value: Any) -> str:  # noqa: PLR0911 - one return per JSON type
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case dict():
            return "object"
        case _:
            return "any"
