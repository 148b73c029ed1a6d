"""What we send against the official HL7 validator: 0 errors but for terminology it does not have, each excepted by name.

The exceptions stand in terminology_exceptions.csv; each binding among them is checked by our own table.
"""

import copy
import csv
from pathlib import Path

import pytest

from mappings.fhir.bindings import check_vocabulary, vocabulary
from mappings.record.category import Category
from mappings.record.referral import ReferralState
from tests.mappings.child import identity_facts, referral_facts, whole_child
from tests.mappings.child_plan import plan_facts
from tests.mappings.fhir.bundles import PANTRY, made
from tests.mappings.fhir.hl7_validator import Finding, running
from tests.mappings.fhir.test_profiles import MUTANTS, claimant
from tests.mappings.views import without

pytestmark = [
    pytest.mark.peer,
    pytest.mark.corpus,
    pytest.mark.needs("npm", "java"),
    pytest.mark.xdist_group("hl7-validator"),
]

BASE = "http://hl7.org/fhir/StructureDefinition/"
with (Path(__file__).parent / "terminology_exceptions.csv").open(encoding="utf-8") as table:
    EXCEPTIONS = list(csv.DictReader(table))

BUNDLES = {
    "a whole plan and a completed referral": made(
        whole_child(), referral=PANTRY, notices=("Do not pass on without asking.",)
    ),
    "a plan without what is private or clinical": made(
        without(plan_facts(), Category.HEALTH, Category.SPECIAL_EDUCATION), plan_status="proposed"
    ),
    "who the child is": made(identity_facts(), plan_status=None),
    "the child's reference alone": made((), plan_status=None),
    **{
        f"a referral that is {state}": made(
            (*identity_facts(), *plan_facts(), *referral_facts(state=state)), referral=PANTRY
        )
        for state in ReferralState
        if state not in {ReferralState.DRAFT, ReferralState.AWAITING_CONSENT, ReferralState.COMPLETED}
    },
}


@pytest.fixture(scope="module")
def validator():
    with running() as server:
        yield server


def excepted(finding: Finding) -> bool:
    return any(
        finding.message_id == row["message_id"]
        and finding.element == row["element"]
        and f"'{row['system']}'" in finding.text
        for row in EXCEPTIONS
    )


def test_every_bundle_is_valid_r4_us_core_and_gravity_but_for_missing_terminology(validator):
    wrong = {}
    for name, bundle in BUNDLES.items():
        found = validator.errors(bundle.bundle, f"{BASE}Bundle")
        if rest := [finding for finding in found if not excepted(finding)]:
            wrong[name] = rest
    assert wrong == {}


def test_every_resource_is_valid_by_itself_against_its_type_and_each_profile_it_claims(validator):
    wrong, judged = [], 0
    for name, bundle in BUNDLES.items():
        if "referral" in name and "completed" not in name and "waitlisted" not in name:
            continue  # the same resources but for a status, judged in their Bundles above
        for entry in bundle.bundle["entry"]:
            resource = entry["resource"]
            profiles = [BASE + resource["resourceType"], *resource["meta"].get("profile", ())]
            for profile in profiles:
                judged += 1
                found = validator.errors(resource, profile)
                wrong += [(name, profile, finding) for finding in found if not excepted(finding)]
    assert wrong == []
    assert judged > 100


def test_each_exception_is_still_needed_and_its_codes_are_checked_by_our_own_table(validator):
    found = validator.errors(BUNDLES["a whole plan and a completed referral"].bundle, f"{BASE}Bundle")
    for row in EXCEPTIONS:
        assert any(
            finding.message_id == row["message_id"] and finding.element == row["element"] for finding in found
        )
        assert row["system"] in vocabulary()
    observation = claimant("Observation", "us-core-simple-observation")
    for row in EXCEPTIONS:
        observation["code"] = {"coding": [{"system": row["system"], "code": "no-such-code"}]}
        assert check_vocabulary(observation) != ()


# A reference out of the one resource it is given is the one thing the validator does not judge; in a Bundle it does.
NOT_JUDGED = {
    ("RelatedPerson", "RelatedPerson.patient"),
    ("Task", "Task.focus"),
    ("Task", "Task.requester"),
    ("Task", "Task.output.0"),
    ("Provenance", "Provenance.agent.0"),
}


def test_what_our_rule_table_refuses_the_validator_refuses_too(validator):
    silent = []
    for kind, profile, change, path in MUTANTS:
        whole = claimant(kind, profile)
        spoilt = copy.deepcopy(whole)
        change(spoilt)
        url = next(one for one in whole["meta"]["profile"] if one.endswith("/" + profile))
        found = [finding for finding in validator.errors(spoilt, url) if not excepted(finding)]
        if not found:
            silent.append((kind, path))
    assert set(silent) == NOT_JUDGED
