"""From the map's outputs to pieces of a Bundle: what ties resources together, and what each says besides its own facts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mappings.engine.result import Output
from mappings.fhir.codetable import SDOH, sdoh_category
from mappings.fhir.element import codings
from mappings.fhir.piece import GRAVITY, PATIENT, US_CORE, Body, Piece
from mappings.fhir.profiles import ABSENT
from mappings.record.assertion import Quality
from mappings.record.lifecycle import PlanStatus
from mappings.view import RecordView, ViewedAssertion

CODES = "urn:planhub:code"
UNDER_PLAN = "CarePlan."

CARE_PLAN: Mapping[str, tuple[str, str]] = {
    PlanStatus.DRAFT: ("draft", "plan"),
    PlanStatus.PROPOSED: ("draft", "proposal"),
    PlanStatus.ACTIVE: ("active", "plan"),
    PlanStatus.IN_REVIEW: ("active", "plan"),
    PlanStatus.ON_HOLD: ("on-hold", "plan"),
    PlanStatus.SUPERSEDED: ("completed", "plan"),
    PlanStatus.REVOKED: ("revoked", "plan"),
    PlanStatus.COMPLETED: ("completed", "plan"),
    PlanStatus.ENTERED_IN_ERROR: ("entered-in-error", "plan"),
}
"""CarePlan.status and intent (domain.md §3.4)."""

PROFILES: Mapping[str, tuple[str, ...]] = {
    "Patient": (f"{US_CORE}us-core-patient",),
    "RelatedPerson": (f"{US_CORE}us-core-relatedperson",),
    "CareTeam": (f"{US_CORE}us-core-careteam",),
    "CarePlan": (f"{US_CORE}us-core-careplan",),
    "Goal": (f"{US_CORE}us-core-goal",),
    "Condition": (f"{US_CORE}us-core-condition-problems-health-concerns",),
    "Observation": (f"{US_CORE}us-core-simple-observation",),
    "screening": (f"{US_CORE}us-core-observation-screening-assessment",),
    "Procedure": (f"{US_CORE}us-core-procedure",),
    "ServiceRequest": (f"{GRAVITY}SDOHCC-ServiceRequest",),
}
"""What a resource claims, by the map's rule where it has a row here, else by type."""

_DISPUTED = "The family disputes this."
_NOTED = frozenset(
    {"CarePlan", "CareTeam", "Goal", "Condition", "Observation", "Procedure", "ServiceRequest", "Task"}
)
_PART_OF_PLAN = frozenset({"Goal", "Condition", "Observation", "ServiceRequest"})


def resource_pieces(
    outputs: Iterable[Output], items: Mapping[str, ViewedAssertion], view: RecordView
) -> list[Piece]:
    """A piece for the Patient, always, and for each resource the map made; parts of a CarePlan are `care_plan`'s."""
    made = [patient_piece(next((one for one in outputs if one.kind == "Patient"), None), view)]
    for output in outputs:
        if output.kind in {"Patient", "CarePlan"} or output.kind.startswith(UNDER_PLAN):
            continue
        body = output.value
        profiles = PROFILES.get(output.rule) or PROFILES[output.kind]
        if output.kind == "Condition":
            body, profiles = _condition(body, items[output.key], profiles)
        elif output.kind == "Observation":
            body = {"status": "final", **body}
        elif output.kind == "CareTeam":
            body = {"status": "active", "subject": {"reference": PATIENT}, **body}
        key = f"@{output.key}" if output.key else f"@{output.kind}"
        identity = output.key or f"{view.child_ref}-{output.kind.lower()}"
        made.append(
            Piece(output.kind, key, identity, body, output.uses, profiles, updates=output.kind == "CareTeam")
        )
    return [with_disputes(piece, items) for piece in made]


def patient_piece(output: Output | None, view: RecordView) -> Piece:
    """The child: under the recipient's own reference, with a name and gender only where the view has them."""
    body = dict(output.value) if output else {}
    if "multipleBirthInteger" in body:
        body.pop("multipleBirthBoolean", None)
    unknown = [{"extension": [{"url": ABSENT, "valueCode": "unknown"}]}]
    body = {"name": unknown, "gender": "unknown", **body}
    uses = output.uses if output else frozenset()
    return Piece("Patient", PATIENT, view.child_ref, body, uses, PROFILES["Patient"])


def _condition(body: Body, item: ViewedAssertion, profiles: tuple[str, ...]) -> tuple[Body, tuple[str, ...]]:
    """Categories of a need, and Gravity's profile where its code names a social need."""
    core = "http://hl7.org/fhir/us/core/CodeSystem/"
    categories = [{"coding": [{"system": f"{core}condition-category", "code": "health-concern"}]}]
    social = sdoh_category(codings(body["code"]))
    if social:
        categories.append({"coding": [{"system": f"{core}us-core-category", "code": "sdoh"}]})
        categories.append({"coding": [{"system": SDOH, "code": social}]})
        profiles = (*profiles, f"{GRAVITY}SDOHCC-Condition")
    sure = "confirmed" if item.quality == Quality.VERIFIED else "unconfirmed"
    system = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    verification = {"coding": [{"system": system, "code": sure}]}
    return {"category": categories, "verificationStatus": verification, **body}, profiles


def with_disputes(piece: Piece, items: Mapping[str, ViewedAssertion]) -> Piece:
    """A note where a fact in the piece is disputed by the family: every reader is shown (domain.md §3.2)."""
    disputed = any(items[use].quality == Quality.DISPUTED for use in piece.uses)
    if not disputed or piece.type not in _NOTED:
        return piece
    return piece.with_body(note=[*piece.body.get("note", ()), {"text": _DISPUTED}])


def care_plan(
    outputs: Sequence[Output], pieces: Sequence[Piece], items: Mapping[str, ViewedAssertion], view: RecordView
) -> Piece | None:
    """The plan itself, pointing at its parts; None where the view holds no plan. It counts as made of what it points at."""
    own = [one for one in outputs if one.kind == "CarePlan" or one.kind.startswith(UNDER_PLAN)]
    if view.plan_status is None and not own:
        return None
    status, intent = CARE_PLAN.get(view.plan_status or "", ("unknown", "plan"))
    whole = next((dict(one.value) for one in own if one.kind == "CarePlan"), {})
    parts = [piece for piece in pieces if piece.type in _PART_OF_PLAN]
    body: dict[str, Any] = {
        **whole,
        "status": status,
        "intent": intent,
        "category": [
            {
                "coding": [
                    {
                        "system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category",
                        "code": "assess-plan",
                    }
                ]
            },
            {"coding": [{"system": CODES, "code": "student-success-plan"}]},
        ],
        "subject": {"reference": PATIENT},
        "careTeam": _references(piece for piece in pieces if piece.type == "CareTeam"),
        "addresses": _references(piece for piece in parts if piece.type == "Condition"),
        "supportingInfo": [
            *_references(piece for piece in parts if piece.type == "Observation"),
            *(one.value for one in own if one.kind == "CarePlan.supportingInfo"),
        ],
        "goal": _references(piece for piece in parts if piece.type == "Goal"),
        "activity": [
            *(_activity(one, items) for one in own if one.kind == "CarePlan.activity"),
            *({"reference": one} for one in _references(p for p in parts if p.type == "ServiceRequest")),
        ],
    }
    notes = [note for note in body.get("note", []) if note] + [{"text": notice} for notice in view.notices]
    uses = frozenset().union(*(one.uses for one in own), *(part.uses for part in parts))
    filled = {name: value for name, value in {**body, "note": notes}.items() if value}
    return Piece(
        "CarePlan", "@CarePlan", f"{view.child_ref}-plan", filled, uses, PROFILES["CarePlan"], updates=True
    )


def _activity(output: Output, items: Mapping[str, ViewedAssertion]) -> Body:
    if items[output.key].quality != Quality.DISPUTED:
        return output.value
    return {**output.value, "progress": [*output.value.get("progress", ()), {"text": _DISPUTED}]}


def _references(pieces: Iterable[Piece]) -> list[Body]:
    return [
        {"reference": piece.key} for piece in sorted(pieces, key=lambda piece: (piece.type, piece.identity))
    ]
