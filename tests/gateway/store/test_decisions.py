"""A decision row must stand on what it cites: the trigger refuses it for every way of not doing so (issue 2)."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from consent.guardian import Authority, Restraint, RestraintKind
from consent.vocabulary import COVERS, Effect, Purpose
from gateway.exchange.permission import end_guardian, object_to, restrain, revoke
from gateway.store.directives import add_links
from mappings.record.category import Category
from tests.gateway.family import Family, add_agency, now
from tests.gateway.store.case import Case


@pytest.fixture
def case(hub, family):
    return Case(family, add_agency(hub), add_agency(hub))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"directive_ids": []}, "no cited directive covers school"),
        ({"directive_ids": [uuid4()]}, "no cited directive covers school"),
        ({"categories": ["school", "health"]}, "no cited directive covers health"),
        ({"purpose": Purpose.TREATMENT.value}, "no cited directive covers school"),
        ({"purpose": Purpose.BREAK_GLASS.value}, "no cited directive covers school"),
        ({"parts": ["plan", "outcome"]}, "how a referral ended is asked for by itself"),
        ({"parts": []}, "permits nothing and does not say so"),
        ({"categories": []}, "permits nothing and does not say so"),
        ({"outcome": "perhaps"}, "permits nothing and does not say so"),
        ({"outcome": "deny"}, "a denial permits nothing"),
        ({"child_epoch": 1}, "epoch is not current"),
        ({"agreement_epoch": 7}, "agreement epoch is not current"),
        ({"rules_version": b"other"}, "not those in force"),
        ({"basis": "exception", "evidence_ids": [uuid4()]}, "no exception is enabled"),
        ({"basis": "family"}, "does not carry school"),
        ({"basis": "steward"}, "who the child is and nothing else"),
        ({"basis": "steward", "categories": ["identity"]}, "no open review names this child"),
        ({"basis": "because"}, "no exception is enabled"),
    ],
)
def test_a_decision_that_its_citations_do_not_cover_is_refused(hub, case, change, why):
    with pytest.raises(DBAPIError, match=why), hub.db.transaction() as connection:
        case.decide(connection, **change)


def test_a_decision_of_another_instant_is_refused(hub, case):
    for shift, length in ((-61, 60), (5, 60), (0, 61), (0, 0)):
        with hub.db.transaction() as connection:
            at = connection.execute(text("SELECT statement_timestamp()")).scalar_one()
            at += timedelta(seconds=shift)
            with pytest.raises(DBAPIError, match="not of this instant, or outlives 60 seconds"):
                case.decide(connection, at=at, expires=at + timedelta(seconds=length))


def test_a_directive_for_another_child_covers_nothing(hub, case):
    sibling = Family(hub)
    theirs = sibling.permits(case.recipient)
    with (
        pytest.raises(DBAPIError, match="no cited directive covers school"),
        hub.db.transaction() as connection,
    ):
        case.decide(connection, directive_ids=[theirs])


def test_a_directive_for_another_recipient_covers_nothing(hub, case):
    other = add_agency(hub)
    with (
        pytest.raises(DBAPIError, match="no cited directive covers school"),
        hub.db.transaction() as connection,
    ):
        case.decide(connection, recipient=other)


def test_a_decision_belongs_to_a_release_of_its_own_recipient_and_purpose(hub, case):
    other = add_agency(hub)
    for change in ({"recipient": other}, {"purpose": Purpose.TREATMENT.value}):
        with hub.db.transaction() as connection:
            release_id = case.decide(connection)
            with pytest.raises(DBAPIError, match="its release is another recipient's"):
                case.decide(connection, release_id=release_id, **change)


def test_a_permission_that_ended_covers_nothing(hub, case):
    revoke(hub, case.family.child, case.permit, by_link=case.family.link, actor="guardian")
    with (
        pytest.raises(DBAPIError, match="no cited directive covers school"),
        hub.db.transaction() as connection,
    ):
        case.decide(connection)


def test_a_permission_outside_its_period_covers_nothing(hub, case):
    for period in ({"valid_until": now()}, {"valid_from": now() + timedelta(hours=1)}):
        late = case.family.permits(add_agency(hub), **period)
        with hub.db.transaction() as connection:
            recipient = connection.execute(
                text("SELECT recipient FROM directive WHERE directive_id = :d"), {"d": late}
            ).scalar_one()
        with (
            pytest.raises(DBAPIError, match="no cited directive covers school"),
            hub.db.transaction() as connection,
        ):
            case.decide(connection, directive_ids=[late], recipient=recipient)


def test_a_permission_replaced_by_another_covers_nothing(hub, case):
    case.family.permits(case.recipient, Category.ACTIVITIES, supersedes=case.permit)
    with (
        pytest.raises(DBAPIError, match="no cited directive covers school"),
        hub.db.transaction() as connection,
    ):
        case.decide(connection)


def test_a_permission_lapses_with_its_signers_authority(hub, case):
    end_guardian(hub, case.family.child, case.family.link, actor="registrar", reason="custody")
    with (
        pytest.raises(DBAPIError, match="no cited directive covers school"),
        hub.db.transaction() as connection,
    ):
        case.decide(connection)


def test_a_hold_on_the_signer_takes_the_permission_with_it(hub, case):
    hold = Restraint(
        restraint_id=uuid4(),
        child_id=case.family.child,
        kind=RestraintKind.SAFETY_HOLD,
        guardian_link_id=case.family.link,
        categories=frozenset({Category.SCHOOL}),
        valid_from=now() - timedelta(minutes=1),
    )
    restrain(hub, hold, grounds="hold 3", actor="steward")
    with (
        pytest.raises(DBAPIError, match="no cited directive covers school"),
        hub.db.transaction() as connection,
    ):
        case.decide(connection)


@pytest.mark.parametrize("recipient", ["the clinic", "class:providers@1"])
def test_a_stop_refuses_the_decision_whatever_it_cites(hub, case, recipient):
    whom = case.recipient if recipient == "the clinic" else recipient
    stop = case.family.sentence(whom, Category.SCHOOL, effect=Effect.DENY, signer_link=case.family.link)
    object_to(hub, stop, actor="guardian")
    with pytest.raises(DBAPIError, match="a stop covers school"), hub.db.transaction() as connection:
        case.decide(connection)


def test_a_court_order_refuses_the_decision_whatever_it_cites(hub, case):
    order = Restraint(
        restraint_id=uuid4(),
        child_id=case.family.child,
        kind=RestraintKind.COURT_ORDER,
        categories=frozenset({Category.SCHOOL}),
        valid_from=now() - timedelta(minutes=1),
    )
    restrain(hub, order, grounds="docket 9", actor="steward")
    with (
        pytest.raises(DBAPIError, match="an order or hold covers school"),
        hub.db.transaction() as connection,
    ):
        case.decide(connection)


def test_an_agreement_that_does_not_cover_it_refuses_the_decision(hub, case):
    for limits in (
        {"categories": (Category.HEALTH,)},
        {"purposes": (Purpose.TREATMENT,)},
        {"agreement": False},
    ):
        org = add_agency(hub, **limits)
        permit = case.family.permits(org)
        with (
            pytest.raises(DBAPIError, match="no agreement in force covers school"),
            hub.db.transaction() as connection,
        ):
            case.decide(connection, recipient=org, directive_ids=[permit])


def test_a_candidate_guardian_carries_no_reading(hub, case):
    link = case.family.guardian(uuid4(), authority=Authority.CANDIDATE, verified_at=None)
    with hub.db.transaction() as connection:
        add_links(connection, [(case.family.key, link)])
    with pytest.raises(DBAPIError, match="does not carry school"), hub.db.transaction() as connection:
        case.decide(connection, basis="family", evidence_ids=[link.guardian_link_id])


def test_the_database_knows_the_same_purposes_as_the_vocabulary(hub):
    with hub.db.transaction() as connection:
        for asked in Purpose:
            answering = connection.execute(text("SELECT answering(:p)"), {"p": asked.value}).scalar_one()
            assert set(answering) == {named.value for named in Purpose if asked in COVERS[named]}


def test_a_temporary_table_cannot_stand_in_for_a_directive(hub, case):
    revoke(hub, case.family.child, case.permit, by_link=case.family.link, actor="guardian")
    with hub.db.transaction() as connection:
        connection.execute(
            text(
                "CREATE TEMPORARY TABLE directive ON COMMIT DROP AS SELECT directive_id, child_id, effect, recipient, "
                "categories, purposes, 'given'::text AS state, valid_from, valid_until, signer_link, supersedes, "
                "null::timestamptz AS ended_at FROM public.directive"
            )
        )
        with pytest.raises(DBAPIError, match="no cited directive covers school"):
            case.decide(connection)
