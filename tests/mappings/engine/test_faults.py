"""What is wrong with a map is said when it is saved: all of it, each with line, column, why and the next step."""

import pytest

from mappings.engine.compiled import compile_map
from tests.mappings.engine.trying import HEAD, TABLES, attempt, faults, table


def whole(text: str) -> list[str]:
    compilation = compile_map(text, paths=table(), crosswalks=TABLES)
    assert compilation.map is None
    return [str(error) for error in compilation.errors]


def test_a_misspelt_path_is_named_with_its_place_and_the_nearest_path():
    rule = "- kind: thing\n  category: identity\n  value:\n    a: name\n    b: hose.street\n"
    [error] = attempt(rule).errors
    assert (error.file, error.line, error.column) == ("map.yaml", 14, 10)
    assert error.what == "unknown path 'hose.street'"
    assert error.next_step == "Did you mean 'house.street'?"


def test_a_misspelt_path_inside_an_array_is_named_as_it_would_be_written_there():
    [text] = faults(
        "- kind: thing\n  category: identity\n  each: phones\n  key: numbre\n  value: {a: number}\n"
    )
    assert "unknown path 'numbre'" in text
    assert "Did you mean 'number'?" in text


def test_every_fault_is_reported_in_the_order_of_the_file():
    rule = """\
    - kind: thing
      category: scool
      value:
        a: nmae
        b: {from: name, fn: lowr}
        c: {from: name, codes: nope}
        d: {form: name}
        e: phones.number
        f: house
        g: {each: name, do: .}
    """
    errors = attempt(rule).errors
    assert [error.line for error in errors] == [11, 13, 14, 15, 16, 17, 18, 19]
    assert all(error.column > 0 and error.what and error.why and error.next_step for error in errors)
    steps = " ".join(error.next_step for error in errors)
    for step in ("'school'", "'name'", "'lower'", "'from'", "{each: phones, do: number}"):
        assert step in steps


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("[name]", "is a bare list"),
        ("''", "is empty"),
        ("{from: name, const: a}", "needs one verb, found from and const"),
        ("{}", "needs one verb, found none"),
        ("{from: name, frm: a}", "'frm' does not go with 'from'"),
        ("{from: name, do: a}", "'do' does not go with 'from'"),
        ("{if: name}", "'then' is missing"),
        ("{let: {a: name}}", "'do' is missing"),
        ("{let: {a: name}, do: $b}", "unknown name '$b'"),
        ("{let: {a: name}, do: {let: {a: other}, do: $a}}", "$a is already named"),
        ("{each: phones, do: number, first: maybe}", "first is not yes or no"),
        ("{from: year, fn: lower}", "lower meets a integer"),
        ("{from: phones}", "is an array of groups"),
        ("{each: house, do: street}", "'house' is not an array"),
        ("{from: nicknames, fn: lower}", "lower meets a list"),
        ("{from: name, fn: first}", "first meets a text"),
        ("{from: name, fn: before}", "before has 0 arguments"),
        ("{from: name, fn: {lower: x}}", "lower has 1 arguments"),
        ("{from: year, codes: kind}", "codes meets a integer"),
        ("{from: name, bool: false}", "bool takes true"),
        ("{from: weight, bool: true}", "bool meets a number"),
        ("{from: glad, prefix: x}", "prefix meets a boolean"),
        ("{from: name, default: [a]}", "default is not a word or number"),
        ("{join: [name, year]}", "join meets a integer"),
        ("{const: .nan}", "a number without a value"),
        ("{const: 1.0e+999}", "a number without a value"),
        ("{if: {from: name}, then: name}", "a condition needs one test"),
        ("{if: {from: name, is: a, in: [b]}, then: name}", "a condition needs one test"),
        ("{if: {from: name, in: [{a: b}]}, then: name}", "in compares with words and numbers"),
        ("{if: [name], then: name}", "the condition is not a mapping"),
        ("{obj: [name]}", "is not a mapping"),
        ("{list: {a: name}}", "list is not a list"),
        ("visa", "may not be read"),
        ("unclassified", "may not be read"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(value, what):
    found = faults(
        f"- kind: thing\n  category: safety\n  value:\n    made: {value}\n",
        tables="kind: {file: kind.csv, unmapped: reject}",
    )
    assert any(what in text for text in found), found


def test_a_map_must_say_what_it_is():
    found = whole("rules: []\n")
    for name in ("map", "version", "title", "source", "target", "owner"):
        assert any(f"{name!r} is missing" in text for text in found)


@pytest.mark.parametrize(
    ("line", "instead", "what"),
    [
        ("map: planhub/trying", "map: Trying", "the id is not owner/name"),
        ("version: 1.0.0", "version: 1.0", "the version is not a.b.c"),
        ("source: school/pupils", "source: pupils", "the source is not source/resource"),
        ("source: school/pupils", "source: school/pupil", "unknown resource 'pupil'"),
        ("title: for tests", "titel: for tests", "unknown part 'titel'"),
        ("title: for tests", "title: a\ntitle: b", "'title' stands twice"),
        ("title: for tests", "title: []", "title is missing"),
        ("record_id: id", "record_id: ident", "unknown path 'ident'"),
    ],
)
def test_a_header_that_is_wrong_is_refused(line, instead, what):
    text = HEAD.format(target="record").replace(line, instead) + "rules: []\n"
    assert any(what in error for error in whole(text))


def test_a_rule_says_what_it_makes_in_which_category_under_a_name_of_its_own():
    found = faults(
        "- category: identity\n- kind: name\n  value: {a: name}\n  colour: red\n- kind: name\n  category: identity\n  value: {a: name}\n"
    )
    for what in (
        "'kind' is missing",
        "'value' is missing",
        "has no category",
        "unknown part 'colour'",
        "two rules named 'name'",
    ):
        assert any(what in text for text in found), what


def test_closed_vocabularies_stay_closed():
    rule = "- kind: a\n  category: identity\n  labels: [PSYCH]\n  method: guess\n  regimes: [LAW]\n  required: [b]\n  value: {a: name}\n"
    found = faults(rule)
    for what in (
        "unknown label 'PSYCH'",
        "unknown method 'guess'",
        "unknown regime 'LAW'",
        "'b' is required but not made",
    ):
        assert any(what in text for text in found), what


@pytest.mark.parametrize(
    ("use", "what"),
    [
        ("kind: {file: kind.csv}", "does not say unmapped"),
        ("kind: {file: kind.csv, unmapped: default}", "default and unmapped disagree"),
        ("kind: {file: kind.csv, unmapped: reject, default: a}", "default and unmapped disagree"),
        ("kind: {file: kinds.csv, unmapped: reject}", "there is no crosswalk 'kinds.csv'"),
        ("kind: {file: ../kind.csv, unmapped: reject}", "names no crosswalk"),
        ("kind: {file: kind.csv, unmapped: reject, case: no}", "unknown part 'case'"),
        (
            "kind: {file: kind.csv, unmapped: reject}\nspare: {file: topic.csv, unmapped: reject}",
            "'spare' is not used",
        ),
    ],
)
def test_a_table_says_what_becomes_of_a_code_it_does_not_know(use, what):
    found = faults("- kind: a\n  category: identity\n  value: {a: {from: name, codes: kind}}\n", tables=use)
    assert any(what in text for text in found), found


def test_faults_of_a_crosswalk_are_shown_with_the_maps():
    text = HEAD.format(target="record") + "tables: {kind: {file: kind.csv, unmapped: reject}}\nrules: []\n"
    compilation = compile_map(text, paths=table(), crosswalks={"kind.csv": "source_code,target_code\n"})
    assert ("kind.csv", 1) in [(error.file, error.line) for error in compilation.errors]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("map: [", "this is not YAML"),
        ("- a\n- b\n", "this is not a map"),
        ("", "this is not a map"),
        ("map: &x a\nversion: *x\n", "an alias"),
        ("map: !!python/object/apply:os.system [echo]\n", "a tag"),
        ("map: !!str a\n", "a tag"),
        ("? [a, b]\n: c\n", "a name that is not text"),
        ("a: " + "[" * 60 + "]" * 60, "nested too deep"),
        ("a: " + "x" * 300_000, "too large"),
        ("a: \x00", "this is not YAML"),
    ],
)
def test_yaml_that_would_surprise_is_refused_before_it_is_read(text, what):
    found = whole(text)
    assert any(what in error for error in found), found


def test_a_document_that_refers_to_itself_cannot_be_written():
    assert any("an alias" in text for text in whole("a: &a [*a]\n"))
