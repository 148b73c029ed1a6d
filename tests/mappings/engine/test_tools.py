"""Loss table, explanation, golden samples, coverage, leak probe, difference of versions, content hash."""

import json

import pytest

from mappings.engine.compiled import CompiledMap, content_hash
from mappings.engine.diff import diff_maps
from mappings.engine.explain import explain
from mappings.engine.feeds import TargetShape
from mappings.engine.loss import loss_table
from mappings.engine.probe import probe
from mappings.engine.samples import check_samples, never_fired, regold
from mappings.record.category import Category
from tests.mappings.engine import test_outbound as outbound
from tests.mappings.engine.trying import compiled

KIND = "kind: {file: kind.csv, unmapped: default, default: other}"
RULES = """\
- kind: name
  category: identity
  when: name
  value:
    given: {from: name, fn: squeeze}
    family: {join: [name, other], with: " "}
- kind: telecom
  category: identity
  each: phones
  key: number
  value:
    value: number
    use: {from: kind, codes: kind}
    note: {each: uses, when: {from: use, is: a}, first: true, do: use}
- kind: state
  category: health
  value: {text: {from: illness, default: well}, id: id}
"""
READY = compiled(RULES, tables=KIND)
DOCUMENT = {
    "id": "1",
    "name": "Ada",
    "other": "Byron",
    "phones": [{"number": "5", "kind": "Cell", "uses": [{"use": "a"}]}],
    "illness": "flu",
    "incidents": [{"what": "ran"}],
    "stranger": {"deep": ["x"]},
}


def test_the_loss_table_names_every_source_path_no_rule_reads_and_why():
    rows = {row.path: (row.category, row.reason) for row in loss_table(READY).not_read}
    assert rows["visa"] == ("never kept", "never-keep list")
    assert rows["unclassified"] == ("private until classified", "nobody has looked yet")
    assert rows["house.street"] == ("identity", "no rule reads it")
    assert not {"name", "phones.number", "phones.uses.use", "illness"} & set(rows)
    assert len(rows) + len(READY.reads) == sum(1 for _ in READY.paths.leaves())


def test_the_loss_table_names_what_changes_on_the_way():
    lossy = {(row.rule, row.field): row.loss for row in loss_table(READY).lossy}
    assert "runs of white space (fn squeeze)" in lossy["name", "given"]
    assert "(join)" in lossy["name", "family"]
    assert "(when)" in lossy["name", "(the whole fact)"]
    assert "(first)" in lossy["telecom", "note"]
    assert "(default)" in lossy["state", "text"]
    uses = [row.loss for row in loss_table(READY).lossy if row.field == "use"]
    assert any("several codes become one: mobile" in loss for loss in uses)
    assert any("codes without a target: Fax" in loss for loss in uses)
    assert any("unknown codes become 'other'" in loss for loss in uses)


def test_the_loss_table_names_fields_of_the_target_that_nothing_fills():
    shape = {
        "name": TargetShape({"given": None, "family": None, "suffix": None}),
        "telecom": TargetShape(
            {"value": None, "use": None, "note": None, "period": TargetShape({"start": None})}
        ),
        "state": TargetShape({"text": None, "id": None}),
    }
    rows = loss_table(READY, shape).never_filled
    assert {(row.kind, row.field) for row in rows} == {("name", "suffix"), ("telecom", "period")}


def test_the_loss_table_is_a_page_and_data():
    table = loss_table(READY)
    page = table.markdown()
    assert page.startswith("# What planhub/trying 1.0.0 loses")
    assert "| `visa` | never kept | never-keep list |" in page
    assert json.loads(json.dumps(table.data()))["map"] == "planhub/trying"


def test_explain_names_rule_line_paths_categories_and_losses_of_each_field():
    [whole, given, _] = explain(READY, "name")
    assert (whole.field, whole.by_condition) == ("(whole)", ("name",))
    assert (given.rule, given.line, given.by_value, given.categories) == (
        "name",
        12,
        ("name",),
        ("identity",),
    )
    assert str(given) == "name.given ← name [name, line 12]; lost: runs of white space (fn squeeze)"
    [text, _] = explain(READY, "state")
    assert text.categories == ("health",)
    assert text.data()["by_value"] == ("illness",)
    assert len(explain(READY)) > len(explain(READY, "name"))


def test_samples_are_compared_with_what_was_written_down():
    samples = {"a.json": json.dumps(DOCUMENT), "b.json": "{}", "c.json": "nonsense"}
    golden = regold(READY, samples)
    assert all(outcome.ok for outcome in check_samples(READY, samples, golden))
    spoilt = golden | {"a.json": golden["a.json"].replace("Byron", "Lovelace"), "b.json": "nonsense"}
    outcomes = {outcome.name: outcome for outcome in check_samples(READY, samples, spoilt)}
    assert not outcomes["a.json"].ok
    assert any("Lovelace" in line for line in outcomes["a.json"].differences)
    assert outcomes["b.json"].differences == ("the expectation is not JSON",)
    assert outcomes["c.json"].ok


def test_a_sample_without_an_expectation_fails_and_so_does_the_other_way_round():
    outcomes = {
        outcome.name: outcome.ok for outcome in check_samples(READY, {"a.json": "{}"}, {"b.json": "{}"})
    }
    assert outcomes == {"a.json": False, "b.json": False}


def test_rules_that_never_fired_are_named():
    assert never_fired(READY, {"a.json": json.dumps(DOCUMENT)}) == ()
    assert never_fired(READY, {"a.json": '{"id": "1", "name": "Ada"}'}) == ("telecom",)


def test_the_probe_finds_every_influence_and_no_leak_in_a_map_that_was_checked():
    report = probe(READY, DOCUMENT)
    assert report.leaks == ()
    assert {
        "id",
        "name",
        "other",
        "phones",
        "phones.number",
        "phones.kind",
        "phones.uses.use",
        "illness",
    } <= report.influences
    assert not {"incidents", "incidents.what", "stranger", "stranger.deep"} & report.influences


def _spoilt(compiled_map: CompiledMap, **changes) -> CompiledMap:
    return CompiledMap(
        **{name: changes.get(name, getattr(compiled_map, name)) for name in CompiledMap.__slots__}
    )


def test_the_probe_finds_a_read_that_the_read_set_does_not_name():
    leaks = probe(_spoilt(READY, reads=READY.reads - {"other"}), DOCUMENT).leaks
    assert {(leak.path, leak.why) for leak in leaks} == {("other", "it is not in the read-set")}


def test_the_probe_finds_a_filter_that_shows_health_in_who_the_child_is():
    """The program of a map that may, under the category of one that may not: what a hole in the checker would look like."""
    quiet = "- kind: name\n  category: health\n  when: {present: illness}\n  value: {given: name}\n"
    loud = compiled(quiet.replace("health", "identity").replace("illness", "other"))
    hole = _spoilt(compiled(quiet), program=loud.program, rules=loud.rules)
    document = {"id": "1", "name": "Ada", "other": "b", "illness": "flu"}
    assert {leak.path for leak in probe(hole, document).leaks} == {"other"}
    health = compiled(quiet)
    assert probe(health, document).leaks == ()
    path_table = health.paths.children["illness"]
    path_table.category = Category.DISCIPLINE
    [leak, *_] = probe(health, document).leaks
    assert (leak.path, leak.rule) == ("illness", "name")
    assert "not covered by health" in leak.why


def test_the_probe_of_a_map_that_leaves_the_record_looks_at_what_each_assertion_carries():
    ready = outbound.outward(
        "- kind: Goal\n  each: goals\n  value: {text: text, name: {each: $.names, first: true, do: family}}\n"
    )
    assert probe(ready, outbound.VIEW).leaks == ()
    silent = compiled("- kind: Goal\n  category: safety\n  value: {id: id}\n")
    assert probe(silent, {"id": "1"}).leaks == ()


def test_a_difference_names_rules_tables_reads_and_results():
    changed = RULES.replace("{from: name, fn: squeeze}", "other").replace("- kind: state", "- kind: status")
    new = compiled(changed, tables=KIND.replace("default: other", "default: unknown"))
    found = diff_maps(READY, new, {"a.json": json.dumps(DOCUMENT), "b.json": '{"id": "1"}'})
    assert (found.added, found.removed, found.changed) == (("status",), ("state",), ("name",))
    assert found.tables == ("kind",)
    assert set(found.results) == {"a.json", "b.json"}
    assert not found.same


def test_moving_rules_about_is_no_difference():
    moved = compiled("\n\n# a remark\n" + RULES, tables=KIND)
    assert diff_maps(READY, moved, {"a.json": json.dumps(DOCUMENT)}).same


def test_reads_gained_and_lost_are_named():
    found = diff_maps(
        READY,
        compiled(
            RULES.replace("illness", "glad").replace("health", "feelings").replace("well", "true"),
            tables=KIND,
        ),
        {},
    )
    assert (found.reads_added, found.reads_removed) == (("glad",), ("illness",))


@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_the_content_hash_covers_map_paths_and_crosswalks_by_name_and_text(part):
    def digest(changed: int) -> str:
        words = [
            word + ("x" if number == changed else "")
            for number, word in enumerate(("map", "paths", "name", "text"))
        ]
        return content_hash(words[0], words[1], {words[2]: words[3]})

    assert digest(part) != digest(9)
    assert digest(9) == digest(9)


def test_the_content_hash_does_not_depend_on_line_ends_but_on_where_parts_end():
    assert content_hash("a\r\nb", "", {}) == content_hash("a\nb", "", {})
    assert content_hash("ab", "c", {}) != content_hash("a", "bc", {})
