"""Whose record is it: candidates by keyed blocking, evidence rules over opened features, link, new child or review.

Nothing is merged and nothing flows while a review is open. One transaction at a time places identities, so that two imports
cannot make two children of one.
"""

import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Connection

from gateway.exchange.context import Hub
from gateway.store import identities, reviews
from gateway.store.childkey import ChildKey
from gateway.store.identities import (
    ChildState,
    Identity,
    IdentityState,
    MatchRow,
    SealedFeatures,
)
from mappings.identity.agree import MODEL, Agreement, Outcome, Placement, agree, place, place_by_reference
from mappings.identity.keys import Features, KeyRule, blocking_keys, merged

MATCHING = "matching"
"""The purpose of the deployment secret that keys blocking hashes."""

Parts = Mapping[str, Features]
"""What each source record says of the child, by the record's key: a corrected record replaces only its own part."""


_STORED = TypeAdapter(dict[str, Features])


def whole(parts: Parts) -> Features:
    """All parts together."""
    return reduce(merged, parts.values()) if parts else Features()


def seal_features(key: ChildKey, identity: UUID, parts: Parts) -> bytes:
    """Features as they are stored."""
    return key.seal(_STORED.dump_json(dict(sorted(parts.items()))), row=identity, kind="features")


def open_features(key: ChildKey, identity: UUID, sealed: bytes) -> dict[str, Features]:
    """Features as they were stored; raises SealBroken for another identity's."""
    return _STORED.validate_json(key.open(sealed, row=identity, kind="features"))


def keyed(secret: bytes, features: Features) -> list[tuple[bytes, KeyRule]]:
    """The blocking keys of an identity, hashed."""
    return [
        (hmac.digest(secret, f"{key.rule.value}\x1f{key.text}".encode(), "sha256"), key.rule)
        for key in blocking_keys(features)
    ]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An identity nobody has placed yet. `own` is its id, and that of the child or provisional child it may become.

    `claimed` is the child whose reference, given to this agency alone, its record carries.
    """

    identity_id: UUID
    own: UUID
    source_key: bytes
    parts: Parts
    claimed: UUID | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Who brings newcomers, and what may become of them.

    `roster`: a source that says who exists. `among` restricts candidates to children somebody asked this agency about;
    None means every child. `asked`: these records came in answer to something of ours, so that one without any candidate
    is for a person to look at, and not to be forgotten.
    """

    org: str
    connection: str
    roster: bool
    among: Collection[UUID] | None = None
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a newcomer went: `sealed_for` is whose key seals what it brings; `child_id` is None in review.

    `keys` are those by which it will be found.
    """

    newcomer: Newcomer
    placement: Placement[UUID]
    sealed_for: UUID
    child_id: UUID | None
    keys: Sequence[tuple[bytes, KeyRule]] = field(repr=False)


@dataclass(slots=True)
class _Pool:
    """Identities a newcomer may resemble: those the database offers, and those placed a moment ago."""

    by_key: dict[bytes, set[UUID]] = field(default_factory=dict)
    child_of: dict[UUID, UUID] = field(default_factory=dict)
    of_child: dict[UUID, list[UUID]] = field(default_factory=dict)
    features: dict[UUID, Features] = field(default_factory=dict)

    def add(self, identity: UUID, child: UUID, features: Features, keys: Iterable[bytes]) -> None:
        self.child_of[identity] = child
        self.of_child.setdefault(child, []).append(identity)
        self.features[identity] = features
        for key in keys:
            self.by_key.setdefault(key, set()).add(identity)

    def agreements(self, features: Features, keys: Iterable[bytes]) -> dict[UUID, tuple[Agreement, ...]]:
        """Per child that shares a key: the agreement with every identity it is known by."""
        near = {self.child_of[i] for key in keys for i in self.by_key.get(key, ()) if i in self.child_of}
        return {child: self.with_child(features, child) for child in near}

    def with_child(self, features: Features, child: UUID) -> tuple[Agreement, ...]:
        """The agreement with every identity a child is known by."""
        return tuple(agree(features, self.features[i]) for i in self.of_child.get(child, ()))


def place_newcomers(
    hub: Hub, connection: Connection, newcomers: Sequence[Newcomer], scope: Scope
) -> tuple[list[Placed], set[UUID]]:
    """Decide each newcomer, in order; later ones see the children of earlier ones. Nothing is written.

    Also returns the identities in review that share a key with a newcomer: what was learnt may settle them. Newcomers
    nobody asked about are left out. The caller holds `identities.lock_placing` in this transaction.
    """
    secret = hub.keys.deployment_secret(MATCHING)
    features = {one.identity_id: whole(one.parts) for one in newcomers}
    rules = {identity: keyed(secret, one) for identity, one in features.items()}
    keys = {identity: [key for key, _ in own] for identity, own in rules.items()}
    claimed = {one.claimed for one in newcomers if one.claimed is not None}
    pool, waiting = _load(hub, connection, {key for own in keys.values() for key in own}, claimed)
    barred = identities.never_the_same(connection, list(features))
    placed: list[Placed] = []
    for one in newcomers:
        own = keys[one.identity_id]
        never = barred.get(one.identity_id, ())
        placement = _placement(pool, one, features[one.identity_id], own, scope, never)
        if placement.outcome is Outcome.REVIEW and not placement.candidates and not scope.asked:
            continue
        child = one.own if placement.outcome is Outcome.NEW_CHILD else placement.child
        placed.append(Placed(one, placement, child or one.own, child, rules[one.identity_id]))
        if child is not None:
            pool.add(one.identity_id, child, features[one.identity_id], own)
    return placed, waiting


def _placement(
    pool: _Pool,
    one: Newcomer,
    features: Features,
    keys: Iterable[bytes],
    scope: Scope,
    never: Collection[UUID],
) -> Placement[UUID]:
    def possible(child: UUID) -> bool:
        return (scope.among is None or child in scope.among) and child not in never

    if one.claimed is not None and possible(one.claimed):
        return place_by_reference(one.claimed, pool.with_child(features, one.claimed))
    found = pool.agreements(features, keys)
    candidates = {child: agreements for child, agreements in found.items() if possible(child)}
    return place(candidates, roster=scope.roster)


def _load(
    hub: Hub, connection: Connection, keys: Collection[bytes], claimed: Collection[UUID]
) -> tuple[_Pool, set[UUID]]:
    """The children who are claimed or share any of these keys, with the features of every identity each is known by."""
    sharing = identities.sharing(connection, keys)
    waiting = {identity for _, identity, child in sharing if child is None}
    children = {child for _, _, child in sharing if child is not None}
    children.update(claimed)
    known = identities.linked_to(connection, children) if children else {}
    opened = open_all(hub, connection, list(known))
    by_identity: dict[UUID, list[bytes]] = {}
    for key, identity, _ in sharing:
        by_identity.setdefault(identity, []).append(key)
    pool = _Pool()
    for identity, child in known.items():
        if identity in opened:
            pool.add(identity, child, whole(opened[identity]), by_identity.get(identity, ()))
    return pool, waiting


def open_all(hub: Hub, connection: Connection, ids: Collection[UUID]) -> dict[UUID, dict[str, Features]]:
    """The features of these identities; one whose key was destroyed resembles nobody any more."""
    rows = identities.read_features(connection, ids)
    held = hub.keys.get_many(list({row.sealed_for for row in rows.values()}))
    return {
        identity: open_features(held[row.sealed_for], identity, row.features)
        for identity, row in rows.items()
        if row.sealed_for in held
    }


def write_placed(
    hub: Hub,
    connection: Connection,
    placed: Sequence[Placed],
    scope: Scope,
    held: Mapping[UUID, ChildKey],
) -> None:
    """Write what was decided: children, identities, features, keys, decisions, links, reviews. Keys exist already."""
    if not placed:
        return
    at = hub.clock()
    made = [one for one in placed if one.sealed_for == one.newcomer.own]
    identities.add_children(
        connection,
        [
            (one.newcomer.own, ChildState.PROVISIONAL if one.child_id is None else ChildState.ACTIVE)
            for one in made
        ],
        at,
    )
    identities.add_identities(connection, [_identity(one, scope) for one in placed], at)
    identities.add_features(
        connection,
        [
            SealedFeatures(
                one.newcomer.identity_id,
                one.sealed_for,
                seal_features(held[one.sealed_for], one.newcomer.identity_id, one.newcomer.parts),
            )
            for one in placed
        ],
        at,
    )
    identities.add_keys(
        connection,
        [(key, one.newcomer.identity_id, rule.value) for one in placed for key, rule in one.keys],
    )
    _write_decisions(hub, connection, placed)


def _identity(one: Placed, scope: Scope) -> Identity:
    state = IdentityState.REVIEW if one.child_id is None else IdentityState.LINKED
    newcomer = one.newcomer
    return Identity(
        newcomer.identity_id,
        scope.org,
        scope.connection,
        newcomer.source_key,
        one.sealed_for,
        state,
        one.child_id,
    )


def _write_decisions(hub: Hub, connection: Connection, placed: Sequence[Placed]) -> None:
    at = hub.clock()
    matches = {one.newcomer.identity_id: match_row(hub.ids, one.newcomer.identity_id, one) for one in placed}
    identities.add_matches(connection, list(matches.values()), at)
    identities.add_links(
        connection,
        [
            (hub.ids(), one.child_id, one.newcomer.identity_id, matches[one.newcomer.identity_id].match_id)
            for one in placed
            if one.child_id is not None
        ],
        at,
    )
    for one in placed:
        if one.child_id is None:
            reviews.put_in_review(
                connection,
                hub.ids(),
                one.newcomer.identity_id,
                one.placement.candidates,
                one.placement.rule.value,
                at,
            )


def match_row(ids: Callable[[], UUID], identity: UUID, one: Placed) -> MatchRow:
    """The decision as it is recorded: the model, the rule and the signs; never a value."""
    signs = {name: sign.value for name, sign in one.placement.evidence.items()}
    return MatchRow(
        ids(),
        identity,
        one.child_id,
        one.placement.outcome.value,
        one.placement.rule.value,
        {"model": MODEL, **signs},
        "rules",
    )


@dataclass(frozen=True, slots=True)
class Restated:
    """What an identity's records say now, and what they said before."""

    identity: Identity
    key: ChildKey
    before: Parts
    after: Parts


def restate(hub: Hub, connection: Connection, rows: Sequence[Restated]) -> None:
    """Write what identities' records now say of who the child is, and by which keys they are found."""
    secret = hub.keys.deployment_secret(MATCHING)
    sealed, gone, new = [], [], []
    for row in rows:
        one = row.identity.source_identity_id
        sealed.append(SealedFeatures(one, row.key.child_id, seal_features(row.key, one, row.after)))
        before, after = dict(keyed(secret, whole(row.before))), dict(keyed(secret, whole(row.after)))
        gone += [(key, one) for key in before.keys() - after.keys()]
        new += [(key, one, after[key].value) for key in after.keys() - before.keys()]
    identities.change_features(connection, sealed, hub.clock())
    identities.drop_keys(connection, gone)
    identities.add_keys(connection, new)
