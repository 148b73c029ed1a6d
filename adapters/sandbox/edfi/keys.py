"""Natural keys of Ed-Fi resources: which members make two documents the same item (Data Standard 4 to 6).

Facts of the standard, read from `x-Ed-Fi-isIdentity` and the required references of the official OpenAPI documents.
"""

from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]
Key = tuple[tuple[str, Any], ...]

_STUDENT_AT = ("educationOrganizationReference", "studentReference")
_PROGRAM = ("beginDate", "educationOrganizationReference", "programReference", "studentReference")
_EVENT = ("attendanceEventCategoryDescriptor", "eventDate")

NATURAL_KEYS: dict[str, tuple[str, ...]] = {
    "assessments": ("assessmentIdentifier", "namespace"),
    "calendarDates": ("date", "calendarReference"),
    "calendars": ("calendarCode", "schoolReference", "schoolYearTypeReference"),
    "classPeriods": ("classPeriodName", "schoolReference"),
    "communityOrganizations": ("communityOrganizationId",),
    "communityProviders": ("communityProviderId",),
    "contacts": ("contactUniqueId",),
    "courseOfferings": ("localCourseCode", "schoolReference", "sessionReference"),
    "courses": ("courseCode", "educationOrganizationReference"),
    "courseTranscripts": (
        "courseAttemptResultDescriptor",
        "courseReference",
        "studentAcademicRecordReference",
    ),
    "disciplineActions": ("disciplineActionIdentifier", "disciplineDate", "studentReference"),
    "disciplineIncidents": ("incidentIdentifier", "schoolReference"),
    "grades": ("gradeTypeDescriptor", "gradingPeriodReference", "studentSectionAssociationReference"),
    "gradingPeriods": (
        "gradingPeriodDescriptor",
        "gradingPeriodName",
        "schoolReference",
        "schoolYearTypeReference",
    ),
    "interventionPrescriptions": (
        "interventionPrescriptionIdentificationCode",
        "educationOrganizationReference",
    ),
    "interventions": ("interventionIdentificationCode", "educationOrganizationReference"),
    "localEducationAgencies": ("localEducationAgencyId",),
    "parents": ("parentUniqueId",),
    "programs": ("programName", "programTypeDescriptor", "educationOrganizationReference"),
    "schools": ("schoolId",),
    "schoolYearTypes": ("schoolYear",),
    "sections": ("sectionIdentifier", "courseOfferingReference"),
    "sessions": ("sessionName", "schoolReference", "schoolYearTypeReference"),
    "staffEducationOrganizationAssignmentAssociations": (
        "beginDate",
        "staffClassificationDescriptor",
        "educationOrganizationReference",
        "staffReference",
    ),
    "staffProgramAssociations": ("beginDate", "programReference", "staffReference"),
    "staffSchoolAssociations": ("programAssignmentDescriptor", "schoolReference", "staffReference"),
    "staffSectionAssociations": ("beginDate", "sectionReference", "staffReference"),
    "staffs": ("staffUniqueId",),
    "studentAcademicRecords": (*_STUDENT_AT, "schoolYearTypeReference", "termDescriptor"),
    "studentAssessments": ("studentAssessmentIdentifier", "assessmentReference", "studentReference"),
    "studentContactAssociations": ("contactReference", "studentReference"),
    "studentDemographics": _STUDENT_AT,
    "studentDirectories": _STUDENT_AT,
    "studentDisciplineIncidentBehaviorAssociations": (
        "behaviorDescriptor",
        "disciplineIncidentReference",
        "studentReference",
    ),
    "studentEducationOrganizationAssociations": _STUDENT_AT,
    "studentHealths": _STUDENT_AT,
    "studentHomelessProgramAssociations": _PROGRAM,
    "studentIdentificationCodes": (*_STUDENT_AT, "studentIdentificationSystemDescriptor"),
    "studentInterventionAssociations": ("interventionReference", "studentReference"),
    "studentInterventionAttendanceEvents": (*_EVENT, "interventionReference", "studentReference"),
    "studentLanguageInstructionProgramAssociations": _PROGRAM,
    "studentParentAssociations": ("parentReference", "studentReference"),
    "studentProgramAssociations": _PROGRAM,
    "studentProgramEvaluations": ("evaluationDate", "programEvaluationReference", "studentReference"),
    "studentSchoolAssociations": ("entryDate", "schoolReference", "studentReference"),
    "studentSchoolAttendanceEvents": (*_EVENT, "schoolReference", "sessionReference", "studentReference"),
    "studentSchoolFoodServiceProgramAssociations": _PROGRAM,
    "studentSection504ProgramAssociations": _PROGRAM,
    "studentSectionAssociations": ("beginDate", "sectionReference", "studentReference"),
    "studentSectionAttendanceEvents": (*_EVENT, "sectionReference", "studentReference"),
    "studentSpecialEducationProgramAssociations": _PROGRAM,
    "studentSpecialEducationProgramEligibilityAssociations": (
        "consentToEvaluationReceivedDate",
        *_PROGRAM[1:],
    ),
    "studentTitleIPartAProgramAssociations": _PROGRAM,
    "studentTransportations": ("studentReference", "transportationEducationOrganizationReference"),
    "students": ("studentUniqueId",),
    "surveyResponses": ("surveyResponseIdentifier", "surveyReference"),
    "surveys": ("namespace", "surveyIdentifier"),
}

# Resources whose natural key a PUT may change (`x-Ed-Fi-isUpdatable`). What refers to them does not follow here.
UPDATABLE_KEYS = frozenset(
    {
        "classPeriods",
        "grades",
        "sections",
        "sessions",
        "studentSchoolAssociations",
        "studentSectionAssociations",
    }
)

_EDUCATION_ORGANIZATIONS = {
    "schools": "schoolId",
    "localEducationAgencies": "localEducationAgencyId",
    "communityOrganizations": "communityOrganizationId",
    "communityProviders": "communityProviderId",
}


def members(resource: str) -> tuple[str, ...]:
    """The members of a resource's natural key; empty where the standard's table does not have the resource."""
    plural = resource.rpartition("/")[2]
    if plural.endswith("Descriptors"):
        return ("namespace", "codeValue")
    return NATURAL_KEYS.get(plural, ())


def singular(plural: str) -> str:
    """`studentDirectories` → `studentDirectory`; `addresses` → `address`."""
    if plural.endswith("ies"):
        return plural[:-3] + "y"
    if plural.endswith("sses"):
        return plural[:-2]
    return plural.removesuffix("s")


def values(resource: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The natural key, flat and with bare names, as `/deletes` and query parameters spell it.

    A program's own organisation is told apart from the one the child is served at, as in the standard.
    """
    wanted = members(resource)
    flat: dict[str, Any] = {}
    for member in wanted or [name for name in document if not name.startswith("_")]:
        value = document.get(member)
        if not isinstance(value, dict):
            flat[member] = value
            continue
        for name, inner in value.items():
            if name == "link":
                continue
            beside = member == "programReference" and "educationOrganizationReference" in wanted
            flat[
                "programEducationOrganizationId" if beside and name == "educationOrganizationId" else name
            ] = inner
    return flat


def of(resource: str, document: Mapping[str, Any]) -> Key:
    """The natural key as something to look up by. Without a known key, the whole document is its own key."""
    return tuple(sorted((name, _plain(value)) for name, value in values(resource, document).items()))


def _plain(value: Any) -> Any:
    return repr(value) if isinstance(value, (list, dict)) else value


def targets(reference: str, value: Mapping[str, Any], served: Mapping[str, str]) -> list[tuple[str, Key]]:
    """Where a reference may lead: (resource, natural key) of each candidate among the resources `served`.

    `served` maps the singular name of a resource to its plural. Empty where none of them is served, so that a
    reference to something outside the sandbox is not an error.
    """
    base = reference.removesuffix("Reference")
    plain = {name: inner for name, inner in value.items() if name != "link"}
    if base == "educationOrganization":
        number = plain.get("educationOrganizationId")
        return [
            (resource, ((name, number),))
            for resource, name in _EDUCATION_ORGANIZATIONS.items()
            if resource in served.values()
        ]
    resource = served.get(base)
    if resource is None:
        return []
    return [(resource, tuple(sorted((name, _plain(inner)) for name, inner in plain.items())))]
