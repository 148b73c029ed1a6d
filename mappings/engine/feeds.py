"""What feeds a target: source paths, by value or by condition, what is lost on the way, and the categories they bring."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mappings.engine.paths import PathNode, Special
from mappings.record.category import EXTRA_PRIVATE, Category

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TargetShape:
    """The fields a target kind has, nested ones as shapes of their own, and which it cannot do without."""

    fields: Mapping[str, "TargetShape | None"]
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Feeds:
    """Source paths that reach a value: read into it, or deciding whether and how it appears; and what is lost."""

    by_value: frozenset[str] = NOTHING
    by_condition: frozenset[str] = NOTHING
    losses: tuple[str, ...] = ()

    @property
    def paths(self) -> frozenset[str]:
        """All of them."""
        return self.by_value | self.by_condition

    def __or__(self, other: "Feeds") -> "Feeds":
        """Both."""
        losses = tuple(dict.fromkeys(self.losses + other.losses))
        return Feeds(self.by_value | other.by_value, self.by_condition | other.by_condition, losses)

    def as_condition(self) -> "Feeds":
        """The same paths, deciding instead of being read; a decision loses nothing of a value."""
        return Feeds(NOTHING, self.paths)

    def losing(self, *losses: str) -> "Feeds":
        """With more that is lost."""
        return replace(self, losses=tuple(dict.fromkeys(self.losses + losses)))


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression gives: its type, what feeds it, and the fields inside it where it is an object."""

    type: str
    feeds: Feeds
    fields: tuple[tuple[str, Feeds], ...] = ()


def merged(fields: Iterable[tuple[str, Feeds]]) -> tuple[tuple[str, Feeds], ...]:
    """One entry per field: both branches of a choice feed the same one."""
    found: dict[str, Feeds] = {}
    for name, feeds in fields:
        found[name] = found.get(name, Feeds()) | feeds
    return tuple(found.items())


def union(feeds: Iterable[Feeds]) -> Feeds:
    """All of them together."""
    total = Feeds()
    for one in feeds:
        total |= one
    return total


def covers(category: Category, feeding: frozenset[Category | Special]) -> bool:
    """Whether an assertion in `category` may be fed from these: identity feeds any; an ordinary topic only itself;
    an extra-private one any ordinary topic, but no other extra-private one.
    """
    others = feeding - {Category.IDENTITY, category, Special.BY_VALUE}
    return not others & EXTRA_PRIVATE if category in EXTRA_PRIVATE else not others


def categories_of(paths: Iterable[str], top: PathNode) -> frozenset[Category | Special]:
    """The categories of source paths; a group counts as everything below it that could be read."""
    found: set[Category | Special] = set()
    for path in paths:
        node = top
        for step in path.split("."):
            node = node.children[step]
        own = {node.category} if node.category is not Special.PRIVATE else set()
        below = {leaf.category for leaf in node.leaves()} - {Special.PRIVATE, Special.NEVER}
        found |= own or below
    return frozenset(found)
