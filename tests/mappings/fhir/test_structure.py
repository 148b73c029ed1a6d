import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.fhir.structure import MAX_BYTES, MAX_ISSUES, check_structure, read_json
from mappings.record.issue import IssueCode, Severity
from tests.paths import corpus

PATIENT = {"resourceType": "Patient", "id": "pt-1", "name": [{"family": "Okonkwo", "given": ["Wren"]}]}
TASK = {"resourceType": "Task", "status": "requested", "intent": "order"}


def codes(resource: Any) -> set[tuple[IssueCode, str]]:
    return {(issue.code, issue.path) for issue in check_structure(resource)}


def test_a_resource_as_r4_has_it_passes():
    assert check_structure(PATIENT) == ()
    assert check_structure(TASK) == ()


@pytest.mark.parametrize(
    ("resource", "code", "path"),
    [
        ({**PATIENT, "nickname": "Birdie"}, IssueCode.UNKNOWN_FIELD, "Patient.nickname"),
        ({"resourceType": "Task", "status": "requested"}, IssueCode.REQUIRED, "Task.intent"),
        ({**PATIENT, "birthDate": "soon"}, IssueCode.BAD_VALUE, "Patient.birthDate"),
        ({**PATIENT, "birthDate": 20150409}, IssueCode.BAD_VALUE, "Patient.birthDate"),
        ({**PATIENT, "gender": None}, IssueCode.BAD_VALUE, "Patient.gender"),
        ({**PATIENT, "name": []}, IssueCode.BAD_VALUE, "Patient.name"),
        ({**PATIENT, "name": [{}]}, IssueCode.BAD_VALUE, "Patient.name.0"),
        ({**PATIENT, "name": [{"family": "  "}]}, IssueCode.BAD_VALUE, "Patient.name.0.family"),
        ({**PATIENT, "id": "x" * 65}, IssueCode.BAD_VALUE, "Patient.id"),
        (
            {**TASK, "focus": {"reference": "ServiceRequest/1 2"}},
            IssueCode.BAD_VALUE,
            "Task.focus.reference",
        ),
        ({"resourceType": "Zork"}, IssueCode.UNKNOWN_FIELD, "Zork.resourceType"),
        ({"id": "1"}, IssueCode.REQUIRED, ""),
        ({"resourceType": ["Patient"]}, IssueCode.REQUIRED, ""),
    ],
)
def test_what_r4_does_not_have_is_refused_at_its_path(resource, code, path):
    assert (code, path) in codes(resource)


@pytest.mark.parametrize(
    "name",
    ["for_fhir", "class_fhir", "assert_fhir", "import_fhir", "global_fhir", "fhir_comments", "status__ext"],
)
def test_python_spellings_of_names_that_the_library_would_accept_are_refused(name):
    assert (IssueCode.UNKNOWN_FIELD, "Task") in codes({**TASK, name: {"reference": "Patient/1"}})


def test_a_choice_made_twice_is_refused():
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert codes({**observation, "valueString": "a", "valueInteger": 3}) == {
        (IssueCode.BAD_VALUE, "Observation")
    }


def test_an_unknown_type_inside_a_bundle_is_refused_and_never_raises():
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": {"resourceType": "Zork"}}],
    }
    assert (IssueCode.UNKNOWN_FIELD, "Bundle.entry.0.resource.resourceType") in codes(bundle)


def test_a_primitive_array_may_hold_nulls_where_extensions_stand_beside_it():
    absent = {
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}
        ]
    }
    name = {"given": ["Wren", None], "_given": [None, absent]}
    assert check_structure({"resourceType": "Patient", "name": [name]}) == ()


def test_no_issue_quotes_a_value():
    secret = "Okonkwo-7731"
    spoilt = {**PATIENT, "birthDate": secret, "gender": 5, "name": [{"family": secret, "unknown": secret}]}
    issues = check_structure(spoilt)
    assert issues
    assert all(secret not in issue.text + issue.path for issue in issues)
    assert all(issue.severity is Severity.ERROR for issue in issues)


def test_issues_and_depth_are_bounded():
    assert len(check_structure({**PATIENT, "name": [{}] * 1000})) == MAX_ISSUES
    deep: dict[str, object] = {"url": "x"}
    for _ in range(60):
        deep = {"url": "x", "extension": [deep]}
    assert IssueCode.TOO_DEEP in {code for code, _ in codes({**PATIENT, "extension": [deep]})}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.sampled_from(["Patient", "Task", "Bundle", "CarePlan", "Zork"]),
    st.dictionaries(st.text(max_size=8), JSON),
)
def test_nothing_a_partner_sends_raises(kind, members):
    check_structure({**members, "resourceType": kind})
    check_structure({**PATIENT, **members})


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"{", IssueCode.BAD_VALUE),
        (b"[]", IssueCode.BAD_VALUE),
        (b'{"a": NaN}', IssueCode.BAD_VALUE),
        (b'{"a": 1, "a": 2}', IssueCode.DUPLICATE),
        ('{"a": "é"}'.encode("latin-1"), IssueCode.BAD_ENCODING),
        (b'{"a":' * 100_000, IssueCode.TOO_DEEP),
        (b" " * (MAX_BYTES + 1), IssueCode.TOO_LARGE),
    ],
)
def test_bytes_that_are_no_json_object_are_refused_with_a_reason(document, code):
    value, issues = read_json(document)
    assert value is None
    assert [issue.code for issue in issues] == [code]


def test_a_byte_order_mark_is_tolerated():
    assert read_json(b"\xef\xbb\xbf" + json.dumps(PATIENT).encode()) == (PATIENT, ())


@pytest.mark.corpus
def test_every_official_example_passes_but_the_two_that_are_not_r4():
    refused = set()
    examples = (path for path in corpus("health").rglob("*.json") if path.parent.name != "conformance")
    for path in sorted(examples):
        value, issues = read_json(path.read_bytes())
        assert value is not None, (path.name, issues)
        if check_structure(value):
            refused.add(path.name)
    # A Binary whose data is no base64, and a Questionnaire whose items have no linkId (required in R4).
    assert refused == {"Binary-B-ink.json", "Questionnaire-qs1.json"}
