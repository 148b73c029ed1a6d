"""Requests that may arrive twice: the first answer is kept and given again (IETF draft Idempotency-Key header).

What is kept holds ids and states only, never a child's content. A request whose process died before it answered may be tried
again after a while; what it writes must itself be repeatable.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.store.tables import idempotency

KEPT = timedelta(days=2)
ABANDONED = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is known of an earlier request under this key; `status` None while it is still running."""

    same_request: bool
    status: int | None
    answer: dict[str, Any] | None


def begin(conn: Connection, org: str, key: bytes, request: bytes, now: datetime) -> Earlier | None:
    """Take the key for this request, or what an earlier one left; digests only."""
    conn.execute(delete(idempotency).where(idempotency.c.org == org, idempotency.c.at < now - KEPT))
    values = {"org": org, "key_digest": key, "request_digest": request, "at": now}
    statement = insert(idempotency).values(**values)
    taken = conn.execute(
        statement.on_conflict_do_update(
            index_elements=["org", "key_digest"],
            set_={"at": now},
            where=idempotency.c.status.is_(None)
            & (idempotency.c.at < now - ABANDONED)
            & (idempotency.c.request_digest == request),
        ).returning(idempotency.c.org)
    )
    if taken.first() is not None:
        return None
    row = conn.execute(
        select(idempotency.c.request_digest, idempotency.c.status, idempotency.c.answer).where(
            idempotency.c.org == org, idempotency.c.key_digest == key
        )
    ).one()
    return Earlier(bytes(row.request_digest) == request, row.status, row.answer)


def finish(conn: Connection, org: str, key: bytes, status: int, answer: dict[str, Any]) -> None:
    """Keep the answer."""
    conn.execute(
        update(idempotency)
        .where(idempotency.c.org == org, idempotency.c.key_digest == key)
        .values(status=status, answer=answer)
    )


def forget(conn: Connection, org: str, key: bytes) -> None:
    """Let go of a key whose request was refused: a corrected one may use it."""
    conn.execute(delete(idempotency).where(idempotency.c.org == org, idempotency.c.key_digest == key))
