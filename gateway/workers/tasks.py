"""The tasks: take an id, open the hub, call one use case. They hold no logic and raise nothing a child could be read from."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery import Celery

from gateway.exchange.context import Hub
from gateway.exchange.deliver import work_lane
from gateway.exchange.poll import poll
from gateway.telemetry import LogCode, warning
from gateway.workers.app import QueueName


@dataclass(frozen=True, slots=True)
class Bell:
    """How to ring: for a lane, for a connection to be polled. Neither raises; a ring that is lost is rung again."""

    lane: Callable[[str, uuid.UUID], None]
    poll: Callable[[str], None]


LANE = "planhub.lane"
POLL = "planhub.poll"


def register(app: Celery, hub: Callable[[], Hub]) -> Bell:
    """Register the tasks on an application, around a process's hub; the bell that rings for them.

    Not `shared`: Celery would give such tasks, and with them this hub, to every other application of the process.
    """

    @app.task(name=LANE, shared=False)  # type: ignore[untyped-decorator]  # Celery has no types
    def lane(recipient: str, child: str) -> None:
        worked = work_lane(hub(), (recipient, uuid.UUID(child)))
        if worked is not None and worked.again:
            ring_lane(recipient, uuid.UUID(child))

    @app.task(name=POLL, shared=False)  # type: ignore[untyped-decorator]  # as above
    def poll_connection(connection: str) -> None:
        poll(hub(), connection)

    def ring_lane(recipient: str, child: uuid.UUID) -> None:
        _ring(lane, QueueName.SEND, recipient, str(child))

    def ring_poll(connection: str) -> None:
        _ring(poll_connection, QueueName.POLL, connection)

    return Bell(ring_lane, ring_poll)


def _ring(task: Any, queue: QueueName, *arguments: str) -> None:
    """Publish, or let it be: the sweep rings again within a minute."""
    try:
        task.apply_async(
            arguments, queue=queue.value, routing_key=queue.value, argsrepr="()", kwargsrepr="{}"
        )
    except Exception as error:  # noqa: BLE001  # every transport has its own; losing a ring loses nothing
        warning(LogCode.RING_LOST, queue=queue, exception=type(error).__name__)
