"""Plans and their versions: ids, states and digests. A version freezes assertion ids and never changes (domain.md §3.4)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, insert, select, update

from gateway.store.pipeline import Batch
from gateway.store.tables import assertion, plan, plan_version
from mappings.record.assertion import Quality, Status
from mappings.record.kind import Kind, Part
from mappings.record.lifecycle import PlanStatus


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A child's plan. `revision` rises with every change of the plan itself and is what If-Match is checked against."""

    child_id: UUID
    lead_org: str
    status: PlanStatus
    active_version: UUID | None
    next_review_at: datetime | None
    revision: int


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version: the assertions it froze, and an HMAC over them under the child's key."""

    plan_version_id: UUID
    child_id: UUID
    n: int
    status: PlanStatus
    proposed_by: str
    proposed_at: datetime
    activated_at: datetime | None
    assertion_ids: tuple[UUID, ...]
    digest: bytes


def find_plan(connection: Connection, child: UUID, *, lock: bool = False) -> PlanRow | None:
    """The child's plan, locked for a change where asked."""
    statement = select(plan).where(plan.c.child_id == child)
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        return None
    return PlanRow(
        row.child_id,
        row.lead_org,
        PlanStatus(row.status),
        row.active_version,
        row.next_review_at,
        row.revision,
    )


def open_plan(connection: Connection, child: UUID, lead_org: str, at: datetime) -> bool:
    """Begin a draft led by this agency; False where the child has a plan already."""
    if find_plan(connection, child) is not None:
        return False
    connection.execute(
        insert(plan).values(
            child_id=child, lead_org=lead_org, status=PlanStatus.DRAFT, revision=1, updated_at=at
        )
    )
    return True


def change_plan(
    connection: Connection,
    child: UUID,
    status: PlanStatus,
    at: datetime,
    *,
    active_version: UUID | None = None,
    next_review_at: datetime | None = None,
) -> None:
    """Move a plan on and raise its revision. What is not given stays as it is."""
    values: dict[str, object] = {"status": status, "updated_at": at, "revision": plan.c.revision + 1}
    if active_version is not None:
        values["active_version"] = active_version
    if next_review_at is not None:
        values["next_review_at"] = next_review_at
    connection.execute(update(plan).where(plan.c.child_id == child).values(**values))


def current_facts(connection: Connection, child: UUID) -> list[tuple[UUID, bytes]]:
    """Id and value digest of everything the plan now consists of, ordered by id; envelopes only, nothing is opened."""
    statement = (
        select(assertion.c.assertion_id, assertion.c.value_digest)
        .where(
            assertion.c.child_id == child,
            assertion.c.part == Part.PLAN,
            assertion.c.status == Status.CURRENT,
            assertion.c.quality != Quality.ENTERED_IN_ERROR,
        )
        .order_by(assertion.c.assertion_id)
    )
    return [(row[0], bytes(row[1])) for row in connection.execute(statement)]


HAPPENINGS = frozenset({Kind.GOAL_PROGRESS, Kind.SERVICE_DELIVERY, Kind.ATTENDANCE_SUMMARY})
"""What happens under a plan in force belongs to it at once; what is proposed waits for the next version."""


class InForce:
    """What the child's plan in force stands for today, asked for now and read later.

    What its version froze, what has corrected that since, and what has happened under it.
    """

    def __init__(self, statements: Batch, child: UUID) -> None:
        asked = {"child": child}
        self._frozen = statements.send(
            "SELECT v.assertion_ids FROM plan p JOIN plan_version v ON v.plan_version_id = p.active_version "
            "WHERE p.child_id = %(child)s",
            asked,
        )
        self._facts = statements.send(
            "SELECT assertion_id, kind, supersedes, status FROM assertion WHERE child_id = %(child)s AND part = 'plan'",
            asked,
        )

    def read(self) -> frozenset[UUID] | None:
        """The ids of its assertions; None where no plan is in force."""
        version = self._frozen.fetchone()
        if version is None:
            return None
        facts = self._facts.fetchall()
        corrected = {fact: supersedes for fact, _, supersedes, _ in facts if supersedes is not None}
        held = set(version[0])
        return frozenset(
            fact
            for fact, kind, _, status in facts
            if status == Status.CURRENT
            and (kind in HAPPENINGS or not held.isdisjoint(_line(fact, corrected)))
        )


def _line(one: UUID, corrected: Mapping[UUID, UUID]) -> Iterator[UUID]:
    """A fact and those it has corrected, one after another; a circle, which cannot be, would end it."""
    seen: set[UUID] = set()
    while one not in seen:
        yield one
        seen.add(one)
        one = corrected.get(one, one)


def add_version(connection: Connection, row: VersionRow) -> None:
    """Write a new version."""
    connection.execute(
        insert(plan_version).values(
            plan_version_id=row.plan_version_id,
            child_id=row.child_id,
            n=row.n,
            status=row.status,
            proposed_by=row.proposed_by,
            proposed_at=row.proposed_at,
            assertion_ids=list(row.assertion_ids),
            digest=row.digest,
        )
    )


def _version(row: RowMapping) -> VersionRow:
    return VersionRow(
        row["plan_version_id"],
        row["child_id"],
        row["n"],
        PlanStatus(row["status"]),
        row["proposed_by"],
        row["proposed_at"],
        row["activated_at"],
        tuple(row["assertion_ids"]),
        bytes(row["digest"]),
    )


def versions(connection: Connection, child: UUID) -> list[VersionRow]:
    """Every version of the child's plan, the newest first."""
    statement = select(plan_version).where(plan_version.c.child_id == child).order_by(plan_version.c.n.desc())
    return [_version(row) for row in connection.execute(statement).mappings()]


def find_version(connection: Connection, version: UUID) -> VersionRow | None:
    """One version by its id."""
    statement = select(plan_version).where(plan_version.c.plan_version_id == version)
    row = connection.execute(statement).mappings().first()
    return None if row is None else _version(row)


def change_version(
    connection: Connection, version: UUID, status: PlanStatus, activated_at: datetime | None = None
) -> None:
    """Set a version's status and, once, when it became active."""
    values: dict[str, object] = {"status": status}
    if activated_at is not None:
        values["activated_at"] = activated_at
    connection.execute(update(plan_version).where(plan_version.c.plan_version_id == version).values(**values))


def overdue(connection: Connection, at: datetime, most: int = 200) -> Sequence[UUID]:
    """Children whose plan's review is due; a review that is overdue never closes a plan by itself."""
    statement = (
        select(plan.c.child_id)
        .where(plan.c.status == PlanStatus.ACTIVE, plan.c.next_review_at <= at)
        .order_by(plan.c.next_review_at)
        .limit(most)
    )
    return [row[0] for row in connection.execute(statement)]
