"""Writes the Python of a checked map's values and conditions; `writer` writes how they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mappings.engine import expression as ex
from mappings.engine.expression import Cond, Expr
from mappings.engine.feeds import TargetShape
from mappings.engine.functions import FUNCTIONS, true_false
from mappings.engine.paths import PathType
from mappings.engine.writer import Place, Val, Writer, written


@dataclass(slots=True)
class Emitter(Writer):
    """Writes values, objects, choices, loops and conditions."""

    # values

    def expr(self, value: Expr, place: Place, shape: TargetShape | None = None) -> Val:  # noqa: PLR0911 - one return per verb
        """Write a value."""
        match value:
            case ex.Const():
                return self._const(value.value, place)
            case ex.Read():
                if value.path.startswith("$") and not value.path.startswith("$."):
                    return self.carried(place.names[value.path[1:]], place)
                return self.read(self.checker.found[id(value)], place)
            case ex.Items():
                return self._items(value, place, shape)
            case ex.Obj():
                return self.obj(value, place, shape)[0]
            case ex.Each():
                return self._each(value, place, shape)
            case ex.If():
                return self._if(value, place, shape)
            case ex.Join():
                parts = [self.expr(member, place) for member in value.members]
                var, call = self.fresh(), self.helper("joined")
                self.line(
                    f"{var} = {call}({value.between!r}, ({''.join(part.var + ', ' for part in parts)}))"
                )
                live = tuple(name for part in parts for name in part.live)
                return Val(var, parts[0].where if parts else place.where(), live)
            case ex.Let():
                return self.expr(value.do, self.named(value.names, place), shape)
            case _:
                return self._modifier(value, place, shape)

    def _const(self, value: Any, place: Place) -> Val:
        var = self.fresh("v" if value is None else "c")
        self.line(f"{var} = {written(value)}")
        return Val(var, place.where(), ())

    def named(self, names: tuple[tuple[str, ex.Mark, Expr], ...], place: Place) -> Place:
        """The place with more names."""
        for name, _, value in names:
            val = replace(self.expr(value, place), depth=len(place.at))
            place = Place(
                place.top, place.here, place.pattern, place.at, place.node, {**place.names, name: val}
            )
        return place

    def _items(self, value: ex.Items, place: Place, shape: TargetShape | None) -> Val:
        parts = [self.expr(member, place, shape) for member in value.members]
        var = self.fresh("l")
        self.line(
            f"{var} = [x for x in ({''.join(part.var + ', ' for part in parts)}) if x is not None] or None"
        )
        live = tuple(name for part in parts for name in part.live)
        return Val(var, parts[0].where if parts else place.where(), live)

    def obj(
        self, value: ex.Obj, place: Place, shape: TargetShape | None, *, rule: bool = False
    ) -> tuple[Val, dict[str, Val]]:
        """An object; nothing where nothing real is in it, or where a member its shape requires is nothing."""
        inner = shape.fields if shape else {}
        members = {
            name: self._member(name, member, place, inner.get(name)) for name, _, member in value.members
        }
        var = self.fresh("o")
        live = tuple(dict.fromkeys(name for val in members.values() for name in val.live))
        dead = " and ".join(f"{name} is None" for name in live)
        where = next((val.where for val in members.values() if val.live), place.where())
        if rule:
            return Val(var, where, live), members
        if dead:
            self.line(f"if {dead}: {var} = None")
        with self.block("else:" if dead else "if True:"):
            self.fill(var, members)
            for name in sorted(shape.required & set(members)) if shape else ():
                with self.block(f"if {members[name].var} is None and {var} is not None:"):
                    self.line(
                        f"{var} = {self.helper('missing')}({name!r}, {'.'.join(self.inside)!r}, {members[name].where}, iss)"
                    )
        return Val(var, where, (var,) if live else ()), members

    def _member(self, name: str, value: Expr, place: Place, shape: TargetShape | None) -> Val:
        self.inside.append(name)
        val = self.expr(value, place, shape)
        self.inside.pop()
        return val

    def fill(self, var: str, members: Mapping[str, Val]) -> None:
        """Put members that are something into a new object."""
        sure = {name: val for name, val in members.items() if val.var.startswith("c")}
        self.line(f"{var} = {{{', '.join(f'{name!r}: {val.var}' for name, val in sure.items())}}}")
        for name, val in members.items():
            if name not in sure:
                self.line(f"if {val.var} is not None: {var}[{name!r}] = {val.var}")

    def _each(self, value: ex.Each, place: Place, shape: TargetShape | None) -> Val:
        found = self.checker.found[id(value.over)]
        array, where = self.source_array(found, place)
        out = self.fresh("l")
        self.line(f"{out} = None" if value.first else f"{out} = []")
        with self.items(found, array, place) as item:
            if value.when is not None:
                self.line(f"if not ({self.cond(value.when, item)}): continue")
            val = self.expr(value.do, item, shape)
            with self.block(f"if {val.var} is not None:"):
                self.line(f"{out} = {val.var}" if value.first else f"{out}.append({val.var})")
                if self.tracked and item.node.type is PathType.ASSERTION:
                    self.line(f"{self.helper('used')}(uses, {item.here}, {item.where()}, iss)")
                if value.first:
                    self.line("break")
        if not value.first:
            self.line(f"if not {out}: {out} = None")
        return Val(out, where, (out,))

    def _if(self, value: ex.If, place: Place, shape: TargetShape | None) -> Val:
        test = self.cond(value.cond, place)
        var = self.fresh()
        with self.block(f"if {test}:"):
            then = self.expr(value.then, place, shape)
            self.line(f"{var} = {then.var}")
        with self.block("else:"):
            other = self.expr(value.otherwise, place, shape) if value.otherwise else None
            self.line(f"{var} = {other.var if other else None}")
        return Val(var, then.where, (var,))

    def _modifier(self, value: Expr, place: Place, shape: TargetShape | None) -> Val:
        assert isinstance(value, ex.Codes | ex.Default | ex.Prefix | ex.Bool | ex.Call)
        inner = self.expr(value.of, place, shape)
        var, args = self.fresh(), f"{inner.where}, iss"
        match value:
            case ex.Default():
                self.line(f"{var} = {written(value.value)} if {inner.var} is None else {inner.var}")
                return Val(var, inner.where, inner.live)
            case ex.Prefix():
                self.line(f"{var} = None if {inner.var} is None else {value.text!r} + str({inner.var})")
            case ex.Bool():
                call = f"{self.helper('yes_no')}({inner.var}, {self.bind('true_false', true_false)}, {args})"
                test = f"{inner.var} is None or {inner.var} is True or {inner.var} is False"
                self.line(f"{var} = {inner.var} if {test} else {call}")
            case ex.Codes():
                self._codes(value, inner, var)
            case ex.Call():
                self._call(value, inner, var)
        return Val(var, inner.where, (var,) if inner.live else ())

    def _codes(self, value: ex.Codes, inner: Val, var: str) -> None:
        use, table = self.tables[value.table]
        lookup = self.bind(f"t_{len(self.space)}", table.lookup)
        key = f"{inner.var}.casefold()" if table.ignore_case else inner.var
        args = f"{inner.var}, {use.unmapped!r}, {use.default!r}, {use.name!r}, {inner.where}, iss"
        sure = self.checker.types.get(id(value.of)) == "text"
        found = (
            f"{lookup}.get({key})"
            if sure
            else f"{lookup}.get({key}) if {inner.var}.__class__ is str else None"
        )
        self.line(f"{var} = None")
        with self.block(f"if {inner.var} is not None:"):
            self.line(f"{var} = {found}")
            self.line(f"if not {var}: {var} = None if {var} == '' else {self.helper('unmapped')}({args})")

    def _call(self, value: ex.Call, inner: Val, var: str) -> None:
        function = FUNCTIONS[value.function]
        name = self.bind(f"f_{value.function}", function.call)
        code = self.bind(f"code_{function.code.name}", function.code)
        more = "".join(f", {written(arg)}" for arg in value.args)
        self.line(f"{var} = None")
        with self.block(f"if {inner.var} is not None:"):
            with self.block("try:"):
                self.line(f"{var} = {name}({inner.var}{more})")
            with self.block("except (ValueError, TypeError, AttributeError):"):
                self.line(f"{self.helper('failed')}({code}, {value.function!r}, {inner.where}, iss)")

    # conditions

    def cond(self, value: Cond, place: Place) -> str:
        """Write what a condition reads; the expression that decides it."""
        match value:
            case ex.Many():
                word = " and " if value.all else " or "
                parts = [f"({self.cond(member, place)})" for member in value.members]
                return word.join(parts) or str(value.all)
            case ex.Not():
                return f"not ({self.cond(value.of, place)})"
            case ex.Test():
                return self._test(value, place)

    def _test(self, test: ex.Test, place: Place) -> str:
        of = test.of
        if (
            isinstance(of, ex.Read)
            and self.checker.types.get(id(of)) in {"object", "list"}
            and id(of) in self.checker.found
        ):
            found = self.checker.found[id(of)]
            if found.node.is_group:
                base = place.here
                holder = self._group(base, found.steps, place, base == place.top)
                var = self.fresh("p")
                self.line(f"{var} = {holder}.get({found.steps[-1]!r}) or None")
                return f"{var} is {'not ' if test.op == 'present' else ''}None"
        var = self.expr(of, place).var
        match test.op:
            case "present":
                return f"{var} is not None"
            case "absent":
                return f"{var} is None"
            case "is":
                return (
                    f"{var} == {written(test.against[0])} and {var} is not None" if test.against else "False"
                )
            case "in":
                return f"{var} in {written(list(test.against), frozen=True)}"
            case _:
                return f"{var} not in {written(list(test.against), frozen=True)}"
