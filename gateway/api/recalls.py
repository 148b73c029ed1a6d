"""`/v1/recalls`: permissions that were ended after your agency had received something, and what you did about it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from gateway.api.access import HubDep, needs, nothing_here
from gateway.api.repeat import Answer, IdempotencyKey, once
from gateway.exchange import recall
from gateway.exchange.recall import Done
from gateway.exchange.tokens import Caller
from gateway.store.clients import Scope
from mappings.record.base import Record

routes = APIRouter(prefix="/v1/recalls", tags=["recalls"])

MOST = 100


class RecallNotice(Record):
    """Ids only: the recall's own, the child by your reference, the permission's number, the deliveries you had."""

    recall: str
    child: str
    permission: str
    ended_at: str
    deliveries: tuple[str, ...]
    acknowledge: str


class Recalls(Record):
    """Those you have not answered, oldest first. There is no total."""

    recalls: tuple[RecallNotice, ...]


class RecallAnswer(Record):
    """What you did with what you had."""

    done: Done


@routes.get("", summary="Recalls you have not answered")
def unanswered(
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.CHANGES_READ)],
    most: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> Recalls:
    """What you received on these permissions was taken back; nothing new comes on them."""
    found = recall.unanswered(hub, caller.org, most)
    return Recalls(recalls=tuple(RecallNotice(**recall.notice(hub, one)) for one in found))


@routes.post("/{recall_id}/acknowledgement", summary="Say what you did")
def acknowledge(
    recall_id: UUID,
    body: RecallAnswer,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.CHANGES_READ)],
) -> JSONResponse:
    """Your answer enters the log and is told to the family."""

    def act(_: bytes) -> Answer:
        entry = recall.acknowledge(hub, caller.org, recall_id, body.done, requester=caller.client_id)
        if entry is None:
            raise nothing_here()
        return 200, {"recall": str(recall_id), "done": body.done.value, "entry": entry}

    return once(hub, caller, key, f"recalls/{recall_id}", body, act)
