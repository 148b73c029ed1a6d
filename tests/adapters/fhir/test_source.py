from typing import Any

from adapters.fhir.source import FhirSource
from adapters.port import Cause, Refused, SourceDocument, Watermark
from adapters.sandbox.fhir import FhirSandbox
from adapters.sandbox.wire import Request, Response, as_json
from mappings.record.issue import Issue
from tests.adapters.fhir.orders import fhir
from tests.adapters.fhir.test_client import bundle
from tests.adapters.partners import Partner, client

NEED = {
    "resourceType": "Condition",
    "subject": {"reference": "Patient/p0"},
    "code": {"text": "food insecurity"},
}
CHILD = {"resourceType": "Patient", "id": "p0", "gender": "female"}


def names(items: list[Any]) -> list[str]:
    return [f"{each.resource}/{each.record_id}" for each in items if isinstance(each, SourceDocument)]


def test_what_changed_since_the_mark_is_read_and_the_mark_moves_on():
    with FhirSandbox([CHILD, NEED | {"id": "c1"}]) as clinic, client() as http:
        source = FhirSource(fhir(http, clinic), [("Patient", {}), ("Condition", {"patient": "p0"})])
        items = list(source.pull(None))
        assert names(items) == ["Patient/p0", "Condition/c1"]
        mark = items[-1]
        assert isinstance(mark, Watermark)
        assert mark.since is not None
        clinic.add(NEED | {"id": "c2"})
        later = list(source.pull(mark.since))
        assert "Condition/c2" in names(later)
        assert isinstance(later[-1], Watermark)
        assert later[-1].since is not None
        assert later[-1].since > mark.since


def test_a_type_we_may_not_read_is_named_and_a_type_nobody_asked_for_is_dropped():
    def serve(request: Request) -> Response:
        if request.path == "/metadata":
            return as_json(200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
        if request.path == "/Goal":
            return Response(403)
        return as_json(200, bundle(NEED | {"id": "c1"}, {"resourceType": "Observation", "id": "o1"}))

    with Partner(serve) as clinic, client() as http:
        items = list(FhirSource(fhir(http, clinic), [("Goal", {}), ("Condition", {})]).pull(4))
    assert [type(each) for each in items] == [SourceDocument, Issue, Watermark]
    assert items[-1] == Watermark(4, full=False, absent=("Goal",))


def test_a_server_that_is_not_r4_is_not_read():
    answer = as_json(200, {"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"})
    with Partner(lambda _: answer) as clinic, client() as http:
        assert list(FhirSource(fhir(http, clinic), [("Goal", {})]).pull(None)) == [Refused(Cause.UNSUPPORTED)]
        assert len(clinic.received) == 1
