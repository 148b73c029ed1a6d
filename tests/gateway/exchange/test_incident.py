"""An incident lists what left, to whom, under which duty by when; it opens nothing and names nobody."""

from datetime import date, timedelta
from uuid import uuid4

import pytest

from gateway.exchange.disclosure import Refused
from gateway.exchange.incident import Incident, case_reference, draft, incident
from gateway.exchange.naming import find_child
from gateway.exchange.release import release
from gateway.store.incidents import Search
from mappings.record.category import Category
from mappings.record.regime import Regime
from tests.gateway.family import Family, add_agency, let_out, now

TODAY = date(2026, 11, 22)


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


def search(**given) -> Search:
    base = {
        "client_id": None,
        "partner": None,
        "source_identity": None,
        "since": now() - timedelta(days=1),
        "until": now() + timedelta(days=1),
    }
    return Search(**(base | given))


def had(hub, family, clinic, *, regime=Regime.EDU, **request):
    """The clinic saw school facts of this regime."""
    family.states(add_agency(hub), Category.SCHOOL, regimes=frozenset({regime}))
    family.permits(clinic, Category.SCHOOL)
    return let_out(hub, family.request(clinic, **request))


def found(hub, **given) -> Incident:
    return incident(hub, search(**given), TODAY)


def test_a_partner_is_listed_with_every_child_it_saw_topics_and_regimes(hub, family, clinic):
    had(hub, family, clinic)
    other = Family(hub)
    had(hub, other, clinic, regime=Regime.HLTH)
    told = found(hub, partner=clinic)
    by_child = {one.child_id: one for one in told.exposures}
    assert set(by_child) == {family.child, other.child}
    assert by_child[family.child].categories == {Category.SCHOOL}
    assert by_child[family.child].regimes == {Regime.EDU}
    assert told.children == 2


def test_who_was_refused_everything_is_not_listed(hub, family, clinic):
    assert isinstance(release(hub, family.request(clinic)), Refused)
    assert found(hub, partner=clinic).exposures == ()


def test_a_key_is_listed_by_what_was_asked_with_it(hub, family, clinic):
    had(hub, family, clinic, requester="client-7")
    let_out(hub, family.request(clinic, requester="client-8"))
    (one,) = found(hub, client_id="client-7", partner=clinic).exposures
    assert one.times == 1
    assert found(hub, client_id=f"client-{uuid4()}").exposures == ()


def test_a_span_is_half_open(hub, family, clinic):
    at = had(hub, family, clinic).decision.at
    assert found(hub, partner=clinic, since=at, until=at + timedelta(seconds=1)).children == 1
    assert found(hub, partner=clinic, until=at).children == 0
    assert found(hub, partner=clinic, since=at + timedelta(microseconds=1)).children == 0


def test_a_wrong_link_is_listed_by_what_left_while_it_stood(hub, family, clinic):
    had(hub, family, clinic)
    identity = uuid4()
    with hub.db.transaction() as conn:
        conn.exec_driver_sql(
            "INSERT INTO identity_link (link_id, child_id, source_identity_id, valid_from, match_id) "
            "VALUES (%s, %s, %s, %s, %s)",
            (uuid4(), family.child, identity, now() - timedelta(days=1), uuid4()),
        )
    assert found(hub, source_identity=identity).children == 1
    with hub.db.transaction() as conn:
        conn.exec_driver_sql(
            "UPDATE identity_link SET valid_to = %s WHERE source_identity_id = %s",
            (now() - timedelta(hours=1), identity),
        )
    assert found(hub, source_identity=identity).children == 0
    assert found(hub, source_identity=uuid4()).children == 0


def test_each_regime_has_its_duty_and_its_last_day(hub, family, clinic):
    had(hub, family, clinic, regime=Regime.HLTH)
    owing = {one.rule.id: one for one in found(hub, partner=clinic).owing}
    assert owing["notify-hlth-individual"].by == TODAY + timedelta(days=60)
    assert "notify-hlth-secretary" not in owing
    assert not any(one.regime is Regime.P2 for one in owing.values())


def test_a_duty_without_a_number_of_days_is_owed_without_delay(hub, family, clinic):
    had(hub, family, clinic)
    (owing,) = [one for one in found(hub, partner=clinic).owing if one.rule.id == "notify-edu"]
    assert owing.by is None


def test_a_draft_says_it_is_one_and_carries_no_case_and_no_fact(hub, family, clinic):
    had(hub, family, clinic, regime=Regime.HLTH)
    told = found(hub, partner=clinic)
    text = draft(told, told.owing[0])
    assert text.startswith("DRAFT. Not sent.")
    assert "2027-01-21" in text
    assert "School" in text
    assert case_reference(family.child) not in text
    assert "drums" not in text


def test_a_case_reference_leads_back_to_the_child_and_is_no_name(hub, family):
    assert find_child(hub, case_reference(family.child)) == family.child


def test_looking_enters_nothing_and_opens_nothing(hub, family, clinic):
    had(hub, family, clinic)
    with hub.db.transaction() as conn:
        before = conn.exec_driver_sql("SELECT count(*) FROM ledger_entry").scalar_one()
    found(hub, partner=clinic)
    with hub.db.transaction() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM ledger_entry").scalar_one() == before
