"""A delivery ends delivered, withheld or dead; its lane keeps order, waits where it must, and never takes others with it."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text

from adapters.port import Cause, Malformed, Refused, Transient, Unauthorized
from adapters.sandbox.fhir import FhirSandbox
from gateway.exchange.permission import revoke
from gateway.store import breakers, lanes, outbox
from gateway.store.pipeline import batch
from mappings.record.category import Category
from tests.gateway.exchange.partners import (
    Scripted,
    attempts_of,
    by_way_of,
    entered,
    hasty,
    plan_in_force,
    queue,
    state_of,
    subscribe,
    work,
)
from tests.gateway.family import Family, add_agency


def test_a_permitted_plan_arrives_at_a_fhir_server_once(quick, clinic, child):
    with FhirSandbox([]) as server:
        connection = subscribe(quick, clinic, config={"base_url": server.base_url})
        delivery = queue(quick, clinic, child.child, connection)

        worked = work(quick, clinic, child)

        assert worked is not None
        assert worked.attempts == 1
        assert state_of(quick, delivery) == ("delivered", None)
        assert len(server.resources("CarePlan")) == 1
        again = queue(quick, clinic, child.child, connection)
        work(quick, clinic, child)
        assert again != delivery
        assert state_of(quick, again) == ("delivered", "unchanged")
        assert len(server.resources("CarePlan")) == 1


def test_what_nobody_permitted_is_withheld_with_its_reason_and_stands_in_the_log(quick, child, monkeypatch):
    stranger = add_agency(quick)
    way = Scripted()
    delivery = queue(quick, stranger, child.child, subscribe(quick, stranger))

    with by_way_of(monkeypatch, way):
        work(quick, stranger, child)

    assert state_of(quick, delivery) == ("withheld", "recipient")
    assert way.got == []
    with quick.db.transaction() as conn:
        kinds = conn.execute(
            text("SELECT kind FROM ledger_entry WHERE child_id = :child AND recipient = :org"),
            {"child": child.child, "org": stranger},
        ).scalars()
        assert list(kinds) == ["withheld"]


def test_a_stop_while_a_delivery_waits_withholds_it(quick, clinic, child, monkeypatch):
    permit = child.permits(clinic, Category.IDENTITY, Category.HEALTH)
    connection = subscribe(quick, clinic)
    delivery = queue(quick, clinic, child.child, connection)
    with quick.db.transaction() as conn:
        permits = (
            conn.execute(
                text("SELECT directive_id FROM directive WHERE child_id = :child AND state = 'given'"),
                {"child": child.child},
            )
            .scalars()
            .all()
        )
    for one in permits:
        revoke(quick, child.child, one, by_link=child.link, actor="guardian", reason="stop")
    assert permit in permits

    with by_way_of(monkeypatch, Scripted()) as _:
        work(quick, clinic, child)

    assert state_of(quick, delivery)[0] == "withheld"
    assert state_of(quick, delivery)[1] == "revoked"


def test_a_passing_failure_delays_its_lane_and_keeps_the_order(quick, clinic, child, monkeypatch):
    way = Scripted([Transient(Cause.HTTP_5XX, 503)])
    connection = subscribe(quick, clinic)
    first = queue(quick, clinic, child.child, connection)

    with by_way_of(monkeypatch, way):
        work(quick, clinic, child)
        assert state_of(quick, first) == ("pending", "http-5xx")
        with quick.db.transaction() as conn:
            conn.execute(
                text("UPDATE lane SET next_at = now() + interval '1 h' WHERE child_id = :c"),
                {"c": child.child},
            )
        assert work(quick, clinic, child) is None
        with quick.db.transaction() as conn:
            conn.execute(text("UPDATE lane SET next_at = now() WHERE child_id = :c"), {"c": child.child})
        work(quick, clinic, child)

    assert state_of(quick, first) == ("delivered", None)
    assert attempts_of(quick, first) == [("transient", "http-5xx"), ("delivered", None)]


def test_retry_after_is_honoured_but_not_for_ever(quick, clinic, child, monkeypatch):
    way = Scripted([Transient(Cause.HTTP_429, 429, 1800.0), Transient(Cause.HTTP_429, 429, 10_000_000.0)])
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))

    def due():
        with quick.db.transaction() as conn:
            next_at = conn.execute(
                text("SELECT next_at FROM lane WHERE child_id = :c"), {"c": child.child}
            ).scalar_one()
            conn.execute(text("UPDATE lane SET next_at = now() WHERE child_id = :c"), {"c": child.child})
        return next_at - quick.clock()

    with by_way_of(monkeypatch, way):
        work(quick, clinic, child)
        assert timedelta(minutes=29) < due() <= timedelta(minutes=30)
        work(quick, clinic, child)
        assert due() <= timedelta(hours=6)
    assert state_of(quick, delivery)[0] == "pending"


def test_a_refusal_ends_the_delivery_and_the_lane_goes_on(quick, clinic, child, monkeypatch):
    way = Scripted([Refused(Cause.HTTP_4XX, 422)])
    one = subscribe(quick, clinic)
    other = subscribe(quick, clinic)
    first = queue(quick, clinic, child.child, one)
    second = queue(quick, clinic, child.child, other)

    with by_way_of(monkeypatch, way):
        work(quick, clinic, child)

    assert state_of(quick, first) == ("dead", "http-4xx")
    assert state_of(quick, second) == ("delivered", None)


def test_refused_credentials_kill_nothing(quick, clinic, child, monkeypatch):
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))
    with by_way_of(monkeypatch, Scripted([Unauthorized()])):
        work(quick, clinic, child)
    assert state_of(quick, delivery) == ("pending", "bad-token")


def test_answers_nobody_can_read_are_tried_again_a_few_times(quick, clinic, child, monkeypatch):
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))
    way = Scripted([Malformed(Cause.BAD_JSON)] * 10)
    with by_way_of(monkeypatch, way):
        for _ in range(quick.pace.unclear):
            with quick.db.transaction() as conn:
                conn.execute(text("UPDATE lane SET next_at = now() WHERE child_id = :c"), {"c": child.child})
                with batch(conn) as statements:
                    breakers.succeeded(statements, clinic)
            work(quick, clinic, child)
    assert state_of(quick, delivery) == ("dead", "answers-cannot-be-read")


def test_five_failures_in_a_row_stop_a_partner_and_one_probe_brings_it_back(quick, clinic, monkeypatch):
    quick = hasty(quick, breaker_wait=timedelta(minutes=5))  # so that no probe is due before the test says so
    school = add_agency(quick)
    connection = subscribe(quick, clinic)
    families = [Family(quick) for _ in range(7)]
    for family in families:
        family.states(school, Category.SCHOOL)
        family.permits(clinic, Category.IDENTITY, Category.SCHOOL)
        plan_in_force(quick, family, school)
        queue(quick, clinic, family.child, connection)
    way = Scripted([Transient(Cause.TIMEOUT)] * 5)

    with by_way_of(monkeypatch, way):
        for family in families[:5]:
            work(quick, clinic, family)
        with quick.db.transaction() as conn:
            stopped = next(row for row in breakers.list_breakers(conn) if row["recipient"] == clinic)
        assert stopped["state"] == "open"
        assert work(quick, clinic, families[5]) is None
        assert way.got == []

        with quick.db.transaction() as conn:
            conn.execute(text("UPDATE breaker SET probe_at = now() WHERE recipient = :org"), {"org": clinic})
        assert work(quick, clinic, families[5]) is not None
        with quick.db.transaction() as conn:
            assert not [
                row for row in breakers.list_breakers(conn) if row["recipient"] == clinic and row["failures"]
            ]
        work(quick, clinic, families[6])
    assert len(way.got) == 2


def test_one_partner_that_fails_delays_no_other(quick, clinic, child, monkeypatch):
    other = add_agency(quick)
    child.permits(other, Category.IDENTITY, Category.SCHOOL)
    bad = queue(quick, clinic, child.child, subscribe(quick, clinic))
    good = queue(quick, other, child.child, subscribe(quick, other))
    with by_way_of(monkeypatch, Scripted([Transient(Cause.TIMEOUT)])):
        work(quick, clinic, child)
        work(quick, other, child)
    assert state_of(quick, bad)[0] == "pending"
    assert state_of(quick, good) == ("delivered", None)


def test_a_decision_that_no_longer_stands_when_the_way_is_open_is_made_again(
    quick, clinic, child, monkeypatch
):
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))
    with quick.db.transaction() as conn:
        permit = conn.execute(
            text("SELECT directive_id FROM directive WHERE child_id = :c"), {"c": child.child}
        ).scalar_one()

    def stopped_meanwhile():
        revoke(quick, child.child, permit, by_link=child.link, actor="guardian", reason="stop")

    way = Scripted([stopped_meanwhile])
    with by_way_of(monkeypatch, way):
        work(quick, clinic, child)

    assert way.got == []
    assert state_of(quick, delivery) == ("withheld", "revoked")
    assert entered(quick, clinic, child) == ["disclosure", "not_sent", "withheld"]


def test_plans_that_wait_are_sent_once_and_a_plan_being_sent_is_followed_by_the_next(quick, clinic, child):
    connection = subscribe(quick, clinic)
    first = queue(quick, clinic, child.child, connection)
    assert queue(quick, clinic, child.child, connection) == first
    with quick.db.transaction() as conn, batch(conn) as statements:
        assert lanes.claim_lane(statements, quick.clock(), timedelta(seconds=5), (clinic, child.child))
    assert queue(quick, clinic, child.child, connection) != first


def test_a_dead_delivery_can_be_sent_again_under_its_own_id(quick, clinic, child, monkeypatch):
    way = Scripted([Refused(Cause.HTTP_4XX, 400)])
    delivery = queue(quick, clinic, child.child, subscribe(quick, clinic))
    with by_way_of(monkeypatch, way):
        work(quick, clinic, child)
        with quick.db.transaction() as conn:
            assert outbox.by_cause(conn)
            assert outbox.resend(conn, delivery, quick.clock()) == (clinic, child.child)
            assert outbox.resend(conn, uuid4(), quick.clock()) is None
        work(quick, clinic, child)
    assert state_of(quick, delivery) == ("delivered", None)
    assert [one for one, _ in way.got] == [delivery]
