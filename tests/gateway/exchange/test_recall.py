"""A stop is told to whoever had something by what was stopped; what they answer is told to the family."""

import csv
import io
import json
from uuid import uuid4

import pytest
from sqlalchemy import text

from adapters.port import Cause, Transient
from consent.entry import EntryKind
from consent.vocabulary import Effect
from gateway.exchange import recall, recall_sending
from gateway.exchange.accounting import Accounting, who_saw_what
from gateway.exchange.deliver import work_lane
from gateway.exchange.permission import Changed, narrow, object_to, revoke
from gateway.exchange.recall import Done
from gateway.exchange.release import release
from gateway.exchange.sequence import sequence_all
from gateway.store.outbox import Topic
from mappings.record.category import Category
from mappings.record.kind import Part
from tests.gateway.exchange.partners import (
    Scripted,
    attempts_of,
    hasty,
    plan_in_force,
    queue,
    state_of,
    subscribe,
)
from tests.gateway.family import Family, add_agency, let_out


@pytest.fixture
def hub(hub):
    return hasty(hub)


@pytest.fixture
def school(hub):
    return add_agency(hub)


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


@pytest.fixture
def way(monkeypatch):
    """The clinic's system, whatever its connection."""
    made = Scripted()
    for module in ("gateway.exchange.send", "gateway.exchange.recall_sending"):
        monkeypatch.setattr(f"{module}.destination", lambda hub, row: made)
    return made


def stopped(hub, family, directive) -> Changed:
    done = revoke(hub, family.child, directive, by_link=family.link, actor="front desk")
    assert isinstance(done, Changed)
    return done


def had_by_api(hub, family, school, clinic):
    """The clinic has read the plan; the permission it did so by."""
    family.states(school, Category.SCHOOL)
    directive = family.permits(clinic, Category.SCHOOL)
    let_out(hub, family.request(clinic))
    return directive


def told(hub, family):
    answer = who_saw_what(hub, family.child, guardian_link=family.link, requester="front desk")
    assert isinstance(answer, Accounting)
    return [line.sentence.partition(": ")[2] for line in answer.lines]


def test_who_had_something_is_recalled_in_the_transaction_that_stops_it(hub, family, school, clinic):
    directive = had_by_api(hub, family, school, clinic)
    (one,) = stopped(hub, family, directive).recalls
    assert (one.recipient, one.directive_id) == (clinic, directive)
    assert state_of(hub, one.recall_id) == ("pending", None)


def test_who_had_nothing_is_not_recalled(hub, family, school, clinic):
    family.states(school, Category.SCHOOL)
    directive = family.permits(clinic, Category.SCHOOL)
    assert stopped(hub, family, directive).recalls == ()


def test_who_was_refused_or_to_whom_nothing_left_is_not_recalled(hub, family, school, clinic):
    directive = family.permits(clinic, Category.SCHOOL)
    release(hub, family.request(clinic, Category.HEALTH))
    assert stopped(hub, family, directive).recalls == ()


def test_another_permission_by_which_nothing_was_had_recalls_nothing(hub, family, school, clinic):
    had_by_api(hub, family, school, clinic)
    other = family.permits(clinic, Category.HEALTH)
    assert stopped(hub, family, other).recalls == ()


def test_a_narrower_successor_recalls_what_it_replaces(hub, family, school, clinic):
    family.states(school, Category.SCHOOL, Category.HEALTH)
    directive = family.permits(clinic, Category.SCHOOL, Category.HEALTH)
    let_out(hub, family.request(clinic, Category.SCHOOL, Category.HEALTH))
    done = narrow(
        hub,
        family.child,
        directive,
        by_link=family.link,
        actor="front desk",
        categories={Category.SCHOOL},
    )
    assert isinstance(done, Changed)
    assert [one.directive_id for one in done.recalls] == [directive]


def test_taking_back_a_stop_recalls_nothing(hub, family, clinic):
    stop = family.sentence(clinic, Category.HEALTH, effect=Effect.DENY)
    object_to(hub, stop, actor="portal")
    assert stopped(hub, family, stop.directive_id).recalls == ()


def delivered(hub, family, school, clinic, adapter):
    """The clinic's system was sent the plan over this connection; the permission and the delivery."""
    connection = subscribe(
        hub, clinic, adapter, parts=(Part.PLAN,), categories=(Category.IDENTITY, Category.SCHOOL)
    )
    family.states(school, Category.SCHOOL)
    plan_in_force(hub, family, school)
    directive = family.permits(clinic, Category.SCHOOL)
    delivery = queue(hub, clinic, family.child, connection)
    work_lane(hub, (clinic, family.child))
    assert state_of(hub, delivery)[0] == "delivered"
    return directive, delivery


def test_a_recall_goes_by_the_agencys_own_connection_with_ids_only(hub, family, school, clinic, way):
    directive, delivery = delivered(hub, family, school, clinic, "webhook")
    (one,) = stopped(hub, family, directive).recalls
    work_lane(hub, (clinic, family.child))
    assert state_of(hub, one.recall_id) == ("delivered", None)
    sent_as, body = way.got[-1]
    event = body if isinstance(body, dict) else json.loads(body)
    assert sent_as == one.recall_id
    assert event["type"] == "planhub.permission.ended.v1"
    assert set(event["data"]) == {"recall", "child", "permission", "ended_at", "deliveries", "acknowledge"}
    assert event["data"]["deliveries"] == [str(delivery)]
    assert str(family.child) not in json.dumps(event)
    assert "drums" not in json.dumps(event)


def test_that_it_was_told_and_that_its_system_has_it_are_entries_the_family_reads(
    hub, family, school, clinic, way
):
    directive, _ = delivered(hub, family, school, clinic, "webhook")
    stopped(hub, family, directive)
    work_lane(hub, (clinic, family.child))
    sentences = told(hub, family)
    assert f"{clinic} was told that what it has of School was taken back." in sentences
    assert f"{clinic} confirmed: it received the recall." in sentences


def test_a_partner_that_is_away_is_told_later_and_no_entry_says_otherwise(hub, family, school, clinic, way):
    directive, _ = delivered(hub, family, school, clinic, "webhook")
    (one,) = stopped(hub, family, directive).recalls
    way.script.append(Transient(Cause.CONNECT))
    work_lane(hub, (clinic, family.child))
    assert state_of(hub, one.recall_id)[0] == "pending"
    assert attempts_of(hub, one.recall_id)[0][0] == "transient"
    assert not any("taken back" in sentence for sentence in told(hub, family))


@pytest.mark.parametrize("adapter", ["fhir", "worklist-folder"])
def test_each_format_says_it_its_own_way(hub, family, school, clinic, adapter):
    directive = had_by_api(hub, family, school, clinic)
    (one,) = stopped(hub, family, directive).recalls
    said = recall_sending._SAID[adapter](hub, one, recall.notice(hub, one)).decode()
    assert str(one.recall_id) in said
    assert one.permission in said
    assert str(family.child) not in said
    if adapter == "fhir":
        assert json.loads(said)["resourceType"] == "Communication"
    else:
        (row,) = csv.DictReader(io.StringIO(said.removeprefix("\ufeff")))
        assert tuple(row) == recall_sending.SHEET


def test_what_the_agency_says_it_did_is_an_entry_and_ends_the_waiting(hub, family, school, clinic):
    directive = had_by_api(hub, family, school, clinic)
    (one,) = stopped(hub, family, directive).recalls
    assert recall.unanswered(hub, clinic, 10) == (one,)
    entry = recall.acknowledge(hub, clinic, one.recall_id, Done.DELETED, requester="system")
    assert entry is not None
    assert recall.unanswered(hub, clinic, 10) == ()
    assert f"{clinic} confirmed: what it had was deleted." in told(hub, family)


def test_an_answer_for_another_agencys_recall_is_none(hub, family, school, clinic):
    directive = had_by_api(hub, family, school, clinic)
    (one,) = stopped(hub, family, directive).recalls
    assert recall.acknowledge(hub, school, one.recall_id, Done.KEPT, requester="system") is None
    assert recall.acknowledge(hub, clinic, uuid4(), Done.KEPT, requester="system") is None


def test_only_a_recall_is_acknowledged_and_no_other_delivery(hub, family, school, clinic):
    delivery = queue(hub, clinic, family.child, "any", topic=Topic.PLAN)
    assert recall.acknowledge(hub, clinic, delivery, Done.KEPT, requester="system") is None


def test_of_an_erased_child_there_is_nothing_left_to_answer(hub, school, clinic):
    family = Family(hub)
    directive = had_by_api(hub, family, school, clinic)
    (one,) = stopped(hub, family, directive).recalls
    hub.keys.destroy(family.child)
    assert recall.unanswered(hub, clinic, 10) == ()
    assert recall.acknowledge(hub, clinic, one.recall_id, Done.DELETED, requester="system") is None


def test_every_answer_has_words():
    assert set(recall.DONE_TEXT) == set(Done)


def test_the_recall_is_entered_under_its_own_kind(hub, family, school, clinic, way):
    directive, _ = delivered(hub, family, school, clinic, "webhook")
    stopped(hub, family, directive)
    work_lane(hub, (clinic, family.child))
    sequence_all(hub)
    with hub.db.transaction() as conn:
        kinds = conn.execute(
            text("SELECT kind FROM ledger_entry WHERE child_id = :child ORDER BY seq"),
            {"child": family.child},
        ).scalars()
        assert list(kinds)[-2:] == [EntryKind.RECALL, EntryKind.ACKNOWLEDGED]
