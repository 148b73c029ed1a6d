"""Break-glass: what it opens, what it never opens, and who hears of it."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from consent.decision import decide
from consent.emergency import Finding
from consent.entry import DisclosureEntry, EntryKind
from consent.guardian import Restraint, RestraintKind
from consent.vocabulary import Basis, Effect, Purpose, Reason
from gateway.exchange import emergency
from gateway.exchange.accounting import who_saw_what
from gateway.exchange.disclosure import Refused, Released
from gateway.exchange.emergency import NewEmergency, NotOpened
from gateway.exchange.permission import object_to, restrain
from gateway.store import emergencies, messages
from gateway.store.emergencies import EmergencyRow
from mappings.record.category import Category
from mappings.record.regime import Regime
from tests.gateway.family import Family, add_agency, held_back, now


@pytest.fixture
def school(hub):
    return add_agency(hub)


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


def new(family: Family, agency: str, *topics: Category, **changes) -> NewEmergency:
    return replace(
        NewEmergency(
            emergency_id=uuid4(),
            child_id=family.child,
            recipient=agency,
            requester="system",
            topics=frozenset(topics or (Category.HEALTH,)),
            medical=False,
            threat_statement="Allergic shock on the playground",
            affected_person="the child",
            personnel="Nurse Vale",
            affiliation="Harbor Clinic",
        ),
        **changes,
    )


def opened(hub, family, agency, *topics, **changes) -> EmergencyRow:
    done = emergency.state(hub, new(family, agency, *topics, **changes))
    assert isinstance(done, EmergencyRow), done
    return done


def read(hub, row):
    return emergency.read(hub, row.recipient, "system", row.emergency_id)


def test_it_overrides_the_absence_of_consent_and_a_guardians_stop(hub, family, school, clinic):
    family.states(school, Category.HEALTH, Category.SCHOOL, words="peanuts")
    held_back(hub, family.request(clinic, Category.HEALTH))
    object_to(hub, family.sentence(clinic, Category.HEALTH, effect=Effect.DENY), actor="guardian")
    told = read(hub, opened(hub, family, clinic))
    assert isinstance(told, Released)
    assert told.categories == {Category.HEALTH}
    assert told.entry.kind is EntryKind.BREAK_GLASS
    assert told.entry.emergency.threat_statement == "Allergic shock on the playground"
    assert told.entry.emergency.personnel == "Nurse Vale"
    assert b"peanuts" in told.sealed.unseal()


@pytest.mark.parametrize("kind", list(RestraintKind))
def test_it_never_overrides_a_court_order_or_a_safety_hold(hub, family, school, clinic, kind):
    family.states(school, Category.HEALTH)
    stop = Restraint(
        restraint_id=uuid4(),
        child_id=family.child,
        kind=kind,
        recipient=clinic,
        categories=frozenset({Category.HEALTH}),
        valid_from=now() - timedelta(days=1),
    )
    restrain(hub, stop, grounds="papers", actor="records office")
    told = read(hub, opened(hub, family, clinic))
    assert isinstance(told, Refused)
    assert told.reasons[Category.HEALTH] is Reason(kind.value)


def test_it_never_goes_beyond_the_agreement(hub, family, school):
    family.states(school, Category.HEALTH)
    bound = add_agency(hub, purposes=[Purpose.CARE_COORDINATION, Purpose.TREATMENT])
    told = read(hub, opened(hub, family, bound))
    assert isinstance(told, Refused)
    assert told.reasons[Category.HEALTH] is Reason.AGREEMENT_PURPOSE


def test_part_2_data_opens_in_a_medical_emergency_to_medical_personnel_and_never_else(
    hub, family, school, clinic
):
    family.states(school, Category.SUBSTANCE_USE, words="methadone", regimes=frozenset({Regime.P2}))
    family.states(school, Category.HEALTH, words="relapse", regimes=frozenset({Regime.P2}))
    topics = (Category.SUBSTANCE_USE, Category.HEALTH)
    other = read(hub, opened(hub, family, clinic, *topics))
    body = other.sealed.unseal() if isinstance(other, Released) else b""
    assert b"methadone" not in body
    assert b"relapse" not in body
    medical = read(hub, opened(hub, family, clinic, *topics, medical=True))
    assert b"methadone" in medical.sealed.unseal()
    untreating = add_agency(hub, purposes=[Purpose.BREAK_GLASS])
    assert isinstance(read(hub, opened(hub, family, untreating, *topics, medical=True)), Refused)


def test_only_the_named_topics_open(hub, family, school, clinic):
    family.states(school, Category.HEALTH, Category.SCHOOL, Category.COUNSELING)
    told = read(hub, opened(hub, family, clinic, Category.HEALTH))
    assert told.categories == {Category.HEALTH}


@pytest.mark.parametrize("missing", ["threat_statement", "affected_person", "personnel", "affiliation"])
def test_a_statement_without_a_required_field_opens_nothing_and_cannot_be_entered(
    hub, family, school, clinic, missing
):
    assert emergency.state(hub, new(family, clinic, **{missing: "  "})) is NotOpened.UNSTATED
    family.states(school, Category.HEALTH)
    told = read(hub, opened(hub, family, clinic))
    record = told.entry.model_dump()
    for broken in ({**record["emergency"], missing: ""}, None):
        with pytest.raises(ValidationError):
            DisclosureEntry.model_validate({**record, "emergency": broken})


def test_it_ends_after_a_day(hub, family, school, clinic):
    family.states(school, Category.HEALTH)
    row = opened(hub, family, clinic)
    assert row.expires_at - row.stated_at == timedelta(hours=24)
    with hub.db.transaction() as conn, pytest.raises(DBAPIError, match="a_day"):
        emergencies.add_emergency(
            conn,
            replace(row, emergency_id=uuid4(), expires_at=row.stated_at + timedelta(hours=24, seconds=1)),
        )
    old = replace(
        row,
        emergency_id=uuid4(),
        stated_at=row.stated_at - timedelta(hours=24),
        expires_at=row.stated_at,
    )
    old = replace(
        old,
        body=family.key.seal(
            family.key.open(row.body, row=row.emergency_id, kind="emergency"),
            row=old.emergency_id,
            kind="emergency",
        ),
    )
    with hub.db.transaction() as conn:
        emergencies.add_emergency(conn, old)
    told = read(hub, old)
    assert isinstance(told, Refused)
    assert told.reasons[Category.HEALTH] is Reason.EXPIRED


def test_no_permission_for_treatment_reaches_it_and_it_needs_no_other_purpose(hub, family, school, clinic):
    family.states(school, Category.HEALTH)
    family.permits(clinic, Category.HEALTH, purposes=[Purpose.TREATMENT, Purpose.CARE_COORDINATION])
    for purpose in (Purpose.BREAK_GLASS, Purpose.EMERGENCY_TREATMENT):
        held_back(hub, family.request(clinic, Category.HEALTH, purpose=purpose.value))
        refused = held_back(
            hub, family.request(clinic, Category.HEALTH, purpose=purpose.value, basis=Basis.EXCEPTION)
        )
        assert refused.reasons[Category.HEALTH] is Reason.EXCEPTION_NOT_ENABLED


def test_the_database_refuses_an_exception_no_emergency_of_the_day_covers(
    hub, family, clinic, school, monkeypatch
):
    """Second net: a decision function that lets everything through still opens nothing without a stated emergency."""
    from gateway.exchange import release as way_out

    row = opened(hub, family, clinic, Category.HEALTH)

    def weak(request, snapshot, at):
        return decide(
            replace(request, emergency=replace(request.emergency, topics=frozenset(Category))), snapshot, at
        )

    assert row.topics == {Category.HEALTH}
    monkeypatch.setattr(way_out, "decide", weak)
    monkeypatch.setattr("consent.emergency.MOST_TOPICS", 99)
    request = family.request(
        clinic,
        Category.SCHOOL,
        purpose=Purpose.BREAK_GLASS.value,
        basis=Basis.EXCEPTION,
        emergency=emergency._stated(hub, row),
    )
    with pytest.raises(
        psycopg.errors.IntegrityConstraintViolation, match="no emergency of the day covers it"
    ):
        way_out.release(hub, request)


def test_the_family_and_the_privacy_officer_are_told_the_family_later_only_with_a_reason(hub, family, clinic):
    row = opened(hub, family, clinic)
    later = opened(hub, family, clinic, delay=timedelta(hours=6), delay_reason="the danger is at home")
    with hub.db.transaction() as conn:
        due = messages.due_messages(conn, now() + timedelta(days=1), 10_000)
    told = {(one.subject_id, one.audience.value): one.due_at for one in due}
    assert {who for subject, who in told if subject == row.emergency_id} == {"family", "privacy-officer"}
    assert told[later.emergency_id, "privacy-officer"] == later.stated_at
    assert told[later.emergency_id, "family"] == later.stated_at + timedelta(hours=6)
    for delay, reason in ((timedelta(hours=6), None), (timedelta(hours=80), "long"), (None, "why")):
        wrong = new(family, clinic, delay=delay, delay_reason=reason)
        assert emergency.state(hub, wrong) is NotOpened.DELAY


def test_the_family_reads_of_it_what_was_stated(hub, family, school, clinic):
    family.states(school, Category.HEALTH)
    told = read(hub, opened(hub, family, clinic))
    lines = who_saw_what(hub, family.child, guardian_link=family.link, requester="her").lines
    (line,) = [one for one in lines if one.number == told.sealed.entry]
    assert line.sentence.endswith(f"In an emergency {clinic} saw Health: Allergic shock on the playground.")


def test_a_review_is_open_until_a_person_closes_it_and_closed_for_good(hub, family, clinic):
    row = opened(hub, family, clinic)

    def open_reviews():
        with hub.db.transaction() as conn:
            return {one.emergency_id for one in emergencies.list_emergencies(conn, reviewed=False)}

    assert row.emergency_id in open_reviews()
    assert emergency.review(hub, row.emergency_id, Finding.JUSTIFIED, by="Ines Vale", note="seen")
    assert row.emergency_id not in open_reviews()
    assert not emergency.review(hub, row.emergency_id, Finding.NOT_JUSTIFIED, by="Tom", note="again")
    with hub.db.transaction() as conn, pytest.raises(DBAPIError, match="permission denied"):
        conn.execute(text("UPDATE emergency SET stated_at = now()"))


def test_another_agency_reads_nothing_by_it(hub, family, clinic, school):
    row = opened(hub, family, clinic)
    assert emergency.read(hub, school, "system", row.emergency_id) is None


def test_everything_is_too_much(hub, family, clinic):
    assert emergency.state(hub, new(family, clinic, *Category)) is NotOpened.TOPICS
    assert emergency.state(hub, new(family, clinic, Category.IDENTITY)) is NotOpened.TOPICS
