"""Erasing a child's record by destroying its key: asked for by one person, confirmed by another, after the longest duty.

Everything of the child is sealed with that key, in the tables, in the log, in every backup of them; the key store's own
backup keeps only the newest copy (ARCHITECTURE §8). The tree of the log stays as it is and every proof of it holds. That the
key was destroyed, by whom, is an entry under the hub's own key. Nothing is erased while a legal hold stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection

from consent.canonical import canonical_json
from consent.entry import ChangeEntry, EntryKind
from consent.retention import Retention, retention
from gateway.exchange.context import Hub
from gateway.exchange.duties import shipped_duties
from gateway.exchange.journal import child_tag, keys_for, seal_entry
from gateway.exchange.sequence import LedgerHalted, sequence
from gateway.store import erasures, witnesses
from gateway.store.childkey import ChildKey
from gateway.store.configuration import read_place
from gateway.store.epochs import NOBODY, raise_epochs
from gateway.store.erasures import Erasure, Hold
from gateway.store.ledger import append_pending
from gateway.store.pipeline import driver_of


class NotErased(StrEnum):
    """Why nothing was done."""

    NO_SUCH_CHILD = "no-such-child"  # or one erased before
    LEGAL_HOLD = "legal-hold"
    TOO_EARLY = "too-early"  # a duty to keep it is not over
    STILL_KEPT = "still-kept"  # a source still keeps facts that are accounted for as long as it does
    ALREADY_ASKED = "already-asked"
    NOT_ASKED = "not-asked"
    SAME_PERSON = "same-person"  # who asked cannot confirm
    NO_SUCH_HOLD = "no-such-hold"  # or lifted before


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was done. `until` is the first day on which it may be, where that is known."""

    why: NotErased
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """It is done and in the log. `subject` is the hold or the erasure."""

    subject: UUID
    entry: int


class _StopError(Exception):
    """Leaves the transaction without a trace; the answer is a value."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


@dataclass(slots=True)
class _Act:
    """One step behind the child's lock; `sealed_with` is whose key its entry is sealed with."""

    hub: Hub
    connection: Connection
    key: ChildKey
    sealed_with: ChildKey
    epoch: int
    at: datetime
    actor: str


def set_hold(hub: Hub, child: UUID, *, actor: str, reason: str) -> Done | Refusal:
    """Keep the child's record from being erased until the hold is lifted."""

    def act(step: _Act) -> UUID:
        hold = Hold(hub.ids(), child, actor, step.at, None, None)
        erasures.add_hold(step.connection, hold)
        return hold.hold_id

    return _do(hub, child, EntryKind.LEGAL_HOLD_SET, act, actor=actor, reason=reason)


def lift_hold(hub: Hub, child: UUID, hold_id: UUID, *, actor: str, reason: str) -> Done | Refusal:
    """End a hold."""

    def act(step: _Act) -> UUID:
        if not erasures.lift_hold(step.connection, child, hold_id, actor, step.at):
            raise _StopError(Refusal(NotErased.NO_SUCH_HOLD))
        return hold_id

    return _do(hub, child, EntryKind.LEGAL_HOLD_LIFTED, act, actor=actor, reason=reason)


def ask(hub: Hub, child: UUID, *, actor: str, reason: str) -> Done | Refusal:
    """Ask that the child's record be erased; another person must confirm it."""

    def act(step: _Act) -> UUID:
        if erasures.find_erasure(step.connection, child) is not None:
            raise _StopError(Refusal(NotErased.ALREADY_ASKED))
        _require_free(step, child)
        asked = Erasure(hub.ids(), child, actor, step.at, None, None)
        erasures.add_erasure(step.connection, asked)
        return asked.erasure_id

    return _do(hub, child, EntryKind.ERASURE_ASKED, act, actor=actor, reason=reason)


def confirm(hub: Hub, child: UUID, *, actor: str) -> Done | Refusal:
    """Destroy the child's key, once the entry that says so is on disk; it cannot be undone.

    Where a process died between the entry and the key, the same person confirms again. Other processes may use a copy of the
    key for up to 60 s more.
    """

    def act(step: _Act) -> UUID:
        asked = erasures.find_erasure(step.connection, child)
        if asked is None:
            raise _StopError(Refusal(NotErased.NOT_ASKED))
        if asked.asked_by.strip().casefold() == actor.strip().casefold():
            raise _StopError(Refusal(NotErased.SAME_PERSON))
        _require_free(step, child)
        erasures.confirm_erasure(step.connection, asked.erasure_id, actor, step.at)
        erasures.forget_searches(step.connection, child)
        return asked.erasure_id

    done = _do(hub, child, EntryKind.KEY_DESTROYED, act, actor=actor, reason=None)
    if isinstance(done, Done):
        hub.keys.destroy(child)
    return done


def kept_until(hub: Hub, connection: Connection, child: UUID) -> Retention | None:
    """How long the child's record must be kept, by the rows of law where the community is; None for nobody known."""
    last = erasures.last_happening(connection, child)
    if last is None:
        return None
    place = read_place(connection)
    today = hub.clock().astimezone(place.zone).date()
    had, standing = erasures.regimes(connection, child)
    years = shipped_duties().years(place.jurisdiction, today)
    return retention(last.astimezone(place.zone).date(), had, standing, years)


def _require_free(step: _Act, child: UUID) -> None:
    """Stop where a hold or a duty to keep stands."""
    if erasures.holds(step.connection, child):
        raise _StopError(Refusal(NotErased.LEGAL_HOLD))
    kept = kept_until(step.hub, step.connection, child)
    if kept is None:
        raise _StopError(Refusal(NotErased.NO_SUCH_CHILD))
    if kept.held:
        raise _StopError(Refusal(NotErased.STILL_KEPT))
    if not kept.over(step.at.astimezone(read_place(step.connection).zone).date()):
        raise _StopError(Refusal(NotErased.TOO_EARLY, kept.until))


def _do(
    hub: Hub, child: UUID, kind: EntryKind, act: Callable[[_Act], UUID], *, actor: str, reason: str | None
) -> Done | Refusal:
    """Lock, look, act, enter, commit, number. Raises `LedgerHalted`, with nothing done, where nothing may be signed."""
    keys = keys_for(hub, [child])
    if child == NOBODY or child not in keys:
        return Refusal(NotErased.NO_SUCH_CHILD)
    key = keys[child]
    # the entry that the key was destroyed outlives the key
    sealed_with = keys[NOBODY] if kind is EntryKind.KEY_DESTROYED else key
    entry_id = hub.ids()
    try:
        with hub.db.transaction() as connection:
            epochs = raise_epochs(connection, (child,))
            halted = witnesses.halted(driver_of(connection))
            if halted is not None:  # before anything is entered that then does not happen
                raise LedgerHalted(halted)
            if child not in epochs:
                return Refusal(NotErased.NO_SUCH_CHILD)
            step = _Act(hub, connection, key, sealed_with, epochs[child], hub.clock(), actor)
            subject = act(step)
            entry = _entry(step, kind, subject, reason)
            append_pending(connection, [seal_entry(sealed_with, entry, entry_id=entry_id, subject=subject)])
    except _StopError as stop:
        return stop.refusal
    return Done(subject, sequence(hub, [entry_id])[entry_id])


def _entry(step: _Act, kind: EntryKind, subject: UUID, reason: str | None) -> ChangeEntry:
    return ChangeEntry(
        kind=kind,
        at=step.at,
        child_tag=child_tag(step.key),
        actor=step.actor,
        subject=subject,
        subject_sha256=sha256(canonical_json([str(subject), kind.value, step.actor])).hexdigest(),
        reason=reason,
        epoch=step.epoch,
    )
