"""Checks whole rules: what they make, in which category, and that no category is narrower than what feeds it."""

from collections.abc import Mapping
from dataclasses import dataclass

from mappings.engine import expression as ex
from mappings.engine.checking import Checker, Scope
from mappings.engine.fault import did_you_mean
from mappings.engine.feeds import Feeds, TargetShape, categories_of, covers, merged
from mappings.engine.growth import MAX_COPIES, rule_copies
from mappings.engine.paths import PathNode, Special
from mappings.record.assertion import Method
from mappings.record.category import Category
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A rule with what feeds it.

    `fields` are the target fields, nested ones dotted, with their feeds; `around` is what decides about the whole output
    (loop, condition, category, key, labels). `categories` are those it can give; empty for outbound rules, whose outputs
    carry the categories of what they used.
    """

    rule: ex.Rule
    fields: tuple[tuple[str, Feeds], ...]
    around: Feeds
    categories: frozenset[Category]

    @property
    def feeds(self) -> Feeds:
        """Everything that feeds the rule's output."""
        total = self.around
        for _, feeds in self.fields:
            total |= feeds
        return total


def check_rule(
    rule: ex.Rule,
    checker: Checker,
    top: PathNode,
    targets: Mapping[str, TargetShape] | None,
    *,
    inbound: bool,
) -> CheckedRule:
    """Check one rule; faults go to the checker's collection."""
    if (
        rule_copies(rule) > MAX_COPIES
    ):  # before anything is walked: what doubles in the output doubles in the check
        why = f"one source value could stand in it more than {MAX_COPIES} times"
        checker.faults.add(rule.mark, f"rule {rule.name!r} repeats itself", why, "Use each name fewer times.")
        return CheckedRule(rule, (), Feeds(), frozenset())
    scope = Scope(top, top, {})
    around = Feeds()
    if rule.each:
        inside = checker.enter(rule.each, scope)
        scope = inside or scope
    scope = checker.named(rule.names, scope)
    if rule.when:
        around |= (
            checker.cond(rule.when, scope).as_condition().losing("left out where the condition fails (when)")
        )
    for part in (rule.key, *rule.links, *rule.labels, rule.category_by):
        if part is not None:
            around |= checker.expr(part, scope).feeds.as_condition()
    value = checker.obj(rule.value, scope)
    fields = value.fields
    if rule.effective:
        when = checker.obj(rule.effective, scope)
        fields += tuple((f"effective.{name}", feeds) for name, feeds in when.fields)
    if rule.each:
        around |= Checker.container(scope.here, value.feeds | around)
    _vocabulary(rule, checker)
    _target(rule, checker, targets)
    categories = _categories(rule, checker, inbound=inbound)
    checked = CheckedRule(rule, merged(fields), around, categories)
    if inbound:
        _category_not_narrower(checked, checker, top)
        _keyed(rule, checker)
    return checked


def _vocabulary(rule: ex.Rule, checker: Checker) -> None:
    for label in rule.labels:
        if isinstance(label, ex.Const) and label.value not in set(Label):
            step = did_you_mean(str(label.value), list(Label))
            checker.faults.add(label.mark, f"unknown label {label.value!r}", "labels are HL7's", step)
    if rule.method and rule.method not in set(Method):
        step = did_you_mean(rule.method, list(Method))
        checker.faults.add(rule.mark, f"unknown method {rule.method!r}", "methods are closed", step)
    for regime in rule.regimes:
        if regime not in set(Regime):
            step = did_you_mean(regime, list(Regime))
            checker.faults.add(rule.mark, f"unknown regime {regime!r}", "regimes are closed", step)


def _target(rule: ex.Rule, checker: Checker, targets: Mapping[str, TargetShape] | None) -> None:
    """Where the target's kinds are known, refuse unknown ones, unknown fields and rules that cannot make a whole one."""
    given = {name for name, _, _ in rule.value.members}
    for name, mark in rule.required:
        if name not in given:
            checker.faults.add(
                mark, f"{name!r} is required but not made", "the rule has no such field", "Add it to value."
            )
    if targets is None or not rule.kind:
        return
    shape = targets.get(rule.kind)
    if shape is None:
        step = did_you_mean(rule.kind, targets)
        checker.faults.add(rule.kind_mark, f"unknown kind {rule.kind!r}", "the target has no such kind", step)
        return
    for name in sorted(shape.required - given):
        why = f"a {rule.kind} cannot be without it"
        checker.faults.add(rule.value.mark, f"field {name!r} is missing", why, f"Add {name}: to value.")
    _fields(rule.value, shape, rule.kind, checker)


def _fields(value: ex.Expr, shape: TargetShape, what: str, checker: Checker) -> None:  # noqa: C901 - one case per verb
    match value:
        case ex.Obj():
            for name, mark, member in value.members:
                if name not in shape.fields:
                    step = did_you_mean(name, shape.fields)
                    checker.faults.add(mark, f"unknown field {name!r}", f"{what} has no such field", step)
                elif (inner := shape.fields[name]) is not None:
                    _fields(member, inner, name, checker)
        case ex.Each() | ex.Let():
            _fields(value.do, shape, what, checker)
        case ex.If():
            _fields(value.then, shape, what, checker)
            if value.otherwise:
                _fields(value.otherwise, shape, what, checker)
        case ex.Items():
            for member in value.members:
                _fields(member, shape, what, checker)
        case ex.Call() | ex.Default():
            _fields(value.of, shape, what, checker)
        case _:
            pass


def _categories(rule: ex.Rule, checker: Checker, *, inbound: bool) -> frozenset[Category]:
    """The categories the rule's outputs can have, as far as they are known before any data."""
    faults = checker.faults
    if not inbound:
        if rule.category or rule.category_by:
            why = "an output leaving the record carries the categories of what it used"
            faults.add(rule.category_mark, "a category is declared", why, "Remove it.")
        return frozenset()
    if rule.category_by and not rule.category:
        return _possible(rule.category_by, checker)
    if rule.category_by:
        faults.add(rule.category_mark, "category and category_by", "only one can decide", "Keep one of them.")
    if rule.category is None:
        faults.add(
            rule.mark,
            f"rule {rule.name!r} has no category",
            "each assertion has exactly one",
            "Add category:.",
        )
        return frozenset()
    if rule.category not in set(Category):
        step = did_you_mean(rule.category, list(Category))
        faults.add(rule.category_mark, f"unknown category {rule.category!r}", "categories are closed", step)
        return frozenset()
    return frozenset({Category(rule.category)})


def _possible(value: ex.Expr, checker: Checker) -> frozenset[Category]:
    """Every category a `category_by` can give; it must end in crosswalks or constants so that this is known."""
    codes = _codes(value, checker)
    for code in sorted(codes - set(Category)):
        step = did_you_mean(code, list(Category))
        checker.faults.add(value.mark, f"category_by gives {code!r}", "that is no category", step)
    return frozenset(Category(code) for code in codes if code in set(Category))


def _codes(node: ex.Expr, checker: Checker) -> set[str]:  # noqa: PLR0911 - one return per verb
    """What a `category_by` can come out as; the fault is noted where that cannot be known."""
    match node:
        case ex.Codes():
            if node.table not in checker.tables:
                return set()  # the unknown table is already a fault
            use, table = checker.tables[node.table]
            if use.unmapped == "pass":
                why = "an unknown code would become a category"
                checker.faults.add(
                    node.mark, f"table {node.table!r} passes codes on", why, "Use reject or default."
                )
            return set(table.targets) | ({use.default} if use.default else set())
        case ex.Const():
            return {str(node.value)}
        case ex.Default():
            return _codes(node.of, checker) | {str(node.value)}
        case ex.Items():
            return set().union(*(_codes(member, checker) for member in node.members))
        case ex.If():
            return _codes(node.then, checker) | (_codes(node.otherwise, checker) if node.otherwise else set())
        case ex.Call() if node.function in {"first", "only"}:
            return _codes(node.of, checker)
        case _:
            why = "the categories it can give must be known before any data"
            checker.faults.add(
                node.mark, "category_by ends in a bare value", why, "Look it up in a table: codes."
            )
            return set()


def _category_not_narrower(checked: CheckedRule, checker: Checker, top: PathNode) -> None:
    rule, feeds = checked.rule, checked.feeds
    feeding = categories_of(feeds.paths, top)
    if Special.BY_VALUE in feeding and not rule.category_by:
        why = "it reads a path whose category depends on the row"
        step = "Use category_by with the column that says the topic."
        checker.faults.add(rule.category_mark, f"rule {rule.name!r} has a fixed category", why, step)
    for category in sorted(checked.categories):
        if covers(category, feeding):
            continue
        wrong = sorted(path for path in feeds.paths if not covers(category, categories_of([path], top)))
        of = ", ".join(f"{path} ({'/'.join(sorted(categories_of([path], top)))})" for path in wrong)
        why = f"it is fed by {of}"
        step = "Declare the category of what feeds it, or split the rule."
        checker.faults.add(
            rule.category_mark, f"category {category.value!r} is too narrow for {rule.name!r}", why, step
        )


def _keyed(rule: ex.Rule, checker: Checker) -> None:
    if rule.each and rule.key is None:
        why = "facts of one record are told apart by key from pull to pull"
        checker.faults.add(
            rule.mark, f"rule {rule.name!r} loops but has no key", why, "Add key: with what names the item."
        )
