"""`/v1/emergencies`: when somebody is in danger and nobody can be asked. Its own scope; no other purpose leads here."""

import hmac
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from consent.emergency import MOST_TOPICS
from gateway.api.access import HubDep, known_child, needs, nothing_here
from gateway.api.repeat import Answer, IdempotencyKey, once
from gateway.exchange import emergency
from gateway.exchange.disclosure import Refused
from gateway.exchange.emergency import NewEmergency, NotOpened
from gateway.exchange.tokens import Caller
from gateway.problems import Problem, ProblemKind
from gateway.store.clients import Scope
from mappings.record.base import Record
from mappings.record.category import Category

routes = APIRouter(prefix="/v1/emergencies", tags=["emergencies"])

Stated = Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"\S")]


class NewEmergencyBody(Record):
    """What is stated: it stands in the log, and the family and the privacy officer read it."""

    child: str = Field(pattern=r"^[a-z2-7]{26}$")
    topics: tuple[Category, ...] = Field(
        min_length=1, max_length=MOST_TOPICS, description="The few the danger is about."
    )
    medical: bool = Field(description="To treat somebody, by medical personnel.")
    threat: Stated
    affected_person: Stated
    personnel: Stated
    affiliation: Stated
    delay_hours: int | None = Field(default=None, ge=1, le=72, description="Tell the family later; say why.")
    delay_reason: Stated | None = None


_REFUSALS = {
    NotOpened.UNSTATED: "Say what threatens whom, who asks, and for which organisation.",
    NotOpened.TOPICS: "Name the few topics the danger is about.",
    NotOpened.DELAY: "To tell the family later, give `delay_hours` and `delay_reason`.",
}


@routes.post("", summary="State an emergency", status_code=201)
def state(
    body: NewEmergencyBody,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.EMERGENCIES_OPEN)],
) -> JSONResponse:
    """For a day you may then read the topics you named. The family and the privacy officer are told; a person reviews it."""
    if emergency.purpose_of(body.medical) not in caller.purposes:
        raise Problem(ProblemKind.PURPOSE, "Your client is not registered for this kind of emergency.")

    def act(repeat: bytes) -> Answer:
        new = NewEmergency(
            emergency_id=UUID(bytes=hmac.digest(repeat, b"emergency", "sha256")[:16], version=4),
            child_id=known_child(hub, caller, body.child),
            recipient=caller.org,
            requester=caller.client_id,
            topics=frozenset(body.topics),
            medical=body.medical,
            threat_statement=body.threat,
            affected_person=body.affected_person,
            personnel=body.personnel,
            affiliation=body.affiliation,
            delay=None if body.delay_hours is None else timedelta(hours=body.delay_hours),
            delay_reason=body.delay_reason,
        )
        done = emergency.state(hub, new)
        if done is NotOpened.NO_SUCH_CHILD:
            raise nothing_here()
        if isinstance(done, NotOpened):
            raise Problem(ProblemKind.INVALID, _REFUSALS[done])
        return 201, {"emergency": str(done.emergency_id), "expires": done.expires_at.isoformat()}

    return once(hub, caller, key, "emergencies", body, act)


@routes.get("/{emergency_id}", summary="Read in an emergency", response_class=Response)
def read(
    emergency_id: UUID, hub: HubDep, caller: Annotated[Caller, needs(Scope.EMERGENCIES_OPEN)]
) -> Response:
    """The named topics of the plan. Each reading is decided anew and entered with what you stated."""
    told = emergency.read(hub, caller.org, caller.client_id, emergency_id)
    if told is None or isinstance(told, Refused):
        raise nothing_here()
    headers = {"Planhub-Entry": str(told.sealed.entry), "Planhub-Decision": str(told.decision.decision_id)}
    return Response(told.sealed.unseal(), media_type=told.media_type, headers=headers)
