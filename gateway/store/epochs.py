"""The counters a decision is bound to, and the locks on them (ARCHITECTURE §6: lock, then look).

Each lock is a statement of its own. Joining the locked row to what it protects would return the new counter with the old
rows: PostgreSQL re-reads the locked row after waiting, and nothing else.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from gateway.store.tables.base import Uuid

NOBODY = UUID(int=0)
"""The child that is none: asked in place of one nobody knows, so that the same statements run; its key is the hub's own."""

SHARE_CHILDREN = (
    "SELECT child_id, epoch FROM consent_epoch WHERE child_id = ANY(%(children)s) ORDER BY child_id FOR SHARE"
)
SHARE_AGREEMENT = "SELECT epoch FROM agreement_epoch WHERE org = %(recipient)s FOR SHARE"


def raise_epochs(connection: Connection, child_ids: Collection[UUID]) -> dict[UUID, int]:
    """Take these children's locks in ascending order and raise their counters; the new ones.

    First statement of whatever changes a directive, guardian link, order, hold or fact: every release under way has
    committed when it returns, and none begins to look before this transaction has ended.
    """
    ids = {"ids": list(child_ids)}
    array = bindparam("ids", type_=ARRAY(Uuid))
    connection.execute(
        text(
            "SELECT epoch FROM consent_epoch WHERE child_id = ANY(:ids) ORDER BY child_id FOR UPDATE"
        ).bindparams(array),
        ids,
    )
    raised = connection.execute(
        text(
            "UPDATE consent_epoch SET epoch = epoch + 1 WHERE child_id = ANY(:ids) RETURNING child_id, epoch"
        ).bindparams(array),
        ids,
    )
    return {row.child_id: row.epoch for row in raised}


def ascending(child_ids: Iterable[UUID]) -> list[UUID]:
    """Each child once, in the order every lock is taken in."""
    return sorted(set(child_ids))
