import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adapters.edfi.client import Retries
from adapters.edfi.source import EdfiSource, Pulled, connect
from adapters.http import HttpClient, Limits
from adapters.oauth import Secret
from adapters.port import (
    Cause,
    Failure,
    Malformed,
    Operation,
    Refused,
    SourceDocument,
    Transient,
    Unauthorized,
    Watermark,
)
from adapters.sandbox.edfi.sandbox import CLIENT_ID, CLIENT_SECRET, EdFiSandbox
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Response, as_json
from mappings.record.issue import Issue
from tests.adapters.edfi.test_client import hand_made
from tests.adapters.partners import Partner, client
from tests.paths import corpus

CHANGES = "/changes/availableChangeVersions"
FLAVORS = pytest.mark.parametrize("flavor", ["v7.3", "v8"])
ALLOWED = ("ed-fi/studentSchoolAssociations", "ed-fi/students", "ed-fi/schools")


def district(children: int = 3) -> dict[str, list[dict[str, Any]]]:
    """Ed-Fi documents of an invented school; shapes of resources-ds-5.0.yaml."""
    return {
        "schools": [{"schoolId": 77, "nameOfInstitution": "Alder Street School"}],
        "students": [{"studentUniqueId": str(n), "firstName": f"Ama{n}"} for n in range(children)],
        "studentSchoolAssociations": [
            {
                "entryDate": "2026-08-24",
                "schoolReference": {"schoolId": 77},
                "studentReference": {"studentUniqueId": str(n)},
            }
            for n in range(children)
        ],
        "grades": [],
    }


def source(http: HttpClient, host: Sandbox, resources: tuple[str, ...] = ALLOWED, **named: Any) -> EdfiSource:
    named.setdefault("retries", Retries(attempts=1))
    made = connect(http, host.base_url, Secret(CLIENT_ID, CLIENT_SECRET), resources, **named)
    assert isinstance(made, EdfiSource)
    return made


def documents(pulled: list[Pulled]) -> list[SourceDocument]:
    return [each for each in pulled if isinstance(each, SourceDocument)]


def told(pulled: list[Pulled]) -> list[tuple[str, Operation]]:
    return [(each.resource, each.operation) for each in documents(pulled)]


@FLAVORS
def test_the_first_pull_reads_what_is_allowed_in_dependency_order_and_nothing_else(flavor):
    with EdFiSandbox(district(), flavor=flavor) as host, client() as http:
        pulled = list(source(http, host).pull(None))
        newest = host.newest_change_version
    assert told(pulled) == (
        [("ed-fi/schools", Operation.UPSERT)]
        + [("ed-fi/students", Operation.UPSERT)] * 3
        + [("ed-fi/studentSchoolAssociations", Operation.UPSERT)] * 3
    )
    assert pulled[-1] == Watermark(newest, full=True)


@FLAVORS
def test_a_second_pull_brings_nothing(flavor):
    with EdFiSandbox(district(), flavor=flavor) as host, client() as http:
        reader = source(http, host)
        mark = list(reader.pull(None))[-1]
        assert isinstance(mark, Watermark)
        assert list(reader.pull(mark.since)) == [Watermark(mark.since, full=False)]


@FLAVORS
def test_changed_keys_come_before_changes_and_deletions_come_last_in_reverse_order(flavor):
    with EdFiSandbox(district(), flavor=flavor) as host, client() as http:
        reader = source(http, host)
        mark = list(reader.pull(None))[-1]
        assert isinstance(mark, Watermark)
        (association,) = [
            each
            for each in host.documents("studentSchoolAssociations")
            if each["studentReference"]["studentUniqueId"] == "0"
        ]
        host.rekey("studentSchoolAssociations", association, association | {"entryDate": "2026-09-01"})
        host.upsert("students", {"studentUniqueId": "1", "firstName": "Abena"})
        second = host.documents("studentSchoolAssociations")[2]
        host.delete("studentSchoolAssociations", second)
        host.delete("students", {"studentUniqueId": "2"})
        pulled = list(reader.pull(mark.since))
        assert told(pulled) == [
            ("ed-fi/studentSchoolAssociations", Operation.REKEY),
            ("ed-fi/students", Operation.UPSERT),
            ("ed-fi/studentSchoolAssociations", Operation.UPSERT),
            ("ed-fi/studentSchoolAssociations", Operation.DELETE),
            ("ed-fi/students", Operation.DELETE),
        ]
        rekeyed, changed, *_, gone = documents(pulled)
        assert rekeyed.body["oldKeyValues"]["entryDate"] == "2026-08-24"
        assert rekeyed.body["newKeyValues"]["entryDate"] == "2026-09-01"
        assert changed.body["firstName"] == "Abena"
        assert changed.version == changed.body["_etag"]
        assert gone.body["keyValues"] == {"studentUniqueId": "2"}
        assert gone.version == str(gone.body["changeVersion"])
        assert pulled[-1] == Watermark(host.newest_change_version, full=False)


def test_each_document_carries_the_bytes_the_host_sent():
    with EdFiSandbox(district()) as host, client() as http:
        for document in documents(list(source(http, host).pull(None))):
            assert json.loads(document.raw) == document.body
            assert document.record_id == document.body["id"]


def test_a_resource_the_host_lacks_or_forbids_is_named_and_stops_nothing():
    with EdFiSandbox(district(), forbidden={"schools"}) as host, client() as http:
        pulled = list(source(http, host, (*ALLOWED, "ed-fi/studentHealths")).pull(None))
    mark = pulled[-1]
    assert isinstance(mark, Watermark)
    assert set(mark.absent) == {"ed-fi/studentHealths", "ed-fi/schools"}
    assert Counter(each.resource for each in documents(pulled)) == {
        "ed-fi/students": 3,
        "ed-fi/studentSchoolAssociations": 3,
    }


def test_a_host_without_change_queries_is_read_whole_each_time():
    with EdFiSandbox(district(), change_queries=False) as host, client() as http:
        reader = source(http, host)
        assert list(reader.pull(None))[-1] == Watermark(None, full=True)
        assert len(documents(list(reader.pull(5)))) == 7


def test_a_host_that_started_anew_is_read_whole():
    with EdFiSandbox(district()) as host, client() as http:
        pulled = list(source(http, host).pull(10_000))
        assert pulled[-1] == Watermark(host.newest_change_version, full=True)
        assert len(documents(pulled)) == 7


def test_a_host_that_has_forgotten_our_mark_is_read_whole():
    def serve(request: Any) -> Any:
        if request.path == CHANGES:
            return as_json(200, {"oldestChangeVersion": 50, "newestChangeVersion": 60})
        return as_json(200, [])

    with hand_made(serve) as host, client() as http:
        reader = source(http, host)
        for since, full in [(48, True), (49, False), (55, False)]:
            mark = list(reader.pull(since))[-1]
            assert isinstance(mark, Watermark)
            assert (mark.since, mark.full) == (60, full)


def test_a_failure_in_the_middle_ends_the_pull_without_a_mark():
    answers = {"/data/ed-fi/schools": 0}

    def serve(request: Any) -> Any:
        if request.path == CHANGES:
            return as_json(200, {"oldestChangeVersion": 0, "newestChangeVersion": 9})
        if request.path == "/data/ed-fi/students":
            return Response(503)
        answers["/data/ed-fi/schools"] += 1
        return as_json(200, [{"id": "a1"}] if answers["/data/ed-fi/schools"] == 1 else [])

    with hand_made(serve) as host, client() as http:
        pulled = list(source(http, host, ("ed-fi/schools", "ed-fi/students")).pull(None))
    assert [type(each) for each in pulled] == [SourceDocument, Transient]


def test_items_and_notices_that_make_no_sense_are_issues():
    def serve(request: Any) -> Any:
        if request.path == CHANGES:
            return as_json(200, {"oldestChangeVersion": 0, "newestChangeVersion": 9})
        if request.parameter("offset"):
            return as_json(200, [])
        if request.path.endswith("/deletes"):
            return as_json(200, [{"id": "a1", "changeVersion": 3}, 7])
        if request.path.endswith("/keyChanges"):
            return as_json(200, [{"id": "a1", "oldKeyValues": {}}])
        return as_json(200, [{"firstName": "no id"}, "text", {"id": 3}])

    with hand_made(serve) as host, client() as http:
        pulled = list(source(http, host, ("ed-fi/students",)).pull(2))
    assert [type(each) for each in pulled] == [Issue] * 6 + [Watermark]
    assert "no id" not in repr(pulled)


def test_notices_a_host_does_not_offer_are_named():
    def serve(request: Any) -> Any:
        if request.path == CHANGES:
            return as_json(200, {"oldestChangeVersion": 0, "newestChangeVersion": 9})
        if request.path.endswith(("/deletes", "/keyChanges")):
            return Response(404)
        return as_json(200, [])

    with hand_made(serve) as host, client() as http:
        mark = list(source(http, host, ("ed-fi/students",)).pull(2))[-1]
    assert isinstance(mark, Watermark)
    assert mark.absent == ("ed-fi/students/keyChanges", "ed-fi/students/deletes")


class TestSnapshots:
    def test_a_snapshot_is_read_where_there_is_one(self):
        with EdFiSandbox(district()) as host, client() as http:
            host.take_snapshot()
            host.upsert("students", {"studentUniqueId": "99", "firstName": "Yaw"})
            still = documents(list(source(http, host, ("ed-fi/students",), snapshot=True).pull(None)))
            live = documents(list(source(http, host, ("ed-fi/students",)).pull(None)))
        assert (len(still), len(live)) == (3, 4)

    def test_without_one_the_live_data_is_read(self):
        with EdFiSandbox(district()) as host, client() as http:
            pulled = list(source(http, host, ("ed-fi/students",), snapshot=True).pull(None))
        assert len(documents(pulled)) == 3

    def test_one_that_disappears_is_not_taken_for_an_empty_resource(self):
        def serve(request: Any) -> Any:
            if request.path == CHANGES:
                return as_json(200, {"oldestChangeVersion": 0, "newestChangeVersion": 9})
            return Response(404)

        with hand_made(serve) as host, client() as http:
            pulled = list(source(http, host, ("ed-fi/students",), snapshot=True).pull(None))
        assert pulled == [Transient(Cause.GONE, 404)]


def test_a_host_that_hides_its_openapi_document_is_still_read():
    def serve(request: Any) -> Any:
        if request.path == CHANGES:
            return as_json(200, {"oldestChangeVersion": 0, "newestChangeVersion": 9})
        return as_json(200, [] if request.parameter("offset") else [{"id": "a1"}])

    with hand_made(serve) as host, client() as http:  # it announces no openApiMetadata
        reader = source(http, host, ("ed-fi/students",))
        assert reader.catalog is None
        assert len(documents(list(reader.pull(None)))) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(503), Transient(Cause.HTTP_5XX, 503)),
        (Response(302, b"", (("Location", "/x"),)), Refused(Cause.REDIRECT, 302)),
        (Response(200, b"{}"), Malformed(Cause.BAD_SHAPE)),
    ],
)
def test_a_host_that_cannot_be_discovered_says_why(answer, expected):
    with Partner(lambda _: answer) as host, client() as http:
        assert connect(http, host.base_url, Secret("a", "b"), ALLOWED) == expected


def test_wrong_credentials_end_the_pull():
    with EdFiSandbox(district()) as host, client() as http:
        made = connect(http, host.base_url, Secret(CLIENT_ID, "wrong"), ALLOWED)
        assert isinstance(made, EdfiSource)
        (failure,) = list(made.pull(None))
        assert isinstance(failure, Unauthorized)


class Follower(RuleBasedStateMachine):
    """Whatever happens at the host between pulls, applying what each pull brings leaves us with what the host has."""

    def __init__(self) -> None:
        super().__init__()
        self.host = EdFiSandbox({"students": []}, page_limit=25).start()
        self.http = client()
        self.source = source(self.http, self.host, ("ed-fi/students",))
        self.since: int | None = None
        self.ours: dict[str, str] = {}
        self.current = True

    def teardown(self) -> None:
        self.http.close()
        self.host.stop()

    @rule(number=st.integers(0, 40), name=st.sampled_from(["Ama", "Kofi", "Yaw"]))
    def write(self, number: int, name: str) -> None:
        self.host.upsert("students", {"studentUniqueId": str(number), "firstName": name})
        self.current = False

    @precondition(lambda self: self.host.documents("students"))
    @rule(data=st.data())
    def remove(self, data: Any) -> None:
        self.host.delete("students", data.draw(st.sampled_from(self.host.documents("students"))))
        self.current = False

    @rule()
    def pull(self) -> None:
        for item in self.source.pull(self.since):
            assert not isinstance(item, Failure | Issue)
            if isinstance(item, Watermark):
                self.since = item.since
            elif item.operation is Operation.DELETE:
                self.ours.pop(item.body["keyValues"]["studentUniqueId"], None)
            else:
                self.ours[item.body["studentUniqueId"]] = item.body["firstName"]
        self.current = True

    @invariant()
    def same_as_the_host(self) -> None:
        if self.current:
            theirs = sorted(each["firstName"] for each in self.host.documents("students"))
            assert sorted(self.ours.values()) == theirs


Follower.TestCase.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
TestFollower = Follower.TestCase


@pytest.mark.corpus
@FLAVORS
def test_a_whole_district_is_read_document_by_document(flavor):
    folder = corpus("school", "edfi-grandbend-ds52")
    files = [*folder.glob("*.jsonl"), *folder.glob("descriptors/*.jsonl")]
    held: dict[str, list[dict[str, Any]]] = {}
    for path in files:
        lines = path.read_text(encoding="utf-8").splitlines()
        held.setdefault(path.name.split(".")[0], []).extend(
            json.loads(line) for line in lines if line.strip()
        )
    bulk = Limits(max_bytes=50_000_000)
    with EdFiSandbox(held, flavor=flavor) as host, client(bulk) as http:
        reader = source(http, host, tuple(f"ed-fi/{name}" for name in held))
        counted: Counter[str] = Counter()
        for item in reader.pull(None):
            assert not isinstance(item, Failure | Issue)
            if isinstance(item, SourceDocument):
                counted[item.resource] += 1
            else:
                assert item.absent == ()
        served = {f"ed-fi/{name}": len(host.documents(name)) for name in held}
    assert counted == {name: count for name, count in served.items() if count}
