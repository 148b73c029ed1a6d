import json
from typing import Any
from uuid import UUID

import pytest

from adapters.fhir.client import FhirClient
from adapters.fhir.destination import FhirDestination
from adapters.oauth import BearerClient, Secret, TokenSource
from adapters.port import (
    Cause,
    Delivered,
    Malformed,
    Refused,
    SealBroken,
    Sealed,
    StaleDecision,
    Transient,
    Unauthorized,
)
from adapters.sandbox.fhir import FhirSandbox
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Request, Response, as_json
from tests.adapters.fhir.orders import DELIVERY, SYSTEM, fhir, identified, order, sealed
from tests.adapters.partners import Partner, client

R4 = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
ABLE = R4 | {"rest": [{"mode": "server", "interaction": [{"code": "transaction"}]}]}


def deliver(host: Sandbox, what: Sealed, opened: Any = lambda: None) -> Any:
    with client() as http:
        return FhirDestination(fhir(http, host), SYSTEM).deliver(what, opened=opened)


def answering(answer: Response, capability: Any = ABLE) -> Partner:
    """A server with a capability statement and one answer to every POST."""

    def serve(request: Request) -> Response:
        return as_json(200, capability) if request.path == "/metadata" else answer

    return Partner(serve)


def test_a_bundle_arrives_and_the_receipt_says_where():
    with FhirSandbox() as clinic:
        result = deliver(clinic, sealed(order()))
        assert isinstance(result, Delivered)
        assert [each.split("/")[0] for each in result.receipt.locations] == [
            "Patient",
            "ServiceRequest",
            "Task",
        ]
        assert not result.receipt.repeated
        (task,) = clinic.resources("Task")
        assert task["focus"]["reference"].startswith("ServiceRequest/")


def test_the_bytes_that_arrive_are_the_sealed_ones():
    body = json.dumps(order(), indent=3).encode()
    with FhirSandbox() as clinic:
        assert isinstance(deliver(clinic, sealed(body)), Delivered)
        assert clinic.received[-1].body == body
        assert clinic.received[-1].header("content-type") == "application/fhir+json"


def test_the_same_bundle_twice_makes_one_of_each():
    with FhirSandbox() as clinic:
        deliver(clinic, sealed(order()))
        again = deliver(clinic, sealed(order()))
        assert isinstance(again, Delivered)
        assert again.receipt.repeated
        assert [len(clinic.resources(kind)) for kind in ("Patient", "ServiceRequest", "Task")] == [1, 1, 1]


def test_an_answer_that_got_lost_is_found_out_by_sending_again():
    with FhirSandbox() as clinic, client() as http:
        destination = FhirDestination(fhir(http, clinic), SYSTEM)
        assert isinstance(destination.deliver(sealed(order(1)), opened=lambda: None), Delivered)
        clinic.drop_answers(1)
        assert destination.deliver(sealed(order(2)), opened=lambda: None) == Transient(Cause.DISCONNECTED)
        again = destination.deliver(sealed(order(2)), opened=lambda: None)
        assert isinstance(again, Delivered)
        assert again.receipt.repeated
        assert len(clinic.resources("Task")) == 2


def test_one_resource_is_created_once_by_delivery_id():
    observation = identified(
        "Observation", str(DELIVERY), status="final", code={"text": "x"}, subject={"reference": "Patient/p"}
    )
    with FhirSandbox([{"resourceType": "Patient", "id": "p"}]) as clinic:
        first, second = deliver(clinic, sealed(observation)), deliver(clinic, sealed(observation))
        assert isinstance(first, Delivered)
        assert isinstance(second, Delivered)
        assert (first.receipt.repeated, second.receipt.repeated) == (False, True)
        assert first.receipt.locations == second.receipt.locations
        assert len(clinic.resources("Observation")) == 1
        other = deliver(clinic, sealed(observation | {"identifier": [{"value": "another"}]}, UUID(int=43)))
        assert isinstance(other, Delivered)
        assert len(clinic.resources("Observation")) == 2


@pytest.mark.parametrize(
    "spoilt",
    [
        {"method": "POST", "url": "Patient"},
        {"method": "DELETE", "url": "Patient/1"},
        {"method": "PATCH", "url": "Patient/1"},
        {},
    ],
)
def test_a_bundle_that_could_make_something_twice_is_not_sent(spoilt):
    bundle = order()
    bundle["entry"][0]["request"] = spoilt
    with FhirSandbox() as clinic:
        assert deliver(clinic, sealed(bundle)) == Refused(Cause.NOT_REPEATABLE)
        assert [each.method for each in clinic.received] == ["GET"]


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"resourceType":"Bundle","type":"batch","entry":[{}]}',
        b'{"resourceType":"Bundle","type":"transaction"}',
    ],
)
def test_a_body_that_is_no_delivery_is_not_sent(body):
    with FhirSandbox() as clinic:
        assert deliver(clinic, sealed(body)) == Refused(Cause.BAD_SHAPE)
        assert [each.method for each in clinic.received] in ([], ["GET"])


@pytest.mark.parametrize(
    "capability",
    [ABLE | {"fhirVersion": "5.0.0"}, ABLE | {"fhirVersion": "4.3.0"}, R4, R4 | {"rest": 7}],
)
def test_a_server_that_is_not_r4_or_has_no_transactions_receives_nothing(capability):
    with answering(Response(200), capability) as clinic:
        assert deliver(clinic, sealed(order())) == Refused(Cause.UNSUPPORTED)
        assert [each.method for each in clinic.received] == ["GET"]


def test_bytes_that_are_not_those_of_the_ledger_entry_are_never_sent():
    good = sealed(order())
    broken = Sealed(
        good.body + b" ", good.entry, good.delivery_id, good.payload_sha256, good.decided_at, good.proof
    )
    with FhirSandbox() as clinic:
        with pytest.raises(SealBroken) as fault:
            deliver(clinic, broken)
        assert "Boateng" not in str(fault.value)
        assert clinic.received == []


def test_a_stale_decision_leaves_the_server_with_the_capability_question_only():
    def stale() -> None:
        raise StaleDecision

    with FhirSandbox() as clinic:
        with pytest.raises(StaleDecision):
            deliver(clinic, sealed(order()), stale)
        assert [(each.method, each.path) for each in clinic.received] == [("GET", "/fhir/metadata")]


def test_freshness_is_asked_once_and_right_before_the_bundle():
    moments: list[int] = []
    with FhirSandbox() as clinic:
        deliver(clinic, sealed(order()), lambda: moments.append(len(clinic.received)))
    assert moments == [1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(200, b"<html>please sign in</html>"), Malformed(Cause.BAD_SHAPE, 200)),
        (
            as_json(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": []}),
            Malformed(Cause.BAD_SHAPE, 200),
        ),
        (
            as_json(
                200,
                {
                    "type": "transaction-response",
                    "entry": [{"response": {"status": "201"}}] * 2 + [{"response": {"status": "404"}}],
                },
            ),
            Malformed(Cause.BAD_SHAPE, 200),
        ),
        (
            as_json(412, {"issue": [{"code": "multiple-matches"}]}),
            Refused(Cause.CONFLICT, 412, ("multiple-matches",)),
        ),
        (
            as_json(422, {"issue": [{"code": "business-rule"}]}),
            Refused(Cause.HTTP_4XX, 422, ("business-rule",)),
        ),
        (Response(429, b"", (("Retry-After", "30"),)), Transient(Cause.HTTP_429, 429, 30.0)),
        (Response(500), Transient(Cause.HTTP_5XX, 500)),
        (Response(307, b"", (("Location", "/x"),)), Refused(Cause.REDIRECT, 307)),
        (Response(200, b" " * 30_000_000), Malformed(Cause.TOO_LARGE, 200)),
    ],
    ids=["login-page", "empty", "half", "412", "422", "429", "500", "redirect", "huge"],
)
def test_every_other_answer_is_a_value(answer, expected):
    with answering(answer) as clinic:
        assert deliver(clinic, sealed(order())) == expected


def test_a_login_page_is_not_taken_for_a_created_resource():
    with answering(Response(200, b"<html>")) as clinic:
        assert deliver(clinic, sealed(identified("Task", "x"))) == Malformed(Cause.BAD_SHAPE, 200)


def test_locations_are_kept_without_host_and_only_where_they_are_references():
    entries = [
        {
            "response": {
                "status": "201 Created",
                "location": "https://clinic.invalid/fhir/Patient/12/_history/1",
            }
        },
        {"response": {"status": "201", "location": "urn:uuid:x"}},
        {"response": {"status": "200"}},
    ]
    with answering(as_json(200, {"type": "transaction-response", "entry": entries})) as clinic:
        result = deliver(clinic, sealed(order()))
    assert isinstance(result, Delivered)
    assert result.receipt.locations == ("Patient/12/_history/1",)


def test_a_server_that_wants_a_token_gets_one():
    issuer = Partner(
        lambda _: as_json(200, {"access_token": "t1", "token_type": "bearer", "expires_in": 300})
    )
    with issuer, FhirSandbox(tokens={"t1"}) as clinic, client() as http:
        tokens = TokenSource(http, issuer.base_url + "/token", Secret("planhub", "s3cret"))
        able = FhirClient(BearerClient(http, tokens), clinic.base_url)
        assert isinstance(
            FhirDestination(able, SYSTEM).deliver(sealed(order()), opened=lambda: None), Delivered
        )
        assert clinic.received[-1].header("authorization") == "Bearer t1"
        assert deliver(clinic, sealed(order())) == Unauthorized(Cause.BAD_TOKEN, 401, ("login",))
