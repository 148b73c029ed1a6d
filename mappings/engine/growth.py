"""How much larger than its source a map's output can get: bounded when the map is saved, not when it runs.

A name may be used many times, and a name made of names doubles with each use; a loop over the whole document inside
another one makes every pair. Both are counted here from the rules alone.
"""

from collections.abc import Mapping

from mappings.engine import expression as ex
from mappings.engine.expression import Expr

MAX_COPIES = 2_000


def copies(value: Expr, names: Mapping[str, int]) -> int:  # noqa: PLR0911 - one return per verb
    """An upper bound of how often one source value can stand in what an expression makes, for one item."""
    match value:
        case ex.Read():
            return names.get(value.path[1:], 1) if value.path.startswith("$") else 1
        case ex.Items() | ex.Join():
            return sum(copies(member, names) for member in value.members)
        case ex.Obj():
            return sum(copies(member, names) for _, _, member in value.members)
        case ex.If():
            other = copies(value.otherwise, names) if value.otherwise else 0
            return max(copies(value.then, names), other)
        case ex.Each() | ex.Let():
            inner = {**names, **named(value.names, names)} if isinstance(value, ex.Let) else names
            return copies(value.do, inner)
        case ex.Const():
            return 1
        case _:
            return copies(value.of, names)


def named(bound: tuple[tuple[str, ex.Mark, Expr], ...], names: Mapping[str, int]) -> dict[str, int]:
    """The copies in each of some names; a later one may be made of an earlier one."""
    found: dict[str, int] = {}
    for name, _, value in bound:
        found[name] = min(copies(value, {**names, **found}), MAX_COPIES + 1)
    return found


def rule_copies(rule: ex.Rule) -> int:
    """The copies in all a rule makes."""
    names = named(rule.names, {})
    parts = [
        rule.value,
        *([rule.effective] if rule.effective else []),
        *([rule.key] if rule.key else []),
        *rule.links,
    ]
    return sum(copies(part, names) for part in parts)
