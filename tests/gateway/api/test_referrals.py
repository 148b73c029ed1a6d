"""`/v1/referrals` and `/v1/changes`: asking for help, hearing back, and what nobody is told without the family."""

from datetime import UTC, datetime

import pytest
from psycopg.types.json import Jsonb

from consent.vocabulary import Purpose
from mappings.record.category import Category
from mappings.record.kind import Part
from tests.gateway.family import add_agency

ASK = {
    "service": {"code": "counseling-intake", "display": "A first talk"},
    "domain": "health",
    "reason": "Trouble sleeping",
    "requested_on": "2026-11-20",
}


def _subscribe(hub, org, part, purpose):
    with hub.db.transaction() as conn:
        conn.exec_driver_sql(
            "INSERT INTO connection (connection, org, adapter, config) VALUES (%s, %s, 'api', %s) ON CONFLICT DO NOTHING",
            (f"{org}-api", org, Jsonb({})),
        )
        conn.exec_driver_sql(
            "INSERT INTO subscription (subscription, org, connection, purpose, parts, categories) "
            "VALUES (%s, %s, %s, %s, %s, '{}')",
            (f"{org}-{part}", org, f"{org}-api", purpose, [part]),
        )


@pytest.fixture
def school(hub, system):
    made = system(add_agency(hub, programme=Category.SCHOOL), purposes=("COC", "REFOUT"))
    _subscribe(hub, made.org, Part.OUTCOME, Purpose.REFERRAL_OUTCOME)
    return made


@pytest.fixture
def clinic(hub, system):
    made = system(add_agency(hub, programme=Category.HEALTH))
    _subscribe(hub, made.org, Part.REFERRAL, Purpose.CARE_COORDINATION)
    return made


def _refer(school, clinic, family, **kwargs):
    body = {"child": school.knows(family.child), "to_agency": clinic.org, "referral": ASK}
    return school.call("POST", "/v1/referrals", json=body, **kwargs)


def _event(system, referral, state, **more):
    body = {"at": datetime(2026, 11, 21, 9, tzinfo=UTC).isoformat(), "state": state} | more
    return system.call("POST", f"/v1/referrals/{referral}/events", json=body)


def _send(hub, referral):
    """What the worker does once the clinic has it."""
    from gateway.exchange.refer import mark_sent

    with hub.db.transaction() as conn:
        mark_sent(conn, referral, hub.clock())


def test_a_referral_waits_for_consent_and_nothing_of_it_is_shown_meanwhile(hub, school, clinic, family):
    done = _refer(school, clinic, family)
    assert (done.status_code, done.json()["state"]) == (202, "awaiting-consent")
    assert clinic.call("GET", f"/v1/referrals/{done.json()['referral']}").status_code == 404
    mine = school.call("GET", f"/v1/referrals/{done.json()['referral']}", headers={"Purpose-Of-Use": "COC"})
    assert mine.json()["state"] == "awaiting-consent"


def test_a_repeated_referral_is_one_referral(hub, school, clinic, family):
    first, again = (_refer(school, clinic, family, key="refer-once-1") for _ in range(2))
    assert first.json() == again.json()
    with hub.db.transaction() as conn:
        count = conn.exec_driver_sql(
            "SELECT count(*) FROM referral WHERE child_id = %s", (family.child,)
        ).scalar_one()
    assert count == 1


def test_an_agency_that_takes_no_referrals_is_named_as_such(hub, school, system, family):
    deaf = system(add_agency(hub))
    assert _refer(school, deaf, family).json()["detail"].startswith("That agency does not take referrals")


def test_a_referral_moves_only_along_its_table(hub, school, clinic, family):
    referral = _refer(school, clinic, family).json()["referral"]
    _send(hub, referral)
    assert _event(clinic, referral, "completed", outcome="service-received").status_code == 201
    back = _event(clinic, referral, "accepted")
    assert (back.status_code, back.json()["issue"]["code"]) == (409, "illegal-transition")
    foreign = _event(school, referral, "in-progress")
    assert foreign.status_code == 409


def test_the_asker_hears_how_it_ended_only_by_a_permission_of_its_own(hub, school, clinic, family):
    referral = _refer(school, clinic, family).json()["referral"]
    _send(hub, referral)
    _event(clinic, referral, "completed", outcome="service-received", reason="Slept well after three visits")
    refout = {"Purpose-Of-Use": "REFOUT"}
    family.permits(school.org, Category.HEALTH)  # care coordination: not how a referral ended
    untold = school.call("GET", f"/v1/referrals/{referral}", headers=refout)
    assert untold.status_code == 404
    as_asker = school.call("GET", f"/v1/referrals/{referral}", headers={"Purpose-Of-Use": "COC"}).json()
    assert as_asker["state"] == "sent"
    assert "Slept" not in str(as_asker)
    family.permits(school.org, Category.HEALTH, purposes=(Purpose.REFERRAL_OUTCOME,))
    told = school.call("GET", f"/v1/referrals/{referral}", headers=refout).json()
    assert (told["state"], told["facts"][0]["value"]["outcome"]) == ("completed", "service-received")


def test_a_third_agency_cannot_tell_a_referral_from_none(hub, school, clinic, family, system):
    referral = _refer(school, clinic, family).json()["referral"]
    other = system(add_agency(hub))
    missing = other.call("GET", "/v1/referrals/00000000-0000-4000-8000-000000000000")
    hidden = other.call("GET", f"/v1/referrals/{referral}")
    assert missing.status_code == hidden.status_code == 404
    strip = lambda a: {k: v for k, v in a.json().items() if k != "instance"}  # noqa: E731  # one comparison
    assert strip(missing) == strip(hidden)
    assert _event(other, referral, "accepted").status_code == 404


def test_the_loop_is_closed_when_the_family_knows(hub, school, clinic, family):
    referral = _refer(school, clinic, family).json()["referral"]
    assert school.call("POST", f"/v1/referrals/{referral}/family-informed").status_code == 409
    _send(hub, referral)
    _event(clinic, referral, "declined-by-provider", reason="No place until March")
    assert school.call("POST", f"/v1/referrals/{referral}/family-informed").status_code == 200


def test_changes_are_listed_from_a_cursor_and_acknowledged(hub, clinic, school, family):
    ref = clinic.knows(family.child)
    fact = {
        "kind": "profile-item",
        "value": {"profile": "interest", "domain": "enrichment", "statement": "Drums"},
    }
    clinic.call("POST", f"/v1/children/{ref}/plan/contributions", json={"contributions": [fact]})
    clinic.call("GET", f"/v1/children/{ref}/plan")
    page = clinic.call("GET", "/v1/changes").json()
    assert [(c["child"], c["resource"], c["version"]) for c in page["changes"]] == [(ref, "plan", 1)]
    assert "total" not in page
    clinic.call("POST", "/v1/changes/acknowledgements", json={"cursor": page["next"]})
    assert clinic.call("GET", "/v1/changes").json() == {"changes": [], "next": page["next"]}
    assert len(clinic.call("GET", "/v1/changes?after=0").json()["changes"]) == 1
    made_up = clinic.call("POST", "/v1/changes/acknowledgements", json={"cursor": 10**9})
    assert made_up.status_code == 422


def test_a_change_is_no_longer_listed_once_the_family_stopped(hub, school, clinic, family):
    family.states(school.org, Category.SCHOOL)
    permit = family.permits(clinic.org, Category.SCHOOL)
    ref = clinic.knows(family.child)
    assert clinic.call("GET", f"/v1/children/{ref}/plan").status_code == 200
    assert len(clinic.call("GET", "/v1/changes?after=0").json()["changes"]) == 1
    from gateway.exchange.permission import Changed, revoke

    assert isinstance(revoke(hub, family.child, permit, by_link=family.link, actor="guardian"), Changed)
    assert clinic.call("GET", "/v1/changes?after=0").json()["changes"] == []


def test_a_child_is_looked_up_only_by_what_the_agency_itself_sent(hub, school):
    own = {"system": "student-number", "assigner": "nobody", "value": "12345"}
    missing = school.call("POST", "/v1/children/lookup", json=own)
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:planhub:problem:not-found")
