"""Asking a family: bounded by the agreement, one at a time, in the log, and answered by what a guardian signs."""

import threading
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from consent.ask import BETWEEN_REMINDERS, MOST_REMINDERS, AskState, MadeBy
from consent.guardian import Authority
from consent.vocabulary import Effect, Purpose
from gateway.exchange import ask, refer
from gateway.exchange.accounting import who_saw_what
from gateway.exchange.ask import Asked, NewAsk, NotAsked
from gateway.exchange.disclosure import Refused
from gateway.exchange.permission import Changed, grant, object_to
from gateway.exchange.release import release
from gateway.store import asks, directives, messages
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.referral import Referral
from tests.gateway.exchange.partners import subscribe
from tests.gateway.family import SOON, Family, add_agency, now


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


def new(family: Family, agency: str, *topics: Category, **changes) -> NewAsk:
    return replace(
        NewAsk(
            ask_id=uuid4(),
            child_id=family.child,
            recipient=agency,
            requester="system",
            topics=frozenset(topics or (Category.HEALTH,)),
            purpose=Purpose.CARE_COORDINATION,
            until=now() + SOON,
            made_by=MadeBy.AGENCY,
        ),
        **changes,
    )


def later(hub, days: float):
    return replace(hub, clock=lambda: now() + timedelta(days=days))


def shown(hub, asker: str, ask_id: UUID) -> AskState:
    """Where the ask stands to its asker."""
    found = ask.shown_to(hub, asker, ask_id)
    assert found is not None
    return found[1]


def told(hub, family):
    with hub.db.transaction() as conn:
        due = messages.due_messages(conn, now() + timedelta(days=400), 10_000)
    return [one.kind.value for one in due if one.child_id == family.child]


def test_an_ask_is_on_record_in_the_log_and_before_the_family(hub, family, clinic):
    made = ask.make(hub, new(family, clinic, interpreter="es"))
    assert isinstance(made, Asked)
    assert made.ask.state(now()) is AskState.WAITING
    assert told(hub, family) == ["ask"]
    assert ask.interpreter_for(hub, made.ask) == "es"
    lines = who_saw_what(hub, family.child, guardian_link=family.link, requester="her").lines
    (line,) = [one for one in lines if one.number == made.entry]
    assert f"{clinic} asked for Health" in line.sentence
    assert not line.left


def test_an_ask_opens_nothing(hub, family, clinic):
    family.states(add_agency(hub), Category.HEALTH)
    ask.make(hub, new(family, clinic))
    assert isinstance(release(hub, family.request(clinic, Category.HEALTH)), Refused)


def test_an_ask_stays_within_the_agreement(hub, family):
    bound = add_agency(hub, purposes=[Purpose.CARE_COORDINATION], categories=[Category.SCHOOL])
    assert ask.make(hub, new(family, bound, Category.HEALTH)) is NotAsked.BEYOND_AGREEMENT
    assert (
        ask.make(hub, new(family, bound, Category.SCHOOL, purpose=Purpose.TREATMENT))
        is NotAsked.BEYOND_AGREEMENT
    )
    assert isinstance(ask.make(hub, new(family, bound, Category.SCHOOL)), Asked)


def test_one_agency_has_one_ask_open_for_a_purpose(hub, family, clinic):
    first = new(family, clinic)
    assert isinstance(ask.make(hub, first), Asked)
    assert ask.make(hub, new(family, clinic, Category.SCHOOL)) is NotAsked.OPEN
    assert isinstance(ask.make(hub, new(family, clinic, purpose=Purpose.TREATMENT)), Asked)
    assert isinstance(ask.make(hub, new(family, add_agency(hub))), Asked)
    again = ask.make(hub, first)
    assert isinstance(again, Asked)
    assert again.entry is None


def test_two_asks_at_once_are_one(hub, family, clinic):
    done = []
    together = threading.Barrier(2)

    def run():
        together.wait(timeout=10)
        done.append(ask.make(hub, new(family, clinic)))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(type(one).__name__ for one in done) == ["Asked", "NotAsked"]


def test_a_yes_to_any_topic_answers_and_frees_the_place(hub, family, clinic):
    made = ask.make(hub, new(family, clinic, Category.HEALTH, Category.SCHOOL))
    family.permits(clinic, Category.SCHOOL, Category.IDENTITY)
    assert shown(hub, clinic, made.ask.ask_id) is AskState.ANSWERED
    assert isinstance(ask.make(hub, new(family, clinic)), Asked)


def test_what_is_allowed_already_is_answered_at_once_and_bothers_nobody(hub, family, clinic):
    family.permits(clinic, Category.HEALTH)
    made = ask.make(hub, new(family, clinic))
    assert made.ask.answer is Effect.PERMIT
    assert told(hub, family) == []


@pytest.mark.parametrize("way", ["a stop", "a bare no"])
def test_a_no_and_silence_are_one_to_the_asker(hub, clinic, way):
    silent, refusing = Family(hub), Family(hub)
    quiet, refused = (ask.make(hub, new(one, clinic)).ask for one in (silent, refusing))
    if way == "a stop":
        stop = refusing.sentence(clinic, Category.HEALTH, effect=Effect.DENY)
        assert isinstance(object_to(hub, stop, actor="guardian"), Changed)
    else:
        assert ask.refuse(hub, refused.ask_id, by_link=refusing.link)
    with hub.db.transaction() as conn:
        assert asks.find_ask(conn, refused.ask_id).answer is Effect.DENY
    for days in (0, 29, 31):
        seen = [shown(later(hub, days), clinic, one.ask_id) for one in (quiet, refused)]
        assert seen[0] is seen[1]
    assert [ask.make(hub, new(one, clinic)) for one in (silent, refusing)] == [NotAsked.OPEN] * 2
    with hub.db.transaction() as conn:
        conn.execute(
            text("UPDATE ask SET lapses_at = now() WHERE ask_id = ANY(:ids)"),
            {"ids": [quiet.ask_id, refused.ask_id]},
        )
    assert all(isinstance(ask.make(hub, new(one, clinic)), Asked) for one in (silent, refusing))


def test_a_narrower_successor_and_another_agencys_permit_answer_nothing(hub, family, clinic):
    earlier = family.permits(clinic, Category.SCHOOL)
    made = ask.make(hub, new(family, clinic))
    family.permits(add_agency(hub), Category.HEALTH)
    assert isinstance(
        grant(
            hub,
            family.sentence(clinic, Category.HEALTH, supersedes=earlier),
            actor="guardian",
        ),
        Changed,
    )
    with hub.db.transaction() as conn:
        assert asks.find_ask(conn, made.ask.ask_id).answer is None


def test_only_a_verified_guardian_of_the_child_says_no(hub, family, clinic):
    made = ask.make(hub, new(family, clinic)).ask
    assert not ask.refuse(hub, made.ask_id, by_link=Family(hub).link)
    candidate = family.guardian(uuid4(), authority=Authority.CANDIDATE, verified_at=None, verified_by=None)
    with hub.db.transaction() as conn:
        directives.add_links(conn, [(family.key, candidate)])
    assert not ask.refuse(hub, made.ask_id, by_link=candidate.guardian_link_id)
    assert ask.refuse(hub, made.ask_id, by_link=family.link)
    assert not ask.refuse(hub, made.ask_id, by_link=family.other_link)


def test_reminders_are_a_week_apart_and_capped_and_end_with_an_answer(hub, clinic):
    silent, refusing = Family(hub), Family(hub)
    one = ask.make(hub, new(silent, clinic)).ask
    other = ask.make(hub, new(refusing, clinic)).ask
    ask.refuse(hub, other.ask_id, by_link=refusing.link)
    week = BETWEEN_REMINDERS.days
    for days in (1, week + 1, week + 2, 2 * week + 2, 3 * week + 3, 4 * week):
        ask.remind(later(hub, days))
    with hub.db.transaction() as conn:
        assert asks.find_ask(conn, one.ask_id).reminders == MOST_REMINDERS
        assert asks.find_ask(conn, other.ask_id).reminders == 0
    assert told(hub, silent).count("ask-reminder") == MOST_REMINDERS


def test_nobody_else_reads_an_ask(hub, family, clinic):
    made = ask.make(hub, new(family, clinic)).ask
    assert ask.shown_to(hub, add_agency(hub), made.ask_id) is None


def test_an_ask_is_made_of_no_child_and_no_agency_that_left(hub, family, clinic):
    assert ask.make(hub, new(family, clinic, child_id=uuid4())) is NotAsked.NO_SUCH_CHILD
    with hub.db.transaction() as conn:
        conn.execute(text("UPDATE org SET status = 'retired' WHERE org = :org"), {"org": clinic})
    assert ask.make(hub, new(family, clinic)) is NotAsked.NO_SUCH_AGENCY


def refer_to(hub, family, school, clinic, domain):
    """A referral whose send met no permission; what the family is then asked."""
    stated = {"service": {"code": "x"}, "domain": domain, "reason": "r", "requested_on": "2026-11-20"}
    done = refer.submit(hub, school, family.child, clinic, Referral.model_validate(stated))
    assert isinstance(done, refer.Submitted)
    with hub.db.transaction() as conn:
        row = refer.mark_withheld(conn, done.referral_id, now())
        assert row is not None
        ask.ask_for_referral(hub, conn, row, Purpose.CARE_COORDINATION, now())
        return asks.of_child(conn, family.child)


@pytest.fixture
def school(hub, clinic):
    subscribe(hub, clinic, parts=(Part.REFERRAL,))
    return add_agency(hub)


def test_a_referral_that_meets_no_permission_asks_the_family_for_whom_it_is_sent_to(
    hub, family, school, clinic
):
    (made,) = refer_to(hub, family, school, clinic, "health")
    assert (made.recipient, made.asker, made.made_by) == (clinic, school, MadeBy.REFERRAL)
    assert made.topics == {Category.HEALTH}
    assert told(hub, family) == ["ask"]
    assert ask.shown_to(hub, clinic, made.ask_id) is None


def test_a_second_referral_joins_the_ask_that_waits(hub, family, school, clinic):
    refer_to(hub, family, school, clinic, "health")
    (made,) = refer_to(hub, family, school, clinic, "academic")
    assert made.topics == {Category.HEALTH, Category.SCHOOL}


def test_the_agency_referred_to_cannot_tell_that_somebody_asked(hub, family, school, clinic):
    refer_to(hub, family, school, clinic, "health")
    assert isinstance(ask.make(hub, new(family, clinic)), Asked)


def test_no_family_is_asked_beyond_the_agreement_or_after_a_stop(hub, family, school, clinic):
    stop = family.sentence(clinic, Category.HEALTH, effect=Effect.DENY)
    assert isinstance(object_to(hub, stop, actor="guardian"), Changed)
    assert refer_to(hub, family, school, clinic, "health") == []
    bound = add_agency(hub, categories=[Category.SCHOOL])
    subscribe(hub, bound, parts=(Part.REFERRAL,))
    assert refer_to(hub, family, school, bound, "health") == []
