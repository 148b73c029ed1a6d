import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.view import ViewedAssertion
from mappings.webhook.event import Envelope, EventType, WebhookEvent, from_view, notification
from tests.mappings.child import identity_facts, private_facts
from tests.mappings.child_plan import plan_facts
from tests.mappings.views import ORGANIZATIONS, fact, view

ENVELOPE = Envelope(
    id="0192f0c1-7000-7000-8000-00000000d1d1",
    source="https://hub.larkspur.test/id",
    type=EventType.PLAN_CHANGED,
    time=datetime(2026, 11, 20, 10, 0, tzinfo=timezone(timedelta(hours=-5))),
)


def event(facts: Iterable[ViewedAssertion], **about: Any) -> tuple[dict[str, Any], WebhookEvent]:
    made = from_view(view(facts, **about), ENVELOPE, organizations=ORGANIZATIONS)
    return json.loads(made.content), made


@pytest.mark.parametrize(
    "made", [notification(ENVELOPE, child_ref="k7", resource="plan"), event(plan_facts())[1]]
)
def test_an_event_has_the_attributes_cloudevents_1_0_requires(made):
    said = json.loads(made.content)
    assert said["specversion"] == "1.0"
    assert said["id"] == ENVELOPE.id
    assert said["source"] == "https://hub.larkspur.test/id"
    assert said["type"] == "planhub.plan.changed.v1"
    assert said["time"] == "2026-11-20T15:00:00Z"
    assert said["datacontenttype"] == "application/json"
    names = set(said) - {"data"}
    assert all(name.isalnum() and name.islower() for name in names)  # CloudEvents 1.0 §3, attribute names


def test_a_notification_carries_references_only():
    made = notification(ENVELOPE, child_ref="k7Qm2-child", resource="children/k7Qm2-child/plan")
    said = json.loads(made.content)
    assert said["subject"] == "k7Qm2-child"
    assert said["data"] == {"child": "k7Qm2-child", "resource": "children/k7Qm2-child/plan"}
    assert (made.categories, made.assertion_ids) == (frozenset(), frozenset())


def test_a_full_event_carries_every_fact_of_the_view_with_who_stated_it_and_its_labels():
    said, made = event(plan_facts(), notices=("Keep to yourselves.",))
    data = said["data"]
    assert (data["child"], data["plan_status"], data["notices"]) == (
        "k7Qm2-child",
        "active",
        ["Keep to yourselves."],
    )
    assert {item["id"] for item in data["facts"]} == {item.id for item in plan_facts()} == made.assertion_ids
    goal = next(item for item in data["facts"] if item["kind"] == "goal")
    assert goal["stated_by"] == "Larkspur School District"
    assert goal["topic"] == "school"
    assert goal["links"] == ["p-need-reading"]
    assert (goal["labels"], goal["regimes"], goal["quality"]) == (["R"], ["EDU"], "unverified")


def test_flags_travel_with_their_facts_and_a_sources_own_keys_do_not():
    said, _ = event(identity_facts())
    away = next(item for item in said["data"]["facts"] if item["id"] == "i-kept-away")
    assert away["value"]["contact_restricted"] is True
    assert "contact-5513" not in json.dumps(said)


def test_an_agency_whose_topic_is_not_in_the_view_is_not_named():
    name = replace(private_facts()[5], id="n")
    said, _ = event((name,))
    assert said["data"]["facts"][0]["stated_by"] == "Larkspur Success Plans"


def test_equity_attributes_leave_only_where_the_family_said_they_may_be_shared():
    value = {"attribute": "race", "values": [{"code": "Xaba"}]}
    kept = fact("q1", Kind.EQUITY_ATTRIBUTE, Category.IDENTITY, value)
    shared = fact("q2", Kind.EQUITY_ATTRIBUTE, Category.IDENTITY, {**value, "shareable": True})
    said, made = event((kept, shared))
    assert [item["id"] for item in said["data"]["facts"]] == ["q2"]
    assert made.assertion_ids == {"q2"}


def test_the_same_view_gives_the_same_bytes_in_any_order():
    facts = plan_facts()
    assert event(facts)[1].content == event(tuple(reversed(facts)))[1].content
    assert ENVELOPE.time.astimezone(UTC).hour == 15
