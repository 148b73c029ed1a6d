"""One child, one permit, and decision rows written by hand: what PostgreSQL is asked to refuse."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from consent.vocabulary import Purpose
from gateway.store.engine import Role
from mappings.record.category import Category
from tests.gateway.family import LAW, Family

BODIES = "SELECT assertion_id, body FROM assertion"


class Case:
    """A child with a school fact and a health fact of its own, and a permit for School."""

    def __init__(self, family: Family, source: str, recipient: str) -> None:
        self.family, self.recipient = family, recipient
        (self.fact,) = family.states(source, Category.SCHOOL)
        family.states(source, Category.HEALTH)
        self.permit = family.permits(recipient)

    def columns(self, connection: Connection, **changes: Any) -> dict[str, Any]:
        """A decision row as the release would write it, but for `changes`."""
        at = connection.execute(text("SELECT statement_timestamp()")).scalar_one()
        epoch = connection.execute(
            text("SELECT epoch FROM consent_epoch WHERE child_id = :c"), {"c": self.family.child}
        ).scalar_one()
        return {
            "decision_id": uuid4(),
            "release_id": uuid4(),
            "child_id": self.family.child,
            "recipient": self.recipient,
            "purpose": Purpose.CARE_COORDINATION.value,
            "basis": "consent",
            "parts": ["plan"],
            "categories": ["school"],
            "directive_ids": [self.permit],
            "evidence_ids": [],
            "child_epoch": epoch,
            "agreement_epoch": 1,
            "rules_version": LAW.version,
            "outcome": "permit",
            "at": at,
            "expires": at + timedelta(seconds=60),
        } | changes

    def decide(self, connection: Connection, **changes: Any) -> UUID:
        """Write release and decision by hand; the release's id."""
        row = self.columns(connection, **changes)
        connection.execute(
            text(
                "INSERT INTO release (release_id, recipient, requester, purpose, at) "
                "VALUES (:release_id, :recipient, 'test', :purpose, :at) ON CONFLICT DO NOTHING"
            ),
            row,
        )
        names = ", ".join(row)
        connection.execute(
            text(f"INSERT INTO decision ({names}) VALUES ({', '.join(f':{name}' for name in row)})"), row
        )
        release_id: UUID = row["release_id"]
        return release_id


def read(connection: Connection, release_id: UUID | None, role: Role = Role.RELEASE) -> set[UUID]:
    """Every assertion the role is shown under this release."""
    connection.execute(text(f"SET LOCAL ROLE {role.value}"))
    if release_id is not None:
        connection.execute(text("SELECT set_config('planhub.release', :r, true)"), {"r": str(release_id)})
    return {row[0] for row in connection.execute(text(BODIES))}
