"""`/v1/asks`: ask a family for what your agency would like to see, and read whether it has said yes."""

import hmac
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field

from consent.ask import Ask, AskFault, AskState, MadeBy
from consent.vocabulary import Purpose
from gateway.api.access import HubDep, known_child, needs, nothing_here
from gateway.api.repeat import Answer, IdempotencyKey, once
from gateway.exchange import ask
from gateway.exchange.ask import Asked, NewAsk, NotAsked
from gateway.exchange.tokens import Caller
from gateway.problems import Problem, ProblemKind
from gateway.store.clients import Scope
from mappings.record.base import Record
from mappings.record.category import Category

routes = APIRouter(prefix="/v1/asks", tags=["asks"])


class NewAskBody(Record):
    """What you would like to see, why, and until when; for a child by your own reference."""

    child: str = Field(pattern=r"^[a-z2-7]{26}$")
    topics: tuple[Category, ...] = Field(
        min_length=1, description="An extra-private topic is asked for alone."
    )
    purpose: Purpose
    until: AwareDatetime = Field(description="At most a year away.")
    interpreter: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
        description="The language the family needs an interpreter for (BCP 47).",
    )


_REFUSALS: dict[NotAsked | AskFault, tuple[ProblemKind, str]] = {
    NotAsked.NO_SUCH_AGENCY: (ProblemKind.NOT_PERMITTED, "Your agency is not active in this community."),
    NotAsked.BEYOND_AGREEMENT: (
        ProblemKind.NOT_PERMITTED,
        "Your agency's agreement does not cover these topics for this purpose; see the agreement.",
    ),
    NotAsked.OPEN: (
        ProblemKind.ILLEGAL_STATE,
        "Your agency has an ask open for this child and purpose; ask again when it has lapsed.",
    ),
    AskFault.NO_TOPIC: (ProblemKind.INVALID, "Name a topic; who the child is goes with every topic."),
    AskFault.NOT_ALONE: (
        ProblemKind.INVALID,
        "An extra-private topic is asked for alone: send one ask for it.",
    ),
    AskFault.NOT_A_REQUEST: (ProblemKind.INVALID, "A family is not asked for this purpose."),
    AskFault.OVER: (ProblemKind.INVALID, "`until` has passed."),
    AskFault.TOO_LONG: (ProblemKind.INVALID, "`until` is more than a year away; ask again each school year."),
}


@routes.post("", summary="Ask a family", status_code=202)
def make(
    body: NewAskBody,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.ASKS_WRITE)],
) -> JSONResponse:
    """It is put to the family and opens nothing by itself. One ask at a time for a child and purpose."""
    if body.purpose not in caller.purposes:
        raise Problem(ProblemKind.PURPOSE, "Your client is not registered for that purpose of use.")

    def act(repeat: bytes) -> Answer:
        new = NewAsk(
            ask_id=UUID(bytes=hmac.digest(repeat, b"ask", "sha256")[:16], version=4),
            child_id=known_child(hub, caller, body.child),
            recipient=caller.org,
            requester=caller.client_id,
            topics=frozenset(body.topics),
            purpose=body.purpose,
            until=body.until,
            made_by=MadeBy.AGENCY,
            interpreter=body.interpreter,
        )
        done = ask.make(hub, new)
        if isinstance(done, Asked):
            return 202, _shown(done.ask, done.ask.shown(hub.clock()))
        if done is NotAsked.NO_SUCH_CHILD:
            raise nothing_here()
        raise Problem(*_REFUSALS[done])

    return once(hub, caller, key, "asks", body, act)


@routes.get("/{ask_id}", summary="Whether a family has said yes")
def read(ask_id: UUID, hub: HubDep, caller: Annotated[Caller, needs(Scope.ASKS_WRITE)]) -> JSONResponse:
    """`waiting`, `answered` or `lapsed`. A family that said no and one that has not answered look the same."""
    found = ask.shown_to(hub, caller.org, ask_id)
    if found is None:
        raise nothing_here()
    return JSONResponse(_shown(*found))


def _shown(one: Ask, state: AskState) -> dict[str, Any]:
    """What an asker may know; the day an ask lapses is the same whatever the family says."""
    return {
        "ask": str(one.ask_id),
        "state": state.value,
        "topics": sorted(one.topics),
        "purpose": one.purpose.value,
        "until": one.until.isoformat(),
        "lapses": one.lapses_at.isoformat(),
    }
