"""Recalls: an agency that had received something on a permission that was ended is told so, and says what it did about it.

A recall holds ids only: its own, the agency's reference for the child, the permission's number, the deliveries it had. It is
queued in the transaction that ends the permission and goes by the agency's own connection like any delivery. It discloses
nothing, so no decision stands before it; that it was told is an entry, and so is the agency's answer. What an agency must
then do is in its agreement and its own records law.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from consent.directive import Directive
from consent.entry import DisclosureEntry, EntryKind
from consent.vocabulary import Basis
from gateway.exchange.context import Hub
from gateway.exchange.journal import child_tag, keys_for, seal_entry
from gateway.exchange.sequence import sequence
from gateway.exchange.wording import receipt_number
from gateway.store import outbox, people
from gateway.store.epochs import SHARE_CHILDREN
from gateway.store.ledger import append_pending
from gateway.store.outbox import NewDelivery, Topic
from gateway.store.pipeline import batch
from mappings.record.category import Category


class Done(StrEnum):
    """What an agency says it did with what it had."""

    DELETED = "deleted"
    QUARANTINED = "quarantined"  # kept where nobody uses it
    KEPT = "kept"  # its records law makes it keep what it has
    HAD_NOTHING = "had-nothing"


DONE_TEXT: Mapping[Done, str] = {
    Done.DELETED: "what it had was deleted",
    Done.QUARANTINED: "what it had was put where nobody uses it",
    Done.KEPT: "the law makes it keep what it had; nothing new is added",
    Done.HAD_NOTHING: "it had nothing",
}
RECEIVED_TEXT = "it received the recall"


@dataclass(frozen=True, slots=True)
class Recall:
    """One recall: `recall_id` is its delivery's, `directive_id` the permission that ended at `ended_at`."""

    recall_id: UUID
    recipient: str
    child_id: UUID
    directive_id: UUID
    ended_at: datetime

    @property
    def permission(self) -> str:
        """The permission's receipt number."""
        return receipt_number(self.directive_id)


_RECEIVED = text("""
    WITH flow AS (
        SELECT kind, recipient FROM ledger_entry WHERE child_id = :child
        UNION ALL SELECT kind, recipient FROM ledger_pending WHERE child_id = :child
    )
    SELECT DISTINCT d.recipient,
        coalesce(
            (SELECT s.connection FROM delivery s WHERE s.recipient = d.recipient AND s.child_id = :child
                AND s.state = 'delivered' AND s.topic <> 'recall' ORDER BY s.updated_at DESC LIMIT 1),
            (SELECT min(u.connection) FROM subscription u WHERE u.org = d.recipient AND u.status = 'active'),
            '')
    FROM decision d
    WHERE d.child_id = :child AND d.basis = 'consent' AND :directive = ANY (d.directive_ids)
        AND (SELECT count(*) FILTER (WHERE f.kind = 'disclosure') > count(*) FILTER (WHERE f.kind = 'not_sent')
             FROM flow f WHERE f.recipient = d.recipient)
    ORDER BY 1
""")
"""Who was let have something by this directive, where of all that was on its way to them something left; and by which way."""


def queue(hub: Hub, conn: Connection, ended: Directive, at: datetime) -> tuple[Recall, ...]:
    """Queue a recall for each agency that had something by this permission, behind the child's lock."""
    where = {"child": ended.child_id, "directive": ended.directive_id}
    recalls = []
    for recipient, connection in conn.execute(_RECEIVED, where).all():
        recall = Recall(hub.ids(), recipient, ended.child_id, ended.directive_id, at)
        purpose = min(ended.purposes).value
        new = NewDelivery(
            recall.recall_id,
            recipient,
            ended.child_id,
            connection,
            Topic.RECALL,
            ended.directive_id,
            purpose,
        )
        outbox.enqueue(conn, new, at)
        recalls.append(recall)
    return tuple(recalls)


_OPEN = """
    SELECT d.delivery_id, d.recipient, d.child_id, d.subject_id, coalesce(g.ended_at, d.created_at)
    FROM delivery d LEFT JOIN directive g ON g.directive_id = d.subject_id
    WHERE d.recipient = :org AND d.topic = 'recall'
"""
_UNANSWERED = text(
    _OPEN
    + """ AND NOT EXISTS (SELECT FROM ledger_entry e WHERE e.child_id = d.child_id AND e.kind = 'acknowledged'
        AND e.subject = d.delivery_id)
    ORDER BY d.delivery_id LIMIT :most"""
)
_ONE = text(_OPEN + " AND d.delivery_id = :recall")


def unanswered(hub: Hub, org: str, most: int) -> tuple[Recall, ...]:
    """The recalls this agency has not yet answered, oldest first; those of an erased child are answered by its erasure."""
    with hub.db.transaction() as conn:
        rows = conn.execute(_UNANSWERED, {"org": org, "most": most}).all()
    known = hub.keys.get_many([row[2] for row in rows])
    return tuple(Recall(*row) for row in rows if row[2] in known)


def find(conn: Connection, org: str, recall_id: UUID) -> Recall | None:
    """This agency's recall; None for another's and for none."""
    row = conn.execute(_ONE, {"org": org, "recall": recall_id}).first()
    return None if row is None else Recall(*row)


_HAD = text(
    "SELECT delivery_id FROM delivery WHERE recipient = :org AND child_id = :child AND state = 'delivered' "
    "AND topic <> 'recall' AND ledger_seq IS NOT NULL ORDER BY delivery_id"
)


def notice(hub: Hub, recall: Recall) -> dict[str, Any]:
    """What the agency is told, ids only; `deliveries` are those that reached it about this child, by their own ids."""
    secret = hub.keys.deployment_secret(people.SECRET)
    with hub.db.transaction() as conn:
        had = conn.execute(_HAD, {"org": recall.recipient, "child": recall.child_id}).scalars().all()
    return {
        "recall": str(recall.recall_id),
        "child": people.reference(secret, recall.recipient, recall.child_id),
        "permission": recall.permission,
        "ended_at": recall.ended_at.isoformat(),
        "deliveries": [str(one) for one in had],
        "acknowledge": f"/v1/recalls/{recall.recall_id}/acknowledgement",
    }


def enter_told(hub: Hub, recall: Recall, *, requester: str, payload_sha256: str | None) -> int | None:
    """Enter that the agency was told; the entry's number, None where the child was erased in the meantime."""
    return _enter(
        hub,
        recall,
        EntryKind.RECALL,
        requester=requester,
        description="a permission was ended",
        payload_sha256=payload_sha256,
    )


def enter_received(hub: Hub, recall: Recall, *, requester: str) -> int | None:
    """Enter that the agency's own system answered that it has the recall; what it did about it is still open."""
    return _enter(
        hub,
        recall,
        EntryKind.ACKNOWLEDGED,
        requester=requester,
        description=RECEIVED_TEXT,
        subject=recall.directive_id,
    )


def acknowledge(hub: Hub, org: str, recall_id: UUID, done: Done, *, requester: str) -> int | None:
    """Enter what the agency says it did; the entry's number. None where the recall is not this agency's, or of an erased child.

    It may answer again when it has done more; every answer is an entry.
    """
    with hub.db.transaction() as conn:
        recall = find(conn, org, recall_id)
    if recall is None:
        return None
    return _enter(hub, recall, EntryKind.ACKNOWLEDGED, requester=requester, description=DONE_TEXT[done])


def _enter(
    hub: Hub,
    recall: Recall,
    kind: EntryKind,
    *,
    requester: str,
    description: str,
    payload_sha256: str | None = None,
    subject: UUID | None = None,
) -> int | None:
    key = keys_for(hub, [recall.child_id]).get(recall.child_id)
    if key is None:
        return None
    entry_id = hub.ids()
    with hub.db.transaction() as conn:
        with batch(conn) as statements:
            statements.send(SHARE_CHILDREN, {"children": [recall.child_id]})
        row = conn.execute(_ABOUT, {"directive": recall.directive_id, "org": recall.recipient}).one()
        entry = DisclosureEntry(
            kind=kind,
            at=hub.clock(),
            child_tag=child_tag(key),
            requester=requester,
            recipient=recall.recipient,
            purpose=row.purposes[0],
            basis=Basis.CONSENT,
            directive_ids=(recall.directive_id,),
            categories=tuple(map(Category, row.categories)),
            description=description,
            payload_sha256=payload_sha256,
            decision_id=recall.recall_id,
            rules_version=hub.rules.version.hex(),
            child_epoch=row.epoch,
            agreement_epoch=row.agreement_epoch,
        )
        about = recall.recall_id if subject is None else subject
        append_pending(conn, [seal_entry(key, entry, entry_id=entry_id, subject=about)])
    return sequence(hub, [entry_id])[entry_id]


_ABOUT = text(
    "SELECT g.purposes, g.categories, e.epoch, "
    "coalesce((SELECT a.epoch FROM agreement_epoch a WHERE a.org = :org), 0) AS agreement_epoch "
    "FROM directive g JOIN consent_epoch e ON e.child_id = g.child_id WHERE g.directive_id = :directive"
)
