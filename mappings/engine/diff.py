"""What changes when one version of a map replaces another: rules, tables, and results on samples."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from mappings.engine.compiled import CompiledMap
from mappings.engine.expression import Mark
from mappings.engine.samples import check_samples, regold


@dataclass(frozen=True, slots=True)
class MapDiff:
    """The difference of two versions; `results` are lines per sample whose result changed."""

    header: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    tables: tuple[str, ...]
    reads_added: tuple[str, ...]
    reads_removed: tuple[str, ...]
    results: Mapping[str, tuple[str, ...]]

    @property
    def same(self) -> bool:
        """Whether nothing changed that anyone could see in a result or a rule."""
        return not (self.added or self.removed or self.changed or self.tables or self.results or self.header)


def diff_maps(old: CompiledMap, new: CompiledMap, samples: Mapping[str, str]) -> MapDiff:
    """Compare two versions on the same samples. Rules are matched by name; where they stand in the file does not count."""
    before = {checked.rule.name: _bare(checked.rule) for checked in old.rules}
    after = {checked.rule.name: _bare(checked.rule) for checked in new.rules}
    outcomes = check_samples(new, samples, regold(old, samples))
    return MapDiff(
        header=tuple(
            name
            for name in (
                "id",
                "version",
                "title",
                "source",
                "resource",
                "target",
                "owner",
                "record_id",
                "subjects",
            )
            if _bare(getattr(old.document, name)) != _bare(getattr(new.document, name))
        ),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(name for name in after if name in before and after[name] != before[name]),
        tables=_tables(old, new),
        reads_added=tuple(sorted(new.reads - old.reads)),
        reads_removed=tuple(sorted(old.reads - new.reads)),
        results={outcome.name: outcome.differences for outcome in outcomes if not outcome.ok},
    )


def _tables(old: CompiledMap, new: CompiledMap) -> tuple[str, ...]:
    def rows(compiled: CompiledMap) -> dict[str, Any]:
        return {
            name: (
                _bare(use),
                [(row.source, row.target, row.equivalence, row.preferred) for row in table.rows],
            )
            for name, (use, table) in compiled.tables.items()
        }

    before, after = rows(old), rows(new)
    return tuple(sorted(name for name in {*before, *after} if before.get(name) != after.get(name)))


def _bare(thing: Any) -> Any:
    """An expression without its place in the file, so that moving a rule is no change."""
    if is_dataclass(thing) and not isinstance(thing, type):
        named = {field.name: getattr(thing, field.name) for field in fields(thing)}
        inner = {name: _bare(value) for name, value in named.items() if not isinstance(value, Mark)}
        return (type(thing).__name__, inner)
    if isinstance(thing, tuple | list):
        return [_bare(member) for member in thing if not isinstance(member, Mark)]
    return thing
