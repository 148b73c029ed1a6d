"""Record views for the tests of outbound maps, of facts that invented agencies assert; `child` has a whole child's.

Only tests build views by hand; in the product `consent.projection` mints them from a live decision.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from mappings._mint import mint
from mappings.organization import Organization, Organizations
from mappings.record.assertion import check_value
from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from mappings.view import RecordView, ViewedAssertion

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SNOMED = "http://snomed.info/sct"

ORGANIZATIONS = Organizations(
    hub="Larkspur Success Plans",
    by_key={
        one.key: one
        for one in (
            Organization("district", "Larkspur School District", Category.SCHOOL),
            Organization("clinic", "Fernhill Family Clinic", Category.HEALTH),
            Organization("makers", "Makers Yard After School", Category.ACTIVITIES),
            Organization("harbor", "Harbor Light Counseling", Category.COUNSELING),
            Organization("haven", "Haven Street Shelter", Category.LIVING_SITUATION),
        )
    },
)


def fact(
    ref: str,
    kind: Kind,
    category: Category,
    value: Mapping[str, Any],
    *,
    org: str = "district",
    links: tuple[str, ...] = (),
    labels: Iterable[Label] = (Label.RESTRICTED,),
    regimes: Iterable[Regime] = (Regime.EDU,),
    quality: str = "unverified",
    days: int = 0,
) -> ViewedAssertion:
    """A viewed assertion whose value has passed its model, as everything in a view has."""
    checked, issues = check_value(kind, dict(value), kind)
    assert checked is not None, issues
    return ViewedAssertion(
        id=ref,
        kind=kind,
        category=category,
        value=checked,
        org=org,
        person=None,
        role=None,
        method="staff-entered",
        asserted_at=AT - timedelta(days=60 - days),
        effective=None,
        regimes=frozenset(regimes),
        labels=frozenset(labels),
        quality=quality,
        links=links,
    )


def view(
    facts: Iterable[ViewedAssertion],
    *,
    plan_status: str | None = "active",
    notices: tuple[str, ...] = (),
    recipient: str = "clinic",
) -> RecordView:
    """A view of exactly these facts."""
    return mint(
        decision_id=UUID("0192f0c1-0000-7000-8000-0000000000aa"),
        child_ref="k7Qm2-child",
        recipient=recipient,
        purpose="care-coordination",
        at=AT,
        expires=AT + timedelta(seconds=60),
        assertions=tuple(facts),
        notices=notices,
        plan_status=plan_status,
    )


def without(facts: Iterable[ViewedAssertion], *categories: Category) -> tuple[ViewedAssertion, ...]:
    """What a projection would leave: no fact of these categories, and no link to one."""
    kept = [one for one in facts if one.category not in categories]
    known = {one.id for one in kept}
    return tuple(replace(one, links=tuple(link for link in one.links if link in known)) for one in kept)
