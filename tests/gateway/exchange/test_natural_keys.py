"""A record is found again by its natural key: ids come and go, and no old fact stands beside a new one."""

from ipaddress import ip_network

import pytest
from sqlalchemy import text

from adapters.edfi.source import EdfiSource, connect
from adapters.egress import Egress
from adapters.http import HttpClient
from adapters.oauth import Secret
from adapters.port import Operation, SourceDocument
from adapters.sandbox.edfi import CLIENT_ID, CLIENT_SECRET, EdFiSandbox
from gateway.exchange.intake import take_in
from gateway.store import documents
from tests.gateway.exchange.feeds import (
    add_connection,
    contact,
    current,
    document,
    enrolment,
    facts,
    full,
    gone,
    partial,
    rekeyed,
    student,
    tie,
    unique,
)
from tests.gateway.family import add_agency

ENROLMENTS = "ed-fi/studentSchoolAssociations"
READ = ("ed-fi/schools", "ed-fi/students", ENROLMENTS)


@pytest.fixture
def hub(fresh_hub):
    """No child of another test, of the same name, makes a newcomer of this one a question."""
    return fresh_hub


@pytest.fixture
def edfi(hub):
    return add_connection(hub, add_agency(hub), "edfi", roster=True)


def under(record_id: str, of: SourceDocument) -> SourceDocument:
    """The same record under another id of the host."""
    return document(of.resource, record_id, dict(of.body) | {"id": record_id})


def held(hub, connection: str, resource: str) -> int:
    with hub.db.transaction() as conn:
        return list(documents.record_keys(conn, connection).values()).count(resource)


@pytest.mark.parametrize("flavor", ["v7.3", "v8"])
def test_an_item_deleted_and_made_again_at_an_edfi_host_leaves_one_fact_of_its_record(hub, edfi, flavor):
    number = unique()
    tied = {
        **enrolment(number).body,
        "entryGradeLevelDescriptor": "uri://ed-fi.org/GradeLevelDescriptor#Fifth grade",
    }
    district = {
        "schools": [{"schoolId": 1, "nameOfInstitution": "Alder Street School"}],
        "students": [dict(student(number).body)],
        "studentSchoolAssociations": [dict(enrolment(number).body)],
    }
    with (
        EdFiSandbox(district, flavor=flavor) as sandbox,
        HttpClient(egress=Egress((ip_network("127.0.0.0/8"),))) as http,
    ):
        source = connect(http, sandbox.base_url, Secret(CLIENT_ID, CLIENT_SECRET), READ)
        assert isinstance(source, EdfiSource)
        take_in(hub, edfi, source.pull(None))
        since = sandbox.newest_change_version
        sandbox.delete(ENROLMENTS.rpartition("/")[2], tied)
        sandbox.upsert(ENROLMENTS.rpartition("/")[2], tied)

        tally = take_in(hub, edfi, source.pull(since))

        assert tally.facts_superseded == 1
        assert current(hub, edfi, "enrollment") == 1
        assert held(hub, edfi, "studentSchoolAssociations") == 1
        assert take_in(hub, edfi, source.pull(None)).changed_nothing
        since = sandbox.newest_change_version
        sandbox.delete(ENROLMENTS.rpartition("/")[2], tied)
        take_in(hub, edfi, source.pull(since))
        assert current(hub, edfi, "enrollment") == 0


def test_an_item_made_again_as_it_was_changes_no_fact(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number), enrolment(number)))
    tally = take_in(hub, edfi, partial(under("other", enrolment(number))))
    assert (tally.facts_added, tally.facts_superseded, tally.facts_retracted) == (0, 0, 0)
    assert current(hub, edfi, "enrollment") == 1


def test_a_host_that_tells_of_the_deletion_of_what_was_made_again_takes_nothing_back(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number), enrolment(number)))
    again = under("other", enrolment(number))
    tally = take_in(hub, edfi, partial(again, gone(enrolment(number))))
    assert tally.of("studentSchoolAssociations").removed == 0
    assert current(hub, edfi, "enrollment") == 1


def test_an_item_shown_and_then_deleted_in_one_pull_is_gone_however_its_id_is_written(hub, edfi):
    number, key = unique(), "0f9C4bA2-5d11-4f0e-9d53-5a1c9f2d7e10"
    take_in(hub, edfi, full(student(number), enrolment(number)))
    shown = under(key.replace("-", "").lower(), enrolment(number))
    take_in(hub, edfi, partial(shown, gone(under(key, enrolment(number)))))
    assert current(hub, edfi, "enrollment") == 0


def test_a_deletion_that_does_not_say_its_key_has_everything_read_next_time(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number), enrolment(number), since=7))
    notice = document(ENROLMENTS, "x", {"id": "x", "keyValues": {"schoolId": 1}}, operation=Operation.DELETE)
    tally = take_in(hub, edfi, partial(notice, since=8))
    assert not tally.complete
    assert current(hub, edfi, "enrollment") == 1
    with hub.db.transaction() as conn:
        assert documents.read_mark(conn, edfi) is None


def test_a_record_under_a_new_key_leaves_nothing_under_the_old_one(hub, edfi):
    number = unique()
    before, after = enrolment(number), enrolment(number, entry="2025-08-27")
    take_in(hub, edfi, full(student(number), before))
    take_in(hub, edfi, partial(rekeyed(before, after), after))
    assert facts(hub, edfi).count(("enrollment", "retracted")) == 1
    assert current(hub, edfi, "enrollment") == 1
    assert take_in(hub, edfi, full(student(number), after)).changed_nothing


def test_two_records_that_change_places_both_stand(hub, edfi):
    number = unique()
    one, other = enrolment(number, 1), enrolment(number, 2)
    take_in(hub, edfi, full(student(number), one, other))
    moved, back = under(one.record_id, other), under(other.record_id, one)
    take_in(hub, edfi, partial(rekeyed(one, other), rekeyed(other, one), moved, back))
    assert current(hub, edfi, "enrollment") == 2


def test_a_key_that_was_changed_and_changed_back_takes_nothing_back(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number), enrolment(number)))
    take_in(hub, edfi, partial(rekeyed(enrolment(number), enrolment(number))))
    assert current(hub, edfi, "enrollment") == 1


def test_after_a_childs_own_key_changed_everything_is_read_since_its_other_records_are_not_told_of(hub, edfi):
    number, new = unique(), unique()
    take_in(hub, edfi, full(student(number), enrolment(number), since=7))
    moved = under(f"s{number}", student(new))
    tally = take_in(hub, edfi, partial(rekeyed(student(number), moved), moved, since=8))
    assert not tally.complete
    with hub.db.transaction() as conn:
        assert documents.read_mark(conn, edfi) is None
    again = take_in(hub, edfi, full(moved, enrolment(new)))
    assert (again.complete, again.children_new) == (True, 0)
    assert [current(hub, edfi, kind) for kind in ("enrollment", "name", "birth-date")] == [1, 1, 1]


def test_a_guardian_under_a_new_key_leaves_no_record_under_the_old_one(hub, edfi):
    number, key, new = unique(), unique(), unique()
    take_in(hub, edfi, full(student(number), contact(key), tie(number, key)))
    named = [rekeyed(contact(key), contact(new)), rekeyed(tie(number, key), tie(number, new))]
    take_in(hub, edfi, partial(*named, contact(new), tie(number, new)))
    assert current(hub, edfi, "guardian") == 1
    assert held(hub, edfi, "contacts") == 1


def test_no_record_key_shows_the_sources_own_key(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number)))
    with hub.db.transaction() as conn:
        keys = conn.execute(text("SELECT record_key FROM source_document")).scalars().all()
    assert not any(number.encode() in bytes(key) for key in keys)
