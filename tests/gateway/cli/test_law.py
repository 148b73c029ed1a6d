"""`planhub law show`: every row, with its section, its days and its mark."""

import json

import pytest

from tests.consent.family import LAW
from tests.gateway.cli.conftest import Planhub


@pytest.fixture
def shown(planhub: Planhub):
    def rows(*words: object) -> dict[str, dict[str, object]]:
        ran = planhub("law", "show", "--json", *words)
        assert ran.code == 0
        told = json.loads(ran.out)
        assert told["version"] == LAW.version.hex()
        return {row["id"]: row for row in told["rows"]}

    return rows


def test_every_row_is_printed_with_its_section_days_in_force_and_evidence_mark(shown):
    rows = shown()
    assert {row.id for row in LAW.rows} < rows.keys()
    for row in LAW.rows:
        found = rows[row.id]
        assert (found["section"], found["evidence"]) == (row.section, row.evidence.value)
        assert found["effective_from"] == row.effective_from.isoformat()
    assert rows["keep-hlth"]["table"] == "keeping"


def test_a_place_is_shown_what_holds_there(shown):
    here, there = shown("--jurisdiction", "us-ma"), shown("--jurisdiction", "us-ca")
    assert "us-ma-non-custodial" in here.keys() - there.keys()
    assert "us-ca-safety" in there.keys() - here.keys()
    assert here["us-ma-school"]["says"] == (
        "school: either signs from 14 or grade 9, before that guardian; a guardian reads it"
    )


def test_on_a_day_only_what_is_in_force_then_is_shown(shown):
    before, since = (shown("--jurisdiction", "us-ca", "--on", day) for day in ("2024-06-30", "2024-07-01"))
    assert "us-ca-counseling-2011" in before.keys() - since.keys()
    assert "us-ca-counseling-2024" in since.keys() - before.keys()


def test_a_default_row_a_place_replaces_is_not_shown_as_holding_there(shown):
    assert "sign-school" not in shown("--jurisdiction", "us-ma", "--on", "2026-11-22")
    assert "sign-school" in shown("--jurisdiction", "us-ma", "--on", "2006-08-14")


def test_for_reading_a_row_is_printed_with_its_quote_and_what_counsel_should_look_at(planhub: Planhub):
    ran = planhub("law", "show", "--jurisdiction", "us-ny")
    assert "us-ny has no rows of its own" in ran.err
    assert "edu-purposes  [verbatim]  default, from 1974-11-19  34 CFR 99.30(b)(2)" in ran.out
    assert '    "State the purpose of the disclosure"' in ran.out
    assert "    for counsel: " in ran.out
    assert f"Version {LAW.version.hex()}." in ran.err
