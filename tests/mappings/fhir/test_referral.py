import json
from collections.abc import Sequence
from typing import Any

import pytest

from mappings.fhir.referral import TaskEvent, task_event
from mappings.record.category import Category
from mappings.record.issue import IssueCode, Severity
from mappings.record.referral import ReferralState
from tests.mappings.fhir.bundles import SYSTEM
from tests.paths import corpus

SENT, ACCEPTED = ReferralState.SENT, ReferralState.ACCEPTED


def task(status: str, **members: Any) -> dict[str, Any]:
    """Gravity SDOH Clinical Care 3.0.0 TaskForReferralManagement, as a partner answers our referral."""
    return {
        "resourceType": "Task",
        "id": "k-1",
        "identifier": [{"system": f"{SYSTEM}/referral", "value": "ref-71"}],
        "status": status,
        "intent": "order",
        "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
        "focus": {"reference": "ServiceRequest/s-1"},
        "for": {"reference": "Patient/pt-1"},
        "authoredOn": "2026-11-18T09:00:00Z",
        "lastModified": "2026-11-19T09:30:00Z",
        **members,
    }


def procedure(**members: Any) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "id": "p-1",
        "status": "completed",
        "code": {
            "coding": [
                {"system": "http://snomed.info/sct", "code": "710925007", "display": "Provision of food"}
            ]
        },
        "subject": {"reference": "Patient/pt-1"},
        **members,
    }


def event(
    status: str, now: ReferralState = SENT, *, procedures: Sequence[dict[str, Any]] = (), **members: Any
) -> TaskEvent:
    return task_event(task(status, **members), now, system=SYSTEM, topic=Category.HOME, procedures=procedures)


@pytest.mark.parametrize(
    ("status", "now", "way"),
    [
        ("received", SENT, (ReferralState.RECEIVED,)),
        ("accepted", SENT, (ACCEPTED,)),
        ("rejected", SENT, (ReferralState.DECLINED,)),
        ("cancelled", SENT, (ReferralState.CANCELLED,)),
        ("on-hold", ACCEPTED, (ReferralState.WAITLISTED,)),
        ("in-progress", ACCEPTED, (ReferralState.IN_PROGRESS,)),
        ("failed", ACCEPTED, (ReferralState.FAILED,)),
        ("completed", SENT, (ACCEPTED, ReferralState.COMPLETED)),
        ("in-progress", ReferralState.RECEIVED, (ACCEPTED, ReferralState.IN_PROGRESS)),
    ],
)
def test_a_tasks_status_moves_our_referral_along_gravitys_table(status, now, way):
    found = event(status, now)
    assert found.way == way
    assert found.draft is not None
    assert found.draft.value["state"] == way[-1]
    assert found.draft.category is Category.HOME


@pytest.mark.parametrize(
    ("status", "now"),
    [
        ("requested", ReferralState.COMPLETED),
        ("accepted", ReferralState.COMPLETED),
        ("rejected", ACCEPTED),
        ("accepted", ReferralState.CANCELLED),
        ("entered-in-error", SENT),
    ],
)
def test_a_status_no_allowed_way_leads_to_changes_nothing_and_names_the_table(status, now):
    found = event(status, now)
    assert (found.draft, found.way) == (None, ())
    (issue,) = [one for one in found.issues if one.code is IssueCode.ILLEGAL_TRANSITION]
    assert issue.path == "Task.status"
    assert "TaskForReferralManagement" in issue.text


def test_a_task_that_stands_where_we_knew_it_is_no_event():
    found = event("requested")
    assert (found.draft, found.way, found.issues) == (None, (), ())


def test_reason_outcome_and_amounts_are_kept_as_the_partner_gave_them():
    outcome = {"coding": [{"system": "urn:planhub:outcome", "code": "partly"}]}
    found = event("failed", ACCEPTED, statusReason={"text": "Called three times"}, businessStatus=outcome)
    assert found.draft is not None
    assert found.draft.value == {
        "at": "2026-11-19T09:30:00Z", "state": "failed", "outcome": "partly", "reason": "Called three times",
    }  # fmt: skip


def test_a_coded_reason_is_kept_in_its_words():
    reason = {"coding": [{"code": "cap", "display": "At capacity"}]}
    found = event("rejected", statusReason=reason)
    assert found.draft is not None
    assert found.draft.value["reason"] == "At capacity"


def test_on_hold_is_kept_as_waitlisted_and_said_so():
    found = event("on-hold", ACCEPTED)
    assert any(
        issue.severity is Severity.INFORMATION and issue.path == "Task.status" for issue in found.issues
    )


def test_the_procedures_a_task_names_say_when_the_service_began_and_what_was_done():
    early = procedure(performedPeriod={"start": "2026-11-19", "end": "2026-11-20"})
    late = procedure(performedDateTime="2026-11-25T10:00:00Z")
    undone = procedure(status="not-done", performedDateTime="2026-11-01")
    partial = procedure(performedDateTime="2026-11")
    found = event("completed", procedures=(late, undone, partial, early))
    assert found.draft is not None
    assert found.draft.value["first_service_on"] == "2026-11-19"
    assert found.draft.value["performed"]["code"] == "710925007"


def test_an_output_may_hold_the_activity_as_a_code():
    kind = {
        "coding": [
            {
                "system": "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes",
                "code": "resulting-activity",
            }
        ]
    }
    coded = {"type": kind, "valueCodeableConcept": procedure()["code"]}
    found = event("completed", output=[coded])
    assert found.draft is not None
    assert found.draft.value["performed"]["display"] == "Provision of food"


def test_a_sensitive_word_in_the_reason_files_the_event_in_its_own_topic():
    found = event("rejected", statusReason={"text": "Family moved to a shelter"})
    assert found.draft is not None
    assert found.draft.category is Category.LIVING_SITUATION


@pytest.mark.parametrize(
    "spoilt",
    [
        {"status": "banana"},
        {"identifier": []},
        {"identifier": [{"system": "https://other.test/referral", "value": "ref-71"}]},
        {"modifierExtension": [{"url": "urn:not"}]},
        {"statusReason": "because"},
        {"lastModified": "yesterday"},
    ],
)
def test_a_task_that_cannot_be_read_or_is_not_ours_gives_issues_and_no_event(spoilt):
    found = task_event({**task("accepted"), **spoilt}, SENT, system=SYSTEM, topic=Category.HOME)
    assert found.draft is None
    assert any(issue.severity is Severity.ERROR for issue in found.issues)


@pytest.mark.corpus
def test_every_official_referral_task_is_read_once_it_carries_our_reference():
    seen = 0
    for path in sorted(corpus("health", "gravity-sdohcc-stu3", "examples").glob("Task-*.json")):
        resource = json.loads(path.read_text())
        resource["identifier"] = [{"system": f"{SYSTEM}/referral", "value": "ref-71"}]
        found = task_event(resource, SENT, system=SYSTEM, topic=Category.HOME)
        assert found.draft is not None or found.issues or found.way == (), path.name
        seen += found.draft is not None
    assert seen >= 5
