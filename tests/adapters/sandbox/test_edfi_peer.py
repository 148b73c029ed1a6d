"""The sandbox Ed-Fi API read by a client nobody here wrote: `edfi-api-client`."""

from collections.abc import Iterator

import pytest
from edfi_api_client import EdFiClient

from adapters.sandbox.edfi import CLIENT_ID, CLIENT_SECRET, EdFiSandbox
from tests.adapters.sandbox.test_edfi import documents, enrolment

COUNT = 130


@pytest.fixture(scope="module")
def sandbox() -> Iterator[EdFiSandbox]:
    with EdFiSandbox(documents(COUNT)) as running:
        yield running


@pytest.fixture
def client(sandbox: EdFiSandbox) -> Iterator[EdFiClient]:
    found = EdFiClient(sandbox.base_url, CLIENT_ID, CLIENT_SECRET)
    found.connect()
    yield found
    found.session.session.close()


@pytest.mark.peer
def test_it_reads_every_student_by_cursor(sandbox, client):
    before = len(sandbox.received)
    rows = list(client.resource("students").get_rows(page_size=50))
    assert sorted(row["studentUniqueId"] for row in rows) == sorted(f"S{n}" for n in range(COUNT))
    asked = [request for request in sandbox.received[before:] if request.path.endswith("/students")]
    assert any(request.parameter("pageToken") for request in asked)


@pytest.mark.peer
def test_it_reads_every_student_by_offset(client):
    pages = list(client.resource("students").get_pages(page_size=50))
    assert [len(page) for page in pages] == [50, 50, 30, 0]
    assert len({row["id"] for page in pages for row in page}) == COUNT


@pytest.mark.peer
def test_it_reads_by_steps_of_change_versions(client):
    newest = client.get_newest_change_version()
    steps = client.resource("students", min_change_version=0, max_change_version=newest)
    rows = list(steps.get_pages(page_size=40, step_change_version=True, change_version_step_size=60))
    assert len({row["id"] for page in rows for row in page}) == COUNT


@pytest.mark.peer
def test_it_counts_finds_the_resources_and_learns_what_its_token_may_touch(client):
    assert client.resource("students").get_total_count() == COUNT
    assert ("ed-fi", "students") in client.resources
    assert client.resource("students").has_deletes
    assert client.get_swagger().reference_skeys["studentReference"] == ["studentUniqueId"]
    assert client.get_token_info()["active"] is True
    assert client.get_ods_version() == "7.3"


@pytest.mark.peer
def test_it_sees_deletes(sandbox, client):
    start = client.get_newest_change_version()
    sandbox.delete("studentSchoolAssociations", enrolment(7))
    rows = list(
        client.resource(
            "studentSchoolAssociations", get_deletes=True, min_change_version=start + 1
        ).get_rows()
    )
    assert [row["keyValues"]["studentUniqueId"] for row in rows] == ["S7"]
