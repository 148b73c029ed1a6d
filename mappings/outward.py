"""A record view as the plain JSON that outbound maps read: one array per kind, best assertion first.

Left out here, for every format: assertions entered in error, the keys by which a source knows a person or a service, and
whatever names an organisation this recipient may not hear of. Links stay as they are: those to assertions outside the view
are not in it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mappings.organization import Organizations
from mappings.record.assertion import Quality
from mappings.record.kind import Kind
from mappings.view import RecordView, ViewedAssertion

Value = dict[str, Any]
Change = Callable[[Kind, Value], Value]

_BEST_FIRST: Mapping[str, int] = {Quality.VERIFIED: 0, Quality.UNVERIFIED: 1, Quality.DISPUTED: 2}
_NEVER_LEAVES = frozenset({"person_key", "service_key"})


def in_order(view: RecordView) -> tuple[ViewedAssertion, ...]:
    """The assertions that may be rendered: the most reliable first, then the newest; the same for the same set."""
    kept = [item for item in view.assertions if item.quality != Quality.ENTERED_IN_ERROR]
    return tuple(
        sorted(kept, key=lambda item: (_BEST_FIRST[item.quality], -item.asserted_at.timestamp(), item.id))
    )


def outward_document(
    view: RecordView, organizations: Organizations, change: Change | None = None
) -> dict[str, Any]:
    """The source document; `change` is what a format makes of each value before its map reads it."""
    document: dict[str, list[Value]] = {str(kind).replace("-", "_"): [] for kind in Kind}
    for item in in_order(view):
        value = said(item, view, organizations)
        if value is not None:
            document[str(item.kind).replace("-", "_")].append(
                {**tagged(item), **(change(item.kind, value) if change else value)}
            )
    return document


def tagged(item: ViewedAssertion) -> Value:
    """What the engine tells an assertion by, and what maps may read beside its value."""
    return {
        "_id": item.id,
        "_category": str(item.category),
        "id": item.id,
        "asserted": item.asserted_at.date().isoformat(),
        "links": list(item.links),
    }


def said(item: ViewedAssertion, view: RecordView, organizations: Organizations) -> Value | None:
    """The value as this recipient may read it; None where nothing of it may be said."""
    value: Value = {name: member for name, member in item.value.items() if name not in _NEVER_LEAVES}
    seen = view.categories
    if item.kind is Kind.IDENTIFIER:
        if not all(organizations.may_say(value[name], seen) for name in ("system", "assigner")):
            return None
        value["assigner"] = organizations.name_of(value["assigner"])
    if item.kind is Kind.CARE_TEAM_MEMBER and "organization" in value:
        if not organizations.may_say(value["organization"], seen):
            return None
        value["organization"] = organizations.name_of(value["organization"])
    if item.kind is Kind.SUPPORT and "provider" in value:
        provider = value.pop("provider")
        if organizations.may_say(provider, seen):
            value["provider"] = organizations.name_of(provider)
    return value
