from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from mappings.record.assertion import check_value
from mappings.record.kind import MODEL, Kind
from mappings.record.schema import SCHEMA_ID, kind_schema, record_schema

ENVELOPE = {
    "assertion_id": "0192f0c1-0000-7000-8000-000000000001",
    "child_id": "0192f0c1-0000-7000-8000-000000000002",
    "category": "school",
    "asserted_by": {"org": "district"},
    "method": "staff-entered",
    "asserted_at": "2026-09-01T12:00:00Z",
    "received_at": "2026-09-01T12:00:01Z",
    "regimes": ["EDU"],
}


def leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for field in node["properties"].values():
        inner = [field, *field.get("anyOf", ()), *([field["items"]] if "items" in field else ())]
        nested = [found for found in inner if "properties" in found]
        if nested:
            yield from leaves(nested[0])
        else:
            yield field


def test_the_published_schema_is_a_json_schema_with_one_definition_for_each_kind():
    schema = record_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == SCHEMA_ID
    assert {str(kind) for kind in Kind} <= set(schema["$defs"])


@pytest.mark.parametrize("kind", Kind)
def test_every_field_says_its_kind_and_the_category_it_leaves_under(kind):
    found = list(leaves(kind_schema(kind)))
    assert len(found) >= len(MODEL[kind].model_fields)
    assert all(field["x-planhub-kind"] == kind and field["x-planhub-category"] for field in found)


def test_the_schema_accepts_a_goal_and_refuses_a_goal_in_the_shape_of_another_kind():
    validator = jsonschema.Draft202012Validator(record_schema())
    goal = {"description": "reads every evening", "domain": "academic", "status": "active"}
    assert list(validator.iter_errors({**ENVELOPE, "kind": "goal", "value": goal})) == []
    assert list(validator.iter_errors({**ENVELOPE, "kind": "language", "value": goal})) != []
    assert list(validator.iter_errors({**ENVELOPE, "kind": "goal", "value": {**goal, "extra": 1}})) != []


def test_an_enrolment_whose_source_gives_no_dates_is_open_at_both_ends():
    value, issues = check_value(Kind.ENROLLMENT, {"school_key": "7"}, "roles.0")
    assert (value, issues) == ({"school_key": "7", "period": {}}, ())
    school = {**ENVELOPE, "category": "identity", "kind": "enrollment"}
    validator = jsonschema.Draft202012Validator(record_schema())
    for stated in ({"school_key": "7"}, value):
        assert list(validator.iter_errors({**school, "value": stated})) == []


def test_asking_twice_gives_two_schemas_that_do_not_share_parts():
    one, two = record_schema(), record_schema()
    one["$defs"]["goal"]["properties"].clear()
    assert two["$defs"]["goal"]["properties"]
