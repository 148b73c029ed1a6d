"""What is never kept is cut before anything is written, however it is spelt; the rest stays byte for byte."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange.neverkeep import cut, never_field


def kept(body: dict[str, Any], **how: Any) -> tuple[dict[str, Any], int]:
    found = cut(json.dumps(body, **how).encode(), body)
    return dict(found.body), found.cuts


@pytest.mark.parametrize(
    "name",
    [
        "ssn",
        "SSN",
        "socialSecurityNumber",
        "social_security_no",
        "SocSec",
        "citizenshipStatusDescriptor",
        "Citizenship",
        "immigrationStatus",
        "visas",
        "visaDescriptor",
        "password",
        "userPasswd",
        "alien_registration_number",
        "greenCard",
    ],
)
def test_a_field_named_for_what_is_never_kept_is_cut_with_all_it_holds(name: str):
    assert kept({name: {"deep": ["secret"]}, "firstName": "Ana"}) == ({"firstName": "Ana"}, 1)


@pytest.mark.parametrize(
    "name", ["schoolYear", "session", "lessons", "assessment", "classNumber", "advisor", "passage", "address"]
)
def test_an_ordinary_field_is_kept(name: str):
    assert not never_field(name)


@pytest.mark.parametrize(
    "inner",
    [
        {"studentIdentificationSystemDescriptor": "uri://ed-fi.org/X#SSN", "identificationCode": "111"},
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "123456789"},
        {"system": "urn:oid:2.16.840.1.113883.4.1", "value": "123456789"},
        {"studentCharacteristicDescriptor": "uri://ed-fi.org/X#Immigrant"},
        {"personalInformationVerificationDescriptor": "uri://ed-fi.org/X#Immigration document/visa"},
        {"type": "Refugee"},
    ],
)
def test_an_object_that_says_by_its_code_what_it_is_goes_whole(inner: dict[str, str]):
    assert kept({"codes": [inner, {"system": "state", "value": "7"}]}) == (
        {"codes": [{"system": "state", "value": "7"}]},
        1,
    )


def test_a_number_written_as_one_is_cut_from_any_text_and_the_words_around_it_stay():
    assert kept({"note": "call 978-555-0101 about 123-45-6789, soon"}) == (
        {"note": "call 978-555-0101 about , soon"},
        1,
    )


@pytest.mark.parametrize(
    "number", ["000-12-3456", "666-12-3456", "901-12-3456", "123-00-4567", "123-45-0000"]
)
def test_a_number_that_was_never_issued_is_not_one(number: str):
    assert kept({"note": number}) == ({"note": number}, 0)


def test_escapes_hide_nothing():
    raw = b'{"s\\u0073n": "1", "note": "\\u0031\\u0032\\u0033-45-6789"}'
    found = cut(raw, json.loads(raw))
    assert found.cuts == 2
    assert b"6789" not in found.raw
    assert b"ssn" not in found.raw


def test_what_holds_nothing_to_cut_stays_byte_for_byte():
    raw = b'{ "firstName" : "Jos\\u00e9",\n "lastSurname":"Luna" }'
    found = cut(raw, json.loads(raw))
    assert found.raw is raw
    assert found.cuts == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), JSON, max_size=4), st.data())
def test_a_planted_number_never_survives_wherever_it_stands(body: dict[str, Any], data: st.DataObject):
    planted = data.draw(st.sampled_from(["123-45-6789", "078-05-1120"]))
    body = {**body, "deep": [{"text": f"x {planted} y"}]}
    found = cut(json.dumps(body).encode(), body)
    assert planted.encode() not in found.raw
    assert found.cuts >= 1
    again = cut(found.raw, json.loads(found.raw))
    assert again.cuts == 0
