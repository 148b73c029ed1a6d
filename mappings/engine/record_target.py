"""The kinds of the record as a map's target: their fields and what they cannot be without, from the models themselves."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args

from mappings.engine.feeds import TargetShape
from mappings.record.base import Record
from mappings.record.kind import MODEL


@cache
def record_targets() -> Mapping[str, TargetShape]:
    """A shape per kind of assertion."""
    return {kind.value: _shape(model) for kind, model in MODEL.items()}


def _shape(model: type[Record]) -> TargetShape:
    fields: dict[str, TargetShape | None] = {}
    for name, info in model.model_fields.items():
        inner = next((kind for kind in _classes(info.annotation) if issubclass(kind, Record)), None)
        fields[name] = _shape(inner) if inner else None
    required = frozenset(name for name, info in model.model_fields.items() if info.is_required())
    return TargetShape(fields, required)


def _classes(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for inner in get_args(annotation):
        yield from _classes(inner)
