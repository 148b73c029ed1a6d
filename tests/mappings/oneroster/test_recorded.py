"""The OneRoster map against a dump recorded from a certified server, and the columns of the CSV binding."""

import csv
import io
import json
import zipfile
from typing import Any

import pytest

from mappings.engine.result import MapResult
from mappings.engine.shipped import path_table, shipped_map
from mappings.oneroster.joining import join_students, rows_from_rest
from mappings.record.assertion import check_value
from mappings.record.kind import Kind
from tests.paths import corpus

TABLE_OF = {
    "user": "users",
    "roles": "roles",
    "demographics": "demographics",
    "enrollments": "enrollments",
    "agents": "users",
    "org": "orgs",
}


def dump(name: str) -> list[dict[str, Any]]:
    text = corpus("school", "oneroster-1.2-recorded", "full", f"{name}.json").read_text("utf-8")
    found: list[dict[str, Any]] = json.loads(text)[name]
    return found


@pytest.fixture(scope="module")
def results():
    tables = rows_from_rest(
        dump("users"), orgs=dump("orgs"), demographics=dump("demographics"), enrollments=dump("enrollments")
    )
    ready = shipped_map("planhub/oneroster-student")
    return [
        ready.run(document | {"connection": {"assigner": "grand-bend"}}) for document in join_students(tables)
    ]


@pytest.mark.corpus
def test_the_970_student_users_of_the_dump_are_960_children(results):
    assert len(results) == 970
    assert len({result.record_id for result in results}) == 970
    assert len({result.subjects["student"] for result in results}) == 960
    assert not any(result.refused for result in results)


@pytest.mark.corpus
def test_every_fact_of_the_dump_fits_the_record_without_an_issue(results):
    for result in results:
        assert result.issues == ()
        for output in result.outputs:
            assert check_value(Kind(output.kind), output.value, output.path)[1] == ()


@pytest.mark.corpus
def test_an_enrolment_without_dates_is_kept_and_open(results):
    """Thirty student roles have no date of their own and no class at that school."""
    enrolled = [one for result in results for one in result.outputs if one.kind == "enrollment"]
    values = [check_value(Kind.ENROLLMENT, one.value, one.path)[0] for one in enrolled]
    assert len(values) == 990
    assert sum(value is not None and value["period"] == {} for value in values) == 30


@pytest.mark.corpus
def test_a_child_of_both_dumps_carries_the_same_number_name_and_birth_date(results):
    lines = corpus("school", "edfi-grandbend-ds52", "students.jsonl").read_text("utf-8").splitlines()
    ready = shipped_map("planhub/edfi-student")
    here = {"connection": {"assigner": "grand-bend"}}

    def number(result: MapResult) -> Any:
        return next(o.value["value"] for o in result.outputs if o.value.get("system") == "student-unique-id")

    def facts(result: MapResult) -> dict[str, Any]:
        wanted = {"official name", "birth-date"}
        return {o.rule: o.value for o in result.outputs if o.rule in wanted}

    school = {number(one): facts(one) for one in (ready.run(json.loads(line) | here) for line in lines)}
    roster = {number(one): facts(one) for one in results}
    assert school.keys() == roster.keys()
    different = [key for key in school if school[key]["official name"] != roster[key]["official name"]]
    assert {
        next(iter(school[key]["official name"].keys() - roster[key]["official name"].keys()), "")
        for key in different
    } <= {"suffix"}


@pytest.mark.corpus
def test_every_path_we_know_is_a_column_of_the_csv_binding():
    archive = corpus("school", "oneroster-csv", "valid", "full-bulk-package.zip")
    columns = {}
    with zipfile.ZipFile(archive) as package:
        for name in ("users", "roles", "demographics", "enrollments", "orgs"):
            text = package.read(f"{name}.csv").decode("utf-8-sig")
            columns[name] = set(next(csv.reader(io.StringIO(text))))
    wrong = []
    for node in path_table("oneroster").resources["users"].leaves():
        steps = node.path.split(".")
        if steps[0] == "connection":
            continue
        owners = [step for step in steps[:-1] if step in TABLE_OF]
        column = steps[steps.index(owners[-1]) + 1]  # userIds.type is a part of the column userIds
        if column not in columns[TABLE_OF[owners[-1]]]:
            wrong.append(node.path)
    assert wrong == []
