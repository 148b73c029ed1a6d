"""Maps that leave the record: each output carries exactly the assertions that are in it."""

from typing import Any

from mappings.engine.paths import parse_paths
from mappings.record.category import Category
from tests.mappings.engine.trying import compiled, issues

PATHS = """\
path,type,list,category,note
pupils.id,text,,identity,
pupils.names,assertion,yes,*,
pupils.names.use,text,,*,
pupils.names.family,text,,*,
pupils.goals,assertion,yes,*,
pupils.goals.text,text,,*,
pupils.goals.steps,object,yes,*,
pupils.goals.steps.text,text,,*,
pupils.terms,assertion,,*,
pupils.terms.year,text,,*,
pupils.terms.frame,object,,*,
pupils.terms.frame.start,text,,*,
"""
VIEW: dict[str, Any] = {
    "id": "c1",
    "names": [
        {"_id": "n1", "_category": "identity", "use": "official", "family": "Okafor"},
        {"_id": "n2", "_category": "safety", "use": "old", "family": "Hidden"},
    ],
    "goals": [
        {"_id": "g1", "_category": "health", "text": "run", "steps": [{"text": "walk"}]},
        {"_id": "g2", "_category": "school"},
    ],
    "terms": {"_id": "t1", "_category": "school", "year": "2026", "frame": {"start": "2026-09-01"}},
}


def outward(rules: str):
    table, errors = parse_paths(PATHS, "paths.csv")
    assert not errors
    return compiled(rules, target="fhir", paths=table)


def made(rules: str, view: dict[str, Any] = VIEW):
    return [(output.value, output.uses, output.categories) for output in outward(rules).run(view).outputs]


def test_an_output_carries_the_ids_and_categories_of_what_stands_in_it():
    rules = "- kind: Patient\n  value: {resourceType: {const: Patient}, name: {each: names, do: {obj: {family: family}}}}\n"
    assert made(rules) == [
        (
            {"resourceType": "Patient", "name": [{"family": "Okafor"}, {"family": "Hidden"}]},
            {"n1", "n2"},
            {Category.IDENTITY, Category.SAFETY},
        )
    ]


def test_an_item_a_condition_left_out_is_not_among_them():
    rules = "- kind: Patient\n  value: {name: {each: names, when: {from: use, is: official}, do: {obj: {family: family}}}}\n"
    assert made(rules) == [({"name": [{"family": "Okafor"}]}, {"n1"}, {Category.IDENTITY})]


def test_of_a_first_only_the_one_taken_is_among_them():
    rules = "- kind: Patient\n  value: {family: {each: names, first: true, do: family}}\n"
    assert made(rules) == [({"family": "Okafor"}, {"n1"}, {Category.IDENTITY})]


def test_an_item_that_gave_nothing_is_not_among_them():
    rules = "- kind: Plan\n  value: {id: id, text: {each: goals, do: text}}\n"
    assert made(rules) == [({"id": "c1", "text": ["run"]}, {"g1"}, {Category.HEALTH})]


def test_one_output_per_item_carries_its_own_item():
    rules = "- kind: Goal\n  each: goals\n  value: {text: text, step: {each: steps, do: text}}\n"
    assert made(rules) == [({"text": "run", "step": ["walk"]}, {"g1"}, {Category.HEALTH})]


def test_a_single_group_that_is_an_assertion_counts_when_read_by_value_or_by_condition():
    by_value = "- kind: Plan\n  value: {id: id, start: terms.frame.start}\n"
    by_condition = "- kind: Plan\n  value: {id: id, now: {if: {from: terms.year, is: '2026'}, then: true}}\n"
    for rules in (by_value, by_condition):
        [(_, uses, categories)] = made(rules)
        assert (uses, categories) == ({"t1"}, {Category.SCHOOL})


def test_outputs_that_used_nothing_carry_nothing():
    assert made("- kind: Patient\n  value: {id: id}\n") == [({"id": "c1"}, frozenset(), frozenset())]


def test_every_item_reads_what_it_shares_anew_so_that_each_output_carries_it():
    rules = "- kind: Goal\n  each: goals\n  value: {text: text, year: {from: $.terms.year}}\n"
    assert [uses for _, uses, _ in made(rules)] == [{"g1", "t1"}, {"g2", "t1"}]


def test_an_item_without_id_or_category_is_an_error_and_not_passed_over():
    view = VIEW | {"goals": [{"text": "run"}]}
    result = outward("- kind: Goal\n  each: goals\n  value: {text: text}\n").run(view)
    assert issues(result) == [("bad-value", "goals.0")]
    assert result.refused
