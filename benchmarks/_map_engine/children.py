"""Invented families as Ed-Fi documents (Resource API 5.0): a student, a school association and two contacts each.

Drawn from a fixed seed, so that every run measures the same bytes; about one family in twenty has a fault of a kind real
feeds have, so that the price of noticing is in the figure.
"""

import random
from typing import Any

NS = "uri://ed-fi.org/"
GIVEN = ("Mireille", "Tobias", "Ilse", "Noor", "Henrik", "Ada", "Paul", "Rosa", "Jo", "Sofia")
FAMILY = ("Okafor-Lindqvist", "Quill", "Haddad", "Marsh", "Vega", "Penn", "Lind", "Abara", "Castell", "Dorn")
GRADES = ("Kindergarten", "First grade", "Fourth grade", "Sixth grade", "Ninth grade", "Twelfth grade")
RELATIONS = ("Mother", "Father", "Mother, step", "Father, step", "Grandmother", "CourtAppointedGuardian")


def descriptor(name: str, code: str) -> str:
    return f"{NS}{name}Descriptor#{code}"


def families(count: int, seed: int = 2026) -> list[dict[str, Any]]:
    """`{student, enrollment, guardians: [first, second]}` per family."""
    draw = random.Random(seed)
    return [_family(draw, number) for number in range(count)]


def _family(draw: random.Random, number: int) -> dict[str, Any]:
    key, faulty = str(900_000 + number), number % 20 == 19
    return {
        "student": _student(draw, key, faulty),
        "enrollment": _enrollment(draw, key, faulty),
        "guardians": [_guardian(draw, key, f"{key}-{place}", faulty and place == 1) for place in range(2)],
    }


def _student(draw: random.Random, key: str, faulty: bool) -> dict[str, Any]:
    student: dict[str, Any] = {
        "id": f"{draw.getrandbits(128):032x}",
        "connection": {"assigner": "harbor-point-schools"},
        "studentUniqueId": key,
        "firstName": draw.choice(GIVEN),
        "middleName": draw.choice(GIVEN),
        "lastSurname": draw.choice(FAMILY),
        "birthDate": f"{draw.randint(2008, 2020)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
        "birthSexDescriptor": descriptor("Sex", draw.choice(("Female", "Male"))),
        "multipleBirthStatus": False,
        "personalTitlePrefix": "Ms",
        "birthCity": "Harbor Point",
        "birthStateAbbreviationDescriptor": descriptor("StateAbbreviation", "MA"),
        "otherNames": [
            {
                "otherNameTypeDescriptor": descriptor(
                    "OtherNameType", draw.choice(("Nickname", "Previous Legal Name"))
                ),
                "firstName": draw.choice(GIVEN),
                "lastSurname": draw.choice(FAMILY),
            }
        ],
        "_etag": "5250000000000000000",
        "_lastModifiedDate": "2026-08-01T00:00:00Z",
    }
    if draw.random() < 0.3:
        student["preferredFirstName"] = draw.choice(GIVEN)
    if faulty:
        student["birthDate"] = "2014-02-30"
    return student


def _enrollment(draw: random.Random, key: str, faulty: bool) -> dict[str, Any]:
    grade = "Grade Blue" if faulty else draw.choice(GRADES)
    return {
        "id": f"{draw.getrandbits(128):032x}",
        "studentReference": {"studentUniqueId": key, "link": {"rel": "Student", "href": "/ed-fi/students/1"}},
        "schoolReference": {"schoolId": 900_255_001, "link": {"rel": "School", "href": "/ed-fi/schools/1"}},
        "schoolYearTypeReference": {"schoolYear": 2027},
        "entryDate": "2026-08-31",
        "entryGradeLevelDescriptor": descriptor("GradeLevel", grade),
        "primarySchool": True,
        "fullTimeEquivalency": 1.0,
        "repeatGradeIndicator": False,
        "school": {"nameOfInstitution": "Harbor Point Elementary"},
        "_etag": "5250000000000000001",
    }


def _guardian(draw: random.Random, key: str, contact: str, faulty: bool) -> dict[str, Any]:
    return {
        "id": f"{draw.getrandbits(128):032x}",
        "studentReference": {"studentUniqueId": key},
        "contactReference": {"contactUniqueId": contact},
        "relationDescriptor": descriptor("Relation", draw.choice(RELATIONS)),
        "livesWith": True,
        "legalGuardian": True,
        "primaryContactStatus": True,
        "emergencyContactStatus": False,
        "contact": {
            "id": f"{draw.getrandbits(128):032x}",
            "contactUniqueId": contact,
            "firstName": draw.choice(GIVEN),
            "lastSurname": draw.choice(FAMILY),
            "sexDescriptor": descriptor("Sex", "Female"),
            "addresses": _addresses(draw),
            "telephones": [_phone(draw, kind) for kind in ("Mobile", "Home", "Fax")],
            "electronicMails": [
                {
                    "electronicMailTypeDescriptor": descriptor("ElectronicMailType", "Home/Personal"),
                    "electronicMailAddress": "De Leon@mail.example" if faulty else f"c{contact}@mail.example",
                }
            ],
            "languages": [{"languageDescriptor": descriptor("Language", "spa"), "uses": []}],
        },
    }


def _phone(draw: random.Random, kind: str) -> dict[str, Any]:
    return {
        "telephoneNumberTypeDescriptor": descriptor("TelephoneNumberType", kind),
        "telephoneNumber": f"(555) {draw.randint(100, 999)}-{draw.randint(1000, 9999)}",
        "textMessageCapabilityIndicator": kind == "Mobile",
        "orderOfPriority": 1,
    }


def _addresses(draw: random.Random) -> list[dict[str, Any]]:
    work = {
        "addressTypeDescriptor": descriptor("AddressType", "Work"),
        "streetNumberName": "9 Dock Road",
        "city": "Harbor Point",
    }
    home = {
        "addressTypeDescriptor": descriptor("AddressType", "Home"),
        "streetNumberName": f"{draw.randint(1, 99)} Lantern Street",
        "apartmentRoomSuiteNumber": "Apt 3",
        "city": "Harbor Point",
        "stateAbbreviationDescriptor": descriptor("StateAbbreviation", "MA"),
        "postalCode": "01999",
        "nameOfCounty": "Harbor",
        "doNotPublishIndicator": False,
        "periods": [{"beginDate": "2024-07-01"}],
    }
    return [work, home]
