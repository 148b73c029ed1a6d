"""What a read rests on besides a family's consent: what the agency sent, a guardian's reading, a review (ARCHITECTURE §6)."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Row, text

from consent.entry import EntryKind
from consent.vocabulary import Basis, Purpose
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused, Released
from gateway.exchange.permission import end_guardian, revoke
from gateway.store.epochs import NOBODY
from mappings.record.category import Category
from tests.gateway.family import add_agency, held_back, let_out


@pytest.fixture
def school(hub):
    return add_agency(hub)


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


def entry_row(hub: Hub, answer: Released | Refused) -> Row[Any]:
    """The row of an answer's entry."""
    number = answer.sealed.entry if isinstance(answer, Released) else answer.entry
    with hub.db.transaction() as connection:
        return connection.execute(
            text("SELECT leaf, kind, child_id, recipient, subject FROM ledger_entry WHERE seq = :n"),
            {"n": number},
        ).one()


def topics(released: Released) -> list[str]:
    return sorted(fact["category"] for fact in json.loads(released.sealed.unseal())["facts"])


def test_an_agency_sees_what_it_sent_and_no_more(hub, family, school, clinic):
    family.states(school, Category.SCHOOL, Category.COUNSELING)
    family.states(clinic, Category.SCHOOL, words="from the clinic")
    asked = family.request(school, Category.SCHOOL, Category.COUNSELING, basis=Basis.OWN)
    released = let_out(hub, asked)
    assert topics(released) == ["counseling", "school"]
    assert b"from the clinic" not in released.sealed.body
    assert released.entry.basis is Basis.OWN


def test_an_agency_that_sent_nothing_learns_no_more_than_of_an_unknown_child(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    for child in (family.child, NOBODY):
        refused = held_back(hub, family.request(clinic, basis=Basis.OWN, children=(child,)))
        assert entry_row(hub, refused).kind == "deny"


def test_its_own_facts_stand_beside_what_the_family_permits(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    family.states(clinic, Category.HEALTH, words="clinic's own")
    family.permits(clinic, Category.SCHOOL)
    asked = family.request(clinic, Category.SCHOOL, Category.HEALTH, own=True)
    assert topics(let_out(hub, asked)) == ["health", "school"]
    assert topics(let_out(hub, replace(asked, own=False))) == ["school"]


def test_its_own_facts_remain_when_the_family_stops(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    family.states(clinic, Category.SCHOOL, words="clinic's own")
    directive = family.permits(clinic, Category.SCHOOL)
    revoke(hub, family.child, directive, by_link=family.link, actor="guardian")
    released = let_out(hub, family.request(clinic, own=True))
    assert topics(released) == ["school"]
    assert released.entry.basis is Basis.OWN
    assert b"likes drums" not in released.sealed.body


def test_a_guardian_reads_the_childs_record(hub, family, school):
    family.states(school, Category.SCHOOL, Category.HEALTH)
    asked = family.request(
        f"guardian:{family.link}",
        Category.SCHOOL,
        Category.HEALTH,
        basis=Basis.FAMILY,
        purpose=Purpose.FAMILY_REQUEST.value,
        guardian_link_id=family.link,
    )
    released = let_out(hub, asked)
    assert topics(released) == ["health", "school"]
    assert released.entry.kind is EntryKind.READ
    end_guardian(hub, family.child, family.link, actor="registrar", reason="custody")
    held_back(hub, asked)


def test_a_steward_reads_who_the_child_is_while_the_review_is_open(hub, family, school):
    family.states(school, Category.IDENTITY, Category.SCHOOL)
    review, identity = uuid4(), uuid4()
    with hub.db.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO source_identity VALUES (:i, :org, 'sis', :key, :sealed, 'review', now());"
            ).bindparams(i=identity, org=school, key=identity.bytes, sealed=uuid4())
        )
        connection.execute(
            text(
                "INSERT INTO review_item (review_id, source_identity_id, candidates, rule, state, created_at) "
                "VALUES (:r, :i, ARRAY[:c]::uuid[], 'twins', 'open', now())"
            ).bindparams(r=review, i=identity, c=family.child)
        )
    asked = family.request(
        "steward:one",
        Category.IDENTITY,
        basis=Basis.STEWARD,
        purpose=Purpose.RECORD_MANAGEMENT.value,
        evidence_ids=(review,),
    )
    assert topics(let_out(hub, asked)) == ["identity"]
    held_back(hub, replace(asked, categories=frozenset({Category.SCHOOL})))
    with hub.db.transaction() as connection:
        connection.execute(
            text("UPDATE review_item SET state = 'decided' WHERE review_id = :r"), {"r": review}
        )
    held_back(hub, asked)


def test_an_agency_that_left_the_community_gets_nothing_not_even_its_own(hub, family, school):
    family.states(school, Category.SCHOOL)
    family.permits(school)
    with hub.db.transaction() as connection:
        connection.execute(text("UPDATE org SET status = 'retired' WHERE org = :o"), {"o": school})
    for basis in (Basis.CONSENT, Basis.OWN):
        held_back(hub, family.request(school, basis=basis))
