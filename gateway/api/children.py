"""`/v1/children/{ref}/access`: what of a child is open to your agency, until when, by which permission."""

from typing import Annotated

from fastapi import APIRouter, Response

from gateway.api.access import Knock, PurposeHeader, asks_about_a_child, nothing_here, purpose_of
from gateway.exchange import access
from gateway.exchange.disclosure import Refused
from gateway.exchange.reading import Reader
from gateway.store.clients import Scope

routes = APIRouter(prefix="/v1/children/{ref}/access", tags=["access"])


@routes.get("", summary="What the family opened to you", response_class=Response)
def read(
    knock: Annotated[Knock, asks_about_a_child(Scope.PLANS_READ)], purpose: PurposeHeader = None
) -> Response:
    """Each open topic for your purpose, with its end and the permission's number. What is closed leaves no trace."""
    asking = knock.enter()
    reader = Reader(asking.caller.org, asking.caller.client_id, purpose_of(asking.caller, purpose))
    told = access.what_you_may_see(asking.hub, reader, asking.child)
    if isinstance(told, Refused):
        raise nothing_here()
    headers = {"Planhub-Entry": str(told.sealed.entry), "Planhub-Decision": str(told.decision.decision_id)}
    return Response(told.sealed.unseal(), media_type=told.media_type, headers=headers)
