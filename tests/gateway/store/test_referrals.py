"""What happened to a referral is written once, however often it is reported."""

from dataclasses import replace
from uuid import uuid4

import pytest

from gateway.exchange import refer
from gateway.exchange.refer import Submitted
from gateway.store import referrals
from gateway.store.referrals import EventRow
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.referral import Referral, ReferralState
from tests.gateway.exchange.partners import subscribe
from tests.gateway.family import add_agency, now

ASKED = Referral.model_validate(
    {"service": {"code": "tutoring"}, "domain": "academic", "reason": "r", "requested_on": "2026-11-01"}
)


@pytest.fixture
def event(hub, family):
    school, clinic = add_agency(hub), add_agency(hub)
    family.states(school, Category.SCHOOL)
    subscribe(hub, clinic, parts=(Part.REFERRAL,))
    submitted = refer.submit(hub, school, family.child, clinic, ASKED)
    assert isinstance(submitted, Submitted)
    reported = (submitted.referral_id, clinic, ReferralState.ACCEPTED, None, None)
    return EventRow(uuid4(), *reported, source_key=uuid4().bytes, at=now())


def test_an_event_that_is_added_is_said_to_be_and_the_same_report_again_is_not(hub, event):
    again = replace(event, event_id=uuid4())
    other = replace(event, event_id=uuid4(), source_key=uuid4().bytes)
    with hub.db.transaction() as connection:
        assert referrals.add_event(connection, event) is True
        assert referrals.add_event(connection, again) is False
        assert referrals.add_event(connection, other) is True
    with hub.db.transaction() as connection:
        held = referrals.events(connection, event.referral_id)
    assert {one.event_id for one in held} >= {event.event_id, other.event_id}
    assert again.event_id not in {one.event_id for one in held}


def test_an_event_without_a_report_of_its_own_is_always_added(hub, event):
    with hub.db.transaction() as connection:
        for _ in range(2):
            nameless = replace(event, event_id=uuid4(), source_key=None)
            assert referrals.add_event(connection, nameless) is True
