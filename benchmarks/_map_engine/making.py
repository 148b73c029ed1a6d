"""Making results by hand: outputs, required fields, refusals, and the small conversions the three maps share."""

from typing import Any

from benchmarks._map_engine.reading import At, Group, Issues, placed, warn
from mappings.engine import functions as fn
from mappings.engine.result import MapResult, Output
from mappings.record.category import Category
from mappings.record.issue import IssueCode, Severity

NONE: frozenset[Any] = frozenset()
IDENTITY = frozenset({Category.IDENTITY})


def output(
    rule: str, kind: str, value: Group, key: str = "", path: str = "", effective: Group | None = None
) -> Output:
    return Output(
        rule, kind, Category.IDENTITY, NONE, value, path, key, (), effective, None, NONE, IDENTITY, NONE
    )


def required(field: str, rule: str, at: At, source: str, issues: Issues) -> None:
    what = f"{field} of {rule} is missing; the fact was left out. Fill it at the source."
    warn(issues, IssueCode.REQUIRED, placed(at, source), what)


def refused(name: str, path: str, issues: Issues) -> None:
    what = f"{name} is missing; the document was refused. Fill it at the source."
    warn(issues, IssueCode.REQUIRED, path, what, Severity.ERROR)


def ended(
    outputs: list[Output], issues: Issues, record_id: str | None, subjects: dict[str, str]
) -> MapResult:
    return MapResult(tuple(outputs), tuple(dict.fromkeys(issues)) if issues else (), record_id, subjects)


def clean(value: str | None) -> str | None:
    return fn.squeeze(value) if value is not None else None


def code_of(value: str | None) -> str | None:
    return fn.descriptor_code(value) if value is not None else None


def filled(**members: Any) -> Group:
    return {name: value for name, value in members.items() if value is not None}
