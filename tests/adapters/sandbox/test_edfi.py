"""The sandbox Ed-Fi API against the rules of school.md §1; documents are invented."""

from typing import Any

import pytest

from adapters.sandbox.edfi import CLIENT_ID, CLIENT_SECRET, EdFiSandbox
from tests.adapters.sandbox.caller import Answer, District, call, token

GRADE = "uri://ed-fi.org/GradeLevelDescriptor#Third grade"


def enrolment(number: int, entry: str = "2026-09-01") -> dict[str, Any]:
    return {
        "studentReference": {"studentUniqueId": f"S{number}"},
        "schoolReference": {"schoolId": 901},
        "entryDate": entry,
        "entryGradeLevelDescriptor": GRADE,
    }


def student(number: int, **more: Any) -> dict[str, Any]:
    return {
        "studentUniqueId": f"S{number}",
        "firstName": f"Given{number}",
        "lastSurname": "Invented",
        "birthDate": "2017-05-06",
        **more,
    }


def documents(count: int = 12) -> dict[str, list[dict[str, Any]]]:
    return {
        "localEducationAgencies": [{"localEducationAgencyId": 9, "nameOfInstitution": "Invented Schools"}],
        "schools": [
            {
                "schoolId": 901,
                "nameOfInstitution": "Invented School",
                "localEducationAgencyReference": {"localEducationAgencyId": 9},
            }
        ],
        "students": [student(number, multipleBirthStatus=number % 2 == 0) for number in range(count)],
        "studentSchoolAssociations": [enrolment(number) for number in range(count)],
    }


@pytest.fixture(params=["v7.3", "v8"])
def sandbox(request):
    with EdFiSandbox(documents(), flavor=request.param, page_limit=5) as running:
        yield running


@pytest.fixture
def district(sandbox):
    return District(sandbox)


def ids(answer: Answer) -> list[str]:
    return [row["studentUniqueId"] for row in answer.json]


def test_discovery_names_every_address_and_the_two_generations_keep_them_in_different_places():
    with EdFiSandbox(documents()) as old, EdFiSandbox(documents(), flavor="v8") as new:
        seven, eight = call(old.base_url).json, call(new.base_url).json
        assert seven["version"] == "7.3"
        assert seven["urls"]["dataManagementApi"] == f"{old.base_url}/data/v3/"
        assert seven["urls"]["oauth"] == f"{old.base_url}/oauth/token"
        assert eight["urls"]["dataManagementApi"] == f"{new.base_url}/data"
        assert eight["urls"]["oauth"] == f"{new.base_url}/connect/token"
        assert {"dependencies", "openApiMetadata", "changeQueries"} <= seven["urls"].keys() & eight[
            "urls"
        ].keys()
        assert seven["dataModels"][0]["name"] == eight["dataModels"][0]["name"] == "Ed-Fi"
        district = District(new)
        assert district("students").status == 200
        assert district.at(f"{new.base_url}/data/v3/ed-fi/students").status == 404


def test_a_context_stands_in_every_path():
    with EdFiSandbox(documents(), context="255901/2027") as running:
        assert running.base_url.endswith("/255901/2027")
        district = District(running)
        assert "/255901/2027/data/v3/" in district.url("students")
        assert len(district("students").json) == 12


@pytest.mark.parametrize("where", ["basic", "body"])
def test_client_credentials_are_taken_in_either_place(sandbox, where):
    oauth = call(sandbox.base_url).json["urls"]["oauth"]
    if where == "body":
        body = f"grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}".encode()
        answer = call(oauth, "POST", body, Content_Type="application/x-www-form-urlencoded").json
        assert answer["expires_in"] == 1800
        assert answer["token_type"] == "bearer"
    else:
        assert token(sandbox)
    assert call(oauth, "POST", b"grant_type=client_credentials&client_id=x&client_secret=y").status == 401
    assert call(oauth, "POST", b"grant_type=password").status == 400
    assert call(oauth, "POST", b"grant_type=client_credentials", Authorization="Basic !!").status == 401


def test_without_a_good_token_there_is_a_401_of_the_authentication_kind(sandbox, district):
    for authorization in ("", "Bearer nonsense", "Basic eDp5"):
        answer = call(district.url("students"), Authorization=authorization)
        assert answer.status == 401
        assert answer.json["type"] == "urn:ed-fi:api:security:authentication"
        assert answer.json["correlationId"]
    sandbox.tokens.revoke()
    assert district("students").status == 401


def test_a_token_can_be_short_lived():
    with EdFiSandbox(documents(), token_lifetime=0) as running:
        assert District(running)("students").status == 401


def test_token_info_tells_what_a_token_may_touch(sandbox):
    info = call(f"{sandbox.base_url}/oauth/token_info", "POST", {"token": token(sandbox)}).json
    assert info["active"] is True
    assert info["education_organizations"][0]["education_organization_id"] == 9


def test_a_document_has_id_etag_and_time_of_change_and_its_references_have_links(district):
    (shown,) = district("studentSchoolAssociations", params={"studentUniqueId": "S3"}).json
    assert len(shown["id"]) == 32
    assert int(shown["id"], 16)
    assert {"_etag", "_lastModifiedDate"} <= shown.keys()
    assert shown["studentReference"]["link"]["rel"] == "Student"
    (target,) = district("students", params={"studentUniqueId": "S3"}).json
    assert shown["studentReference"]["link"]["href"] == f"/ed-fi/students/{target['id']}"


def test_one_item_is_read_by_id_and_not_again_while_it_is_unchanged(sandbox, district):
    (row,) = district("students", params={"studentUniqueId": "S3"}).json
    answer = district(f"students/{row['id']}")
    assert answer.json == row
    again = district(f"students/{row['id']}", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    sandbox.upsert("students", student(3, middleName="New"))
    assert district(f"students/{row['id']}", If_None_Match=answer.headers["etag"]).status == 200
    assert district("students/" + "0" * 32).status == 404
    assert district("students/not-an-id").status == 404


def test_offset_paging_counts_and_bounds(district):
    assert ids(district("students", params={"offset": 5, "limit": 5})) == [f"S{n}" for n in range(5, 10)]
    count = district("students", params={"limit": 0, "totalCount": "true"})
    assert (count.json, count.headers["total-count"]) == ([], "12")
    assert "total-count" not in district("students").headers
    for bad in ({"limit": 6}, {"limit": -1}, {"offset": -1}, {"limit": "x"}, {"totalCount": "perhaps"}):
        answer = district("students", params=bad)
        assert answer.status == 400, bad
        assert answer.json["type"].startswith("urn:ed-fi:api:bad-request")


def test_the_default_page_is_25_and_the_largest_500():
    with EdFiSandbox(documents(600)) as running:
        district = District(running)
        assert len(district("students").json) == 25
        assert len(district("students", params={"limit": 500}).json) == 500
        assert district("students", params={"limit": 501}).status == 400


def test_cursor_paging_gives_a_token_on_every_non_empty_page_so_the_end_is_the_empty_page(district):
    answer = district("students", params={"limit": 4})
    pages = [ids(answer)]
    while "next-page-token" in answer.headers:
        answer = district("students", params={"pageToken": answer.headers["next-page-token"], "pageSize": 4})
        pages.append(ids(answer))
    assert [len(page) for page in pages] == [4, 4, 4, 0]
    assert [one for page in pages for one in page] == [f"S{n}" for n in range(12)]
    assert "next-page-token" not in district("students", params={"limit": 0}).headers
    assert "next-page-token" not in district("students", params={"limit": 4, "offset": 0}).headers


def test_cursor_paging_refuses_what_belongs_to_offset_paging(district):
    cursor = district("students", params={"limit": 4}).headers["next-page-token"]
    for bad in (
        {"pageSize": 4},
        {"pageToken": cursor, "limit": 4},
        {"pageToken": cursor, "offset": 0},
        {"pageToken": cursor, "totalCount": "true"},
        {"pageToken": cursor, "pageSize": 6},
        {"pageToken": "nonsense"},
    ):
        assert district("students", params=bad).status == 400, bad


def test_a_host_without_cursor_paging_sends_no_token_and_takes_none():
    with EdFiSandbox(documents(), cursor=False) as running:
        district = District(running)
        assert "next-page-token" not in district("students", params={"limit": 4}).headers
        assert district("students", params={"pageToken": "MSwy"}).status == 400
        assert district("students/partitions").status == 404


def test_partitions_are_disjoint_cover_everything_and_hold_at_least_five_full_pages(district, sandbox):
    for number in range(12, 100):
        sandbox.upsert("students", student(number))
    tokens = district("students/partitions", params={"number": 3}).json["pageTokens"]
    assert len(tokens) == 3
    seen = []
    for start in tokens:
        cursor = start
        while cursor:
            answer = district("students", params={"pageToken": cursor, "pageSize": 5})
            seen += ids(answer)
            cursor = answer.headers.get("next-page-token")
    assert sorted(seen) == sorted(f"S{n}" for n in range(100))
    assert len(district("students/partitions", params={"number": 200}).json["pageTokens"]) == 100 // 25
    assert district("students/partitions", params={"number": 201}).status == 400
    assert district("students/partitions", params={"number": 0}).status == 400
    assert district("students/partitions", params={"studentUniqueId": "nobody"}).json == {"pageTokens": []}
    only = district("students/partitions", params={"number": 2, "studentUniqueId": "S4"}).json["pageTokens"]
    assert len(only) == 1


def test_a_delete_while_paging_makes_an_offset_miss_a_row_and_a_cursor_not():
    for cursor in (False, True):
        with EdFiSandbox({"students": [student(n) for n in range(12)]}) as running:
            district = District(running)
            running.delete_while_paging("students", after_pages=1)
            answer = district("students", params={"limit": 4} | ({} if cursor else {"offset": 0}))
            seen, offset = ids(answer), 0
            while answer.json:
                offset += 4
                params = (
                    {"pageToken": answer.headers["next-page-token"], "pageSize": 4}
                    if cursor
                    else {"limit": 4, "offset": offset}
                )
                answer = district("students", params=params)
                seen += ids(answer)
            assert ("S4" in seen) is cursor
            assert "S0" in seen


def test_filters_take_root_and_key_members_by_their_bare_names(district):
    assert ids(district("students", params={"studentUniqueId": "S3"})) == ["S3"]
    assert ids(district("students", params={"firstName": "Given3", "multipleBirthStatus": "true"})) == []
    assert len(district("studentSchoolAssociations", params={"schoolId": 901, "limit": 5}).json) == 5
    assert district("studentSchoolAssociations", params={"schoolId": 902}).json == []
    lower = district("studentSchoolAssociations", params={"entryGradeLevelDescriptor": GRADE.lower()})
    assert len(lower.json) == 12
    assert district("schools", params={"schoolId": "x"}).status == 400
    (row,) = district("students", params={"studentUniqueId": "S3"}).json
    assert ids(district("students", params={"id": row["id"]})) == ["S3"]
    assert len(district("students", params={"noSuchMember": "x"}).json) == 12


def test_change_versions_tell_what_changed_what_went_and_what_was_renamed(sandbox, district):
    start = district.versions().json["newestChangeVersion"]
    assert district.versions().json["oldestChangeVersion"] == 0
    sandbox.upsert("students", student(3, middleName="New"))
    sandbox.upsert("students", student(4, multipleBirthStatus=True))
    sandbox.touch("students", student(5))
    sandbox.delete("studentSchoolAssociations", enrolment(6))
    sandbox.rekey("studentSchoolAssociations", enrolment(7), enrolment(7, "2026-09-08"))
    newest = district.versions().json["newestChangeVersion"]
    window = {"minChangeVersion": start + 1, "maxChangeVersion": newest}
    assert ids(district("students", params=window)) == ["S3", "S5"]
    (gone,) = district("studentSchoolAssociations/deletes", params=window).json
    assert gone["keyValues"] == {"entryDate": "2026-09-01", "schoolId": 901, "studentUniqueId": "S6"}
    assert start < gone["changeVersion"] <= newest
    (renamed,) = district("studentSchoolAssociations/keyChanges", params=window).json
    assert renamed["oldKeyValues"]["entryDate"] == "2026-09-01"
    assert renamed["newKeyValues"]["entryDate"] == "2026-09-08"
    assert district("students/keyChanges", params=window).json == []
    later = {"minChangeVersion": newest + 1}
    assert district("students", params=later).json == []
    assert district("studentSchoolAssociations/deletes", params=later).json == []
    assert district("students/deletes", params={"pageToken": "MSwy"}).status == 400


def test_an_item_that_came_back_is_not_among_the_deletes(sandbox, district):
    sandbox.delete("studentSchoolAssociations", enrolment(6))
    assert len(district("studentSchoolAssociations/deletes").json) == 1
    sandbox.upsert("studentSchoolAssociations", enrolment(6))
    assert district("studentSchoolAssociations/deletes").json == []


def test_a_host_without_change_queries_names_no_address_for_them():
    with EdFiSandbox(documents(), change_queries=False) as running:
        district = District(running)
        assert "changeQueries" not in district.urls
        assert district("students/deletes").status == 404


def test_a_snapshot_is_a_404_until_there_is_one_and_then_stands_still(sandbox, district):
    answer = district("students", Use_Snapshot="true")
    assert (answer.status, answer.json["title"]) == (404, "Snapshot Not Found")
    sandbox.take_snapshot()
    sandbox.upsert("students", student(99))
    assert len(district("students", Use_Snapshot="true").json) == 12
    assert len(district("students").json) == 13


def test_a_count_can_time_out_while_pages_still_come(sandbox, district):
    sandbox.count_times_out = True
    assert district("students", params={"limit": 0, "totalCount": "true"}).status == 504
    assert district("students").status == 200


def test_a_storm_answers_429_with_retry_after_and_passes(sandbox, district):
    sandbox.storm(2, retry_after=1)
    answers = [district("students") for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "1"


def test_before_7_2_an_error_is_a_message_only():
    with EdFiSandbox(documents(), problem_details=False) as running:
        answer = District(running)("students", params={"limit": 501})
        assert answer.status == 400
        assert answer.json.keys() == {"message"}
        assert "500" in answer.json["message"]


def test_a_resource_outside_the_claim_set_is_a_403_and_one_that_is_not_served_a_404():
    with EdFiSandbox(documents(), forbidden={"students"}) as running:
        district = District(running)
        assert district("students").status == 403
        assert district("grades").status == 404
        assert district("schools").status == 200
