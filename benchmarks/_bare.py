"""The peer of the release: the same rows by hand-written SQL, opened and serialised alike, with nothing decided or entered.

It is a route more on the product's own application, in benchmarks/ only: the same server, the same door (token, client,
reference), the same bytes. What it leaves out is what a release adds: locks, snapshot, decision and its row, row-level
security, projection, the entry in the log. It reads as the database's superuser with one prepared statement, on a connection of
its thread's own, without a transaction around it. A second route leaves out the door as well.
"""

import json
import os
import threading
from dataclasses import dataclass
from typing import Annotated, Any, cast
from uuid import UUID

import psycopg
from fastapi import FastAPI, Response
from psycopg.rows import TupleRow

from gateway.api.access import Knock, asks_about_a_child
from gateway.app import create as create_product
from gateway.exchange.context import Hub
from gateway.exchange.organizations import organizations
from gateway.store.clients import Scope
from gateway.store.embedded import ensure_postgres
from gateway.store.people import SECRET, reference
from mappings import native
from mappings.record.base import Period
from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from mappings.view import RecordView, ViewedAssertion

VARIABLE = "PLANHUB_TEST_BARE"
"""What the peer is told, as JSON: the recipient, the topics, the purpose, the notices."""
BARE, OPEN_DOOR = "/bare/children", "/open/children"

_ROWS = """SELECT a.assertion_id, a.child_id, a.category, a.kind, a.org, a.regimes, a.labels, a.quality, a.asserted_at,
a.links, a.body, p.status, r.ref
FROM pairwise_ref r JOIN assertion a ON a.child_id = r.child_id LEFT JOIN plan p ON p.child_id = r.child_id
WHERE r.org = %(org)s AND {which} AND a.status = 'current' AND a.part = 'plan' AND a.category = ANY(%(topics)s)
AND a.kind <> 'sex-for-matching'
ORDER BY a.asserted_at, a.assertion_id"""
OF_CHILD = _ROWS.format(which="r.child_id = %(child)s")
OF_REFERENCE = _ROWS.format(which="r.ref = %(ref)s")


@dataclass(frozen=True, slots=True)
class Plain:
    """What the serialiser reads, without a decision behind it: no `RecordView`, which only the projection makes."""

    child_ref: str
    purpose: str
    plan_status: str | None
    notices: tuple[str, ...]
    assertions: tuple[ViewedAssertion, ...]

    @property
    def categories(self) -> frozenset[Category]:
        """The topics that occur."""
        return frozenset(item.category for item in self.assertions)


class Reader:
    """Reads plans with no question asked."""

    def __init__(self, hub: Hub, told: dict[str, Any]) -> None:
        urls = ensure_postgres(hub.settings.home).urls
        self._address = urls.admin.replace("postgresql+psycopg://", "postgresql://", 1)
        self._hub = hub
        self._secret = hub.keys.deployment_secret(SECRET)
        self._told = told
        self._thread = threading.local()

    def read(self, statement: str, **asked: object) -> Response:
        """The plan as the product shows it to this recipient."""
        view = self.view(statement, **asked)
        if view is None:
            return Response(status_code=404)
        document = native.document(cast("RecordView", view), organizations(self._hub))
        return Response(native.encode(document), media_type=native.MEDIA_TYPE)

    def view(self, statement: str, **asked: object) -> Plain | None:
        """What the serialiser is given; None of a child without such facts."""
        values = {"org": self._told["org"], "topics": self._told["topics"], **asked}
        rows = self.connection().execute(statement.encode(), values, prepare=True).fetchall()
        if not rows:
            return None
        key = self._hub.keys.get(rows[0][1])
        inside = {row[0] for row in rows}
        facts = []
        for row in rows:
            body = json.loads(key.open(bytes(row[10]), row=row[0], kind="assertion"))
            facts.append(self._viewed(row, body, inside))
        told = self._told
        return Plain(rows[0][12], told["purpose"], rows[0][11], tuple(told["notices"]), tuple(facts))

    def connection(self) -> psycopg.Connection[TupleRow]:
        """The superuser's connection of this thread."""
        found: psycopg.Connection[TupleRow] | None = getattr(self._thread, "connection", None)
        if found is None:
            found = self._thread.connection = psycopg.connect(self._address, autocommit=True)
        return found

    def _viewed(self, row: TupleRow, body: dict[str, Any], inside: set[UUID]) -> ViewedAssertion:
        effective = body.get("effective")
        return ViewedAssertion(
            id=self._outward(row[0]),
            kind=Kind(row[3]),
            category=Category(row[2]),
            value=body["value"],
            org=row[4],
            person=body.get("person"),
            role=body.get("role"),
            method=body["method"],
            asserted_at=row[8],
            effective=None if effective is None else Period.model_validate(effective),
            regimes=frozenset(map(Regime, row[5])),
            labels=frozenset(map(Label, row[6])),
            quality=row[7],
            links=tuple(self._outward(link) for link in row[9] if link in inside),
        )

    def _outward(self, assertion: UUID) -> str:
        return reference(self._secret, self._told["org"], assertion)


def create() -> FastAPI:
    """The product's application with the peer's two routes."""
    app = create_product()
    hub: Hub = app.state.hub
    reader = Reader(hub, json.loads(os.environ[VARIABLE]))

    @app.get(BARE + "/{ref}/plan", response_class=Response)
    def read(knock: Annotated[Knock, asks_about_a_child(Scope.PLANS_READ)]) -> Response:
        return reader.read(OF_CHILD, child=knock.enter().child)

    @app.get(OPEN_DOOR + "/{ref}/plan", response_class=Response)
    def read_unasked(ref: str) -> Response:
        return reader.read(OF_REFERENCE, ref=ref)

    return app
