from datetime import date

import pytest

from consent.law import Law, WhoSigns, load_law
from consent.vocabulary import Element
from mappings.record.category import Category
from mappings.record.issue import Issue, IssueCode
from mappings.record.regime import Regime
from tests.consent.statutes import MAJORITY, TABLE, row, signature

NOTICE = row("notice", "n", 'notice = "told"\nversion = "1"\nlocale = "en"\ntext = "Only for {purpose}."')
OWED = row("regime", "r", 'regime = "EDU"\nduties = [{ obligation = "NOTICE", detail = "told" }]')


def loaded(*texts: str) -> Law:
    law = load_law({f"{n}.toml": text.encode() for n, text in enumerate(texts)})
    assert isinstance(law, Law), law
    return law


def refused(*texts: str | bytes) -> tuple[Issue, ...]:
    issues = load_law({f"{n}.toml": t if isinstance(t, bytes) else t.encode() for n, t in enumerate(texts)})
    assert isinstance(issues, tuple)
    return issues


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
        (signature("s", "school", "guardian", extra="minor_from_grade = 9"), IssueCode.BAD_VALUE, "0.toml.signature.0"),
        (signature("s", "school", "both", 14, extra='younger = "minor"'), IssueCode.BAD_VALUE, "0.toml.signature.0"),
        (row("requirement", "q", 'regime = "EDU"\nelement = "term"'), IssueCode.BAD_VALUE, "0.toml.requirement.0"),
        (row("requirement", "q", 'regime = "EDU"\nelement = "notice"\nlongest_days = 3'), IssueCode.BAD_VALUE, "0.toml.requirement.0"),
        (row("requirement", "q", 'regime = "EDU"\nelement = "charm"'), IssueCode.BAD_VALUE, "0.toml.requirement.0.element"),
        (NOTICE.replace("{purpose}", "{child}"), IssueCode.BAD_VALUE, "0.toml.notice.0.text"),
        (NOTICE + NOTICE.replace('"n"', '"n2"'), IssueCode.DUPLICATE, "n"),
        (OWED, IssueCode.UNRESOLVED_REFERENCE, "r"),
        (OWED + NOTICE.replace('"en"', '"es"'), IssueCode.UNRESOLVED_REFERENCE, "r"),
        (OWED + NOTICE.replace("2000", "2001"), IssueCode.UNRESOLVED_REFERENCE, "r"),
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


def test_a_text_owed_is_found_for_as_long_as_it_is_owed():
    found = loaded(OWED, NOTICE).in_force("default", date(2026, 1, 1))
    text = found.notice["told", "en"]
    assert (text.version, text.text) == ("1", "Only for {purpose}.")
    assert len(text.sha256) == 64


def test_what_a_consent_must_have_is_gathered_by_regime_and_a_place_may_ask_for_more():
    asked = row("requirement", "q1", 'regime = "EDU"\nelement = "purposes"')
    term = row("requirement", "q2", 'regime = "EDU"\nelement = "term"\nlongest_days = 30')
    own = row(
        "requirement",
        "q3",
        'regime = "EDU"\nelement = "term"\nlongest_days = 7',
        extra='jurisdiction = "arcadia"',
    )
    law = loaded(asked + term + own)
    day = date(2026, 1, 1)
    everywhere, there = law.in_force("default", day), law.in_force("arcadia", day)
    assert everywhere.form[Regime.EDU].elements == {Element.PURPOSES, Element.TERM}
    assert [law.form[Regime.EDU].longest.days for law in (everywhere, there)] == [30, 7]
    assert list(there.forms([Regime.EDU, Regime.P2])) == [there.form[Regime.EDU]]


def test_the_rows_of_a_place_are_its_own_and_the_default_ones_it_does_not_replace():
    own = signature("s9", "school", "either", 14, extra='jurisdiction = "arcadia"', start="2020-01-01")
    law = loaded(TABLE.decode(), own)
    assert law.jurisdictions == ("default", "arcadia")
    assert {found.id for found in law.rows_of("arcadia", date(2026, 1, 1))} == {"m", "s2", "s3", "s4", "s9"}
    assert {found.id for found in law.rows_of("arcadia")} == {"m", "s1", "s2", "s3", "s4", "s9"}
    assert {found.id for found in law.rows_of("nowhere")} == {"m", "s1", "s2", "s3", "s4"}
