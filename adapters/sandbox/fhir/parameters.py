"""Search parameters served, by resource type: FHIR R4 base definitions, as US Core 7 and Gravity ask for them."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a parameter compares (FHIR R4 §3.1.1.5)."""

    DATE = "date"
    REFERENCE = "reference"
    STRING = "string"
    TOKEN = "token"  # noqa: S105 - a kind of parameter, not a secret
    URI = "uri"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its kind, where its values are, and the type a bare id means."""

    kind: Kind
    paths: tuple[str, ...]
    target: str | None = None


def _token(*paths: str) -> Parameter:
    return Parameter(Kind.TOKEN, paths)


def _string(*paths: str) -> Parameter:
    return Parameter(Kind.STRING, paths)


def _date(*paths: str) -> Parameter:
    return Parameter(Kind.DATE, paths)


def _reference(*paths: str, target: str | None = None) -> Parameter:
    return Parameter(Kind.REFERENCE, paths, target)


COMMON = {
    "_id": _token("id"),
    "_lastUpdated": _date("meta.lastUpdated"),
    "_profile": Parameter(Kind.URI, ("meta.profile",)),
    "_security": _token("meta.security"),
    "_tag": _token("meta.tag"),
    "identifier": _token("identifier"),
}
_NAMES = {
    "name": _string("name.text", "name.family", "name.given", "name.prefix", "name.suffix"),
    "family": _string("name.family"),
    "given": _string("name.given"),
}
_STATUS = {"status": _token("status")}
_CODED = {"code": _token("code"), "category": _token("category")}
_PERSON = {
    **_NAMES,
    "birthdate": _date("birthDate"),
    "gender": _token("gender"),
    "active": _token("active"),
    "phone": _token("telecom"),
}
_SUBJECT = {
    "patient": _reference("subject", target="Patient"),
    "subject": _reference("subject", target="Patient"),
}
_PATIENT = {"patient": _reference("patient", target="Patient")}
_PLACE = {"name": _string("name"), "type": _token("type"), "active": _token("active")}

BY_TYPE: dict[str, dict[str, Parameter]] = {
    "AllergyIntolerance": {**_PATIENT, **_CODED, "clinical-status": _token("clinicalStatus")},
    "CarePlan": {
        **_SUBJECT,
        **_STATUS,
        "activity-reference": _reference("activity.reference"),
        "care-team": _reference("careTeam", target="CareTeam"),
        "category": _token("category"),
        "condition": _reference("addresses", target="Condition"),
        "date": _date("period"),
        "goal": _reference("goal", target="Goal"),
        "intent": _token("intent"),
    },
    "CareTeam": {
        **_SUBJECT,
        **_STATUS,
        "category": _token("category"),
        "participant": _reference("participant.member"),
    },
    "Condition": {
        **_SUBJECT,
        **_CODED,
        "clinical-status": _token("clinicalStatus"),
        "onset-date": _date("onsetDateTime", "onsetPeriod"),
        "recorded-date": _date("recordedDate"),
        "verification-status": _token("verificationStatus"),
    },
    "Consent": {
        **_PATIENT,
        **_STATUS,
        "category": _token("category"),
        "date": _date("dateTime"),
        "organization": _reference("organization", target="Organization"),
        "source-reference": _reference("sourceReference"),
    },
    "DocumentReference": {
        **_SUBJECT,
        **_STATUS,
        "category": _token("category"),
        "date": _date("date"),
        "type": _token("type"),
    },
    "Encounter": {**_SUBJECT, **_STATUS, "date": _date("period")},
    "Goal": {
        **_SUBJECT,
        "category": _token("category"),
        "description": _token("description"),
        "lifecycle-status": _token("lifecycleStatus"),
        "target-date": _date("target.dueDate"),
    },
    "Group": {"code": _token("code"), "member": _reference("member.entity"), "type": _token("type")},
    "HealthcareService": {**_PLACE, "organization": _reference("providedBy", target="Organization")},
    "Immunization": {**_PATIENT, **_STATUS, "date": _date("occurrenceDateTime")},
    "Location": {**_PLACE, "organization": _reference("managingOrganization", target="Organization")},
    "MedicationRequest": {**_SUBJECT, **_STATUS, "intent": _token("intent")},
    "Observation": {
        **_SUBJECT,
        **_STATUS,
        **_CODED,
        "date": _date("effectiveDateTime", "effectivePeriod"),
        "value-concept": _token("valueCodeableConcept"),
    },
    "Organization": _PLACE,
    "Patient": {**_PERSON, "organization": _reference("managingOrganization", target="Organization")},
    "Practitioner": _PERSON,
    "PractitionerRole": {
        "organization": _reference("organization", target="Organization"),
        "practitioner": _reference("practitioner", target="Practitioner"),
        "role": _token("code"),
    },
    "Procedure": {
        **_SUBJECT,
        **_STATUS,
        **_CODED,
        "based-on": _reference("basedOn"),
        "date": _date("performedDateTime", "performedPeriod"),
        "performer": _reference("performer.actor"),
    },
    "Provenance": {
        "agent": _reference("agent.who"),
        "patient": _reference("target", target="Patient"),
        "recorded": _date("recorded"),
        "target": _reference("target"),
    },
    "Questionnaire": {**_STATUS, "url": Parameter(Kind.URI, ("url",)), "version": _token("version")},
    "QuestionnaireResponse": {
        **_SUBJECT,
        **_STATUS,
        "author": _reference("author"),
        "questionnaire": Parameter(Kind.URI, ("questionnaire",)),
    },
    "RelatedPerson": {**_PATIENT, **_PERSON, "relationship": _token("relationship")},
    "ServiceRequest": {
        **_SUBJECT,
        **_STATUS,
        **_CODED,
        "authored": _date("authoredOn"),
        "based-on": _reference("basedOn"),
        "intent": _token("intent"),
        "performer": _reference("performer"),
        "requester": _reference("requester"),
    },
    "Subscription": {
        **_STATUS,
        "criteria": _string("criteria"),
        "url": Parameter(Kind.URI, ("channel.endpoint",)),
    },
    "Task": {
        **_STATUS,
        "authored-on": _date("authoredOn"),
        "based-on": _reference("basedOn"),
        "business-status": _token("businessStatus"),
        "code": _token("code"),
        "focus": _reference("focus"),
        "intent": _token("intent"),
        "modified": _date("lastModified"),
        "output": _reference("output.valueReference"),
        "owner": _reference("owner"),
        "part-of": _reference("partOf", target="Task"),
        "patient": _reference("for", target="Patient"),
        "requester": _reference("requester"),
        "subject": _reference("for"),
    },
}


def parameters(kind: str) -> dict[str, Parameter]:
    """Every parameter of a type."""
    return COMMON | BY_TYPE.get(kind, {})
