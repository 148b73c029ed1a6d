"""Whatever is due is found in the tables, once a minute is enough, and no ring has to arrive for it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters.port import Cause, Transient
from gateway.exchange.community_file import AdapterKind
from gateway.exchange.context import Hub
from gateway.exchange.deliver import work_lane
from gateway.exchange.sweep import AGAIN, LEAST_POLL, POLLED, Rung, sweep
from gateway.store import documents, lanes
from gateway.store.lanes import DueLane
from gateway.store.pipeline import batch
from mappings.record.category import Category
from tests.gateway.exchange.feeds import add_connection
from tests.gateway.exchange.partners import Scripted, by_way_of, hasty, plan_in_force, queue, subscribe
from tests.gateway.family import Family, add_agency, now

LATER = timedelta(minutes=10)


@pytest.fixture
def clinic(fresh_hub):
    return add_agency(fresh_hub, programme=Category.HEALTH)


@pytest.fixture
def hub(fresh_hub):
    return hasty(fresh_hub)


def at(hub: Hub, when: datetime) -> Hub:
    """The hub as it will be then."""
    return replace(hub, clock=lambda: when)


def due(hub: Hub) -> list[Any]:
    return [one.child_id for one in sweep(hub).lanes]


def test_a_lane_with_something_to_send_is_due_until_it_is_worked(hub, clinic, monkeypatch):
    family = Family(hub)
    queue(hub, clinic, family.child, subscribe(hub, clinic))
    assert due(hub) == [family.child]
    with by_way_of(monkeypatch, Scripted()):
        work_lane(hub)
    assert due(hub) == []


def test_a_lane_somebody_works_is_not_due_and_is_again_when_its_worker_died(hub, clinic):
    family = Family(hub)
    queue(hub, clinic, family.child, subscribe(hub, clinic))
    with hub.db.transaction() as conn, batch(conn) as statements:
        assert lanes.claim_lane(statements, hub.clock(), hub.pace.lease) is not None
    assert due(hub) == []
    assert due(at(hub, now() + hub.pace.lease + timedelta(seconds=1))) == [family.child]


def test_a_ring_that_meets_somebody_who_queues_in_that_lane_waits_for_them_and_is_not_lost(
    hub, clinic, monkeypatch
):
    family = Family(hub)
    queue(hub, clinic, family.child, subscribe(hub, clinic))
    queueing, done = threading.Event(), threading.Event()

    def queue_slowly():
        with hub.db.transaction() as conn:
            conn.exec_driver_sql("UPDATE lane SET position = position + 1")
            queueing.set()
            assert done.wait(20)

    with by_way_of(monkeypatch, Scripted()), ThreadPoolExecutor(2) as threads:
        slow = threads.submit(queue_slowly)
        assert queueing.wait(20)
        ring = threads.submit(work_lane, hub, (clinic, family.child))
        with pytest.raises(TimeoutError):
            ring.result(0.5)
        done.set()
        slow.result(20)
        worked = ring.result(20)
    assert worked is not None
    assert worked.attempts == 1


def test_a_lane_that_waits_is_due_when_its_time_comes(hub, clinic, monkeypatch):
    slow = replace(hub, pace=replace(hub.pace, first_wait=LATER, longest_wait=LATER), random=lambda: 1.0)
    family = Family(slow)
    family.states(add_agency(slow), Category.SCHOOL)
    family.permits(clinic, Category.IDENTITY, Category.SCHOOL)
    plan_in_force(slow, family, clinic)
    queue(slow, clinic, family.child, subscribe(slow, clinic))
    with by_way_of(monkeypatch, Scripted([Transient(Cause.TIMEOUT)])):
        work_lane(slow)
    assert due(slow) == []
    with slow.db.transaction() as conn:
        next_at = lanes.next_due(conn, slow.clock())
    assert next_at is not None
    assert due(at(slow, next_at)) == [family.child]


def test_a_connection_is_asked_again_when_its_interval_is_over(hub):
    district = add_agency(hub)
    connection = add_connection(hub, district, "edfi")
    assert sweep(hub).connections == (connection,)
    with hub.db.transaction() as conn:
        documents.note_poll(conn, connection, now())
    assert sweep(hub).connections == ()
    hour = POLLED[AdapterKind.EDFI]
    assert hour is not None
    assert sweep(at(hub, now() + hour + timedelta(seconds=5))).connections == (connection,)


@pytest.mark.parametrize("adapter", ["webhook", "oneroster-csv", "plan-sheet", "api"])
def test_what_only_receives_or_is_imported_by_hand_is_never_asked(hub, adapter):
    add_connection(hub, add_agency(hub), adapter)
    assert sweep(hub).connections == ()


def test_a_fhir_server_is_asked_no_more_often_than_its_guide_allows(hub):
    clinic = add_agency(hub)
    connection = add_connection(hub, clinic, "fhir", config={"poll_minutes": 1})
    with hub.db.transaction() as conn:
        documents.note_poll(conn, connection, now())
    assert sweep(at(hub, now() + timedelta(minutes=5))).connections == ()
    least = max(LEAST_POLL.values())
    assert sweep(at(hub, now() + least + timedelta(seconds=5))).connections == (connection,)


def test_a_sweep_for_lanes_alone_asks_nobody(hub):
    add_connection(hub, add_agency(hub), "edfi")
    assert sweep(hub, whole=False).connections == ()


def test_a_lane_is_rung_once_a_minute_and_at_once_when_it_was_worked_since():
    rung, lane, start = Rung(), DueLane("clinic", uuid4(), 3), now()
    assert rung.news([lane], start) == (lane,)
    assert rung.news([lane], start + timedelta(seconds=1)) == ()
    worked = lane._replace(fence=4)
    assert rung.news([worked], start + timedelta(seconds=2)) == (worked,)
    assert rung.news([lane], start + AGAIN + timedelta(seconds=1)) == (lane,)
