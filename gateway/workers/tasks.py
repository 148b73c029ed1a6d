"""The tasks: take an id, open the hub, call one use case. They hold no logic and raise nothing: what failed stands in the log."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from celery import Celery

from gateway.exchange.context import Hub
from gateway.exchange.deliver import work_lane
from gateway.exchange.poll import poll
from gateway.telemetry import LogCode, error, warning
from gateway.workers.app import QueueName


@dataclass(frozen=True, slots=True)
class Bell:
    """How to ring: for a lane, for a connection to be polled. Neither raises; a ring that is lost is rung again."""

    lane: Callable[[str, uuid.UUID], None]
    poll: Callable[[str], None]


LANE = "planhub.lane"
POLL = "planhub.poll"
POLLS = 4
"""Connections one process asks at once: they may take long, and threads are to be left for what is sent."""


def register(app: Celery, hub: Callable[[], Hub], *, going: Callable[[], bool] = lambda: True) -> Bell:
    """Register the tasks on an application, around a process's hub; the bell that rings for them.

    `going` is false once the process has been told to stop: lanes are then handed back between two deliveries. Not `shared`:
    Celery would give such tasks, and with them this hub, to every other application of the process.
    """
    polls = threading.BoundedSemaphore(POLLS)

    @app.task(name=LANE, shared=False)  # type: ignore[untyped-decorator]  # Celery has no types
    def lane(recipient: str, child: str) -> None:
        with _edge():
            worked = work_lane(hub(), (recipient, uuid.UUID(child)), going=going)
            if worked is not None and worked.again:
                ring_lane(recipient, uuid.UUID(child))

    @app.task(name=POLL, shared=False)  # type: ignore[untyped-decorator]  # as above
    def poll_connection(connection: str) -> None:
        if not polls.acquire(blocking=False):
            return  # still due, so the sweep rings for it again
        with _edge():
            try:
                poll(hub(), connection)
            finally:
                polls.release()

    def ring_lane(recipient: str, child: uuid.UUID) -> None:
        _ring(lane, QueueName.SEND, recipient, str(child))

    def ring_poll(connection: str) -> None:
        _ring(poll_connection, QueueName.POLL, connection)

    return Bell(ring_lane, ring_poll)


@contextmanager
def _edge() -> Iterator[None]:
    """Nothing a task meets goes further: the lane or connection it was about is due again by itself."""
    try:
        yield
    except Exception as fault:  # noqa: BLE001  # the worker's edge
        error(LogCode.TASK_FAULT, fault)


def _ring(task: Any, queue: QueueName, *arguments: str) -> None:
    """Publish, or let it be: the sweep rings again within a minute."""
    try:
        task.apply_async(
            arguments, queue=queue.value, routing_key=queue.value, argsrepr="()", kwargsrepr="{}"
        )
    except Exception as error:  # noqa: BLE001  # every transport has its own; losing a ring loses nothing
        warning(LogCode.RING_LOST, queue=queue, exception=type(error).__name__)
