"""How the doorbell is wired: each setting answers a way Celery was seen to lose or repeat work (hubs.md §3.3, §4)."""

import ast
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from kombu.connection import Connection

from adapters.http import Limits
from gateway.cli.supervisor import STOP_S
from gateway.exchange.context import Pace
from gateway.store.broker import BrokerUrl
from gateway.telemetry import LogCode
from gateway.workers import run, tasks
from gateway.workers.app import SOFT_SHUTDOWN, QueueName, make_app
from gateway.workers.tasks import LANE, POLL, POLLS, register
from tests.paths import ROOT

REDIS = "redis+socket:///nowhere/valkey.sock?virtual_host=0"
RABBITMQ = "amqp://guest:guest@127.0.0.1:1//"
PACKAGES = ("gateway", "adapters", "consent", "mappings")
PUBLISHING = {"apply_async", "send_task", "signature", "delay", "apply"}
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(params=[REDIS, RABBITMQ], ids=["redis", "rabbitmq"])
def app(request):
    return make_app(request.param)


def test_a_turn_at_a_lane_seen_as_lost_has_long_ended():
    """§3.3 no. 2: a task longer than the visibility timeout is started again beside itself."""
    options, pace = make_app(REDIS).conf.broker_transport_options, Pace()
    turn = pace.longest_turn + pace.longest_attempt + pace.lease  # the last for writing down how it ended
    assert options["visibility_timeout"] > 2 * turn.total_seconds()
    assert options["unacked_restore_interval"] * options["unacked_restore_throttle"] <= 5  # §3.3 no. 7


def test_nothing_is_set_that_a_pool_of_threads_does_not_heed(app):
    """A time limit there looks like a deadline and is none; every step has its own."""
    assert app.conf.task_time_limit is None
    assert app.conf.task_soft_time_limit is None
    assert app.conf.worker_max_tasks_per_child is None


def test_a_ring_is_answered_for_only_after_its_work(app):
    """§3.3 nos. 5, 6, 11: one without the other loses rings; more than one prefetched is delayed by a kill."""
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1


def test_nothing_a_task_returns_or_raises_is_kept(app):
    assert app.conf.task_ignore_result
    assert not app.conf.task_store_errors_even_if_ignored
    assert app.conf.result_backend is None
    assert not app.conf.worker_send_task_events


def test_messages_are_json_and_nothing_else_is_read(app):
    assert app.conf.task_serializer == "json"
    assert app.conf.accept_content == ["json"]


def test_a_broker_that_is_away_holds_up_nobody_who_rings_and_every_worker_until_it_is_back(app):
    """§3.3 no. 8."""
    assert not app.conf.task_publish_retry
    assert app.conf.broker_connection_timeout <= 5
    assert app.conf.broker_connection_retry_on_startup
    assert app.conf.broker_connection_max_retries is None


def test_rabbitmq_keeps_rings_in_quorum_queues_behind_a_topic_exchange_and_confirms_them():
    """§3.3 nos. 4, 10: a direct exchange makes immediate tasks wait; an unconfirmed publish can vanish."""
    conf = make_app(RABBITMQ).conf
    assert conf.broker_transport_options["confirm_publish"]
    for queue in conf.task_queues:
        assert queue.queue_arguments == {"x-queue-type": "quorum"}
        assert queue.durable
        assert queue.exchange.type == "topic"
        assert queue.exchange.durable
    assert conf.task_default_exchange_type == "topic"
    assert conf.worker_detect_quorum_queues, (
        "else the worker asks for a global prefetch, which these queues refuse"
    )


def test_redis_is_told_nothing_only_rabbitmq_knows():
    conf = make_app(REDIS).conf
    assert "confirm_publish" not in conf.broker_transport_options
    assert all(not queue.queue_arguments for queue in conf.task_queues)


def test_a_worker_told_to_stop_ends_before_its_supervisor_loses_patience(app):
    """§3.3 no. 12."""
    assert app.conf.worker_soft_shutdown_timeout == SOFT_SHUTDOWN.total_seconds() < STOP_S


def test_a_lane_is_held_for_longer_than_one_attempt_may_take():
    assert Limits().total_s < Pace().longest_attempt.total_seconds() < Pace().lease.total_seconds() - 30


def test_every_queue_is_declared_and_taken_from(app):
    asked = {}

    class Watched:
        def Worker(self, **options):  # noqa: N802 - Celery's name
            asked.update(options)
            return self

        def start(self):
            asked["started"] = True

    run._work(Watched())
    assert asked["started"]
    assert set(asked["queues"]) == {queue.value for queue in QueueName}
    assert {queue.name for queue in app.conf.task_queues} == {queue.value for queue in QueueName}
    assert not app.conf.task_create_missing_queues


def test_there_is_no_task_but_those_whose_rings_are_looked_at_below(app):
    register(app, pytest.fail)
    assert {name for name in app.tasks if not name.startswith("celery.")} == {LANE, POLL}


def test_no_due_time_is_ever_given_to_the_broker():
    """§3.3 nos. 1, 3: eta, countdown and retry ran tasks four times over; due times live in PostgreSQL."""
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _gives_a_due_time(call)
    ]
    assert found == []


def _gives_a_due_time(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    given = {keyword.arg for keyword in call.keywords}
    delayed = bool(given & {"eta", "countdown", "autoretry_for", "retry_backoff"})
    return delayed or name == "retry" or (name in PUBLISHING and bool(given & {"expires", "retry", None}))


@pytest.fixture
def rung():
    """A bell on a broker in memory, and what its two queues hold after it was rung once each."""
    app = make_app("memory://")
    bell = register(app, pytest.fail)
    child = uuid4()
    bell.lane("clinic", child)
    bell.poll("district-edfi")
    with Connection("memory://") as connection:  # type: ignore[no-untyped-call]  # kombu is untyped
        held = {queue: connection.default_channel.basic_get(queue.value) for queue in QueueName}
        yield child, held
        for queue in QueueName:
            connection.default_channel.queue_delete(queue.value)


def test_a_message_holds_ids_and_nothing_else(rung):
    """§3.3 no. 13: the whole of the message is looked at, headers included."""
    child, held = rung
    expected = {
        QueueName.SEND: (LANE, ["clinic", str(child)]),
        QueueName.POLL: (POLL, ["district-edfi"]),
    }
    for queue, (task, arguments) in expected.items():
        message = held[queue]
        assert message is not None, queue
        args, kwargs, embedded = json.loads(message.body)
        assert (args, kwargs) == (arguments, {})
        assert set(embedded.values()) == {None}
        headers = {name: value for name, value in message.headers.items() if value or value == []}
        assert re.fullmatch(r"gen\d+@.+", headers.pop("origin"))
        assert re.fullmatch(UUID, headers["id"])
        assert headers == {
            "lang": "py",
            "task": task,
            "id": headers["id"],
            "root_id": headers["id"],
            "timelimit": [None, None],
            "argsrepr": "()",
            "kwargsrepr": "{}",
            "ignore_result": True,
        }
        assert message.delivery_info["exchange"] == "planhub"
        assert message.delivery_info["routing_key"] == queue.value


def test_two_applications_of_one_process_keep_their_hubs_apart():
    asked = []
    for name in ("one", "other"):
        app = make_app("memory://")
        register(app, lambda name=name: asked.append(name))  # type: ignore[arg-type,misc]  # a hub that only tells it was asked for
        app.tasks[POLL]("nobody")  # there is no hub; it was asked for, and that is all there is to see
    assert asked == ["one", "other"]


def test_what_a_task_meets_stands_in_the_log_and_goes_no_further(app, monkeypatch):
    said = []
    monkeypatch.setattr(tasks, "error", lambda code, fault: said.append((code, type(fault))))

    def hub():
        raise ZeroDivisionError("what a child is called")

    register(app, hub)
    app.tasks[LANE]("clinic", str(uuid4()))
    app.tasks[POLL]("district-edfi")
    assert said == [(LogCode.TASK_FAULT, ZeroDivisionError)] * 2


def test_a_connection_beyond_those_being_asked_is_left_for_the_next_ring(app, monkeypatch):
    """Else polls, which may take long, hold every thread and nothing is sent."""
    monkeypatch.setattr(tasks, "error", lambda *_: None)
    asking, go = threading.Semaphore(0), threading.Event()

    def hub():
        asking.release()
        assert go.wait(10)
        raise ZeroDivisionError

    register(app, hub)
    with ThreadPoolExecutor(POLLS) as pool:
        for _ in range(POLLS):
            pool.submit(app.tasks[POLL], "district-edfi")
        assert all(asking.acquire(timeout=10) for _ in range(POLLS))
        app.tasks[POLL]("clinic-fhir")
        assert not asking.acquire(blocking=False)
        go.set()
    app.tasks[POLL]("clinic-fhir")
    assert asking.acquire(blocking=False)
    assert POLLS < run.THREADS


def test_a_ring_that_cannot_be_published_is_let_be():
    """The sweep rings again; whoever commits a delivery never fails for want of a broker."""
    bell = register(make_app("redis://127.0.0.1:1/0"), pytest.fail)
    bell.lane("clinic", uuid4())
    bell.poll("district-edfi")


def test_a_brokers_address_is_not_shown():
    assert "secret" not in repr(BrokerUrl("amqp://planhub:secret@127.0.0.1//"))
