"""Two records are certainly one child only on a shared identifier with agreeing name and birth date; else a person looks."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.identity.agree import Grade, MatchRule, Outcome, Sign, agree, place
from mappings.identity.keys import Features, IdentifierKey, PersonName, tokens
from mappings.record.person import Sex

BORN = date(2015, 3, 4)


def child(
    given: str = "Ana",
    surname: str = "Luna",
    born: date | None = BORN,
    number: str | None = "12",
    *,
    assigner: str = "north",
    system: str = "student",
    middle: str = "",
    old: str = "",
    sex: Sex | None = None,
) -> Features:
    names = [PersonName(given=tokens(given), surname=tokens(surname), middle=tokens(middle))]
    if old:
        names.append(PersonName(given=tokens(given), surname=tokens(old), old=True))
    return Features(
        names=tuple(names),
        birth_dates=(born,) if born else (),
        identifiers=(IdentifierKey(system, assigner, number),) if number else (),
        sexes=(sex,) if sex else (),
    )


@pytest.mark.parametrize(
    "other",
    [
        child(),
        child("ANA"),
        child("Ana María"),
        child(surname="Luna-Vega"),
        child(surname="de Luna"),
        child(sex=Sex.FEMALE),
    ],
)
def test_the_same_number_with_agreeing_name_and_birth_date_is_certain(other: Features):
    assert agree(child(), other).grade is Grade.CERTAIN


@pytest.mark.parametrize(
    "other",
    [
        child("Eva"),
        child(surname="Vega"),
        child(born=date(2015, 3, 5)),
        child(born=None),
        child(given=""),
        child("Baby"),
        child("Ty"),
    ],
)
def test_the_same_number_with_anything_else_against_it_goes_to_a_person(other: Features):
    found = agree(child(), other)
    assert found.grade is Grade.PROBABLE
    assert found.rule is MatchRule.IDENTIFIER_BUT_CONFLICT


def test_a_placeholder_name_on_both_sides_is_never_certain():
    assert agree(child("Baby Girl"), child("Baby Girl")).grade is Grade.PROBABLE


def test_another_number_of_the_same_assigner_is_certainly_another_child_however_alike():
    twins = agree(child("Juana María", number="12"), child("Juana María", number="13"))
    assert twins.grade is Grade.CERTAINLY_NOT
    assert twins.rule is MatchRule.OTHER_IDENTIFIER


def test_numbers_of_different_assigners_say_nothing():
    found = agree(child(assigner="north"), child(assigner="south", number="99"))
    assert found.evidence["identifier"] is Sign.ABSENT
    assert found.grade is Grade.PROBABLE


def test_a_shared_number_beside_a_differing_one_goes_to_a_person():
    both = (IdentifierKey("student", "north", "12"), IdentifierKey("state", "st", "1"))
    other = (IdentifierKey("student", "north", "12"), IdentifierKey("state", "st", "2"))
    found = agree(replace(child(), identifiers=both), replace(child(), identifiers=other))
    assert found.evidence["identifier"] is Sign.MIXED
    assert found.grade is Grade.PROBABLE


def test_name_and_birth_date_without_a_number_are_probable():
    assert agree(child(number=None), child()).grade is Grade.PROBABLE
    assert agree(child(number=None), child()).rule is MatchRule.NAME_BIRTH


@pytest.mark.parametrize(
    "other",
    [
        child(born=date(2015, 4, 3), number=None),
        child(born=date(2015, 3, 14), number=None),
        child("Anna", number=None),
        child(surname="Vega", old="Luna", number=None),
    ],
)
def test_two_of_three_and_a_near_third_are_possible(other: Features):
    base = child("Annas" if other.names[0].given == ("anna",) else "Ana", number=None)
    assert agree(base, other).grade is Grade.POSSIBLE


def test_a_sibling_of_the_same_day_with_another_name_is_no_candidate():
    assert agree(child("Ana", number=None), child("Eva", number=None)).grade is Grade.UNLIKELY


def test_a_source_that_contradicts_itself_about_the_birth_date_is_never_certain():
    torn = replace(child(), birth_dates=(BORN, date(2015, 4, 3)))
    assert agree(child(), torn).grade is Grade.PROBABLE


def test_evidence_holds_signs_and_never_a_value():
    found = agree(child(middle="Rosa", sex=Sex.FEMALE), child(middle="R", sex=Sex.MALE))
    assert found.evidence["middle"] is Sign.NEAR
    assert found.evidence["sex"] is Sign.DIFFERENT
    assert all(isinstance(sign, Sign) for sign in found.evidence.values())


FEATURES = st.builds(
    child,
    given=st.sampled_from(["Ana", "Ana María", "Eva", "Baby", "An", ""]),
    surname=st.sampled_from(["Luna", "Vega", "Luna Vega", "de la Cruz", ""]),
    born=st.sampled_from([BORN, date(2015, 4, 3), date(2015, 3, 5), None]),
    number=st.sampled_from(["12", "13", None]),
    assigner=st.sampled_from(["north", "south"]),
    old=st.sampled_from(["", "Luna"]),
)


@given(FEATURES, FEATURES)
def test_agreement_is_symmetric(one: Features, other: Features):
    assert agree(one, other).grade is agree(other, one).grade
    assert agree(one, other).evidence == agree(other, one).evidence


@given(FEATURES, FEATURES)
def test_certainty_always_rests_on_all_four(one: Features, other: Features):
    found = agree(one, other)
    if found.grade is Grade.CERTAIN:
        assert found.evidence["identifier"] is Sign.EQUAL
        assert found.evidence["birth-date"] is Sign.EQUAL
        assert {found.evidence["given"], found.evidence["surname"]} <= {Sign.EQUAL, Sign.PARTLY}


def test_one_certain_child_is_linked_whatever_else_looks_alike():
    found = place({"a": (agree(child(), child()),), "b": (agree(child(), child(number=None)),)}, roster=False)
    assert found.outcome is Outcome.LINKED
    assert found.child == "a"


def test_two_certain_children_are_for_a_person():
    found = place({"a": (agree(child(), child()),), "b": (agree(child(), child()),)}, roster=True)
    assert found.outcome is Outcome.REVIEW
    assert found.rule is MatchRule.SEVERAL
    assert set(found.candidates) == {"a", "b"}


def test_a_child_certain_by_one_record_and_excluded_by_another_is_for_a_person():
    agreements = (agree(child(), child()), agree(child(), child(number="13")))
    assert place({"a": agreements}, roster=True).outcome is Outcome.REVIEW


def test_nobody_alike_is_a_new_child_only_where_a_roster_says_who_exists():
    alone = {"a": (agree(child(), child("Eva", "Vega", number=None)),)}
    assert place(alone, roster=True).outcome is Outcome.NEW_CHILD
    assert place(alone, roster=False).outcome is Outcome.REVIEW
    assert place({}, roster=False).candidates == ()
