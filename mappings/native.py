"""The hub's own JSON: a record view as `/v1` shows it. Nothing in it changes unless the view does, so its bytes give the ETag.

Every fact carries who stated it, how and when, and its topic and labels; what was filtered leaves no trace: no totals, no
nulls, no placeholders (ARCHITECTURE §6).
"""

import json
from typing import Any

from mappings.organization import Organizations
from mappings.outward import said
from mappings.view import RecordView, ViewedAssertion

MEDIA_TYPE = "application/json"


def fact(item: ViewedAssertion, value: dict[str, Any] | None = None) -> dict[str, Any]:
    """One fact with its provenance; absent parts are left out. `value` is what of it may be said (`mappings.outward.said`)."""
    shown: dict[str, Any] = {
        "id": item.id,
        "kind": item.kind.value,
        "topic": item.category.value,
        "value": item.value if value is None else value,
        "stated_by": {
            name: value
            for name, value in (("agency", item.org), ("person", item.person), ("role", item.role))
            if value
        },
        "method": item.method,
        "stated_at": item.asserted_at.isoformat(),
        "quality": item.quality,
        "regimes": sorted(item.regimes),
        "labels": sorted(item.labels),
    }
    if item.effective is not None:
        shown["effective"] = item.effective.model_dump(mode="json", exclude_none=True)
    if item.links:
        shown["links"] = list(item.links)
    return shown


def document(view: RecordView, organizations: Organizations) -> dict[str, Any]:
    """The view as a JSON object: child, the plan's status, the notices that bind the recipient, the facts."""
    spoken = ((item, said(item, view, organizations)) for item in view.assertions)
    shown: dict[str, Any] = {"child": view.child_ref, "purpose": view.purpose}
    if view.plan_status is not None:
        shown["plan_status"] = view.plan_status
    return shown | {
        "notices": list(view.notices),
        "facts": [fact(item, value) for item, value in spoken if value is not None],
    }


def encode(shown: dict[str, Any]) -> bytes:
    """The bytes that are sent, entered and digested."""
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
