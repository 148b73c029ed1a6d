"""A referral at the sandbox clinic moves as Gravity's table says (health.md §1.2), whoever asks."""

import pytest

from adapters.sandbox.fhir import FhirSandbox, RefusedError
from tests.adapters.sandbox.caller import call
from tests.adapters.sandbox.test_fhir import issue, patient
from tests.adapters.sandbox.test_fhir_search import task

# Written out from the table in the standard's intro to the profile, not from the code under test.
BY_TARGET = {
    ("requested", "accepted"),
    ("requested", "rejected"),
    ("requested", "cancelled"),
    ("accepted", "in-progress"),
    ("accepted", "on-hold"),
    ("accepted", "completed"),
    ("accepted", "failed"),
    ("accepted", "cancelled"),
    ("in-progress", "on-hold"),
    ("in-progress", "completed"),
    ("in-progress", "failed"),
    ("in-progress", "cancelled"),
    ("on-hold", "in-progress"),
    ("on-hold", "completed"),
    ("on-hold", "failed"),
    ("on-hold", "cancelled"),
}
STATUSES = [
    "draft",
    "requested",
    "received",
    "accepted",
    "rejected",
    "ready",
    "cancelled",
    "in-progress",
    "on-hold",
    "failed",
    "completed",
    "entered-in-error",
]
FOOD = {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "710925007"}]}}
REQUEST = {
    "resourceType": "ServiceRequest",
    "id": "s",
    "status": "active",
    "intent": "order",
    "subject": {"reference": "Patient/a"},
}


def clinic(status: str = "requested") -> FhirSandbox:
    return FhirSandbox([patient(1, id="a"), REQUEST, task("t", status=status)])


@pytest.mark.parametrize("before", STATUSES)
def test_the_target_makes_exactly_its_own_moves(before):
    with clinic(before) as running:
        for after in STATUSES:
            running._store.load([task("t", status=before)])
            if (before, after) in BY_TARGET:
                moved = running.task_transition("t", after, "words", FOOD if after == "completed" else None)
                assert moved["status"] == after
                assert moved["statusReason"] == {"text": "words"}
            else:
                with pytest.raises(RefusedError):
                    running.task_transition("t", after)
                assert running.read("Task", "t")["status"] == before


def test_completing_records_what_was_done_and_links_it_both_ways():
    with clinic("accepted") as running:
        done = running.task_transition("t", "completed", output_procedure=FOOD)
        (procedure,) = running.resources("Procedure")
        assert done["output"][0]["valueReference"] == {"reference": f"Procedure/{procedure['id']}"}
        assert done["output"][0]["type"]["coding"][0]["code"] == "resulting-activity"
        assert procedure["basedOn"] == [{"reference": "ServiceRequest/s"}]
        assert procedure["subject"] == {"reference": "Patient/a"}
        assert (procedure["status"], "performedDateTime" in procedure) == ("completed", True)
        found = call(f"{running.base_url}/Task?_id=t&_include=Task:output").json
        assert [one["resource"]["resourceType"] for one in found["entry"]] == ["Task", "Procedure"]


def test_completing_without_any_output_is_refused_and_leaves_nothing_behind():
    with clinic("accepted") as running:
        with pytest.raises(RefusedError, match="at least one output"):
            running.task_transition("t", "completed")
        with pytest.raises(RefusedError):
            running.task_transition("t", "requested", output_procedure=FOOD)
        assert running.resources("Procedure") == []
        assert running.read("Task", "t")["meta"]["versionId"] == "1"


def test_over_the_wire_too_a_referral_begins_as_draft_or_requested_and_moves_only_as_the_table_allows():
    with clinic() as running:
        path = f"{running.base_url}/Task/t"
        answer = call(path, "PUT", task("t", status="completed"))
        assert (answer.status, issue(answer)) == (422, "business-rule")
        assert call(path, "PUT", task("t", status="cancelled")).status == 200
        assert call(path, "PUT", task("t", status="requested")).status == 422
        assert call(path, "PUT", task("t", status="entered-in-error")).status == 200
        assert call(f"{running.base_url}/Task", "POST", task("x", status="accepted")).status == 422
        assert call(f"{running.base_url}/Task", "POST", task("x")).status == 201


def test_a_task_for_a_patient_has_states_of_its_own():
    with clinic() as running:
        contact = task("x", status="ready", code={"coding": [{"code": "make-contact"}]})
        assert call(f"{running.base_url}/Task", "POST", contact).status == 201


def test_two_writers_meet_at_if_match():
    with clinic() as running:
        seen = call(f"{running.base_url}/Task/t")
        running.task_transition("t", "accepted")
        late = call(
            f"{running.base_url}/Task/t", "PUT", task("t", status="cancelled"), If_Match=seen.headers["etag"]
        )
        assert late.status == 412
        assert running.read("Task", "t")["status"] == "accepted"
