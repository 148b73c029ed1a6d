from datetime import date

import pytest

from consent.law import Evidence, Law, WhoSigns, load_law
from consent.vocabulary import Obligation
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.issue import Issue, IssueCode
from mappings.record.regime import Regime
from tests.consent.family import LAW
from tests.consent.statutes import MAJORITY, TABLE, row, signature
from tests.paths import corpus


def loaded(*texts: str) -> Law:
    law = load_law({f"{n}.toml": text.encode() for n, text in enumerate(texts)})
    assert isinstance(law, Law), law
    return law


def refused(*texts: str | bytes) -> tuple[Issue, ...]:
    issues = load_law({f"{n}.toml": t if isinstance(t, bytes) else t.encode() for n, t in enumerate(texts)})
    assert isinstance(issues, tuple)
    return issues


def test_the_shipped_rows_load_and_each_carries_section_and_evidence_mark():
    assert len(LAW.rows) == 17
    assert all(found.section and found.evidence in Evidence for found in LAW.rows)


def test_the_shipped_rows_leave_the_sensitive_topics_to_a_states_own_table():
    law = LAW.in_force("default", date(2026, 11, 22))
    assert (
        set(Category) - law.signature.keys()
        == {
            Category.COUNSELING,
            Category.SUBSTANCE_USE,
            Category.SEXUAL_HEALTH,
            Category.SAFETY,
        }
        < EXTRA_PRIVATE
    )
    assert {found.who_signs for found in law.signature.values()} == {WhoSigns.GUARDIAN}


def test_the_shipped_rows_bind_recipients_of_school_and_part_2_records_not_to_pass_them_on():
    law = LAW.in_force("default", date(2026, 11, 22))
    binding = {
        regime
        for regime, found in law.regime.items()
        if Obligation.NO_REDISCLOSURE in {duty.obligation for duty in found.duties}
    }
    assert binding == {Regime.EDU, Regime.EDU_SE, Regime.MV, Regime.P2}
    assert not law.regime.keys() & {Regime.FOOD, Regime.CW, Regime.HMIS}


@pytest.mark.corpus
def test_the_redisclosure_duty_is_in_the_regulation_as_quoted_by_its_row():
    text = " ".join(corpus("consent", "law-ferpa", "ferpa-subpart-d.txt").read_text().split())
    assert "§ 99.33" in text
    assert "may disclose personally identifiable information" in text
    assert "will not disclose the information to any other party without the prior consent" in text


def test_the_version_is_of_names_and_bytes_and_of_nothing_else():
    one = load_law({"a.toml": TABLE})
    same = load_law({"a.toml": TABLE})
    renamed = load_law({"b.toml": TABLE})
    commented = load_law({"a.toml": TABLE + b"# a remark\n"})
    assert isinstance(one, Law)
    assert isinstance(same, Law)
    assert isinstance(renamed, Law)
    assert isinstance(commented, Law)
    assert one.version == same.version
    assert len(one.version) == 32
    assert len({one.version, renamed.version, commented.version}) == 3


def test_the_version_does_not_depend_on_the_order_of_files():
    files = {"a.toml": TABLE, "b.toml": b"# none\n"}
    one, other = load_law(files), load_law(dict(reversed(files.items())))
    assert isinstance(one, Law)
    assert isinstance(other, Law)
    assert one.version == other.version


def test_bytes_cannot_move_between_files_without_changing_the_version():
    assert loaded("#ab", "#c").version != loaded("#a", "#bc").version


def test_a_jurisdictions_own_row_replaces_the_default_of_the_same_subject_only():
    own = signature("s9", "school", "either", 14, extra='jurisdiction = "arcadia"')
    law = loaded(TABLE.decode(), own)
    day = date(2026, 1, 1)
    assert law.in_force("arcadia", day).signature[Category.SCHOOL].who_signs is WhoSigns.EITHER
    assert law.in_force("default", day).signature[Category.SCHOOL].who_signs is WhoSigns.GUARDIAN
    assert law.in_force("elsewhere", day) == law.in_force("default", day)
    assert law.in_force("arcadia", day).signature[Category.COUNSELING].who_signs is WhoSigns.MINOR
    assert law.in_force("arcadia", day).majority == law.in_force("default", day).majority


@pytest.mark.parametrize(
    ("day", "who"),
    [
        (date(2019, 12, 31), None),
        (date(2020, 1, 1), WhoSigns.GUARDIAN),
        (date(2025, 6, 30), WhoSigns.GUARDIAN),
        (date(2025, 7, 1), WhoSigns.EITHER),
        (date(2029, 12, 31), WhoSigns.EITHER),
        (date(2030, 1, 1), None),
    ],
)
def test_a_row_is_in_force_from_its_first_day_up_to_the_last_excluded(day, who):
    law = loaded(
        MAJORITY
        + signature("old", "school", "guardian", start="2020-01-01", extra="effective_until = 2025-07-01")
        + signature("new", "school", "either", 14, start="2025-07-01", extra="effective_until = 2030-01-01")
    )
    found = law.in_force("default", day).signature.get(Category.SCHOOL)
    assert (found.who_signs if found else None) is who
    assert law.changes_on("default", date(2025, 7, 1))
    assert law.changes_on("nowhere", date(2030, 1, 1))
    assert not law.changes_on("default", date(2025, 7, 2))


def test_law_of_no_rows_opens_nothing():
    found = loaded("").in_force("default", date(2026, 1, 1))
    assert (found.majority, found.signature, found.regime) == (None, {}, {})


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        ("[[surprise]]\nid = 1\n", IssueCode.BAD_VALUE, "0.toml.surprise"),
        (MAJORITY + 'colour = "red"\n', IssueCode.BAD_VALUE, "0.toml.majority.0.colour"),
        (MAJORITY.replace("age = 18", ""), IssueCode.BAD_VALUE, "0.toml.majority.0.age"),
        (MAJORITY.replace("needs-counsel", "sure"), IssueCode.BAD_VALUE, "0.toml.majority.0.evidence"),
        (MAJORITY.replace("invented § 1", ""), IssueCode.BAD_VALUE, "0.toml.majority.0.section"),
        (MAJORITY + "effective_until = 2000-01-01\n", IssueCode.BAD_VALUE, "0.toml.majority.0"),
        (signature("s", "gossip", "guardian"), IssueCode.BAD_VALUE, "0.toml.signature.0.category"),
        (signature("s", "school", "guardian", 14), IssueCode.BAD_VALUE, "0.toml.signature.0"),
        (signature("s", "school", "either"), IssueCode.BAD_VALUE, "0.toml.signature.0"),
        (row("regime", "r", 'regime = "EDU"\nduties = [{ obligation = "SING" }]'), IssueCode.BAD_VALUE, "0.toml.regime.0.duties.0.obligation"),
        ("not toml", IssueCode.BAD_ENCODING, "0.toml"),
        (b"\xff", IssueCode.BAD_ENCODING, "0.toml"),
        (MAJORITY + signature("m", "school", "guardian"), IssueCode.DUPLICATE, "m"),
        (MAJORITY + MAJORITY.replace('"m"', '"m2"'), IssueCode.DUPLICATE, "m"),
        (TABLE.decode() + signature("s9", "school", "guardian", start="2031-01-01"), IssueCode.DUPLICATE, "s1"),
    ],
)  # fmt: skip
def test_a_law_with_one_fault_is_refused_whole_and_the_fault_is_named(text, code, path):
    issues = refused(text)
    assert [(found.code, found.path) for found in issues] == [(code, path)]
    assert issues[0].text.endswith("correct the row and load again")


def test_rows_that_follow_one_another_do_not_overlap():
    loaded(
        signature("old", "school", "guardian", extra="effective_until = 2025-07-01")
        + signature("new", "school", "guardian", start="2025-07-01")
    )
