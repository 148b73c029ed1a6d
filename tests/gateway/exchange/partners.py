"""Partners for tests of delivery: a hub that may call this machine, subscriptions, and ways to send that do as told."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from adapters.port import Delivered, Failure, Receipt, Sealed
from consent.vocabulary import Purpose
from gateway.exchange import send
from gateway.exchange.context import Hub, Pace
from gateway.exchange.deliver import Worked, work_lane
from gateway.settings import Settings
from gateway.store import outbox, plans
from gateway.store.outbox import NewDelivery, Topic
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.lifecycle import PlanStatus
from tests.gateway.exchange.feeds import add_connection
from tests.gateway.family import Family

HASTY = Pace(
    lease=timedelta(seconds=5),
    first_wait=timedelta(milliseconds=40),
    longest_wait=timedelta(milliseconds=200),
    breaker_wait=timedelta(milliseconds=200),
)


def hasty(hub: Hub, **pace: Any) -> Hub:
    """The hub with short waits, allowed to call this machine."""
    settings = Settings(home=hub.settings.home, allow_loopback_partners=True)
    return replace(hub, settings=settings, pace=replace(HASTY, **pace))


def subscribe(
    hub: Hub,
    org: str,
    adapter: str = "fhir",
    *,
    parts: tuple[Part, ...] = (Part.PLAN,),
    purpose: Purpose = Purpose.CARE_COORDINATION,
    categories: tuple[Category, ...] = (Category.IDENTITY, Category.SCHOOL, Category.HEALTH),
    config: dict[str, Any] | None = None,
) -> str:
    """A connection of the agency and its wish to be sent these parts by it; the connection's key."""
    connection = add_connection(hub, org, adapter, config=config or {"base_url": "http://127.0.0.1:9"})
    with hub.db.transaction() as conn:
        conn.execute(
            text(
                "INSERT INTO subscription (subscription, org, connection, purpose, parts, categories) "
                "VALUES (:key, :org, :connection, :purpose, :parts, :categories)"
            ),
            {
                "key": f"{connection}-{uuid4().hex[:6]}",
                "org": org,
                "connection": connection,
                "purpose": purpose.value,
                "parts": [part.value for part in parts],
                "categories": [category.value for category in categories],
            },
        )
    return str(connection)


def plan_in_force(hub: Hub, family: Family, lead: str) -> UUID:
    """A version of everything the child's record now holds, in force; its id."""
    now = hub.clock()
    with hub.db.transaction() as conn:
        plans.open_plan(conn, family.child, lead, now)
        facts = plans.current_facts(conn, family.child)
        version = plans.VersionRow(
            uuid4(),
            family.child,
            1,
            PlanStatus.ACTIVE,
            lead,
            now,
            now,
            tuple(one for one, _ in facts),
            b"digest",
        )
        earlier = plans.versions(conn, family.child)
        version = replace(version, n=earlier[0].n + 1 if earlier else 1)
        plans.add_version(conn, version)
        plans.change_plan(conn, family.child, PlanStatus.ACTIVE, now, active_version=version.plan_version_id)
    return version.plan_version_id


def queue(
    hub: Hub,
    recipient: str,
    child: UUID,
    connection: str,
    *,
    topic: Topic = Topic.PLAN,
    subject: UUID | None = None,
    purpose: Purpose = Purpose.CARE_COORDINATION,
) -> UUID:
    """A delivery in the outbox; its id."""
    new = NewDelivery(uuid4(), recipient, child, connection, topic, subject or child, purpose.value)
    with hub.db.transaction() as conn:
        return outbox.enqueue(conn, new, hub.clock())


def state_of(hub: Hub, delivery: UUID) -> tuple[str, str | None]:
    """Where a delivery stands and why."""
    with hub.db.transaction() as conn:
        shown = outbox.show(conn, delivery)
    assert shown is not None
    return shown[0]["state"], shown[0]["reason"]


def attempts_of(hub: Hub, delivery: UUID) -> list[tuple[str, str | None]]:
    """Result and cause of each attempt, in order."""
    with hub.db.transaction() as conn:
        shown = outbox.show(conn, delivery)
    assert shown is not None
    return [(row["result"], row["cause"]) for row in shown[1]]


def entered(hub: Hub, recipient: str, family: Family) -> list[str]:
    """What the log says of sending to this recipient, in order."""
    with hub.db.transaction() as conn:
        kinds = conn.execute(
            text("SELECT kind FROM ledger_entry WHERE child_id = :c AND recipient = :org ORDER BY seq"),
            {"c": family.child, "org": recipient},
        ).scalars()
        return [kind for kind in kinds if kind in {"disclosure", "not_sent", "withheld"}]


def work(hub: Hub, recipient: str, family: Family) -> Worked | None:
    """One worker's turn at the lane of this child to this recipient."""
    return work_lane(hub, (recipient, family.child))


@dataclass
class Scripted:
    """A way to send that answers from a script, and then says delivered; `got` is what arrived, by delivery id."""

    script: list[Failure | Callable[[], None]] = field(default_factory=list)
    got: list[tuple[UUID, Any]] = field(default_factory=list)

    def deliver(self, sealed: Sealed, *, opened: Callable[[], None]) -> Delivered | Failure:
        step = self.script.pop(0) if self.script else None
        if callable(step):
            step()
            step = None
        if step is not None:
            return step
        opened()
        self.got.append((sealed.delivery_id, json.loads(sealed.unseal())))
        return Delivered(Receipt(200, ("Task/12",)))


@contextmanager
def by_way_of(monkeypatch: pytest.MonkeyPatch, way: object) -> Iterator[None]:
    """Send everything this way instead of opening the connection's own."""
    with monkeypatch.context() as patch:
        patch.setattr(send, "destination", lambda _hub, _row: way)
        yield
