"""Reviews: a person, or later evidence, says whose a record is; and taking a wrong link back.

A decision is kept for good, "not the same" included. Linking moves no row: what waited sealed is mapped again and its facts
are added to the child it turned out to be. Unlinking closes the link, retracts the facts and puts the identity back to review.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from gateway.exchange import asked, match
from gateway.exchange.context import Hub
from gateway.exchange.feed import ConnectionMissing, Feed, MapMissing, read_feed
from gateway.exchange.item import first_error, map_item
from gateway.exchange.journal import keys_for
from gateway.exchange.keep import Change, Keeping, keep
from gateway.exchange.lookup import Lookup, secrets_of
from gateway.exchange.removal import stored_companions, stored_items
from gateway.exchange.tally import Tally
from gateway.store import documents, identities, records, reviews
from gateway.store.epochs import raise_epochs
from gateway.store.identities import (
    ChildState,
    Identity,
    IdentityState,
    MatchRow,
    SealedFeatures,
)
from gateway.store.reviews import ReviewState
from mappings.identity.agree import MODEL, MatchRule, Outcome, Placement
from mappings.record.assertion import Status


class Verdict(StrEnum):
    """What a person may say in a review."""

    LINK = "link"
    NEW_CHILD = "new-child"
    NOT_THE_SAME = "not-the-same"


class ReviewRefusal(StrEnum):
    """Why a decision was not taken."""

    NO_REVIEW = "no-review"
    DECIDED = "already-decided"
    NOT_A_CANDIDATE = "not-a-candidate"
    NOT_LINKED = "not-linked"
    NO_CONNECTION = "no-connection"  # what was received cannot be mapped any more: apply its connection again
    ERASED = "erased"  # the key of the child or of what waits is destroyed


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of an identity. `child_id` is None while it waits for another answer."""

    source_identity_id: UUID
    child_id: UUID | None
    facts: int = 0


class _RefusedError(Exception):
    """Leaves the transaction without a trace; the answer is a value."""

    def __init__(self, why: ReviewRefusal) -> None:
        self.why = why


def decide(
    hub: Hub, review_id: UUID, verdict: Verdict, *, by: str, child: UUID | None = None
) -> Decided | ReviewRefusal:
    """Take a person's decision. `child` names the candidate for `link` and `not-the-same`."""
    try:
        with hub.db.transaction() as conn:
            identities.lock_placing(conn)
            item = reviews.find_review(conn, review_id, lock=True)
            if item is None or item["state"] != ReviewState.OPEN:
                return ReviewRefusal.NO_REVIEW if item is None else ReviewRefusal.DECIDED
            identity = identities.by_id(conn, [item["source_identity_id"]])[item["source_identity_id"]]
            if verdict is Verdict.NEW_CHILD:
                return _become(hub, conn, identity, by)
            if child is None or child not in item["candidates"]:
                return ReviewRefusal.NOT_A_CANDIDATE
            if verdict is Verdict.LINK:
                return _link(hub, conn, identity, child, by, MatchRule.PERSON, {})
            return _bar(hub, conn, identity, child, by, item["candidates"])
    except _RefusedError as refused:
        return refused.why


def reconsider(hub: Hub, ids: Collection[UUID]) -> int:
    """Look again at these identities in review, now that more is known; how many were linked by evidence.

    Each is a transaction of its own. One whose connection is gone, or whose key was destroyed, stays as it is.
    """
    settled = 0
    for one in sorted(ids):
        try:
            with hub.db.transaction() as conn:
                identities.lock_placing(conn)
                if reviews.open_reviews(conn, [one]):
                    settled += _reconsider(hub, conn, identities.by_id(conn, [one])[one])
        except _RefusedError:
            continue
    return settled


def _reconsider(hub: Hub, conn: Connection, identity: Identity) -> bool:
    feed = _feed(conn, identity)
    parts = match.open_all(hub, conn, [identity.source_identity_id]).get(identity.source_identity_id)
    if parts is None:
        return False
    newcomer = match.Newcomer(identity.source_identity_id, identity.sealed_for, identity.source_key, parts)
    scope = asked.scope_of(conn, feed, asked_for=True)
    placed, _ = match.place_newcomers(hub, conn, [newcomer], scope)
    found: Placement[UUID] = placed[0].placement
    if found.outcome is Outcome.LINKED and found.child is not None:
        signs = {name: sign.value for name, sign in found.evidence.items()}
        _link(hub, conn, identity, found.child, "rules", found.rule, signs)
        return True
    if found.outcome is Outcome.REVIEW:
        reviews.put_in_review(
            conn,
            hub.ids(),
            identity.source_identity_id,
            found.candidates,
            found.rule.value,
            hub.clock(),
        )
    return False


def _feed(conn: Connection, identity: Identity) -> Feed:
    try:
        return read_feed(conn, identity.connection)
    except (ConnectionMissing, MapMissing):
        raise _RefusedError(ReviewRefusal.NO_CONNECTION) from None


def _record(
    hub: Hub,
    conn: Connection,
    identity: Identity,
    child: UUID,
    outcome: Outcome,
    rule: MatchRule,
    evidence: Mapping[str, Any],
    by: str,
) -> UUID:
    row = MatchRow(
        hub.ids(),
        identity.source_identity_id,
        child,
        outcome.value,
        rule.value,
        {"model": MODEL, **evidence},
        by,
    )
    identities.add_match(conn, row, hub.clock())
    return row.match_id


def _link(
    hub: Hub,
    conn: Connection,
    identity: Identity,
    child: UUID,
    by: str,
    rule: MatchRule,
    evidence: Mapping[str, Any],
) -> Decided:
    """Tie a waiting identity to a child; its provisional child remembers which, so that erasure destroys both keys."""
    one, at = identity.source_identity_id, hub.clock()
    made = _record(hub, conn, identity, child, Outcome.LINKED, rule, evidence, by)
    identities.add_links(conn, [(hub.ids(), child, one, made)], at)
    identities.change_identity(conn, one, IdentityState.LINKED, child)
    reviews.close_review(conn, one, by, at)
    if identity.sealed_for != child:
        identities.change_child(conn, identity.sealed_for, ChildState.LINKED, child)
    _reseal_features(hub, conn, identity, child)
    return Decided(one, child, _take_again(hub, conn, identity, child, new_child=False))


def _become(hub: Hub, conn: Connection, identity: Identity, by: str) -> Decided:
    """The provisional child is a child of its own."""
    one, at, child = identity.source_identity_id, hub.clock(), identity.sealed_for
    made = _record(hub, conn, identity, child, Outcome.NEW_CHILD, MatchRule.PERSON, {}, by)
    identities.add_links(conn, [(hub.ids(), child, one, made)], at)
    identities.change_identity(conn, one, IdentityState.LINKED)
    identities.change_child(conn, child, ChildState.ACTIVE)
    reviews.close_review(conn, one, by, at)
    return Decided(one, child, _take_again(hub, conn, identity, child, new_child=True))


def _bar(
    hub: Hub, conn: Connection, identity: Identity, child: UUID, by: str, candidates: Sequence[UUID]
) -> Decided:
    """Not this child, for good; the review goes on with the other candidates."""
    _record(hub, conn, identity, child, Outcome.NOT_THE_SAME, MatchRule.PERSON, {}, by)
    rest = [one for one in candidates if one != child]
    rule = MatchRule.PERSON if rest else MatchRule.NO_CANDIDATE
    reviews.put_in_review(conn, hub.ids(), identity.source_identity_id, rest, rule.value, hub.clock())
    return Decided(identity.source_identity_id, None)


def _reseal_features(hub: Hub, conn: Connection, identity: Identity, child: UUID) -> None:
    one = identity.source_identity_id
    parts = match.open_all(hub, conn, [one]).get(one)
    key = hub.keys.get_many((child,)).get(child)
    if parts is None or key is None:
        raise _RefusedError(ReviewRefusal.ERASED)
    sealed = SealedFeatures(one, child, match.seal_features(key, one, parts))
    identities.change_features(conn, [sealed], hub.clock())


def _take_again(hub: Hub, conn: Connection, identity: Identity, child: UUID, *, new_child: bool) -> int:
    """Map again what was received of this identity and add its facts to the child; how many."""
    feed = _feed(conn, identity)
    tally = Tally()
    lookup = Lookup(hub, feed, secrets_of(hub), tally)
    standing = documents.of_identities(conn, [identity.source_identity_id])
    held = keys_for(hub, [child])
    work = Keeping(hub, conn, feed, lookup.secrets, held, tally, hub.clock())
    items = stored_items(work, [row.document_id for row in standing])
    lookup.companions.update(stored_companions(feed, items))
    mine = [item for item in items if item.resource in feed.maps]
    found = lookup.look(conn, mine)
    ready = [
        item for item in found.items if first_error(map_item(item, feed.maps[item.resource], feed)) is None
    ]
    one = identity.source_identity_id
    changes = [Change(item, one, child, child, new_child=new_child, stored=True) for item in ready]
    keep(work, changes, found.present)
    return tally.facts_added + tally.facts_superseded


def unlink(hub: Hub, source_identity_id: UUID, *, by: str) -> Decided | ReviewRefusal:
    """Take a link back: the child is as if it had never been, and the identity is in review under a key of its own.

    Whoever was told something in the meantime stands in the ledger; telling them is a person's task.
    """
    own = hub.ids()
    hub.keys.create((own,))
    try:
        with hub.db.transaction() as conn:
            identities.lock_placing(conn)
            identity = identities.by_id(conn, [source_identity_id]).get(source_identity_id)
            if identity is None or identity.child_id is None:
                return ReviewRefusal.NOT_LINKED
            return _unlink(hub, conn, identity, identity.child_id, own, by)
    except _RefusedError as refused:
        return refused.why


def _unlink(hub: Hub, conn: Connection, identity: Identity, child: UUID, own: UUID, by: str) -> Decided:
    one, at = identity.source_identity_id, hub.clock()
    raise_epochs(conn, (child,))
    identities.close_link(conn, one, at)
    _record(hub, conn, identity, child, Outcome.UNLINKED, MatchRule.PERSON, {}, by)
    _record(hub, conn, identity, child, Outcome.NOT_THE_SAME, MatchRule.PERSON, {}, by)
    identities.add_children(conn, [(own, ChildState.PROVISIONAL)], at)
    identities.change_identity(conn, one, IdentityState.REVIEW, own)
    reviews.put_in_review(conn, hub.ids(), one, (), MatchRule.PERSON.value, at)
    _reseal_features(hub, conn, identity, own)
    retracted = records.change_status(conn, documents.facts_by_identity(conn, [one]), Status.RETRACTED)
    _reseal_documents(hub, conn, identity, own)
    return Decided(one, None, len(retracted))


def _reseal_documents(hub: Hub, conn: Connection, identity: Identity, own: UUID) -> None:
    """What was received goes under the identity's own key; the copies under the wrong child's end with that child's key."""
    rows = documents.of_identities(conn, [identity.source_identity_id])
    stored = documents.read_bodies(conn, [row.document_id for row in rows])
    held = keys_for(hub, [own, *(row.sealed_for for row in rows)])
    copies = []
    for row in rows:
        body = stored[row.document_id]
        if row.sealed_for not in held:
            raise _RefusedError(ReviewRefusal.ERASED)
        raw = held[row.sealed_for].open(body.body, row=row.document_id, kind="document")
        copies.append(documents.copied(body, hub.ids(), identity.source_identity_id, held[own], raw))
    documents.end_documents(conn, [row.document_id for row in rows], Status.RETRACTED)
    documents.add_documents(conn, copies)
