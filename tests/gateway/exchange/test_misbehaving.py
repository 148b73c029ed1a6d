"""Partners that do everything wrong: each fault stands at its delivery by name, and nobody else waits because of it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from adapters.sandbox.misbehaving import MisbehavingSandbox
from adapters.sandbox.partner import PartnerSandbox
from gateway.exchange import destinations
from gateway.exchange.context import Hub
from gateway.exchange.deliver import work_lane
from gateway.store import outbox
from mappings.record.category import Category
from tests.gateway.exchange.partners import (
    attempts_of,
    hasty,
    plan_in_force,
    queue,
    state_of,
    subscribe,
)
from tests.gateway.family import Family, add_agency

LIMITS = {"total_s": 1.5, "read_s": 1.0}
DISCONNECTED = ("malformed", "short", "huge-header", "reset", "closed")
TRANSIENT = {
    "500": "http-5xx",
    "503": "http-5xx",
    "429": "http-429",
    "hang": "timeout",
    "slow-headers": "timeout",
    **dict.fromkeys(DISCONNECTED, "disconnected"),
}
REDIRECTS = ("redirect-self", "redirect-elsewhere", "redirect-private", "redirect-file")
UNREADABLE = {
    "slow-drip": "too-large",
    "gigabyte": "too-large",
    "gigabyte-chunked": "too-large",
    **dict.fromkeys(("ok", "gzip-bomb", "invalid-json", "deep-json", "html", "wrong-charset"), "bad-shape"),
}
"""Answers of a FHIR server that are no Bundle. A webhook's body means nothing: any 2xx says that it has it."""

Expected = tuple[str, str, str | None]


def expected(adapter: str, fault: str) -> Expected:
    """State of the delivery, result of its attempt, and cause."""
    if fault in TRANSIENT:
        return "pending", "transient", TRANSIENT[fault]
    if fault in REDIRECTS:
        return "dead", "permanent", "redirect"
    if adapter == "webhook":
        return "delivered", "delivered", None
    return "pending", "unclear", UNREADABLE[fault]


class Street:
    """One child whom many agencies may know: one for each fault, and one that works."""

    def __init__(self, hub: Hub, secret: Path) -> None:
        self.hub, self.secret = hub, secret
        self.family = Family(hub)
        school = add_agency(hub)
        self.family.states(school, Category.SCHOOL)
        plan_in_force(hub, self.family, school)

    def agency(self, adapter: str, url: str) -> tuple[str, UUID]:
        """An agency that may know the child, and what waits to be sent to it."""
        org = add_agency(self.hub, programme=Category.HEALTH)
        self.family.permits(org, Category.IDENTITY, Category.SCHOOL)
        config = {
            "url": url,
            "base_url": url,
            "limits": LIMITS,
            "secrets": {"signing": f"file:{self.secret}"},
        }
        return org, queue(self.hub, org, self.family.child, subscribe(self.hub, org, adapter, config=config))

    def work(self, org: str) -> None:
        work_lane(self.hub, (org, self.family.child))


@pytest.fixture
def good() -> Iterator[PartnerSandbox]:
    with PartnerSandbox() as partner:
        yield partner


@pytest.fixture
def bad() -> Iterator[MisbehavingSandbox]:
    with MisbehavingSandbox() as partner:
        yield partner


@pytest.fixture
def street(hub, tmp_path, good) -> Iterator[Street]:
    secret = tmp_path / "signing"
    secret.write_text(good.secret)
    yield Street(hasty(hub, first_wait=timedelta(minutes=1), longest_wait=timedelta(minutes=2)), secret)
    destinations.close_all()


@pytest.mark.parametrize("adapter", ["webhook", "fhir"])
def test_every_fault_stands_at_its_delivery_by_name(street, bad, adapter):
    waiting = {fault: street.agency(adapter, f"{bad.base_url}/{fault}") for fault in bad.paths()}
    with ThreadPoolExecutor(len(waiting)) as pool:
        list(pool.map(street.work, [org for org, _ in waiting.values()]))
    found = {
        fault: (state_of(street.hub, one)[0], *attempts_of(street.hub, one)[0])
        for fault, (_, one) in waiting.items()
    }
    assert found == {fault: expected(adapter, fault) for fault in bad.paths()}
    assert all(len(attempts_of(street.hub, one)) == 1 for _, one in waiting.values())
    with street.hub.db.transaction() as conn:
        causes = {row["recipient"]: row["cause"] for row in outbox.by_cause(conn)}
    assert {fault: causes.get(org) for fault, (org, _) in waiting.items()} == {
        fault: expected(adapter, fault)[2] for fault in bad.paths()
    }


def test_a_partner_that_works_waits_for_none_of_them(street, bad, good):
    """As many workers as there are: the lanes of those that hang hold theirs, the lane of the good one is worked beside."""
    slow = [street.agency("webhook", f"{bad.base_url}/{fault}")[0] for fault in ("hang", "slow-headers")]
    org, delivery = street.agency("webhook", good.base_url)
    with ThreadPoolExecutor(3) as pool:
        tasks = [pool.submit(street.work, one) for one in slow]
        pool.submit(street.work, org).result()
        assert state_of(street.hub, delivery) == ("delivered", None)
        assert not all(task.done() for task in tasks), "the others still hang"
    assert len(good.deliveries) == 1
