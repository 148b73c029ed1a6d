"""The Celery application: how the doorbell is wired. Messages carry ids only and may be lost or doubled without harm.

Every setting here answers a failure that was measured (hubs.md §3.3, §4). Never `eta`, `countdown` or `retry`: due times live in
PostgreSQL.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from celery import Celery
from kombu.entity import Exchange, Queue

TIME_LIMIT = timedelta(seconds=300)
VISIBILITY = timedelta(seconds=900)
SOFT_SHUTDOWN = timedelta(seconds=20)


class QueueName(StrEnum):
    """The queues. Sends never wait behind polls."""

    SEND = "planhub.send"
    POLL = "planhub.poll"


def make_app(broker_url: str) -> Celery:
    """The application on this broker: Redis or Valkey (also by unix socket), or RabbitMQ."""
    app = Celery("planhub", broker=broker_url, set_as_current=False, include=[])
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
    "task_time_limit": int(TIME_LIMIT.total_seconds()),
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": False,
    "worker_enable_remote_control": False,
    "worker_soft_shutdown_timeout": SOFT_SHUTDOWN.total_seconds(),
    "worker_max_tasks_per_child": 20_000,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_detect_quorum_queues": True,  # else prefetch is asked for globally, which quorum queues refuse
}
