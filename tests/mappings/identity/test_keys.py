"""Names, identifiers and birth dates folded so that two sources can be compared; keys under which candidates are found."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.identity.keys import (
    Features,
    IdentifierKey,
    KeyRule,
    PersonName,
    blocking_keys,
    features_of,
    identifier_key,
    merged,
    significant,
    tokens,
)
from mappings.record.assertion import Draft
from mappings.record.category import Category
from mappings.record.kind import Kind


def draft(kind: Kind, **value: Any) -> Draft:
    return Draft(kind=kind, category=Category.IDENTITY, value=value)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("José-María", ("jose", "maria")),
        ("O'Neil", ("oneil",)),
        ("O\u2019Neil", ("oneil",)),
        ("D\u2018Angelo St. John", ("dangelo", "st", "john")),
        ("  Nguyễn   Thị ", ("nguyen", "thi")),
        ("Łukasz Øystein", ("lukasz", "oystein")),
        ("STRASSE", ("strasse",)),
        ("Straße", ("strasse",)),
        ("Ana/Eva", ("ana", "eva")),
        ("山田", ("山田",)),
        ("", ()),
        ("--", ()),
    ],
)
def test_a_name_is_folded_to_words_that_systems_agree_on(written: str, folded: tuple[str, ...]):
    assert tokens(written) == folded


@given(st.text(max_size=40))
def test_folding_is_settled_after_once(text: str):
    assert tokens(" ".join(tokens(text))) == tokens(text)


def test_an_identifier_keeps_its_leading_zeros_and_loses_its_spelling():
    assert identifier_key("State ", " North  District", " 00 7a") == IdentifierKey(
        "state", "north district", "007a"
    )
    assert identifier_key("s", "a", "007") != identifier_key("s", "a", "7")


def test_particles_do_not_make_two_surnames_one():
    assert significant(("de", "la", "cruz")) == {"cruz"}
    assert significant(("de", "la")) == {"de", "la"}


def test_features_come_from_identity_facts_and_nothing_else():
    features = features_of(
        [
            draft(Kind.NAME, use="official", given="Ana María", family="Díaz-Luna"),
            draft(Kind.NAME, use="old", given="Ana", family="Vega"),
            draft(Kind.BIRTH_DATE, date="2015-03-04"),
            draft(Kind.IDENTIFIER, system="student", assigner="north", value="12"),
            draft(Kind.SEX_FOR_MATCHING, sex="unknown"),
            draft(Kind.ENROLLMENT, school_key="1", period={}),
        ]
    )
    assert features.names == (
        PersonName(given=("ana", "maria"), surname=("diaz", "luna")),
        PersonName(given=("ana",), surname=("vega",), old=True),
    )
    assert features.birth_dates == (date(2015, 3, 4),)
    assert features.identifiers == (IdentifierKey("student", "north", "12"),)
    assert features.sexes == ()


def test_two_records_of_one_source_are_taken_together():
    one = Features(birth_dates=(date(2015, 3, 4),))
    other = Features(birth_dates=(date(2015, 4, 3),), identifiers=(IdentifierKey("s", "a", "1"),))
    assert merged(one, other).birth_dates == (date(2015, 3, 4), date(2015, 4, 3))
    assert merged(one, other) == merged(other, one)
    assert merged(one, one) == one


def test_a_child_is_found_by_identifier_by_surname_and_birth_date_and_by_full_name():
    features = Features(
        names=(PersonName(given=("ana", "maria"), surname=("de", "luna")),),
        birth_dates=(date(2015, 3, 4),),
        identifiers=(IdentifierKey("s", "a", "1"),),
    )
    found = list(blocking_keys(features))
    assert [key.rule for key in found] == [
        KeyRule.IDENTIFIER,
        KeyRule.SURNAME_BIRTH,
        KeyRule.FULL_NAME,
        KeyRule.FULL_NAME,
    ]
    assert len(set(found)) == len(found)


def test_given_name_and_birth_date_alone_find_nobody():
    features = Features(names=(PersonName(given=("ana",)),), birth_dates=(date(2015, 3, 4),))
    assert list(blocking_keys(features)) == []
