"""`planhub review`: what waits for a person is listed without a value, shown only under an entry, decided by name."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from adapters.sandbox.edfi.keys import Document
from gateway.cli.exits import Exit
from gateway.cli.review import WHY
from gateway.exchange.context import Hub
from gateway.exchange.intake import take_in
from gateway.exchange.review import ReviewRefusal
from gateway.store.ledger import entries_about
from tests.gateway.cli.conftest import Planhub
from tests.gateway.exchange.feeds import add_connection, document, full
from tests.gateway.family import add_agency


@dataclass(frozen=True)
class Twice:
    """One child as two districts state them: the same name and birth date, no number in common, so nobody can be sure."""

    hub: Hub
    surname: str
    first: str
    second: str
    child: UUID
    review: UUID
    record: UUID

    def linked(self) -> set[UUID]:
        with self.hub.db.transaction() as connection:
            statement = (
                "SELECT child_id FROM identity_link WHERE source_identity_id = %s AND valid_to IS NULL"
            )
            return set(connection.exec_driver_sql(statement, (self.record,)).scalars())


def student(surname: str, number: str) -> Document:
    return {
        "studentUniqueId": number,
        "firstName": "Tobias",
        "lastSurname": surname,
        "birthDate": "2011-11-30",
    }


@pytest.fixture
def twice(hub):
    surname = "Quill" + "".join(chr(ord("a") + int(digit, 16)) for digit in uuid4().hex[:10])
    connections = [
        add_connection(hub, add_agency(hub), "edfi", roster=True, config={"base_url": "http://127.0.0.1:9"})
        for _ in range(2)
    ]
    for number, connection in enumerate(connections):
        tally = take_in(
            hub, connection, full(document("ed-fi/students", "1", student(surname, f"90010{number}")))
        )
        assert tally.total.accepted == 1, tally.rejections
    with hub.db.transaction() as connection:
        statement = (
            "SELECT r.review_id, r.source_identity_id, r.candidates FROM review_item r "
            "JOIN source_identity s USING (source_identity_id) WHERE s.connection = %s"
        )
        review, record, candidates = connection.exec_driver_sql(statement, (connections[1],)).one()
    (child,) = candidates
    return Twice(hub, surname, connections[0], connections[1], child, review, record)


def test_what_waits_is_listed_with_rule_and_signs_and_no_value(planhub, twice):
    listed = {one["review"]: one for one in planhub("review", "list", "--json").json["reviews"]}
    case = listed[str(twice.review)]
    assert (case["record"], case["connection"], case["candidates"]) == (
        str(twice.record),
        twice.second,
        [str(twice.child)],
    )
    assert case["rule"] == "name-birth-date"
    assert case["signs"]["birth-date"] == "equal"
    assert case["signs"]["identifier"] == "absent"
    told = planhub("review", "list").out
    assert "birth-date:equal" in told
    assert twice.surname.lower() not in told.lower()
    assert "2011-11-30" not in told


def test_showing_who_they_are_is_a_read_on_the_review_and_entered_for_each_child(hub, planhub, twice):
    ran = planhub("review", "show", twice.review, "--by", "Ines Vale", "--json")
    assert ran.code == Exit.OK
    record, candidate = ran.json["shown"]
    assert candidate["child"] == str(twice.child)
    assert candidate["name"] == [f"Tobias {twice.surname}"]
    assert record["name"] == [f"tobias {twice.surname.lower()}"]
    assert record["birth date"] == candidate["birth date"] == ["2011-11-30"]
    assert "student-unique-id" in candidate["identifier"][0]
    with hub.db.transaction() as connection:
        entries = [
            row
            for one in (record["child"], candidate["child"])
            for row in entries_about(connection, UUID(one))
        ]
    reads = [(row.kind, row.recipient) for row in entries if row.seq in ran.json["entries"]]
    assert reads == [("read", "steward:Ines Vale")] * 2


def test_the_two_stand_side_by_side(planhub, twice):
    ran = planhub("review", "show", str(twice.review)[-12:])
    header, name, birth, *_ = ran.out.splitlines()[1:]
    assert header.split() == ["this", "record", str(twice.child)]
    assert twice.surname in name
    assert birth.split() == ["birth", "date", "2011-11-30", "2011-11-30"]
    assert f"planhub review decide {twice.review}" in ran.err


def test_a_person_ties_the_record_to_the_child(planhub, twice):
    ran = planhub(
        "review", "decide", twice.review, "--link", twice.child, "--by", "Ines Vale", "--yes", "--json"
    )
    assert ran.code == Exit.OK
    assert ran.json["child"] == str(twice.child)
    assert ran.json["facts"] > 0
    assert twice.linked() == {twice.child}
    decided = {one["review"]: one for one in planhub("review", "list", "--decided", "--json").json["reviews"]}
    assert decided[str(twice.review)]["decided_by"] == "Ines Vale"


def test_a_person_says_it_is_a_child_of_its_own(planhub, twice):
    ran = planhub("review", "decide", twice.review, "--new", "--yes", "--json")
    (child,) = twice.linked()
    assert ran.json["child"] == str(child)
    assert child != twice.child
    shown = planhub("consent", "show", "--child", child, "--json")
    assert shown.code == Exit.OK


def test_none_of_them_is_kept_for_good_and_the_record_waits_on(planhub, twice):
    ran = planhub("review", "decide", twice.review, "--not-same", "--yes")
    assert (ran.code, ran.out) == (Exit.OK, "noted; the record waits on\n")
    listed = {one["review"]: one for one in planhub("review", "list", "--json").json["reviews"]}
    assert listed[str(twice.review)]["candidates"] == []
    assert planhub("review", "decide", twice.review, "--link", twice.child, "--yes").code == Exit.CONFLICT
    assert planhub("review", "decide", twice.review, "--not-same", "--yes").code == Exit.CONFLICT


def test_one_candidate_can_be_ruled_out_by_itself(planhub, twice):
    ran = planhub("review", "decide", twice.review, "--not", twice.child, "--yes", "--json")
    assert (ran.code, ran.json["child"]) == (Exit.OK, None)


def test_a_decided_review_is_neither_shown_nor_decided_again(planhub, twice):
    planhub("review", "decide", twice.review, "--new", "--yes")
    assert planhub("review", "show", twice.review).code == Exit.CONFLICT
    for verdict in (("--new",), ("--not-same",), ("--link", twice.child)):
        assert planhub("review", "decide", twice.review, *verdict, "--yes").code == Exit.CONFLICT


def test_a_wrong_link_is_taken_back_and_who_was_told_is_listed(hub, planhub, twice):
    planhub("review", "decide", twice.review, "--link", twice.child, "--yes")
    records = planhub("review", "records", "--child", twice.child, "--json").json["records"]
    assert {one["connection"] for one in records} == {twice.first, twice.second}
    ran = planhub("review", "unlink", twice.record, "--by", "Ines Vale", "--yes", "--json")
    assert ran.code == Exit.OK
    assert (ran.json["child"], ran.json["told"]) == (str(twice.child), {})
    assert ran.json["facts"] > 0
    assert twice.linked() == set()
    assert planhub("review", "unlink", twice.record, "--yes").code == Exit.CONFLICT
    listed = {one["record"] for one in planhub("review", "list", "--json").json["reviews"]}
    assert str(twice.record) in listed


def test_who_was_sent_something_while_the_link_stood_is_named(hub, planhub, twice):
    from consent.guardian import Authority, GuardianKind, GuardianLink
    from gateway.exchange.disclosure import Released
    from gateway.exchange.release import release
    from gateway.store import directives
    from mappings.record.category import Category
    from tests.gateway.family import SOON, Family, now

    planhub("review", "decide", twice.review, "--link", twice.child, "--yes")
    family = object.__new__(Family)  # the child is there already
    family.hub, family.child, family.link = hub, twice.child, uuid4()
    link = GuardianLink(
        guardian_link_id=family.link,
        child_id=twice.child,
        kind=GuardianKind.PARENT,
        authority=Authority.VERIFIED,
        valid_from=now() - SOON,
        verified_by="registrar",
        verified_at=now() - SOON,
    )
    with hub.db.transaction() as connection:
        directives.add_links(connection, [(family.key, link)])
    clinic = add_agency(hub)
    family.permits(clinic, Category.IDENTITY)
    sent = release(hub, family.request(clinic, Category.IDENTITY))
    assert isinstance(sent, Released)
    ran = planhub("review", "unlink", twice.record, "--yes")
    assert f"{clinic} was told of the child meanwhile: entries {sent.sealed.entry}" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("decide", "REVIEW", "--yes"),
        ("decide", "REVIEW", "--new", "--not-same", "--yes"),
        ("show", "ffffffffffff"),
        ("show", "not an id"),
        ("unlink", "ffffffffffff", "--yes"),
        ("decide", "REVIEW", "--link", "nobody:at-all", "--yes"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error_with_the_next_step(planhub, twice, words):
    ran = planhub("review", *(twice.review if word == "REVIEW" else word for word in words))
    assert ran.code == Exit.USAGE
    assert "  → planhub " in ran.err or "  → give " in ran.err


def test_a_child_that_is_no_candidate_is_a_conflict(hub, planhub, twice):
    from tests.gateway.family import Family

    ran = planhub("review", "decide", twice.review, "--link", Family(hub).child, "--yes")
    assert (ran.code, "planhub review show" in ran.err) == (Exit.CONFLICT, True)


def test_every_refusal_has_words_a_step_and_a_code():
    assert set(WHY) == set(ReviewRefusal)


def test_nothing_waits_is_an_empty_list(planhub: Planhub):
    ran = planhub("review", "list", "--decided")
    assert ran.out.splitlines()[0].split() == [
        "review", "record", "from", "candidates", "rule", "signs", "since",
    ]  # fmt: skip
