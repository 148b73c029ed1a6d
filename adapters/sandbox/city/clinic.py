"""The city's clinic as FHIR R4 resources, shaped after US Core 7 and Gravity SDOH Clinical Care (health.md §1).

About forty patients. Most carry the district's student number with its assigner; some do not, and one of those agrees
with a pupil in name and birth date, which is not enough to link them. One carries a pupil's number with another birth
date. A few have conditions, goals and a care team.
"""

from datetime import date, timedelta
from typing import Any

from adapters.sandbox.city.cast import CANARY_CHILD, SSN, VISA
from adapters.sandbox.city.people import Child, Guardian
from adapters.sandbox.city.town import CITY_NAME, CLINIC, DISTRICT, PANTRY, STATE, City

Resource = dict[str, Any]
PATIENTS = 40
STRANGERS = 5
STUDENT_NUMBER = "https://brindlecove-schools.example/student-number"
MEDICAL_RECORD = "https://brindlecove-clinic.example/mrn"
REVIEW_CHILD = "rosalind"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
ACT_CODE = f"{TERMINOLOGY}/v3-ActCode"
CONFIDENTIALITY = f"{TERMINOLOGY}/v3-Confidentiality"
SNOMED, LOINC, ICD10 = "http://snomed.info/sct", "http://loinc.org", "http://hl7.org/fhir/sid/icd-10-cm"
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
US_CORE_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
LANGUAGES = {
    "spa": "es",
    "hat": "ht",
    "kea": "kea",
    "vie": "vi",
    "por": "pt",
    "ara": "ar",
    "eng": "en",
    "khm": "km",
    "pol": "pl",
}


def clinic_resources(city: City) -> list[Resource]:
    """Everything the clinic's server holds at the start, ready for `FhirSandbox`, in an order references allow."""
    stories = [
        city.cast[key] for key in ("maribel", "adilson", "minh-anh", "samir", REVIEW_CHILD, "wideline")
    ]
    others = [child for child in city.children if child.key is None]
    chosen = others[:: len(others) // (PATIENTS - STRANGERS - len(stories))][
        : PATIENTS - STRANGERS - len(stories)
    ]
    patients = [_patient(child, number) for number, child in enumerate([*stories, *chosen], 1)]
    patients += [_stranger(number) for number in range(PATIENTS - STRANGERS + 1, PATIENTS + 1)]
    return [*_staff(), *patients, *_families(stories), *_records(city)]


def patient_id(city: City, key: str) -> str:
    """The clinic's id of a child of the cast; KeyError where the clinic does not know the child."""
    name = city.cast[key].name
    for resource in clinic_resources(city):
        if resource["resourceType"] == "Patient" and resource["name"][0]["text"] == name:
            return str(resource["id"])
    raise KeyError(key)


def coded(system: str, code: str, display: str) -> Resource:
    """A CodeableConcept with one coding."""
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _staff() -> list[Resource]:
    return [
        {"resourceType": "Organization", "id": "clinic", "active": True, "name": CLINIC},
        {"resourceType": "Organization", "id": "pantry", "active": True, "name": PANTRY},
        {
            "resourceType": "Practitioner",
            "id": "dr-beauvais",
            "active": True,
            "identifier": [{"system": "https://brindlecove-clinic.example/staff", "value": "c-7"}],
            "name": [{"family": "Beauvais", "given": ["Nadège"], "prefix": ["Dr."]}],
        },
        {
            "resourceType": "PractitionerRole",
            "id": "dr-beauvais-clinic",
            "active": True,
            "practitioner": _to("Practitioner", "dr-beauvais", "Dr. Nadège Beauvais"),
            "organization": _to("Organization", "clinic", CLINIC),
            "code": [coded(SNOMED, "82296001", "Pediatrician")],
            "telecom": [{"system": "phone", "value": "(978) 555-0100", "use": "work"}],
        },
    ]


def _to(kind: str, name: str, display: str | None = None) -> Resource:
    return {"reference": f"{kind}/{name}"} | ({"display": display} if display else {})


def _patient(child: Child, number: int) -> Resource:
    """A pupil at the clinic. Every fourth of those without a story has no student number here."""
    told = child.key is not None
    shared = child.key != REVIEW_CHILD if told else number % 4 != 0
    identifiers: list[Resource] = [
        {
            "use": "usual",
            "type": coded(f"{TERMINOLOGY}/v2-0203", "MR", "Medical record number"),
            "system": MEDICAL_RECORD,
            "value": f"BC-{70_000 + number}",
            "assigner": {"display": CLINIC},
        }
    ]
    if shared:
        assigner = {"display": DISTRICT}
        identifiers.append({"system": STUDENT_NUMBER, "value": child.id, "assigner": assigner})
    if child.key == CANARY_CHILD:
        identifiers.append({"system": "http://hl7.org/fhir/sid/us-ssn", "value": SSN.replace("-", "")})
    official: Resource = {"use": "official", "text": child.name, "family": child.last, "given": [child.first]}
    if child.middle:
        official["given"].append(child.middle)
    if child.suffix:
        official["suffix"] = [child.suffix]
    names = [official] + ([{"use": "nickname", "given": [child.preferred]}] if child.preferred else [])
    # One number in the register with a slip of the pen in the birth date: identifier and person disagree.
    born = child.born + timedelta(days=9) if number == 7 else child.born  # noqa: PLR2004 - the seventh patient
    return {
        "resourceType": "Patient",
        "id": f"patient-{number:03}",
        "active": True,
        "identifier": identifiers,
        "name": names,
        "gender": child.sex,
        "birthDate": born.isoformat(),
        "address": [_address(child)],
        "telecom": [{"system": "phone", "value": child.guardians[0].phone, "use": "home"}],
        "communication": [_speaks(child.guardians[0])],
    }


def _address(child: Child) -> Resource:
    line = child.address.street + (f", {child.address.unit}" if child.address.unit else "")
    return {"line": [line], "city": CITY_NAME, "state": STATE, "postalCode": child.address.postal}


def _speaks(adult: Guardian) -> Resource:
    return {
        "language": {"coding": [{"system": "urn:ietf:bcp:47", "code": LANGUAGES[adult.language]}]},
        "preferred": True,
    }


def _stranger(number: int) -> Resource:
    """A patient who is no pupil of the district."""
    given, family = (
        ("Aurelio", "Banderas Luna"),
        ("Bo", "Wexcombe"),
        ("Celestine", "Okoro"),
        ("Dov", "Halevi"),
        ("Elin", "Strand"),
    )[number % 5]
    return {
        "resourceType": "Patient",
        "id": f"patient-{number:03}",
        "active": True,
        "identifier": [
            {"system": MEDICAL_RECORD, "value": f"BC-{70_000 + number}", "assigner": {"display": CLINIC}}
        ],
        "name": [{"use": "official", "text": f"{given} {family}", "family": family, "given": [given]}],
        "gender": "unknown",
        "birthDate": date(2009 + number % 16, 1 + number % 12, 11).isoformat(),
    }


def _families(stories: list[Child]) -> list[Resource]:
    """The first adult of each child with a story."""
    relations = {"Mother": ("MTH", "mother"), "Father": ("FTH", "father"), "Aunt": ("AUNT", "aunt")}
    found = []
    for number, child in enumerate(stories, 1):
        adult = child.guardians[0]
        code, display = relations[adult.relation]
        found.append(
            {
                "resourceType": "RelatedPerson",
                "id": f"family-{number:03}",
                "active": True,
                "patient": _to("Patient", f"patient-{number:03}", child.name),
                "relationship": [coded(f"{TERMINOLOGY}/v3-RoleCode", code, display)],
                "name": [{"family": adult.last, "given": [adult.first]}],
                "telecom": [{"system": "phone", "value": adult.phone, "use": "mobile"}],
                "communication": [_speaks(adult)],
            }
        )
    return found


def _records(city: City) -> list[Resource]:
    """What the clinic knows of four children: asthma and food for one, food for one, and two things held close."""
    maribel, adilson, minh_anh, samir = (f"patient-{number:03}" for number in range(1, 5))
    food = coded(SNOMED, "733423003", "Food insecurity")
    food["coding"].append({"system": ICD10, "code": "Z59.41", "display": "Food insecurity"})
    asthma = coded(SNOMED, "195967001", "Asthma")
    anxiety = coded(SNOMED, "21897009", "Generalized anxiety disorder")
    alcohol = coded(ICD10, "F10.10", "Alcohol abuse, uncomplicated")
    hunger = _condition("condition-food", adilson, food, "health-concern", "2026-11-09")
    hunger["category"] += [
        coded(US_CORE_CATEGORY, "sdoh", "SDOH"),
        coded(GRAVITY, "food-insecurity", "Food Insecurity"),
    ]
    hunger["evidence"] = [{"detail": [_to("Observation", "observation-hunger")]}]
    hunger["note"] = [{"text": f"Mother brought visa {VISA} as proof of address; no copy kept."}]
    held = [
        _labelled(
            _condition("condition-anxiety", minh_anh, anxiety, "problem-list-item", "2026-05-18"), "PSY"
        ),
        _labelled(
            _condition("condition-alcohol", samir, alcohol, "problem-list-item", "2026-09-30"), "ETHUD"
        ),
    ]
    return [
        _condition("condition-asthma", maribel, asthma, "problem-list-item", "2022-10-03"),
        _hunger_observation(adilson),
        hunger,
        *held,
        _goal(
            "goal-inhaler",
            maribel,
            "Uses the inhaler before gym, every time",
            "condition-asthma",
            "2027-03-01",
        ),
        _goal(
            "goal-food",
            adilson,
            "Enough food at home every week of the month",
            "condition-food",
            "2027-02-01",
        ),
        _care_team(maribel, city.cast["maribel"]),
        _request(adilson),
    ]


def _request(patient: str) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "id": "request-food",
        "status": "active",
        "intent": "order",
        "category": [
            coded(SNOMED, "410606002", "Social service procedure"),
            coded(GRAVITY, "food-insecurity", "Food Insecurity"),
        ],
        "code": coded(SNOMED, "467771000124109", "Assistance with application for food pantry program"),
        "subject": _to("Patient", patient),
        "authoredOn": "2026-11-09T15:20:00-05:00",
        "requester": _to("PractitionerRole", "dr-beauvais-clinic"),
        "performer": [_to("Organization", "pantry", PANTRY)],
        "reasonReference": [_to("Condition", "condition-food")],
    }


def _condition(name: str, patient: str, code: Resource, category: str, since: str) -> Resource:
    system = f"{TERMINOLOGY}/condition-category"
    if category == "health-concern":
        system = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
    return {
        "resourceType": "Condition",
        "id": name,
        "clinicalStatus": coded(f"{TERMINOLOGY}/condition-clinical", "active", "Active"),
        "verificationStatus": coded(f"{TERMINOLOGY}/condition-ver-status", "confirmed", "Confirmed"),
        "category": [coded(system, category, category.replace("-", " ").title())],
        "code": code,
        "subject": _to("Patient", patient),
        "onsetDateTime": since,
        "recordedDate": since,
    }


def _labelled(resource: Resource, sensitivity: str) -> Resource:
    """With the labels of health.md §2.5: restricted, and why."""
    labels = [{"system": CONFIDENTIALITY, "code": "R"}, {"system": ACT_CODE, "code": sensitivity}]
    return {**resource, "meta": {"security": labels}}


def _hunger_observation(patient: str) -> Resource:
    survey = coded(f"{TERMINOLOGY}/observation-category", "survey", "Survey")
    return {
        "resourceType": "Observation",
        "id": "observation-hunger",
        "status": "final",
        "category": [survey, coded(US_CORE_CATEGORY, "sdoh", "SDOH")],
        "code": coded(LOINC, "88124-3", "Food insecurity risk [HVS]"),
        "subject": _to("Patient", patient),
        "effectiveDateTime": "2026-11-09T15:05:00-05:00",
        "performer": [_to("PractitionerRole", "dr-beauvais-clinic")],
        "valueCodeableConcept": coded(LOINC, "LA19952-3", "At risk"),
    }


def _goal(name: str, patient: str, words: str, addresses: str, due: str) -> Resource:
    return {
        "resourceType": "Goal",
        "id": name,
        "lifecycleStatus": "active",
        "achievementStatus": coded(f"{TERMINOLOGY}/goal-achievement", "in-progress", "In Progress"),
        "description": {"text": words},
        "subject": _to("Patient", patient),
        "startDate": "2026-11-09",
        "target": [{"dueDate": due}],
        "addresses": [_to("Condition", addresses)],
    }


def _care_team(patient: str, child: Child) -> Resource:
    mother = child.guardians[0]
    return {
        "resourceType": "CareTeam",
        "id": "team-maribel",
        "status": "active",
        "name": "Asthma care",
        "subject": _to("Patient", patient),
        "participant": [
            {
                "role": [coded(SNOMED, "82296001", "Pediatrician")],
                "member": _to("PractitionerRole", "dr-beauvais-clinic", "Dr. Nadège Beauvais"),
            },
            {
                "role": [coded(SNOMED, "72705000", "Mother")],
                "member": _to("RelatedPerson", "family-001", f"{mother.first} {mother.last}"),
            },
        ],
        "managingOrganization": [_to("Organization", "clinic", CLINIC)],
    }
