"""Work is bounded by the size of the document, whatever is in it."""

import json

import pytest

from mappings.engine import runtime
from mappings.engine.compiled import MAX_DEPTH, MAX_SOURCE
from tests.mappings.engine.trying import attempt, compiled, faults, issues

READY = compiled(
    "- kind: telecom\n  category: identity\n  each: phones\n  key: number\n  value: {value: number, nick: {from: $.nicknames}}\n"
)


def test_a_document_over_two_mebibytes_is_refused_unread():
    result = READY.run_text(b"x" * (MAX_SOURCE + 1))
    assert [issue.code.value for issue in result.issues] == ["too-large"]
    assert result.refused


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
def test_a_document_nested_too_deep_is_refused(depth):
    result = READY.run_text('{"a":' + "[" * depth + "]" * depth + "}")
    assert [issue.code.value for issue in result.issues] == ["too-deep"]


def test_a_document_nested_as_deep_as_allowed_is_read():
    depth = MAX_DEPTH - 1
    assert not READY.run_text('{"id": "1", "a":' + "[" * depth + "]" * depth + "}").refused


@pytest.mark.parametrize("raw", [b"\xff\xfe{", b"{", b"", "nonsense", b'{"id": }'])
def test_a_document_that_is_not_json_is_refused_without_quoting_it(raw):
    result = READY.run_text(raw)
    assert [issue.code.value for issue in result.issues] == ["bad-encoding"]


@pytest.mark.parametrize("source", [None, [], "a", 5, [{"id": "1"}]])
def test_a_document_that_is_not_an_object_is_refused(source):
    assert READY.run(source).refused
    assert READY.run_text(json.dumps(source)).refused


def test_an_array_over_the_limit_is_cut_and_says_so():
    phones = [{"number": str(number)} for number in range(runtime.MAX_ITEMS + 5)]
    result = READY.run({"id": "1", "phones": phones})
    assert len(result.outputs) == runtime.MAX_ITEMS
    assert issues(result) == [("too-large", "phones")]


def test_a_document_of_nothing_but_faults_gives_a_bounded_list_of_them():
    result = READY.run({"id": "1", "phones": [1] * 5_000})
    assert len(result.issues) == runtime.MAX_ISSUES + 1
    assert "the rest are not listed" in result.issues[-1].text


def test_the_code_of_a_map_can_name_nothing_but_what_it_was_given():
    space = READY.program.rules[0].__globals__
    assert set(space["__builtins__"]) <= {
        "enumerate", "len", "str", "dict", "frozenset", "tuple", "list", "float", "int",
        "ValueError", "TypeError", "AttributeError",
    }  # fmt: skip


@pytest.mark.parametrize("hostile", ["'''", '"; import os; "', "\\", "\n", "{v}", "#", "\u2028", "'+x+'"])
def test_text_of_a_map_is_never_code(hostile):
    word = json.dumps(hostile)
    ready = compiled(
        f"- kind: {json.dumps('k' + hostile)}\n  rule: {json.dumps('r' + hostile)}\n  category: identity\n"
        f"  value: {{{json.dumps('f' + hostile)}: {{from: name, prefix: {word}, default: {word}}}, id: id}}\n"
    )
    [output] = ready.run({"id": "1", "name": "a"}).outputs
    assert output.value["f" + hostile] == hostile + "a"


def test_a_text_longer_than_the_record_takes_is_left_out():
    ready = compiled("- kind: name\n  category: identity\n  value: {id: id, family: name}\n")
    assert ready.run({"id": "1", "name": "x" * runtime.MAX_TEXT}).outputs[0].value["family"]
    result = ready.run({"id": "1", "name": "x" * (runtime.MAX_TEXT + 1)})
    assert result.outputs[0].value == {"id": "1"}
    assert issues(result) == [("too-large", "name")]


@pytest.mark.parametrize("shared", ["$.name", "$said"])
def test_a_text_from_outside_a_loop_is_short_since_it_stands_in_every_item(shared):
    rule = f"- kind: t\n  category: identity\n  value: {{id: id, all: {{let: {{said: name}}, do: {{each: phones, do: {shared}}}}}}}\n"
    ready = compiled(rule)
    phones = [{"number": "1"}, {"number": "2"}]
    short = ready.run({"id": "1", "name": "Ada", "phones": phones})
    assert short.outputs[0].value["all"] == ["Ada", "Ada"]
    long = ready.run({"id": "1", "name": "x" * (runtime.MAX_SHARED_TEXT + 1), "phones": phones})
    assert long.outputs[0].value == {"id": "1"}
    assert issues(long) == [("too-large", "name")]


def test_a_loop_over_the_document_inside_another_looks_at_fewer_items():
    ready = compiled(
        "- kind: t\n  category: identity\n  each: phones\n  key: number\n  value: {all: {each: $.phones, do: number}}\n"
    )
    phones = [{"number": str(number)} for number in range(runtime.MAX_INNER_ITEMS + 1)]
    result = ready.run({"id": "1", "phones": phones})
    assert {len(output.value["all"]) for output in result.outputs} == {runtime.MAX_INNER_ITEMS}
    assert issues(result) == [("too-large", "phones")]


def test_a_third_loop_over_the_document_is_refused_when_the_map_is_saved():
    inner = "{each: $.phones, do: {each: $.phones, do: number}}"
    [fault] = faults(
        f"- kind: t\n  category: identity\n  each: phones\n  key: number\n  value: {{all: {inner}}}\n"
    )
    assert "'$.phones' is looped over anew" in fault
    assert attempt(
        "- kind: t\n  category: identity\n  each: phones\n  key: number\n  value: {a: {each: uses, do: {each: $.phones, do: number}}}\n"
    ).map


@pytest.mark.parametrize("twice", ["{join: [$%s, $%s]}", "{list: [$%s, $%s]}", "{obj: {a: $%s, b: $%s}}"])
def test_names_made_of_names_may_not_double_without_end(twice):
    names = {
        "n0": "name",
        **{f"n{number}": twice % (f"n{number - 1}", f"n{number - 1}") for number in range(1, 30)},
    }
    lines = "\n".join(f"    {name}: {value}" for name, value in names.items())
    found = faults(f"- kind: t\n  category: identity\n  let:\n{lines}\n  value: {{all: $n29}}\n")
    assert any("rule 't' repeats itself" in text for text in found)


def test_choices_nested_as_deep_as_a_file_may_nest_still_compile():
    value = "name"
    for _ in range(30):
        value = f"{{if: name, then: {value}, else: {{const: none}}}}"
    assert (
        compiled(f"- kind: t\n  category: identity\n  value: {{all: {value}}}\n")
        .run({"id": "1", "name": "a"})
        .outputs
    )
