"""The sandbox partner verifies Standard Webhooks: a signature over `id.timestamp.body`, five minutes, each id once."""

import base64
import datetime as dt
import hashlib
import hmac
import sys
import time
from typing import Any

import pytest
from standardwebhooks import Webhook

from adapters.sandbox.partner import DEFAULT_SECRET, PartnerSandbox
from tests.adapters.sandbox.caller import Answer, call

BODY = b'{"type":"plan.updated","data":{"ref":"r-1"}}'
OTHER_SECRET = "whsec_" + base64.b64encode(b"another invented secret, 32 long").decode()


def sign(name: str, stamp: int, body: bytes, secret: str = DEFAULT_SECRET) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def send(partner: PartnerSandbox, name: str = "msg_1", body: bytes = BODY, **changed: Any) -> Answer:
    stamp = changed.pop("stamp", int(time.time()))
    headers = {
        "webhook_id": name,
        "webhook_timestamp": str(stamp),
        "webhook_signature": sign(name, stamp, body, changed.pop("secret", DEFAULT_SECRET)),
        "Content_Type": "application/json",
    }
    return call(partner.base_url, "POST", body, **(headers | changed))


@pytest.fixture
def partner():
    with PartnerSandbox() as running:
        yield running


def test_a_genuine_webhook_is_accepted_and_kept(partner):
    assert send(partner).status == 204
    (delivery,) = partner.deliveries
    assert (delivery.id, delivery.payload["data"]) == ("msg_1", {"ref": "r-1"})
    assert delivery.first_byte_at == partner.received[0].first_byte_at


def test_the_same_id_again_is_accepted_and_kept_once(partner):
    assert [send(partner).status for _ in range(3)] == [204, 204, 204]
    assert len(partner.deliveries) == 1
    assert partner.repeats == ["msg_1", "msg_1"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"webhook_signature": "v1,AAAA"}, "no signature fits"),
        ({"webhook_signature": "v1,not base64!"}, "no signature fits"),
        ({"webhook_signature": "v1a," + "A" * 88}, "no signature fits"),
        ({"webhook_id": "msg_2"}, "no signature fits"),
        ({"secret": OTHER_SECRET}, "no signature fits"),
        ({"stamp": int(time.time()) - 301}, "five minutes"),
        ({"stamp": int(time.time()) + 900}, "five minutes"),
        ({"webhook_timestamp": "now"}, "whole seconds"),
        ({"webhook_id": ""}, "missing"),
        ({"webhook_signature": ""}, "missing"),
    ],
)
def test_anything_else_is_refused_with_the_reason_and_not_kept(partner, changed, reason):
    answer = send(partner, **changed)
    assert answer.status == 401
    assert reason in answer.json["error"]
    assert partner.deliveries == []
    assert len(partner.refusals) == 1


def test_a_body_changed_on_the_way_is_refused(partner):
    stamp = int(time.time())
    answer = send(partner, body=BODY + b" ", webhook_signature=sign("msg_1", stamp, BODY))
    assert answer.status == 401


def test_one_good_signature_among_several_is_enough_so_that_a_secret_can_be_rotated():
    with PartnerSandbox([OTHER_SECRET, DEFAULT_SECRET]) as partner:
        stamp = int(time.time())
        both = f"v1,{'A' * 44} {sign('msg_1', stamp, BODY)}"
        assert send(partner, stamp=stamp, webhook_signature=both).status == 204
        assert send(partner, "msg_2", secret=OTHER_SECRET).status == 204


def test_a_genuine_webhook_that_is_not_json_is_a_400(partner):
    assert send(partner, body=b"{").status == 400
    assert partner.deliveries == []


def test_only_post_to_its_own_endpoint(partner):
    assert call(partner.base_url).status == 405
    assert call(partner.origin + "/elsewhere", "POST", BODY).status == 404


@pytest.mark.parametrize("secret", ["plain", "whsec_c2hvcnQ=", "whsec_!!"])
def test_a_secret_that_the_specification_does_not_allow_is_refused(secret):
    with pytest.raises(ValueError):  # noqa: PT011 - base64 says it in its own words
        PartnerSandbox([secret])


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells how long bytes have waited in the kernel"
)
def test_slow_to_accept_it_still_tells_when_the_bytes_came(partner):
    partner.delay(accept=0.5)
    before = time.time()
    assert send(partner).status == 204
    assert time.time() - before >= 0.5
    assert partner.deliveries[0].first_byte_at - before < 0.45


@pytest.mark.peer
def test_it_agrees_with_the_reference_library(partner):
    now = dt.datetime.now(dt.UTC)
    signature = Webhook(DEFAULT_SECRET).sign("msg_9", now, BODY.decode())
    assert send(partner, "msg_9", stamp=int(now.timestamp()), webhook_signature=signature).status == 204
