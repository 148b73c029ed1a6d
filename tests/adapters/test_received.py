import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.received import parse_json, split_array, split_entries, too_deep
from mappings.record.issue import Issue, IssueCode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"[" * 100_000, IssueCode.TOO_DEEP),
        (b'{"a":' * 100_000, IssueCode.TOO_DEEP),
        (b"\xff\xfe[\x00]\x00", IssueCode.BAD_ENCODING),
        (b'{"a": NaN}', IssueCode.BAD_VALUE),
        (b'["\\ud800"]', IssueCode.BAD_ENCODING),
        (b"[1,", IssueCode.BAD_VALUE),
        (b"", IssueCode.BAD_VALUE),
        (b"[" + b"9" * 5000 + b"]", IssueCode.BAD_VALUE),  # beyond Python's limit for decimal integers
    ],
)
def test_json_that_cannot_be_read_is_an_issue_not_an_exception(data, code):
    issue = parse_json(data)
    assert isinstance(issue, Issue)
    assert issue.code is code


def test_an_issue_never_quotes_the_document():
    issue = parse_json(b'{"firstName": "Kezia" "lastSurname"')
    assert isinstance(issue, Issue)
    assert "Kezia" not in issue.text
    assert "line 1" in issue.text


def test_brackets_inside_strings_do_not_count_as_depth():
    assert parse_json(json.dumps({"note": '[[["\\' * 50}).encode()) == {"note": '[[["\\' * 50}


def test_the_depth_check_stays_linear_on_a_string_that_never_ends():
    hostile = b'"' + b'\\"' * 2_000_000
    started = time.monotonic()
    assert not too_deep(hostile)
    assert time.monotonic() - started < 2


def test_depth_is_allowed_up_to_the_limit_and_not_beyond():
    assert not too_deep(b"[" * 64 + b"]" * 64, 64)
    assert too_deep(b"[" * 65 + b"]" * 65, 64)


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_each_element_of_an_array_keeps_its_own_bytes(values, indent):
    text = json.dumps(values, indent=indent, ensure_ascii=False)
    try:
        data = text.encode()
    except UnicodeEncodeError:  # Hypothesis text never holds surrogates; this guards the test itself
        return
    found = split_array(data)
    assert isinstance(found, list)
    assert [each.value for each in found] == values
    assert all(each.raw in data for each in found)
    assert [json.loads(each.raw) for each in found] == values


@given(st.text('[]{},:"1 a\\', max_size=24) | st.lists(VALUES, max_size=3).map(json.dumps))
def test_an_array_is_split_exactly_where_it_can_be_read(text):
    data = text.encode()
    whole, found = parse_json(data), split_array(data)
    if isinstance(whole, list):
        assert isinstance(found, list)
        assert [each.value for each in found] == whole
    else:
        assert isinstance(found, Issue)
        assert found == whole or not isinstance(whole, Issue)


@given(VALUES)
def test_depth_is_that_of_the_deepest_branch(value):
    def depth(of):
        inner = of.values() if isinstance(of, dict) else of if isinstance(of, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    data = json.dumps(value).encode()
    assert not too_deep(data, depth(value))
    assert depth(value) == 0 or too_deep(data, depth(value) - 1)


def test_a_record_is_not_re_serialised():
    data = b'\xef\xbb\xbf[ {"a": 0.40,  "b":1e2} ,\n{"c": "\\u00e9"}]'
    found = split_array(data)
    assert isinstance(found, list)
    assert [each.raw for each in found] == [b'{"a": 0.40,  "b":1e2}', b'{"c": "\\u00e9"}']


def test_the_resources_of_a_bundle_keep_their_own_bytes():
    data = (
        b'{"resourceType":"Bundle","total":2, "entry" : [ {"fullUrl":"x","resource": {"id":"1", "v":1.10}},'
        b'{"response":{"status":"204"}},\n{"resource":{"id":"2"} , "search":{"mode":"match"}} ] }'
    )
    found = split_entries(data)
    assert not isinstance(found, Issue)
    bundle, resources = found
    assert bundle["total"] == 2
    assert [each.raw for each in resources] == [b'{"id":"1", "v":1.10}', b'{"id":"2"}']


@pytest.mark.parametrize("data", [b"[]", b'{"entry": 3}', b'"x"'])
def test_what_is_not_a_bundle_is_an_issue(data):
    assert isinstance(split_entries(data), Issue)


def test_an_empty_bundle_has_no_resources():
    assert split_entries(b'{"resourceType":"Bundle"}') == ({"resourceType": "Bundle"}, [])


def test_an_array_is_not_an_object():
    assert isinstance(split_array(b"{}"), Issue)
