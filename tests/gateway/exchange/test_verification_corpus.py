"""No feed decides who is a guardian: a whole district's contacts are candidates until a person has seen the papers."""

import json
from uuid import uuid4

import pytest
from sqlalchemy import select

from consent.guardian import Authority
from gateway.exchange import inquiry, paper
from gateway.exchange.intake import take_in
from gateway.exchange.paper import Verification, verify_all
from gateway.exchange.permission import Changed
from gateway.store.tables import guardian_link
from tests.gateway.exchange.feeds import add_connection
from tests.gateway.exchange.test_intake_corpus import GRAND_BEND, pull
from tests.gateway.exchange.test_paper import form_of
from tests.gateway.family import Family, add_agency, now
from tests.paths import corpus

pytestmark = pytest.mark.corpus

REGISTERED = 40


def test_two_of_1872_contacts_carry_a_flag_and_no_feed_makes_a_guardian(fresh_hub):
    folder = corpus(*GRAND_BEND)
    stated = [
        json.loads(line) for line in (folder / "studentContactAssociations.jsonl").read_text().splitlines()
    ]
    assert len(stated) == 1_872
    assert sum(bool(one.get("legalGuardian")) for one in stated) == 2

    take_in(fresh_hub, add_connection(fresh_hub, add_agency(fresh_hub), "edfi", roster=True), pull(folder))

    with fresh_hub.db.transaction() as conn:
        links = conn.execute(
            select(guardian_link.c.guardian_link_id, guardian_link.c.child_id, guardian_link.c.authority)
        ).all()
    assert len(links) > 1_000
    assert {row.authority for row in links} == {Authority.CANDIDATE.value}

    named = links[:REGISTERED]
    clinic = add_agency(fresh_hub)
    family = Family(fresh_hub)
    family.child, family.link = named[0].child_id, named[0].guardian_link_id
    assert paper.record(fresh_hub, form_of(family, clinic)) is paper.NotTaken.NOT_VERIFIED

    done = verify_all(
        fresh_hub,
        [
            Verification(row.child_id, row.guardian_link_id, None, Authority.VERIFIED, uuid4(), "Ines Vale")
            for row in named
        ],
    )

    assert all(isinstance(one, Changed) for one in done)
    with fresh_hub.db.transaction() as conn:
        (first,) = [
            one
            for one in inquiry.guardians(conn, named[0].child_id)
            if one.guardian_link_id == named[0].guardian_link_id
        ]
    assert first.may_act(now())
