import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.fhir.bundle import Context, FhirBundle, check_bundle
from mappings.record.category import Category
from mappings.record.issue import IssueCode, Severity
from mappings.record.kind import Kind
from mappings.record.sensitivity import Label
from tests.mappings.child import identity_facts, private_facts, referral_facts, whole_child
from tests.mappings.child_plan import plan_facts
from tests.mappings.fhir.bundles import (
    PANTRY,
    SYSTEM,
    entry_of,
    made,
    one,
    resources,
    security_codes,
)
from tests.mappings.views import ORGANIZATIONS, fact, without

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str, bundle: FhirBundle) -> tuple[Any, Any]:
    """The Bundle as it was read and kept by a person; tests/mappings/fhir/golden says what it shows."""
    return json.loads((GOLDEN / f"{name}.json").read_text()), json.loads(bundle.content)


def test_a_whole_plan_and_a_referral_come_out_as_they_were_read_and_kept():
    bundle = made(whole_child(), referral=PANTRY, notices=("Do not pass on without asking.",))
    expected, actual = golden("whole-child", bundle)
    assert actual == expected


def test_a_first_referral_comes_out_as_it_was_read_and_kept():
    facts = without(
        (*identity_facts(), *plan_facts(), *referral_facts()), Category.HEALTH, Category.SPECIAL_EDUCATION
    )
    expected, actual = golden("referral", made(facts, referral=PANTRY, plan_status=None))
    assert actual == expected


def test_nothing_in_a_made_bundle_breaks_r4_its_code_sets_or_the_profiles_it_claims():
    for facts in (whole_child(), identity_facts(), plan_facts(), ()):
        assert check_bundle(made(facts).bundle) == ()


def test_the_same_view_gives_the_same_bytes_whatever_order_its_facts_come_in():
    facts = list(whole_child())
    first = made(facts, referral=PANTRY).content
    random.Random(7).shuffle(facts)
    assert made(facts, referral=PANTRY).content == first


def test_every_entry_has_a_stable_full_url_and_tells_the_destination_how_to_know_it_again():
    bundle = made(whole_child(), referral=PANTRY).bundle
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    for entry in bundle["entry"]:
        kind, request = entry["resource"]["resourceType"], entry["request"]
        assert entry["fullUrl"].startswith("urn:uuid:")
        if request["method"] == "POST":
            assert request["url"] == kind
            assert request["ifNoneExist"].startswith(("identifier=" + SYSTEM, "_tag=" + SYSTEM))
        else:
            assert request["method"] == "PUT"
            assert request["url"].startswith(f"{kind}?identifier={SYSTEM}")


def test_every_reference_points_into_the_bundle():
    bundle = made(whole_child(), referral=PANTRY).bundle
    urls = {entry["fullUrl"] for entry in bundle["entry"]}

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from ([node["reference"]] if isinstance(node.get("reference"), str) else [])
            node = list(node.values())
        if isinstance(node, list):
            for item in node:
                yield from references(item)

    found = list(references(bundle))
    assert found
    assert set(found) <= urls


def test_the_child_is_known_by_the_recipients_own_reference_and_a_nameless_view_names_nobody():
    patient = one(made(()), "Patient")
    assert patient["identifier"] == [{"system": f"{SYSTEM}/child", "value": "k7Qm2-child"}]
    assert patient["gender"] == "unknown"
    assert "family" not in patient["name"][0]
    named = one(made(identity_facts()), "Patient")
    assert named["name"][0]["family"] == "Okonkwo"
    assert named["birthDate"] == "2015-04-09"
    assert named["multipleBirthInteger"] == 2
    assert "multipleBirthBoolean" not in named


def test_a_guardian_someone_is_kept_away_from_is_not_sent_and_the_issue_says_why():
    bundle = made(identity_facts())
    assert [person["name"][0]["given"] for person in resources(bundle, "RelatedPerson")] == [["Amara"]]
    assert any(issue.path == "view.guardian" and issue.code is IssueCode.NO_HOME for issue in bundle.issues)


def test_confidential_addresses_and_numbers_are_not_sent():
    hidden = {"system": "phone", "value": "+19785550177", "confidential": True}
    facts = (
        fact("h1", Kind.TELECOM, Category.IDENTITY, hidden),
        fact("h2", Kind.ADDRESS, Category.IDENTITY, {"lines": ["9 Quiet Lane"], "confidential": True}),
        fact(
            "h3", Kind.GUARDIAN, Category.IDENTITY,
            {"person_key": "g", "relationship": "Mother", "name": {"family": "Okonkwo"}, "telecoms": [hidden]},
        ),
    )  # fmt: skip
    bundle = made(facts)
    assert b"5550177" not in bundle.content
    assert b"Quiet Lane" not in bundle.content
    assert {"h1", "h2"} & bundle.assertion_ids == set()


def test_periods_end_on_their_last_day_as_fhir_counts():
    plan = one(made(plan_facts()), "CarePlan")
    assert plan["period"] == {"start": "2026-09-15", "end": "2027-06-30"}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("draft", ("draft", "plan")),
        ("proposed", ("draft", "proposal")),
        ("active", ("active", "plan")),
        ("in-review", ("active", "plan")),
        ("on-hold", ("on-hold", "plan")),
        ("superseded", ("completed", "plan")),
        ("revoked", ("revoked", "plan")),
        ("completed", ("completed", "plan")),
        ("entered-in-error", ("entered-in-error", "plan")),
        (None, ("unknown", "plan")),
    ],
)
def test_the_plans_status_is_said_as_domain_md_maps_it(status, expected):
    plan = one(made(plan_facts(), plan_status=status), "CarePlan")
    assert (plan["status"], plan["intent"]) == expected


def test_needs_with_a_clinical_code_are_conditions_and_others_observations():
    bundle = made(plan_facts())
    conditions = {one["code"]["text"]: one for one in resources(bundle, "Condition")}
    assert set(conditions) == {"Food does not last to the end of the month", "Asthma"}
    food = conditions["Food does not last to the end of the month"]
    assert any(url.endswith("SDOHCC-Condition") for url in food["meta"]["profile"])
    assert "food-insecurity" in json.dumps(food["category"])
    assert not any(url.endswith("SDOHCC-Condition") for url in conditions["Asthma"]["meta"]["profile"])
    said = {one.get("valueString") for one in resources(bundle, "Observation")}
    assert {"Reads below grade level", "Comforts younger children", "Building model bridges"} <= said


def test_a_strength_is_the_elts_strength_and_a_preference_the_us_core_one():
    codes = {
        one["valueString"]: {(c["system"], c["code"]) for c in one["code"]["coding"]}
        for one in resources(made(plan_facts()), "Observation")
        if "valueString" in one
    }
    elts = "http://hl7.org/fhir/us/eltss/CodeSystem/eltss-observation-code"
    assert (elts, "strength") in codes["Comforts younger children"]
    assert ("http://loinc.org", "95541-9") in codes["Prefers to be written to"]


def test_risks_enrolments_and_equity_attributes_are_not_sent_and_each_kind_is_told_once():
    equity = fact(
        "e1", Kind.EQUITY_ATTRIBUTE, Category.IDENTITY, {"attribute": "race", "values": [{"code": "Xaba"}]}
    )
    bundle = made((*plan_facts(), *identity_facts(), equity))
    assert b"May leave" not in bundle.content
    assert b"Linden Elementary" not in made(identity_facts()).content
    assert b"Xaba" not in bundle.content
    told = [issue.path for issue in bundle.issues if issue.code is IssueCode.NO_HOME]
    assert sorted(told) == ["view.enrollment", "view.equity-attribute", "view.guardian", "view.profile-item"]


def test_a_family_dispute_is_shown_to_every_reader():
    reading = entry_of(made(plan_facts()), "Observation", "p-need-reading")["resource"]
    assert {"text": "The family disputes this."} in reading["note"]
    assert {"system": "urn:planhub:code", "code": "disputed"} in reading["meta"]["tag"]


def test_what_was_entered_in_error_is_not_sent():
    wrong = replace(plan_facts()[2], quality="entered-in-error")
    assert b"Comforts" not in made((wrong,)).content


def test_notices_that_bind_the_recipient_always_arrive():
    for facts in (identity_facts(), plan_facts()):
        assert b"Keep to yourselves." in made(facts, notices=("Keep to yourselves.",)).content
    request = one(
        made((*identity_facts(), *referral_facts()), referral=PANTRY, notices=("Keep to yourselves.",)),
        "ServiceRequest",
    )
    assert {"text": "Keep to yourselves."} in request["note"]


def test_each_source_is_named_as_author_of_what_it_stated_and_the_hub_as_transmitter():
    bundle = made(plan_facts())
    names = {
        entry["fullUrl"]: entry["resource"]["name"]
        for entry in bundle.bundle["entry"]
        if entry["resource"]["resourceType"] == "Organization"
    }
    authors = {
        names[source["agent"][0]["who"]["reference"]]: source for source in resources(bundle, "Provenance")
    }
    assert set(authors) == {"Larkspur School District", "Fernhill Family Clinic", "Makers Yard After School"}
    asthma = entry_of(bundle, "Condition", "p-need-asthma")["fullUrl"]
    targets = {name: {t["reference"] for t in source["target"]} for name, source in authors.items()}
    assert asthma in targets["Fernhill Family Clinic"]
    assert asthma not in targets["Makers Yard After School"]
    assert {names[s["agent"][1]["who"]["reference"]] for s in authors.values()} == {"Larkspur Success Plans"}


def test_labels_say_confidentiality_sensitivity_and_no_redisclosure_and_the_bundle_only_the_highest_confidentiality():
    bundle = made(whole_child())
    therapy = entry_of(bundle, "Condition", "x-therapy")["resource"]
    assert security_codes(therapy) == ["R", "MH", "NORDSCLCD"]
    plan = one(bundle, "CarePlan")
    assert security_codes(plan) == ["V", "LIVARG", "MH", "SUD", "42CFRPart2", "NORDSCLCD"]
    assert [coding["code"] for coding in bundle.bundle["meta"]["security"]] == ["V"]
    assert [coding["code"] for coding in made(plan_facts()).bundle["meta"]["security"]] == ["R"]


def test_a_normal_fact_in_an_ordinary_topic_is_labelled_normal():
    calm = fact(
        "n", Kind.PROFILE_ITEM, Category.ACTIVITIES, {"profile": "interest", "domain": "enrichment", "statement": "Chess"},
        labels=(Label.NORMAL,),
    )  # fmt: skip
    assert security_codes(entry_of(made((calm,)), "Observation", "n")["resource"]) == ["N", "NORDSCLCD"]


def test_the_bundle_says_exactly_which_assertions_and_categories_are_in_it():
    bundle = made(plan_facts())
    known = {item.id: item.category for item in plan_facts()}
    assert bundle.assertion_ids == known.keys() - {"p-risk"}
    assert bundle.categories == {known[use] for use in bundle.assertion_ids}
    assert bundle.assertion_ids >= {use for use in known if use.encode() in bundle.content}


def test_narrative_says_only_what_its_resource_says_and_is_escaped():
    sly = fact(
        "s",
        Kind.GOAL,
        Category.SCHOOL,
        {"description": "<script>alert(1)</script> & more", "domain": "academic"},
    )
    goal = one(made((sly,)), "Goal")
    assert goal["text"]["status"] == "generated"
    assert "&lt;script&gt;" in goal["text"]["div"]
    assert "<script>" not in goal["text"]["div"]


def test_a_link_to_a_fact_that_is_not_in_the_view_leaves_no_reference():
    facts = without(plan_facts(), Category.SCHOOL)
    goal = fact(
        "g",
        Kind.GOAL,
        Category.HOME,
        {"description": "Eats well", "domain": "family"},
        links=("p-need-reading",),
    )
    bundle = made((*facts, goal))
    assert "addresses" not in entry_of(bundle, "Goal", "g")["resource"]
    assert b"p-need-reading" not in bundle.content


def test_an_organisation_is_named_only_where_its_programmes_topic_is_in_the_view():
    therapist_only_identity = without(
        private_facts(), Category.COUNSELING, Category.LIVING_SITUATION, Category.SUBSTANCE_USE
    )
    content = made(therapist_only_identity).content
    for trace in (b"Harbor", b"harbor", b"Haven", b"haven", b"HL-3381"):
        assert trace not in content
    seen = made(private_facts()).content
    assert b"Harbor Light Counseling" in seen
    assert b"Haven Street Shelter" in seen


def test_a_fact_that_is_no_valid_fhir_is_left_out_with_an_issue_and_the_rest_goes():
    odd = fact(
        "odd", Kind.PROFILE_ITEM, Category.HEALTH,
        {"profile": "need", "domain": "health", "statement": "x", "code": {"system": "http://snomed.info/sct", "code": " 1"}},
    )  # fmt: skip
    bundle = made((*plan_facts(), odd))
    assert not bundle.refused
    assert "odd" not in bundle.assertion_ids
    assert b"odd" not in bundle.content
    assert any("left out" in issue.text and issue.severity is Severity.WARNING for issue in bundle.issues)


def test_without_conditional_update_a_changed_plan_is_a_new_instance_and_an_unchanged_one_the_same():
    plain = Context(SYSTEM, ORGANIZATIONS, conditional_update=False)
    first, again = made(plan_facts(), context=plain), made(plan_facts(), context=plain)
    changed = made(plan_facts()[1:], context=plain)
    assert first.content == again.content
    requests = {entry["request"]["method"] for entry in first.bundle["entry"]}
    assert requests == {"POST"}
    values = {one(bundle, "CarePlan")["identifier"][0]["value"] for bundle in (first, changed)}
    assert len(values) == 2


WORDS = st.text(max_size=30)


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(WORDS.filter(str.strip), min_size=6, max_size=6),
    domain=st.sampled_from(["academic", "health"]),
)
def test_whatever_people_write_the_bundle_is_valid_fhir_or_the_fact_is_left_out_with_an_issue(words, domain):
    facts = (
        fact("a", Kind.NAME, Category.IDENTITY, {"given": words[0], "family": words[1]}),
        fact(
            "b",
            Kind.GOAL,
            Category.SCHOOL,
            {"description": words[2], "domain": domain, "metric": words[3], "target": words[4]},
        ),
        fact(
            "c",
            Kind.SUPPORT,
            Category.SCHOOL,
            {"name": words[5], "domain": domain, "frequency": words[0]},
            links=("b",),
        ),
        fact(
            "d",
            Kind.PROFILE_ITEM,
            Category.SCHOOL,
            {"profile": "strength", "domain": domain, "statement": words[1]},
        ),
    )
    bundle = made(facts)
    assert not bundle.refused
    assert check_bundle(bundle.bundle) == ()
    assert json.loads(bundle.content) == bundle.bundle
