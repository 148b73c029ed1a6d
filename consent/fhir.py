"""A directive as a FHIR R4 Consent, in the superset form of IHE PCF's advanced profile (health.md §2.4).

One Consent for one sentence: who (actor, IRCP), what (security labels: v3-ActCode where one exists, else the hub's own topic
codes), why (purpose), until when (period). No nesting, no action, class or code, which PCF forbids. Without a Consent nothing
is permitted, and a deny stands above every permit; both are said by the policy's address.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from consent.directive import VALID, State
from consent.guardian import GuardianKind
from consent.vocabulary import Effect, Purpose
from mappings.record.category import Category
from mappings.record.sensitivity import Label

PROFILE = "https://profiles.ihe.net/ITI/PCF/StructureDefinition/IHE.PCF.consentAdvanced"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"

LOCAL_PURPOSES = frozenset({Purpose.STUDENT_SUPPORT, Purpose.REFERRAL_OUTCOME})
"""The purposes HL7 has no code for; they go out under the hub's own system."""

LABELS: Mapping[Category, Label] = {
    Category.COUNSELING: Label.MENTAL_HEALTH,
    Category.SUBSTANCE_USE: Label.SUBSTANCE_USE,
    Category.SEXUAL_HEALTH: Label.SEXUALITY,
    Category.SAFETY: Label.VIOLENCE,
    Category.LIVING_SITUATION: Label.LIVING_ARRANGEMENT,
}
"""The topics v3-ActCode has a sensitivity code for; the others go out under the hub's own system."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What of a directive goes into its Consent. `number` is its receipt number, `valid_until` the first instant after it."""

    number: str
    effect: Effect
    recipient: str
    recipient_name: str
    categories: frozenset[Category]
    purposes: frozenset[Purpose]
    valid_from: datetime
    valid_until: datetime | None
    recorded_at: datetime
    state: State
    ended: bool
    signer: GuardianKind


@dataclass(frozen=True, slots=True)
class Hub:
    """Whose Consents these are: the base of its identifier systems, and its name."""

    base: str
    name: str


_PERFORMER: Mapping[GuardianKind, str] = {
    kind: "Patient" if kind is GuardianKind.SELF else "RelatedPerson" for kind in GuardianKind
}
_STATUS: Mapping[State, str] = {
    State.REQUESTED: "proposed",
    State.REQUEST_DEFERRED: "proposed",
    State.REFUSED: "rejected",
    State.INVALIDATED: "entered-in-error",
}


def consent(permission: Permission, *, child_ref: str, hub: Hub) -> dict[str, Any]:
    """The Consent as JSON. `child_ref` is the reader's own reference for the child."""
    who = {
        "type": "Organization",
        "identifier": {"system": f"{hub.base}/organization", "value": permission.recipient},
        "display": permission.recipient_name,
    }
    provision: dict[str, Any] = {
        "type": permission.effect.value,
        "period": _period(permission),
        "actor": [{"role": _concept(PARTICIPATION, "IRCP"), "reference": who}],
        "securityLabel": [_topic(topic, hub) for topic in sorted(permission.categories)],
        "purpose": [_purpose(purpose, hub) for purpose in sorted(permission.purposes)],
    }
    performer = _PERFORMER[permission.signer]
    child = {"type": "Patient", "identifier": {"system": f"{hub.base}/child", "value": child_ref}}
    signer = child if performer == "Patient" else {"type": performer, "display": permission.signer.value}
    return {
        "resourceType": "Consent",
        "id": permission.number,
        "meta": {"profile": [PROFILE]},
        "identifier": [{"system": f"{hub.base}/permission", "value": permission.number}],
        "status": _status(permission),
        "scope": _concept(SCOPE, "patient-privacy"),
        "category": [_concept("http://loinc.org", "59284-0"), _concept(ACT_CODE, "IDSCL")],
        "patient": child,
        "dateTime": _instant(permission.recorded_at),
        "performer": [signer],
        "organization": [{"type": "Organization", "display": hub.name}],
        "sourceAttachment": {
            "title": f"Permission {permission.number}",
            "creation": _instant(permission.recorded_at),
        },
        "policy": [{"uri": f"{hub.base}/policy/deny-unless-permitted"}],
        "provision": {name: value for name, value in provision.items() if value},
    }


def bundle(consents: Iterable[dict[str, Any]], *, hub: Hub, at: datetime) -> dict[str, Any]:
    """The Consents as a collection, made at this instant."""
    entries = [{"fullUrl": f"{hub.base}/Consent/{one['id']}", "resource": one} for one in consents]
    made: dict[str, Any] = {"resourceType": "Bundle", "type": "collection", "timestamp": _instant(at)}
    return made | ({"entry": entries} if entries else {})


def _status(permission: Permission) -> str:
    """Only what stands is active; a disputed one permits nothing and is not."""
    if permission.state in VALID and not permission.ended:
        return "active"
    return _STATUS.get(permission.state, "inactive")


def _period(permission: Permission) -> dict[str, str]:
    """FHIR includes the end; ours is the first instant after it."""
    period = {"start": _instant(permission.valid_from)}
    if permission.valid_until is not None:
        period["end"] = _instant(permission.valid_until - timedelta(seconds=1))
    return period


def _topic(topic: Category, hub: Hub) -> dict[str, str]:
    label = LABELS.get(topic)
    if label is not None:
        return {"system": ACT_CODE, "code": label.value}
    return {"system": f"{hub.base}/CodeSystem/topic", "code": topic.value}


def _purpose(purpose: Purpose, hub: Hub) -> dict[str, str]:
    system = f"{hub.base}/CodeSystem/purpose" if purpose in LOCAL_PURPOSES else ACT_REASON
    return {"system": system, "code": purpose.value}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
