"""The same children as a OneRoster 1.2 CSV package: a bulk ZIP (columns: school.md §3.2)."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping

from adapters.sandbox.city.cast import CANARY_CHILD, PASSWORD
from adapters.sandbox.city.names import POOLS
from adapters.sandbox.city.people import (
    KINDERGARTEN,
    PREKINDERGARTEN,
    SCHOOL_YEAR,
    Child,
    Guardian,
    School,
    Staff,
)
from adapters.sandbox.city.town import DISTRICT, DISTRICT_ID, City, grade_name

Row = dict[str, str]
_HEAD = ("sourcedId", "status", "dateLastModified")
COLUMNS: dict[str, tuple[str, ...]] = {
    "academicSessions": (*_HEAD, "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"),
    "classes": (
        *_HEAD, "title", "grades", "courseSourcedId", "classCode", "classType", "location", "schoolSourcedId",
        "termSourcedIds", "subjects", "subjectCodes", "periods",
    ),
    "courses": (
        *_HEAD, "schoolYearSourcedId", "title", "courseCode", "grades", "orgSourcedId", "subjects", "subjectCodes",
    ),
    "demographics": (
        *_HEAD, "birthDate", "sex", "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican",
        "nativeHawaiianOrOtherPacificIslander", "white", "demographicRaceTwoOrMoreRaces",
        "hispanicOrLatinoEthnicity", "countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth",
        "publicSchoolResidenceStatus",
    ),
    "enrollments": (
        *_HEAD, "classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate",
    ),
    "orgs": (*_HEAD, "name", "type", "identifier", "parentSourcedId"),
    "roles": (
        *_HEAD, "userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId", "userProfileSourcedId",
    ),
    "users": (
        *_HEAD, "enabledUser", "username", "userIds", "givenName", "familyName", "middleName", "identifier", "email",
        "sms", "phone", "agentSourcedIds", "grades", "password", "userMasterIdentifier", "preferredGivenName",
        "preferredMiddleName", "preferredFamilyName", "primaryOrgSourcedId", "pronouns",
    ),
}  # fmt: skip
ABSENT = (
    "categories", "classResources", "courseResources", "lineItems", "lineItemLearningObjectiveIds",
    "lineItemScoreScales", "resources", "results", "resultLearningObjectiveIds", "resultScoreScales", "scoreScales",
    "userProfiles", "userResources",
)  # fmt: skip
_RACES = {"White": "white", "Asian": "asian", "Black or African American": "blackOrAfricanAmerican"}
_ROLES = {
    "Superintendent": "districtAdministrator",
    "Principal": "principal",
    "School Counselor": "counselor",
    "Student Support Services Staff (w/o Psychology)": "counselor",
}
_YEAR, _TERM = "session-2027", "term-2027-1"


def oneroster_zip(city: City) -> bytes:
    """The package. Bulk: `status` and `dateLastModified` are blank. The same city gives the same bytes."""
    tables = _tables(city)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        _add(package, "manifest", ("propertyName", "value"), _manifest())
        for table, rows in tables.items():
            _add(package, table, COLUMNS[table], rows)
    return packed.getvalue()


def sourced_id(kind: str, number: object) -> str:
    """An opaque id, as roster servers make them: nothing to match a person by."""
    return hashlib.sha256(f"sandbox/{kind}/{number}".encode()).hexdigest()[:32]


def _add(
    package: zipfile.ZipFile, name: str, columns: tuple[str, ...], rows: Iterable[Mapping[str, str]]
) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    entry = zipfile.ZipInfo(f"{name}.csv", (2026, 11, 22, 6, 0, 0))
    package.writestr(entry, text.getvalue().encode())


def _manifest() -> list[Row]:
    stated = {"manifest.version": "1.0", "oneroster.version": "1.2"}
    stated |= {f"file.{name}": "bulk" for name in COLUMNS} | {f"file.{name}": "absent" for name in ABSENT}
    stated |= {"source.systemName": "Sandbox student information system", "source.systemCode": "sandbox"}
    return [{"propertyName": name, "value": value} for name, value in stated.items()]


def _tables(city: City) -> dict[str, list[Row]]:
    children_of: dict[str, list[Child]] = {}
    for child in city.children:
        for adult in child.guardians:
            children_of.setdefault(adult.id, []).append(child)
    teachers = [one for one in city.staff if one.grade is not None]
    users = [
        *(_pupil(child) for child in city.children),
        *(_parent(adult, children_of[adult.id]) for adult in city.guardians),
        *(_worker(one) for one in city.staff),
    ]
    return {
        "academicSessions": _sessions(),
        "orgs": _orgs(city.schools),
        "courses": [_course(school, grade) for school in city.schools for grade in school.grades],
        "classes": [_class(school, grade) for school in city.schools for grade in school.grades],
        "users": users,
        "roles": [*_roles(city, children_of)],
        "enrollments": [*map(_seat, city.children), *map(_desk, teachers)],
        "demographics": [_demographics(child) for child in city.children],
    }


def _sessions() -> list[Row]:
    year, span = str(SCHOOL_YEAR), {"startDate": "2026-09-01", "endDate": "2027-06-25"}
    return [
        {
            "sourcedId": _YEAR,
            "title": "School year 2026-27",
            "type": "schoolYear",
            "schoolYear": year,
            **span,
        },
        {
            "sourcedId": _TERM,
            "title": "Fall term",
            "type": "term",
            "schoolYear": year,
            "startDate": "2026-09-01",
            "endDate": "2027-01-22",
            "parentSourcedId": _YEAR,
        },
    ]


def _org(number: int) -> str:
    return sourced_id("org", number)


def _orgs(schools: Iterable[School]) -> list[Row]:
    district = {
        "sourcedId": _org(DISTRICT_ID),
        "name": DISTRICT,
        "type": "district",
        "identifier": str(DISTRICT_ID),
    }
    return [
        district,
        *(
            {
                "sourcedId": _org(school.id),
                "name": school.name,
                "type": "school",
                "identifier": str(school.id),
                "parentSourcedId": _org(DISTRICT_ID),
            }
            for school in schools
        ),
    ]


def grade_code(grade: int) -> str:
    """The CEDS code of a grade."""
    return {PREKINDERGARTEN: "PK", KINDERGARTEN: "KG"}.get(grade, f"{grade:02}")


def _course(school: School, grade: int) -> Row:
    return {
        "sourcedId": sourced_id("course", f"{school.id}/{grade}"),
        "schoolYearSourcedId": _YEAR,
        "title": f"Homeroom, {grade_name(grade)}",
        "courseCode": f"HR{grade_code(grade)}",
        "grades": grade_code(grade),
        "orgSourcedId": _org(school.id),
    }


def _class(school: School, grade: int) -> Row:
    return {
        "sourcedId": sourced_id("class", f"{school.id}/{grade}"),
        "title": f"Homeroom, {grade_name(grade)}",
        "grades": grade_code(grade),
        "courseSourcedId": sourced_id("course", f"{school.id}/{grade}"),
        "classType": "homeroom",
        "schoolSourcedId": _org(school.id),
        "termSourcedIds": _TERM,
    }


def _pupil(child: Child) -> Row:
    row = {
        "sourcedId": sourced_id("student", child.id),
        "enabledUser": "true",
        "username": f"s{child.id}",
        "userIds": f"{{studentUniqueId:{child.id}}}",
        "givenName": child.first,
        "familyName": child.last,
        "middleName": child.middle or "",
        "identifier": child.id,
        "agentSourcedIds": ",".join(sourced_id("parent", adult.id) for adult in child.guardians),
        "grades": grade_code(child.grade),
        "preferredGivenName": child.preferred or "",
        "primaryOrgSourcedId": _org(child.school.id),
    }
    return row | ({"password": PASSWORD} if child.key == CANARY_CHILD else {})


def _parent(adult: Guardian, children: list[Child]) -> Row:
    return {
        "sourcedId": sourced_id("parent", adult.id),
        "enabledUser": "true",
        "username": f"p{adult.id}",
        "userIds": f"{{contactUniqueId:{adult.id}}}",
        "givenName": adult.first,
        "familyName": adult.last,
        "identifier": adult.id,
        "email": adult.email or "",
        "sms": adult.phone,
        "phone": adult.phone,
        "agentSourcedIds": ",".join(sourced_id("student", child.id) for child in children),
        "primaryOrgSourcedId": _org(children[0].school.id),
    }


def _worker(one: Staff) -> Row:
    return {
        "sourcedId": sourced_id("staff", one.id),
        "enabledUser": "true",
        "username": f"t{one.id}",
        "userIds": f"{{staffUniqueId:{one.id}}}",
        "givenName": one.first,
        "familyName": one.last,
        "identifier": one.id,
        "email": f"staff{one.id}@brindlecove-schools.example",
        "primaryOrgSourcedId": _org(one.school.id if one.school else DISTRICT_ID),
    }


def _roles(city: City, children_of: Mapping[str, list[Child]]) -> Iterable[Row]:
    for child in city.children:
        yield _role("student", child.id, "student", child.school.id)
    for adult in city.guardians:
        role = "parent" if adult.relation in {"Mother", "Father"} else "relative"
        yield _role("parent", adult.id, role, children_of[adult.id][0].school.id)
    for one in city.staff:
        yield _role(
            "staff", one.id, _ROLES.get(one.role, "teacher"), one.school.id if one.school else DISTRICT_ID
        )


def _role(kind: str, number: str, role: str, org: int) -> Row:
    return {
        "sourcedId": sourced_id("role", f"{kind}/{number}"),
        "userSourcedId": sourced_id(kind, number),
        "roleType": "primary",
        "role": role,
        "orgSourcedId": _org(org),
    }


def _seat(child: Child) -> Row:
    return _enrollment("student", child.id, child.school, child.grade)


def _desk(teacher: Staff) -> Row:
    assert teacher.school is not None
    assert teacher.grade is not None
    return _enrollment("staff", teacher.id, teacher.school, teacher.grade) | {
        "role": "teacher",
        "primary": "true",
    }


def _enrollment(kind: str, number: str, school: School, grade: int) -> Row:
    return {
        "sourcedId": sourced_id("enrollment", f"{kind}/{number}"),
        "classSourcedId": sourced_id("class", f"{school.id}/{grade}"),
        "schoolSourcedId": _org(school.id),
        "userSourcedId": sourced_id(kind, number),
        "role": "student",
        "beginDate": "2026-09-01",
        "endDate": "2027-06-25",
    }


def _demographics(child: Child) -> Row:
    pool = POOLS[child.tradition]
    row = {
        "sourcedId": sourced_id("student", child.id),
        "birthDate": child.born.isoformat(),
        "sex": child.sex,
        "hispanicOrLatinoEthnicity": str(pool.hispanic).lower(),
        "cityOfBirth": "",
    }
    return row | {column: str(pool.race == race).lower() for race, column in _RACES.items()}
