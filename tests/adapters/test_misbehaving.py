"""Every client against a partner that does everything wrong: bounded in time and memory, and the outcome is a value."""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.community.webhook import WebhookDestination, WebhookSecret
from adapters.edfi.discovery import discover
from adapters.fhir.client import FhirClient
from adapters.fhir.destination import FhirDestination
from adapters.http import HttpClient, Limits, Tls
from adapters.oauth import BearerClient, Secret, TokenSource
from adapters.port import Cause, Delivered, Failure, Malformed, Refused, Transient
from adapters.sandbox.misbehaving import MisbehavingSandbox
from adapters.sandbox.partner import DEFAULT_SECRET
from tests.adapters.fhir.orders import order, sealed
from tests.adapters.partners import ON_LOOPBACK

HURRIED = Limits(connect_s=1, read_s=0.6, write_s=0.6, pool_s=1, total_s=1.2, max_bytes=5_000_000)

TRANSIENT = {
    "500": Cause.HTTP_5XX,
    "503": Cause.HTTP_5XX,
    "429": Cause.HTTP_429,
    "hang": Cause.TIMEOUT,
    "slow-headers": Cause.TIMEOUT,
    "malformed": Cause.DISCONNECTED,
    "short": Cause.DISCONNECTED,
    "huge-header": Cause.DISCONNECTED,
    "reset": Cause.DISCONNECTED,
    "closed": Cause.DISCONNECTED,
}
REDIRECTS = ("redirect-self", "redirect-elsewhere", "redirect-private", "redirect-file")
TOO_LARGE = ("slow-drip", "gigabyte", "gigabyte-chunked", "gzip-bomb")
NONSENSE = ("invalid-json", "deep-json", "html", "wrong-charset", "ok")


def read_edfi(http: HttpClient, base: str) -> Any:
    return discover(http, base)


def deliver_fhir(http: HttpClient, base: str) -> Any:
    destination = FhirDestination(FhirClient(BearerClient(http, None), base), "https://hub.invalid/delivery")
    return destination.deliver(sealed(order()), opened=lambda: None)


def deliver_webhook(http: HttpClient, base: str) -> Any:
    secret = WebhookSecret.parse(DEFAULT_SECRET)
    destination = WebhookDestination(http, base, [secret], now=lambda: datetime.now(UTC))
    return destination.deliver(sealed(json.dumps({"subject": "pair-19"}).encode()), opened=lambda: None)


def ask_for_a_token(http: HttpClient, base: str) -> Any:
    return TokenSource(http, base, Secret("planhub", "s3cret")).token()


CLIENTS: list[Callable[[HttpClient, str], Any]] = [read_edfi, deliver_fhir, deliver_webhook, ask_for_a_token]
EVERY_CLIENT = pytest.mark.parametrize("act", CLIENTS, ids=lambda act: act.__name__)


@pytest.fixture(scope="module")
def partner() -> Iterator[MisbehavingSandbox]:
    with MisbehavingSandbox() as running:
        yield running


def outcome(
    act: Callable[[HttpClient, str], Any], partner: MisbehavingSandbox, path: str, tls: Tls | None = None
) -> Any:
    """What a client makes of one fault, in bounded time."""
    with HttpClient(limits=HURRIED, egress=ON_LOOPBACK, tls=tls) as http:
        started = time.monotonic()
        result = act(http, f"{partner.base_url}/{path}")
        assert time.monotonic() - started < HURRIED.total_s + 0.5
        return result


@EVERY_CLIENT
@pytest.mark.parametrize("path", TRANSIENT)
def test_what_may_pass_is_transient(partner, act, path):
    result = outcome(act, partner, path)
    assert isinstance(result, Transient)
    assert result.cause is TRANSIENT[path]
    assert result.retry_after_s == (1.0 if path == "429" else None)


@EVERY_CLIENT
@pytest.mark.parametrize("path", REDIRECTS)
def test_a_redirect_is_refused_wherever_it_leads(partner, act, path):
    before = len(partner.received)
    assert outcome(act, partner, path) == Refused(Cause.REDIRECT, 307)
    assert len(partner.received) == before + 1


@EVERY_CLIENT
@pytest.mark.parametrize("path", TOO_LARGE)
def test_a_gigabyte_is_never_held(partner, act, path):
    tracemalloc.start()
    try:
        result = outcome(act, partner, path)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
    if act is deliver_webhook:
        assert isinstance(result, Delivered)  # the partner said 200; the rest was not read
    else:
        assert isinstance(result, Malformed)
        # The bomb's first member is below what one page of a FHIR search may have; then it is merely no FHIR.
        assert result.cause in (
            {Cause.TOO_LARGE, Cause.BAD_SHAPE} if path == "gzip-bomb" else {Cause.TOO_LARGE}
        )


@EVERY_CLIENT
@pytest.mark.parametrize("path", NONSENSE)
def test_an_answer_that_means_nothing_is_told_from_success(partner, act, path):
    result = outcome(act, partner, path)
    if act is deliver_webhook:
        assert isinstance(result, Delivered)
    else:
        assert isinstance(result, Malformed)
        assert result.status in {200, None}


@EVERY_CLIENT
@pytest.mark.parametrize("kind", ["expired", "wrong-host", "self-signed"])
def test_a_bad_certificate_is_transient_and_nothing_is_sent(act, kind):
    with MisbehavingSandbox(certificate=kind) as secured:
        assert outcome(act, secured, "ok", Tls(ca_pem=secured.authority)) == Transient(Cause.TLS)
        assert secured.received == []


def test_a_good_certificate_is_accepted():
    with MisbehavingSandbox(certificate="good") as secured:
        assert isinstance(outcome(deliver_webhook, secured, "ok", Tls(ca_pem=secured.authority)), Delivered)
        assert outcome(deliver_webhook, secured, "ok") == Transient(
            Cause.TLS
        )  # its authority is not the system's


def test_every_fault_of_the_sandbox_is_looked_at(partner):
    assert set(partner.paths()) == {*TRANSIENT, *REDIRECTS, *TOO_LARGE, *NONSENSE}
    assert isinstance(outcome(read_edfi, partner, "no-such-fault"), Failure)
