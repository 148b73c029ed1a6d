"""Writes one Python function per rule, and one for the document's keys, and compiles them once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mappings.engine import expression as ex
from mappings.engine import runtime
from mappings.engine.checking import Checker
from mappings.engine.crosswalk import Crosswalk
from mappings.engine.emit import Emitter
from mappings.engine.feeds import TargetShape
from mappings.engine.paths import PathNode, PathType
from mappings.engine.result import Output
from mappings.engine.rulecheck import CheckedRule
from mappings.engine.runtime import Issues
from mappings.engine.writer import Place, Val, written
from mappings.record.assertion import Method
from mappings.record.category import Category
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label, forced_category

Source = dict[str, Any]
RuleCode = Callable[[Source, list[Output], Issues], None]
KeysCode = Callable[[Source, Issues], tuple[str | None, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Program:
    """The compiled functions and, for whoever wants to read it, their source."""

    keys: KeysCode
    rules: tuple[RuleCode, ...]
    source: str


def write_program(
    document: ex.Document,
    rules: tuple[CheckedRule, ...],
    checker: Checker,
    tables: Mapping[str, tuple[ex.TableUse, Crosswalk]],
    top: PathNode,
    targets: Mapping[str, TargetShape] | None,
) -> Program:
    """Write and compile; the document must have passed every check."""
    tracked = any(node.type is PathType.ASSERTION for node in top.below())
    emitter = Emitter(checker, tables, top, tracked)
    emitter.space["__builtins__"] = {
        "enumerate": enumerate,
        "len": len,
        "str": str,
        "dict": dict,
        "frozenset": frozenset,
    }
    for name in ("ValueError", "TypeError", "AttributeError", "list", "float", "int"):
        emitter.space["__builtins__"][name] = __import__("builtins").__dict__[name]
    _write_keys(document, emitter)
    for number, checked in enumerate(rules):
        _RuleWriter(emitter, checked, targets.get(checked.rule.kind) if targets else None, top).write(number)
    source = "\n".join(emitter.lines) + "\n"
    code = compile(source, f"<map {document.id} {document.version}>", "exec")
    exec(code, emitter.space)  # noqa: S102 - our own source, made of our names and of literals through repr (emit.py)
    made = tuple(emitter.space[f"rule_{number}"] for number in range(len(rules)))
    return Program(emitter.space["keys"], made, source)


def _write_keys(document: ex.Document, emitter: Emitter) -> None:
    place = Place("s", "s", "", (), emitter.top, {})
    with emitter.block("def keys(s, iss):"):
        parts = [emitter.read(emitter.checker.found[id(read)], place) for read in document.record_id]
        for read, val in zip(document.record_id, parts, strict=True):
            args = f"'the natural key', {read.path!r}, iss"
            emitter.line(f"if {val.var} is None: {emitter.helper('missing_key')}({args})")
        known = " + '|' + ".join(f"str({val.var})" for val in parts) or "''"
        absent = " or ".join(f"{val.var} is None" for val in parts) or "False"
        emitter.line(f"record = None if {absent} else {known}")
        emitter.line("subjects = {}")
        for name, optional, subject in document.subjects:
            val = emitter.expr(subject, place)
            args = f"{f'the {name} it is about'!r}, {subject.path if isinstance(subject, ex.Read) else ''!r}, iss"
            if not optional:
                emitter.line(f"if {val.var} is None: record = {emitter.helper('missing_key')}({args})")
            emitter.line(f"if {val.var} is not None: subjects[{name!r}] = str({val.var})")
        emitter.line("return record, subjects")


class _RuleWriter:
    """Writes the function of one rule."""

    def __init__(
        self, emitter: Emitter, checked: CheckedRule, shape: TargetShape | None, top: PathNode
    ) -> None:
        """Bind what the function needs of the rule."""
        self.emitter = emitter
        self.checked = checked
        self.rule = checked.rule
        self.shape = shape
        self.place = Place("s", "s", "", (), top, {})

    def write(self, number: int) -> None:
        """`def rule_n(s, outs, iss)`."""
        emitter, rule = self.emitter, self.rule
        with emitter.block(f"def rule_{number}(s, outs, iss):"):
            if rule.each is None:
                self._output(self.place, "return")
                return
            found = emitter.checker.found[id(rule.each)]
            array, _ = emitter.source_array(found, self.place)
            if rule.key is not None:
                emitter.line("seen = {}")
            with emitter.items(found, array, self.place) as item:
                self._output(item, "continue")

    def _output(self, place: Place, leave: str) -> None:
        emitter, rule = self.emitter, self.rule
        if emitter.tracked:
            emitter.line("uses = {}")
        place = emitter.named(rule.names, place)
        if rule.when is not None:
            emitter.line(f"if not ({emitter.cond(rule.when, place)}): {leave}")
        whole, members = emitter.obj(rule.value, place, self.shape, rule=True)
        if whole.live:
            emitter.line(f"if {' and '.join(f'{name} is None' for name in whole.live)}: {leave}")
        self._required(members, leave)
        category = self._category(place, leave)
        labels, category = self._labels(place, category)
        key = self._key(place)
        links = self._links(place)
        effective = emitter.expr(rule.effective, place).var if rule.effective else "None"
        emitter.fill("value", members)
        if emitter.tracked and place.node.type is PathType.ASSERTION and rule.each is not None:
            emitter.line(f"{emitter.helper('used')}(uses, {place.here}, {place.where()}, iss)")
        self._append(place, category, labels, key, links, effective)

    def _required(self, members: Mapping[str, Val], leave: str) -> None:
        needed = {name for name, _ in self.rule.required} | (
            self.shape.required if self.shape else frozenset()
        )
        for name, val in members.items():
            if name in needed and val.live:
                with self.emitter.block(f"if {val.var} is None:"):
                    self.emitter.line(
                        f"{self.emitter.helper('missing')}({name!r}, {self.rule.name!r}, {val.where}, iss)"
                    )
                    self.emitter.line(leave)

    def _category(self, place: Place, leave: str) -> str:
        if self.rule.category_by is None:
            return self._bound_category(Category(self.rule.category)) if self.rule.category else "None"
        val, var = self.emitter.expr(self.rule.category_by, place), self.emitter.fresh("k")
        self.emitter.line(f"{var} = {self.emitter.helper('category_of')}({val.var}, {val.where}, iss)")
        self.emitter.line(f"if {var} is None: {leave}")
        return var

    def _bound_category(self, category: Category) -> str:
        return self.emitter.bind(f"category_{category.name}", category)

    def _labels(self, place: Place, category: str) -> tuple[str, str]:
        """Labels, and the category they force: a value's code outranks its field (ARCHITECTURE §4)."""
        labels = self.rule.labels
        if all(isinstance(label, ex.Const) for label in labels):
            known = frozenset(Label(label.value) for label in labels if isinstance(label, ex.Const))
            forced = forced_category(known)
            return self.emitter.bind(f"labels_{len(self.emitter.space)}", known), (
                self._bound_category(forced) if forced and category != "None" else category
            )
        parts = [self.emitter.expr(label, place) for label in labels]
        where = next((part.where for part in parts if part.live), place.where())
        var, forced_var = self.emitter.fresh("k"), self.emitter.fresh("k")
        codes = "".join(f"{part.var}, " for part in parts)
        self.emitter.line(f"{var} = {self.emitter.helper('labels_of')}(({codes}), {where}, iss)")
        if category == "None":
            return var, category
        force = self.emitter.bind("forced_category", forced_category)
        self.emitter.line(f"{forced_var} = {force}({var}) or {category}")
        return var, forced_var

    def _key(self, place: Place) -> str:
        emitter = self.emitter
        if self.rule.key is None:
            return "''"
        val, var = emitter.expr(self.rule.key, place), emitter.fresh("k")
        emitter.line(f"{var} = '' if {val.var} is None else str({val.var})")
        if self.rule.each is not None:
            with emitter.block(f"if {var} in seen:"):
                emitter.line(f"{var} = {emitter.helper('again')}({var}, seen, {val.where}, iss)")
            with emitter.block("else:"):
                emitter.line(f"seen[{var}] = 1")
        return var

    def _links(self, place: Place) -> str:
        if not self.rule.links:
            return "()"
        parts = [self.emitter.expr(link, place) for link in self.rule.links]
        var = self.emitter.fresh("k")
        self.emitter.line(
            f"{var} = tuple([str(x) for x in ({''.join(p.var + ', ' for p in parts)}) if x is not None])"
        )
        self.emitter.space["__builtins__"]["tuple"] = tuple
        return var

    def _append(self, place: Place, category: str, labels: str, key: str, links: str, effective: str) -> None:
        emitter, rule = self.emitter, self.rule
        output = emitter.bind("Output", Output)
        method = (
            emitter.bind(f"method_{rule.method}".replace("-", "_"), Method(rule.method))
            if rule.method
            else "None"
        )
        regimes = emitter.bind(
            f"regimes_{len(emitter.space)}", frozenset(Regime(one) for one in rule.regimes)
        )
        if emitter.tracked:
            categories, uses = "frozenset(uses.values())", "frozenset(uses)"
        elif category == "None":
            categories = uses = "frozenset()"
        else:
            fixed = frozenset({emitter.space[category]}) if category in emitter.space else None
            categories = emitter.bind(f"only_{category}", fixed) if fixed else f"frozenset(({category},))"
            uses = emitter.bind("nobody", _NOBODY)
        path = self._path(place)
        emitter.line(
            f"outs.append({output}({rule.name!r}, {rule.kind!r}, {category}, {labels}, value, {path}, {key}, {links}, "
            f"{effective}, {method}, {regimes}, {categories}, {uses}))"
        )

    def _path(self, place: Place) -> str:
        """The source path of the item, known without a call for the one array most rules loop over."""
        if not place.at:
            return written(place.pattern)
        if place.pattern.endswith(".[]") and place.pattern.count("[]") == 1:
            return f"{place.pattern[:-2]!r} + str({place.at[0]})"
        return f"{self.emitter.bind('placed', runtime.placed)}({place.where()})"


_NOBODY: frozenset[str] = frozenset()
