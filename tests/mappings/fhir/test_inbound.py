import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.engine.loss import NO_RULE, loss_table
from mappings.engine.record_target import record_targets
from mappings.engine.result import MapResult
from mappings.engine.shipped import path_table, shipped_map
from mappings.fhir.inbound import TYPES, prepare, read
from mappings.record.assertion import Draft, check_value
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.issue import IssueCode, Severity
from mappings.record.kind import MODEL, Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from tests.mappings.child import whole_child
from tests.mappings.fhir.bundles import SYSTEM, made
from tests.mappings.views import fact
from tests.paths import corpus

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CHILD = {"reference": "Patient/pt-1"}


def condition(code: str = "J45.909", system: str = ICD, **members: Any) -> dict[str, Any]:
    """US Core 7.0.0 Condition, of an invented child."""
    return {
        "resourceType": "Condition",
        "id": "c-1",
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
            ]
        },
        "code": {"coding": [{"system": system, "code": code, "display": "As coded"}]},
        "subject": CHILD,
        **members,
    }


def drafts(resource: dict[str, Any], **about: Any) -> tuple[list[Draft], MapResult]:
    result = read(resource, system=SYSTEM, **about)
    return [output.draft() for output in result.outputs], result


def only(resource: dict[str, Any], **about: Any) -> Draft:
    (draft,), _ = drafts(resource, **about)
    return draft


def test_a_condition_becomes_a_need_in_health_of_the_patient_it_names():
    made_drafts, result = drafts(condition())
    assert [(one.kind, one.category, one.value["profile"]) for one in made_drafts] == [
        (Kind.PROFILE_ITEM, Category.HEALTH, "need")
    ]
    assert (result.record_id, result.subjects) == ("c-1", {"patient": "pt-1"})


@pytest.mark.parametrize(
    ("reference", "patient"),
    [
        ("Patient/pt-1", "pt-1"),
        ("https://clinic.test/fhir/Patient/pt-1", "pt-1"),
        ("Patient/pt-1/_history/3", "pt-1"),
        ("Group/g-1", None),
    ],
)
def test_the_patient_is_known_by_its_local_id_however_it_is_referred_to(reference, patient):
    prepared = prepare(condition(subject={"reference": reference}), system=SYSTEM)
    assert prepared.source is not None
    assert prepared.source["hub"].get("patient") == patient


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("F41.0", Category.COUNSELING),
        ("F10.20", Category.SUBSTANCE_USE),
        ("Z33.1", Category.SEXUAL_HEALTH),
        ("T74.12XA", Category.SAFETY),
        ("Z59.01", Category.LIVING_SITUATION),
        ("Z59.41", Category.HOME),
        ("Z55.3", Category.SCHOOL),
        ("J45.909", Category.HEALTH),
    ],
)
def test_a_values_code_outranks_its_field(code, category):
    draft = only(condition(code))
    assert draft.category is category
    if category in EXTRA_PRIVATE:
        assert draft.labels


def test_a_sensitive_code_anywhere_in_the_resource_counts():
    inside = condition(evidence=[{"code": [{"coding": [{"system": ICD, "code": "F32.1"}]}]}])
    assert only(inside).category is Category.COUNSELING


def test_words_beside_a_local_code_count_as_codes_do():
    assert only(
        condition("LOC-7", "urn:clinic:problems") | {"code": {"text": "Alcohol dependence"}}
    ).category is (Category.SUBSTANCE_USE)


def test_a_label_on_the_resource_counts_and_a_part_2_label_brings_its_regime():
    labelled = condition(meta={"security": [{"system": ACT, "code": "SUD"}]})
    draft = only(labelled)
    assert draft.category is Category.SUBSTANCE_USE
    assert draft.labels == {Label.SUBSTANCE_USE}
    assert draft.regimes == {Regime.P2}
    assert only(condition()).regimes == frozenset()


def test_an_unknown_label_files_the_fact_in_the_most_guarded_topic_as_very_restricted():
    made_drafts, result = drafts(condition(meta={"security": [{"system": "urn:clinic:labels", "code": "X"}]}))
    (draft,) = made_drafts
    assert draft.category is Category.SAFETY
    assert draft.labels == {Label.VERY_RESTRICTED}
    assert any(issue.code is IssueCode.UNKNOWN_CODE for issue in result.issues)


def test_a_private_programme_files_all_it_says_under_its_own_topic():
    team = {
        "resourceType": "CareTeam",
        "id": "t-1",
        "status": "active",
        "subject": CHILD,
        "participant": [{"role": [{"text": "Case worker"}], "member": {"display": "Noor Vance"}}],
    }
    assert only(team, topic=Category.COUNSELING).category is Category.COUNSELING
    assert only(team).category is Category.HEALTH
    assert only(condition("Z59.41"), topic=Category.COUNSELING).category is Category.COUNSELING


def test_one_sensitive_member_or_activity_does_not_hide_the_others_nor_they_it():
    team = {
        "resourceType": "CareTeam",
        "id": "t-1",
        "subject": CHILD,
        "participant": [
            {"role": [{"text": "Pediatrician"}], "member": {"display": "Lena Farouk"}},
            {"role": [{"text": "Psychologist"}], "member": {"display": "Noor Vance"}},
        ],
    }
    made_drafts, _ = drafts(team)
    assert {one.value["name"]: one.category for one in made_drafts} == {
        "Lena Farouk": Category.HEALTH,
        "Noor Vance": Category.COUNSELING,
    }


@pytest.mark.parametrize(
    ("spoilt", "code", "path"),
    [
        ({"severityy": {"text": "x"}}, IssueCode.UNKNOWN_FIELD, "Condition.severityy"),
        (
            {"clinicalStatus": {"coding": [{"system": "urn:x", "code": "active"}]}},
            IssueCode.UNKNOWN_CODE,
            "Condition.clinicalStatus",
        ),
        (
            {"modifierExtension": [{"url": "urn:not", "valueBoolean": True}]},
            IssueCode.FORBIDDEN,
            "Condition.modifierExtension",
        ),
        ({"implicitRules": "urn:rules"}, IssueCode.FORBIDDEN, "Condition.implicitRules"),
    ],
)
def test_a_resource_that_is_not_r4_or_may_mean_its_opposite_is_refused_whole(spoilt, code, path):
    made_drafts, result = drafts(condition(**spoilt))
    assert made_drafts == []
    assert result.refused
    assert (code, path) in {(issue.code, issue.path) for issue in result.issues}


def test_a_map_run_without_the_gate_makes_nothing():
    assert shipped_map("planhub/fhir-condition").run(condition()).outputs == ()


def test_identifiers_that_are_never_kept_do_not_reach_the_map():
    number = {"system": "https://clinic.test/mrn", "value": "M-1"}
    kinds = "http://terminology.hl7.org/CodeSystem/v2-0203"
    banned = [
        {"system": "urn:x", "value": "111-22-3333", "type": {"coding": [{"system": kinds, "code": kind}]}}
        for kind in ("SS", "PPN", "VS", "PRC", "CZ")
    ]
    ssn = {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "111-22-3333"}
    patient = {"resourceType": "Patient", "id": "pt-1", "identifier": [*banned, ssn, number]}
    result = read({**patient, "connection": {"assigner": "clinic"}}, system=SYSTEM)
    assert [output.value["value"] for output in result.outputs] == ["M-1"]
    assert [output.value["assigner"] for output in result.outputs] == ["clinic"]
    prepared = prepare(patient, system=SYSTEM)
    assert prepared.source is not None
    assert all(code not in json.dumps(prepared.source) for code in ("PPN", "PRC"))


def test_a_type_without_a_map_and_a_resource_without_facts_are_set_aside_with_an_issue():
    for resource in ({"resourceType": "Location", "id": "l"}, condition(verificationStatus=refuted())):
        made_drafts, result = drafts(resource)
        assert made_drafts == []
        assert [(issue.code, issue.severity) for issue in result.issues] == [
            (IssueCode.NOT_MAPPED, Severity.INFORMATION)
        ]


def refuted() -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    return {"coding": [{"system": system, "code": "refuted"}]}


def test_narrative_and_contained_resources_are_not_kept_as_facts():
    div = '<div xmlns="http://www.w3.org/1999/xhtml">zq-narrative alcohol</div>'
    hidden = {"resourceType": "Condition", "id": "in", "code": {"text": "zq-contained"}, "subject": CHILD}
    resource = condition(text={"status": "generated", "div": div}, contained=[hidden])
    draft = only(resource)
    assert "zq-" not in json.dumps(draft.value)
    assert draft.category is Category.HEALTH


def test_what_leaves_as_fhir_comes_back_as_the_same_goals_needs_and_strengths():
    bundle = made(whole_child())
    back: dict[tuple[str, str], dict[str, object]] = {}
    for entry in bundle.bundle["entry"]:
        resource = {**entry["resource"], "id": "x"}
        if resource["resourceType"] not in {"Goal", "Condition", "Observation"}:
            continue
        resource["subject"] = CHILD
        for name in ("addresses", "focus", "expressedBy"):
            resource.pop(name, None)
        for output in read(resource, system=SYSTEM).outputs:
            back[output.kind, str(output.value.get("statement") or output.value.get("description"))] = (
                output.value
            )
    for item in whole_child():
        value = item.value
        if item.kind is Kind.GOAL:
            returned = back["goal", value["description"]]
            same = ("domain", "status", "achievement", "metric", "target", "start", "due")
            assert {name: returned.get(name) for name in same} == {name: value.get(name) for name in same}
        if item.kind is Kind.PROFILE_ITEM and value["profile"] in {"strength", "interest", "preference"}:
            assert back["profile-item", value["statement"]]["profile"] == value["profile"]
            assert back["profile-item", value["statement"]]["domain"] == value["domain"]
        if (
            item.kind is Kind.PROFILE_ITEM
            and value["profile"] == "need"
            and value.get("code", {}).get("system")
        ):
            assert back["profile-item", value["statement"]]["code"] == value["code"]


@pytest.mark.parametrize("kind", TYPES)
def test_every_map_of_the_folder_says_why_it_leaves_what_it_leaves(kind):
    table = loss_table(shipped_map(f"planhub/fhir-{kind.lower()}"), record_targets())
    assert [row.path for row in table.not_read if row.reason == NO_RULE] == []


def test_the_path_table_of_a_view_is_the_record_with_every_field_of_every_kind():
    table = path_table("fhir").resources["view"]
    for kind in Kind:
        node = table.children[str(kind).replace("-", "_")]
        known = {child.path.partition(".")[2] for child in node.below()} - {"id", "asserted", "links"}
        expected = set(_paths(MODEL[kind]))
        assert known == expected, kind


def _paths(model: Any, prefix: str = "") -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield f"{prefix}{name}"
        inner = _model_in(info.annotation)
        if inner is not None:
            yield from _paths(inner, f"{prefix}{name}.")


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return annotation
    found = (_model_in(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "coding", "text", "reference", "display", "x"]), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip
MEMBERS = (
    "code",
    "subject",
    "meta",
    "category",
    "participant",
    "activity",
    "name",
    "identifier",
    "status",
    "output",
    "target",
)


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(MEMBERS), JSON))
def test_nothing_a_clinic_sends_raises(kind, members):
    result = read({**members, "resourceType": kind, "id": "1"}, system=SYSTEM)
    assert result.outputs or result.issues


@pytest.mark.corpus
def test_every_official_example_gives_facts_that_fit_the_record_or_says_why_not():
    seen = dict.fromkeys(TYPES, 0)
    facts = dict.fromkeys(TYPES, 0)
    for path in sorted(corpus("health").rglob("*.json")):
        resource = json.loads(path.read_text())
        kind = resource.get("resourceType")
        if kind not in TYPES:
            continue
        seen[kind] += 1
        topic = Category.HOME if kind in {"Task", "Procedure"} else None
        result = read({**resource, "connection": {"assigner": "clinic"}}, system=SYSTEM, topic=topic)
        assert result.outputs or result.issues, path.name
        for output in result.outputs:
            facts[kind] += 1
            value, issues = check_value(Kind(output.kind), output.value, output.path)
            assert value is not None, (path.name, issues)
    assert seen == {
        "Patient": 31, "Condition": 22, "Goal": 5, "Observation": 169, "CarePlan": 12, "CareTeam": 3, "Task": 23, "Procedure": 5,
    }  # fmt: skip
    # A Task of somebody else's referral is refused: none of them carries a reference of ours.
    assert facts.pop("Task") == 0
    assert all(count > 0 for count in facts.values()), facts


@pytest.mark.corpus
def test_official_examples_that_are_about_a_private_matter_land_in_a_private_topic():
    private = {
        "Observation-10-minute-apgar-score.json": None,
        "Condition-SDOHCC-ConditionHomelessExample.json": Category.LIVING_SITUATION,
        "Observation-AUDIT-C.json": Category.SUBSTANCE_USE,
        "Procedure-rehab.json": Category.SUBSTANCE_USE,
        "CarePlan-preg.json": Category.SEXUAL_HEALTH,
    }
    found = {}
    for path in corpus("health").rglob("*.json"):
        if path.name in private:
            topics = {output.category for output in read(json.loads(path.read_text()), system=SYSTEM).outputs}
            found[path.name] = topics
    for name, topic in private.items():
        if topic is not None and name in found:
            assert topic in found[name], name
            assert found[name] <= {topic}, name
    assert len(found) >= 3


def test_a_view_with_nothing_in_it_gives_a_bundle_with_the_child_alone():
    bundle = made((), plan_status=None)
    assert [entry["resource"]["resourceType"] for entry in bundle.bundle["entry"]] == ["Patient"]
    assert made(
        (fact("n", Kind.NAME, Category.IDENTITY, {"family": "Okonkwo"}),), plan_status=None
    ).categories == {Category.IDENTITY}
