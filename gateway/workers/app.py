"""The Celery application: how the doorbell is wired. Messages carry ids only and may be lost or doubled without harm.

Every setting here answers a failure that was measured (hubs.md §3.3, §4). Never `eta`, `countdown` or `retry`: due times live in
PostgreSQL. Celery's time limits do nothing in a pool of threads, so there is none: what a task waits for has its own deadline,
a request to a partner (`adapters.http.Limits`, `Pace.longest_attempt`), a statement (`gateway.store.engine`), a turn at a lane
(`Pace.longest_turn`).
"""

import warnings
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from celery import Celery
from celery.apps.worker import Worker, install_worker_term_handler
from celery.exceptions import SecurityWarning
from kombu.entity import Exchange, Queue

VISIBILITY = timedelta(seconds=900)
SOFT_SHUTDOWN = timedelta(seconds=20)


class QueueName(StrEnum):
    """The queues. Sends never wait behind polls."""

    SEND = "planhub.send"
    POLL = "planhub.poll"


class QuietWorker(Worker):  # type: ignore[misc]  # Celery has no types
    """Celery's worker, saying what it has to say in the log: no banner, no advice, nothing on a terminal."""

    def on_before_init(self, **options: Any) -> None:
        """As Celery does, but without its word on root, who is refused where messages could run code; ours are JSON."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            super().on_before_init(**options)

    def install_platform_tweaks(self, worker: Worker) -> None:
        """End what was begun and take nothing new, when told to stop; no other signal means anything."""
        for name in ("SIGTERM", "SIGINT"):
            install_worker_term_handler(worker, sig=name, verbose=False)


class Doorbell(Celery):  # type: ignore[misc]  # as above
    """A Celery application whose workers are quiet."""

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - Celery's name
        """The class of its workers."""
        return self.subclass_with_self(QuietWorker)


def make_app(broker_url: str) -> Celery:
    """The application on this broker: Redis or Valkey (also by unix socket), or RabbitMQ."""
    app = Doorbell("planhub", broker=broker_url, set_as_current=False, include=[])
    app.conf.update(_settings(broker_url))
    return app


def _settings(broker_url: str) -> dict[str, Any]:
    quorum = broker_url.startswith("amqp")
    return _WORKING | {
        "task_queues": _queues(quorum=quorum),
        "broker_transport_options": _RABBIT if quorum else _REDIS,
    }


def _queues(*, quorum: bool) -> list[Queue]:
    # a topic exchange: a direct one loses native delayed delivery on quorum queues (hubs.md §3.3 no. 4)
    exchange = Exchange("planhub", type="topic", durable=True)  # type: ignore[no-untyped-call]  # kombu is untyped
    arguments = {"x-queue-type": "quorum"} if quorum else {}
    return [
        Queue(q.value, exchange, routing_key=q.value, durable=True, queue_arguments=arguments)  # type: ignore[no-untyped-call]  # as above
        for q in QueueName
    ]


_RABBIT: dict[str, Any] = {"confirm_publish": True}
_REDIS: dict[str, Any] = {
    "visibility_timeout": int(VISIBILITY.total_seconds()),
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
}
_WORKING: dict[str, Any] = {
    "task_default_exchange": "planhub",
    "task_default_exchange_type": "topic",
    "task_default_queue": QueueName.SEND.value,
    "task_default_routing_key": QueueName.SEND.value,
    "task_create_missing_queues": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_connection_timeout": 5,
    "task_publish_retry": False,
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_ignore_result": True,
    "task_store_errors_even_if_ignored": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": False,
    "worker_enable_remote_control": False,
    "worker_soft_shutdown_timeout": SOFT_SHUTDOWN.total_seconds(),
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_detect_quorum_queues": True,  # else prefetch is asked for globally, which quorum queues refuse
}
