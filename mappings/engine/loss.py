"""What a map loses, generated from the map and the path table: the loss table each format publishes (ARCHITECTURE §2)."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mappings.engine.compiled import CompiledMap
from mappings.engine.feeds import TargetShape
from mappings.engine.paths import PathNode, Special

NO_RULE = "no rule reads it"
_WORDS = {Special.NEVER.value: "never kept", Special.PRIVATE.value: "private until classified"}


@dataclass(frozen=True, slots=True)
class NotRead:
    """A source path the map does not read, and why."""

    path: str
    category: str
    reason: str


@dataclass(frozen=True, slots=True)
class NeverFilled:
    """A field of a kind the map makes that none of its rules fills."""

    kind: str
    field: str


@dataclass(frozen=True, slots=True)
class Lossy:
    """A field whose way back is not certain, and what gets lost."""

    rule: str
    field: str
    loss: str


@dataclass(frozen=True, slots=True)
class LossTable:
    """All three, for one version of a map."""

    map: str
    version: str
    not_read: tuple[NotRead, ...]
    never_filled: tuple[NeverFilled, ...]
    lossy: tuple[Lossy, ...]

    def data(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    def markdown(self) -> str:
        """As a page: three tables, each with its heading."""
        parts = [f"# What {self.map} {self.version} loses", ""]
        parts += _table(
            "Not read", ("source path", "category", "why"),
            [(f"`{row.path}`", row.category, row.reason) for row in self.not_read],
        )  # fmt: skip
        parts += _table(
            "Never filled", ("kind", "field"), [(row.kind, f"`{row.field}`") for row in self.never_filled]
        )
        parts += _table(
            "Changed on the way", ("rule", "field", "what is lost"),
            [(row.rule, f"`{row.field}`", row.loss) for row in self.lossy],
        )  # fmt: skip
        return "\n".join(parts)


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [f"## {title}", ""]
    if not rows:
        return [*lines, "Nothing.", ""]
    lines += [_line(heads), _line(("---",) * len(heads)), *(_line(row) for row in rows)]
    return [*lines, ""]


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def loss_table(compiled: CompiledMap, targets: Mapping[str, TargetShape] | None = None) -> LossTable:
    """The loss table of a map; `targets` are needed for the fields that are never filled."""
    return LossTable(
        compiled.id,
        compiled.version,
        tuple(_not_read(compiled)),
        tuple(_never_filled(compiled, targets or {})),
        tuple(_lossy(compiled)),
    )


def _not_read(compiled: CompiledMap) -> Iterator[NotRead]:
    def walk(node: PathNode, reason: str) -> Iterator[NotRead]:
        for child in node.children.values():
            why = child.note or reason
            if child.is_group:
                yield from walk(child, why)
            elif child.path not in compiled.reads:
                category = _WORDS.get(str(child.category), str(child.category))
                yield NotRead(child.path, category, why or NO_RULE)

    yield from walk(compiled.paths, "")


def _never_filled(compiled: CompiledMap, targets: Mapping[str, TargetShape]) -> Iterator[NeverFilled]:
    filled: dict[str, set[str]] = {}
    for checked in compiled.rules:
        names = {name for name, _ in checked.fields if not name.startswith("effective.")}
        filled.setdefault(checked.rule.kind, set()).update(names)

    def walk(kind: str, shape: TargetShape, start: str) -> Iterator[NeverFilled]:
        for name, inner in shape.fields.items():
            field = f"{start}{name}"
            if field in filled[kind]:
                continue
            if inner is not None and any(known.startswith(f"{field}.") for known in filled[kind]):
                yield from walk(kind, inner, f"{field}.")
            else:
                yield NeverFilled(kind, field)

    for kind in filled:
        if kind in targets:
            yield from walk(kind, targets[kind], "")


def _lossy(compiled: CompiledMap) -> Iterator[Lossy]:
    for checked in compiled.rules:
        for loss in checked.around.losses:
            yield Lossy(checked.rule.name, "(the whole fact)", loss)
        for field, feeds in checked.fields:
            for loss in feeds.losses:
                yield Lossy(checked.rule.name, field, loss)
