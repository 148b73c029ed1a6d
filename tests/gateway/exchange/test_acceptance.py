"""The published protocol seen from the recipient: every webhook brings its receipt, and what does not verify is refused."""

import json
import zlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from starlette.testclient import TestClient

from adapters.community.webhook import WebhookSecret
from adapters.sandbox.partner import DEFAULT_SECRET, PartnerSandbox
from consent.note import SignerKey
from consent.proof import ProofFault
from consent.receipt import HEADER, ReceiptFault, pack_receipt, unpack_receipt
from consent.trust_policy import TrustPolicy
from gateway.app import build
from gateway.cli.acceptance import WORDS
from gateway.exchange.acceptance import Accepted, Refusal, Rejection, accept
from gateway.exchange.deliver import work_lane
from gateway.exchange.monitor import Fetch
from gateway.exchange.receipts import receipt_for
from gateway.exchange.sequence import sequence
from gateway.exchange.witnessing import ask_all, client
from gateway.store import witnesses
from gateway.store.pipeline import driver_of
from mappings.record.category import Category
from tests.gateway.api.conftest import System
from tests.gateway.exchange.partners import attempts_of, hasty, plan_in_force, queue, subscribe
from tests.gateway.family import SIGNER, Family, add_agency, now
from tests.gateway.store.log import append, rows
from tests.gateway.witnesses import a_witness, policy_of, policy_with, there

POLICY = policy_of(f"log {SIGNER.verifier}\nquorum none\n")
SECRETS = [WebhookSecret.parse(DEFAULT_SECRET)]


@dataclass(frozen=True)
class Arrived:
    """A delivery as its recipient has it."""

    headers: dict[str, str]
    body: bytes
    recipient: str
    family: Family
    at: datetime

    def judged(
        self,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        recipient: str | None = None,
        policy: TrustPolicy = POLICY,
        at: datetime | None = None,
        log: Fetch | None = None,
    ) -> Accepted | Refusal:
        """What its recipient makes of it, with these things changed."""
        return accept(
            self.headers if headers is None else headers,
            self.body if body is None else body,
            secrets=SECRETS,
            recipient=recipient or self.recipient,
            policy=policy,
            at=at or self.at,
            log=log,
        )


@pytest.fixture
def arrived(fresh_hub, monkeypatch):
    """One plan, delivered by webhook to an agency that may see it."""
    monkeypatch.setenv("SIGNING", DEFAULT_SECRET)
    hub = hasty(fresh_hub)
    school, clinic = add_agency(hub), add_agency(hub, programme=Category.HEALTH)
    family = Family(hub)
    family.states(school, Category.SCHOOL)
    family.permits(clinic, Category.IDENTITY, Category.SCHOOL)
    plan_in_force(hub, family, school)
    with PartnerSandbox() as partner:
        config = {"url": partner.base_url, "secrets": {"signing": "env:SIGNING"}}
        queue(hub, clinic, family.child, subscribe(hub, clinic, "webhook", config=config))
        work_lane(hub, (clinic, family.child))
        (request,) = partner.received
    return Arrived(dict(request.headers), request.body, clinic, family, now())


def test_a_delivery_with_its_receipt_is_accepted_and_says_what_it_binds_to(arrived):
    found = arrived.judged()
    assert isinstance(found, Accepted)
    assert found.receipt.scope["recipient"] == arrived.recipient
    assert found.receipt.scope["categories"] == ["school"]
    assert str(arrived.family.child) not in found.receipt.model_dump_json()
    assert json.loads(arrived.body)


def test_a_receipt_fits_into_a_header(arrived):
    assert (
        len(next(value for name, value in arrived.headers.items() if name.lower() == HEADER.lower())) < 6_000
    )


def test_what_was_tampered_with_is_refused_for_the_reason_it_is(arrived):
    resigned = dict(arrived.headers)
    body = arrived.body.replace(b"{", b"{ ", 1)
    identifier, stamp = resigned["webhook-id"], int(resigned["webhook-timestamp"])
    resigned["webhook-signature"] = SECRETS[0].signature(identifier, stamp, body)
    receipt = arrived.judged().receipt
    without = {name: value for name, value in arrived.headers.items() if name.lower() != HEADER.lower()}

    def bearing(text):
        return without | {HEADER: text}

    shown = receipt.opening.model_copy(update={"shown": receipt.opening.shown | {"purpose": "TREAT"}})
    altered = receipt.model_copy(update={"opening": shown})
    moved = receipt.model_copy(update={"sequence": receipt.sequence + 1})
    forged = receipt.model_copy(update={"proof": receipt.proof.replace("\n— ", "\n— x")})
    cases = {
        "the body changed on the way": (arrived.judged(body=body), Rejection.NOT_SIGNED),
        "a partner's secret was stolen and signs another body": (arrived.judged(body=body, headers=resigned), ReceiptFault.OTHER_PAYLOAD),
        "it is replayed later": (arrived.judged(at=arrived.at + timedelta(minutes=6)), Rejection.NOT_SIGNED),
        "it comes without a receipt": (arrived.judged(headers=without), Rejection.NO_RECEIPT),
        "its receipt is nonsense": (arrived.judged(headers=bearing("AAAA")), Rejection.RECEIPT_MALFORMED),
        "it is for another recipient": (arrived.judged(recipient="another"), ReceiptFault.OTHER_RECIPIENT),
        "its purpose was rewritten": (arrived.judged(headers=bearing(pack_receipt(altered))), ReceiptFault.NOT_OPENED),
        "its number was rewritten": (arrived.judged(headers=bearing(pack_receipt(moved))), ReceiptFault.OTHER_SEQUENCE),
        "its checkpoint is signed by nobody": (arrived.judged(headers=bearing(pack_receipt(forged))), Rejection.UNKNOWN_LOG),
        "it is another log's": (arrived.judged(policy=policy_of(f"log {SignerKey('other/log', bytes(32)).verifier}\nquorum none\n")), Rejection.UNKNOWN_LOG),
    }  # fmt: skip
    assert {name: found for name, (found, _) in cases.items()} == {
        name: why for name, (_, why) in cases.items()
    }


def test_a_log_that_has_changed_its_key_is_known_by_either(arrived):
    after = SignerKey(SIGNER.name, bytes(32))
    assert isinstance(
        arrived.judged(policy=policy_of(f"log {after.verifier}\nlog {SIGNER.verifier}\nquorum none\n")),
        Accepted,
    )
    assert arrived.judged(policy=policy_of(f"log {after.verifier}\nquorum none\n")) is Rejection.UNKNOWN_LOG


def test_a_quorum_is_waited_for_and_then_proved_from_what_the_log_serves(fresh_hub, arrived, tmp_path):
    with a_witness(tmp_path) as library:
        policy = policy_with(library)
        hub = replace(hasty(fresh_hub), policy=policy)
        served = TestClient(build(hub), raise_server_exceptions=False)

        def log(path):
            answer = served.get(f"/log/{path}")
            return answer.content if answer.status_code == 200 else None

        assert arrived.judged(policy=policy) is Rejection.NOT_WITNESSED
        assert arrived.judged(policy=policy, log=log) is Rejection.NOT_WITNESSED
        sequence(hub, append(hub, arrived.family.child, 300))
        with client(hub.settings) as http:
            ask_all(hub, http)
        found = arrived.judged(policy=policy, log=log)
        assert isinstance(found, Accepted)
        assert set(found.cosigned) == {library.home.key.verifier}
        assert found.checkpoint.size >= 300
        assert (
            arrived.judged(policy=policy, log={"witnessed": log("witnessed")}.get) is Rejection.NOT_WITNESSED
        )
        again = receipt_for(hub, found.receipt.sequence)
        kept = dict(arrived.headers) | {HEADER.lower(): pack_receipt(there(again))}
        assert isinstance(arrived.judged(policy=policy, headers=kept), Accepted)


def test_only_what_was_released_has_a_receipt(fresh_hub, arrived):
    hub = fresh_hub
    number = sequence(hub, (entry := append(hub, arrived.family.child, 1)))[entry[0]]
    assert receipt_for(hub, number) is None
    assert receipt_for(hub, number + 1) is None
    hub.keys.destroy(arrived.family.child)
    assert receipt_for(hub, arrived.judged().receipt.sequence) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "é",
        "AAAA",
        "A" * 40_000,
        urlsafe_b64encode(zlib.compress(b" " * (1 << 22), 9)).decode(),
        urlsafe_b64encode(zlib.compress(b"{}")).decode(),
    ],
)
def test_what_is_no_receipt_is_told_without_being_unpacked_whole(text):
    assert unpack_receipt(text) is None


def test_every_refusal_has_words():
    assert set(WORDS) == {*Rejection, *ReceiptFault, *ProofFault}


def test_while_the_log_is_halted_nothing_is_sent_or_entered_and_afterwards_it_goes(fresh_hub, arrived):
    hub = hasty(fresh_hub)
    with hub.db.transaction() as connection:
        witnesses.halt(driver_of(connection), "a test", now())
    family, clinic = arrived.family, arrived.recipient
    before = rows(hub, "SELECT count(*) FROM ledger_pending")
    agency = System(hub, clinic)
    assert agency.call("GET", f"/v1/children/{agency.knows(family.child)}/plan").status_code == 503
    with PartnerSandbox() as partner:
        config = {"url": partner.base_url, "secrets": {"signing": "env:SIGNING"}}
        family.states(add_agency(hub), Category.SCHOOL, words="something new")
        waiting = queue(hub, clinic, family.child, subscribe(hub, clinic, "webhook", config=config))
        work_lane(hub, (clinic, family.child))
        assert (attempts_of(hub, waiting), partner.received) == ([("fault", "ledger-halted")], [])
        assert rows(hub, "SELECT count(*) FROM ledger_pending") == before
        with hub.db.transaction() as connection:
            witnesses.lift_halt(driver_of(connection))
        later = replace(hub, clock=lambda: now() + timedelta(minutes=1))
        work_lane(later, (clinic, family.child))
        assert attempts_of(hub, waiting)[1:] == [("delivered", None)]
