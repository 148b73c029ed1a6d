"""No fact may be in a category narrower than what feeds it, by value or by condition (ARCHITECTURE §5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.engine.feeds import covers
from mappings.engine.paths import Special
from mappings.record.category import EXTRA_PRIVATE, Category
from tests.mappings.engine.trying import attempt, compiled, faults

TOPIC = "topic: {file: topic.csv, unmapped: reject}"


def rule(category: str, body: str) -> str:
    return f"- kind: thing\n  category: {category}\n{body}"


@pytest.mark.parametrize(
    "body",
    [
        "  value: {a: illness}\n",
        "  when: illness\n  value: {a: name}\n",
        "  value: {a: {if: illness, then: name}}\n",
        "  value: {a: {each: phones, when: {present: $.illness}, do: number}}\n",
        "  value: {a: name}\n  effective: {start: {if: illness, then: born}}\n",
        "  value: {a: name}\n  key: illness\n",
        "  value: {a: name}\n  links: [illness]\n",
        "  value: {a: name}\n  labels: [{from: illness}]\n",
        "  let: {x: illness}\n  value: {a: {if: {present: $x}, then: name}}\n",
        "  value: {a: {let: {x: illness}, do: $x}}\n",
        "  value: {a: {list: [name, illness], fn: first}}\n",
        "  value: {a: {join: [name, illness]}}\n",
        "  value: {a: {obj: {b: {from: illness, default: well}}}}\n",
        "  when: {not: {absent: illness}}\n  value: {a: name}\n",
        "  when: {any: [name, {from: illness, is: flu}]}\n  value: {a: name}\n",
    ],
)
def test_a_fact_fed_by_health_is_refused_among_who_the_child_is_by_whatever_way_it_is_fed(body):
    found = faults(rule("identity", body))
    assert any(
        "'identity' is too narrow for 'thing'" in text and "illness (health)" in text for text in found
    ), found
    assert attempt(rule("health", body)).map is not None


def test_the_mere_number_of_items_feeds_a_fact_too():
    [text] = faults(rule("identity", "  value: {a: {each: incidents, do: {const: x}}, b: name}\n"))
    assert "incidents (discipline)" in text
    [text] = faults(rule("school", "  each: incidents\n  key: {const: k}\n  value: {a: {from: $.name}}\n"))
    assert "incidents (discipline)" in text


def test_asking_whether_a_group_is_there_looks_at_everything_in_it():
    [text] = faults(rule("identity", "  when: {present: house}\n  value: {a: name}\n"))
    assert "house (home/identity)" in text


def test_who_the_child_is_may_stand_in_any_fact():
    for category in Category:
        assert attempt(rule(category.value, "  value: {a: name}\n")).map is not None


def test_an_extra_private_fact_may_be_fed_by_ordinary_topics_but_not_by_another_private_one():
    assert attempt(rule("safety", "  value: {a: illness, b: glad}\n")).map is not None
    [text] = faults(rule("safety", "  value: {a: {each: incidents, do: what}}\n"))
    assert "incidents.what (discipline)" in text


def test_a_path_whose_row_decides_its_topic_needs_a_rule_that_asks_the_row():
    [text] = faults(rule("health", "  value: {a: note}\n"))
    assert "category depends on the row" in text
    ready = compiled(
        "- kind: thing\n  category_by: {from: topic, codes: topic}\n  value: {a: note}\n", tables=TOPIC
    )
    assert ready.rules[0].categories == {Category.HEALTH, Category.SCHOOL}


def test_every_category_a_row_could_tick_must_cover_what_else_feeds_the_fact():
    [text] = faults(
        "- kind: thing\n  category_by: {from: topic, codes: topic}\n  value: {a: note, b: illness}\n",
        tables=TOPIC,
    )
    assert "'school' is too narrow" in text


@pytest.mark.parametrize(
    ("by", "what"),
    [
        ("topic", "ends in a bare value"),
        ("{from: topic, codes: topic, default: sky}", "that is no category"),
        ("{const: sky}", "that is no category"),
        ("{from: topic, codes: nope}", "unknown table"),
    ],
)
def test_the_categories_a_row_can_tick_are_known_before_any_data(by, what):
    found = faults(
        f"- kind: thing\n  category_by: {by}\n  value: {{a: note}}\n- kind: other\n  category: safety\n  value: {{b: {{from: name, codes: topic}}}}\n",
        tables=TOPIC,
    )
    assert any(what in text for text in found), found


def test_a_table_that_passes_codes_on_cannot_give_categories():
    found = faults(
        "- kind: thing\n  category_by: {from: topic, codes: topic}\n  value: {a: note}\n",
        tables="topic: {file: topic.csv, unmapped: pass}",
    )
    assert any("passes codes on" in text for text in found)


def test_a_rule_declares_its_category_or_asks_the_row_but_not_both():
    found = faults("- kind: thing\n  category: health\n  category_by: {const: health}\n  value: {a: name}\n")
    assert any("category and category_by" in text for text in found)


def test_a_rule_leaving_the_record_declares_none():
    found = faults(rule("health", "  value: {a: name}\n"), target="fhir")
    assert any("a category is declared" in text for text in found)


CATEGORIES = st.sampled_from(list(Category))


@given(CATEGORIES, st.frozensets(CATEGORIES))
def test_covering_never_lets_a_topic_of_its_own_into_another(category, feeding):
    if covers(category, feeding) and category not in EXTRA_PRIVATE:
        assert feeding <= {category, Category.IDENTITY}
    if covers(category, feeding):
        assert not (feeding & EXTRA_PRIVATE) - {category}
    assert covers(category, frozenset({category, Category.IDENTITY, Special.BY_VALUE}))


@given(CATEGORIES, st.frozensets(CATEGORIES), CATEGORIES)
def test_reading_more_never_makes_a_refused_fact_acceptable(category, feeding, more):
    if covers(category, feeding | {more}):
        assert covers(category, feeding)
