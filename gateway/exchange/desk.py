"""The reviewers' desk: which records wait for a person, on which evidence, and who they may be, shown side by side.

A list says rules and signs, never a value. Showing who the children are is a read on the basis steward: each child shown has
its entry in the log before anything is opened, and the review is what it rests on.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from consent.entry import EntryKind
from consent.vocabulary import Basis, Purpose
from gateway.exchange import match
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Released, ReleaseRequest, Rendered
from gateway.exchange.release import release_each
from gateway.store import identities, ledger, tables
from gateway.store.identities import Identity
from gateway.store.reviews import ReviewState
from mappings.identity.agree import Outcome
from mappings.identity.keys import Features
from mappings.record.category import Category
from mappings.record.kind import Kind, Part
from mappings.view import RecordView

DESCRIPTION = "who the child is, beside a record that may be theirs"
_PAGE = 1_000

FIELDS: Mapping[str, Kind] = {
    "name": Kind.NAME,
    "birth date": Kind.BIRTH_DATE,
    "identifier": Kind.IDENTIFIER,
    "sex": Kind.SEX_FOR_MATCHING,
}
"""What records are told apart by, and all a reviewer is shown."""


@dataclass(frozen=True, slots=True)
class Case:
    """One review: the record, whose it may be, and why nobody could say. `signs` hold no value."""

    review_id: UUID
    identity_id: UUID
    org: str
    connection: str
    candidates: tuple[UUID, ...]
    rule: str
    signs: Mapping[str, str]
    state: ReviewState
    since: datetime
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Face:
    """Who a child is, as far as records are told apart by it. `entry` is the read's number in the log."""

    child: UUID
    entry: int
    fields: Mapping[str, tuple[str, ...]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The record in review, its spelling folded as it is compared, and each child it may be. None: not to be shown."""

    case: Case
    record: Face | None
    candidates: tuple[Face | None, ...]


def cases(hub: Hub, *, decided: bool = False) -> list[Case]:
    """The reviews nobody has decided, oldest first; or those that were."""
    r, s = tables.review_item, tables.source_identity
    wanted = ReviewState.DECIDED if decided else ReviewState.OPEN
    statement = (
        select(r, s.c.org, s.c.connection)
        .join(s, s.c.source_identity_id == r.c.source_identity_id)
        .where(r.c.state == wanted.value)
        .order_by(r.c.created_at, r.c.review_id)
    )
    with hub.db.transaction() as conn:
        rows = conn.execute(statement).mappings().all()
        signs = _signs(conn, [row["source_identity_id"] for row in rows])
    return [
        Case(
            row["review_id"],
            row["source_identity_id"],
            row["org"],
            row["connection"],
            tuple(row["candidates"]),
            row["rule"],
            signs.get((row["source_identity_id"], row["rule"]), {}),
            ReviewState(row["state"]),
            row["created_at"],
            row["decided_by"],
            row["decided_at"],
        )
        for row in rows
    ]


def _signs(conn: Connection, ids: Iterable[UUID]) -> dict[tuple[UUID, str], Mapping[str, str]]:
    """The evidence of the newest decision that sent each record here, by record and rule."""
    m = tables.match_decision
    statement = (
        select(m.c.source_identity_id, m.c.rule, m.c.evidence)
        .where(m.c.source_identity_id.in_(list(ids)), m.c.outcome == Outcome.REVIEW.value)
        .order_by(m.c.at)
    )
    return {(row[0], row[1]): dict(row[2]) for row in conn.execute(statement)}


def side_by_side(hub: Hub, review_id: UUID, *, by: str) -> SideBySide | None:
    """Show a person who the record and its candidates are; None where there is no such open review."""
    case = next((one for one in cases(hub) if one.review_id == review_id), None)
    if case is None:
        return None
    with hub.db.transaction() as conn:
        identity = identities.by_id(conn, [case.identity_id])[case.identity_id]
    children = (identity.sealed_for, *(one for one in case.candidates if one != identity.sealed_for))
    answers = release_each(hub, _request(children, review_id, by))
    shown = {
        child: Face(child, answer.sealed.entry, json.loads(answer.sealed.unseal()))
        for child, answer in zip(children, answers, strict=True)
        if isinstance(answer, Released)
    }
    own = shown.get(identity.sealed_for)
    record = None if own is None else Face(own.child, own.entry, _features(hub, identity))
    return SideBySide(case, record, tuple(shown.get(one) for one in case.candidates))


def _request(children: tuple[UUID, ...], review_id: UUID, by: str) -> ReleaseRequest:
    return ReleaseRequest(
        recipient=f"steward:{by}",
        requester=by,
        purpose=Purpose.RECORD_MANAGEMENT.value,
        parts=frozenset({Part.PLAN}),
        categories=frozenset({Category.IDENTITY}),
        children=children,
        render=_render,
        description=DESCRIPTION,
        basis=Basis.STEWARD,
        evidence_ids=(review_id,),
    )


def _render(view: RecordView) -> Rendered:
    """The identity facts of a candidate, as its sources spell them."""
    told = {
        name: sorted({_text(kind, found.value) for found in view.of(kind)}) for name, kind in FIELDS.items()
    }
    body = json.dumps(told, ensure_ascii=False, sort_keys=True).encode()
    return Rendered(body, "application/json", view.categories & {Category.IDENTITY})


_PARTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.NAME: ("given", "middle", "family", "suffix"),
    Kind.BIRTH_DATE: ("date",),
    Kind.IDENTIFIER: ("system", "assigner", "value"),
    Kind.SEX_FOR_MATCHING: ("sex",),
}


def _text(kind: Kind, value: Mapping[str, object]) -> str:
    return " ".join(str(value[part]) for part in _PARTS[kind] if value.get(part))


def _features(hub: Hub, identity: Identity) -> dict[str, tuple[str, ...]]:
    """What the record in review is compared by; of it no facts are kept before somebody has decided."""
    one = identity.source_identity_id
    with hub.db.transaction() as conn:
        parts = match.open_all(hub, conn, [one]).get(one, {})
    known: Features = match.whole(parts)
    names = (" ".join((*name.given, *name.middle, *name.surname)) for name in known.names)
    return {
        "name": tuple(sorted(names)),
        "birth date": tuple(day.isoformat() for day in known.birth_dates),
        "identifier": tuple(" ".join(found) for found in known.identifiers),
        "sex": tuple(sex.value for sex in known.sexes),
    }


def records_of(hub: Hub, child: UUID) -> list[Identity]:
    """By which records of which connections a child is known."""
    with hub.db.transaction() as conn:
        found = identities.of_children(conn, [child]).values()
    return sorted(found, key=lambda one: (one.connection, str(one.source_identity_id)))


def told_since(hub: Hub, child: UUID, since: datetime) -> dict[str, list[int]]:
    """Who was sent something of the child from then on, with the entries' numbers: whom a wrong link may have misled."""
    told: dict[str, list[int]] = {}
    after = -1
    with hub.db.transaction() as conn:
        while rows := ledger.entries_about(conn, child, after=after, limit=_PAGE):
            after = rows[-1].seq
            for row in rows:
                if row.kind == EntryKind.DISCLOSURE and row.at >= since and row.recipient:
                    told.setdefault(row.recipient, []).append(row.seq)
    return told


def linked_since(hub: Hub, identity_id: UUID) -> tuple[UUID, datetime] | None:
    """The child a record is tied to, and since when; None where it is tied to none."""
    link = tables.identity_link
    statement = select(link.c.child_id, link.c.valid_from).where(
        link.c.source_identity_id == identity_id, link.c.valid_to.is_(None)
    )
    with hub.db.transaction() as conn:
        row = conn.execute(statement).first()
    return None if row is None else (row.child_id, row.valid_from)
