"""YAML nodes to expressions: the closed verbs and the way they combine."""

from collections.abc import Mapping
from typing import Any

import yaml

from mappings.engine import expression as ex
from mappings.engine.expression import Cond, Expr, Mark
from mappings.engine.fault import did_you_mean
from mappings.engine.markup import Faults, literal, mark_of, pairs, sequence, text_of

Parts = Mapping[str, tuple[Mark, yaml.Node]]

BASES: Mapping[str, frozenset[str]] = {
    "from": frozenset(),
    "const": frozenset(),
    "list": frozenset(),
    "each": frozenset({"when", "do", "first"}),
    "if": frozenset({"then", "else"}),
    "obj": frozenset(),
    "join": frozenset({"with"}),
    "let": frozenset({"do"}),
}
"""The verbs that make a value, each with the words that go with it."""

MODIFIERS = ("fn", "codes", "bool", "prefix", "default")
"""What is done to a value, in this order, however the map writes them."""

TESTS = ("present", "absent", "is", "in", "not_in")


class Reading:
    """Reads expressions and conditions of one map file; faults are collected, never raised."""

    def __init__(self, faults: Faults) -> None:
        """Read into this collection of faults."""
        self.faults = faults

    def expr(self, node: yaml.Node, what: str) -> Expr:
        """A value: a bare text is a source path, a bare number or yes/no is itself, a mapping uses verbs."""
        mark = mark_of(node)
        if isinstance(node, yaml.ScalarNode):
            value = literal(node, self.faults)
            if isinstance(value, str) and value:
                return ex.Read(mark, value)
            if value is None or value == "":
                self.faults.add(mark, f"{what} is empty", "nothing would be made", "Name a source path.")
            return ex.Const(mark, value)
        if isinstance(node, yaml.SequenceNode):
            self.faults.add(
                mark, f"{what} is a bare list", "lists are said with a verb", "Write {list: […]}."
            )
            return ex.Const(mark, None)
        return self._verbs(pairs(node, self.faults, what), mark, what, ())

    def _verbs(self, parts: Parts, mark: Mark, what: str, also: tuple[str, ...]) -> Expr:
        bases = [name for name in parts if name in BASES]
        if len(bases) != 1:
            found = " and ".join(bases) or "none"
            step = did_you_mean(next(iter(parts), ""), list(BASES)) if not bases else "Keep one of them."
            self.faults.add(
                mark, f"{what} needs one verb, found {found}", "each value is made in one way", step
            )
            return ex.Const(mark, None)
        base = bases[0]
        allowed = {base, *BASES[base], *MODIFIERS, *also}
        for name, (at, _) in parts.items():
            if name not in allowed:
                self.faults.add(
                    at, f"{name!r} does not go with {base!r}", "verbs are closed", did_you_mean(name, allowed)
                )
        return self._modified(self._base(base, parts, what), parts)

    def _base(self, base: str, parts: Parts, what: str) -> Expr:  # noqa: PLR0911 - one return per verb
        mark, node = parts[base]
        match base:
            case "from":
                return ex.Read(mark_of(node), text_of(node, self.faults, f"the path of {what}") or ".")
            case "const":
                return ex.Const(mark, literal(node, self.faults))
            case "list":
                members = sequence(node, self.faults, "list")
                return ex.Items(mark, tuple(self.expr(member, what) for member in members))
            case "obj":
                return self.obj(node, what)
            case "join":
                members = sequence(node, self.faults, "join")
                between = literal(parts["with"][1], self.faults) if "with" in parts else " "
                return ex.Join(mark, tuple(self.expr(member, what) for member in members), str(between))
            case "each":
                return self._each(mark, node, parts, what)
            case "if":
                otherwise = self.expr(parts["else"][1], what) if "else" in parts else None
                return ex.If(mark, self.cond(node), self._needed("then", parts, mark, what), otherwise)
            case _:
                return ex.Let(mark, self.named(node), self._needed("do", parts, mark, what))

    def _each(self, mark: Mark, node: yaml.Node, parts: Parts, what: str) -> Expr:
        over = ex.Read(mark_of(node), text_of(node, self.faults, f"the array of {what}") or ".")
        when = self.cond(parts["when"][1]) if "when" in parts else None
        do = self.expr(parts["do"][1], what) if "do" in parts else ex.Read(mark, ".")
        first = literal(parts["first"][1], self.faults) if "first" in parts else False
        if not isinstance(first, bool):
            self.faults.add(
                parts["first"][0], "first is not yes or no", "it stops at the first item", "Write true."
            )
        return ex.Each(mark, over, when, do, first is True)

    def _needed(self, name: str, parts: Parts, mark: Mark, what: str) -> Expr:
        if name in parts:
            return self.expr(parts[name][1], what)
        self.faults.add(mark, f"{name!r} is missing", f"{what} would never be made", f"Add {name}: under it.")
        return ex.Const(mark, None)

    def named(self, node: yaml.Node) -> tuple[tuple[str, Mark, Expr], ...]:
        """Names for values, in order: a later one may use an earlier one."""
        return tuple(
            (name, mark, self.expr(value, f"${name}"))
            for name, (mark, value) in pairs(node, self.faults, "let").items()
        )

    def obj(self, node: yaml.Node, what: str) -> ex.Obj:
        """Members by name; here every word is a member's name, never a verb."""
        return ex.Obj(
            mark_of(node),
            tuple(
                (name, mark, self.expr(value, name))
                for name, (mark, value) in pairs(node, self.faults, what).items()
            ),
        )

    def _modified(self, value: Expr, parts: Parts) -> Expr:
        for name in MODIFIERS:
            if name not in parts:
                continue
            mark, node = parts[name]
            match name:
                case "fn":
                    for call_mark, function, args in self._calls(node):
                        value = ex.Call(call_mark, value, function, args)
                case "codes":
                    value = ex.Codes(mark_of(node), value, text_of(node, self.faults, "the table") or "")
                case "bool":
                    if literal(node, self.faults) is not True:
                        self.faults.add(mark, "bool takes true", "it reads yes and no", "Write bool: true.")
                    value = ex.Bool(mark, value)
                case "prefix":
                    value = ex.Prefix(mark, value, str(literal(node, self.faults)))
                case _:
                    value = ex.Default(mark, value, literal(node, self.faults))
        return value

    def _calls(self, node: yaml.Node) -> list[tuple[Mark, str, tuple[Any, ...]]]:
        members = node.value if isinstance(node, yaml.SequenceNode) else [node]
        calls: list[tuple[Mark, str, tuple[Any, ...]]] = []
        for member in members:
            if isinstance(member, yaml.ScalarNode):
                calls.append((mark_of(member), member.value.strip(), ()))
                continue
            for name, (mark, args) in pairs(member, self.faults, "fn").items():
                value = literal(args, self.faults)
                calls.append((mark, name, tuple(value) if isinstance(value, list) else (value,)))
        return calls

    def cond(self, node: yaml.Node) -> Cond:
        """A condition: a bare path is `present`; all, any and not combine; the rest is a value and one test."""
        mark = mark_of(node)
        if isinstance(node, yaml.ScalarNode):
            return ex.Test(mark, self.expr(node, "the condition"), "present", ())
        parts = pairs(node, self.faults, "the condition")
        if len(parts) == 1:
            name, (at, inner) = next(iter(parts.items()))
            if name in {"all", "any"}:
                members = sequence(inner, self.faults, name)
                return ex.Many(at, name == "all", tuple(self.cond(member) for member in members))
            if name == "not":
                return ex.Not(at, self.cond(inner))
            if name in {"present", "absent"}:
                return ex.Test(at, self.expr(inner, "the condition"), name, ())
        tests = [name for name in parts if name in TESTS]
        if len(tests) != 1 or tests[0] in {"present", "absent"}:
            step = f"Use one of: {', '.join(TESTS)}, all, any, not."
            self.faults.add(mark, "a condition needs one test", "it must come out yes or no", step)
            return ex.Not(mark, ex.Many(mark, True, ()))
        test = tests[0]
        against = literal(parts[test][1], self.faults)
        values = tuple(against) if isinstance(against, list) and test != "is" else (against,)
        if any(isinstance(value, list | dict) for value in values):
            self.faults.add(
                parts[test][0], f"{test} compares with words and numbers", "not with groups", "Write a word."
            )
            values = ()
        value = self._verbs({k: v for k, v in parts.items() if k != test}, mark, "the condition", ())
        return ex.Test(mark, value, test, values)
