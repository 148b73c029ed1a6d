"""Every map that comes with the product: it compiles, does what its samples say, fires every rule and leaks nothing."""

import json

import pytest

from mappings.engine.loss import loss_table
from mappings.engine.probe import probe
from mappings.engine.record_target import record_targets
from mappings.engine.samples import check_samples, never_fired
from mappings.engine.shipped import MapFiles, path_table, shipped_files, shipped_map, shipped_maps
from mappings.record.assertion import check_value
from mappings.record.kind import MODEL, Kind
from tests.paths import ROOT

FILES = shipped_files()
FEEDS = [one for one in FILES if one.folder != "fhir" and "\ntarget: record\n" in one.map_text]
every_feed = pytest.mark.parametrize("one", FEEDS, ids=[f"{one.folder}/{one.name}" for one in FEEDS])
every_map = pytest.mark.parametrize("one", FILES, ids=[f"{one.folder}/{one.name}" for one in FILES])


def ready(one: MapFiles):
    compilation = one.compile()
    assert compilation.map is not None, "\n".join(map(str, compilation.errors))
    return compilation.map


@every_map
def test_a_shipped_map_has_samples_and_does_what_they_say(one):
    outcomes = check_samples(ready(one), one.samples, one.expected)
    assert outcomes
    assert all(outcome.ok for outcome in outcomes), [outcome for outcome in outcomes if not outcome.ok]


@every_map
def test_every_rule_of_a_shipped_map_fires_on_some_sample(one):
    assert never_fired(ready(one), one.samples) == ()


@every_map
def test_a_shipped_map_leaks_nothing_on_any_sample(one):
    compiled_map = ready(one)
    for name, text in one.samples.items():
        report = probe(compiled_map, json.loads(text))
        assert report.leaks == (), name
        assert report.runs > 0


@every_feed
def test_the_samples_of_a_shipped_map_reach_every_path_it_reads(one):
    compiled_map = ready(one)
    seen = set().union(*(probe(compiled_map, json.loads(text)).influences for text in one.samples.values()))
    assert compiled_map.reads - seen == set()


@every_feed
def test_every_sample_says_which_standard_it_follows(one):
    for name, text in one.samples.items():
        assert json.loads(text).get("_follows"), name


@every_map
def test_what_a_shipped_inbound_map_makes_fits_the_record(one):
    compiled_map = ready(one)
    if not compiled_map.document.inbound:
        return
    for text in one.samples.values():
        for output in compiled_map.run_text(text).outputs:
            value, issues = check_value(Kind(output.kind), output.value, output.path)
            assert issues == ()
            assert value is not None
            assert output.draft().key == output.key


@every_map
def test_a_shipped_map_has_a_loss_table_with_a_reason_for_every_path_it_leaves(one):
    compiled_map = ready(one)
    table = loss_table(compiled_map, record_targets())
    assert [row.path for row in table.not_read if row.reason == "no rule reads it"] == []
    assert table.markdown().count("\n## ") == 3


def test_shipped_maps_are_found_by_id_and_ids_are_ours():
    assert set(shipped_maps()) >= {
        "planhub/edfi-student", "planhub/edfi-enrollment", "planhub/edfi-directory", "planhub/edfi-guardian",
        "planhub/edfi-staff", "planhub/oneroster-student", "planhub/plan-sheet", "planhub/worklist-return",
    }  # fmt: skip
    assert all(map_id.startswith("planhub/") for map_id in shipped_maps())
    assert shipped_map("planhub/edfi-student").document.inbound
    hashes = [one.content_hash for one in shipped_maps().values()]
    assert len(set(hashes)) == len(hashes)


def test_an_unknown_map_is_a_bug_of_the_caller():
    with pytest.raises(KeyError):
        shipped_map("planhub/nothing")


def test_the_path_table_of_a_folder_can_be_had_alone():
    assert "students" in path_table("edfi").resources


def test_the_records_kinds_are_targets_with_what_they_require():
    targets = record_targets()
    assert set(targets) == {kind.value for kind in MODEL}
    assert targets["name"].required == {"family"}
    guardian = targets["guardian"].fields["name"]
    assert guardian is not None
    assert guardian.required == {"family"}


@every_map
def test_the_published_loss_table_of_a_shipped_map_is_the_one_it_has_now(one):
    page = ROOT / "docs" / "losses" / f"{one.folder}-{one.name}.md"
    made = loss_table(ready(one), record_targets()).markdown()
    assert page.read_text("utf-8") == made, "run: python -m tests.mappings.engine.regold"
