"""All that bears on a decision, read behind the epoch lock in one round trip: the argument of `consent.decision.decide`."""

from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from consent.agreement import Agreement
from consent.guardian import ChildFacts, Restraint
from consent.law import Law
from consent.request import Snapshot
from gateway.store.childkey import ChildKey
from gateway.store.directives import open_child_facts, open_directive, open_link
from gateway.store.epochs import SHARE_AGREEMENT, SHARE_CHILDREN
from gateway.store.pipeline import Batch
from mappings.record.category import Category

Made = TypeVar("Made")

# One statement for what lies in clear and one for what is sealed, rows as JSON: on this path a statement costs more than what
# it reads. Keys are those of the models of `consent`.
_CLEAR = """SELECT statement_timestamp(),
(SELECT rules_version FROM rules_in_force),
(SELECT json_agg(found) FROM (
    SELECT agreement AS agreement_id, org, hub_role, purposes, categories, valid_from, valid_until, status
    FROM agreement WHERE org = %(recipient)s) AS found),
(SELECT json_agg(found) FROM (
    SELECT c.child_id, c.state, r.ref AS child_ref, p.status AS plan_status, EXISTS (
        SELECT FROM assertion a WHERE a.child_id = c.child_id AND a.org = %(recipient)s AND a.status = 'current'
    ) AS has_stated
    FROM child c
    LEFT JOIN pairwise_ref r ON r.child_id = c.child_id AND r.org = %(recipient)s
    LEFT JOIN plan p ON p.child_id = c.child_id
    WHERE c.child_id = ANY(%(children)s)) AS found),
(SELECT json_object_agg(org, programme_category) FROM org),
(SELECT status FROM org WHERE org = %(recipient)s),
(SELECT json_agg(found) FROM (
    SELECT c.child_id, i.review_id
    FROM review_item i
    JOIN source_identity s ON s.source_identity_id = i.source_identity_id
    JOIN unnest(%(children)s::uuid[]) AS c (child_id) ON c.child_id = s.sealed_for OR c.child_id = ANY(i.candidates)
    WHERE i.review_id = ANY(%(reviews)s) AND i.state = 'open') AS found),
(SELECT reason FROM ledger_halt)"""

_SEALED = """SELECT
(SELECT json_agg(found) FROM (
    SELECT directive_id, child_id, effect, disclosers, recipient, categories, purposes, regimes, valid_from, valid_until,
        state, signer_link, supersedes, recorded_at, ended_at AS revoked_at, encode(body, 'base64') AS body
    FROM directive WHERE child_id = ANY(%(children)s)) AS found),
(SELECT json_agg(found) FROM (
    SELECT guardian_link_id, child_id, kind, authority, valid_from, valid_until, verified_by, verified_at,
        encode(body, 'base64') AS body
    FROM guardian_link WHERE child_id = ANY(%(children)s)) AS found),
(SELECT json_agg(found) FROM (
    SELECT restraint_id, child_id, kind, guardian_link_id, recipient, categories, valid_from, valid_until
    FROM restraint WHERE child_id = ANY(%(children)s)) AS found),
(SELECT json_agg(found) FROM (
    SELECT child_id, encode(body, 'base64') AS body
    FROM child_fact WHERE child_id = ANY(%(children)s)) AS found)"""


@dataclass(frozen=True, slots=True)
class Standing:
    """One child as the snapshot found it: its snapshot, its state, this recipient's reference for it, its plan's status.

    `has_stated` says whether facts of this recipient's own stand in the record.
    """

    snapshot: Snapshot
    state: str | None
    child_ref: str | None
    plan_status: str | None
    has_stated: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read behind the locks, at one instant of the database's clock.

    `programmes` says which topic each agency's name reveals, `active` whether the recipient is an agency of this
    community now, `open_reviews` which of the named reviews are open, and about which child; `halted` why the ledger may not be
    signed, so that nothing can leave.
    """

    at: datetime
    rules_version: bytes | None
    children: Mapping[UUID, Standing]
    programmes: Mapping[str, Category]
    active: bool
    open_reviews: frozenset[tuple[UUID, UUID]]
    halted: str | None


class SnapshotReading:
    """The statements of one snapshot, sent with the batch that takes the locks; `read` waits for their results.

    The locks come first, each in its own statement. Sealed parts are read under `planhub_consent`, and the role is left
    again before the batch ends.
    """

    def __init__(
        self, statements: Batch, children: Sequence[UUID], recipient: str, reviews: Sequence[UUID] = ()
    ) -> None:
        values: dict[str, Any] = {
            "children": list(children),
            "recipient": recipient,
            "reviews": list(reviews),
        }
        self._children = children
        self._recipient = recipient
        self._epochs = statements.send(SHARE_CHILDREN, values)
        self._agreement_epoch = statements.send(SHARE_AGREEMENT, values)
        self._clear = statements.send(_CLEAR, values)
        statements.send("SET LOCAL ROLE planhub_consent")
        self._sealed = statements.send(_SEALED, values)
        statements.send("SET LOCAL ROLE NONE")

    def read(self, keys: Mapping[UUID, ChildKey], law: Law) -> Seen:
        """The snapshot of every child asked for. One whose key is gone, or who is not there, has an empty one."""
        epochs: dict[UUID, int] = dict(self._epochs.fetchall())
        agreement_epoch = (self._agreement_epoch.fetchone() or (0,))[0]
        clear, sealed = self._clear.fetchone(), self._sealed.fetchone()
        assert clear is not None  # a SELECT without FROM has one row
        assert sealed is not None
        at, rules_version, agreements, known, programmes, status, reviews, halted = clear
        held = tuple(_agreement(row) for row in agreements or ())
        directives = _by_child(sealed[0], keys, open_directive)
        links = _by_child(sealed[1], keys, open_link)
        restraints = _by_child(sealed[2], keys, _restraint)
        facts = _by_child(sealed[3], keys, _facts)
        about = {UUID(row["child_id"]): row for row in known or ()}
        children = {}
        for child in self._children:
            snapshot = Snapshot(
                child=next(iter(facts.get(child, ())), ChildFacts(child, None, UTC)),
                recipient=self._recipient,
                directives=tuple(directives.get(child, ())),
                links=tuple(links.get(child, ())),
                restraints=tuple(restraints.get(child, ())),
                agreements=held,
                child_epoch=epochs.get(child, 0),
                agreement_epoch=agreement_epoch,
                law=law,
            )
            row = about.get(child, {})
            children[child] = Standing(
                snapshot,
                row.get("state"),
                row.get("child_ref"),
                row.get("plan_status"),
                row.get("has_stated", False),
            )
        return Seen(
            at=at,
            rules_version=None if rules_version is None else bytes(rules_version),
            children=children,
            programmes={org: Category(topic) for org, topic in (programmes or {}).items()},
            active=status == "active",
            open_reviews=frozenset((UUID(row["child_id"]), UUID(row["review_id"])) for row in reviews or ()),
            halted=halted,
        )


def _by_child(
    rows: Iterable[dict[str, Any]] | None,
    keys: Mapping[UUID, ChildKey],
    make: Callable[[ChildKey, dict[str, Any], bytes], Made],
) -> dict[UUID, list[Made]]:
    """Rows as models, per child; a child whose key was destroyed has none."""
    made: dict[UUID, list[Made]] = {}
    for clear in rows or ():
        child = UUID(clear["child_id"])
        key = keys.get(child)
        if key is not None:
            made.setdefault(child, []).append(make(key, clear, b64decode(clear.pop("body", ""))))
    return made


def _restraint(_: ChildKey, clear: dict[str, Any], __: bytes) -> Restraint:
    return Restraint.model_validate(clear)


def _facts(key: ChildKey, _: dict[str, Any], sealed: bytes) -> ChildFacts:
    return open_child_facts(key, key.child_id, sealed)


def _agreement(clear: dict[str, Any]) -> Agreement:
    return Agreement.model_validate(clear)
