"""Source identities: by which record of which connection a child is known, and how that was decided.

Link, never merge: a link is opened and closed, nothing is moved (domain.md §7.6). Features are opened only under
`planhub_match`, and only for candidates.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, bindparam, func, select, text, update

from gateway.store.copying import copy_rows
from gateway.store.engine import Role
from gateway.store.staging import stage_rows
from gateway.store.tables import (
    child_table,
    identity_features,
    identity_key,
    identity_link,
    match_decision,
    pairwise_ref,
    source_identity,
)
from gateway.store.tables.base import Ids, Keys, Texts

PLACING = 5_044_913_210
"""pg_advisory_xact_lock: one transaction at a time decides whose identities are whose."""


class IdentityState(StrEnum):
    """Where a source identity stands."""

    LINKED = "linked"
    REVIEW = "review"


class ChildState(StrEnum):
    """A provisional child only holds a key for what waits in review; nothing of it is ever released."""

    ACTIVE = "active"
    PROVISIONAL = "provisional"
    LINKED = "linked"


@dataclass(frozen=True, slots=True)
class Identity:
    """A source identity: `child_id` is the child of its open link, None while it is in review."""

    source_identity_id: UUID
    org: str
    connection: str
    source_key: bytes
    sealed_for: UUID
    state: IdentityState
    child_id: UUID | None


@dataclass(frozen=True, slots=True)
class SealedFeatures:
    """The sealed features of one identity and whose key opens them."""

    source_identity_id: UUID
    sealed_for: UUID
    features: bytes


@dataclass(frozen=True, slots=True)
class MatchRow:
    """One decision about one identity: by which rule, on which evidence (never a value), by whom."""

    match_id: UUID
    source_identity_id: UUID
    child_id: UUID | None
    outcome: str
    rule: str
    evidence: Mapping[str, Any]
    decided_by: str


_IDENTITY = (
    select(
        source_identity.c.source_identity_id,
        source_identity.c.org,
        source_identity.c.connection,
        source_identity.c.source_key,
        source_identity.c.sealed_for,
        source_identity.c.state,
        identity_link.c.child_id,
    )
    .select_from(source_identity)
    .outerjoin(
        identity_link,
        (identity_link.c.source_identity_id == source_identity.c.source_identity_id)
        & identity_link.c.valid_to.is_(None),
    )
)


def _identity(row: Any) -> Identity:
    return Identity(row[0], row[1], row[2], bytes(row[3]), row[4], IdentityState(row[5]), row[6])


def _any(column: Any, values: Collection[Any], kind: Any) -> Any:
    """`= ANY(array)`: one statement text whatever the number of values, so that it stays prepared."""
    return column == func.any(bindparam(None, values, type_=kind))


def known(connection: Connection, source: str, keys: Collection[bytes]) -> dict[bytes, Identity]:
    """The identities a connection already has under these keys."""
    statement = _IDENTITY.where(
        source_identity.c.connection == source, _any(source_identity.c.source_key, keys, Keys)
    )
    found = map(_identity, connection.execute(statement).all())
    return {identity.source_key: identity for identity in found}


def by_id(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Identity]:
    """Identities by their own id."""
    statement = _IDENTITY.where(_any(source_identity.c.source_identity_id, ids, Ids))
    found = (_identity(row) for row in connection.execute(statement))
    return {identity.source_identity_id: identity for identity in found}


def by_reference(connection: Connection, org: str, refs: Collection[str]) -> dict[str, UUID]:
    """The children an agency means by the references this hub gave it; unknown ones are left out."""
    rows = connection.execute(
        select(pairwise_ref.c.ref, pairwise_ref.c.child_id).where(
            pairwise_ref.c.org == org, _any(pairwise_ref.c.ref, list(refs), Texts)
        )
    )
    return {row[0]: row[1] for row in rows}


def of_children(connection: Connection, children: Collection[UUID]) -> dict[UUID, Identity]:
    """Every identity linked to these children now."""
    statement = _IDENTITY.where(_any(identity_link.c.child_id, children, Ids))
    found = (_identity(row) for row in connection.execute(statement))
    return {identity.source_identity_id: identity for identity in found}


def linked_to(connection: Connection, children: Collection[UUID]) -> dict[UUID, UUID]:
    """Every identity linked to these children now, and to which."""
    statement = select(identity_link.c.source_identity_id, identity_link.c.child_id).where(
        identity_link.c.valid_to.is_(None), _any(identity_link.c.child_id, children, Ids)
    )
    return {row[0]: row[1] for row in connection.execute(statement).all()}


_SHARING = select(
    identity_key.c.key, identity_key.c.source_identity_id, identity_link.c.child_id
).outerjoin_from(
    identity_key,
    identity_link,
    (identity_link.c.source_identity_id == identity_key.c.source_identity_id)
    & identity_link.c.valid_to.is_(None),
)


def sharing(connection: Connection, keys: Collection[bytes]) -> list[tuple[bytes, UUID, UUID | None]]:
    """Which identities hold any of these blocking keys: key, identity, and its child unless it is in review."""
    statement = _SHARING.where(_any(identity_key.c.key, keys, Keys))
    return [(bytes(row[0]), row[1], row[2]) for row in connection.execute(statement).all()]


def read_features(connection: Connection, ids: Collection[UUID]) -> dict[UUID, SealedFeatures]:
    """The sealed features of these identities, read under `planhub_match` inside the caller's transaction."""
    if not ids:
        return {}
    statement = select(
        identity_features.c.source_identity_id, identity_features.c.sealed_for, identity_features.c.features
    ).where(_any(identity_features.c.source_identity_id, ids, Ids))
    connection.exec_driver_sql(f"SET LOCAL ROLE {Role.MATCH.value}")
    rows = connection.execute(statement).all()
    found = {row[0]: SealedFeatures(row[0], row[1], bytes(row[2])) for row in rows}
    connection.exec_driver_sql("SET LOCAL ROLE NONE")
    return found


def lock_placing(connection: Connection) -> None:
    """Take the turn to decide whose identities are whose, until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PLACING})


def add_children(connection: Connection, children: Iterable[tuple[UUID, ChildState]], at: datetime) -> None:
    """Create children, each with its consent epoch. Their keys exist already."""
    rows = list(children)
    copy_rows(
        connection,
        "child",
        ("child_id", "state", "created_at"),
        [(child, state.value, at) for child, state in rows],
    )
    copy_rows(connection, "consent_epoch", ("child_id",), [(child,) for child, _ in rows])


def add_identities(connection: Connection, identities: Iterable[Identity], at: datetime) -> None:
    """Create source identities."""
    copy_rows(
        connection,
        "source_identity",
        ("source_identity_id", "org", "connection", "source_key", "sealed_for", "state", "created_at"),
        [
            (i.source_identity_id, i.org, i.connection, i.source_key, i.sealed_for, i.state.value, at)
            for i in identities
        ],
    )


def add_features(connection: Connection, rows: Iterable[SealedFeatures], at: datetime) -> None:
    """Write the features of new identities. At most once per transaction."""
    stage_rows(
        connection,
        identity_features,
        ("source_identity_id", "sealed_for", "features", "at"),
        [(row.source_identity_id, row.sealed_for, row.features, at) for row in rows],
    )


_CHANGE = text(
    "UPDATE identity_features f SET sealed_for = n.sealed_for, features = n.features, at = :at "
    "FROM unnest(cast(:ids AS uuid[]), cast(:sealed_for AS uuid[]), cast(:features AS bytea[])) AS n (id, sealed_for, features) WHERE f.source_identity_id = n.id"
).bindparams(
    bindparam("ids", type_=Ids),
    bindparam("sealed_for", type_=Ids),
    bindparam("features", type_=Keys),
)


def change_features(connection: Connection, rows: Sequence[SealedFeatures], at: datetime) -> None:
    """Replace the features of identities."""
    if rows:
        parameters = {
            "at": at,
            "ids": [row.source_identity_id for row in rows],
            "sealed_for": [row.sealed_for for row in rows],
            "features": [row.features for row in rows],
        }
        connection.execute(_CHANGE, parameters)


def add_keys(connection: Connection, rows: Iterable[tuple[bytes, UUID, str]]) -> None:
    """Write blocking keys: key, identity, rule."""
    copy_rows(connection, "identity_key", ("key", "source_identity_id", "rule"), rows)


def drop_keys(connection: Connection, rows: Collection[tuple[bytes, UUID]]) -> None:
    """Remove blocking keys under which an identity is no longer to be found."""
    if rows:
        connection.execute(
            text(
                "DELETE FROM identity_key k USING unnest(cast(:keys AS bytea[]), cast(:ids AS uuid[])) AS gone (key, id) "
                "WHERE k.key = gone.key AND k.source_identity_id = gone.id"
            ).bindparams(bindparam("keys", type_=Keys), bindparam("ids", type_=Ids)),
            {"keys": [row[0] for row in rows], "ids": [row[1] for row in rows]},
        )


def add_matches(connection: Connection, rows: Sequence[MatchRow], at: datetime) -> None:
    """Record decisions, and open the link of each that says which child."""
    copy_rows(
        connection,
        "match_decision",
        ("match_id", "source_identity_id", "child_id", "outcome", "rule", "evidence", "decided_by", "at"),
        [
            (
                m.match_id,
                m.source_identity_id,
                m.child_id,
                m.outcome,
                m.rule,
                Jsonb(dict(m.evidence)),
                m.decided_by,
                at,
            )
            for m in rows
        ],
    )


def add_links(connection: Connection, rows: Iterable[tuple[UUID, UUID, UUID, UUID]], at: datetime) -> None:
    """Open links: link id, child, identity, match decision."""
    copy_rows(
        connection,
        "identity_link",
        ("link_id", "child_id", "source_identity_id", "match_id", "valid_from"),
        [(*row, at) for row in rows],
    )


def rekey(connection: Connection, source: str, old: bytes, new: bytes) -> None:
    """A source calls a child by another key of its own from now on."""
    connection.execute(
        update(source_identity)
        .where(source_identity.c.connection == source, source_identity.c.source_key == old)
        .values(source_key=new)
    )


def close_link(connection: Connection, source_identity_id: UUID, at: datetime) -> UUID | None:
    """Close an identity's open link; the child it was linked to."""
    statement = (
        update(identity_link)
        .where(identity_link.c.source_identity_id == source_identity_id, identity_link.c.valid_to.is_(None))
        .values(valid_to=at)
        .returning(identity_link.c.child_id)
    )
    found = connection.execute(statement).scalar()
    return found if isinstance(found, UUID) else None


def change_identity(
    connection: Connection, source_identity_id: UUID, state: IdentityState, sealed_for: UUID | None = None
) -> None:
    """Set where an identity stands and, where given, whose key seals what comes from it from now on."""
    values: dict[str, Any] = {"state": state.value}
    if sealed_for is not None:
        values["sealed_for"] = sealed_for
    connection.execute(
        update(source_identity)
        .where(source_identity.c.source_identity_id == source_identity_id)
        .values(**values)
    )


def change_child(
    connection: Connection, child: UUID, state: ChildState, linked_to: UUID | None = None
) -> None:
    """Set what a child is: a provisional one becomes a child, or is linked to one."""
    connection.execute(
        update(child_table)
        .where(child_table.c.child_id == child)
        .values(state=state.value, linked_to=linked_to)
    )


def never_the_same(connection: Connection, ids: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """The children a person has said these identities are not; that holds for good."""
    statement = select(match_decision.c.source_identity_id, match_decision.c.child_id).where(
        _any(match_decision.c.source_identity_id, ids, Ids),
        match_decision.c.outcome == "not-the-same",
        match_decision.c.child_id.is_not(None),
    )
    found: dict[UUID, set[UUID]] = {}
    for identity, child in connection.execute(statement):
        found.setdefault(identity, set()).add(child)
    return found


def add_match(connection: Connection, row: MatchRow, at: datetime) -> None:
    """Record one decision."""
    add_matches(connection, [row], at)
