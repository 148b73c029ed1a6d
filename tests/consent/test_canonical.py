import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.canonical import canonical_json
from consent.vocabulary import Purpose

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_keys_are_sorted_by_utf_16_code_units_as_in_the_example_of_rfc_8785():
    # RFC 8785 §3.2.3: this order differs from that of code points at the last two.
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = list(json.loads(canonical_json(dict.fromkeys(keys, 0))))
    assert ordered == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_text_is_escaped_as_in_the_example_of_rfc_8785():
    # RFC 8785 §3.2.2.2: two-letter escapes where they exist, lower-case hex below U+0020, everything else as it is.
    assert canonical_json('\u20ac$\u000f\nA\'B"\\\\"/') == b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'
    assert canonical_json("\b\t\f\r\x7f\u2028") == b'"\\b\\t\\f\\r\x7f\xe2\x80\xa8"'


def test_there_is_no_space_anywhere_and_tuples_are_lists():
    assert canonical_json({"b": (1, True, None), "a": {}}) == b'{"a":{},"b":[1,true,null]}'


def test_a_word_of_a_closed_list_is_its_text():
    assert canonical_json({Purpose.TREATMENT: Purpose.BREAK_GLASS}) == b'{"TREAT":"BTG"}'


@given(values)
def test_canonical_json_reads_back_and_is_a_fixed_point(value):
    once = canonical_json(value)
    assert json.loads(once) == value
    assert canonical_json(json.loads(once)) == once


@pytest.mark.parametrize(
    "value", [1.0, float("nan"), 2**53, -(2**53), {1: 2}, {"a": {None: 1}}, b"x", {1, 2}, "\ud800", {"\udfff": 1}, object()]
)  # fmt: skip
def test_what_has_more_than_one_spelling_is_refused(value):
    with pytest.raises(ValueError, match="canonical JSON does not hold"):
        canonical_json({"nested": [value]})
