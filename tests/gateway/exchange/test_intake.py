"""Taking in what a source states: repeatable, every change followed, nothing removed without sense, nothing kept in vain."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from adapters.port import Cause, Transient
from gateway.exchange.intake import take_in
from gateway.exchange.lookup import secrets_of
from gateway.store import documents
from gateway.store.engine import Role
from gateway.store.epochs import NOBODY
from mappings.record.issue import IssueCode
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


@pytest.fixture
def hub(fresh_hub):
    """No child of another test, of the same name, makes a newcomer of this one a question."""
    return fresh_hub


@pytest.fixture
def district(hub):
    return add_agency(hub)


@pytest.fixture
def edfi(hub, district):
    return add_connection(hub, district, "edfi", roster=True)


def test_a_second_import_of_the_same_changes_nothing(hub, edfi):
    number = unique()
    told = full(student(number), enrolment(number))
    first = take_in(hub, edfi, told)
    again = take_in(hub, edfi, told)
    assert first.children_new == 1
    assert again.changed_nothing
    assert again.total.unchanged == 2


def test_a_changed_fact_supersedes_and_the_others_stay(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number)))
    tally = take_in(hub, edfi, full(student(number, surname="Luna-Vega")))
    assert (tally.facts_superseded, tally.facts_added, tally.facts_retracted) == (1, 0, 0)
    assert facts(hub, edfi).count(("name", "superseded")) == 1
    assert current(hub, edfi, "birth-date") == 1


def test_a_fact_that_vanished_from_its_record_is_retracted(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number, preferredFirstName="Anita")))
    tally = take_in(hub, edfi, full(student(number)))
    assert tally.facts_retracted == 1
    assert facts(hub, edfi).count(("name", "retracted")) == 1


def test_a_deletion_takes_back_what_the_record_said(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number), enrolment(number)))
    tally = take_in(hub, edfi, partial(gone(enrolment(number))))
    assert tally.of("studentSchoolAssociations").removed == 1
    assert current(hub, edfi, "enrollment") == 0
    assert current(hub, edfi, "name") == 1


def test_what_a_full_pull_no_longer_shows_is_taken_back(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number), enrolment(number), enrolment(number, 2)))
    take_in(hub, edfi, full(student(number), enrolment(number)))
    assert current(hub, edfi, "enrollment") == 1


def test_a_pull_that_would_remove_too_much_removes_nothing_until_a_person_allows_it(hub, edfi):
    numbers = [unique() for _ in range(40)]
    everyone = [student(number, born=f"2015-03-{1 + n % 28:02}") for n, number in enumerate(numbers)]
    take_in(hub, edfi, full(*everyone))

    refused = take_in(hub, edfi, full(*everyone[:10]))

    assert [(one.resource, one.would_remove, one.of) for one in refused.shrinks] == [("students", 30, 40)]
    assert not refused.complete
    assert current(hub, edfi, "birth-date") == 40
    allowed = take_in(hub, edfi, full(*everyone[:10]), may_shrink=True)
    assert allowed.of("students").removed == 30
    assert current(hub, edfi, "birth-date") == 10


def test_a_pull_that_stops_early_keeps_what_came_and_starts_from_the_same_mark(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number), enrolment(number), since=7))
    tally = take_in(hub, edfi, [student(number, given="Anna"), Transient(Cause.TIMEOUT)])
    assert tally.failure == Transient(Cause.TIMEOUT)
    assert not tally.complete
    assert tally.facts_superseded == 1
    with hub.db.transaction() as conn:
        assert documents.read_mark(conn, edfi) == "7"


def test_the_order_of_records_does_not_matter(hub, edfi):
    number = unique()
    tally = take_in(hub, edfi, full(enrolment(number), student(number)))
    assert tally.total.rejected == 0
    assert tally.children_new == 1
    assert current(hub, edfi, "enrollment") == 1


def test_a_record_about_a_child_nobody_told_of_is_rejected_and_everything_is_read_next_time(hub, edfi):
    take_in(hub, edfi, full(student(unique()), since=7))
    tally = take_in(hub, edfi, partial(enrolment(unique()), since=8))
    assert [one.issue.code for one in tally.rejections] == [IssueCode.UNRESOLVED_REFERENCE]
    with hub.db.transaction() as conn:
        assert documents.read_mark(conn, edfi) is None


def test_a_guardian_is_joined_from_two_records_and_becomes_a_candidate_who_signs_nothing(hub, edfi):
    number, key = unique(), unique()
    take_in(hub, edfi, full(student(number), contact(key), tie(number, key)))
    assert current(hub, edfi, "guardian") == 1
    with hub.db.transaction() as conn:
        links = conn.execute(
            text(
                "SELECT g.kind, g.authority FROM guardian_link g JOIN identity_link l USING (child_id) "
                "JOIN source_identity s USING (source_identity_id) WHERE s.connection = :c"
            ),
            {"c": edfi},
        ).all()
    assert [tuple(link) for link in links] == [("parent", "candidate")]


def test_a_guardian_who_changed_changes_every_child_it_is_tied_to(hub, edfi):
    one, other, key = unique(), unique(), unique()
    told = [student(one), student(other, "Eva"), contact(key), tie(one, key), tie(other, key)]
    take_in(hub, edfi, full(*told))
    tally = take_in(hub, edfi, partial(contact(key, phone="(978) 555-0102")))
    assert tally.facts_superseded == 2
    assert current(hub, edfi, "guardian") == 2


def test_a_tie_that_comes_later_finds_the_guardian_that_came_before(hub, edfi):
    one, other, key = unique(), unique(), unique()
    take_in(hub, edfi, full(student(one), student(other, "Eva"), contact(key)))
    take_in(hub, edfi, partial(tie(one, key)))
    tally = take_in(hub, edfi, partial(tie(other, key), since=3))
    assert tally.total.rejected == 0
    assert current(hub, edfi, "guardian") == 2


def test_a_tie_to_a_guardian_who_was_never_sent_is_rejected_by_name(hub, edfi):
    number = unique()
    tally = take_in(hub, edfi, full(student(number), tie(number, unique())))
    assert [one.record_id for one in tally.rejections] == [tally.rejections[0].record_id]
    assert tally.rejections[0].issue.path == "contactReference.contactUniqueId"


def test_a_child_with_a_new_number_at_the_source_stays_the_same_child(hub, edfi):
    number, new = unique(), unique()
    take_in(hub, edfi, full(student(number)))
    moved = document("ed-fi/students", f"s{number}", dict(student(new).body))
    tally = take_in(hub, edfi, partial(rekeyed(student(number), moved), moved))
    assert tally.children_new == 0
    assert tally.total.rejected == 0


def test_the_same_record_twice_in_one_pull_counts_once(hub, edfi):
    number = unique()
    tally = take_in(hub, edfi, full(student(number, "Anna"), student(number)))
    assert tally.of("students").accepted == 2
    assert tally.children_new == 1
    assert current(hub, edfi, "name") == 1


def test_what_was_received_lies_sealed_byte_for_byte_without_what_is_never_kept(hub, edfi):
    number = unique()
    plain = student(number)
    cut = student(unique(), "Eva", born="2014-01-01", citizenshipStatusDescriptor="uri://x#Resident alien")
    tally = take_in(hub, edfi, full(plain, cut))
    assert tally.cuts == 1
    key = documents.record_key(secrets_of(hub).records, edfi, "students", number)
    with hub.db.transaction(role=Role.INTAKE) as conn:
        rows = conn.execute(
            text(
                "SELECT document_id, sealed_for, body, cuts, record_key FROM source_document WHERE connection = :c"
            ),
            {"c": edfi},
        ).all()
    opened = {
        bytes(row.record_key): (
            hub.keys.get(row.sealed_for).open(bytes(row.body), row=row.document_id, kind="document"),
            row.cuts,
        )
        for row in rows
    }
    assert opened.pop(key) == (plain.raw, 0)
    ((rest, cuts),) = opened.values()
    assert cuts == 1
    assert b"itizen" not in rest
    assert json.loads(rest)["firstName"] == "Eva"


def test_no_row_of_an_import_holds_a_name_in_clear(hub, edfi):
    number = unique()
    take_in(
        hub,
        edfi,
        full(student(number, "Zebulonia", "Quillfeather"), contact("k9", "Xanthippe"), tie(number, "k9")),
    )
    with hub.db.transaction() as conn:
        tables = conn.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).scalars()
        for table in list(tables):
            columns = conn.execute(
                text(
                    "SELECT column_name FROM information_schema.column_privileges WHERE table_name = :t "
                    "AND grantee = 'planhub_app' AND privilege_type = 'SELECT'"
                ),
                {"t": table},
            ).scalars()
            names = ", ".join(f'"{column}"' for column in columns)
            if names:
                rows = str(conn.exec_driver_sql(f"SELECT {names} FROM {table}").all())
                assert "Zebulonia" not in rows, table
                assert "uillfeather" not in rows, table
                assert "Xanthippe" not in rows, table


def test_staff_and_schools_are_kept_under_the_hubs_own_key(hub, edfi):
    staff = document(
        "ed-fi/staffs", "p1", {"staffUniqueId": "77", "firstName": "Odalys", "lastSurname": "Figueroa"}
    )
    job = document(
        "ed-fi/staffEducationOrganizationAssignmentAssociations",
        "j1",
        {
            "staffReference": {"staffUniqueId": "77"},
            "educationOrganizationReference": {"educationOrganizationId": 1},
            "staffClassificationDescriptor": "uri://ed-fi.org/S#Counselor",
            "beginDate": "2025-08-01",
        },
    )
    tally = take_in(hub, edfi, full(staff, job))
    assert tally.total.accepted == 2
    assert tally.children_new == 0
    with hub.db.transaction() as conn:
        sealed = conn.execute(
            text("SELECT DISTINCT sealed_for FROM source_document WHERE connection = :c"), {"c": edfi}
        ).scalars()
        assert list(sealed) == [NOBODY]
    assert take_in(hub, edfi, full(staff, job)).total.unchanged == 1


def test_a_roster_sets_the_birth_date_that_authority_is_computed_from_and_raises_the_epoch(hub, edfi):
    number = unique()
    take_in(hub, edfi, full(student(number)))

    def epoch():
        with hub.db.transaction() as conn:
            return conn.execute(
                text(
                    "SELECT e.epoch FROM consent_epoch e JOIN identity_link l USING (child_id) "
                    "JOIN source_identity s USING (source_identity_id) WHERE s.connection = :c"
                ),
                {"c": edfi},
            ).scalar_one()

    before = epoch()
    take_in(hub, edfi, full(student(number, born="2015-03-05")))
    assert epoch() == before + 1


def test_documents_of_a_resource_without_a_map_are_set_aside_and_not_kept(hub, edfi):
    tally = take_in(hub, edfi, full(document("ed-fi/grades", "g1", {"letterGradeEarned": "A"})))
    assert tally.asides == {"grades:no-map": 1}
    assert tally.of("grades").read == tally.of("grades").aside == 1


def test_an_intake_leaves_its_figures_and_the_hash_of_what_came(hub, edfi):
    take_in(hub, edfi, full(student(unique())))
    with hub.db.transaction() as conn:
        row = conn.execute(
            text("SELECT digest, counts, at FROM inbox WHERE connection = :c"), {"c": edfi}
        ).one()
    assert len(bytes(row.digest)) == 32
    assert row.counts["resources"]["students"]["accepted"] == 1
    assert row.at <= datetime.now(UTC)
