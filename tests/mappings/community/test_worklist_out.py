import csv
import io
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.community.worklist_out import COLUMNS, SheetReferral, Worklist, from_view, safe_cell, sheet
from mappings.engine.shipped import shipped_map
from mappings.record.category import Category
from mappings.record.issue import IssueCode
from mappings.record.kind import Kind
from mappings.view import ViewedAssertion
from tests.mappings.child import identity_facts, referral_facts
from tests.mappings.views import ORGANIZATIONS, fact, view

ASKED = SheetReferral("r-pantry", "ref-71", "district")


def made(facts: Iterable[ViewedAssertion], *asked: SheetReferral, **about: Any) -> Worklist:
    return from_view(view(facts, **about), organizations=ORGANIZATIONS, referrals=asked or (ASKED,))


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def test_a_referral_becomes_a_row_a_provider_can_act_on():
    (row,) = rows(made((*identity_facts(), *referral_facts()), notices=("Keep to yourselves.",)).content)
    filled = {name: cell for name, cell in row.items() if cell}
    assert filled == {
        "row_id": "ref-71",
        "referral_id": "ref-71",
        "child_ref": "k7Qm2-child",
        "child_name": "Wren Okonkwo",
        "child_birth_date": "2015-04-09",
        "school": "Linden Elementary",
        "guardian_name": "Amara Okonkwo",
        "guardian_phone": "(978) 555-0142",
        "guardian_language": "es (interpreter needed)",
        "topic": "home",
        "service": "Assistance with application for food pantry program",
        "request": "Groceries until the end of the month",
        "priority": "urgent",
        "referred_by": "Larkspur School District",
        "requested_on": "2026-11-18",
        "needed_by": "2026-12-01",
        "status": "sent",
        "notice": "Keep to yourselves.",
    }


def test_what_the_hub_has_heard_already_is_filled_in():
    (row,) = rows(made((*identity_facts(), *referral_facts(state="completed", ended=True))).content)
    heard = ("status", "status_date", "outcome", "sessions", "hours", "first_service_on")
    assert [row[name] for name in heard] == [
        "completed",
        "2026-11-19",
        "service-received",
        "2",
        "1.5",
        "2026-11-19",
    ]


def test_without_identity_in_the_view_the_row_carries_references_only():
    (row,) = rows(made(referral_facts()).content)
    assert row["child_ref"] == "k7Qm2-child"
    assert not any(
        row[name] for name in ("child_name", "child_birth_date", "school", "guardian_name", "guardian_phone")
    )


def test_do_not_contact_is_shouted_and_nobody_to_call_stands_beside_it():
    asked = fact(
        "r-pantry", Kind.REFERRAL, Category.SAFETY,
        {"service": {"code": "x"}, "domain": "safety", "reason": "y", "do_not_contact": True, "requested_on": "2026-11-18"},
    )  # fmt: skip
    (row,) = rows(made((*identity_facts(), asked)).content)
    assert row["do_not_contact"].startswith("DO NOT CONTACT")
    assert not any(row[name] for name in ("guardian_name", "guardian_phone", "guardian_language"))


def guardian(ref: str, **members: Any) -> ViewedAssertion:
    value = {"person_key": ref, "name": {"family": ref}, "relationship": "Guardian", **members}
    return fact(ref, Kind.GUARDIAN, Category.IDENTITY, value)


NUMBER = {"system": "phone", "value": "+19785550101"}


@pytest.mark.parametrize(
    ("guardians", "called"),
    [
        ([guardian("away", telecoms=[NUMBER], contact_restricted=True)], ""),
        ([guardian("away", telecoms=[NUMBER], contact_restricted=True), guardian("free")], "free"),
        ([guardian("silent", lives_with=True), guardian("reached", telecoms=[NUMBER])], "reached"),
        ([guardian("far", telecoms=[NUMBER]), guardian("near", telecoms=[NUMBER], lives_with=True)], "near"),
        ([guardian("hidden", telecoms=[{**NUMBER, "confidential": True}])], "hidden"),
    ],
)
def test_the_guardian_to_call_is_never_one_kept_away_and_best_one_who_can_be_reached(guardians, called):
    (row,) = rows(made((*guardians, *referral_facts())).content)
    assert row["guardian_name"] == called
    assert "away" not in str(row)
    if called == "hidden":
        assert row["guardian_phone"] == ""


def test_a_referral_that_is_a_draft_or_not_in_the_view_gives_no_row_and_an_issue():
    for facts in (identity_facts(), referral_facts(state="draft"), referral_facts(state="awaiting-consent")):
        worklist = made(facts)
        assert worklist.rows == ()
        assert [issue.code for issue in worklist.issues] == [IssueCode.FORBIDDEN]
        assert rows(worklist.content) == []


def test_an_extra_private_programme_that_asks_is_not_named():
    (row,) = rows(made(referral_facts(), SheetReferral("r-pantry", "ref-71", "harbor")).content)
    assert row["referred_by"] == "Larkspur Success Plans"


def test_the_sheet_says_exactly_what_it_was_made_of():
    worklist = made((*identity_facts(), *referral_facts()))
    assert worklist.assertion_ids == {"i-name", "i-birth", "i-school", "i-mother", "r-pantry"}
    assert worklist.categories == {Category.IDENTITY, Category.HOME}


def test_the_filled_in_row_is_read_back_as_what_became_of_the_referral():
    (row,) = rows(made((*identity_facts(), *referral_facts())).content)
    answered = {
        **{name: cell for name, cell in row.items() if cell},
        "status": "done",
        "status_date": "2026-12-02",
        "outcome": "got help",
    }
    result = shipped_map("planhub/worklist-return").run(answered)
    assert result.subjects == {"child": "k7Qm2-child", "referral": "ref-71"}
    (event,) = [output for output in result.outputs if output.kind == "referral-event"]
    assert (event.value["state"], event.category) == ("completed", Category.HOME)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ('=HYPERLINK("http://x")', "'=HYPERLINK(\"http://x\")"),
        ("  =1+1", "'=1+1"),
        ("+1 978 555", "'+1 978 555"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'=1"),
        ("'=1", "''=1"),
        ('"=1', "'\"=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("a\r\n=1", "a  =1"),
        ("\u00a0=1", "'=1"),
        ("O'Neil", "O'Neil"),
        ("Ana-María", "Ana-María"),
        ("", ""),
    ],
)  # fmt: skip
def test_no_cell_is_taken_for_a_formula(said, written):
    assert safe_cell(said) == written


@given(st.text(max_size=60))
def test_whatever_a_cell_says_it_stays_one_cell_of_one_line_and_begins_no_formula(said):
    written = sheet([{**dict.fromkeys(COLUMNS, ""), "request": safe_cell(said), "row_id": "1"}])
    ((row),) = rows(written)
    cell = row["request"]
    assert row["row_id"] == "1"
    assert not cell.lstrip(" \"'").startswith(("=", "+", "-", "@")) or cell.startswith("'")
    assert cell.isprintable()
