"""What goes wrong on this side costs its own lane a delay and nobody else anything; what keeps going wrong ends by its name."""

from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text

from adapters.http import time_left
from gateway.exchange import deliver
from gateway.exchange.deliver import work_lane
from gateway.exchange.release import RulesNotInForce
from gateway.store import breakers, lanes, outbox
from gateway.store.pipeline import batch
from gateway.telemetry import LogCode
from mappings.record.category import Category
from tests.gateway.exchange.partners import (
    Scripted,
    attempts_of,
    by_way_of,
    entered,
    hasty,
    queue,
    state_of,
    subscribe,
    work,
)
from tests.gateway.family import add_agency


@pytest.fixture
def robbed(quick, clinic, child):
    """Another worker takes the lane: call it at the moment it is to happen."""

    def rob():
        with quick.db.transaction() as conn:
            conn.execute(
                text("UPDATE lane SET locked_until = now() - interval '1 s' WHERE child_id = :c"),
                {"c": child.child},
            )
            with batch(conn) as statements:
                assert lanes.claim_lane(
                    statements, quick.clock(), timedelta(seconds=1), (clinic, child.child)
                )

    return rob


def test_a_worker_that_lost_its_lane_before_it_sent_sends_nothing(quick, clinic, child, monkeypatch, robbed):
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))
    way = Scripted([robbed])

    with by_way_of(monkeypatch, way):
        work(quick, clinic, child)

    assert way.got == []
    assert state_of(quick, delivery)[0] == "pending"
    assert attempts_of(quick, delivery) == [("fault", "lane-lost")]
    assert entered(quick, clinic, child) == ["disclosure", "not_sent"]


def test_a_worker_that_lost_its_lane_after_it_sent_writes_only_that_it_tried(
    quick, clinic, child, monkeypatch, robbed
):
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))

    class Slow(Scripted):
        def deliver(self, sealed, *, opened):
            delivered = super().deliver(sealed, opened=opened)
            robbed()
            return delivered

    with by_way_of(monkeypatch, Slow()):
        work(quick, clinic, child)

    assert state_of(quick, delivery)[0] == "pending"
    assert attempts_of(quick, delivery) == [("delivered", None)]


def due_now(hub, family):
    with hub.db.transaction() as conn:
        conn.execute(text("UPDATE lane SET next_at = now() WHERE child_id = :c"), {"c": family.child})


def raises(fault):
    def step():
        raise fault

    return step


@pytest.fixture
def said(monkeypatch):
    """What stands in the log about attempts: code, class of what was met, fields."""
    found = []
    monkeypatch.setattr(
        deliver, "error", lambda code, fault, **fields: found.append((code, type(fault), fields))
    )
    return found


def test_what_was_not_foreseen_delays_its_lane_and_no_other(quick, clinic, child, monkeypatch, said):
    other = add_agency(quick)
    child.permits(other, Category.IDENTITY, Category.SCHOOL)
    bad = queue(quick, clinic, child.child, subscribe(quick, clinic))
    good = queue(quick, other, child.child, subscribe(quick, other))

    with by_way_of(monkeypatch, Scripted([raises(ZeroDivisionError("what a child is called"))])):
        work(quick, clinic, child)
        work(quick, other, child)
        assert state_of(quick, bad) == ("pending", "fault")
        assert state_of(quick, good) == ("delivered", None)
        with quick.db.transaction() as conn:
            lane = conn.execute(
                text("SELECT locked_until, next_at FROM lane WHERE child_id = :c AND recipient = :org"),
                {"c": child.child, "org": clinic},
            ).one()
            assert not [row for row in breakers.list_breakers(conn) if row["recipient"] == clinic]
        assert lane.locked_until is None
        assert lane.next_at is not None
        due_now(quick, child)
        work(quick, clinic, child)

    assert state_of(quick, bad) == ("delivered", None)
    assert attempts_of(quick, bad) == [("fault", "fault"), ("delivered", None)]
    assert entered(quick, clinic, child) == ["disclosure", "not_sent", "disclosure"]
    assert said == [
        (LogCode.DELIVERY_FAULT, ZeroDivisionError, {"recipient": clinic, "delivery": bad}),
    ]


def test_what_meets_the_unforeseen_again_and_again_is_dead_as_a_fault_and_the_lane_goes_on(
    quick, clinic, child, monkeypatch, said
):
    bad = queue(quick, clinic, child.child, subscribe(quick, clinic))
    good = queue(quick, clinic, child.child, subscribe(quick, clinic))

    with by_way_of(monkeypatch, Scripted([raises(ZeroDivisionError())] * quick.pace.faults)):
        for _ in range(quick.pace.faults):
            assert state_of(quick, bad)[0] == "pending"
            due_now(quick, child)
            work(quick, clinic, child)

    assert state_of(quick, bad) == ("dead", "fault")
    assert state_of(quick, good) == ("delivered", None)
    assert len(said) == quick.pace.faults


def test_faults_are_counted_anew_when_a_person_sends_it_again(quick, clinic, child, monkeypatch, said):
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))
    with by_way_of(monkeypatch, Scripted([raises(ZeroDivisionError())] * (quick.pace.faults + 1))):
        for _ in range(quick.pace.faults):
            due_now(quick, child)
            work(quick, clinic, child)
        with quick.db.transaction() as conn:
            assert outbox.resend(conn, delivery, quick.clock())
        work(quick, clinic, child)
        assert state_of(quick, delivery) == ("pending", "fault")
        due_now(quick, child)
        work(quick, clinic, child)
    assert state_of(quick, delivery) == ("delivered", None)


@pytest.mark.parametrize(
    ("met", "cause"),
    [
        (psycopg.OperationalError("the connection is lost"), "database-away"),
        (RulesNotInForce("restart it"), "rules-changed"),
    ],
)
def test_what_says_nothing_about_a_delivery_never_kills_it(
    quick, clinic, child, monkeypatch, said, met, cause
):
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))
    tries = quick.pace.faults + 1
    with by_way_of(monkeypatch, Scripted([raises(met)] * tries)):
        for _ in range(tries):
            due_now(quick, child)
            work(quick, clinic, child)
            assert state_of(quick, delivery) == ("pending", cause)
        due_now(quick, child)
        work(quick, clinic, child)
    assert state_of(quick, delivery) == ("delivered", None)


def test_how_an_attempt_ended_is_written_down_once_the_database_is_back(
    quick, clinic, child, monkeypatch, said
):
    """What the partner has said is not asked for a second time."""
    monkeypatch.setattr(deliver, "AGAIN_S", 0.01)
    away = [psycopg.OperationalError("it restarts"), psycopg.OperationalError("it still restarts")]
    way, write = Scripted(), outbox.record_attempt

    def record(statements, row):
        if away:
            raise away.pop()
        write(statements, row)

    monkeypatch.setattr(outbox, "record_attempt", record)
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))
    with by_way_of(monkeypatch, way):
        work(quick, clinic, child)

    assert state_of(quick, delivery) == ("delivered", None)
    assert attempts_of(quick, delivery) == [("delivered", None)]
    assert len(way.got) == 1


def test_what_was_written_down_but_not_answered_is_written_down_once(quick, clinic, child, monkeypatch, said):
    monkeypatch.setattr(deliver, "AGAIN_S", 0.01)
    write, unanswered = deliver._write, [psycopg.OperationalError("the answer to the commit was lost")]

    def written(*what):
        found = write(*what)
        if unanswered:
            raise unanswered.pop()
        return found

    monkeypatch.setattr(deliver, "_write", written)
    one, other = (queue(quick, clinic, child.child, subscribe(quick, clinic)) for _ in range(2))
    way = Scripted()
    with by_way_of(monkeypatch, way):
        work(quick, clinic, child)
    assert [attempts_of(quick, each) for each in (one, other)] == [[("delivered", None)]] * 2
    assert [delivery for delivery, _ in way.got] == [one, other]


def test_a_worker_told_to_stop_does_not_wait_for_the_database(quick, clinic, child, monkeypatch):
    def record(*_):
        raise psycopg.OperationalError("it is away")

    going = [True]

    class Stopped(Scripted):
        def deliver(self, sealed, *, opened):
            going[0] = False
            return super().deliver(sealed, opened=opened)

    queue(quick, clinic, child.child, subscribe(quick, clinic))
    monkeypatch.setattr(outbox, "record_attempt", record)
    with by_way_of(monkeypatch, Stopped()), pytest.raises(psycopg.OperationalError):
        work_lane(quick, (clinic, child.child), going=lambda: going[0])


def test_where_writing_down_is_what_fails_a_fault_is_written_down(quick, clinic, child, monkeypatch, said):
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))
    settle, faults = outbox.settle, [ZeroDivisionError()]

    def settled(statements, what):
        if faults:
            raise faults.pop()
        settle(statements, what)

    monkeypatch.setattr(outbox, "settle", settled)
    with by_way_of(monkeypatch, Scripted()):
        work(quick, clinic, child)
    assert state_of(quick, delivery) == ("pending", "fault")
    assert attempts_of(quick, delivery) == [("fault", "fault")]
    assert [one[1] for one in said] == [ZeroDivisionError]


def test_an_attempt_is_over_in_its_time_however_many_requests_it_takes(quick, clinic, child, monkeypatch):
    """Each request has a limit of its own, and a lane is not held for the sum of them."""
    brief = hasty(quick, longest_attempt=timedelta(milliseconds=300))
    asked = []

    class Many(Scripted):
        def deliver(self, sealed, *, opened):
            left = time_left()
            assert left is not None
            asked.append(left)
            return super().deliver(sealed, opened=opened)

    queue(brief, clinic, child.child, subscribe(brief, clinic))
    with by_way_of(monkeypatch, Many()):
        work(brief, clinic, child)
    assert 0 <= asked[0] <= 0.3
    assert time_left() is None


def test_a_delivery_that_takes_its_worker_down_three_times_is_dead(quick, clinic, child, monkeypatch):
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))

    class Killed(BaseException):
        pass

    def die():
        raise Killed

    with by_way_of(monkeypatch, Scripted([die, die, die])):
        for _ in range(3):
            with pytest.raises(Killed):
                work(quick, clinic, child)
            with quick.db.transaction() as conn:
                conn.execute(
                    text("UPDATE lane SET locked_until = now() WHERE child_id = :c"), {"c": child.child}
                )
        work(quick, clinic, child)
    assert state_of(quick, delivery) == ("dead", "takes-its-worker-down")
