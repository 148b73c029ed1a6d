import base64
import json
import threading
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapters.http import HttpClient, Reply, within
from adapters.oauth import ASSERTION_TYPE, Algorithm, Assertion, BearerClient, Secret, TokenSource
from adapters.port import Cause, Malformed, StaleDecision, Transient, Unauthorized
from adapters.sandbox.wire import Request, Response, as_json
from tests.adapters.partners import Partner, always, client

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer(Partner):
    """Issues numbered tokens and accepts the newest one only."""

    def __init__(self, **token: Any) -> None:
        super().__init__(self.serve_one)
        self.issued = 0
        self.token = {"token_type": "bearer", "expires_in": 100, **token}
        self.revoked = False

    def serve_one(self, request: Request) -> Response:
        if request.path == "/token":
            self.issued += 1
            self.revoked = False
            return as_json(200, {"access_token": f"t{self.issued}", **self.token})
        if self.revoked or request.header("authorization") != f"Bearer t{self.issued}":
            return Response(401)
        return Response(200, b"welcome")

    def asked_for_tokens(self) -> list[Request]:
        return [each for each in self.received if each.path == "/token"]


def source(http: HttpClient, partner: Partner, clock: Clock | None = None) -> TokenSource:
    return TokenSource(
        http, partner.base_url + "/token", Secret("planhub", "s3cret"), monotonic=clock or Clock()
    )


def test_a_token_is_kept_until_four_fifths_of_its_life():
    clock = Clock()
    with Issuer() as partner, client() as http:
        tokens = source(http, partner, clock)
        assert tokens.token() == "t1"
        clock.now += 79
        assert tokens.token() == "t1"
        clock.now += 1
        assert tokens.token() == "t2"


@pytest.mark.parametrize("life", ["100", 100, 100.0])
def test_a_life_sent_as_text_is_read(life):
    clock = Clock()
    with Issuer(expires_in=life) as partner, client() as http:
        tokens = source(http, partner, clock)
        tokens.token()
        clock.now += 80
        assert tokens.token() == "t2"


@pytest.mark.parametrize("life", [None, -1, 0, True, "soon", 1e300])
def test_a_life_that_means_nothing_counts_as_five_minutes(life):
    clock = Clock()
    with Issuer(expires_in=life) as partner, client() as http:
        tokens = source(http, partner, clock)
        tokens.token()
        clock.now += 239
        assert tokens.token() == "t1"
        clock.now += 1
        assert tokens.token() == "t2"


def test_the_secret_goes_into_the_header_or_into_the_body():
    with Issuer() as partner, client() as http:
        source(http, partner).token()
        TokenSource(
            http, partner.base_url + "/token", Secret("plan:hub", "s+3", in_body=True), scope="a b"
        ).token()
        basic, body = partner.asked_for_tokens()
        sent = basic.headers["authorization"].removeprefix("Basic ")
        assert base64.b64decode(sent) == b"planhub:s3cret"
        assert basic.form() == {"grant_type": "client_credentials"}
        assert body.header("authorization") is None
        assert body.form() == {
            "grant_type": "client_credentials",
            "client_id": "plan:hub",
            "client_secret": "s+3",
            "scope": "a b",
        }


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        (Algorithm.ES384, ec.generate_private_key(ec.SECP384R1())),
        (Algorithm.RS384, rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    ],
)
def test_an_assertion_says_what_smart_asks_for(algorithm, key):
    jti = UUID(int=7)
    credentials = Assertion(
        "planhub",
        key,
        "key-1",
        algorithm,
        now=lambda: NOW,
        new_id=lambda: jti,
        jwks_url="https://hub.invalid/jwks",
    )
    with Issuer() as partner, client() as http:
        url = partner.base_url + "/token"
        assert TokenSource(http, url, credentials, scope="system/Task.rs").token() == "t1"
        form = partner.received[0].form()
    assert form["client_assertion_type"] == ASSERTION_TYPE
    assert form["scope"] == "system/Task.rs"
    signed = form["client_assertion"]
    assert jwt.get_unverified_header(signed) == {
        "alg": algorithm.value,
        "kid": "key-1",
        "typ": "JWT",
        "jku": "https://hub.invalid/jwks",
    }
    claims = jwt.decode(
        signed, key.public_key(), algorithms=[algorithm.value], audience=url, options={"verify_exp": False}
    )
    assert claims == {
        "iss": "planhub",
        "sub": "planhub",
        "aud": url,
        "exp": int(NOW.timestamp()) + 240,
        "jti": str(jti),
    }


def test_a_refused_token_is_replaced_once_and_the_request_sent_again():
    with Issuer() as partner, client() as http:
        bearer = BearerClient(http, source(http, partner))
        assert isinstance(bearer.send("GET", partner.base_url + "/data"), Reply)
        partner.revoked = True
        reply = bearer.send("GET", partner.base_url + "/data")
        assert isinstance(reply, Reply)
        assert reply.body == b"welcome"
        assert partner.issued == 2


def test_a_partner_that_refuses_every_token_is_asked_twice_and_no_more():
    with always(401) as data, Issuer() as partner, client() as http:
        bearer = BearerClient(http, source(http, partner))
        reply = bearer.send("GET", data.base_url)
        assert isinstance(reply, Reply)
        assert reply.status == 401
        assert len(data.received) == 2


def test_the_freshness_of_a_decision_is_asked_before_each_attempt_and_never_for_the_token():
    asked = []

    def opened():
        asked.append(len(partner.received))
        if len(asked) == 2:
            raise StaleDecision

    with Issuer() as partner, client() as http:
        bearer = BearerClient(http, source(http, partner))
        bearer.send("GET", partner.base_url + "/data")
        partner.revoked = True
        with pytest.raises(StaleDecision):
            bearer.send("POST", partner.base_url + "/data", content=b"secret", opened=opened)
        assert asked == [2, 4]  # 401, a new token, and then nothing more
        assert len(partner.received) == 4


def test_a_partner_without_tokens_is_called_as_it_is():
    with always(200) as partner, client() as http:
        assert isinstance(BearerClient(http, None).send("GET", partner.base_url), Reply)
        assert partner.received[0].header("authorization") is None


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"error":"invalid_client"}', Unauthorized(Cause.BAD_TOKEN, 400)),
        (401, b"", Unauthorized(Cause.BAD_TOKEN, 401)),
        (503, b"", Transient(Cause.HTTP_5XX, 503)),
        (200, b"<html>", Malformed(Cause.BAD_JSON, 200)),
        (200, b"[]", Malformed(Cause.BAD_JSON, 200)),
        (200, b"{}", Malformed(Cause.BAD_SHAPE, 200)),
        (200, json.dumps({"access_token": "a\r\nX: b"}).encode(), Malformed(Cause.BAD_SHAPE, 200)),
        (
            200,
            json.dumps({"access_token": "a", "token_type": "mac"}).encode(),
            Malformed(Cause.BAD_SHAPE, 200),
        ),
        (200, json.dumps({"access_token": "a" * 200_000}).encode(), Malformed(Cause.TOO_LARGE, 200)),
    ],
)
def test_a_token_endpoint_that_fails_says_why(status, body, expected):
    with always(status, body) as partner, client() as http:
        tokens = source(http, partner)
        assert tokens.token() == expected
        assert BearerClient(http, tokens).send("GET", partner.base_url) == expected


def test_threads_that_need_a_token_at_once_fetch_one():
    with Issuer() as partner, client() as http:
        tokens = source(http, partner)
        threads = [threading.Thread(target=tokens.token) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert partner.issued == 1


def test_waiting_for_the_token_another_thread_asks_for_is_part_of_an_attempts_time():
    asked, go = threading.Event(), threading.Event()

    def slow(_request: Request) -> Response:
        asked.set()
        go.wait(10)
        return Response(503)

    with Partner(slow) as partner, client() as http:
        tokens = source(http, partner)
        first = threading.Thread(target=tokens.token)
        first.start()
        assert asked.wait(10)
        with within(0.05):
            assert tokens.token() == Transient(Cause.TIMEOUT)
        go.set()
        first.join()
    assert len(partner.received) == 1


def test_nothing_secret_shows():
    shown = repr(Secret("planhub", "s3cret")) + repr(
        Assertion("planhub", "PRIVATE", "k", Algorithm.ES384, now=lambda: NOW, new_id=uuid4)
    )
    assert "s3cret" not in shown
    assert "PRIVATE" not in shown
