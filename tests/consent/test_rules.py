"""The shipped rows of law, file by file: they load, say where they come from, and turn on the days they say."""

import re
import tomllib
from datetime import date, timedelta

import pytest

from consent.law import Evidence, Law, load_law
from consent.statute import Row
from consent.vocabulary import STATEMENTS, Obligation
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.issue import IssueCode
from mappings.record.regime import Regime
from tests.consent.family import LAW, RULES
from tests.paths import ROOT, corpus

FILES = {path.name: path.read_bytes() for path in sorted(RULES.glob("*.toml"))}
TODAY = date(2026, 11, 22)
DAY = timedelta(days=1)
QUOTABLE = re.compile(r"34 CFR 99\.3[01236]")
"""The sections of the regulation whose text the corpus holds."""


def test_each_regime_and_each_state_has_its_file():
    assert set(FILES) == {
        "default.toml", "ferpa.toml", "hipaa.toml", "hmis.toml", "idea.toml", "mckinney-vento.toml", "part2.toml",
        "us-ca.toml", "us-ma.toml",
    }  # fmt: skip
    assert LAW.jurisdictions == ("default", "us-ca", "us-ma")


def test_each_row_carries_its_section_its_evidence_mark_and_says_what_it_rules():
    assert len(LAW.rows) > 70
    for found in LAW.rows:
        assert found.section
        assert found.evidence in Evidence
        assert found.says != found.id
        assert re.search(r"\d|terms of the hub", found.section), found.id


def test_what_a_state_says_is_not_relied_on_before_counsel_has_read_it():
    assert {row.evidence for row in LAW.rows if row.jurisdiction == "us-ma"} == {Evidence.NEEDS_COUNSEL}
    assert Evidence.VERBATIM not in {row.evidence for row in LAW.rows if row.jurisdiction != "default"}


@pytest.mark.corpus
@pytest.mark.parametrize("row", [row for row in LAW.rows if row.quote], ids=lambda row: row.id)
def test_a_quote_stands_in_the_regulation_word_for_word(row: Row):
    if not QUOTABLE.search(row.section):
        assert row.section.startswith(
            "42 CFR 2."
        )  # read word for word elsewhere; no text of part 2 is in the corpus
        return
    text = " ".join(corpus("consent", "law-ferpa", "ferpa-subpart-d.txt").read_text().split())
    assert row.quote is not None
    assert row.quote in text
    for section in QUOTABLE.findall(row.section):
        assert f"§ {section.removeprefix('34 CFR ')}" in text


def test_a_row_marked_verbatim_from_a_section_in_the_corpus_quotes_it():
    marked = [row for row in LAW.rows if row.evidence is Evidence.VERBATIM and QUOTABLE.search(row.section)]
    assert len(marked) == 8
    assert all(row.quote for row in marked)


def _while_unreplaced(row: Row, day: date) -> bool:
    return row.id in {found.id for found in LAW.rows_of(row.jurisdiction, day)}


@pytest.mark.parametrize("row", LAW.rows, ids=lambda row: row.id)
def test_a_row_holds_from_its_first_day_and_not_the_day_before(row: Row):
    first = row.effective_from
    assert [_while_unreplaced(row, day) for day in (first - DAY, first, first + DAY)] == [False, True, True]
    assert LAW.changes_on(row.jurisdiction, first)


@pytest.mark.parametrize("row", [row for row in LAW.rows if row.effective_until], ids=lambda row: row.id)
def test_a_row_that_ends_holds_up_to_its_last_day_excluded(row: Row):
    assert row.effective_until is not None
    days = (row.effective_until - DAY, row.effective_until, row.effective_until + DAY)
    assert [_while_unreplaced(row, day) for day in days] == [True, False, False]


@pytest.mark.parametrize("name", FILES)
def test_a_row_written_twice_for_the_same_days_is_refused_in_every_file(name):
    blocks = re.split(r"^(?=\[\[)", FILES[name].decode(), flags=re.MULTILINE)[1:]
    assert len(blocks) == sum(map(len, tomllib.loads(FILES[name].decode()).values()))
    for block in blocks:
        again = re.sub(r'^id = "(.*)"', r'id = "\1-again"', block, count=1, flags=re.MULTILINE)
        issues = load_law(FILES | {name: FILES[name] + b"\n" + again.encode()})
        assert isinstance(issues, tuple)
        assert [issue.code for issue in issues] == [IssueCode.DUPLICATE]


def test_the_default_rows_leave_the_sensitive_topics_to_a_states_own_table():
    closed = {Category.COUNSELING, Category.SUBSTANCE_USE, Category.SEXUAL_HEALTH, Category.SAFETY}
    assert set(Category) - LAW.in_force("default", TODAY).signature.keys() == closed < EXTRA_PRIVATE
    assert LAW.in_force("us-ny", TODAY) == LAW.in_force("default", TODAY)


def test_facts_of_these_regimes_leave_on_consent_and_bind_recipients_not_to_pass_them_on():
    law = LAW.in_force("default", TODAY)
    binding = {
        regime
        for regime, found in law.regime.items()
        if Obligation.NO_REDISCLOSURE in {duty.obligation for duty in found.duties}
    }
    assert binding == {Regime.EDU, Regime.EDU_SE, Regime.MV, Regime.P2, Regime.HMIS}
    assert not law.regime.keys() & {Regime.FOOD, Regime.CW}
    assert law.regime.keys() - {Regime.FAM, Regime.SYS} == law.form.keys()


def test_each_sentence_a_law_asks_for_has_a_wording_a_form_can_take():
    law = LAW.in_force("default", TODAY)
    asked = {element for form in law.form.values() for element in form.elements} & STATEMENTS
    assert {name for name, _ in law.notice} >= asked == STATEMENTS


def test_the_engine_names_no_state():
    words = {row.jurisdiction for row in LAW.rows} - {"default"} | {"Massachusetts", "California"}
    for folder in ("consent", "gateway/store", "gateway/exchange", "gateway/api", "mappings"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            assert not [word for word in words if word in text], path


def test_all_files_together_are_one_law_and_its_version_is_that_of_their_bytes():
    other = load_law(FILES | {"us-ma.toml": FILES["us-ma.toml"] + b"# read by counsel\n"})
    assert isinstance(other, Law)
    assert other.version != LAW.version
    assert other.rows == LAW.rows
