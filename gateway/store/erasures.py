"""Legal holds and erasures as rows, and what bears on whether a record may be erased."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select, text, update

from gateway.store.tables import erasure, legal_hold
from mappings.record.regime import Regime


@dataclass(frozen=True, slots=True)
class Hold:
    """One legal hold, standing or lifted."""

    hold_id: UUID
    child_id: UUID
    set_by: str
    set_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Erasure:
    """One erasure, asked for and perhaps confirmed."""

    erasure_id: UUID
    child_id: UUID
    asked_by: str
    asked_at: datetime
    confirmed_by: str | None
    confirmed_at: datetime | None


def add_hold(connection: Connection, hold: Hold) -> None:
    """Write a new hold."""
    values = {"hold_id": hold.hold_id, "child_id": hold.child_id}
    connection.execute(insert(legal_hold).values(values | {"set_by": hold.set_by, "set_at": hold.set_at}))


def lift_hold(connection: Connection, child_id: UUID, hold_id: UUID, by: str, at: datetime) -> bool:
    """End a standing hold of this child; False where there is none of that id."""
    ended = connection.execute(
        update(legal_hold)
        .where(
            legal_hold.c.hold_id == hold_id,
            legal_hold.c.child_id == child_id,
            legal_hold.c.lifted_at.is_(None),
        )
        .values(lifted_by=by, lifted_at=at)
    )
    return ended.rowcount == 1


def holds(connection: Connection, child_id: UUID) -> list[Hold]:
    """The child's standing holds, oldest first."""
    rows = connection.execute(
        select(legal_hold)
        .where(legal_hold.c.child_id == child_id, legal_hold.c.lifted_at.is_(None))
        .order_by(legal_hold.c.set_at, legal_hold.c.hold_id)
    )
    return [Hold(*row) for row in rows]


def add_erasure(connection: Connection, asked: Erasure) -> None:
    """Write that an erasure was asked for."""
    connection.execute(
        insert(erasure).values(
            erasure_id=asked.erasure_id,
            child_id=asked.child_id,
            asked_by=asked.asked_by,
            asked_at=asked.asked_at,
        )
    )


def find_erasure(connection: Connection, child_id: UUID) -> Erasure | None:
    """The child's erasure, if one was asked for."""
    row = connection.execute(select(erasure).where(erasure.c.child_id == child_id)).first()
    return None if row is None else Erasure(*row)


def confirm_erasure(connection: Connection, erasure_id: UUID, by: str, at: datetime) -> None:
    """Write who confirmed; the database takes nobody who asked."""
    connection.execute(
        update(erasure).where(erasure.c.erasure_id == erasure_id).values(confirmed_by=by, confirmed_at=at)
    )


_FLOWS = "('request', 'disclosure', 'deny', 'break_glass', 'recall', 'acknowledged', 'withheld', 'not_sent')"
_LAST = text(f"""
    SELECT max(at) FROM (
        SELECT max(received_at) AS at FROM assertion WHERE child_id = :child
        UNION ALL SELECT max(at) FROM ledger_entry WHERE child_id = :child AND kind IN {_FLOWS}
        UNION ALL SELECT max(at) FROM ledger_pending WHERE child_id = :child AND kind IN {_FLOWS}
        UNION ALL SELECT created_at FROM child WHERE child_id = :child
    ) AS happened""")  # noqa: S608  # constants only


def last_happening(connection: Connection, child_id: UUID) -> datetime | None:
    """When the child's record was last added to or asked for; None for a child nobody knows."""
    found: datetime | None = connection.execute(_LAST, {"child": child_id}).scalar_one()
    return found


def regimes(connection: Connection, child_id: UUID) -> tuple[frozenset[Regime], frozenset[Regime]]:
    """The regimes of all the child's facts, and of those that have not ended."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT unnest(regimes) AS regime, status = 'current' FROM assertion WHERE child_id = :child"
        ),
        {"child": child_id},
    ).all()
    return frozenset(Regime(one) for one, _ in rows), frozenset(Regime(one) for one, now in rows if now)


def forget_searches(connection: Connection, child_id: UUID) -> int:
    """Delete the keyed hashes of names, dates and numbers by which the child's records could be found; how many."""
    gone = connection.execute(
        text(
            "DELETE FROM identity_key k USING identity_link l "
            "WHERE l.child_id = :child AND k.source_identity_id = l.source_identity_id"
        ),
        {"child": child_id},
    )
    return gone.rowcount
