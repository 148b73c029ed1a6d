"""Where a value did not fit, said without a word of whoever sent it."""

import pytest
from pydantic import ValidationError

from mappings.record.assertion import check_value
from mappings.record.contribution import Contribution
from mappings.record.issue import place_of
from mappings.record.kind import Kind


def test_a_member_no_model_has_is_not_named():
    assert place_of("extra_forbidden", ("body", "contributions", 0, "Ada Example")) == (
        "body",
        "contributions",
        "0",
    )
    _, issues = check_value(
        Kind.FAMILY_VOICE, {"speaker": "parent", "statement": "x", "Ada Example": 1}, "value"
    )
    assert [issue.path for issue in issues] == ["value"]


def test_a_key_that_is_no_field_name_is_not_named():
    assert place_of("int_type", ("body", "Ada Example", "2015-03-04")) == ("body", "(unnamed)", "(unnamed)")


def test_a_field_is_named_and_so_is_a_header():
    assert place_of("missing", ("header", "Idempotency-Key")) == ("header", "Idempotency-Key")
    with pytest.raises(ValidationError) as raised:
        Contribution.model_validate({"kind": "goal"})
    assert [place_of(e["type"], e["loc"]) for e in raised.value.errors()] == [("value",)]
