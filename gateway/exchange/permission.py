"""What changes a decision: a family's yes, narrowing, stop or objection, who may sign, an order or hold, a birth date.

Every change locks the child's epoch FOR UPDATE before it looks, raises it, and enters the ledger in the same transaction: a
release that had begun before has committed, and none begins until this one has (ARCHITECTURE §6). The answer is given
when the entry is on disk. Either guardian may grant; any guardian may stop; where two disagree the permit is disputed and
stays closed until a person decides.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Connection, text

from consent.canonical import canonical_json
from consent.directive import VALID, Directive, State
from consent.entry import ChangeEntry, EntryKind, fingerprint
from consent.guardian import Authority, ChildFacts, GuardianLink, Restraint, may_sign
from consent.request import Snapshot
from consent.vocabulary import COVERS, Effect, Purpose
from gateway.exchange import recall
from gateway.exchange.context import Hub
from gateway.exchange.journal import child_tag, seal_entry
from gateway.exchange.sequence import sequence
from gateway.store import asks, directives
from gateway.store.childkey import ChildKey
from gateway.store.epochs import raise_epochs
from gateway.store.ledger import PendingEntry, append_pending
from gateway.store.pipeline import batch
from gateway.store.snapshot import SnapshotReading
from mappings.record.category import Category


class WhyNot(StrEnum):
    """Why a change was not made."""

    NO_SUCH_CHILD = "no-such-child"
    NO_SUCH_DIRECTIVE = "no-such-directive"  # or it has ended
    NO_SUCH_LINK = "no-such-link"
    NO_SUCH_RESTRAINT = "no-such-restraint"  # or it has ended
    NO_AUTHORITY = "no-authority"  # this person may not sign for this
    NOT_A_PERMIT = "not-a-permit"
    NOT_A_STOP = "not-a-stop"
    NOTHING_LEFT = "nothing-left"  # narrowing would leave no topic or purpose: stop it instead
    NOT_NARROWER = "not-narrower"


@dataclass(frozen=True, slots=True)
class Changed:
    """The change is made and in the log. `subject` is the directive, link or restraint; `epoch` the counter after it."""

    subject: UUID
    epoch: int
    at: datetime
    entries: tuple[int, ...]
    disputed: tuple[UUID, ...] = ()
    recalls: tuple[recall.Recall, ...] = ()  # to those who had something by what was ended


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing was changed."""

    why: WhyNot


class _StopError(Exception):
    """Leaves the transaction without a trace; the answer is a value."""

    def __init__(self, why: WhyNot) -> None:
        self.why = why


@dataclass(slots=True)
class _Change:
    """One change under way, behind the child's lock."""

    hub: Hub
    connection: Connection
    key: ChildKey
    epoch: int
    at: datetime
    pending: list[PendingEntry] = field(default_factory=list)
    disputed: list[UUID] = field(default_factory=list)
    recalls: tuple[recall.Recall, ...] = ()

    def snapshot(self, recipient: str = "") -> Snapshot:
        """All that bears on the child, read behind the lock."""
        with batch(self.connection) as statements:
            reading = SnapshotReading(statements, [self.key.child_id], recipient)
            seen = reading.read({self.key.child_id: self.key}, self.hub.rules)
        return seen.children[self.key.child_id].snapshot

    def enter(
        self,
        kind: EntryKind,
        actor: str,
        subject: UUID,
        thing: BaseModel | bytes,
        *,
        reason: str | None = None,
        recipient: str | None = None,
    ) -> None:
        """An entry of this change, with the fingerprint of the thing as it now stands."""
        digest = sha256(thing).hexdigest() if isinstance(thing, bytes) else fingerprint(thing)
        entry = ChangeEntry(
            kind=kind,
            at=self.at,
            child_tag=child_tag(self.key),
            actor=actor,
            subject=subject,
            subject_sha256=digest,
            reason=reason,
            recipient=recipient,
            epoch=self.epoch,
        )
        self.pending.append(seal_entry(self.key, entry, entry_id=self.hub.ids(), subject=subject))


def _change(hub: Hub, child_id: UUID, act: Callable[[_Change], UUID]) -> Changed | Unchanged:
    """Lock, raise, act, enter, commit, sequence. `act` gives the id of what changed."""
    key = hub.keys.get_many((child_id,)).get(child_id)
    if key is None:
        return Unchanged(WhyNot.NO_SUCH_CHILD)
    try:
        with hub.db.transaction() as connection:
            change = _begin(hub, connection, key)
            subject = act(change)
            append_pending(connection, change.pending)
    except _StopError as stop:
        return Unchanged(stop.why)
    numbers = sequence(hub, [entry.entry_id for entry in change.pending])
    entries = tuple(numbers[entry.entry_id] for entry in change.pending)
    return Changed(subject, change.epoch, change.at, entries, tuple(change.disputed), change.recalls)


def _begin(hub: Hub, connection: Connection, key: ChildKey) -> _Change:
    """Take the lock, raise the counter, and only then look at the clock: the database's, which decisions are made by."""
    epochs = raise_epochs(connection, (key.child_id,))
    if key.child_id not in epochs:
        raise _StopError(WhyNot.NO_SUCH_CHILD)
    at = connection.execute(text("SELECT statement_timestamp()")).scalar_one()
    return _Change(hub, connection, key, epochs[key.child_id], at)


def grant(hub: Hub, permit: Directive, *, actor: str) -> Changed | Unchanged:
    """Record what a guardian signed. Where another's stop covers it, it is recorded as disputed and permits nothing."""
    if permit.effect is not Effect.PERMIT:
        return Unchanged(WhyNot.NOT_A_PERMIT)

    def act(change: _Change) -> UUID:
        snapshot = change.snapshot(permit.recipient)
        _require_authority(hub, change, snapshot, permit)
        stopped = any(_collide(permit, stop, change.at) for stop in snapshot.directives)
        state = State.DISPUTED if stopped else permit.state
        recorded = permit.model_copy(update={"recorded_at": change.at, "state": state})
        if stopped:
            change.disputed.append(recorded.directive_id)
        _record(change, recorded, actor)
        return recorded.directive_id

    return _change(hub, permit.child_id, act)


def object_to(hub: Hub, stop: Directive, *, actor: str) -> Changed | Unchanged:
    """Record a guardian's stop. Permits of another guardian that it covers become disputed; both stay on record."""
    if stop.effect is not Effect.DENY:
        return Unchanged(WhyNot.NOT_A_STOP)

    def act(change: _Change) -> UUID:
        snapshot = change.snapshot(stop.recipient)
        _require_guardian(snapshot, stop.signer_link, change.at)
        recorded = stop.model_copy(update={"recorded_at": change.at})
        _record(change, recorded, actor)
        for permit in snapshot.directives:
            if permit.state in VALID and _collide(permit, recorded, change.at):
                directives.set_state(change.connection, permit.child_id, permit.directive_id, State.DISPUTED)
                change.disputed.append(permit.directive_id)
        return recorded.directive_id

    return _change(hub, stop.child_id, act)


def revoke(
    hub: Hub, child_id: UUID, directive_id: UUID, *, by_link: UUID, actor: str, reason: str | None = None
) -> Changed | Unchanged:
    """End a directive. Any verified guardian may end a permit; a stop is taken back by whoever signed it."""

    def act(change: _Change) -> UUID:
        snapshot = change.snapshot()
        found = _standing(snapshot, directive_id)
        _require_guardian(snapshot, by_link, change.at)
        if found.effect is Effect.DENY and found.signer_link != by_link:
            raise _StopError(WhyNot.NO_AUTHORITY)
        _end(change, found, actor, reason)
        return directive_id

    return _change(hub, child_id, act)


def narrow(
    hub: Hub,
    child_id: UUID,
    directive_id: UUID,
    *,
    by_link: UUID,
    actor: str,
    categories: Collection[Category] | None = None,
    purposes: Collection[Purpose] | None = None,
    valid_until: datetime | None = None,
    reason: str | None = None,
) -> Changed | Unchanged:
    """Replace a permit by a narrower one in one transaction and one epoch: what remains of it is given, nothing added.

    The successor keeps the signature it is part of and names the permit it replaces. None keeps what there was.
    """

    def act(change: _Change) -> UUID:
        snapshot = change.snapshot()
        found = _standing(snapshot, directive_id)
        _require_guardian(snapshot, by_link, change.at)
        successor = _narrower(hub, found, categories, purposes, valid_until, change.at)
        _end(change, found, actor, reason)
        _record(change, successor, actor)
        return successor.directive_id

    return _change(hub, child_id, act)


def _narrower(
    hub: Hub,
    found: Directive,
    categories: Collection[Category] | None,
    purposes: Collection[Purpose] | None,
    valid_until: datetime | None,
    at: datetime,
) -> Directive:
    if found.effect is not Effect.PERMIT:
        raise _StopError(WhyNot.NOT_A_PERMIT)
    kept = found.categories if categories is None else frozenset(categories)
    why = found.purposes if purposes is None else frozenset(purposes)
    if not kept - {Category.IDENTITY} or not why:
        raise _StopError(WhyNot.NOTHING_LEFT)
    longer = valid_until is not None and found.valid_until is not None and valid_until > found.valid_until
    if not kept <= found.categories or not why <= found.purposes or longer:
        raise _StopError(WhyNot.NOT_NARROWER)
    changes = {
        "directive_id": hub.ids(),
        "categories": kept,
        "purposes": why,
        "supersedes": found.directive_id,
        "recorded_at": at,
    }
    return found.model_copy(update=changes if valid_until is None else changes | {"valid_until": valid_until})


def set_guardian(hub: Hub, link: GuardianLink, *, actor: str) -> Changed | Unchanged:
    """Record what the verification step found about a person, for a candidate or for someone new.

    Who is verified already keeps the instant of the first time, and with it what they have signed since.
    """

    def act(change: _Change) -> UUID:
        links = {one.guardian_link_id: one for one in change.snapshot().links}
        found = _since_first(links.get(link.guardian_link_id), link, change.at)
        if not directives.change_link(change.connection, change.key, found):
            directives.add_links(change.connection, [(change.key, found)])
        kind = (
            EntryKind.GUARDIAN_VERIFIED if found.authority is Authority.VERIFIED else EntryKind.GUARDIAN_ENDED
        )
        change.enter(kind, actor, found.guardian_link_id, found)
        return found.guardian_link_id

    return _change(hub, link.child_id, act)


def _since_first(known: GuardianLink | None, found: GuardianLink, at: datetime) -> GuardianLink:
    """What was found, verified since the first time where the authority has not ended or been denied in between."""
    if known is None or found.authority is not Authority.VERIFIED or not known.verified(at):
        return found
    if known.valid_until is not None and known.valid_until <= at:
        return found
    return found.model_copy(update={"verified_at": known.verified_at})


def end_guardian(hub: Hub, child_id: UUID, link_id: UUID, *, actor: str, reason: str) -> Changed | Unchanged:
    """End a person's authority now: what they granted lapses with it, what they stopped stays stopped."""

    def act(change: _Change) -> UUID:
        found = next((link for link in change.snapshot().links if link.guardian_link_id == link_id), None)
        if found is None:
            raise _StopError(WhyNot.NO_SUCH_LINK)
        ended = found.model_copy(update={"valid_until": max(change.at, found.valid_from)})
        directives.change_link(change.connection, change.key, ended)
        change.enter(EntryKind.GUARDIAN_ENDED, actor, link_id, ended, reason=reason)
        return link_id

    return _change(hub, child_id, act)


def restrain(hub: Hub, restraint: Restraint, *, grounds: str, actor: str) -> Changed | Unchanged:
    """Set a court order or safety hold, which stands above every directive."""

    def act(change: _Change) -> UUID:
        directives.add_restraint(change.connection, change.key, restraint, grounds)
        change.enter(
            EntryKind.RESTRAINT_SET, actor, restraint.restraint_id, restraint, recipient=restraint.recipient
        )
        return restraint.restraint_id

    return _change(hub, restraint.child_id, act)


def lift(hub: Hub, child_id: UUID, restraint_id: UUID, *, actor: str, reason: str) -> Changed | Unchanged:
    """End a court order or safety hold now."""

    def act(change: _Change) -> UUID:
        found = next((r for r in change.snapshot().restraints if r.restraint_id == restraint_id), None)
        if found is None or not directives.end_restraint(
            change.connection, child_id, restraint_id, change.at
        ):
            raise _StopError(WhyNot.NO_SUCH_RESTRAINT)
        ended = found.model_copy(update={"valid_until": change.at})
        change.enter(EntryKind.RESTRAINT_ENDED, actor, restraint_id, ended, reason=reason)
        return restraint_id

    return _change(hub, child_id, act)


def change_facts(hub: Hub, facts: ChildFacts, *, actor: str) -> Changed | Unchanged:
    """Correct what authority is computed from: birth date, jurisdiction, time zone."""
    stated = canonical_json([str(facts.birth_date), str(facts.zone), facts.jurisdiction])

    def act(change: _Change) -> UUID:
        directives.change_child_facts(change.connection, change.key, facts, change.at)
        change.enter(EntryKind.CHILD_FACTS_CHANGED, actor, facts.child_id, stated)
        return facts.child_id

    return _change(hub, facts.child_id, act)


def _record(change: _Change, given: Directive, actor: str) -> None:
    directives.add_directive(change.connection, change.key, given)
    asks.note_said(change.connection, given)
    change.enter(EntryKind.DIRECTIVE_GIVEN, actor, given.directive_id, given, recipient=given.recipient)


def _end(change: _Change, found: Directive, actor: str, reason: str | None) -> None:
    directives.end_directive(
        change.connection, found.child_id, found.directive_id, State.WITHDRAWN, change.at
    )
    change.recalls += recall.queue(change.hub, change.connection, found, change.at)
    ended = found.model_copy(update={"state": State.WITHDRAWN, "revoked_at": change.at})
    change.enter(
        EntryKind.DIRECTIVE_ENDED, actor, found.directive_id, ended, reason=reason, recipient=found.recipient
    )


def _standing(snapshot: Snapshot, directive_id: UUID) -> Directive:
    """The directive, if it has not ended."""
    found = next((one for one in snapshot.directives if one.directive_id == directive_id), None)
    if found is None or found.revoked_at is not None:
        raise _StopError(WhyNot.NO_SUCH_DIRECTIVE)
    return found


def _require_guardian(snapshot: Snapshot, link_id: UUID, at: datetime) -> None:
    """To stop something, being a verified guardian of this child is enough."""
    of_theirs = (link for link in snapshot.links if link.guardian_link_id == link_id)
    if not any(link.verified(at) and link.in_period(at) for link in of_theirs):
        raise _StopError(WhyNot.NO_AUTHORITY)


def _require_authority(hub: Hub, change: _Change, snapshot: Snapshot, permit: Directive) -> None:
    """To open something, the signer must be one whose signature counts for every topic of it now."""
    link = next((one for one in snapshot.links if one.guardian_link_id == permit.signer_link), None)
    child = snapshot.child
    law = hub.rules.in_force(child.jurisdiction, change.at.astimezone(child.zone).date())
    if link is None or not may_sign(link, child, permit.categories, change.at, law, snapshot.restraints):
        raise _StopError(WhyNot.NO_AUTHORITY)


def _collide(permit: Directive, stop: Directive, at: datetime) -> bool:
    """Whether a stop of another person covers something of a permit."""
    return (
        permit.effect is Effect.PERMIT
        and stop.effect is Effect.DENY
        and permit.signer_link != stop.signer_link
        and stop.state in VALID
        and stop.revoked_at is None
        and not stop.ended(at)
        and stop.stops_recipient(permit.recipient)
        and bool(permit.categories & stop.categories)
        and any(stop.objects_to(answered) for named in permit.purposes for answered in COVERS[named])
    )
