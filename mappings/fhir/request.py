"""A referral as Gravity asks for it: ServiceRequest is what is wanted, Task is how it goes (SDOH Clinical Care 3.0.0).

The Task's status follows the referral's latest event that is in the view, so that a recipient who may not hear how it ended
is told no more than `requested`. A request is a conditional create, since the one who is asked owns the Task from then on; only
a referral that has moved is an update. A draft never leaves. What was done stands in Task.output and in a Procedure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mappings.fhir.codetable import SDOH, sdoh_category
from mappings.fhir.element import codings
from mappings.fhir.piece import GRAVITY, PATIENT, Body, Piece
from mappings.fhir.profiles import profiles
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.plan import Domain
from mappings.record.referral import ReferralOutcome, ReferralState
from mappings.view import ViewedAssertion

SNOMED = "http://snomed.info/sct"
SOCIAL_SERVICE = "410606002"  # SNOMED CT social service procedure, as Gravity's own examples categorise
REFERRAL_TO_SERVICE = (
    "306206005"  # SNOMED CT referral to service: the code where the service has none of its own
)

TASK_STATUS: dict[ReferralState, str] = {
    ReferralState.SENT: "requested",
    ReferralState.RECEIVED: "requested",  # Gravity's table has no received (health.md §1.2)
    ReferralState.ACCEPTED: "accepted",
    ReferralState.WAITLISTED: "on-hold",
    ReferralState.IN_PROGRESS: "in-progress",
    ReferralState.COMPLETED: "completed",
    ReferralState.DECLINED: "rejected",
    ReferralState.CANCELLED: "cancelled",
    ReferralState.FAILED: "failed",
    ReferralState.ENTERED_IN_ERROR: "entered-in-error",
}
"""domain.md §3.5; states that are not here never leave the hub."""

REQUEST_STATUS: dict[ReferralState, str] = {
    ReferralState.WAITLISTED: "on-hold",
    ReferralState.COMPLETED: "completed",
    ReferralState.FAILED: "completed",
    ReferralState.DECLINED: "revoked",
    ReferralState.CANCELLED: "revoked",
    ReferralState.ENTERED_IN_ERROR: "entered-in-error",
}
"""ServiceRequest.status where it is not `active`."""

_NEEDS_REASON = frozenset({"rejected", "cancelled", "on-hold", "failed"})
_NOT_DONE = frozenset({ReferralOutcome.NOT_RECEIVED, ReferralOutcome.NEED_MET_ELSEWHERE})


@dataclass(frozen=True, slots=True)
class ReferralContext:
    """Which referral of the view goes out, and between whom.

    `assertion_id` finds it in the view; `requester` and `owner` are organisations' keys; `ref` is the reference under which
    this recipient knows it and by which their Task comes back (the assertion's own id where none is given).
    """

    assertion_id: str
    requester: str
    owner: str | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Parties:
    """Symbolic references to the organisations that ask and that are asked, and the referral's reference between them."""

    requester: str
    owner: str | None
    ref: str


def latest_event(referral: ViewedAssertion, events: Sequence[ViewedAssertion]) -> ViewedAssertion | None:
    """The last thing that happened to it, of what the view holds."""
    own = [event for event in events if referral.id in event.links]
    return max(own, key=lambda event: (event.value["at"], event.asserted_at, event.id), default=None)


def referral_pieces(
    request: Piece,
    referral: ViewedAssertion,
    event: ViewedAssertion | None,
    parties: Parties,
    needs: Sequence[Body],
) -> tuple[tuple[Piece, ...], tuple[Issue, ...]]:
    """ServiceRequest, Task and what they carry; `request` is the map's ServiceRequest, `needs` the bodies it links to."""
    state = ReferralState(event.value["state"]) if event else ReferralState.SENT
    if state not in TASK_STATUS:
        text = "a draft referral does not leave the hub; send it first"
        return (), (
            Issue(severity=Severity.WARNING, code=IssueCode.FORBIDDEN, path="view.referral", text=text),
        )
    made = _request(request, referral, state, parties, needs)
    done = _procedure(made, event, state) if event else None
    waiting = _enrollment(made, event) if event and state is ReferralState.WAITLISTED else None
    task = _task(made, referral, event, state, parties, done, waiting)
    moved = state not in {ReferralState.SENT, ReferralState.RECEIVED}
    made, task = replace(made, updates=moved), replace(task, updates=moved)
    return tuple(piece for piece in (made, task, done, waiting) if piece), ()


def _request(
    request: Piece, referral: ViewedAssertion, state: ReferralState, parties: Parties, needs: Sequence[Body]
) -> Piece:
    code = request.body["code"]
    coded = list(codings(code)) + [pair for need in needs for pair in codings(need.get("code"))]
    social = sdoh_category(coded)
    categories = []
    if referral.value["domain"] != Domain.HEALTH:
        categories.append({"coding": [{"system": SNOMED, "code": SOCIAL_SERVICE}]})
    if social:
        categories.append({"coding": [{"system": SDOH, "code": social}]})
    return replace(request, identity=parties.ref).with_body(
        status=REQUEST_STATUS.get(state, "active"),
        category=categories,
        code={**code, "coding": _procedure_codings(code)},
        requester={"reference": parties.requester},
        performer=[{"reference": parties.owner}] if parties.owner else [],
    )


def _procedure_codings(concept: Body) -> list[Body]:
    """The concept's codings, preceded by a general procedure code where none is of a system the profile accepts."""
    given: list[Body] = concept.get("coding", [])
    if any(coding.get("system") in procedure_systems() for coding in given):
        return given
    return [{"system": SNOMED, "code": REFERRAL_TO_SERVICE}, *given]


def procedure_systems() -> frozenset[str]:
    """The code systems of US Core's procedure codes, as our rule table lists them."""
    rules = profiles()[f"{GRAVITY}SDOHCC-ServiceRequest"]
    return frozenset(next(rule.argument for rule in rules if rule.rule == "system").split(" "))


def _procedure(request: Piece, event: ViewedAssertion, state: ReferralState) -> Piece | None:
    """What was done, where the event says that something was, or that nothing came of it."""
    said = event.value
    began = said.get("first_service_on")
    if state is not ReferralState.COMPLETED and not (began and state is ReferralState.IN_PROGRESS):
        return None
    ended = state is ReferralState.COMPLETED
    undone = ended and said.get("outcome") in _NOT_DONE
    performed = said.get("performed")
    code = {"coding": [performed], "text": performed.get("display")} if performed else request.body["code"]
    code = {name: value for name, value in {**code, "coding": _procedure_codings(code)}.items() if value}
    day = said["at"][:10]
    period = {"start": began, **({"end": day} if ended and began and day >= began else {})} if began else None
    body: Body = {
        "basedOn": [{"reference": request.key}],
        "status": "not-done" if undone else "completed" if ended else "in-progress",
        "code": code,
        "subject": {"reference": PATIENT},
        **({"performedPeriod": period} if period else {"performedDateTime": day}),
    }
    if undone:
        del body["performedPeriod" if period else "performedDateTime"]
    return Piece(
        "Procedure",
        f"@done/{event.id}",
        f"{event.id}-done",
        body,
        frozenset({event.id}),
        (f"{GRAVITY}SDOHCC-Procedure",),
    )


def _enrollment(request: Piece, event: ViewedAssertion) -> Piece:
    """That the child is on a waiting list, which a Task alone cannot say (Gravity ObservationProgramEnrollmentStatus)."""
    core = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
    body: Body = {
        "status": "final",
        "category": [
            {"coding": [{"system": core, "code": "sdoh"}]},
            {"coding": [{"system": SDOH, "code": "program-enrollment"}]},
        ],
        "code": request.body["code"],
        "subject": {"reference": PATIENT},
        "effectiveDateTime": event.value["at"][:10],
        "valueCodeableConcept": {"coding": [{"system": SDOH, "code": "not-enrolled-on-waitlist"}]},
    }
    profile = f"{GRAVITY}SDOHCC-ObservationProgramEnrollmentStatus"
    return Piece(
        "Observation", f"@waiting/{event.id}", f"{event.id}-waiting", body, frozenset({event.id}), (profile,)
    )


def _task(
    request: Piece,
    referral: ViewedAssertion,
    event: ViewedAssertion | None,
    state: ReferralState,
    parties: Parties,
    done: Piece | None,
    waiting: Piece | None,
) -> Piece:
    status = TASK_STATUS[state]
    said: dict[str, Any] = event.value if event else {}
    reason = said.get("reason") or ("No reason was given." if status in _NEEDS_REASON else None)
    outcome = said.get("outcome")
    body: Body = {
        "status": status,
        "statusReason": {"text": reason} if reason else None,
        "businessStatus": {"coding": [{"system": "urn:planhub:outcome", "code": outcome}]}
        if outcome
        else None,
        "intent": "order",
        "priority": referral.value.get("priority"),
        "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
        "focus": {"reference": request.key},
        "for": {"reference": PATIENT},
        "authoredOn": referral.value["requested_on"],
        "lastModified": _moment(said["at"]) if event else None,
        "requester": {"reference": parties.requester},
        "owner": {"reference": parties.owner} if parties.owner else None,
        "output": _outputs(said, done, waiting),
    }
    return Piece(
        "Task",
        f"@task/{referral.id}",
        parties.ref,
        {name: value for name, value in body.items() if value},
        frozenset({referral.id, *((event.id,) if event else ())}),
        (f"{GRAVITY}SDOHCC-TaskForReferralManagement",),
    )


def _moment(at: str) -> str:
    """A FHIR dateTime: with its zone, or the day alone, since R4 allows no time without a zone."""
    return at if datetime.fromisoformat(at).tzinfo else at[:10]


def _outputs(said: dict[str, Any], done: Piece | None, waiting: Piece | None) -> list[Body]:
    outputs: list[Body] = []
    if done:
        outputs.append({"type": _kind("resulting-activity"), "valueReference": {"reference": done.key}})
    if waiting:
        outputs.append({"type": _kind("additional-content"), "valueReference": {"reference": waiting.key}})
    if said.get("sessions") is not None:
        outputs.append({"type": {"text": "sessions"}, "valueInteger": said["sessions"]})
    if said.get("hours") is not None:
        hours = float(said["hours"])
        outputs.append(
            {"type": {"text": "hours"}, "valueDecimal": int(hours) if hours.is_integer() else hours}
        )
    return outputs


def _kind(code: str) -> Body:
    return {"coding": [{"system": SDOH, "code": code}]}
