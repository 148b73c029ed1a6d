"""Each verb of docs/maps.md, on one small document."""

import pytest

from mappings.record.issue import IssueCode, Severity
from tests.mappings.engine.trying import compiled, issues, one

KIND = "kind: {file: kind.csv, unmapped: reject}"
PHONES = {"phones": [{"number": "1", "kind": "Home"}, {"number": "2", "kind": "Cell"}, {"kind": "Home"}]}


@pytest.mark.parametrize(
    ("value", "document", "made"),
    [
        ("name", {"name": "Ada"}, "Ada"),
        ("{from: name}", {"name": "Ada"}, "Ada"),
        ("{from: house.street}", {"house": {"street": "Quay 1"}}, "Quay 1"),
        ("{from: $.house.street}", {"house": {"street": "Quay 1"}}, "Quay 1"),
        ("{from: name}", {}, None),
        ("{from: name}", {"name": ""}, None),
        ("{from: name}", {"name": None}, None),
        ("{from: year}", {"year": 2026}, 2026),
        ("{from: year}", {"year": 2026.0}, 2026),
        ("{from: weight}", {"weight": 20.5}, 20.5),
        ("{from: glad}", {"glad": False}, False),
        ("{from: born}", {"born": "2014-03-09"}, "2014-03-09"),
        ("{from: born}", {"born": "2014-03-09T00:00:00"}, "2014-03-09"),
        ("{from: nicknames}", {"nicknames": ["Miri", "", "Mimi"]}, ["Miri", "Mimi"]),
        ("{from: name, fn: lower}", {"name": "ADA"}, "ada"),
        ("{from: name, fn: [squeeze, upper]}", {"name": " ada  b "}, "ADA B"),
        ("{from: name, fn: {split: ';'}}", {"name": "a;b"}, ["a", "b"]),
        ("{from: name, fn: [{before: '-'}, lower]}", {"name": "A-B"}, "a"),
        ("{from: nicknames, fn: first}", {"nicknames": ["a", "b"]}, "a"),
        ("{from: name, bool: true}", {"name": "Yes"}, True),
        ("{from: glad, bool: true}", {"glad": False}, False),
        ("{from: name, prefix: 'x:'}", {"name": "a"}, "x:a"),
        ("{from: name, prefix: 'x:'}", {}, None),
        ("{from: name, default: none}", {}, "none"),
        ("{from: name, default: none}", {"name": "a"}, "a"),
        ("{list: [name, other]}", {"name": "a", "other": "b"}, ["a", "b"]),
        ("{list: [name, other]}", {"other": "b"}, ["b"]),
        ("{list: [name, other]}", {}, None),
        ("{list: [name, other], fn: first}", {"other": "b"}, "b"),
        ("{obj: {a: name, b: other}}", {"other": "b"}, {"b": "b"}),
        ("{obj: {a: name, use: {const: official}}}", {"name": "a"}, {"a": "a", "use": "official"}),
        ("{obj: {a: name, use: {const: official}}}", {}, None),
        ("{obj: {a: {from: name, default: x}, b: other}}", {}, None),
        ("{obj: {a: {from: name, default: x}, b: other}}", {"other": "b"}, {"a": "x", "b": "b"}),
        ("{join: [name, other], with: '|'}", {"name": "a", "other": "b"}, "a|b"),
        ("{join: [name, other]}", {"other": "b"}, "b"),
        ("{join: [name, nicknames]}", {"name": "a", "nicknames": ["b", "c"]}, "a b c"),
        ("{join: [name, other]}", {}, None),
        ("{each: phones, do: number}", PHONES, ["1", "2"]),
        ("{each: phones, do: number, first: true}", PHONES, "1"),
        ("{each: phones, when: {from: kind, is: Cell}, do: number}", PHONES, ["2"]),
        ("{each: phones, when: number, do: kind}", PHONES, ["Home", "Cell"]),
        ("{each: nicknames, do: {from: ., fn: lower}}", {"nicknames": ["A", "B"]}, ["a", "b"]),
        ("{each: nicknames}", {"nicknames": ["A"]}, ["A"]),
        ("{each: phones, do: {from: $.name}}", PHONES | {"name": "a"}, ["a", "a", "a"]),
        (
            "{each: phones, do: {each: uses, do: use}, fn: flatten}",
            {"phones": [{"uses": [{"use": "x"}]}, {}]},
            ["x"],
        ),
        ("{if: name, then: other, else: {const: none}}", {"name": "a", "other": "b"}, "b"),
        ("{if: name, then: other, else: {const: none}}", {"other": "b"}, "none"),
        ("{if: name, then: other}", {"other": "b"}, None),
        ("{let: {n: {from: name, fn: lower}}, do: {join: [$n, $n], with: '-'}}", {"name": "A"}, "a-a"),
    ],
)
def test_a_value_is_what_the_page_on_maps_says(value, document, made):
    assert one(value, document) == made


@pytest.mark.parametrize(
    ("condition", "document", "holds"),
    [
        ("name", {"name": "a"}, True),
        ("name", {"name": ""}, False),
        ("{present: name}", {"name": "a"}, True),
        ("{absent: name}", {"name": "a"}, False),
        ("{present: phones}", {"phones": []}, False),
        ("{present: phones}", {"phones": [{}]}, True),
        ("{absent: house}", {"house": {}}, True),
        ("{present: house}", {"house": {"street": "a"}}, True),
        ("{from: name, is: a}", {"name": "a"}, True),
        ("{from: name, is: a}", {}, False),
        ("{from: glad, is: false}", {"glad": False}, True),
        ("{from: glad, is: false}", {}, False),
        ("{from: year, is: 5}", {"year": 5}, True),
        ("{from: name, in: [a, b]}", {"name": "b"}, True),
        ("{from: name, in: [a, b]}", {}, False),
        ("{from: name, not_in: [a, b]}", {"name": "c"}, True),
        ("{from: name, not_in: [a, b]}", {}, True),
        ("{from: name, fn: lower, is: a}", {"name": "A"}, True),
        ("{all: [name, other]}", {"name": "a"}, False),
        ("{any: [name, other]}", {"name": "a"}, True),
        ("{not: {any: [name, other]}}", {}, True),
    ],
)
def test_a_condition_holds_as_the_page_on_maps_says(condition, document, holds):
    made = one(f"{{if: {condition}, then: {{const: yes it does}}, else: {{const: it does not}}}}", document)
    assert made == ("yes it does" if holds else "it does not")


@pytest.mark.parametrize(
    ("policy", "made", "severity"),
    [
        ("unmapped: reject", None, Severity.WARNING),
        ("unmapped: default, default: other", "other", Severity.INFORMATION),
        ("unmapped: pass", "Pager", Severity.INFORMATION),
    ],
)
def test_a_code_the_table_does_not_know_follows_the_tables_policy_and_is_always_an_issue(
    policy, made, severity
):
    rule = "- kind: thing\n  category: identity\n  value: {id: id, made: {from: name, codes: kind}}\n"
    ready = compiled(rule, tables=f"kind: {{file: kind.csv, {policy}}}")
    result = ready.run({"id": "1", "name": "Pager"})
    assert result.outputs[0].value.get("made") == made
    [issue] = result.issues
    assert (issue.code, issue.path, issue.severity) == (IssueCode.UNKNOWN_CODE, "name", severity)
    assert "Pager" not in issue.text


def test_codes_look_up_exactly_or_without_case_as_the_table_is_told():
    assert one("{from: name, codes: kind}", {"name": "Cell"}, tables=KIND) == "mobile"
    assert one("{from: name, codes: kind}", {"name": "cell"}, tables=KIND) is None
    folded = "kind: {file: kind.csv, unmapped: reject, ignore_case: true}"
    assert one("{from: name, codes: kind}", {"name": "cELL"}, tables=folded) == "mobile"


def test_a_code_known_to_have_no_target_is_nothing_without_an_issue():
    rule = "- kind: thing\n  category: identity\n  value: {id: id, made: {from: name, codes: kind}}\n"
    result = compiled(rule, tables=KIND).run({"id": "1", "name": "Fax"})
    assert result.outputs[0].value == {"id": "1"}
    assert result.issues == ()


def test_constants_may_be_whole_groups_and_are_fresh_each_time():
    rule = "- kind: thing\n  category: identity\n  value: {id: id, made: {const: {coding: [{code: a, n: 1, yes: true}]}}}\n"
    ready = compiled(rule)
    first = ready.run({"id": "1"}).outputs[0].value
    first["made"]["coding"][0]["code"] = "spoilt"
    assert ready.run({"id": "1"}).outputs[0].value["made"] == {"coding": [{"code": "a", "n": 1, "yes": True}]}


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("name", 5, "bad-value"),
        ("name", ["a"], "bad-value"),
        ("name", {"a": 1}, "bad-value"),
        ("year", "2026", "bad-value"),
        ("year", 1.5, "bad-value"),
        ("year", True, "bad-value"),
        ("weight", float("nan"), "bad-value"),
        ("weight", float("inf"), "bad-value"),
        ("weight", True, "bad-value"),
        ("glad", "oui", "bad-value"),
        ("glad", 1, "bad-value"),
        ("born", "2014-02-30", "bad-date"),
        ("born", "20140209", "bad-date"),
        ("born", "2014-W01-1", "bad-date"),
        ("born", 20140209, "bad-date"),
        ("house.street", 5, "bad-value"),
    ],
)
def test_a_value_of_another_type_than_its_path_is_left_out_with_an_issue_that_does_not_quote_it(
    path, value, code
):
    ready = compiled(f"- kind: thing\n  category: safety\n  value: {{id: id, made: {path}}}\n")
    document = {"id": "1", "house": {"street": value}} if "." in path else {"id": "1", path: value}
    result = ready.run(document)
    assert result.outputs[0].value == {"id": "1"}
    assert issues(result) == [(code, path)]
    assert str(value) not in result.issues[0].text


@pytest.mark.parametrize(("document", "path"), [({"house": "a"}, "house"), ({"house": [1]}, "house")])
def test_something_else_in_place_of_a_group_is_an_issue_at_the_group(document, path):
    ready = compiled("- kind: thing\n  category: identity\n  value: {made: house.street}\n")
    result = ready.run({"id": "1", **document})
    assert result.outputs == ()
    assert issues(result) == [("bad-value", path)]


def test_issues_inside_arrays_name_the_item():
    ready = compiled(
        "- kind: thing\n  category: identity\n  value: {made: {each: phones, do: {each: uses, do: use}, fn: flatten}}\n"
    )
    result = ready.run({"id": "1", "phones": [{}, 3, {"uses": [{"use": "a"}, {"use": 7}, "x"]}]})
    assert result.outputs[0].value == {"made": ["a"]}
    assert issues(result) == [
        ("bad-value", "phones.1"),
        ("bad-value", "phones.2.uses.1.use"),
        ("bad-value", "phones.2.uses.2"),
    ]


def test_a_value_read_twice_is_complained_of_once():
    ready = compiled(
        "- kind: thing\n  category: safety\n  value: {id: id, a: year, b: year}\n- kind: other\n  category: safety\n  value: {id: id, a: year}\n"
    )
    assert issues(ready.run({"id": "1", "year": "x"})) == [("bad-value", "year")]
