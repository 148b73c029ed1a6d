import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from adapters.community.webhook import (
    BadSecret,
    WebhookDestination,
    WebhookSecret,
    headers,
    verify,
)
from adapters.port import (
    Cause,
    Delivered,
    Receipt,
    Refused,
    SealBroken,
    Sealed,
    StaleDecision,
    Transient,
    Unauthorized,
)
from adapters.sandbox.partner import DEFAULT_SECRET, PartnerSandbox
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Response
from tests.adapters.fhir.orders import sealed
from tests.adapters.partners import always, client, endless, silent, taking_over

BODY = json.dumps({"specversion": "1.0", "subject": "pair-19"}).encode()
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


def secret_text(fill: bytes = b"k") -> str:
    return "whsec_" + base64.b64encode(fill * 32).decode()


def deliver(host: Sandbox, what: Sealed | None = None, opened: Any = lambda: None, *secrets: str) -> Any:
    keys = [WebhookSecret.parse(text) for text in secrets or (DEFAULT_SECRET,)]
    with client() as http:
        destination = WebhookDestination(http, host.base_url, keys, now=lambda: datetime.now(UTC))
        return destination.deliver(what or sealed(BODY), opened=opened)


def test_a_partner_accepts_what_we_sign():
    with PartnerSandbox() as partner:
        result = deliver(partner)
        assert isinstance(result, Delivered)
        assert result.receipt.status == 204
        (delivery,) = partner.deliveries
        assert delivery.id == str(sealed(BODY).delivery_id)
        assert partner.received[0].body == BODY
        assert partner.received[0].header("content-type") == "application/json"


def test_a_second_attempt_has_the_same_id_so_that_the_partner_keeps_one():
    with PartnerSandbox() as partner:
        deliver(partner)
        assert isinstance(deliver(partner), Delivered)
        assert len(partner.deliveries) == 1
        assert partner.repeats == [str(sealed(BODY).delivery_id)]


def test_while_a_secret_is_replaced_both_sign_and_the_partner_may_have_either():
    old, new = secret_text(b"o"), secret_text(b"n")
    for theirs in (old, new):
        with PartnerSandbox([theirs]) as partner:
            assert isinstance(deliver(partner, None, lambda: None, new, old), Delivered)
            assert len(partner.received[0].headers["webhook-signature"].split(" ")) == 2


def test_a_partner_with_another_secret_refuses():
    with PartnerSandbox([secret_text(b"x")]) as partner:
        assert isinstance(deliver(partner), Unauthorized)
        assert partner.deliveries == []


@pytest.mark.peer
def test_the_published_library_accepts_our_signatures_and_we_accept_its():
    text = secret_text()
    ours, theirs = WebhookSecret.parse(text), standardwebhooks.Webhook(text)
    now = datetime.now(UTC)
    signed = headers([WebhookSecret.parse(secret_text(b"z")), ours], "msg-1", now, BODY)
    assert theirs.verify(BODY, signed) == json.loads(BODY)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        theirs.verify(BODY + b" ", signed)
    by_them = {
        "Webhook-Id": "msg-1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": theirs.sign("msg-1", now, BODY.decode()),
    }
    assert verify([ours], by_them, BODY, now)
    assert not verify([ours], by_them, BODY + b" ", now)


@given(st.text(min_size=1, max_size=40), st.binary(max_size=200), st.binary(min_size=24, max_size=64))
def test_what_is_signed_verifies_and_nothing_else_does(identifier, body, key):
    secret = WebhookSecret(key)
    signed = headers([secret], identifier, NOW, body)
    assert verify([secret], signed, body, NOW)
    assert not verify([secret], signed | {"webhook-id": identifier + "x"}, body, NOW)
    assert not verify([secret], signed, body + b"x", NOW)
    assert not verify([WebhookSecret(key[::-1] + b"!")], signed, body, NOW)
    assert not verify([], signed, body, NOW)


@pytest.mark.parametrize(("minutes", "accepted"), [(0, True), (5, True), (-5, True), (6, False), (-6, False)])
def test_a_message_is_good_for_five_minutes(minutes, accepted):
    secret = WebhookSecret.parse(secret_text())
    signed = headers([secret], "m", NOW, BODY)
    assert verify([secret], signed, BODY, NOW + timedelta(minutes=minutes)) is accepted


@pytest.mark.parametrize(
    "spoilt",
    [
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "²"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-id": ""},
        {"webhook-signature": "v1a,abc"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,é"},
    ],
)
def test_headers_that_make_no_sense_are_not_genuine(spoilt):
    secret = WebhookSecret.parse(secret_text())
    assert not verify([secret], headers([secret], "m", NOW, BODY) | spoilt, BODY, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "k" * 40,
        "whsec_!!!!",
        "whsec_" + base64.b64encode(b"short").decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
    ],
)
def test_a_secret_that_is_none_is_refused_without_being_quoted(text):
    with pytest.raises(BadSecret) as fault:
        WebhookSecret.parse(text)
    assert not text.removeprefix("whsec_") or text not in str(fault.value)


def test_a_secret_may_be_written_without_padding_and_never_shows():
    padded = "whsec_" + base64.b64encode(b"k" * 25).decode()
    secret = WebhookSecret.parse(padded.rstrip("="))
    assert secret == WebhookSecret.parse(padded)
    assert "kkk" not in repr(secret)


def test_a_webhook_without_a_secret_is_a_setting_that_is_refused():
    with client() as http, pytest.raises(BadSecret):
        WebhookDestination(http, "https://partner.invalid/", [], now=lambda: NOW)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(410), Refused(Cause.GONE, 410)),
        (Response(404), Refused(Cause.NOT_FOUND, 404)),
        (Response(401), Unauthorized(Cause.BAD_TOKEN, 401)),
        (Response(429, b"", (("Retry-After", "9"),)), Transient(Cause.HTTP_429, 429, 9.0)),
        (Response(500), Transient(Cause.HTTP_5XX, 500)),
        (Response(302, b"", (("Location", "/"),)), Refused(Cause.REDIRECT, 302)),
    ],
)
def test_every_refusal_is_a_value(answer, expected):
    with always(answer.status, answer.body, *answer.headers) as partner:
        assert deliver(partner) == expected


def test_the_receipt_holds_a_digest_of_the_answer_and_not_the_answer():
    with always(200, b"thank you, Ama") as partner:
        result = deliver(partner)
    assert result == Delivered(Receipt(200, response_sha256=hashlib.sha256(b"thank you, Ama").digest()))


def test_a_partner_that_says_yes_and_then_a_gigabyte_has_said_yes():
    with taking_over(endless()) as partner:
        assert deliver(partner) == Delivered(Receipt(200))


def test_a_partner_that_says_nothing_is_a_transient_failure():
    with taking_over(silent) as partner:
        assert deliver(partner) == Transient(Cause.TIMEOUT)


def test_a_stale_decision_or_a_broken_seal_sends_nothing():
    def stale() -> None:
        raise StaleDecision

    good = sealed(BODY)
    broken = Sealed(b"{}", good.entry, good.delivery_id, good.payload_sha256, good.decided_at, good.proof)
    with PartnerSandbox() as partner:
        with pytest.raises(StaleDecision):
            deliver(partner, None, stale)
        with pytest.raises(SealBroken):
            deliver(partner, broken)
        assert partner.received == []
