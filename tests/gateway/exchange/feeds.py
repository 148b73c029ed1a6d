"""Connections and sources for tests of intake: an agency with a connection, documents from memory."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from adapters.port import Operation, SourceDocument, Watermark
from adapters.sandbox.edfi import keys
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


def unique() -> str:
    return str(uuid4().int % 10**9)


def student(number: str, given: str = "Ana", surname: str = "Luna", born: str = "2015-03-04", **more: Any):
    body = {"id": f"s{number}", "studentUniqueId": number, "firstName": given, "lastSurname": surname}
    return document("ed-fi/students", f"s{number}", {**body, "birthDate": born, **more})


def enrolment(number: str, school: int = 1, entry: str = "2025-08-20", **more: Any):
    body = {
        "studentReference": {"studentUniqueId": number},
        "schoolReference": {"schoolId": school},
        "entryDate": entry,
        "entryGradeLevelDescriptor": "uri://ed-fi.org/GradeLevelDescriptor#Fourth grade",
    }
    return document("ed-fi/studentSchoolAssociations", f"e{number}-{school}", {**body, **more})


def contact(key: str, given: str = "Rosa", phone: str = "(978) 555-0101"):
    body = {
        "contactUniqueId": key,
        "firstName": given,
        "lastSurname": "Luna",
        "telephones": [{"telephoneNumberTypeDescriptor": "uri://ed-fi.org/T#Home", "telephoneNumber": phone}],
    }
    return document("ed-fi/contacts", f"c{key}", body)


def tie(number: str, key: str, relation: str = "Mother"):
    body = {
        "studentReference": {"studentUniqueId": number},
        "contactReference": {"contactUniqueId": key},
        "relationDescriptor": f"uri://ed-fi.org/RelationDescriptor#{relation}",
    }
    return document("ed-fi/studentContactAssociations", f"t{number}-{key}", body)


def gone(deleted: SourceDocument) -> SourceDocument:
    """What `/deletes` tells of an item."""
    body = {"id": deleted.record_id, "changeVersion": 9, "keyValues": key_values(deleted)}
    return document(deleted.resource, deleted.record_id, body, operation=Operation.DELETE)


def rekeyed(old: SourceDocument, new: SourceDocument) -> SourceDocument:
    """What `/keyChanges` tells of an item."""
    body = {"id": old.record_id, "oldKeyValues": key_values(old), "newKeyValues": key_values(new)}
    return document(old.resource, old.record_id, body, operation=Operation.REKEY)


def key_values(of: SourceDocument) -> dict[str, Any]:
    """An item's natural key as notices give it: flat, under bare names."""
    return keys.values(of.resource, of.body)


def facts(hub, connection: str) -> list[tuple[str, str]]:
    """Kind and status of every fact a connection brought, in order."""
    with hub.db.transaction() as conn:
        rows = conn.execute(
            text(
                "SELECT a.kind, a.status FROM assertion a JOIN source_identity s USING (source_identity_id) "
                "WHERE s.connection = :c ORDER BY a.received_at, a.kind, a.status"
            ),
            {"c": connection},
        ).all()
    return [(row.kind, row.status) for row in rows]


def current(hub, connection: str, kind: str) -> int:
    return facts(hub, connection).count((kind, "current"))
