"""`/v1/children/{ref}/plan`: read a plan, contribute to it, propose a version, record what the family said, make it active."""

import hmac
from datetime import datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from gateway.api.access import (
    ChildRef,
    HubDep,
    Knock,
    PurposeHeader,
    asks_about_a_child,
    known_child,
    needs,
    nothing_here,
    purpose_of,
)
from gateway.api.repeat import Answer, IdempotencyKey, once
from gateway.exchange import plans, reading
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused, Released
from gateway.exchange.reading import Reader
from gateway.exchange.tokens import Caller
from gateway.problems import Problem, ProblemKind
from gateway.store import people, records
from gateway.store.clients import Scope
from mappings.record.base import Record
from mappings.record.contribution import Contribution
from mappings.record.kind import Kind
from mappings.record.lifecycle import LACK_TEXT
from mappings.record.plan import Agreement, Conference, FamilyVoice

routes = APIRouter(prefix="/v1/children/{ref}/plan", tags=["plans"])
MOST_CONTRIBUTIONS = 100


class Contributions(Record):
    """Facts to add; each stands by itself, and one that cannot be accepted does not stop the others."""

    contributions: tuple[Contribution, ...] = Field(min_length=1, max_length=MOST_CONTRIBUTIONS)


class FamilyAnswer(FamilyVoice):
    """How the family answered the proposed plan."""

    agreement: Agreement


class Activation(Record):
    """The lead agency's word that the proposed version is now in force."""

    confirm: Literal["active"]


def _etag(released: Released) -> str:
    assert released.version is not None
    return f'"{released.version.n}"'


def _reader(caller: Caller, purpose: str | None) -> Reader:
    return Reader(caller.org, caller.client_id, purpose_of(caller, purpose))


@routes.get("", summary="The plan as you may see it now", response_class=Response)
def read(
    knock: Annotated[Knock, asks_about_a_child(Scope.PLANS_READ)],
    purpose: PurposeHeader = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Every fact the family has opened to your agency for this purpose, and what your agency stated itself."""
    asking = knock.enter()
    released = reading.read_plan(asking.hub, _reader(asking.caller, purpose), asking.child)
    if isinstance(released, Refused):
        raise nothing_here()
    headers = {
        "ETag": _etag(released),
        "Planhub-Entry": str(released.sealed.entry),
        "Planhub-Decision": str(released.decision.decision_id),
    }
    if if_none_match is not None and headers["ETag"] in {tag.strip() for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(released.sealed.unseal(), media_type=released.media_type, headers=headers)


def _known(hub: Hub, org: str, child: UUID) -> dict[str, UUID]:
    """The agency's ids of this child's facts; an id is only ever learnt by being shown the fact."""
    secret = hub.keys.deployment_secret(people.SECRET)
    with hub.db.transaction() as conn:
        found = records.envelopes(conn, [child])
    return {people.reference(secret, org, e.assertion_id): e.assertion_id for e in found}


def _contribute(hub: Hub, caller: Caller, ref: str, given: tuple[Contribution, ...], repeat: bytes) -> Answer:
    child = known_child(hub, caller, ref)
    known = _known(hub, caller.org, child)
    ids = [
        UUID(bytes=hmac.digest(repeat, n.to_bytes(4), "sha256")[:16], version=4) for n in range(len(given))
    ]
    done = plans.contribute(hub, caller.org, child, given, known, ids)
    issues = [issue.model_dump(mode="json") for issue in done.issues]
    if not any(done.ids):
        raise Problem(
            ProblemKind.INVALID, "None of the facts could be accepted; see `issues`.", {"issues": issues}
        )
    secret = hub.keys.deployment_secret(people.SECRET)
    shown = [None if one is None else people.reference(secret, caller.org, one) for one in done.ids]
    return 201, {"ids": shown, "issues": issues}


@routes.post("/contributions", summary="Add facts to the plan", status_code=201)
def contribute(
    ref: ChildRef,
    body: Contributions,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.PLANS_CONTRIBUTE)],
) -> JSONResponse:
    """A strength, interest, need, goal, progress, support, service delivery, the family's words. Two agencies at once both stand."""

    def act(repeat: bytes) -> Answer:
        return _contribute(hub, caller, ref, body.contributions, repeat)

    return once(hub, caller, key, f"contributions/{ref}", body, act)


@routes.post("/proposals", summary="Propose what stands as the next version", status_code=201)
def propose(
    ref: ChildRef,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.PLANS_CONTRIBUTE)],
    purpose: PurposeHeader = None,
    if_match: Annotated[str | None, Header(description="The ETag of the plan you read.")] = None,
) -> JSONResponse:
    """Freeze the plan as it stands for the family to answer. Refused with 412 when your view of it has changed since you read it."""
    if if_match is None:
        raise Problem(ProblemKind.PRECONDITION_REQUIRED, "Read the plan and send its ETag as If-Match.")
    reader = _reader(caller, purpose)

    def act(_: bytes) -> Answer:
        child = known_child(hub, caller, ref)
        now = reading.read_plan(hub, reader, child)
        if isinstance(now, Refused):
            raise nothing_here()
        if if_match.strip() != _etag(now):
            raise Problem(ProblemKind.STALE, "Read the plan again, look at what changed, then propose.")
        return _step(plans.propose(hub, caller.org, child), 201)

    return once(hub, caller, key, f"proposals/{ref}/{if_match}", None, act)


@routes.post("/conferences", summary="Record a plan conference", status_code=201)
def record_conference(
    ref: ChildRef,
    body: Conference,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.PLANS_CONTRIBUTE)],
) -> JSONResponse:
    """A conference with the family, or the attempts to hold one."""
    given = Contribution(kind=Kind.CONFERENCE, value=body.model_dump(mode="json", exclude_none=True))
    return once(
        hub, caller, key, f"conferences/{ref}", body, lambda r: _contribute(hub, caller, ref, (given,), r)
    )


@routes.post("/agreements", summary="Record the family's answer", status_code=201)
def record_agreement(
    ref: ChildRef,
    body: FamilyAnswer,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.PLANS_CONTRIBUTE)],
) -> JSONResponse:
    """Agree, partly, no, or not reached: in the words of whoever answered."""
    given = Contribution(kind=Kind.FAMILY_VOICE, value=body.model_dump(mode="json", exclude_none=True))
    return once(
        hub, caller, key, f"agreements/{ref}", body, lambda r: _contribute(hub, caller, ref, (given,), r)
    )


@routes.post("/activation", summary="Make the proposed version the plan in force")
def activate(
    ref: ChildRef,
    body: Activation,
    key: IdempotencyKey,
    hub: HubDep,
    caller: Annotated[Caller, needs(Scope.PLANS_LEAD)],
    purpose: PurposeHeader = None,
) -> JSONResponse:
    """Only the plan's lead agency, and only when nothing that makes a plan active is missing from its own view."""
    reader = _reader(caller, purpose)

    def act(_: bytes) -> Answer:
        child = known_child(hub, caller, ref)
        verdict = reading.judge(hub, reader, child)
        review = (
            datetime.combine(verdict.next_review, time(), hub.clock().tzinfo) if verdict.next_review else None
        )
        return _step(plans.activate(hub, caller.org, child, verdict.lacks, review), 200)

    return once(hub, caller, key, f"activation/{ref}", body, act)


_REFUSALS = {
    plans.Refused.NO_PLAN: (
        ProblemKind.ILLEGAL_STATE,
        "This child has no plan yet; propose a version first.",
    ),
    plans.Refused.NOT_LEAD: (
        ProblemKind.NOT_PERMITTED,
        "Only the agency that leads this plan makes it active.",
    ),
    plans.Refused.NOTHING: (ProblemKind.ILLEGAL_STATE, "There is nothing to propose yet; contribute first."),
    plans.Refused.STATE: (ProblemKind.ILLEGAL_STATE, "No version waits for this step; read the plan again."),
    plans.Refused.LACKS: (
        ProblemKind.ILLEGAL_STATE,
        "The plan is not complete enough to be active; see `lacks`.",
    ),
}


def _step(done: plans.Proposed | plans.NotTaken, status: int) -> Answer:
    if isinstance(done, plans.Proposed):
        return status, {"version": done.n}
    kind, detail = _REFUSALS[done.why]
    extra: dict[str, Any] = (
        {"lacks": [{"what": k.value, "text": LACK_TEXT[k]} for k in done.lacks]} if done.lacks else {}
    )
    raise Problem(kind, detail, extra)
