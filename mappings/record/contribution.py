"""What an agency adds to a plan by hand or by API: which kinds it may add, and the category each falls into.

The category of a fact without a fixed one follows its domain; a topic its author ticks, and a sensitivity label it carries,
can only make it stricter (ARCHITECTURE §4).
"""

from typing import Any

from pydantic import Field

from mappings.record.assertion import Draft, Method, check_value
from mappings.record.base import Period, Record
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.elements import required_category
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.kind import Kind
from mappings.record.plan import Domain
from mappings.record.sensitivity import Label, forced_category

CONTRIBUTABLE: frozenset[Kind] = frozenset(
    {
        Kind.ATTENDANCE_SUMMARY,
        Kind.CARE_TEAM_MEMBER,
        Kind.CONFERENCE,
        Kind.FAMILY_VOICE,
        Kind.GOAL,
        Kind.GOAL_PROGRESS,
        Kind.PLAN_TERMS,
        Kind.PROFILE_ITEM,
        Kind.REFERENCED_PLAN,
        Kind.SCREENING_REF,
        Kind.SERVICE_DELIVERY,
        Kind.SUPPORT,
        Kind.TIER_ASSESSMENT,
    }
)
"""Who the child is comes from the sources of record, and referrals have their own road: neither is contributed here."""

DOMAIN_CATEGORY: dict[Domain, Category] = {
    Domain.ACADEMIC: Category.SCHOOL,
    Domain.SOCIAL_EMOTIONAL: Category.FEELINGS,
    Domain.HEALTH: Category.HEALTH,
    Domain.FAMILY: Category.HOME,
    Domain.ENRICHMENT: Category.ACTIVITIES,
    Domain.SAFETY: Category.SAFETY,
}


class Contribution(Record):
    """One fact as an agency states it. `links` are the ids, as this agency knows them, of facts it belongs to.

    `topics` are ticked by its author; the strictest wins. `supersedes` replaces a fact the same agency stated earlier.
    """

    kind: Kind
    value: dict[str, Any]
    topics: tuple[Category, ...] = ()
    labels: tuple[Label, ...] = ()
    method: Method = Method.STAFF_ENTERED
    effective: Period | None = None
    role: str | None = Field(default=None, max_length=200)
    person: str | None = Field(default=None, max_length=200)
    links: tuple[str, ...] = Field(default=(), max_length=20)
    supersedes: str | None = None


def strictest(categories: frozenset[Category]) -> Category | None:
    """The one a fact takes when several topics apply: an extra-private one before any other, then the later in the enum."""
    order = list(Category)
    return max(categories, key=lambda c: (c in EXTRA_PRIVATE, order.index(c)), default=None)


def to_draft(given: Contribution, programme: Category, path: str) -> tuple[Draft | None, tuple[Issue, ...]]:
    """The contribution as a checked draft, or why not; `programme` is the category of what the agency does."""
    if given.kind not in CONTRIBUTABLE:
        text = f"a {given.kind} is not contributed here; it comes from a source of record or a referral"
        return None, (
            Issue(severity=Severity.ERROR, code=IssueCode.FORBIDDEN, path=f"{path}.kind", text=text),
        )
    value, issues = check_value(given.kind, given.value, f"{path}.value")
    if value is None:
        return None, issues
    labels = frozenset(given.labels) or frozenset({Label.RESTRICTED})
    draft = Draft(
        kind=given.kind,
        category=_category(given, value, programme, labels),
        value=value,
        labels=labels,
        method=given.method,
        effective=given.effective,
    )
    return draft, issues


def _category(
    given: Contribution, value: dict[str, Any], programme: Category, labels: frozenset[Label]
) -> Category:
    domain = value.get("domain")
    base = required_category(given.kind) or (DOMAIN_CATEGORY[Domain(domain)] if domain else programme)
    ticked = {base, *given.topics}
    forced = forced_category(labels)
    found = strictest(frozenset(ticked | ({forced} if forced else set())))
    assert found is not None
    return found
