"""The Ed-Fi maps against the official document and a whole real-shaped district, neither of them written here."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from mappings.engine.probe import probe
from mappings.engine.shipped import path_table, shipped_map
from mappings.record.assertion import check_value
from mappings.record.kind import Kind
from tests.paths import corpus

JOINED = {
    ("studentContactAssociations", "contact"): "contacts",
    ("staffEducationOrganizationAssignmentAssociations", "staff"): "staffs",
    ("studentSchoolAssociations", "school"): "schools",
}
"""Groups intake joins in, and the resource their paths must exist in."""


class Official:
    """The paths of the official Ed-Fi OpenAPI document, found by our own walk over its schemas."""

    def __init__(self, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.document = yaml.load(text, Loader=loader)

    def paths(self, resource: str) -> dict[str, tuple[str, bool]]:
        """Dotted path → (type, is array) of what may be posted to a resource."""
        post = self.document["paths"][f"/ed-fi/{resource}"]["post"]
        return dict(self._walk(post["requestBody"]["content"]["application/json"]["schema"], ""))

    def _plain(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def _walk(self, schema: dict[str, Any], start: str) -> Iterator[tuple[str, tuple[str, bool]]]:
        for name, raw in self._plain(schema).get("properties", {}).items():
            inner = self._plain(raw)
            is_array = inner.get("type") == "array"
            if is_array:
                inner = self._plain(inner["items"])
            kind = inner.get("type", "object")
            if kind == "string":
                kind = "date" if inner.get("format") == "date" else "text"
            yield f"{start}{name}", (kind, is_array)
            if kind == "object":
                yield from self._walk(inner, f"{start}{name}.")


@pytest.fixture(scope="module")
def official() -> Official:
    return Official(corpus("school", "edfi-openapi", "resources", "resources-ds-5.0.yaml").read_text("utf-8"))


@pytest.mark.corpus
@pytest.mark.parametrize("resource", sorted(path_table("edfi").resources))
def test_every_path_we_know_is_in_the_official_document_with_its_type(official, resource):
    known = official.paths(resource)
    wrong = []
    for node in path_table("edfi").resources[resource].below():
        first, _, rest = node.path.partition(".")
        if first == "connection" or (resource, node.path) in JOINED:
            continue
        joined = JOINED.get((resource, first))
        expected = (official.paths(joined) if joined else known).get(rest if joined else node.path)
        if expected != (node.type.value, node.is_list):
            wrong.append((node.path, expected))
    assert wrong == []


@pytest.mark.corpus
@pytest.mark.parametrize(
    "resource",
    [
        "students",
        "studentSchoolAssociations",
        "studentEducationOrganizationAssociations",
        "studentContactAssociations",
    ],
)
def test_every_path_of_the_official_document_is_in_our_table_so_that_its_loss_is_declared(official, resource):
    technical = {"id", "_etag", "_lastModifiedDate", "link", "_ext"}
    ours = {node.path for node in path_table("edfi").resources[resource].below()}
    missing = [
        path for path in official.paths(resource) if path not in ours and not technical & set(path.split("."))
    ]
    assert missing == []


def documents(name: str) -> list[dict[str, Any]]:
    lines = corpus("school", "edfi-grandbend-ds52", f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


HERE = {"connection": {"assigner": "grand-bend"}}


def feed(name: str) -> list[dict[str, Any]]:
    """The documents of one map, joined as intake joins them."""
    match name:
        case "student":
            return [one | HERE for one in documents("students")]
        case "enrollment":
            return documents("studentSchoolAssociations.SYNTHETIC")
        case "directory":
            return [one | HERE for one in documents("studentEducationOrganizationAssociations.SYNTHETIC")]
        case "guardian":
            contacts = {one["contactUniqueId"]: one for one in documents("contacts")}
            associations = documents("studentContactAssociations")
            return [
                one | {"contact": contacts[one["contactReference"]["contactUniqueId"]]}
                for one in associations
            ]
        case _:
            staffs = {one["staffUniqueId"]: one for one in documents("staffs")}
            assignments = documents("staffEducationOrganizationAssignmentAssociations")
            return [one | {"staff": staffs[one["staffReference"]["staffUniqueId"]]} for one in assignments]


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "count", "made", "explained"),
    [
        ("student", 960, {"official name": 960, "preferred name": 18, "birth-date": 960, "unique id": 960, "person id": 3, "sex-for-matching": 3}, {}),
        ("enrollment", 970, {"enrollment": 970}, {}),
        ("directory", 1920, {"sex-for-matching": 960}, {}),
        # Three e-mail addresses of the sample hold a space ("De Leon@…").
        ("guardian", 1872, {"guardian": 1872}, {"contact.electronicMails.0.electronicMailAddress": 3}),
        ("staff", 69, {"care-team-member": 69}, {}),
    ],
)  # fmt: skip
def test_a_whole_district_is_mapped_without_an_unexplained_issue(name, count, made, explained):
    ready = shipped_map(f"planhub/edfi-{name}")
    results = [ready.run(document) for document in feed(name)]
    assert len(results) == count
    assert len({result.record_id for result in results}) == count
    assert not any(result.refused for result in results)
    assert Counter(output.rule for result in results for output in result.outputs) == made
    bad = Counter(
        issue.path for result in results for issue in result.issues if issue.code.value == "bad-value"
    )
    assert bad == explained
    assert {issue.path for result in results for issue in result.issues} == set(explained)


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["student", "enrollment", "directory", "guardian", "staff"])
def test_every_fact_of_the_district_fits_the_record(name):
    ready = shipped_map(f"planhub/edfi-{name}")
    for document in feed(name):
        for output in ready.run(document).outputs:
            value, issues = check_value(Kind(output.kind), output.value, output.path)
            assert (value is None, issues) == (False, ()), output.rule


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["student", "enrollment", "directory", "guardian", "staff"])
def test_no_part_of_a_real_document_leaks_and_none_outside_the_read_set_has_influence(name):
    ready = shipped_map(f"planhub/edfi-{name}")
    runs = 0
    for document in feed(name)[::40]:
        report = probe(ready, document)
        assert report.leaks == ()
        runs += report.runs
    assert runs > 20
