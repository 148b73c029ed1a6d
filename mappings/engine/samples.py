"""Golden samples: what a map makes of invented documents, written down once and compared ever after."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mappings.engine.compiled import CompiledMap
from mappings.engine.result import MapResult, Output


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """One sample: whether it came out as expected, and where not, the first lines that differ."""

    name: str
    ok: bool
    differences: tuple[str, ...]


def shown(result: MapResult) -> dict[str, Any]:
    """A result as plain JSON, without what is empty, in a fixed order: the form of `expected/*.json`."""
    return {
        "record_id": result.record_id,
        "subjects": dict(result.subjects),
        "outputs": [_shown(output) for output in result.outputs],
        "issues": [issue.model_dump(mode="json") for issue in result.issues],
    }


def _shown(output: Output) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "rule": output.rule,
        "kind": output.kind,
        "category": output.category,
        "path": output.path,
        "key": output.key,
        "labels": sorted(output.labels),
        "method": output.method,
        "regimes": sorted(output.regimes),
        "links": list(output.links),
        "value": output.value,
        "effective": output.effective,
        "uses": sorted(output.uses),
        "categories": sorted(output.categories) if output.uses else [],
    }
    return {name: value for name, value in plain.items() if value not in (None, "", [])}


def rendered(result: MapResult) -> str:
    """The text of an `expected/*.json` file."""
    return json.dumps(shown(result), indent=2, ensure_ascii=False) + "\n"


def regold(compiled: CompiledMap, samples: Mapping[str, str]) -> dict[str, str]:
    """What `expected/*.json` would be now, by sample name. A person reads the difference before keeping it."""
    return {name: rendered(compiled.run_text(text)) for name, text in samples.items()}


def check_samples(
    compiled: CompiledMap, samples: Mapping[str, str], expected: Mapping[str, str]
) -> tuple[SampleOutcome, ...]:
    """Run every sample; a sample without an expectation, and an expectation without a sample, are failures too."""
    outcomes = []
    made = regold(compiled, samples)
    for name in sorted({*samples, *expected}):
        if name not in samples:
            differences: tuple[str, ...] = ("expected but there is no such sample",)
        elif name not in expected:
            differences = ("there is no expectation; write it with regold and read it",)
        else:
            differences = _differences(expected[name], made[name])
        outcomes.append(SampleOutcome(name, not differences, differences))
    return tuple(outcomes)


def _differences(expected: str, made: str, limit: int = 20) -> tuple[str, ...]:
    try:
        wanted = json.loads(expected)
    except ValueError:
        return ("the expectation is not JSON",)
    before, after = (
        json.dumps(value, indent=1, sort_keys=True).splitlines() for value in (wanted, json.loads(made))
    )
    if before == after:
        return ()
    missing = [f"- {line.strip()}" for line in before if line not in set(after)]
    extra = [f"+ {line.strip()}" for line in after if line not in set(before)]
    return tuple((missing + extra)[:limit]) or ("the same lines in another order",)


def never_fired(compiled: CompiledMap, samples: Mapping[str, str]) -> tuple[str, ...]:
    """Rules that made nothing on any sample: either the samples are thin or the rule is dead."""
    fired = {output.rule for text in samples.values() for output in compiled.run_text(text).outputs}
    return tuple(checked.rule.name for checked in compiled.rules if checked.rule.name not in fired)
