"""The worker and sweeper processes. Each opens its own hub; each may be killed at any moment without losing anything."""

import signal
import threading
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from types import FrameType

from celery import Celery, signals

from gateway.exchange.context import Hub
from gateway.exchange.destinations import close_all
from gateway.exchange.opening import open_hub, spare_the_collector
from gateway.exchange.selfcheck import guard_start
from gateway.exchange.sweep import Rung, sweep
from gateway.settings import Settings
from gateway.store import lanes
from gateway.store.broker import ensure_broker
from gateway.store.listening import Listener, listening
from gateway.telemetry import configure
from gateway.workers.app import QueueName, make_app
from gateway.workers.tasks import register
from gateway.workers.tending import tending

THREADS = 8
SWEEPER_POOL = 4  # the sweep's own, the listener's, and two for whoever tends the ledger
STEP = timedelta(seconds=1)
LONGEST = timedelta(seconds=60)
GATHER_S = 0.05
"""Seconds between two sweeps: where much is queued at once, one finds it all."""


def run_worker(settings: Settings) -> None:
    """Take rings until told to stop. One process, several threads: a slow partner holds one of them, not the process."""
    configure(settings.log_level)
    signals.setup_logging.connect(_keep_our_logging, weak=False)
    with ExitStack() as stack:
        broker = stack.enter_context(ensure_broker(settings))
        hub = stack.enter_context(open_hub(settings, pool_size=THREADS + 2))
        stack.callback(close_all)
        guard_start(hub)
        app = make_app(broker.url)
        stopping = threading.Event()
        stack.callback(signals.worker_shutting_down.disconnect, _told_to_stop(stopping))
        register(app, lambda: hub, going=lambda: not stopping.is_set())
        spare_the_collector()
        _work(app)


def _told_to_stop(stopping: threading.Event) -> object:
    """Have the event set when the worker is told to stop; the connected receiver."""

    def receive(**_: object) -> None:
        stopping.set()

    signals.worker_shutting_down.connect(receive, weak=False)
    return receive


def _keep_our_logging(**_: object) -> None:
    """Connected so that Celery does not set up logging of its own, which would print task arguments."""


def _work(app: Celery) -> None:
    worker = app.Worker(
        pool="threads",
        concurrency=THREADS,
        queues=[q.value for q in QueueName],
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()


def run_sweeper(settings: Settings) -> None:
    """Sweep until told to stop; ends with an error when the database is gone, and is started again."""
    configure(settings.log_level)
    going = _Going()
    with ensure_broker(settings) as broker, open_hub(settings, pool_size=SWEEPER_POOL) as hub:
        guard_start(hub)
        _sweep(hub, broker.url, going)


def _sweep(hub: Hub, broker_url: str, going: "_Going") -> None:
    """Ring for what is due; then wait until something is queued, at most a minute. One process sweeps at a time."""
    bell = register(make_app(broker_url), lambda: hub)
    rung = Rung()
    whole_at = hub.clock()
    with ExitStack() as stack:
        listener = stack.enter_context(listening(hub.db.engine))
        while going() and not listener.has_turn():
            listener.wait(STEP)
        stack.enter_context(tending(hub))
        while going():
            whole = hub.clock() >= whole_at
            if whole:
                whole_at = hub.clock() + LONGEST
            due = sweep(hub, whole=whole)
            for lane in rung.news(due.lanes, hub.clock()):
                bell.lane(lane.recipient, lane.child_id)
            for connection in due.connections:
                bell.poll(connection)
            _rest(listener, hub, going, whole_at)


def _rest(listener: Listener, hub: Hub, going: "_Going", until: datetime) -> None:
    """In short steps, so that a stop is heard; until something was queued, the next lane is due, or then."""
    with hub.db.transaction() as conn:
        until = min(until, lanes.next_due(conn, hub.clock()) or until)
    while going() and (left := until - hub.clock()) > timedelta(0):
        if listener.wait(min(left, STEP)):
            break
    time.sleep(GATHER_S)


class _Going:
    """True until a stop signal arrives."""

    def __init__(self) -> None:
        self._stopped = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def __call__(self) -> bool:
        return not self._stopped

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped = True
