"""A family's own download of what was signed, as FHIR: decided, entered, and without what the reader may not know of."""

import json
from uuid import uuid4

import pytest

from gateway.exchange.accounting import Accounting, who_saw_what
from gateway.exchange.consent_download import DESCRIPTION, Download, download
from gateway.exchange.disclosure import Refused
from gateway.exchange.permission import revoke
from gateway.exchange.wording import receipt_number
from mappings.fhir.structure import check_structure
from mappings.record.category import Category
from tests.gateway.family import add_agency


@pytest.fixture
def clinic(hub):
    return add_agency(hub)


def bundle_of(hub, family):
    made = download(hub, family.child, guardian_link=family.link, requester="front desk")
    assert isinstance(made, Download)
    return json.loads(made.body)


def test_each_permission_is_a_consent_that_says_whether_it_stands(hub, family, clinic):
    standing, ended = family.permits(clinic, Category.SCHOOL), family.permits(clinic, Category.HEALTH)
    revoke(hub, family.child, ended, by_link=family.link, actor="front desk")
    made = bundle_of(hub, family)
    assert check_structure(made) == ()
    status = {one["resource"]["id"]: one["resource"]["status"] for one in made["entry"]}
    assert status == {receipt_number(standing): "active", receipt_number(ended): "inactive"}
    assert str(family.child) not in json.dumps(made)


def test_the_reading_is_an_entry(hub, family):
    made = download(hub, family.child, guardian_link=family.link, requester="front desk")
    assert isinstance(made, Download)
    told = who_saw_what(hub, family.child, guardian_link=family.link, requester="front desk")
    assert isinstance(told, Accounting)
    (line,) = [one for one in told.lines if one.number == made.entry]
    assert DESCRIPTION in line.sentence


def test_who_may_not_read_gets_none(hub, family):
    assert isinstance(download(hub, family.child, guardian_link=uuid4(), requester="front desk"), Refused)


def test_nothing_signed_is_an_empty_collection(hub, family):
    assert "entry" not in bundle_of(hub, family)
