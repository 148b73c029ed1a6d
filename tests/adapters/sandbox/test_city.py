"""The fictional city: one seed one city, whole as Ed-Fi, as OneRoster and as FHIR, and told the same in each."""

import csv
import io
import zipfile
from collections import Counter
from datetime import date
from typing import Any

import jsonschema
import pytest
import yaml
from fhir.resources.R4B import get_fhir_model_class

from adapters.sandbox.city import (
    ATTENDANCE_COLUMNS,
    MEDICAL_RECORD,
    PLAN_COLUMNS,
    STUDENT_NUMBER,
    City,
    attendance,
    clinic_resources,
    edfi_documents,
    oneroster_zip,
    patient_id,
    plan_sheet,
    sheet_csv,
)
from adapters.sandbox.edfi import EdFiSandbox
from adapters.sandbox.edfi.keys import members, of
from adapters.sandbox.fhir import FhirSandbox
from tests.adapters.sandbox.caller import call
from tests.paths import corpus

Row = dict[str, Any]


@pytest.fixture(scope="module")
def city() -> City:
    return City.build()


@pytest.fixture(scope="module")
def edfi(city: City) -> dict[str, list[Row]]:
    return edfi_documents(city)


@pytest.fixture(scope="module")
def tables(city: City) -> dict[str, list[Row]]:
    with zipfile.ZipFile(io.BytesIO(oneroster_zip(city))) as package:
        return {
            name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(package.read(name).decode())))
            for name in package.namelist()
        }


def test_one_seed_is_one_city_in_every_form(city):
    again = City.build()
    assert again == city
    assert edfi_documents(again) == edfi_documents(city)
    assert oneroster_zip(again) == oneroster_zip(city)
    assert clinic_resources(again) == clinic_resources(city)
    other = City.build(seed=8)
    assert other.children != city.children
    assert other.cast.keys() == city.cast.keys()
    assert other.cast["maribel"].name == city.cast["maribel"].name


@pytest.mark.parametrize("count", [10, 11, 300, 1_000])
def test_a_city_has_as_many_children_as_asked(count):
    built = City.build(children=count)
    assert len(built.children) == count
    assert len({child.id for child in built.children}) == count


def test_a_city_smaller_than_its_cast_is_refused():
    with pytest.raises(ValueError, match="at least 10"):
        City.build(children=9)


def test_children_are_of_the_age_of_their_grade_and_in_a_school_that_has_it(city):
    for child in city.children:
        assert child.grade in child.school.grades
        begin = date(2020 - child.grade, 9, 2)
        assert 0 <= (child.born - begin).days < 366 or (begin - child.born).days < 366, child.name
    assert {child.grade for child in city.children} == set(range(-1, 9))
    assert {child.school for child in city.children} == set(city.schools)


def test_names_are_as_many_kinds_as_in_a_real_city(city):
    lasts = [child.last for child in city.children]
    assert sum(len(last.split()) == 2 for last in lasts) > 60  # two surnames
    assert sum("-" in last for last in lasts) > 10
    assert any("ễ" in last for last in lasts)
    bare = {"Nguyen", "Tran", "Le", "Pham", "Huynh", "Vo", "Dang", "Bui"}
    assert bare & set(lasts)  # the same families as their registers without diacritics write them
    assert any("'" in last for last in lasts)
    assert any(child.suffix for child in city.children)
    twins = Counter((child.born, child.guardians) for child in city.children if child.multiple_birth)
    assert set(twins.values()) == {2}
    assert len(twins) >= 3
    households = Counter(child.guardians for child in city.children)
    assert max(households.values()) >= 3
    same_name = [child.born for child in city.children if child.name == "Sofia de Almeida"]
    assert len(set(same_name)) == 2


def test_telephones_are_from_the_range_kept_for_fiction(city):
    for adult in city.guardians:
        assert "555-01" in adult.phone


def test_the_feed_names_guardians_but_hardly_ever_says_who_is_legal_guardian(city, edfi):
    links = edfi["studentContactAssociations"]
    assert len(links) >= len(city.children)
    assert all(1 <= len(child.guardians) <= 2 for child in city.children)
    assert 0 < sum("legalGuardian" in link for link in links) < len(links) / 20
    assert sum("contactRestrictions" in link for link in links) == 1
    with_mail = sum("electronicMails" in contact for contact in edfi["contacts"])
    assert 0 < with_mail < len(edfi["contacts"]) / 4


def test_natural_keys_are_unique_and_every_reference_leads_somewhere(edfi):
    for resource, documents in edfi.items():
        assert len({of(resource, document) for document in documents}) == len(documents), resource
    known = {
        "studentReference": {one["studentUniqueId"] for one in edfi["students"]},
        "contactReference": {one["contactUniqueId"] for one in edfi["contacts"]},
        "staffReference": {one["staffUniqueId"] for one in edfi["staffs"]},
        "schoolReference": {one["schoolId"] for one in edfi["schools"]},
    }
    for resource, documents in edfi.items():
        for document in documents:
            assert all(document[member] for member in members(resource))
            for reference, there in known.items():
                if reference in document:
                    (number,) = document[reference].values()
                    assert number in there


def test_some_children_changed_schools_within_the_year(edfi):
    counts = Counter(one["studentReference"]["studentUniqueId"] for one in edfi["studentSchoolAssociations"])
    assert set(counts.values()) == {1, 2}
    moved = [one for one in edfi["studentSchoolAssociations"] if "exitWithdrawDate" in one]
    assert len(moved) == sum(count == 2 for count in counts.values()) >= 2


def test_the_district_is_served_whole(edfi):
    with EdFiSandbox(edfi) as running:
        for resource, documents in edfi.items():
            assert len(running.documents(resource)) == len(documents)


@pytest.mark.corpus
def test_ed_fi_documents_are_valid_against_the_official_schemas_but_for_what_was_planted(edfi):
    path = corpus("school", "edfi-openapi", "resources", "resources-ds-5.0.yaml")
    official = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    foreign = set()
    for resource, documents in edfi.items():
        post = official["paths"][f"/ed-fi/{resource}"]["post"]
        ref = post["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = official["components"]["schemas"][ref.rpartition("/")[2]]
        validator = jsonschema.Draft4Validator({"$ref": ref, "components": official["components"]})
        for document in documents:
            validator.validate(document)
            foreign |= {f"{resource}.{name}" for name in document.keys() - schema["properties"].keys()}
    assert foreign == {"students._ext", "studentEducationOrganizationAssociations.counselorNotes"}


@pytest.mark.corpus
def test_descriptors_are_the_standards_own(edfi):
    folder = corpus("school", "edfi-grandbend-ds52", "descriptors")
    used: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)
        elif isinstance(value, str) and value.startswith("uri://ed-fi.org/"):
            used.add(value)

    collect(edfi)
    assert len(used) > 30
    for one in sorted(used):
        namespace, _, code = one.partition("#")
        name = namespace.rpartition("/")[2]
        text = (folder / f"{name[0].lower()}{name[1:]}s.jsonl").read_text(encoding="utf-8")
        assert f'"codeValue": "{code}"' in text, one


def test_the_package_is_a_bulk_package_of_version_1_2(tables):
    manifest = {row["propertyName"]: row["value"] for row in tables.pop("manifest")}
    assert (manifest["manifest.version"], manifest["oneroster.version"]) == ("1.0", "1.2")
    stated = {name.removeprefix("file.") for name, value in manifest.items() if value == "bulk"}
    assert stated == tables.keys()
    assert sum(name.startswith("file.") for name in manifest) == 21
    for rows in tables.values():
        for row in rows:
            assert None not in row
            assert row["sourcedId"]
            assert row["status"] == row["dateLastModified"] == ""


def test_the_package_holds_the_same_children_as_the_district(city, tables):
    roles = {row["userSourcedId"]: row["role"] for row in tables["roles"]}
    users = {row["sourcedId"]: row for row in tables["users"]}
    born = {row["sourcedId"]: row["birthDate"] for row in tables["demographics"]}
    pupils = {row["identifier"]: row for row in tables["users"] if roles[row["sourcedId"]] == "student"}
    assert pupils.keys() == {child.id for child in city.children}
    for child in city.children:
        row = pupils[child.id]
        assert (row["givenName"], row["familyName"]) == (child.first, child.last)
        assert born[row["sourcedId"]] == child.born.isoformat()
        assert row["userIds"] == f"{{studentUniqueId:{child.id}}}"
        adults = {users[agent]["identifier"] for agent in row["agentSourcedIds"].split(",")}
        assert adults == {adult.id for adult in child.guardians}
    assert roles.keys() == users.keys()


def test_every_reference_within_the_package_leads_somewhere(tables):
    ids = {name: {row["sourcedId"] for row in rows} for name, rows in tables.items() if name != "manifest"}
    for name, rows in tables.items():
        for row in rows:
            for column, target in (
                ("orgSourcedId", "orgs"),
                ("schoolSourcedId", "orgs"),
                ("primaryOrgSourcedId", "orgs"),
                ("parentSourcedId", name),
                ("userSourcedId", "users"),
                ("classSourcedId", "classes"),
                ("courseSourcedId", "courses"),
                ("termSourcedIds", "academicSessions"),
            ):
                assert not row.get(column) or row[column] in ids[target], (name, column)


def test_about_forty_patients_most_with_the_students_number_and_who_gave_it(city):
    patients = [one for one in clinic_resources(city) if one["resourceType"] == "Patient"]
    assert len(patients) == 40
    assert all(one["identifier"][0]["system"] == MEDICAL_RECORD for one in patients)
    shared = [
        (one, found) for one in patients for found in one["identifier"] if found["system"] == STUDENT_NUMBER
    ]
    assert 25 <= len(shared) < 35
    pupils = {child.id: child for child in city.children}
    agreeing = 0
    for one, found in shared:
        assert found["assigner"]["display"] == "Brindlecove Public Schools"
        child = pupils[found["value"]]
        assert one["name"][0]["text"] == child.name
        agreeing += one["birthDate"] == child.born.isoformat()
    assert agreeing == len(shared) - 1  # one slip of the pen


def test_one_patient_agrees_in_name_and_birth_date_and_shares_no_identifier(city):
    child = city.cast["rosalind"]
    (found,) = [
        one
        for one in clinic_resources(city)
        if one["resourceType"] == "Patient" and one["id"] == patient_id(city, "rosalind")
    ]
    assert (found["name"][0]["family"], found["birthDate"]) == (child.last, child.born.isoformat())
    assert {one["system"] for one in found["identifier"]} == {MEDICAL_RECORD}
    with pytest.raises(KeyError):
        patient_id(city, "sofia-older")


def test_the_clinic_holds_needs_goals_a_team_a_request_and_two_things_held_close(city):
    kinds = Counter(one["resourceType"] for one in clinic_resources(city))
    assert kinds.keys() >= {"Condition", "Observation", "Goal", "CareTeam", "ServiceRequest", "RelatedPerson"}
    labels = {
        label["code"] for one in clinic_resources(city) for label in one.get("meta", {}).get("security", [])
    }
    assert labels == {"R", "PSY", "ETHUD"}


def test_the_clinic_is_served_whole_and_every_reference_leads_somewhere(city):
    with FhirSandbox(clinic_resources(city)) as running:
        for resource in clinic_resources(city):
            path = f"{running.base_url}/{resource['resourceType']}/{resource['id']}"
            stored = call(path).json
            assert call(path, "PUT", stored).status == 200  # checked now as any client's write is
        found = call(f"{running.base_url}/Patient", params={"identifier": f"{STUDENT_NUMBER}|"}).json
        assert found["total"] >= 25


@pytest.mark.peer
def test_the_clinics_resources_are_valid_r4_structures(city):
    for resource in clinic_resources(city):
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def test_the_plan_sheet_has_everything_an_active_plan_needs_for_each_child(city):
    rows = plan_sheet(city)
    assert len({row["row_id"] for row in rows}) == len(rows)
    for key in ("maribel", "adilson", "minh-anh"):
        mine = [row for row in rows if row["child_id"] == city.cast[key].id]
        kinds = Counter(row["row_kind"] for row in mine)
        needed = ("strength", "interest", "need", "goal", "support", "navigator", "conference")
        assert all(kinds[kind] for kind in needed), key
        assert sum("agreement" in row for row in mine) == 1
        assert sum("next_review_date" in row for row in mine) == 1
    assert any(row["row_kind"] == "voice" and "statement" in row for row in rows)
    assert any("private_topic" in row for row in rows)


def test_attendance_says_who_came_when_and_for_how_long(city):
    rows = attendance(city)
    assert len({row["row_id"] for row in rows}) == len(rows) == 32
    for row in rows:
        assert row["attended"] == ("yes" if row["minutes"] == "90" else "no")
        assert (row["attended"] == "no") is ("absence_reason" in row)
        assert date.fromisoformat(row["service_date"]) < city.today
    assert {row["attended"] for row in rows} == {"yes", "no"}


def test_sheets_are_csv_with_all_their_columns(city):
    for rows, columns in ((plan_sheet(city), PLAN_COLUMNS), (attendance(city), ATTENDANCE_COLUMNS)):
        read = list(csv.DictReader(io.StringIO(sheet_csv(rows, columns).decode())))
        assert [{name: value for name, value in row.items() if value} for row in read] == rows
        assert tuple(read[0]) == columns
        assert all("" not in row.values() for row in rows)


def test_every_planted_string_stands_where_the_list_says_and_only_on_one_child(city, edfi):
    forms = {
        "Ed-Fi": str(edfi),
        "OneRoster": str(zipfile.ZipFile(io.BytesIO(oneroster_zip(city))).read("users.csv").decode()),
        "FHIR": str(clinic_resources(city)),
        "plan sheet": str(plan_sheet(city)),
        "attendance sheet": str(attendance(city)),
    }
    for canary in city.canaries:
        for place in canary.where.split("; "):
            form = next(name for name in forms if place.startswith(name))
            assert canary.value in forms[form], (canary.kind, place)
        for name, text in forms.items():
            assert (canary.value in text) is (name in canary.where), (canary.kind, name)
    kinds = {canary.kind for canary in city.canaries}
    assert kinds == {"social-security-number", "visa", "password", "free-text"}
    holders = {one["studentUniqueId"] for one in edfi["students"] if "_ext" in one}
    assert holders == {city.cast["adilson"].id}


def test_private_strings_cover_every_child_and_every_canary(city):
    strings = city.private_strings()
    for child in city.children:
        assert {child.name, child.id, child.born.isoformat(), child.address.street} <= strings
    assert {canary.value for canary in city.canaries} <= strings
