"""What holds of every map and every document: tried on the shipped maps, with their samples bent at random."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mappings.engine.compiled import CompiledMap
from mappings.engine.record_target import record_targets
from mappings.engine.result import MapResult
from mappings.engine.shipped import shipped_files
from mappings.record.assertion import Draft
from tests.mappings.engine.interpreter import Interpreter

FILES = [one for one in shipped_files() if one.folder != "fhir" and "\ntarget: record\n" in one.map_text]
MAPS: dict[str, CompiledMap] = {}
SAMPLES: dict[str, list[dict[str, Any]]] = {}
for _one in FILES:
    _map = _one.compile().map
    assert _map is not None
    MAPS[_map.id] = _map
    SAMPLES[_map.id] = [json.loads(text) for text in _one.samples.values()]

WORDS = st.sampled_from(
    [
        "",
        " ",
        "a",
        "Yes",
        "no",
        "2014-03-09",
        "2014-02-30",
        "3/9/2014",
        "Home",
        "uri://ed-fi.org/SexDescriptor#Male",
        "student",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats() | WORDS | st.text(max_size=8)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(["id", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from keys(member)
    elif isinstance(value, list):
        for member in value:
            yield from keys(member)


NAMES = sorted({name for samples in SAMPLES.values() for sample in samples for name in keys(sample)})
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=25,
)


def places(value: Any, steps: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, member in members:
        yield (*steps, name)
        yield from places(member, (*steps, name))


@st.composite
def bent_samples(draw):
    """A shipped map and one of its samples with up to four places removed, doubled or replaced by anything."""
    map_id = draw(st.sampled_from(sorted(MAPS)))
    document = copy.deepcopy(draw(st.sampled_from(SAMPLES[map_id])))
    for _ in range(draw(st.integers(0, 4))):
        found = list(places(document))
        if not found:
            break
        steps = draw(st.sampled_from(found))
        holder = document
        for step in steps[:-1]:
            holder = holder[step]
        how = draw(st.sampled_from(["removed", "changed", "doubled"]))
        if how == "doubled" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[steps[-1]]))
        elif how == "removed":
            del holder[steps[-1]]
        else:
            holder[steps[-1]] = draw(ANYTHING)
    return map_id, document


slow = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.mark.parametrize("map_id", sorted(MAPS))
@settings(max_examples=80, deadline=None)
@given(document=DOCUMENTS)
def test_a_map_never_raises_whatever_the_document_holds(map_id, document):
    result = MAPS[map_id].run(document)
    assert isinstance(result, MapResult)
    assert result.refused == (result.record_id is None)


@slow
@given(bent_samples())
def test_the_same_document_gives_the_same_result_and_stays_as_it_was(case):
    map_id, document = case
    ready = MAPS[map_id]
    before = copy.deepcopy(document)
    assert repr(ready.run(document)) == repr(ready.run(copy.deepcopy(document)))
    assert repr(document) == repr(before)


@slow
@given(bent_samples())
def test_the_code_written_for_a_map_does_what_its_rules_say(case):
    map_id, document = case
    ready = MAPS[map_id]
    result = ready.run(document)
    if result.refused:
        return
    plain = Interpreter(ready)
    expected = [
        made
        for checked in ready.rules
        for made in plain.rule(checked.rule, record_targets().get(checked.rule.kind), document)
    ]
    made = [(o.rule, o.path, o.value, o.category, o.labels, o.key) for o in result.outputs]
    assert made == expected


@slow
@given(bent_samples())
def test_every_output_is_a_draft_of_plain_json_without_empty_members(case):
    map_id, document = case
    ready = MAPS[map_id]
    for output in ready.run(document).outputs:
        period = output.effective or {}
        if not ("start" in period and "end" in period):  # an end before a start is for intake to refuse
            assert isinstance(output.draft(), Draft)
        assert json.loads(json.dumps(output.value)) == output.value
        assert all(member not in (None, "", [], {}) for _, member in members(output.value))


def members(value: Any) -> Iterator[tuple[Any, Any]]:
    for name, member in value.items() if isinstance(value, dict) else enumerate(value):
        yield name, member
        if isinstance(member, dict | list):
            yield from members(member)


@slow
@given(bent_samples())
def test_what_a_map_does_not_read_cannot_change_its_result(case):
    """Everything outside the read-set taken away at once changes nothing but, at most, the complaints about it."""
    map_id, document = case
    ready = MAPS[map_id]

    def kept(value: Any, path: str) -> Any:
        if isinstance(value, dict):
            below = {name: kept(member, f"{path}.{name}" if path else name) for name, member in value.items()}
            return {name: member for name, member in below.items() if member is not GONE}
        if isinstance(value, list):
            return [member for member in (kept(member, path) for member in value) if member is not GONE]
        near = {*ready.reads, *ready.loops}
        known = any(read == path or read.startswith(f"{path}.") for read in near)
        return value if known or not path else GONE

    if not isinstance(document, dict):
        return
    bare = kept(document, "")
    assert repr(ready.run(bare).outputs) == repr(ready.run(document).outputs)


GONE = object()


@slow
@given(bent_samples())
def test_no_issue_quotes_a_value_of_the_document(case):
    map_id, document = case
    ready = MAPS[map_id]
    words = {
        value for value in leaves(document) if isinstance(value, str) and len(value) > 8 and " " not in value
    }
    own = {word for checked in ready.rules for word in (checked.rule.name, checked.rule.kind)}
    words -= own  # a conference row may say "conference", and so may the rule that reads it
    for issue in ready.run(document).issues:
        assert not [word for word in words if word in issue.text], issue


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member)
    else:
        yield value
