import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.edfi.client import ChangeVersions, EdfiClient, Retries
from adapters.edfi.discovery import Discovery, discover
from adapters.http import HttpClient
from adapters.oauth import BearerClient, Secret, TokenSource
from adapters.port import Cause, Failure, Malformed, Refused, Transient, Unauthorized
from adapters.received import Received
from adapters.sandbox.edfi.sandbox import CLIENT_ID, CLIENT_SECRET, EdFiSandbox
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Request, Response, as_json
from tests.adapters.partners import Partner, client

FLAVORS = pytest.mark.parametrize("flavor", ["v7.3", "v8"])


def students(count: int) -> dict[str, list[dict[str, Any]]]:
    return {"students": [{"studentUniqueId": str(number), "firstName": "Ama"} for number in range(count)]}


def session(
    http: HttpClient,
    host: Sandbox,
    *,
    slept: list[float] | None = None,
    retries: Retries | None = None,
    secret: str = CLIENT_SECRET,
) -> EdfiClient:
    discovery = discover(http, host.base_url)
    assert isinstance(discovery, Discovery)
    tokens = TokenSource(http, discovery.oauth, Secret(CLIENT_ID, secret))
    naps = [] if slept is None else slept
    return EdfiClient(BearerClient(http, tokens), discovery, retries=retries, sleep=naps.append)


def ids(pages: Any) -> list[str]:
    found = []
    for page in pages:
        assert not isinstance(page, Failure), page
        found += [each.value["studentUniqueId"] for each in page]
    return found


def everyone(count: int) -> list[str]:
    return [str(number) for number in range(count)]


@FLAVORS
@pytest.mark.parametrize("cursor", [True, False])
@pytest.mark.parametrize("count", [0, 1, 500, 501, 1000, 1203])
def test_every_item_is_read_once_whatever_the_paging(flavor, cursor, count):
    with EdFiSandbox(students(count), flavor=flavor, cursor=cursor) as host, client() as http:
        assert ids(session(http, host).pages("ed-fi/students")) == everyone(count)


@pytest.mark.parametrize("limit", [25, 100, 499])
@pytest.mark.parametrize("cursor", [True, False])
def test_a_host_that_allows_smaller_pages_is_read_whole(limit, cursor):
    with EdFiSandbox(students(130), page_limit=limit, cursor=cursor) as host, client() as http:
        assert ids(session(http, host).pages("ed-fi/students")) == everyone(130)


def test_by_cursor_nothing_is_lost_when_an_item_is_deleted_during_the_reading():
    with EdFiSandbox(students(1200)) as host, client() as http:
        host.delete_while_paging("students")
        assert ids(session(http, host).pages("ed-fi/students")) == everyone(1200)


def test_the_bytes_of_an_item_are_those_the_host_sent():
    with EdFiSandbox(students(2)) as host, client() as http:
        reader = session(http, host)
        (page,) = list(reader.pages("ed-fi/students"))
        assert not isinstance(page, Failure)
        assert all(isinstance(each, Received) and json.loads(each.raw) == each.value for each in page)
        one = reader.get("ed-fi/students", page[0].value["id"])
        assert isinstance(one, Received)
        assert one.raw == page[0].raw


def test_partitions_cover_everything_once():
    with EdFiSandbox(students(400), page_limit=25) as host, client() as http:
        reader = session(http, host)
        tokens = reader.partitions("ed-fi/students", 3)
        assert isinstance(tokens, list)
        assert len(tokens) == 3
        parts = [ids(reader.pages_from("ed-fi/students", token, size=25)) for token in tokens]
    assert sorted(itertools.chain(*parts), key=int) == everyone(400)


def test_filters_and_counts():
    with EdFiSandbox(students(30)) as host, client() as http:
        reader = session(http, host)
        assert ids(reader.pages("ed-fi/students", filters={"studentUniqueId": "7"})) == ["7"]
        assert reader.count("ed-fi/students") == 30
        host.count_times_out = True
        failed = session(http, host, retries=Retries(attempts=1)).count("ed-fi/students")
        assert failed == Transient(Cause.HTTP_5XX, 504)


def test_the_window_of_changes():
    with EdFiSandbox(students(3)) as host, client() as http:
        reader = session(http, host)
        assert reader.change_versions() == ChangeVersions(0, 3)
        host.touch("students", {"studentUniqueId": "1"})
        assert ids(reader.pages("ed-fi/students", since=3)) == ["1"]
    with EdFiSandbox(students(3), change_queries=False) as host, client() as http:
        assert session(http, host).change_versions() is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"OldestChangeVersion": 1, "NewestChangeVersion": 9}, ChangeVersions(1, 9)),  # as 5.x spelt them
        ({"newestChangeVersion": 9}, Malformed(Cause.BAD_SHAPE, 200)),
        ({"oldestChangeVersion": True, "newestChangeVersion": 9}, Malformed(Cause.BAD_SHAPE, 200)),
        ([], Malformed(Cause.BAD_JSON, 200)),
    ],
)
def test_change_versions_in_every_spelling(answer, expected):
    with hand_made(lambda _: as_json(200, answer)) as host, client() as http:
        assert session(http, host).change_versions() == expected


def hand_made(answers: Callable[[Request], Any]) -> Partner:
    """An Ed-Fi host that gives tokens and answers everything else by a function."""

    def serve(request: Request) -> Any:
        base = host.base_url
        if request.path == "/":
            urls = {
                "dataManagementApi": base + "/data/",
                "oauth": base + "/token",
                "changeQueries": base + "/changes",
            }
            return as_json(200, {"version": "7.3", "urls": urls})
        if request.path == "/token":
            return as_json(200, {"access_token": "t", "token_type": "bearer", "expires_in": 1800})
        return answers(request)

    host = Partner(serve)
    return host


def test_a_short_page_is_not_the_end_since_hosts_clamp_the_limit():
    def clamped(request: Request) -> Response:
        begin = int(request.parameter("offset") or 0)
        return as_json(200, [{"studentUniqueId": str(n)} for n in range(begin, min(begin + 7, 30))])

    with hand_made(clamped) as host, client() as http:
        assert ids(session(http, host).pages("ed-fi/students")) == everyone(30)


@pytest.mark.parametrize("token", [None, "always-the-same"])
def test_a_host_that_serves_the_same_page_for_ever_is_left(token):
    def stuck(_: Request) -> Response:
        headers = [("Next-Page-Token", token)] if token else []
        return as_json(200, [{"studentUniqueId": "1"}], *headers)

    with hand_made(stuck) as host, client() as http:
        pages = list(session(http, host).pages("ed-fi/students"))
        assert pages[-1] == Malformed(Cause.BAD_PAGING)
        assert len(pages) <= 3


class TestRetries:
    def test_a_storm_of_429_is_waited_out_as_long_as_the_host_asks(self):
        slept: list[float] = []
        with EdFiSandbox(students(600)) as host, client() as http:
            reader = session(http, host, slept=slept)
            host.storm(3, retry_after=7)
            assert ids(reader.pages("ed-fi/students")) == everyone(600)
        assert slept == [7.0, 7.0, 7.0]

    def test_without_retry_after_waits_double(self):
        slept: list[float] = []
        with EdFiSandbox(students(1)) as host, client() as http:
            reader = session(http, host, slept=slept)
            assert reader.count("ed-fi/students") == 1
            host.fail_next(3, 503)
            assert ids(reader.pages("ed-fi/students")) == ["0"]
        assert slept == [0.5, 1.0, 2.0]

    def test_patience_is_bounded_per_request_and_per_pull(self):
        slept: list[float] = []
        with hand_made(lambda _: Response(500)) as host, client() as http:
            reader = session(http, host, slept=slept, retries=Retries(attempts=3, total_wait_s=2))
            assert list(reader.pages("ed-fi/students")) == [Transient(Cause.HTTP_5XX, 500)]
            assert slept == [0.5, 1.0]
            list(reader.pages("ed-fi/students"))
            assert slept == [0.5, 1.0, 0.5]  # nothing is left of the two seconds
            reader.begin()
            list(reader.pages("ed-fi/students"))
            assert len(slept) == 5

    def test_a_host_that_asks_for_an_hour_ends_the_pull_and_the_hub_comes_back_later(self):
        slept: list[float] = []
        with hand_made(lambda _: Response(429, b"", (("Retry-After", "3600"),))) as host, client() as http:
            pages = list(session(http, host, slept=slept).pages("ed-fi/students"))
        assert pages == [Transient(Cause.HTTP_429, 429, 3600.0)]
        assert slept == []

    def test_a_client_error_is_never_repeated(self):
        with EdFiSandbox(students(1), forbidden={"students"}) as host, client() as http:
            reader = session(http, host)
            before = len(host.received)
            (failure,) = list(reader.pages("ed-fi/students"))
            assert isinstance(failure, Refused)
            assert failure.cause is Cause.FORBIDDEN
            assert len(host.received) - before == 2  # the token and one question


def test_a_revoked_token_is_replaced_in_the_middle_of_a_reading():
    with EdFiSandbox(students(1200)) as host, client() as http:
        pages = session(http, host).pages("ed-fi/students")
        first = next(pages)
        assert not isinstance(first, Failure)
        host.tokens.revoke()
        assert len(first) + len(ids(pages)) == 1200
        assert host.tokens.issued == 2


def test_wrong_credentials_are_a_value():
    with EdFiSandbox(students(1)) as host, client() as http:
        (failure,) = list(session(http, host, secret="wrong").pages("ed-fi/students"))
    assert isinstance(failure, Unauthorized)


@pytest.mark.parametrize("details", [True, False])
def test_a_refusal_carries_codes_and_never_the_hosts_words(details):
    with EdFiSandbox(students(1), problem_details=details) as host, client() as http:
        (failure,) = list(session(http, host).pages("ed-fi/nothing"))
    assert isinstance(failure, Refused)
    assert failure.cause is Cause.NOT_FOUND
    kinds = [code for code in failure.codes if not code.startswith("correlation:")]
    assert kinds == (["not-found"] if details else [])


def test_problem_types_outside_the_list_and_odd_correlations_are_not_repeated():
    body = {
        "type": "urn:ed-fi:api:Kezia-Okonjo",
        "correlationId": "Kezia Okonjo, born 2015",
        "detail": "Kezia",
    }
    with hand_made(lambda _: as_json(409, body)) as host, client() as http:
        (failure,) = list(session(http, host).pages("ed-fi/students"))
    assert failure == Refused(Cause.CONFLICT, 409, ("other",))


@pytest.mark.parametrize(
    ("body", "cause"),
    [(b"{}", Cause.BAD_JSON), (b"[" * 5000, Cause.TOO_DEEP), (b"\xff", Cause.BAD_JSON)],
)
def test_a_page_that_is_none_is_a_value(body, cause):
    with hand_made(lambda _: Response(200, body)) as host, client() as http:
        assert list(session(http, host).pages("ed-fi/students")) == [Malformed(cause, 200)]


@pytest.mark.parametrize("name", ["../secrets", "students", "ed-fi/stu dents", "ed-fi/students?x=1", ""])
def test_a_resource_name_that_is_none_never_becomes_an_address(name):
    with EdFiSandbox(students(1)) as host, client() as http:
        reader = session(http, host)
        before = len(host.received)
        assert list(reader.pages(name)) == [Refused(Cause.BAD_ADDRESS)]
        assert reader.get("ed-fi/students", "../x") == Refused(Cause.BAD_ADDRESS)
        assert len(host.received) == before


def test_dependencies_put_a_person_before_what_refers_to_it():
    rows = [
        {"resource": "/ed-fi/students", "order": 3, "operations": ["Create"]},
        {"resource": "/ed-fi/schools", "order": 2, "operations": ["Create", "Update"]},
        {"resource": "/ed-fi/studentSchoolAssociations", "order": 4, "operations": ["Create", "Update"]},
        {"resource": "/ed-fi/students", "order": 14, "operations": ["Update"]},
        {"resource": 3},
        "nonsense",
    ]

    def serve(request: Request) -> Any:
        if request.path == "/":
            base = host.base_url
            urls = {
                "dataManagementApi": base + "/d",
                "oauth": base + "/token",
                "dependencies": base + "/deps",
            }
            return as_json(200, {"urls": urls})
        if request.path == "/token":
            return as_json(200, {"access_token": "t", "token_type": "bearer", "expires_in": 1800})
        return Response(
            200, b"\xef\xbb\xbf" + json.dumps(rows).encode()
        )  # the golden bodies begin with a BOM

    host = Partner(serve)
    with host, client() as http:
        assert session(http, host).dependencies() == [
            "ed-fi/schools",
            "ed-fi/students",
            "ed-fi/studentSchoolAssociations",
        ]
