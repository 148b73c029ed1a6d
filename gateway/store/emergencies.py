"""What was stated in an emergency, as rows: written once, then reviewed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from consent.emergency import Finding
from gateway.store.tables import emergency
from mappings.record.category import Category


@dataclass(frozen=True, slots=True)
class EmergencyRow:
    """One statement. `body` is sealed with the child's key; `finding` None while its review is open."""

    emergency_id: UUID
    child_id: UUID
    recipient: str
    requester: str
    purpose: str
    topics: frozenset[Category]
    stated_at: datetime
    expires_at: datetime
    body: bytes
    finding: Finding | None = None
    reviewed_by: str | None = None
    reviewed_at: datetime | None = None


def add_emergency(connection: Connection, row: EmergencyRow) -> None:
    """Write a new statement; its review is open from then on."""
    connection.execute(
        insert(emergency).values(
            emergency_id=row.emergency_id,
            child_id=row.child_id,
            recipient=row.recipient,
            requester=row.requester,
            purpose=row.purpose,
            categories=sorted(row.topics),
            stated_at=row.stated_at,
            expires_at=row.expires_at,
            body=row.body,
        )
    )


def find_emergency(
    connection: Connection, emergency_id: UUID, recipient: str | None = None
) -> EmergencyRow | None:
    """One statement; of this agency only, where one is named."""
    statement = select(emergency).where(emergency.c.emergency_id == emergency_id)
    if recipient is not None:
        statement = statement.where(emergency.c.recipient == recipient)
    row = connection.execute(statement).first()
    return None if row is None else _row(row)


def list_emergencies(connection: Connection, *, reviewed: bool) -> list[EmergencyRow]:
    """Those whose review is open, oldest first, or also those that are closed."""
    statement = select(emergency).order_by(emergency.c.stated_at, emergency.c.emergency_id)
    if not reviewed:
        statement = statement.where(emergency.c.finding.is_(None))
    return [_row(row) for row in connection.execute(statement)]


def close_review(
    connection: Connection, emergency_id: UUID, finding: Finding, by: str, at: datetime, note: bytes | None
) -> bool:
    """Close a review for good; False where it is closed, or there is none."""
    changed = connection.execute(
        update(emergency)
        .where(emergency.c.emergency_id == emergency_id, emergency.c.finding.is_(None))
        .values(finding=finding.value, reviewed_by=by, reviewed_at=at, review_note=note)
    )
    return changed.rowcount == 1


def _row(row: Any) -> EmergencyRow:
    return EmergencyRow(
        emergency_id=row.emergency_id,
        child_id=row.child_id,
        recipient=row.recipient,
        requester=row.requester,
        purpose=row.purpose,
        topics=frozenset(map(Category, row.categories)),
        stated_at=row.stated_at,
        expires_at=row.expires_at,
        body=bytes(row.body),
        finding=None if row.finding is None else Finding(row.finding),
        reviewed_by=row.reviewed_by,
        reviewed_at=row.reviewed_at,
    )
