from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.fhir.destination import FhirDestination
from adapters.fhir.source import LOOK_BACK
from adapters.fhir.status import FOCUS_PER_REQUEST, TaskSource
from adapters.port import Cause, Delivered, Refused, SourceDocument, Transient, Watermark
from adapters.sandbox.fhir import FhirSandbox
from adapters.sandbox.wire import Request, Response, as_json
from mappings.record.issue import Issue, IssueCode
from tests.adapters.fhir.orders import CODES, SYSTEM, fhir, order, sealed
from tests.adapters.fhir.test_client import bundle
from tests.adapters.partners import Partner, client

PROCEDURE = {"code": {"text": "ten meals"}}


def sent(clinic: FhirSandbox, http: Any, number: int = 1) -> tuple[str, str]:
    """Deliver a referral; the references of its ServiceRequest (as the receipt has it) and of its Task."""
    result = FhirDestination(fhir(http, clinic), SYSTEM).deliver(sealed(order(number)), opened=lambda: None)
    assert isinstance(result, Delivered)
    return result.receipt.locations[1], result.receipt.locations[2].split("/")[1]


def documents(items: list[Any]) -> list[tuple[str, str | None]]:
    return [(each.resource, each.body.get("status")) for each in items if isinstance(each, SourceDocument)]


def test_a_referral_is_followed_to_its_end_with_what_was_done():
    with FhirSandbox() as clinic, client() as http:
        focus, task = sent(clinic, http)
        source = TaskSource(fhir(http, clinic), [focus])
        items = list(source.pull(None))
        assert documents(items) == [("Task", "requested")]
        mark = items[-1]
        assert isinstance(mark, Watermark)
        for status in ("accepted", "in-progress"):
            clinic.task_transition(task, status)
        clinic.task_transition(task, "completed", output_procedure=PROCEDURE)
        items = list(source.pull(mark.since))
        assert documents(items) == [("Task", "completed"), ("Procedure", "completed")]
        assert isinstance(items[-1], Watermark)
        assert items[-1].since is not None
        assert mark.since is not None
        assert items[-1].since > mark.since


def test_outputs_are_fetched_where_the_server_cannot_include_them():
    output = {
        "type": {"coding": [{"system": CODES, "code": "resulting-activity"}]},
        "valueReference": {"reference": "Procedure/done"},
    }
    task = {
        "resourceType": "Task", "id": "t1", "status": "completed", "focus": {"reference": "ServiceRequest/s1"},
        "output": [output, output, {"valueReference": {"reference": "Observation/o1"}}, {"valueCodeableConcept": {}}, 7],
    }  # fmt: skip

    def serve(request: Request) -> Response:
        if request.path == "/metadata":
            return as_json(200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
        if request.path == "/Task":
            return as_json(200, bundle(task))
        return as_json(200, {"resourceType": "Procedure", "id": request.path.split("/")[-1]})

    with Partner(serve) as clinic, client() as http:
        items = list(TaskSource(fhir(http, clinic), ["ServiceRequest/s1"]).pull(None))
        assert [each.resource for each in items if isinstance(each, SourceDocument)] == ["Task", "Procedure"]
        assert [each.path for each in clinic.received] == ["/metadata", "/Task", "/Procedure/done"]


def test_an_output_that_may_not_be_read_is_an_issue_and_stops_nothing():
    task = {
        "resourceType": "Task", "id": "t1", "focus": {"reference": "ServiceRequest/s1"},
        "output": [{"valueReference": {"reference": "Procedure/secret"}}],
    }  # fmt: skip

    def serve(request: Request) -> Response:
        if request.path == "/metadata":
            return as_json(200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
        return as_json(200, bundle(task)) if request.path == "/Task" else Response(403)

    with Partner(serve) as clinic, client() as http:
        items = list(TaskSource(fhir(http, clinic), ["ServiceRequest/s1"]).pull(None))
    assert [type(each) for each in items] == [SourceDocument, Issue, Watermark]


def test_only_our_own_requests_are_asked_about():
    with FhirSandbox() as clinic, client() as http:
        focus, _ = sent(clinic, http, 1)
        sent(clinic, http, 2)
        items = list(TaskSource(fhir(http, clinic), [focus]).pull(None))
        assert len(documents(items)) == 1
        asked = clinic.received[-1].parameter("focus")
        assert asked == focus.partition("/_history")[0]


def test_tasks_a_server_sends_although_they_are_not_ours_are_dropped_unread():
    ours = {
        "resourceType": "Task",
        "id": "t1",
        "focus": {"reference": "https://clinic.invalid/fhir/ServiceRequest/s1"},
    }
    theirs = {
        "resourceType": "Task",
        "id": "t2",
        "focus": {"reference": "ServiceRequest/s2"},
        "description": "Kezia",
    }
    with answering_tasks(ours, theirs, {"resourceType": "Task", "id": "t3"}) as clinic, client() as http:
        items = list(TaskSource(fhir(http, clinic), ["ServiceRequest/s1/_history/3"]).pull(None))
    assert [each.record_id for each in items if isinstance(each, SourceDocument)] == ["t1"]
    issues = [each for each in items if isinstance(each, Issue)]
    assert [issue.code for issue in issues] == [IssueCode.NOT_OURS] * 2
    assert "Kezia" not in repr(items)


def answering_tasks(*tasks: Any) -> Partner:
    def serve(request: Request) -> Response:
        if request.path == "/metadata":
            return as_json(200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
        return as_json(200, bundle(*tasks))

    return Partner(serve)


def test_the_question_looks_back_a_little_further_than_the_mark():
    moment = datetime(2026, 11, 22, 8, 30, 0, 250_000, tzinfo=UTC)
    mark = int(moment.timestamp() * 1000)
    with answering_tasks() as clinic, client() as http:
        items = list(TaskSource(fhir(http, clinic), ["ServiceRequest/s1"]).pull(mark))
        assert items == [Watermark(mark, full=False)]
        asked = clinic.received[-1].parameter("_lastUpdated")
    assert asked is not None
    assert datetime.fromisoformat(asked.removeprefix("ge")) == moment - LOOK_BACK
    assert timedelta(minutes=1) <= LOOK_BACK


@pytest.mark.parametrize("word", ["yesterday", "2026-11-22T08:30:00", 7, None])
def test_a_time_that_cannot_be_read_moves_no_mark(word):
    task = {
        "resourceType": "Task",
        "id": "t",
        "focus": {"reference": "ServiceRequest/s1"},
        "meta": {"lastUpdated": word},
    }
    with answering_tasks(task) as clinic, client() as http:
        items = list(TaskSource(fhir(http, clinic), ["ServiceRequest/s1"]).pull(5))
    assert items[-1] == Watermark(5, full=False)


def test_many_referrals_are_asked_about_in_several_questions():
    with answering_tasks() as clinic, client() as http:
        focus = [f"ServiceRequest/s{number}" for number in range(FOCUS_PER_REQUEST + 1)]
        list(TaskSource(fhir(http, clinic), focus).pull(None))
        assert len([each for each in clinic.received if each.path == "/Task"]) == 2


def test_without_referrals_nothing_is_asked():
    with answering_tasks() as clinic, client() as http:
        assert list(TaskSource(fhir(http, clinic), []).pull(9)) == [Watermark(9, full=False)]
        assert clinic.received == []


def test_a_server_that_fails_or_is_not_r4_ends_the_poll_without_a_mark():
    for answer, expected in [
        (Response(503), Transient(Cause.HTTP_5XX, 503)),
        (
            as_json(200, {"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}),
            Refused(Cause.UNSUPPORTED),
        ),
    ]:
        with Partner(lambda _, answer=answer: answer) as clinic, client() as http:  # type: ignore[misc]
            assert list(TaskSource(fhir(http, clinic), ["ServiceRequest/s1"]).pull(None)) == [expected]
