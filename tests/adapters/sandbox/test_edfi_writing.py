"""Writes to the sandbox Ed-Fi API against school.md §1.5: upsert by natural key, whole documents, If-Match."""

import pytest

from adapters.sandbox.edfi import EdFiSandbox
from tests.adapters.sandbox.caller import District
from tests.adapters.sandbox.test_edfi import documents, enrolment, student


@pytest.fixture(params=["v7.3", "v8"])
def sandbox(request):
    with EdFiSandbox(documents(), flavor=request.param) as running:
        yield running


@pytest.fixture
def district(sandbox):
    return District(sandbox)


def test_post_creates_by_natural_key_and_then_replaces(sandbox, district):
    created = district("students", "POST", student(50))
    assert created.status == 201
    where = created.headers["location"]
    assert where.startswith(district.url("students/"))
    replaced = district("students", "POST", student(50, middleName="M"))
    assert (replaced.status, replaced.headers["location"]) == (200, where)
    assert replaced.headers["etag"] != created.headers["etag"]
    assert district("students", "POST", student(50)).status == 200
    (now,) = district("students", params={"studentUniqueId": "S50"}).json
    assert "middleName" not in now  # the whole document is replaced
    version = sandbox.newest_change_version
    assert district("students", "POST", student(50)).status == 200
    assert sandbox.newest_change_version == version


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"id": "0" * 32, **student(60)}, 400, "bad-request:data-validation-failed"),
        ({"firstName": "No Key"}, 400, "bad-request:data-validation-failed"),
        ({}, 400, "bad-request:data-validation-failed"),
        ([1], 400, "bad-request:data-validation-failed"),
        (b"{", 400, "bad-request:data-validation-failed"),
    ],
)
def test_post_refuses_what_cannot_be_stored(district, body, status, kind):
    answer = district("students", "POST", body, Content_Type="application/json")
    assert (answer.status, answer.json["type"]) == (status, f"urn:ed-fi:api:{kind}")


def test_a_missing_key_member_is_named_by_its_path(district):
    answer = district("studentSchoolAssociations", "POST", {"entryDate": "2026-09-01", "schoolReference": {}})
    assert answer.json["validationErrors"].keys() == {"$.schoolReference", "$.studentReference"}


def test_a_reference_to_nothing_is_a_conflict_and_so_is_deleting_what_is_referred_to(district):
    answer = district("studentSchoolAssociations", "POST", enrolment(77))
    assert (answer.status, answer.json["type"]) == (
        409,
        "urn:ed-fi:api:data-conflict:unresolved-reference",
    )
    (row,) = district("students", params={"studentUniqueId": "S3"}).json
    answer = district(f"students/{row['id']}", "DELETE")
    assert (answer.status, answer.json["type"]) == (
        409,
        "urn:ed-fi:api:data-conflict:dependent-item-exists",
    )


def test_put_replaces_only_the_state_the_client_has_seen(district):
    (row,) = district("students", params={"studentUniqueId": "S3"}).json
    path, tag = f"students/{row['id']}", f'"{row["_etag"]}"'
    first = district(path, "PUT", {**row, "middleName": "One"}, If_Match=tag)
    assert first.status == 204
    stale = district(path, "PUT", {**row, "middleName": "Two"}, If_Match=tag)
    assert (stale.status, stale.json["type"]) == (412, "urn:ed-fi:api:optimistic-lock-failed")
    assert district(path, "PUT", {**row, "middleName": "Three"}).status == 204
    changed = district(path, "PUT", {**row, "studentUniqueId": "S999"})
    assert changed.status == 400
    assert changed.json["type"].endswith("key-change-not-supported")
    assert district("students/" + "0" * 32, "PUT", student(3)).status == 404


def test_an_updatable_key_changes_by_put_and_not_onto_another_item(sandbox, district):
    row = next(
        row for row in district("studentSchoolAssociations").json
        if row["studentReference"]["studentUniqueId"] == "S3"
    )  # fmt: skip
    path = f"studentSchoolAssociations/{row['id']}"
    assert district(path, "PUT", enrolment(4)).status == 409
    assert district(path, "PUT", enrolment(3, "2026-10-01")).status == 204
    (renamed,) = district("studentSchoolAssociations/keyChanges").json
    assert renamed["id"] == row["id"]


def test_delete_is_by_id_and_guarded_by_if_match(district):
    row = district("studentSchoolAssociations").json[0]
    path = f"studentSchoolAssociations/{row['id']}"
    assert district(path, "DELETE", If_Match='"other"').status == 412
    assert district(path, "DELETE", If_Match=f'"{row["_etag"]}"').status == 204
    assert district(path).status == 404
    assert district("studentSchoolAssociations", "DELETE").status == 405


def test_a_member_in_the_wrong_case_is_read_by_7_3_and_silently_dropped_by_v8():
    for flavor, kept in (("v7.3", True), ("v8", False)):
        with EdFiSandbox(documents(), flavor=flavor) as running:
            district = District(running)
            body = {**student(3), "FirstName": "Other"}
            del body["firstName"]
            assert district("students", "POST", body).status == 200
            (row,) = district("students", params={"studentUniqueId": "S3"}).json
            assert ("firstName" in row) is kept
            assert "FirstName" not in row


def test_a_body_that_is_not_json_by_its_type_is_a_415(district):
    assert district("students", "POST", b"a=b", Content_Type="text/plain").status == 415


def test_what_a_host_does_behind_its_api_names_an_item_that_is_there(sandbox):
    for change in (sandbox.delete, sandbox.touch):
        with pytest.raises(KeyError):
            change("students", student(999))
    with pytest.raises(KeyError):
        sandbox.rekey("students", student(999), student(1000))


def test_an_item_keeps_its_id_when_it_changes_and_gets_a_new_one_when_it_comes_back(sandbox):
    first = sandbox.upsert("students", student(70))
    assert sandbox.upsert("students", student(70, middleName="M")) == first
    sandbox.delete("students", student(70))
    assert sandbox.upsert("students", student(70)) != first


def test_a_snapshot_is_not_written_to(sandbox, district):
    sandbox.take_snapshot()
    assert district("students", "POST", student(80), Use_Snapshot="true").status == 405


def test_methods_that_a_resource_does_not_have_are_refused(district):
    assert district("students", "PUT", student(1)).status == 405
    assert district("students/deletes", "POST", {}).status == 405
    row = district("students").json[0]
    assert district(f"students/{row['id']}", "POST", student(1)).status == 405
    assert district("students/a/b/c").status == 404
