"""`planhub deliveries`: what was sent, waits or failed, by cause; shown without content; sent again only when asked."""

from dataclasses import dataclass
from uuid import UUID

import pytest

from consent.vocabulary import Purpose
from gateway.cli.exits import Exit
from gateway.exchange.context import Hub
from gateway.store import outbox
from gateway.store.deliverystate import DeliveryState
from gateway.store.outbox import AttemptRow, NewDelivery, Settled, Topic
from gateway.store.pipeline import batch
from tests.gateway.cli.conftest import Planhub
from tests.gateway.family import Family, add_agency, now


@dataclass
class Post:
    """Deliveries to one agency, put where a worker would have left them."""

    hub: Hub
    agency: str

    def sent(self, state: DeliveryState, cause: str | None = None) -> UUID:
        delivery, child = self.hub.ids(), Family(self.hub).child
        with self.hub.db.transaction() as connection:
            outbox.enqueue(
                connection,
                NewDelivery(
                    delivery_id=delivery,
                    recipient=self.agency,
                    child_id=child,
                    connection=f"{self.agency}-fhir",
                    topic=Topic.PLAN,
                    subject_id=self.hub.ids(),
                    purpose=Purpose.CARE_COORDINATION,
                ),
                now(),
            )
            if state is not DeliveryState.PENDING:
                row = AttemptRow(
                    attempt_id=self.hub.ids(),
                    delivery_id=delivery,
                    n=1,
                    entry_seq=7,
                    result="failed",
                    cause=cause,
                    status_code=422,
                    milliseconds=12,
                    at=now(),
                )
                with batch(connection) as statements:
                    outbox.record_attempt(statements, row)
                    outbox.settle(statements, Settled(delivery, state, now(), reason=cause))
        return delivery

    def state(self, delivery: UUID) -> str:
        with self.hub.db.transaction() as connection:
            found = outbox.show(connection, delivery)
        assert found is not None
        return str(found[0]["state"])


@pytest.fixture
def post(hub):
    return Post(hub, add_agency(hub))


def listed(planhub: Planhub, *words: str) -> list[str]:
    return [one["delivery_id"] for one in planhub("deliveries", "list", "--json", *words).json["deliveries"]]


def test_deliveries_are_listed_newest_first_by_state_and_agency(planhub, post):
    first, second = post.sent(DeliveryState.DELIVERED), post.sent(DeliveryState.DEAD, "http-4xx")
    assert listed(planhub, "--agency", post.agency) == [str(second), str(first)]
    assert listed(planhub, "--agency", post.agency, "--state", "dead") == [str(second)]
    assert listed(planhub, "--agency", post.agency, "--state", "dead", "--state", "delivered") == [
        str(second),
        str(first),
    ]
    assert listed(planhub, "--agency", "nobody") == []
    assert len(listed(planhub, "--most", "1")) == 1


def test_a_thousand_failures_have_few_causes(planhub, post):
    for _ in range(3):
        post.sent(DeliveryState.DEAD, "http-4xx")
    post.sent(DeliveryState.WITHHELD, "revoked")
    words = ("deliveries", "list", "--group-by", "cause", "--agency", post.agency)
    rows = planhub(*words, "--json").json["deliveries"]
    assert [(one["deliveries"], one["state"], one["cause"]) for one in rows] == [
        (3, "dead", "http-4xx"),
        (1, "withheld", "revoked"),
    ]
    header, first, _ = planhub(*words).out.splitlines()
    assert header.split() == ["deliveries", "recipient", "state", "cause", "since"]
    assert first.split()[:4] == ["3", post.agency, "dead", "http-4xx"]


def test_grouping_by_anything_else_is_a_usage_error(planhub):
    assert planhub("deliveries", "list", "--group-by", "agency").code == Exit.USAGE


def test_one_delivery_is_shown_with_its_attempts_and_without_its_child(planhub, post):
    delivery = post.sent(DeliveryState.DEAD, "http-4xx")
    shown = planhub("deliveries", "show", delivery, "--json").json
    assert shown["delivery"]["state"] == "dead"
    assert not {"child_id", "receipt", "payload_digest"} & shown["delivery"].keys()
    (attempt,) = shown["attempts"]
    assert (attempt["cause"], attempt["status_code"], attempt["entry_seq"]) == ("http-4xx", 422, 7)
    told = planhub("deliveries", "show", str(delivery)[:-2]).out
    assert "reason: http-4xx" in told


@pytest.mark.parametrize(
    ("name", "says"), [("zz", "hexadecimal"), ("0", "several"), ("ffffffff", "no delivery")]
)
def test_a_delivery_is_named_by_a_unique_beginning(planhub, post, name, says):
    for _ in range(2):
        post.sent(DeliveryState.PENDING)
    ran = planhub("deliveries", "show", name)
    assert ran.code == Exit.USAGE
    assert says in ran.err


def test_a_dry_run_says_how_many_and_sends_none(planhub, post):
    delivery = post.sent(DeliveryState.DEAD, "http-4xx")
    ran = planhub("deliveries", "resend", delivery, "--dry-run")
    assert (ran.code, "Will try 1 again" in ran.err) == (Exit.OK, True)
    assert post.state(delivery) == "dead"


def test_a_dead_delivery_is_due_again_when_a_person_says_so(planhub, post):
    delivery = post.sent(DeliveryState.DEAD, "http-4xx")
    assert planhub("deliveries", "resend", delivery).code == Exit.USAGE
    assert post.state(delivery) == "dead"
    assert planhub("deliveries", "resend", delivery, "--yes").code == Exit.OK
    assert post.state(delivery) == "pending"


def test_all_of_one_cause_to_one_agency_are_due_again_and_no_others(hub, planhub, post):
    mine = [post.sent(DeliveryState.DEAD, "timeout") for _ in range(2)]
    other_cause = post.sent(DeliveryState.DEAD, "http-4xx")
    other_agency = Post(hub, add_agency(hub)).sent(DeliveryState.DEAD, "timeout")
    ran = planhub("deliveries", "resend", "--cause", "timeout", "--agency", post.agency, "--yes")
    assert (ran.code, "2 are due again" in ran.err) == (Exit.OK, True)
    assert [post.state(one) for one in (*mine, other_cause, other_agency)] == [
        "pending",
        "pending",
        "dead",
        "dead",
    ]


def test_what_is_through_is_not_sent_again(planhub, post):
    delivery = post.sent(DeliveryState.DELIVERED)
    assert planhub("deliveries", "resend", delivery, "--yes").code == Exit.CONFLICT
    assert post.state(delivery) == "delivered"


def test_what_to_resend_is_said_once(planhub, post):
    assert planhub("deliveries", "resend", "--yes").code == Exit.USAGE
    assert planhub("deliveries", "resend", "0193", "--cause", "timeout", "--yes").code == Exit.USAGE
