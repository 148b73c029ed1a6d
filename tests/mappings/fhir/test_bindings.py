import json
import tarfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from mappings.fhir.bindings import (
    bindings,
    check_bindings,
    check_vocabulary,
    parse_bindings,
    parse_vocabulary,
    vocabulary,
)
from mappings.record import plan, referral
from mappings.record.issue import IssueCode
from tests.paths import corpus

CONDITION = {
    "resourceType": "Condition",
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
    },
}


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ({"resourceType": "Patient", "gender": "girl"}, "Patient.gender"),
        ({"resourceType": "Goal", "lifecycleStatus": "banana"}, "Goal.lifecycleStatus"),
        ({"resourceType": "Patient", "telecom": [{}, {"system": "pigeon"}]}, "Patient.telecom.1.system"),
        ({"resourceType": "Condition", "clinicalStatus": {"text": "active"}}, "Condition.clinicalStatus"),
        (
            {"resourceType": "Condition", "clinicalStatus": {"coding": [{"code": "active"}]}},
            "Condition.clinicalStatus",
        ),
        (
            {"resourceType": "Observation", "status": "final", "valueQuantity": {"comparator": "~"}},
            "Observation.valueQuantity.comparator",
        ),
        ({"resourceType": "Patient", "gender": {"not": "text"}}, "Patient.gender"),
    ],
)
def test_a_code_outside_its_required_set_is_an_issue_with_the_page_that_lists_it(resource, path):
    (issue,) = check_bindings(resource)
    assert (issue.code, issue.path) == (IssueCode.UNKNOWN_CODE, path)
    assert "hl7.org/fhir/R4/valueset-" in issue.text


def test_codes_inside_their_sets_give_no_issue_and_types_without_bindings_are_not_judged():
    assert check_bindings(CONDITION) == ()
    assert check_bindings({"resourceType": "Medication", "status": "banana"}) == ()


def test_an_issue_can_be_placed_inside_a_bundle():
    (issue,) = check_bindings({"resourceType": "Patient", "gender": "girl"}, path="Bundle.entry.3.resource")
    assert issue.path == "Bundle.entry.3.resource.gender"


@pytest.mark.parametrize(
    "table",
    [
        "path,type\n",
        "path,type,system,codes,page\nPatient.gender,code,urn:x,male,p\n",
        "path,type,system,codes,page\nCondition.x,CodeableConcept,,male,p\n",
        "path,type,system,codes,page\nPatient.gender,code,,,p\n",
    ],
)
def test_a_table_of_bindings_that_is_wrong_is_refused(table):
    with pytest.raises(ValueError, match=r"bindings\.csv"):
        parse_bindings(table)


def test_the_hubs_own_codes_are_those_of_the_record():
    assert vocabulary()["urn:planhub:domain"] == set(plan.Domain)
    assert vocabulary()["urn:planhub:tier"] == set(plan.Tier)
    assert vocabulary()["urn:planhub:agreement"] == set(plan.Agreement)
    assert vocabulary()["urn:planhub:outcome"] == set(referral.ReferralOutcome)


def test_a_coding_of_a_small_system_must_be_one_of_its_codes():
    strength = "http://hl7.org/fhir/us/eltss/CodeSystem/eltss-observation-code"
    good = {"resourceType": "Observation", "code": {"coding": [{"system": strength, "code": "strength"}]}}
    bad = {"resourceType": "Observation", "code": {"coding": [{"system": strength, "code": "weakness"}]}}
    assert check_vocabulary(good) == ()
    assert [issue.path for issue in check_vocabulary(bad)] == ["Observation.code.coding.0"]
    with pytest.raises(ValueError, match=r"vocabulary\.csv:3"):
        parse_vocabulary("system,codes,source\nurn:a,x,s\nurn:a,y,s\n")


@cache
def package() -> dict[str, dict[str, Any]]:
    """The definitions of FHIR R4 4.0.1 by canonical URL, from the official package."""
    found: dict[str, dict[str, Any]] = {}
    with tarfile.open(corpus("health", "fhir-packages", "hl7.fhir.r4.core-4.0.1.tgz")) as archive:
        for member in archive:
            name = member.name.rpartition("/")[2]
            if name.startswith(("ValueSet-", "CodeSystem-", "StructureDefinition-")):
                content = archive.extractfile(member)
                assert content is not None
                definition = json.load(content)
                found[definition["url"]] = definition
    return found


def concepts(system: dict[str, Any]) -> Iterator[str]:
    for concept in system.get("concept", ()):
        yield concept["code"]
        yield from concepts(concept)


def expanded(value_set: str) -> frozenset[tuple[str, str]]:
    """All codes of a value set whose systems are in the package, as (system, code)."""
    codes: set[tuple[str, str]] = set()
    for include in package()[value_set.partition("|")[0]]["compose"]["include"]:
        for other in include.get("valueSet", ()):
            codes |= expanded(other)
        if "system" in include:
            listed = include.get("concept")
            own = [one["code"] for one in listed] if listed else list(concepts(package()[include["system"]]))
            codes |= {(include["system"], code) for code in own}
    return frozenset(codes)


@pytest.mark.corpus
@pytest.mark.parametrize(
    "kind",
    [
        "Bundle", "Patient", "RelatedPerson", "Organization", "CareTeam", "CarePlan", "Goal", "Condition", "Observation",
        "ServiceRequest", "Task", "Procedure", "Provenance",
    ],
)  # fmt: skip
def test_the_table_has_every_required_code_binding_of_the_official_definition_with_exactly_its_codes(kind):
    ours = {binding.path: binding for binding in bindings()[kind]}
    definition = package()[f"http://hl7.org/fhir/StructureDefinition/{kind}"]
    seen = 0
    for element in definition["snapshot"]["element"]:
        binding = element.get("binding", {})
        types = {one["code"] for one in element.get("type", ())}
        if binding.get("strength") != "required" or not types & {"code", "CodeableConcept", "Coding"}:
            continue
        seen += 1
        official = expanded(binding["valueSet"])
        assert element["path"] in ours, f"no row for {element['path']}"
        plain = "code" in types
        assert ours[element["path"]].is_plain == plain
        assert ours[element["path"]].codes == {(None if plain else system, code) for system, code in official}
    assert seen or kind in {"RelatedPerson", "Organization", "Provenance"}
