"""What a partner with its own JSON endpoint receives: a CloudEvents 1.0 event in structured JSON.

Two variants. `notification` carries references only: that something about this child or referral changed, and where to ask;
what may be read is decided when it is asked for. `from_view` carries the facts themselves, as far as the view goes. Both name
the child by the recipient's own reference. The event's id is the delivery's, so a partner may drop what it has had
(CloudEvents 1.0 §3.1.1: source and id together are unique).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from mappings.organization import Organizations
from mappings.outward import in_order, said
from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.view import RecordView, ViewedAssertion

MEDIA_TYPE = "application/cloudevents+json"
SPEC_VERSION = "1.0"
DATA_SCHEMA = "urn:planhub:schema:record"

_STAYS = frozenset({Kind.EQUITY_ATTRIBUTE})
"""Kinds that leave in aggregates only, unless the family said the fact may be shared."""


class EventType(StrEnum):
    """What happened, named as reverse domain names are; add at the end."""

    PLAN_CHANGED = "planhub.plan.changed.v1"
    REFERRAL_SENT = "planhub.referral.sent.v1"
    REFERRAL_ENDED = "planhub.referral.ended.v1"
    PERMISSION_ENDED = "planhub.permission.ended.v1"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every event says about itself: the delivery's id, the hub as a URI, the type, when it was made (aware)."""

    id: str
    source: str
    type: EventType
    time: datetime


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """An event ready to send, and exactly what it was made of."""

    content: bytes
    categories: frozenset[Category]
    assertion_ids: frozenset[str]


def notification(envelope: Envelope, *, child_ref: str, resource: str) -> WebhookEvent:
    """References only: the child's, and the path below the hub's API where the change can be read."""
    data = {"child": child_ref, "resource": resource}
    return WebhookEvent(_encoded(envelope, child_ref, data), frozenset(), frozenset())


def recall(envelope: Envelope, told: Mapping[str, Any]) -> WebhookEvent:
    """That a permission was ended after something had been received on it: ids only, the child's among them."""
    return WebhookEvent(_encoded(envelope, str(told["child"]), dict(told)), frozenset(), frozenset())


def from_view(view: RecordView, envelope: Envelope, *, organizations: Organizations) -> WebhookEvent:
    """The view's facts, newest and most reliable first; what may not leave in this form is not in it.

    Do-not-publish and do-not-contact flags travel with their facts, since this format has a place for them.
    """
    facts = [(item, shown) for item in in_order(view) if (shown := _fact(item, view, organizations))]
    data: dict[str, Any] = {"child": view.child_ref, "purpose": view.purpose}
    if view.plan_status is not None:
        data["plan_status"] = view.plan_status
    data |= {"notices": list(view.notices), "facts": [shown for _, shown in facts]}
    return WebhookEvent(
        _encoded(envelope, view.child_ref, data),
        frozenset(item.category for item, _ in facts),
        frozenset(item.id for item, _ in facts),
    )


def _fact(item: ViewedAssertion, view: RecordView, organizations: Organizations) -> dict[str, Any] | None:
    value = said(item, view, organizations)
    if value is None or (item.kind in _STAYS and not value.get("shareable")):
        return None
    agency = organizations.named(item.org, view.categories)
    shown: dict[str, Any] = {
        "id": item.id,
        "kind": str(item.kind),
        "topic": str(item.category),
        "value": value,
        "stated_by": agency.name if agency else organizations.hub,
        "stated_at": item.asserted_at.isoformat(),
        "method": item.method,
        "quality": item.quality,
        "regimes": sorted(item.regimes),
        "labels": sorted(item.labels),
    }
    if item.effective is not None:
        shown["effective"] = item.effective.model_dump(mode="json", exclude_none=True)
    if item.links:
        shown["links"] = list(item.links)
    return shown


def _encoded(envelope: Envelope, subject: str, data: dict[str, Any]) -> bytes:
    event = {
        "specversion": SPEC_VERSION,
        "id": envelope.id,
        "source": envelope.source,
        "type": str(envelope.type),
        "subject": subject,
        "time": envelope.time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": DATA_SCHEMA,
        "data": data,
    }
    text = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()
