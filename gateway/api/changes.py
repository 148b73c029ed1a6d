"""`/v1/changes` and `/v1/children/lookup`: what changed since you last looked, and your own reference for a child you sent."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from gateway.api.access import HubDep, PurposeHeader, needs, nothing_here, purpose_of
from gateway.exchange import reading
from gateway.exchange.reading import MOST_CHANGES, Reader
from gateway.exchange.tokens import Caller
from gateway.problems import Problem, ProblemKind
from gateway.store.clients import Scope
from mappings.record.base import Record

routes = APIRouter(prefix="/v1", tags=["changes"])


class Change(Record):
    """One resource that changed for you: read it at its own address. No content stands here."""

    cursor: int
    child: str
    resource: str
    version: int
    at: str


class Changes(Record):
    """Oldest first. Go on from `next`; an empty page means you have seen everything. There is no total."""

    changes: tuple[Change, ...]
    next: int


class Acknowledgement(Record):
    """Everything up to this cursor is taken in."""

    cursor: int = Field(ge=1)


class OwnIdentifier(Record):
    """The child as your own system numbers it, as it was sent to the hub."""

    system: str = Field(min_length=1, max_length=200)
    assigner: str = Field(min_length=1, max_length=200)
    value: str = Field(min_length=1, max_length=200)


class OwnReference(Record):
    """Your agency's reference for the child: yours alone, worthless to others."""

    child: str


@routes.get("/changes", summary="What changed since a cursor")
def list_changes(
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.CHANGES_READ)],
    purpose: PurposeHeader = None,
    after: Annotated[int | None, Query(ge=0, description="Default: what you last acknowledged.")] = None,
    most: Annotated[int, Query(ge=1, le=MOST_CHANGES)] = 100,
) -> Changes:
    """Only resources you may still see; each is decided again before it is named."""
    reader = Reader(caller.org, caller.client_id, purpose_of(caller, purpose))
    if after is None:
        with hub.db.transaction() as conn:
            after = reading.acknowledged(conn, caller.org)
    page = reading.changes_since(hub, reader, after, most)
    shown = tuple(
        Change(cursor=c.cursor, child=c.child_ref, resource=c.resource, version=c.n, at=c.at.isoformat())
        for c in page.items
    )
    return Changes(changes=shown, next=page.next)


@routes.post("/changes/acknowledgements", summary="Say how far you have taken changes in")
def acknowledge(
    body: Acknowledgement, hub: HubDep, caller: Annotated[Caller, needs(Scope.CHANGES_READ)]
) -> Acknowledgement:
    """The next list begins there. It never moves back."""
    with hub.db.transaction() as conn:
        done = reading.acknowledge(conn, caller.org, body.cursor, hub.clock())
        position = reading.acknowledged(conn, caller.org)
    if not done:
        raise Problem(
            ProblemKind.INVALID, "That cursor was never given to your agency; use one from /v1/changes."
        )
    return Acknowledgement(cursor=position)


@routes.post("/children/lookup", summary="Your reference for a child you sent")
def lookup(
    body: OwnIdentifier, hub: HubDep, caller: Annotated[Caller, needs(Scope.CHILDREN_LOOKUP)]
) -> OwnReference:
    """By the identifier your own system sent. A child others sent, or one still in review, is not found here."""
    ref = reading.find_own(hub, caller.org, body.system, body.assigner, body.value)
    if ref is None:
        raise nothing_here()
    return OwnReference(child=ref)
