"""Where each field of a map's outputs comes from: which rule, which source paths, in which categories, at what loss."""

from dataclasses import asdict, dataclass
from typing import Any

from mappings.engine.compiled import CompiledMap
from mappings.engine.feeds import categories_of


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of one target field; field `(whole)` is what decides whether the output is there at all."""

    rule: str
    line: int
    kind: str
    field: str
    by_value: tuple[str, ...]
    by_condition: tuple[str, ...]
    categories: tuple[str, ...]
    losses: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """One line a reader can follow."""
        text = f"{self.kind}.{self.field} ← {', '.join(self.by_value) or 'a constant'}"
        if self.by_condition:
            text += f", decided by {', '.join(self.by_condition)}"
        text += f" [{self.rule}, line {self.line}]"
        return text + (f"; lost: {'; '.join(self.losses)}" if self.losses else "")


def explain(compiled: CompiledMap, kind: str | None = None) -> tuple[Origin, ...]:
    """Every field of every rule, or of the rules of one kind, in the order of the map."""
    origins: list[Origin] = []
    for checked in compiled.rules:
        rule = checked.rule
        if kind is not None and rule.kind != kind:
            continue
        whole = [("(whole)", checked.around)] if checked.around.paths or checked.around.losses else []
        for field, feeds in (*whole, *checked.fields):
            origins.append(
                Origin(
                    rule.name,
                    rule.mark.line,
                    rule.kind,
                    field,
                    tuple(sorted(feeds.by_value)),
                    tuple(sorted(feeds.by_condition)),
                    tuple(sorted(str(one) for one in categories_of(feeds.paths, compiled.paths))),
                    feeds.losses,
                )
            )
    return tuple(origins)
