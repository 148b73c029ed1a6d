"""How a referral leaves as a Task and a ServiceRequest, and how much of its end its reader may hear."""

from typing import Any

import pytest

from mappings.fhir.bundle import Context, FhirBundle, ReferralContext
from mappings.record.category import Category
from mappings.record.issue import IssueCode
from mappings.record.kind import Kind
from tests.mappings.child import identity_facts, referral_facts
from tests.mappings.child_plan import plan_facts
from tests.mappings.fhir.bundles import (
    CONTEXT,
    PANTRY,
    SYSTEM,
    entry_of,
    made,
    one,
    resources,
)
from tests.mappings.views import ORGANIZATIONS, fact


def task_and_request(
    state: str, *, ended: bool = False, context: Context = CONTEXT, events: bool = True
) -> tuple[FhirBundle, dict[str, Any], dict[str, Any]]:
    facts = (*identity_facts(), *plan_facts(), *referral_facts(state=state, ended=ended))
    if not events:
        facts = tuple(item for item in facts if item.kind is not Kind.REFERRAL_EVENT)
    bundle = made(facts, referral=PANTRY, context=context)
    return bundle, one(bundle, "Task"), one(bundle, "ServiceRequest")


@pytest.mark.parametrize(
    ("state", "task", "request_status"),
    [
        ("sent", "requested", "active"),
        ("received", "requested", "active"),
        ("accepted", "accepted", "active"),
        ("waitlisted", "on-hold", "on-hold"),
        ("in-progress", "in-progress", "active"),
        ("completed", "completed", "completed"),
        ("declined-by-provider", "rejected", "revoked"),
        ("cancelled", "cancelled", "revoked"),
        ("failed", "failed", "completed"),
        ("entered-in-error", "entered-in-error", "entered-in-error"),
    ],
)
def test_a_referrals_state_is_said_as_gravitys_table_has_it(state, task, request_status):
    _, made_task, request = task_and_request(state)
    assert (made_task["status"], request["status"]) == (task, request_status)
    needs_reason = task in {"rejected", "cancelled", "on-hold", "failed"}
    assert ("statusReason" in made_task) == needs_reason
    assert made_task["identifier"] == [{"system": f"{SYSTEM}/referral", "value": "ref-71"}]


@pytest.mark.parametrize("state", ["draft", "awaiting-consent"])
def test_a_draft_referral_does_not_leave(state):
    bundle = made((*identity_facts(), *referral_facts(state=state)), referral=PANTRY)
    assert resources(bundle, "Task") == resources(bundle, "ServiceRequest") == []
    assert b"Groceries" not in bundle.content
    assert any(issue.code is IssueCode.FORBIDDEN for issue in bundle.issues)


def test_who_may_not_hear_how_it_ended_is_told_no_more_than_requested():
    bundle, task, request = task_and_request("completed", ended=True, events=False)
    assert (task["status"], request["status"]) == ("requested", "active")
    assert b"service-received" not in bundle.content


def test_what_was_done_stands_in_the_output_and_in_a_procedure():
    bundle, task, _ = task_and_request("completed", ended=True)
    done = entry_of(bundle, "Procedure", "r-event-done")
    assert task["output"][0]["valueReference"] == {"reference": done["fullUrl"]}
    assert done["resource"]["performedPeriod"] == {"start": "2026-11-19", "end": "2026-11-19"}
    assert done["resource"]["code"]["coding"][0]["code"] == "710925007"
    assert task["businessStatus"]["coding"][0]["code"] == "service-received"


def test_a_waiting_list_is_an_enrolment_observation():
    bundle, task, _ = task_and_request("waitlisted")
    waiting = entry_of(bundle, "Observation", "r-event-waiting")
    assert waiting["resource"]["valueCodeableConcept"]["coding"][0]["code"] == "not-enrolled-on-waitlist"
    assert task["output"][0]["valueReference"] == {"reference": waiting["fullUrl"]}


def test_the_do_not_contact_flag_is_never_dropped():
    asked = fact(
        "r-pantry", Kind.REFERRAL, Category.SAFETY,
        {"service": {"code": "x"}, "domain": "safety", "reason": "y", "do_not_contact": True, "requested_on": "2026-11-18"},
    )  # fmt: skip
    request = one(made((asked,), referral=PANTRY), "ServiceRequest")
    codes = {coding["code"] for detail in request["orderDetail"] for coding in detail["coding"]}
    assert codes == {"contacting-subject-prohibited"}
    silent = one(made(referral_facts(), referral=PANTRY), "ServiceRequest")
    assert "orderDetail" not in silent


def test_a_service_without_a_procedure_code_is_asked_for_under_a_general_one():
    asked = fact(
        "r-pantry", Kind.REFERRAL, Category.ACTIVITIES,
        {"service": {"code": "boats", "display": "Boat building"}, "domain": "enrichment", "reason": "y", "requested_on": "2026-11-18"},
    )  # fmt: skip
    request = one(made((asked,), referral=PANTRY), "ServiceRequest")
    assert [coding["code"] for coding in request["code"]["coding"]] == ["306206005"]
    assert request["code"]["text"] == "Boat building"


def test_a_request_is_created_once_and_only_a_referral_that_has_moved_updates():
    bundle, _, _ = task_and_request("sent")
    assert entry_of(bundle, "Task", "ref-71")["request"]["method"] == "POST"
    moved, _, _ = task_and_request("cancelled")
    assert entry_of(moved, "Task", "ref-71")["request"]["method"] == "PUT"
    plain = Context(SYSTEM, ORGANIZATIONS, conditional_update=False)
    held, _, _ = task_and_request("cancelled", context=plain)
    assert entry_of(held, "Task", "ref-71")["request"]["method"] == "POST"
    assert any("keeps the referral as it first got it" in issue.text for issue in held.issues)


def test_only_the_referral_this_delivery_is_for_is_sent():
    plain = made((*identity_facts(), *referral_facts()))
    assert b"Groceries" not in plain.content
    missing = made(identity_facts(), referral=PANTRY)
    assert any(issue.code is IssueCode.FORBIDDEN for issue in missing.issues)


def test_an_extra_private_programme_that_asks_is_not_named_to_who_does_not_see_its_topic():
    from_harbor = ReferralContext("r-pantry", "harbor", "makers")
    bundle = made(referral_facts(), referral=from_harbor)
    assert b"Harbor" not in bundle.content
    requester = one(bundle, "Task")["requester"]["reference"]
    names = {e["fullUrl"]: e["resource"].get("name") for e in bundle.bundle["entry"]}
    assert names[requester] == "Larkspur Success Plans"
