"""Identities a person has to place: opened with their candidates, closed with who decided."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY

from gateway.store.tables import review_item
from gateway.store.tables.base import Uuid


class ReviewState(StrEnum):
    """Whether a person has decided."""

    OPEN = "open"
    DECIDED = "decided"


def put_in_review(
    connection: Connection,
    review_id: UUID,
    identity: UUID,
    candidates: Sequence[UUID],
    rule: str,
    at: datetime,
) -> None:
    """Open an identity's review, or open it again with other candidates."""
    connection.execute(
        text(
            "INSERT INTO review_item (review_id, source_identity_id, candidates, rule, state, created_at) "
            "VALUES (:id, :identity, :candidates, :rule, 'open', :at) ON CONFLICT (source_identity_id) DO UPDATE SET "
            "candidates = excluded.candidates, rule = excluded.rule, state = 'open', decided_by = NULL, decided_at = NULL"
        ).bindparams(bindparam("candidates", type_=ARRAY(Uuid))),
        {"id": review_id, "identity": identity, "candidates": list(candidates), "rule": rule, "at": at},
    )


def close_review(connection: Connection, source_identity_id: UUID, by: str, at: datetime) -> None:
    """Mark an identity's review as decided."""
    connection.execute(
        update(review_item)
        .where(review_item.c.source_identity_id == source_identity_id)
        .values(state=ReviewState.DECIDED.value, decided_by=by, decided_at=at)
    )


def open_reviews(connection: Connection, ids: Collection[UUID] | None = None) -> list[RowMapping]:
    """Reviews nobody has decided, oldest first; those of these identities where named."""
    statement = select(review_item).where(review_item.c.state == ReviewState.OPEN.value)
    if ids is not None:
        statement = statement.where(
            review_item.c.source_identity_id == func.any(bindparam(None, list(ids), type_=ARRAY(Uuid)))
        )
    return list(connection.execute(statement.order_by(review_item.c.created_at)).mappings())


def find_review(connection: Connection, review_id: UUID, *, lock: bool = False) -> RowMapping | None:
    """One review, locked against a second decision where asked."""
    statement = select(review_item).where(review_item.c.review_id == review_id)
    if lock:
        statement = statement.with_for_update()
    return connection.execute(statement).mappings().first()
