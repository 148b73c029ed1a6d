"""The plan: contributing to it, proposing a version, and the lead agency making it active (domain.md §3.4).

Every agency contributes assertions; two at once both stand. Only the proposal is guarded against a stale reader. Whether a
plan may become active is read through the lead agency's own view: a part it may not see cannot count for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, select

from gateway.exchange.context import Hub
from gateway.store import outbox, plans, records, tables
from gateway.store.childkey import ChildKey
from gateway.store.outbox import NewDelivery, Topic
from gateway.store.records import Fact
from mappings.record.assertion import AssertedBy, Draft, Status, StoredAssertion
from mappings.record.category import Category
from mappings.record.contribution import Contribution, to_draft
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.kind import Part
from mappings.record.lifecycle import Lack, PlanStatus, advance_plan
from mappings.record.regime import Regime


class Refused(StrEnum):
    """Why a step of the plan was not taken."""

    NO_PLAN = "no-plan"
    NOT_LEAD = "not-lead"
    NOTHING = "nothing-to-propose"
    STATE = "illegal-state"
    LACKS = "lacks"


@dataclass(frozen=True, slots=True)
class Contributed:
    """Ids of the new facts, in the order given; None where one was not accepted, with its issues."""

    ids: tuple[UUID | None, ...]
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Proposed:
    """A version now waiting for the family's answer."""

    plan_version_id: UUID
    n: int


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A step that was not taken; `lacks` where the plan is not complete enough to be active."""

    why: Refused
    lacks: tuple[Lack, ...] = ()


@dataclass(frozen=True, slots=True)
class Contributor:
    """The agency that speaks: its regimes and the category of what it does."""

    org: str
    programme: Category
    regimes: frozenset[Regime]


def contributor(conn: Connection, org: str) -> Contributor:
    """What the hub knows of an agency that contributes."""
    row = conn.execute(
        select(tables.org.c.programme_category, tables.org.c.regimes).where(tables.org.c.org == org)
    ).one()
    return Contributor(org, Category(row.programme_category), frozenset(Regime(r) for r in row.regimes))


def contribute(
    hub: Hub,
    org: str,
    child: UUID,
    given: Sequence[Contribution],
    known: dict[str, UUID],
    new_ids: Sequence[UUID] | None = None,
) -> Contributed:
    """Add these facts to the child's record. `known` turns the ids the agency uses into ours, for links and corrections.

    With `new_ids` a repeated call adds nothing the second time: they are the facts' ids, the same at each try.

    A correction supersedes only what the same agency stated. Facts that cannot be accepted are left out with an issue; the
    others stand.
    """
    now = hub.clock()
    key = hub.keys.get(child)
    with hub.db.transaction() as conn:
        who = contributor(conn, org)
        here = records.envelopes(conn, [child], status=None)
        own = {e.assertion_id for e in here if e.org == org and e.status == Status.CURRENT}
        kept = {e.assertion_id for e in here}
        facts: list[Fact] = []
        ids: list[UUID | None] = []
        issues: list[Issue] = []
        for n, one in enumerate(given):
            draft, found = to_draft(one, who.programme, f"contributions.{n}")
            wrong = _unknown_references(one, known, own, f"contributions.{n}")
            issues += [*found, *wrong]
            if draft is None or wrong:
                ids.append(None)
                continue
            new_id = new_ids[n] if new_ids else hub.ids()
            ids.append(new_id)
            if new_id not in kept:
                facts.append(_fact(new_id, key, who, one, draft, known, now))
        records.append(conn, facts)
        if facts:
            announce(hub, conn, child, now, but=org)
    return Contributed(tuple(ids), tuple(issues))


def _unknown_references(one: Contribution, known: dict[str, UUID], own: set[UUID], path: str) -> list[Issue]:
    def issue(field: str, text: str) -> Issue:
        return Issue(
            severity=Severity.ERROR, code=IssueCode.UNRESOLVED_REFERENCE, path=f"{path}.{field}", text=text
        )

    found = [issue("links", "no fact you can see has this id") for link in one.links if link not in known]
    if one.supersedes is not None and known.get(one.supersedes) not in own:
        found.append(issue("supersedes", "only a fact your own agency stated can be replaced"))
    return found


def _fact(
    new_id: UUID,
    key: ChildKey,
    who: Contributor,
    one: Contribution,
    draft: Draft,
    known: dict[str, UUID],
    now: datetime,
) -> Fact:
    return Fact(
        key,
        StoredAssertion(
            assertion_id=new_id,
            child_id=key.child_id,
            kind=draft.kind,
            category=draft.category,
            value=draft.value,
            asserted_by=AssertedBy(org=who.org, person=one.person, role=one.role),
            method=draft.method,
            asserted_at=now,
            received_at=now,
            effective=draft.effective,
            regimes=draft.regimes or who.regimes,
            labels=draft.labels,
            supersedes=known[one.supersedes] if one.supersedes else None,
            links=tuple(known[link] for link in one.links),
        ),
    )


def begin(hub: Hub, lead_org: str, child: UUID) -> bool:
    """Begin a draft plan led by this agency; False where the child has a plan already."""
    with hub.db.transaction() as conn:
        return plans.open_plan(conn, child, lead_org, hub.clock())


def propose(hub: Hub, org: str, child: UUID) -> Proposed | NotTaken:
    """Freeze what the plan now consists of as a version for the family to answer.

    The first to propose leads the plan unless another agency does already. A proposal that waits is replaced by the newer one.
    """
    now = hub.clock()
    key = hub.keys.get(child)
    with hub.db.transaction() as conn:
        plans.open_plan(conn, child, org, now)
        plan = plans.find_plan(conn, child, lock=True)
        assert plan is not None
        facts = plans.current_facts(conn, child)
        if not facts:
            return NotTaken(Refused.NOTHING)
        if plan.status is PlanStatus.DRAFT:
            plans.change_plan(conn, child, PlanStatus.PROPOSED, now)
        elif plan.status not in {PlanStatus.PROPOSED, PlanStatus.ACTIVE, PlanStatus.IN_REVIEW}:
            return NotTaken(Refused.STATE)
        earlier = plans.versions(conn, child)
        for version in earlier:
            if version.status is PlanStatus.PROPOSED:
                plans.change_version(conn, version.plan_version_id, PlanStatus.REVOKED)
        row = plans.VersionRow(
            plan_version_id=hub.ids(),
            child_id=child,
            n=earlier[0].n + 1 if earlier else 1,
            status=PlanStatus.PROPOSED,
            proposed_by=org,
            proposed_at=now,
            activated_at=None,
            assertion_ids=tuple(fact for fact, _ in facts),
            digest=key.digest(b"".join(fact.bytes + digest for fact, digest in facts)),
        )
        plans.add_version(conn, row)
        return Proposed(row.plan_version_id, row.n)


def activate(
    hub: Hub, org: str, child: UUID, lacks: tuple[Lack, ...], next_review_at: datetime | None
) -> Proposed | NotTaken:
    """Make the proposed version the plan in force; the one before it is superseded.

    `lacks` is what the lead agency's view of the plan still misses (`mappings.record.lifecycle.lacks_for_active`), read by the
    caller under a decision of its own.
    """
    now = hub.clock()
    with hub.db.transaction() as conn:
        plan = plans.find_plan(conn, child, lock=True)
        if plan is None:
            return NotTaken(Refused.NO_PLAN)
        if plan.lead_org != org:
            return NotTaken(Refused.NOT_LEAD)
        waiting = next((v for v in plans.versions(conn, child) if v.status is PlanStatus.PROPOSED), None)
        if waiting is None:
            return NotTaken(Refused.STATE)
        if lacks:
            return NotTaken(Refused.LACKS, lacks)
        if isinstance(advance_plan(PlanStatus.PROPOSED, PlanStatus.ACTIVE), Issue):
            return NotTaken(Refused.STATE)
        if plan.active_version is not None:
            plans.change_version(conn, plan.active_version, PlanStatus.SUPERSEDED)
        plans.change_version(conn, waiting.plan_version_id, PlanStatus.ACTIVE, now)
        plans.change_plan(
            conn,
            child,
            PlanStatus.ACTIVE,
            now,
            active_version=waiting.plan_version_id,
            next_review_at=next_review_at,
        )
        announce(hub, conn, child, now)
        return Proposed(waiting.plan_version_id, waiting.n)


def announce(
    hub: Hub, conn: Connection, child: UUID, now: datetime, *, but: str | None = None
) -> tuple[UUID, ...]:
    """Queue the plan in force for every agency that asked to be sent plans; ids only, decided again at each send."""
    plan = plans.find_plan(conn, child)
    if plan is None or plan.active_version is None:
        return ()
    s = tables.subscription
    asked = conn.execute(
        select(s.c.org, s.c.connection, s.c.purpose)
        .where(s.c.status == "active", s.c.parts.contains([Part.PLAN.value]), s.c.org != (but or ""))
        .order_by(s.c.org, s.c.connection)  # two who announce at once take the lanes' locks in one order
    )
    return tuple(
        outbox.enqueue(
            conn,
            NewDelivery(
                delivery_id=hub.ids(),
                recipient=row.org,
                child_id=child,
                connection=row.connection,
                topic=Topic.PLAN,
                subject_id=child,
                purpose=row.purpose,
            ),
            now,
        )
        for row in asked.all()
    )
