"""What the plan sheet and worklist maps promise beyond their golden samples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.engine.shipped import shipped_map
from mappings.record.category import EXTRA_PRIVATE, Category

PLAN = shipped_map("planhub/plan-sheet")
WORK = shipped_map("planhub/worklist-return")
ROW = {
    "row_id": "s:1",
    "child_id": "900101",
    "first_name": "Miri",
    "last_name": "Lind",
    "birth_date": "2014-03-09",
}
PARTS = {
    "strength",
    "interest",
    "need",
    "preference",
    "goal",
    "progress",
    "support",
    "conference",
    "voice",
    "navigator",
}
FULL = {
    "statement": "said", "date": "2026-10-01", "family_present": "yes", "speaker": "child", "agreement": "agree",
    "person_name": "Noor Haddad",
}  # fmt: skip


def parts(**cells: str):
    return [
        output
        for output in PLAN.run({**ROW, **cells}).outputs
        if output.path == "" and output.rule not in {"name", "birth-date", "identifier"}
    ]


@pytest.mark.parametrize("kind", sorted(PARTS))
def test_every_kind_of_row_becomes_a_part_of_the_plan_in_the_category_its_author_ticks(kind):
    made = parts(row_kind=kind, topic="health", **FULL)
    assert made
    assert {output.category for output in made} == {Category.HEALTH}


@pytest.mark.parametrize("kind", sorted(PARTS))
@pytest.mark.parametrize("topic", ["counseling", "Special Education", "safety"])
def test_a_private_topic_outranks_the_ordinary_one_beside_it(kind, topic):
    assert {
        output.category for output in parts(row_kind=kind, topic="academic", private_topic=topic, **FULL)
    } <= EXTRA_PRIVATE


@pytest.mark.parametrize("kind", sorted(PARTS))
def test_a_private_topic_nobody_knows_leaves_the_row_out(kind):
    assert parts(row_kind=kind, topic="academic", private_topic="delicate", **FULL) == []


@pytest.mark.parametrize("kind", sorted(PARTS - {"conference", "navigator", "voice"}))
def test_a_part_without_a_topic_is_left_out_with_an_issue(kind):
    result = PLAN.run({**ROW, "row_kind": kind, **FULL})
    assert [output for output in result.outputs if output.category is not Category.IDENTITY] == []
    assert "required" in {issue.code.value for issue in result.issues}


def test_who_leads_and_when_the_meeting_was_is_the_schools_where_no_topic_is_ticked():
    for kind in ("conference", "navigator"):
        assert [output.category for output in parts(row_kind=kind, **FULL)] == [Category.SCHOOL]


def test_what_a_family_said_needs_a_topic_but_its_answer_does_not():
    assert [(output.rule, output.category) for output in parts(row_kind="voice", **FULL)] == [
        ("family answer", Category.SCHOOL)
    ]


def test_the_familys_words_are_theirs_by_method_and_regime():
    [said, answer] = parts(row_kind="voice", topic="enrichment", **FULL)
    assert said.draft().method == answer.draft().method == "family-stated"
    assert said.draft().regimes == {"FAM"}


def test_a_row_of_no_known_kind_says_who_the_child_is_and_no_more():
    assert parts(row_kind="wish", topic="health", **FULL) == []


def test_internal_notes_are_not_read():
    for ready in (PLAN, WORK):
        assert "note_internal" not in ready.reads


def test_what_the_hub_wrote_for_the_reader_of_a_worklist_is_not_read_back():
    assert not [
        path for path in WORK.reads if path.startswith(("child_name", "guardian_", "request", "needed_by"))
    ]


@pytest.mark.parametrize(
    "topic", [category.value for category in Category if category is not Category.IDENTITY]
)
def test_what_became_of_a_referral_takes_the_category_of_its_need(topic):
    row = {
        "row_id": "w:1", "referral_id": "r", "child_ref": "c", "topic": topic, "status": "done", "status_date": "2026-12-01",
        "service": "Club", "service_date": "2026-11-30", "days_expected": "5", "days_present": "4", "period_start": "2026-11-01",
        "period_end": "2026-11-30",
    }  # fmt: skip
    outputs = WORK.run(row).outputs
    assert {output.kind for output in outputs} == {"referral-event", "service-delivery", "attendance-summary"}
    assert {output.category.value for output in outputs if output.category} == {topic}


def test_a_status_without_a_date_is_no_event():
    result = WORK.run(
        {"row_id": "w:1", "referral_id": "r", "child_ref": "c", "topic": "health", "status": "done"}
    )
    assert result.outputs == ()
    assert [(issue.code.value, issue.path) for issue in result.issues] == [("required", "status_date")]


def test_a_last_day_is_the_open_end_of_its_span():
    row = {
        "row_id": "w",
        "child_ref": "c",
        "topic": "health",
        "service": "Club",
        "days_expected": "1",
        "days_present": "1",
        "period_start": "11/1/2026",
        "period_end": "11/30/2026",
    }
    [output] = WORK.run(row).outputs
    assert output.value["span"] == {"start": "2026-11-01", "end": "2026-12-01"}


@given(st.dictionaries(st.sampled_from(sorted(PLAN.reads)), st.text(max_size=12)))
def test_cells_filled_with_anything_never_make_an_ordinary_fact_of_a_private_row(cells):
    row = {
        **cells,
        **ROW,
        "row_kind": "need",
        "private_topic": "counseling",
        "topic": "academic",
        "statement": "said",
    }
    row.pop("connection.assigner", None)
    made = [output.category for output in PLAN.run(row).outputs if output.kind == "profile-item"]
    assert made == [Category.COUNSELING]
