"""Whole rules: items, keys, required fields, topics, labels, the document's own keys."""

from mappings.engine.feeds import TargetShape
from mappings.record.assertion import Method
from mappings.record.category import Category
from mappings.record.issue import Severity
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from tests.mappings.engine.trying import compiled, faults, issues

TOPIC = "topic: {file: topic.csv, unmapped: reject}"
LABEL = "label: {file: label.csv, unmapped: reject}"


def test_each_makes_one_output_per_item_with_its_place_and_key():
    ready = compiled(
        "- kind: telecom\n  category: identity\n  each: phones\n  key: number\n  value: {value: number}\n"
    )
    outputs = ready.run({"id": "1", "phones": [{"number": "5"}, {"kind": "Home"}, {"number": "7"}]}).outputs
    assert [(output.value, output.path, output.key) for output in outputs] == [
        ({"value": "5"}, "phones.0", "5"),
        ({"value": "7"}, "phones.2", "7"),
    ]


def test_two_items_with_one_key_keep_both_facts_and_say_so():
    ready = compiled(
        "- kind: telecom\n  category: identity\n  each: phones\n  key: kind\n  value: {value: number}\n"
    )
    phones = [{"number": str(number), "kind": "Home"} for number in range(3)]
    result = ready.run({"id": "1", "phones": phones})
    assert [output.key for output in result.outputs] == ["Home", "Home~2", "Home~3"]
    assert issues(result) == [("duplicate", "phones.1.kind"), ("duplicate", "phones.2.kind")]


def test_a_rule_that_loops_needs_a_key():
    [fault] = faults("- kind: telecom\n  category: identity\n  each: phones\n  value: {value: number}\n")
    assert "loops but has no key" in fault


def test_a_rule_whose_source_values_are_all_nothing_makes_nothing_and_says_nothing():
    ready = compiled(
        "- kind: name\n  category: identity\n  required: [family]\n  value: {use: {const: old}, family: other}\n"
    )
    assert ready.run({"id": "1"}) == ((), (), "1", {"student": "1"})


def test_a_fact_without_a_required_field_is_left_out_with_an_issue_where_the_field_would_come_from():
    ready = compiled(
        "- kind: name\n  category: identity\n  required: [family]\n  value: {given: name, family: other}\n"
    )
    result = ready.run({"id": "1", "name": "Ada"})
    assert result.outputs == ()
    assert issues(result) == [("required", "other")]
    assert result.issues[0].severity is Severity.WARNING


def test_what_the_target_requires_need_not_be_said_again():
    shape = {"name": TargetShape({"given": None, "family": None}, frozenset({"family"}))}
    ready = compiled(
        "- kind: name\n  category: identity\n  value: {given: name, family: other}\n",
        targets={"record": shape},
    )
    assert issues(ready.run({"id": "1", "name": "Ada"})) == [("required", "other")]


def test_a_group_that_lacks_what_its_shape_requires_is_left_out_whole():
    shape = {
        "guardian": TargetShape(
            {"key": None, "name": TargetShape({"given": None, "family": None}, frozenset({"family"}))}
        )
    }
    rule = "- kind: guardian\n  category: identity\n  value: {key: id, name: {obj: {given: name, family: other}}}\n"
    ready = compiled(rule, targets={"record": shape})
    result = ready.run({"id": "1", "name": "Ada"})
    assert result.outputs[0].value == {"key": "1"}
    assert issues(result) == [("required", "other")]
    assert "family of name is missing" in result.issues[0].text


def test_an_unknown_kind_or_field_is_named_with_the_nearest():
    shape = {"name": TargetShape({"given": None, "family": None}, frozenset({"family"}))}
    found = faults("- kind: name\n  category: identity\n  value: {gvien: name}\n", targets={"record": shape})
    assert any("unknown field 'gvien'" in text and "Did you mean 'given'?" in text for text in found)
    assert any("field 'family' is missing" in text for text in found)
    [unknown] = faults(
        "- kind: nmae\n  category: identity\n  value: {given: name}\n", targets={"record": shape}
    )
    assert "unknown kind 'nmae'" in unknown
    assert "Did you mean 'name'?" in unknown


def test_the_topic_a_row_ticks_is_the_category_of_its_fact():
    ready = compiled(
        "- kind: thing\n  category_by: {from: topic, codes: topic}\n  value: {text: note}\n", tables=TOPIC
    )
    made = {topic: ready.run({"id": "1", "topic": topic, "note": "n"}).outputs for topic in ("body", "class")}
    assert {topic: outputs[0].category for topic, outputs in made.items()} == {
        "body": Category.HEALTH,
        "class": Category.SCHOOL,
    }


def test_a_row_without_a_known_topic_is_left_out_and_never_falls_into_some_other_category():
    ready = compiled(
        "- kind: thing\n  category_by: {from: topic, codes: topic}\n  value: {text: note}\n", tables=TOPIC
    )
    unknown = ready.run({"id": "1", "topic": "sky", "note": "n"})
    absent = ready.run({"id": "1", "note": "n"})
    assert unknown.outputs == absent.outputs == ()
    assert issues(unknown) == [("unknown-code", "topic"), ("required", "topic")]
    assert issues(absent) == [("required", "topic")]


def test_a_values_code_outranks_its_field():
    rule = "- kind: thing\n  category: health\n  labels: [{from: illness, codes: label}]\n  value: {text: illness}\n"
    ready = compiled(rule, tables=LABEL)
    ordinary, forced = (ready.run({"id": "1", "illness": word}).outputs[0] for word in ("flu", "psychosis"))
    assert (ordinary.category, ordinary.labels) == (Category.HEALTH, frozenset({Label.RESTRICTED}))
    assert (forced.category, forced.labels) == (Category.COUNSELING, frozenset({Label.PSYCHIATRY}))
    assert forced.categories == {Category.COUNSELING}


def test_a_constant_label_that_forces_a_category_does_so_too():
    ready = compiled("- kind: thing\n  category: health\n  labels: [R, SEX]\n  value: {text: illness}\n")
    output = ready.run({"id": "1", "illness": "x"}).outputs[0]
    assert (output.category, output.labels) == (
        Category.SEXUAL_HEALTH,
        frozenset({Label.RESTRICTED, Label.SEXUALITY}),
    )


def test_a_label_nobody_knows_counts_as_very_restricted_and_is_an_issue():
    passing = "label: {file: label.csv, unmapped: pass}"
    rule = "- kind: thing\n  category: health\n  labels: [{from: illness, codes: label}]\n  value: {text: illness}\n"
    result = compiled(rule, tables=passing).run({"id": "1", "illness": "QQ"})
    assert result.outputs[0].labels == {Label.VERY_RESTRICTED}
    assert [code for code, _ in issues(result)] == ["unknown-code", "unknown-code"]


def test_method_regimes_links_and_effective_reach_the_draft():
    rule = """\
    - kind: family-voice
      category: identity
      method: family-stated
      regimes: [FAM]
      key: {const: said}
      links: [name, other, {const: goal}]
      value: {speaker: {const: child}, statement: name}
      effective: {start: born}
    """
    output = compiled(rule).run({"id": "1", "name": "Ada", "born": "2020-01-01"}).outputs[0]
    draft = output.draft()
    assert (draft.kind, draft.method, draft.regimes) == (
        Kind.FAMILY_VOICE,
        Method.FAMILY_STATED,
        frozenset({Regime.FAM}),
    )
    assert (draft.key, draft.links) == ("said", ("Ada", "goal"))
    assert draft.effective is not None
    assert str(draft.effective.start) == "2020-01-01"


def test_a_rule_that_says_no_method_leaves_it_an_import():
    output = (
        compiled("- kind: name\n  category: identity\n  value: {family: name}\n")
        .run({"id": "1", "name": "A"})
        .outputs[0]
    )
    assert output.draft().method is Method.RECORD_IMPORT


def test_a_document_without_its_natural_key_is_refused_whole():
    ready = compiled("- kind: name\n  category: identity\n  value: {family: name}\n")
    result = ready.run({"name": "Ada"})
    assert result.refused
    assert result.outputs == ()
    assert result.record_id is None
    assert result.issues[0].severity is Severity.ERROR


def test_names_for_values_serve_the_whole_rule():
    rule = """\
    - kind: name
      category: identity
      let:
        short: {from: name, fn: {before: " "}}
        loud: {from: $short, fn: upper}
      when: $short
      value: {given: $short, family: $loud}
    """
    ready = compiled(rule)
    assert ready.run({"id": "1", "name": "Ada Byron"}).outputs[0].value == {"given": "Ada", "family": "ADA"}
    assert ready.run({"id": "1"}).outputs == ()
    assert ready.reads == {"id", "name"}
