"""`/v1/referrals`: ask another agency for help, say how it goes, read where it stands."""

import hmac
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from gateway.api.access import HubDep, PurposeHeader, known_child, needs, nothing_here, purpose_of
from gateway.api.repeat import Answer, IdempotencyKey, once
from gateway.exchange import reading, refer
from gateway.exchange.disclosure import Refused
from gateway.exchange.reading import Reader
from gateway.exchange.refer import Moved, NotMoved, NotReferred
from gateway.exchange.tokens import Caller
from gateway.problems import Problem, ProblemKind
from gateway.store.clients import Scope
from mappings.record.base import Record
from mappings.record.category import Category
from mappings.record.referral import Referral, ReferralEvent
from mappings.record.sensitivity import Label

routes = APIRouter(prefix="/v1/referrals", tags=["referrals"])


class NewReferral(Record):
    """What is asked, of whom, for which child (by your own reference)."""

    child: str = Field(pattern=r"^[a-z2-7]{26}$")
    to_agency: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")
    referral: Referral
    topics: tuple[Category, ...] = ()
    labels: tuple[Label, ...] = ()


_REFUSALS = {
    NotReferred.NO_SUCH_AGENCY: (ProblemKind.INVALID, "No agency of this community has that key."),
    NotReferred.NO_CHANNEL: (ProblemKind.INVALID, "That agency does not take referrals through the hub."),
    NotReferred.NO_SUCH_REFERRAL: (ProblemKind.NOT_FOUND, ""),
    NotReferred.NOT_A_PARTY: (ProblemKind.NOT_FOUND, ""),
    NotReferred.ILLEGAL: (
        ProblemKind.ILLEGAL_STATE,
        "Read the referral again; see `issue` for what may follow.",
    ),
}


def _refuse(done: NotMoved) -> Problem:
    kind, detail = _REFUSALS[done.why]
    if kind is ProblemKind.NOT_FOUND:
        return nothing_here()
    extra: dict[str, Any] = {"issue": done.issue.model_dump(mode="json")} if done.issue else {}
    return Problem(kind, detail, extra)


@routes.post("", summary="Refer a child", status_code=202)
def submit(
    body: NewReferral,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.REFERRALS_WRITE)],
) -> JSONResponse:
    """It leaves as soon as the family's permission covers it; until then it waits and nothing of it leaves."""

    def act(repeat: bytes) -> Answer:
        child = known_child(hub, caller, body.child)
        done = refer.submit(
            hub,
            caller.org,
            child,
            body.to_agency,
            body.referral,
            topics=frozenset(body.topics),
            labels=frozenset(body.labels),
            referral_id=UUID(bytes=hmac.digest(repeat, b"referral", "sha256")[:16], version=4),
        )
        if isinstance(done, NotMoved):
            raise _refuse(done)
        return 202, {"referral": str(done.referral_id), "state": done.state.value}

    return once(hub, caller, key, "referrals", body, act)


@routes.get("/{referral}", summary="Where a referral stands", response_class=Response)
def read(
    referral: UUID,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.REFERRALS_READ)],
    purpose: PurposeHeader = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """What your agency stated of it, and of the other side's word as much as the family has opened to you."""
    reader = Reader(caller.org, caller.client_id, purpose_of(caller, purpose))
    released = reading.read_referral(hub, reader, referral)
    if released is None or isinstance(released, Refused) or released.version is None:
        raise nothing_here()
    etag = f'"{released.version.n}"'
    headers = {"ETag": etag, "Planhub-Entry": str(released.sealed.entry)}
    if if_none_match is not None and etag in {tag.strip() for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(released.sealed.unseal(), media_type=released.media_type, headers=headers)


@routes.post("/{referral}/events", summary="Say what happened", status_code=201)
def report(
    referral: UUID,
    body: ReferralEvent,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.REFERRALS_WRITE)],
) -> JSONResponse:
    """Accepted, started, completed, declined …: only along the table of allowed moves, skipped stations included."""

    def act(repeat: bytes) -> Answer:
        return _moved(refer.report(hub, caller.org, referral, body, source_key=repeat), 201)

    return once(hub, caller, key, f"events/{referral}", body, act)


@routes.post("/{referral}/family-informed", summary="Say that the family knows how it ended")
def family_informed(
    referral: UUID,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.REFERRALS_WRITE)],
) -> JSONResponse:
    """With an ended referral this closes the loop."""

    def act(_: bytes) -> Answer:
        return _moved(refer.family_informed(hub, caller.org, referral), 200)

    return once(hub, caller, key, f"informed/{referral}", None, act)


def _moved(done: Moved | NotMoved, status: int) -> Answer:
    if isinstance(done, NotMoved):
        raise _refuse(done)
    return status, {"state": done.state.value}
