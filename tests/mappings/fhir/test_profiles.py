import copy
from collections.abc import Callable
from typing import Any

import pytest

from mappings.fhir.profiles import GRAVITY, US_CORE, check_profiles, parse_profiles, profiles
from tests.mappings.child import whole_child
from tests.mappings.fhir.bundles import PANTRY, made, resources

Change = Callable[[dict[str, Any]], object]
BUNDLE = made(whole_child(), referral=PANTRY)


def claimant(kind: str, profile: str) -> dict[str, Any]:
    """A resource of ours that claims the profile and keeps to it."""
    found = next(
        one
        for one in resources(BUNDLE, kind)
        if any(url.endswith("/" + profile) for url in one["meta"].get("profile", ()))
    )
    return copy.deepcopy(found)


def test_every_profile_we_claim_is_in_the_table_and_every_resource_that_claims_keeps_to_it():
    claims = {url for entry in BUNDLE.bundle["entry"] for url in entry["resource"]["meta"].get("profile", ())}
    known_unjudged = {f"{GRAVITY}SDOHCC-ObservationProgramEnrollmentStatus"}
    assert claims - profiles().keys() - known_unjudged == set()
    for entry in BUNDLE.bundle["entry"]:
        assert check_profiles(entry["resource"]) == ()


def set_to(name: str, value: Any) -> Change:
    return lambda resource: resource.update({name: value})


def drop(name: str) -> Change:
    return lambda resource: resource.pop(name)


SNOMED_ONLY_TEXT = {"text": "Food pantry"}
MUTANTS: list[tuple[str, str, Change, str]] = [
    ("Patient", "us-core-patient", drop("gender"), "Patient.gender"),
    ("Patient", "us-core-patient", drop("name"), "Patient.name"),
    ("Patient", "us-core-patient", set_to("name", [{"text": "Wren"}]), "Patient.name.0"),
    ("Patient", "us-core-patient", set_to("identifier", [{"value": "1"}]), "Patient.identifier.0.system"),
    ("Patient", "us-core-patient", set_to("telecom", [{"value": "1"}]), "Patient.telecom.0.system"),
    ("RelatedPerson", "us-core-relatedperson", drop("active"), "RelatedPerson.active"),
    ("RelatedPerson", "us-core-relatedperson", lambda r: [r.pop("name"), r.pop("relationship")], "RelatedPerson"),
    ("RelatedPerson", "us-core-relatedperson", set_to("patient", {"reference": "Group/1"}), "RelatedPerson.patient"),
    ("Organization", "us-core-organization", drop("name"), "Organization.name"),
    ("CareTeam", "us-core-careteam", drop("participant"), "CareTeam.participant"),
    ("CareTeam", "us-core-careteam", lambda r: r["participant"][0].pop("role"), "CareTeam.participant.0.role"),
    (
        "CareTeam",
        "us-core-careteam",
        lambda r: r["participant"][0]["role"].append({"text": "x"}),
        "CareTeam.participant.0.role",
    ),
    ("CarePlan", "us-core-careplan", lambda r: r["category"].pop(0), "CarePlan.category"),
    ("CarePlan", "us-core-careplan", lambda r: r["text"].update(status="empty"), "CarePlan.text.status"),
    ("Goal", "us-core-goal", drop("description"), "Goal.description"),
    (
        "Condition",
        "us-core-condition-problems-health-concerns",
        lambda r: r["category"].pop(0),
        "Condition.category",
    ),
    (
        "Condition",
        "us-core-condition-problems-health-concerns",
        set_to("abatementDateTime", "2026-01-01"),
        "Condition",
    ),
    ("Condition", "SDOHCC-Condition", lambda r: r["category"].pop(1), "Condition.category"),
    ("Condition", "SDOHCC-Condition", set_to("code", SNOMED_ONLY_TEXT), "Condition.code"),
    ("Condition", "SDOHCC-Condition", set_to("stage", [{"summary": {"text": "x"}}]), "Condition.stage.0"),
    (
        "Condition",
        "SDOHCC-Condition",
        lambda r: r.update(
            asserter={"display": "x"}, extension=[{"url": f"{GRAVITY}SDOHCC-ExtensionConditionAsserter"}]
        ),
        "Condition",
    ),
    ("Observation", "us-core-simple-observation", drop("category"), "Observation.category"),
    ("Observation", "us-core-simple-observation", drop("subject"), "Observation.subject"),
    ("Observation", "us-core-observation-screening-assessment", drop("dataAbsentReason"), "Observation"),
    (
        "Observation",
        "us-core-observation-screening-assessment",
        set_to("effectiveDateTime", "2026-09"),
        "Observation.effectiveDateTime",
    ),
    ("Procedure", "us-core-procedure", lambda r: [r.pop("performedDateTime"), r.update(status="completed")], "Procedure"),
    ("Procedure", "SDOHCC-Procedure", set_to("code", SNOMED_ONLY_TEXT), "Procedure.code"),
    ("ServiceRequest", "SDOHCC-ServiceRequest", set_to("code", SNOMED_ONLY_TEXT), "ServiceRequest.code"),
    ("ServiceRequest", "SDOHCC-ServiceRequest", set_to("specimen", [{"reference": "Specimen/1"}]), "ServiceRequest.specimen.0"),
    ("Task", "SDOHCC-TaskForReferralManagement", set_to("status", "received"), "Task.status"),
    ("Task", "SDOHCC-TaskForReferralManagement", set_to("statusReason", {"coding": [{"code": "x"}]}), "Task.statusReason.text"),
    ("Task", "SDOHCC-TaskForReferralManagement", set_to("intent", "plan"), "Task.intent"),
    ("Task", "SDOHCC-TaskForReferralManagement", drop("code"), "Task.code"),
    ("Task", "SDOHCC-TaskForReferralManagement", drop("focus"), "Task.focus"),
    ("Task", "SDOHCC-TaskForReferralManagement", set_to("focus", {"reference": "CarePlan/1"}), "Task.focus"),
    ("Task", "SDOHCC-TaskForReferralManagement", drop("requester"), "Task.requester"),
    ("Task", "SDOHCC-TaskForReferralManagement", set_to("requester", {"reference": "Patient/1"}), "Task.requester"),
    (
        "Task",
        "SDOHCC-TaskForReferralManagement",
        lambda r: r["output"][0].update(valueReference={"reference": "Goal/1"}),
        "Task.output.0",
    ),
    ("Provenance", "us-core-provenance", lambda r: r["target"][0].pop("reference"), "Provenance.target.0.reference"),
    (
        "Provenance",
        "us-core-provenance",
        lambda r: r["agent"][0].update(who={"reference": "Practitioner/1"}),
        "Provenance.agent.0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "profile", "change", "path"), MUTANTS)
def test_what_breaks_a_profile_is_an_issue_at_its_element_with_its_source(kind, profile, change, path):
    resource = claimant(kind, profile)
    change(resource)
    issues = check_profiles(resource)
    assert path in {issue.path for issue in issues}
    assert all(any(word in issue.text for word in ("US Core", "Gravity", "FHIR R4")) for issue in issues)


def test_references_inside_a_bundle_are_judged_by_the_type_they_point_at():
    task = claimant("Task", "SDOHCC-TaskForReferralManagement")
    types = {task["focus"]["reference"]: "CarePlan"}
    assert "Task.focus" in {issue.path for issue in check_profiles(task, types=types)}


def test_a_profile_with_a_version_is_the_same_profile_and_an_unknown_one_is_not_judged():
    goal = {"resourceType": "Goal", "meta": {"profile": [f"{US_CORE}us-core-goal|7.0.0"]}}
    assert [issue.path for issue in check_profiles(goal)] == ["Goal.description"]
    other = {"resourceType": "Goal", "meta": {"profile": ["http://other.test/goal"]}}
    assert check_profiles(other) == ()


@pytest.mark.parametrize(
    "row", ["p,Task.x,wish,,s", "p,Task.x,invariant,unheard-of,s", "p,Task.x,required,,"]
)
def test_a_rule_table_that_is_wrong_is_refused_with_its_line(row):
    with pytest.raises(ValueError, match=r"profiles\.csv:2"):
        parse_profiles(f"profile,path,rule,argument,source\n{row}\n")
