"""Maps nobody wrote: random rules of every verb, compiled and compared with the plain interpreter, document by document."""

from typing import Any

import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.mappings.engine.interpreter import Interpreter
from tests.mappings.engine.trying import attempt

TABLES = """\
kind: {file: kind.csv, unmapped: reject}
loose: {file: kind.csv, unmapped: pass, ignore_case: true}
fixed: {file: topic.csv, unmapped: default, default: class}
"""
TOP = {
    "text": ["name", "other", "born", "house.street", "$.illness", "$.house.owner"],
    "other": ["year", "weight", "glad"],
}
ITEM = {"text": ["number", "kind", "$.name", "$.house.street"], "other": ["$.year", "$.glad"]}
WORDS = st.sampled_from(["Home", "Mobile", "a", "Fax", "yes", " x ", "2014-03-09", "body"])
MODIFIERS = st.fixed_dictionaries(
    {},
    optional={
        "fn": st.sampled_from(
            ["lower", "squeeze", ["strip", "upper"], {"before": "-"}, "date_us", "phone", "descriptor_code"]
        ),
        "codes": st.sampled_from(["kind", "loose", "fixed"]),
        "prefix": WORDS,
        "default": WORDS,
    },
)


def texts(places: dict[str, list[str]], depth: int) -> st.SearchStrategy[Any]:
    """Expressions that give text."""
    path = st.sampled_from(places["text"])
    leaf = (
        path
        | st.tuples(path, MODIFIERS).map(lambda two: {"from": two[0], **two[1]})
        | WORDS.map(lambda word: {"const": word})
    )
    if depth == 0:
        return leaf
    inner = texts(places, depth - 1)
    return leaf | st.one_of(
        st.tuples(st.lists(inner, min_size=1, max_size=3), WORDS, MODIFIERS).map(
            lambda t: {"join": t[0], "with": t[1], **t[2]}
        ),
        st.tuples(conditions(places, depth - 1), inner, inner, MODIFIERS).map(
            lambda t: {"if": t[0], "then": t[1], "else": t[2], **t[3]}
        ),
        st.tuples(conditions(places, depth - 1), inner).map(lambda t: {"if": t[0], "then": t[1]}),
        st.tuples(st.lists(inner, min_size=1, max_size=3), st.just("first")).map(
            lambda t: {"list": t[0], "fn": t[1]}
        ),
        inner.map(lambda one: {"let": {f"n{depth}": one}, "do": {"join": [f"$n{depth}", f"$n{depth}"]}}),
    )


def values(places: dict[str, list[str]], depth: int) -> st.SearchStrategy[Any]:
    """Expressions that give anything."""
    text = texts(places, depth)
    leaf = text | st.sampled_from(places["other"]) | st.sampled_from([1, True, {"const": {"a": [1, "b"]}}])
    if depth == 0:
        return leaf
    inner = values(places, depth - 1)
    loops: st.SearchStrategy[Any] = st.nothing()
    if places is TOP:
        loops = st.fixed_dictionaries(
            {"each": st.just("phones"), "do": values(ITEM, depth - 1)},
            optional={"when": conditions(ITEM, depth - 1), "first": st.booleans()},
        ) | st.fixed_dictionaries({"each": st.just("nicknames"), "do": st.just({"from": ".", "fn": "lower"})})
    else:
        loops = st.just({"each": "uses", "do": {"from": "use", "codes": "loose"}})
    return (
        leaf
        | loops
        | st.one_of(
            st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3).map(
                lambda members: {"obj": members}
            ),
            st.lists(inner, min_size=1, max_size=3).map(lambda members: {"list": members}),
            st.tuples(st.lists(inner, min_size=1, max_size=2), st.lists(text, min_size=1, max_size=2)).map(
                lambda two: {"list": [{"list": two[0]}, {"list": two[1]}], "fn": ["flatten", "distinct"]}
            ),
            st.tuples(conditions(places, depth - 1), inner, inner).map(
                lambda t: {"if": t[0], "then": t[1], "else": t[2]}
            ),
        )
    )


def conditions(places: dict[str, list[str]], depth: int) -> st.SearchStrategy[Any]:
    """Conditions of every kind."""
    path = st.sampled_from(places["text"])
    tested = st.tuples(path, MODIFIERS, st.sampled_from(["is", "in", "not_in"]), WORDS).map(
        lambda t: {"from": t[0], **t[1], t[2]: t[3] if t[2] == "is" else [t[3], "a"]}
    )
    leaf = (
        path
        | tested
        | path.map(lambda one: {"absent": one})
        | st.sampled_from([{"from": "$.glad", "is": True}, {"present": "$.year"}])
    )
    if places is TOP:
        leaf |= st.sampled_from([{"present": "phones"}, {"absent": "house"}])
    if depth == 0:
        return leaf
    inner = conditions(places, depth - 1)
    some = st.lists(inner, min_size=1, max_size=2)
    return (
        leaf
        | some.map(lambda one: {"all": one})
        | some.map(lambda one: {"any": one})
        | inner.map(lambda one: {"not": one})
    )


RULES = st.fixed_dictionaries(
    {"kind": st.just("thing"), "category": st.just("safety"), "value": st.dictionaries(st.sampled_from("abcd"), values(TOP, 2), min_size=1)},
    optional={"when": conditions(TOP, 1), "let": st.fixed_dictionaries({"top": texts(TOP, 1)}), "key": texts(TOP, 1)},
) | st.fixed_dictionaries(
    {
        "kind": st.just("thing"), "category": st.just("safety"), "each": st.just("phones"), "key": texts(ITEM, 1),
        "value": st.dictionaries(st.sampled_from("abcd"), values(ITEM, 2), min_size=1),
    },
    optional={"when": conditions(ITEM, 1), "required": st.just(["a"])},
)  # fmt: skip
TEXT = st.none() | WORDS | st.just("") | st.integers(0, 3)
PHONE = st.fixed_dictionaries(
    {},
    optional={
        "number": TEXT,
        "kind": TEXT,
        "uses": st.lists(st.fixed_dictionaries({}, optional={"use": TEXT}), max_size=2),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {"id": st.just("1")},
    optional={
        "name": TEXT, "other": TEXT, "born": TEXT, "illness": TEXT, "year": TEXT, "weight": st.floats(), "glad": TEXT | st.booleans(),
        "house": st.fixed_dictionaries({}, optional={"street": TEXT, "owner": TEXT}) | TEXT,
        "nicknames": st.lists(TEXT, max_size=3) | TEXT, "phones": st.lists(PHONE | TEXT, max_size=3) | TEXT,
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(RULES, st.lists(DOCUMENTS, min_size=3, max_size=6))
def test_any_map_that_compiles_does_what_its_rules_say(rule, documents):
    text = yaml.dump([rule], sort_keys=False, Dumper=_Plain)
    compilation = attempt(text, tables=_used(text))
    if compilation.map is None:
        assert {error.why for error in compilation.errors} <= KNOWN_REFUSALS, compilation.errors
    assume(compilation.map is not None)
    assert compilation.map is not None
    plain = Interpreter(compilation.map)
    for document in documents:
        made = [
            (o.rule, o.path, o.value, o.category, o.labels, o.key)
            for o in compilation.map.run(document).outputs
        ]
        assert made == plain.rule(compilation.map.rules[0].rule, None, document)


KNOWN_REFUSALS = {
    "it joins texts", "it takes text", "it takes list", "it takes integer or text", "the rule has no such field", "one name, one value",
}  # fmt: skip


class _Plain(yaml.SafeDumper):
    """A dumper without anchors, which a map may not hold."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _used(text: str) -> str:
    return "\n".join(
        line for line in TABLES.splitlines() if f"codes: {line.partition(':')[0]}\n" in text + "\n"
    )
