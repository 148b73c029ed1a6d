import json
from typing import Any

import pytest
import yaml

from adapters.edfi.catalog import Catalog, SchemaPath, fetch_catalog, read_catalog
from adapters.edfi.discovery import DataStandard, Discovery, discover
from adapters.port import Cause, Malformed, Transient
from adapters.sandbox.edfi.sandbox import EdFiSandbox
from adapters.sandbox.wire import Request, Response, as_json
from mappings.engine.paths import PathType, Special, parse_paths
from tests.adapters.partners import Partner, client
from tests.paths import corpus

STUDENTS = {
    "properties": {
        "id": {"type": "string"},
        "studentUniqueId": {"type": "string", "x-Ed-Fi-isIdentity": True},
        "birthDate": {"type": "string", "format": "date"},
        "multipleBirthStatus": {"type": "boolean"},
        "personReference": {"$ref": "#/REF/edFi_personReference"},
        "otherNames": {"type": "array", "items": {"$ref": "#/REF/edFi_studentOtherName"}},
        "_ext": {"$ref": "#/REF/studentExtensions"},
    }
}
SCHEMAS = {
    "edFi_student": STUDENTS,
    "edFi_personReference": {
        "properties": {"personId": {"type": "string"}, "link": {"$ref": "#/REF/link"}},
    },
    "link": {"properties": {"rel": {"type": "string"}, "href": {"type": "string"}}},
    "edFi_studentOtherName": {"properties": {"firstName": {"type": "string"}}},
    "studentExtensions": {"properties": {"sample": {"$ref": "#/REF/sample_studentExtension"}}},
    "sample_studentExtension": {
        "allOf": [{"$ref": "#/REF/sample_base"}],
        "properties": {"petName": {"type": "string"}, "petCount": {"type": "integer"}},
    },
    "sample_base": {"properties": {"favoriteColors": {"type": "array", "items": {"type": "string"}}}},
}
KEY = {"name": "studentUniqueId", "in": "query", "x-Ed-Fi-isIdentity": True}


def swagger() -> dict[str, Any]:
    """The Swagger 2 shape of ODS/API 7."""
    text = json.dumps(SCHEMAS).replace("#/REF/", "#/definitions/")
    return {
        "swagger": "2.0",
        "basePath": "/data/v3",
        "parameters": {"offset": {"name": "offset", "in": "query"}},
        "paths": {
            "/ed-fi/students": {
                "get": {
                    "parameters": [
                        {"$ref": "#/parameters/offset"},
                        KEY,
                        {"name": "MinChangeVersion", "in": "query"},
                    ],
                    "responses": {
                        "200": {"schema": {"type": "array", "items": {"$ref": "#/definitions/edFi_student"}}}
                    },
                },
                "post": {},
            },
            "/ed-fi/students/{id}": {"get": {}},
            "/ed-fi/students/deletes": {"get": {}},
            "/ed-fi/students/keyChanges": {"get": {}},
        },
        "definitions": json.loads(text),
    }


def openapi() -> dict[str, Any]:
    """The OpenAPI 3 shape of v8 and of the published specifications."""
    text = json.dumps(SCHEMAS).replace("#/REF/", "#/components/schemas/")
    items = {"type": "array", "items": {"$ref": "#/components/schemas/edFi_student"}}
    return {
        "openapi": "3.0.3",
        "paths": {
            "/ed-fi/students": {
                "get": {
                    "parameters": [{"$ref": "#/components/parameters/pageToken"}, KEY],
                    "responses": {"200": {"content": {"application/json": {"schema": items}}}},
                }
            },
            "/ed-fi/students/partitions": {"get": {}},
        },
        "components": {
            "schemas": json.loads(text),
            "parameters": {"pageToken": {"name": "pageToken", "in": "query"}},
        },
    }


@pytest.mark.parametrize("document", [swagger(), openapi()], ids=["swagger-2", "openapi-3"])
def test_both_dialects_give_the_same_paths_and_keys(document):
    catalog = read_catalog(document)
    assert catalog.resources["ed-fi/students"].keys == ("studentUniqueId",)
    assert set(catalog.paths("ed-fi/students")) == {
        SchemaPath("id", "text", False),
        SchemaPath("studentUniqueId", "text", False),
        SchemaPath("birthDate", "date", False),
        SchemaPath("multipleBirthStatus", "boolean", False),
        SchemaPath("personReference", "object", False),
        SchemaPath("personReference.personId", "text", False),
        SchemaPath("otherNames", "object", True),
        SchemaPath("otherNames.firstName", "text", False),
        SchemaPath("_ext", "object", False),
        SchemaPath("_ext.sample", "object", False),
        SchemaPath("_ext.sample.petName", "text", False),
        SchemaPath("_ext.sample.petCount", "integer", False),
        SchemaPath("_ext.sample.favoriteColors", "text", True),
    }
    assert {each.path for each in catalog.extension_paths("ed-fi/students")} == {
        "_ext",
        "_ext.sample",
        "_ext.sample.petName",
        "_ext.sample.petCount",
        "_ext.sample.favoriteColors",
    }


def test_extensions_are_known_to_a_map_as_private_fields():
    table, faults = parse_paths(
        "path,type,list,category,note\nstudents.birthDate,date,,identity,\n", "paths.csv"
    )
    assert faults == ()
    extended = table.with_extensions("students", read_catalog(openapi()).extension_paths("ed-fi/students"))
    sample = extended.resources["students"].children["_ext"].children["sample"]
    assert {name: (node.type, node.is_list, node.category) for name, node in sample.children.items()} == {
        "petName": (PathType.TEXT, False, Special.PRIVATE),
        "petCount": (PathType.INTEGER, False, Special.PRIVATE),
        "favoriteColors": (PathType.TEXT, True, Special.PRIVATE),
    }


def test_what_the_document_says_is_switched_on_is_read():
    old = read_catalog(swagger()).resources["ed-fi/students"]
    new = read_catalog(openapi()).resources["ed-fi/students"]
    assert (old.change_versions, old.cursor, old.deletes, old.key_changes, old.partitions) == (
        True,
        False,
        True,
        True,
        False,
    )
    assert (new.change_versions, new.cursor, new.deletes, new.key_changes, new.partitions) == (
        False,
        True,
        False,
        False,
        True,
    )


def test_a_schema_that_contains_itself_ends():
    looping = openapi()
    looping["components"]["schemas"]["edFi_student"]["properties"]["twin"] = {
        "$ref": "#/components/schemas/edFi_student"
    }
    looping["components"]["schemas"]["loop"] = {"$ref": "#/components/schemas/loop"}
    looping["components"]["schemas"]["edFi_student"]["properties"]["never"] = {
        "$ref": "#/components/schemas/loop"
    }
    paths = read_catalog(looping).paths("ed-fi/students")
    assert len(paths) < 100


@pytest.mark.parametrize(
    "nonsense",
    [
        {},
        {"paths": 3},
        {"paths": {"/ed-fi/students": None}},
        {"paths": {"/ed-fi/students": {"get": {"parameters": 3, "responses": []}}}},
        {"paths": {"/ed-fi/students": {"get": {"parameters": [3, {"$ref": "x"}], "responses": {"200": {}}}}}},
        {"paths": {"/ed-fi/students": {"get": {}}}, "definitions": []},
    ],
)
def test_a_document_that_makes_no_sense_gives_an_empty_catalog(nonsense):
    assert read_catalog(nonsense).paths("ed-fi/students") == ()


def found(partner: Partner) -> Discovery:
    with client() as http:
        discovery = discover(http, partner.base_url)
    assert isinstance(discovery, Discovery)
    return discovery


class Host(Partner):
    """Serves a metadata answer of one's choice."""

    def __init__(self, metadata: Any, sections: dict[str, Any] | None = None) -> None:
        super().__init__(self.serve_one)
        self.metadata = metadata
        self.sections = sections or {}

    def serve_one(self, request: Request) -> Response:
        base = self.base_url
        if request.path == "/":
            urls = {"dataManagementApi": base + "/data", "oauth": base + "/token"}
            return as_json(200, {"urls": urls | {"openApiMetadata": base + "/metadata"}})
        if request.path == "/metadata":
            listed = self.metadata
            if isinstance(listed, list):
                listed = [entry | {"endpointUri": base + entry["endpointUri"]} for entry in listed]
            return listed if isinstance(listed, Response) else as_json(200, listed)
        return as_json(200, self.sections[request.path])


def fetch(host: Host) -> Any:
    with host, client() as http:
        return fetch_catalog(http, found(host))


def test_metadata_may_be_one_document():
    catalog = fetch(Host(openapi()))
    assert list(catalog.resources) == ["ed-fi/students"]


def test_metadata_may_be_a_list_of_which_two_sections_describe_data():
    host = Host(
        [
            {"name": "Resources", "endpointUri": "/r", "prefix": ""},
            {"name": "Descriptors", "endpointUri": "/d", "prefix": ""},
            {"name": "Composites", "endpointUri": "/c", "prefix": "Other"},
        ],
        {
            "/r": swagger(),
            "/d": {
                "paths": {
                    "/ed-fi/gradeLevelDescriptors": {
                        "get": {"parameters": [], "responses": {}},
                    }
                }
            },
        },
    )
    assert set(fetch(host).resources) == {"ed-fi/students", "ed-fi/gradeLevelDescriptors"}


def test_without_those_names_every_section_is_read():
    host = Host([{"name": "Ed-Fi", "endpointUri": "/e", "prefix": "Other"}], {"/e": openapi()})
    assert set(fetch(host).resources) == {"ed-fi/students"}


def test_metadata_that_cannot_be_had_is_a_value():
    assert fetch(Host([])) == Malformed(Cause.BAD_SHAPE)
    assert fetch(Host(Response(503))) == Transient(Cause.HTTP_5XX, 503)
    assert fetch(Host(Response(200, b"{"))) == Malformed(Cause.BAD_JSON, 200)


@pytest.mark.parametrize("flavor", ["v7.3", "v8"])
def test_the_sandbox_of_each_generation_is_understood(flavor):
    documents = {
        "students": [{"studentUniqueId": "1", "firstName": "Ama", "birthDate": "2015-02-03"}],
        "contacts": [{"contactUniqueId": "9", "firstName": "Kofi"}],
    }
    with EdFiSandbox(documents, flavor=flavor, bom=True) as host, client() as http:
        discovery = discover(http, host.base_url)
        assert isinstance(discovery, Discovery)
        catalog = fetch_catalog(http, discovery)
    assert isinstance(catalog, Catalog)
    assert catalog.data_standard is DataStandard.DS5
    assert catalog.resources["ed-fi/students"].keys == ("studentUniqueId",)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("version", "standard", "contact"),
    [
        ("4.0", DataStandard.DS4, ("parentUniqueId", "studentUniqueId")),
        ("5.0", DataStandard.DS5, ("contactUniqueId", "studentUniqueId")),
        ("6.0", DataStandard.DS6, ("contactUniqueId", "studentUniqueId")),
    ],
)
def test_the_official_specifications_are_read_whole(version, standard, contact):
    path = corpus("school", "edfi-openapi", "resources", f"resources-ds-{version}.yaml")
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    catalog = read_catalog(document)
    assert catalog.data_standard is standard
    name = "ed-fi/studentParentAssociations" if version == "4.0" else "ed-fi/studentContactAssociations"
    assert sorted(catalog.resources[name].keys) == sorted(contact)
    without_schema = [each for each in catalog.resources if not catalog.paths(each)]
    assert without_schema == []
    keyless = [each.name for each in catalog.resources.values() if not each.keys]
    assert keyless == []
