"""Connections and sources for tests of intake: an agency with a connection, documents from memory."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from adapters.port import Operation, SourceDocument, Watermark
from gateway.exchange.context import Hub
from gateway.exchange.item import Pulled
from gateway.exchange.opening import record_maps


def add_connection(
    hub: Hub,
    org: str,
    adapter: str,
    *,
    config: dict[str, Any] | None = None,
    chosen: dict[str, str] | None = None,
    roster: bool | None = None,
    regimes: Iterable[str] | None = None,
) -> str:
    """A connection of an agency that exists; its key. `roster` sets whether the agency says who exists."""
    record_maps(hub)
    name = f"{org}-{adapter}-{uuid4().hex[:6]}"
    with hub.db.transaction() as connection:
        if roster is not None:
            connection.execute(
                text("UPDATE org SET roster_authority = :roster WHERE org = :org"),
                {"roster": "yes" if roster else "no", "org": org},
            )
        if regimes is not None:
            connection.execute(
                text("UPDATE org SET regimes = :regimes WHERE org = :org"),
                {"regimes": list(regimes), "org": org},
            )
        connection.execute(
            text(
                "INSERT INTO connection (connection, org, adapter, config, maps) "
                "VALUES (:name, :org, :adapter, cast(:config AS jsonb), cast(:maps AS jsonb))"
            ),
            {
                "name": name,
                "org": org,
                "adapter": adapter,
                "config": json.dumps(config or {}),
                "maps": json.dumps(chosen or {}),
            },
        )
    return name


def document(
    resource: str,
    record_id: str,
    body: dict[str, Any],
    *,
    operation: Operation = Operation.UPSERT,
    version: str | None = None,
) -> SourceDocument:
    return SourceDocument(resource, record_id, version, operation, json.dumps(body).encode(), body)


def full(*documents: Pulled, since: int | None = 1) -> list[Pulled]:
    """A pull that shows everything there is."""
    return [*documents, Watermark(since, full=True)]


def partial(*documents: Pulled, since: int | None = 2) -> list[Pulled]:
    """A pull of what changed."""
    return [*documents, Watermark(since, full=False)]
