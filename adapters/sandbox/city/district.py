"""The city's school district as Ed-Fi documents (Data Standard 5.2; shapes: school.md §2)."""

from collections.abc import Iterator
from typing import Any

from adapters.sandbox.city.cast import CANARY_CHILD, FREE_TEXT, SSN, STATUS, VISA
from adapters.sandbox.city.names import POOLS
from adapters.sandbox.city.people import FIRST_DAY, SCHOOL_YEAR, Address, Child, Guardian, School, Staff
from adapters.sandbox.city.town import CITY_NAME, DISTRICT, DISTRICT_ID, STATE, City, grade_name

Document = dict[str, Any]
TRANSFER_EVERY = 97
"""One child in so many changed schools within the year and has two associations."""


def edfi_documents(city: City) -> dict[str, list[Document]]:
    """All documents by resource, ready for `EdFiSandbox`."""
    homes = {adult.id: child.address for child in city.children for adult in child.guardians}
    return {
        "localEducationAgencies": [_agency()],
        "schools": [_school(school) for school in city.schools],
        "students": [_student(child) for child in city.children],
        "studentSchoolAssociations": [
            association
            for place, child in enumerate(city.children)
            for association in _enrolments(city, place, child)
        ],
        "studentEducationOrganizationAssociations": [_directory(child) for child in city.children],
        "contacts": [_contact(adult, homes[adult.id]) for adult in city.guardians],
        "studentContactAssociations": [link for child in city.children for link in _guardianships(child)],
        "staffs": [_staff(one) for one in city.staff],
        "staffEducationOrganizationAssignmentAssociations": [_assignment(one) for one in city.staff],
    }


def descriptor(name: str, code: str) -> str:
    """A descriptor of the standard's own namespace."""
    return f"uri://ed-fi.org/{name}Descriptor#{code}"


def _agency() -> Document:
    return {
        "localEducationAgencyId": DISTRICT_ID,
        "nameOfInstitution": DISTRICT,
        "shortNameOfInstitution": "BPS",
        "localEducationAgencyCategoryDescriptor": descriptor(
            "LocalEducationAgencyCategory", "Regular public school district"
        ),
        "categories": [
            {
                "educationOrganizationCategoryDescriptor": descriptor(
                    "EducationOrganizationCategory", "Local Education Agency"
                )
            }
        ],
    }


def _school(school: School) -> Document:
    category = descriptor("EducationOrganizationCategory", "School")
    return {
        "schoolId": school.id,
        "nameOfInstitution": school.name,
        "educationOrganizationCategories": [{"educationOrganizationCategoryDescriptor": category}],
        "gradeLevels": [
            {"gradeLevelDescriptor": descriptor("GradeLevel", grade_name(grade))} for grade in school.grades
        ],
        "localEducationAgencyReference": {"localEducationAgencyId": DISTRICT_ID},
        "schoolCategories": [{"schoolCategoryDescriptor": descriptor("SchoolCategory", school.category)}],
    }


def _student(child: Child) -> Document:
    document: Document = {
        "studentUniqueId": child.id,
        "firstName": child.first,
        "lastSurname": child.last,
        "birthDate": child.born.isoformat(),
        "birthSexDescriptor": descriptor("Sex", child.sex.capitalize()),
    }
    if child.middle:
        document["middleName"] = child.middle
    if child.suffix:
        document["generationCodeSuffix"] = child.suffix
    if child.preferred:
        document["preferredFirstName"] = child.preferred
    if child.multiple_birth:
        document["multipleBirthStatus"] = True
    if child.former_last:
        document["otherNames"] = [
            {
                "otherNameTypeDescriptor": descriptor("OtherNameType", "Previous Legal Name"),
                "firstName": child.first,
                "lastSurname": child.former_last,
            }
        ]
    if child.key == CANARY_CHILD:
        document["_ext"] = {
            "brindlecove": {
                "socialSecurityNumber": SSN,
                "visaNumber": VISA,
                "visaStatus": STATUS,
                "busStop": "12",
            }
        }
    return document


def _enrolments(city: City, place: int, child: Child) -> Iterator[Document]:
    """The present enrolment, after an earlier one for those who changed schools within the year."""
    entry = FIRST_DAY
    moved = child.key is None and place % TRANSFER_EVERY == TRANSFER_EVERY - 1
    if moved:
        other = next(school for school in city.schools if school is not child.school)
        yield {
            **_enrolment(child, other, FIRST_DAY.isoformat()),
            "exitWithdrawDate": "2026-10-02",
            "exitWithdrawTypeDescriptor": descriptor("ExitWithdrawType", "Transferred"),
            "primarySchool": False,
        }
        entry = entry.replace(month=10, day=5)
    yield _enrolment(child, child.school, entry.isoformat())


def _enrolment(child: Child, school: School, entry: str) -> Document:
    return {
        "studentReference": {"studentUniqueId": child.id},
        "schoolReference": {"schoolId": school.id},
        "entryDate": entry,
        "entryGradeLevelDescriptor": descriptor("GradeLevel", grade_name(child.grade)),
        "primarySchool": True,
        "schoolYearTypeReference": {"schoolYear": SCHOOL_YEAR},
    }


def _directory(child: Child) -> Document:
    pool = POOLS[child.tradition]
    codes = [_identification("District", child.id)]
    document: Document = {
        "studentReference": {"studentUniqueId": child.id},
        "educationOrganizationReference": {"educationOrganizationId": DISTRICT_ID},
        "addresses": [_address(child.address)],
        "hispanicLatinoEthnicity": pool.hispanic,
        "languages": [_language(pool.language)],
        "races": [{"raceDescriptor": descriptor("Race", pool.race)}],
        "sexDescriptor": descriptor("Sex", child.sex.capitalize()),
        "studentIdentificationCodes": codes,
        "telephones": [_telephone("Home", child.guardians[0].phone)],
    }
    if child.key == CANARY_CHILD:
        codes.append(_identification("SSN", SSN.replace("-", "")))
        document["counselorNotes"] = f"Family: {FREE_TEXT}."
    return document


def _identification(system: str, code: str) -> Document:
    return {
        "studentIdentificationSystemDescriptor": descriptor("StudentIdentificationSystem", system),
        "assigningOrganizationIdentificationCode": str(DISTRICT_ID),
        "identificationCode": code,
    }


def _address(address: Address) -> Document:
    document = {
        "addressTypeDescriptor": descriptor("AddressType", "Home"),
        "streetNumberName": address.street,
        "city": CITY_NAME,
        "stateAbbreviationDescriptor": descriptor("StateAbbreviation", STATE),
        "postalCode": address.postal,
    }
    if address.unit:
        document["apartmentRoomSuiteNumber"] = address.unit
    return document | ({"doNotPublishIndicator": True} if address.confidential else {})


def _telephone(kind: str, number: str) -> Document:
    return {
        "telephoneNumber": number,
        "telephoneNumberTypeDescriptor": descriptor("TelephoneNumberType", kind),
        "orderOfPriority": 1,
    }


def _language(code: str) -> Document:
    """The standard's list has no Cape Verdean Creole, so the district has a descriptor of its own for it."""
    use = descriptor("LanguageUse", "Correspondence language")
    local = f"uri://brindlecove-schools.example/LanguageDescriptor#{code}"
    named = local if code == "kea" else descriptor("Language", code)
    return {"languageDescriptor": named, "uses": [{"languageUseDescriptor": use}]}


def _contact(adult: Guardian, address: Address) -> Document:
    document: Document = {
        "contactUniqueId": adult.id,
        "firstName": adult.first,
        "lastSurname": adult.last,
        "languages": [_language(adult.language)],
        "telephones": [_telephone("Mobile", adult.phone)],
    }
    if adult.lives_with:
        document["addresses"] = [_address(address)]
    if adult.email:
        document["electronicMails"] = [
            {
                "electronicMailAddress": adult.email,
                "electronicMailTypeDescriptor": descriptor("ElectronicMailType", "Home/Personal"),
            }
        ]
    return document


def _guardianships(child: Child) -> Iterator[Document]:
    """One association per adult. `legalGuardian` is absent as a rule, as in real feeds (school.md §0.6)."""
    for place, adult in enumerate(child.guardians):
        document: Document = {
            "studentReference": {"studentUniqueId": child.id},
            "contactReference": {"contactUniqueId": adult.id},
            "relationDescriptor": descriptor("Relation", adult.relation),
            "contactPriority": place + 1,
            "emergencyContactStatus": adult.restriction is None,
            "livesWith": adult.lives_with,
            "primaryContactStatus": place == 0,
        }
        if adult.legal:
            document["legalGuardian"] = True
        if adult.restriction:
            document["contactRestrictions"] = adult.restriction
        yield document


def _staff(one: Staff) -> Document:
    return {
        "staffUniqueId": one.id,
        "firstName": one.first,
        "lastSurname": one.last,
        "electronicMails": [
            {
                "electronicMailAddress": f"staff{one.id}@brindlecove-schools.example",
                "electronicMailTypeDescriptor": descriptor("ElectronicMailType", "Work"),
            }
        ],
    }


def _assignment(one: Staff) -> Document:
    return {
        "staffReference": {"staffUniqueId": one.id},
        "educationOrganizationReference": {
            "educationOrganizationId": one.school.id if one.school else DISTRICT_ID
        },
        "staffClassificationDescriptor": descriptor("StaffClassification", one.role),
        "positionTitle": one.title,
        "beginDate": "2024-08-26",
    }
