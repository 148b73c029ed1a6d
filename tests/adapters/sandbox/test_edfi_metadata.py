"""What the sandbox Ed-Fi API tells about itself: OpenAPI in both shapes, extensions, dependencies (school.md §1.2)."""

import json
from typing import Any

import jsonschema
import pytest
import yaml

from adapters.sandbox.edfi import EdFiSandbox
from tests.adapters.sandbox.caller import District, call
from tests.adapters.sandbox.test_edfi import documents, student
from tests.paths import corpus


def specification(sandbox: EdFiSandbox, name: str = "Resources") -> dict[str, Any]:
    listed = call(call(sandbox.base_url).json["urls"]["openApiMetadata"]).json
    found: dict[str, Any] = call(next(one["endpointUri"] for one in listed if one["name"] == name)).json
    return found


def test_v8_serves_openapi_3_and_7_3_serves_swagger_2_of_the_same_resources():
    with EdFiSandbox(documents()) as old, EdFiSandbox(documents(), flavor="v8") as new:
        seven, eight = specification(old), specification(new)
        assert seven["swagger"] == "2.0"
        assert eight["openapi"].startswith("3.0")
        assert seven["paths"].keys() == eight["paths"].keys()
        assert seven["definitions"].keys() == eight["components"]["schemas"].keys()
        assert seven["basePath"] == "/data/v3"
        assert f"http://{seven['host']}" == old.base_url
        assert eight["servers"] == [{"url": f"{new.base_url}/data"}]
        assert "#/components" not in json.dumps(seven)


def test_a_resource_has_its_collection_item_deletes_key_changes_and_partitions():
    with EdFiSandbox(documents()) as running:
        paths = {path for path in specification(running)["paths"] if path.startswith("/ed-fi/students")}
        tails = ("", "/{id}", "/deletes", "/keyChanges", "/partitions")
        assert paths == {f"/ed-fi/students{tail}" for tail in tails}
    with EdFiSandbox(documents(), cursor=False, change_queries=False) as running:
        paths = {path for path in specification(running)["paths"] if path.startswith("/ed-fi/students")}
        assert paths == {"/ed-fi/students", "/ed-fi/students/{id}"}


def test_every_document_served_is_valid_against_the_schema_served():
    with EdFiSandbox(documents(), flavor="v8") as running:
        api = specification(running)
        for resource, name in (
            ("students", "student"),
            ("studentSchoolAssociations", "studentSchoolAssociation"),
        ):
            schema = {"$ref": f"#/components/schemas/edFi_{name}", "components": api["components"]}
            for row in District(running)(resource).json:
                jsonschema.validate(row, schema)
        key = api["components"]["schemas"]["edFi_studentSchoolAssociation"]
        assert key["required"] == ["entryDate", "schoolReference", "studentReference"]
        assert key["properties"]["entryDate"]["x-Ed-Fi-isIdentity"] is True


def test_an_extension_field_stands_below_ext_with_a_schema_of_its_own():
    extended = {"students": [student(1, _ext={"invented": {"busRoute": "7", "ridesBike": True}})]}
    with EdFiSandbox(extended, flavor="v8") as running:
        described = specification(running)["components"]["schemas"]
        assert described["edFi_student"]["properties"]["_ext"] == {
            "$ref": "#/components/schemas/edFi_studentExtensions"
        }
        assert described["invented_studentExtension"]["properties"].keys() == {"busRoute", "ridesBike"}
        (row,) = District(running)("students").json
        assert row["_ext"]["invented"]["busRoute"] == "7"


def test_query_parameters_are_bare_names_and_tell_the_identity():
    with EdFiSandbox(documents(), flavor="v8") as running:
        api = specification(running)
        parameters = api["paths"]["/ed-fi/studentSchoolAssociations"]["get"]["parameters"]
        named = {one["name"]: one for one in parameters if "name" in one}
        assert {"studentUniqueId", "schoolId", "entryDate"} <= named.keys()
        assert named["studentUniqueId"]["x-Ed-Fi-isIdentity"] is True
        assert api["paths"]["/ed-fi/studentSchoolAssociations/{id}"]["put"]["x-Ed-Fi-isUpdatable"] is True
        assert "x-Ed-Fi-isUpdatable" not in api["paths"]["/ed-fi/students/{id}"]["put"]


def test_descriptors_are_in_a_document_of_their_own():
    sex = {"namespace": "uri://ed-fi.org/SexDescriptor", "codeValue": "Female", "shortDescription": "Female"}
    with EdFiSandbox({**documents(), "sexDescriptors": [sex]}) as running:
        assert "/ed-fi/sexDescriptors" in specification(running, "Descriptors")["paths"]
        assert "/ed-fi/sexDescriptors" not in specification(running)["paths"]
        assert District(running)("sexDescriptors", params={"codeValue": "Female"}).json[0]["id"]


def test_an_official_document_can_be_served_instead():
    official = {"openapi": "3.0.3", "paths": {"/ed-fi/students": {}}, "components": {"schemas": {}}}
    with EdFiSandbox(documents(), flavor="v8", official=official) as running:
        assert specification(running)["paths"] == official["paths"]
        assert specification(running)["servers"][0]["url"] == f"{running.base_url}/data"


def test_metadata_can_begin_with_a_byte_order_mark():
    with EdFiSandbox(documents(), bom=True) as running:
        raw = call(running.base_url)
        assert raw.body.startswith(b"\xef\xbb\xbf{")
        assert json.loads(raw.body.decode("utf-8-sig"))["version"] == "7.3"


def test_dependencies_put_everything_after_what_it_refers_to_and_persons_twice():
    with EdFiSandbox(documents()) as running:
        rows = call(call(running.base_url).json["urls"]["dependencies"]).json
    place = {(row["resource"], operation): row["order"] for row in rows for operation in row["operations"]}
    association = place["/ed-fi/studentSchoolAssociations", "Create"]
    assert place["/ed-fi/students", "Create"] < association < place["/ed-fi/students", "Update"]
    assert place["/ed-fi/localEducationAgencies", "Create"] < place["/ed-fi/schools", "Create"] < association
    assert [row["order"] for row in rows] == sorted(row["order"] for row in rows)


@pytest.fixture(scope="module")
def grand_bend():
    with EdFiSandbox.from_jsonl(corpus("school", "edfi-grandbend-ds52"), flavor="v7.3") as running:
        yield running


def pull(district: District, resource: str) -> list[dict[str, Any]]:
    answer = district(resource, params={"limit": 500})
    rows: list[dict[str, Any]] = answer.json
    while answer.json:
        cursor = answer.headers["next-page-token"]
        answer = district(resource, params={"pageToken": cursor, "pageSize": 500})
        rows += answer.json
    return rows


@pytest.mark.corpus
def test_a_whole_district_of_17072_documents_in_45_resources_is_served(grand_bend):
    district = District(grand_bend)
    resources = sorted({path.split("/")[2] for path in specification(grand_bend)["paths"]})
    served = {resource: pull(district, resource) for resource in resources}
    assert len(served) == 45
    assert sum(len(rows) for rows in served.values()) == 17_072
    assert len(served["students"]) == 960
    assert len(served["studentSchoolAssociations"]) == 970
    assert len(served["contacts"]) == 1_873
    everything = [row["id"] for rows in served.values() for row in rows]
    assert len(set(everything)) == len(everything)


@pytest.mark.corpus
def test_documents_of_the_real_district_are_valid_against_the_derived_schemas(grand_bend):
    api = specification(grand_bend)
    district = District(grand_bend)
    for resource, name in (("students", "student"), ("contacts", "contact"), ("programs", "program")):
        schema = {"$ref": f"#/definitions/edFi_{name}", "definitions": api["definitions"]}
        validator = jsonschema.Draft4Validator(schema)
        for row in district(resource, params={"limit": 500}).json:
            validator.validate(row)


@pytest.mark.corpus
def test_natural_keys_and_order_of_loading_agree_with_the_official_documents(grand_bend):
    path = corpus("school", "edfi-openapi", "resources", "resources-ds-5.0.yaml")
    official = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    ours = specification(grand_bend)
    for route, verbs in ours["paths"].items():
        if route not in official["paths"] or route.count("/") != 2:
            continue
        theirs = {
            one["name"]
            for one in official["paths"][route]["get"]["parameters"]
            if one.get("x-Ed-Fi-isIdentity")
        }
        stated = {one["name"] for one in verbs["get"]["parameters"] if one.get("x-Ed-Fi-isIdentity")}
        assert stated <= theirs, route
        # A program's organisation appears under two names in the official document; the sandbox uses the bare one.
        assert theirs - stated <= {
            "programEducationOrganizationId",
            "transportationEducationOrganizationId",
        }, route
    golden = json.loads(
        corpus(
            "school",
            "edfi-dependencies",
            "5.2.0.AggregateDependencyControllerTests.Should_Get_Dependencies.approved.txt",
        ).read_text(encoding="utf-8-sig")
    )
    theirs_place = {(row["resource"], op): row["order"] for row in golden for op in row["operations"]}
    rows = call(call(grand_bend.base_url).json["urls"]["dependencies"]).json
    place = {(row["resource"], op): row["order"] for row in rows for op in row["operations"]}
    persons = [step for step in place if step[0] in {"/ed-fi/students", "/ed-fi/contacts", "/ed-fi/staffs"}]
    for step in persons:
        for other in persons:
            if theirs_place[step] < theirs_place[other] and step[0] == other[0]:
                assert place[step] < place[other]
    assert {resource for resource, _ in place} <= {resource for resource, _ in theirs_place}
