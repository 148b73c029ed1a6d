"""One attempt at one delivery: release, open the way, look again whether the decision stands, send.

The decision is made immediately before, and once more questioned when the partner's socket is open: if it has grown too old,
or anything it rests on has changed since, nothing leaves and it is made again. Whatever ends before the first byte is told to
the log as an attempt at which nothing left.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from adapters.community.webhook import BadSecret
from adapters.http import within
from adapters.port import (
    Cause,
    Delivered,
    Destination,
    Failure,
    Malformed,
    Receipt,
    StaleDecision,
    Transient,
    Unauthorized,
)
from consent.entry import EntryKind
from consent.vocabulary import Reason
from gateway.exchange.connect import Misconfigured
from gateway.exchange.context import Hub, SecretMissing
from gateway.exchange.destinations import destination
from gateway.exchange.disclosure import Refused as NotPermitted
from gateway.exchange.disclosure import Released
from gateway.exchange.feed import ConnectionMissing, MapMissing
from gateway.exchange.journal import keys_for, seal_entry
from gateway.exchange.recall_sending import tell
from gateway.exchange.release import release
from gateway.exchange.render import Errand, Nothing, Unfit, errand
from gateway.exchange.sequence import LedgerHalted, sequence
from gateway.store import ledger
from gateway.store.epochs import SHARE_CHILDREN
from gateway.store.lanes import Claim
from gateway.store.outbox import Topic, Waiting
from gateway.store.pipeline import batch
from mappings.record.category import Category

RECONSIDERATIONS = 3
"""Times one attempt decides again before it counts as a failure of the partner, which keeps not opening."""


class Result(StrEnum):
    """How an attempt ended (stored in attempt.result)."""

    DELIVERED = "delivered"
    UNCHANGED = "unchanged"  # the recipient has this very view already; nothing was sent
    WITHHELD = "withheld"
    NOTHING = "nothing"  # what it was about is no longer to be sent
    TRANSIENT = "transient"
    UNCLEAR = "unclear"  # it may have arrived
    PERMANENT = "permanent"
    FAULT = "fault"  # the hub's own, foreseen or not: it says nothing about the partner


class SendCause(StrEnum):
    """Causes of the hub's own making, beside the adapters' `Cause`."""

    SLOW_TO_OPEN = "slow-to-open"
    UNFIT = "cannot-be-said-in-this-format"
    MISCONFIGURED = "misconfigured"
    SECRET_MISSING = "secret-missing"  # noqa: S105 - the name of a cause
    FAULT = "fault"
    DATABASE = "database-away"
    OLD_RULES = "rules-changed"  # this process has loaded other rules than those in force
    LEDGER_HALTED = "ledger-halted"  # nothing may be signed, so nothing leaves, until a person has looked
    LANE_LOST = "lane-lost"  # another worker has taken it in the meantime


@dataclass(frozen=True, slots=True)
class Sent:
    """How an attempt ended, and what is stored of it: ids, codes and digests."""

    result: Result
    cause: str | None = None
    status: int | None = None
    retry_after_s: float | None = None
    entry: int | None = None
    milliseconds: int = 0
    digest: bytes | None = None
    receipt: Receipt | None = None
    map: str | None = None
    map_version: str | None = None


def attempt(hub: Hub, claim: Claim, waiting: Waiting, attempt_id: UUID) -> Sent:
    """Try once to send a delivery."""
    began = time.monotonic()
    try:
        if waiting.topic is Topic.RECALL:
            with within(hub.pace.longest_attempt.total_seconds()):
                sent = _answered(Sent(Result.DELIVERED), *tell(hub, claim, waiting))
        else:
            what = errand(hub, claim, waiting, attempt_id)
            if isinstance(what, Nothing):
                return Sent(Result.NOTHING, what.value)
            with within(hub.pace.longest_attempt.total_seconds()):
                sent = _through(hub, claim, destination(hub, what.row), what, waiting.last_digest)
    except Unfit:
        sent = Sent(Result.PERMANENT, SendCause.UNFIT.value)
    except (Misconfigured, BadSecret, ConnectionMissing, MapMissing):
        sent = Sent(Result.PERMANENT, SendCause.MISCONFIGURED.value)
    except SecretMissing:
        sent = Sent(Result.TRANSIENT, SendCause.SECRET_MISSING.value)
    except LedgerHalted:
        sent = Sent(Result.FAULT, SendCause.LEDGER_HALTED.value)
    return replace(sent, milliseconds=int((time.monotonic() - began) * 1000))


def _through(hub: Hub, claim: Claim, way: Destination, what: Errand, last_digest: bytes | None) -> Sent:
    """Release and deliver, deciding again as long as the decision does not stand when the way is open."""
    answer: Released | NotPermitted | None = None
    for _ in range(RECONSIDERATIONS):
        answer = release(hub, what.request)
        if isinstance(answer, NotPermitted):
            return Sent(Result.WITHHELD, reason_of(answer.reasons).value, entry=answer.entry)
        child = what.request.children[0]
        digest = _view_digest(hub, child, what, answer)
        if digest == last_digest:
            not_sent(hub, child, answer)
            return Sent(Result.UNCHANGED, entry=answer.sealed.entry, digest=digest)
        guard = _Guard(hub, claim, answer)
        try:
            outcome = way.deliver(answer.sealed, opened=guard)
        except Exception as fault:
            if not guard.passed:
                not_sent(hub, child, answer)
            if not isinstance(fault, StaleDecision):
                raise
            if guard.lost:
                return Sent(Result.FAULT, SendCause.LANE_LOST.value, entry=answer.sealed.entry)
            continue
        return _told(hub, child, answer, guard, outcome, what, digest)
    return Sent(Result.TRANSIENT, SendCause.SLOW_TO_OPEN.value)


def _view_digest(hub: Hub, child: UUID, what: Errand, answer: Released) -> bytes:
    """What tells whether the recipient has this view already: its version, since the bytes may carry a time of day."""
    version = answer.sealed.body if answer.version is None else b"%d" % answer.version.n
    return hub.keys.get(child).digest((what.request.resource or "").encode() + b"\x1f" + version)


_STANDS = """
    SELECT (SELECT epoch FROM consent_epoch WHERE child_id = %(child)s),
        (SELECT epoch FROM agreement_epoch WHERE org = %(org)s),
        (SELECT rules_version FROM rules_in_force), statement_timestamp(),
        (SELECT fence FROM lane WHERE recipient = %(recipient)s AND child_id = %(child)s)
"""


class _Guard:
    """The `opened` callback: raises StaleDecision unless decision and claim stand at this instant; notes that it let go.

    `lost` where another worker has the lane.
    """

    def __init__(self, hub: Hub, claim: Claim, released: Released) -> None:
        self._hub = hub
        self._claim = claim
        self._released = released
        self.passed = False
        self.lost = False

    def __call__(self) -> None:
        decision = self._released.decision
        asked = {"org": decision.recipient, **self._claim.values()}
        with self._hub.db.transaction() as conn, batch(conn) as statements:
            answer = statements.send(_STANDS, asked)
            statements.commit()
            found = answer.fetchone()
        assert found is not None
        child, agreement, rules, now, fence = found
        self.lost = fence != self._claim.fence
        age = (now - decision.at).total_seconds()
        if (
            self.lost
            or (child, agreement) != (decision.child_epoch, decision.agreement_epoch)
            or bytes(rules) != decision.rules_version
            or now >= decision.expires
            or age > self._hub.settings.reconsider_after_s
        ):
            raise StaleDecision
        self.passed = True


def _told(
    hub: Hub,
    child: UUID,
    released: Released,
    guard: _Guard,
    outcome: Delivered | Failure,
    what: Errand,
    digest: bytes,
) -> Sent:
    """The partner's answer as what is stored; where nothing can have left, the log is told so."""
    sent = Sent(
        Result.DELIVERED,
        digest=digest,
        map=what.map.map if what.map else None,
        map_version=what.map.version if what.map else None,
    )
    if not guard.passed:
        not_sent(hub, child, released)
    return _answered(sent, outcome, released.sealed.entry)


def _answered(sent: Sent, outcome: Delivered | Failure, entry: int | None) -> Sent:
    """A partner's answer as what is stored of it; `entry` is the number of the attempt's own entry."""
    sent = replace(sent, entry=entry)
    if isinstance(outcome, Delivered):
        return replace(sent, status=outcome.receipt.status, receipt=outcome.receipt)
    retry = outcome.retry_after_s if isinstance(outcome, Transient) else None
    return replace(
        sent,
        result=_result_of(outcome),
        cause=outcome.cause.value,
        status=outcome.status,
        retry_after_s=retry,
    )


def _result_of(outcome: Failure) -> Result:
    """Credentials that are refused are mended by a person, and then everything that waited goes: nothing dies of them."""
    match outcome:
        case Transient() | Unauthorized():
            return Result.TRANSIENT
        case Malformed():
            return Result.UNCLEAR
        case _:
            return Result.TRANSIENT if outcome.cause is Cause.FOLDER else Result.PERMANENT


def not_sent(hub: Hub, child: UUID, released: Released) -> None:
    """Enter that at this attempt nothing left, so that its entry counts as no disclosure (ARCHITECTURE §6)."""
    key = keys_for(hub, [child]).get(child)
    if key is None:  # erased in the meantime: what was entered can no longer be read either
        return
    entry = released.entry.model_copy(
        update={"kind": EntryKind.NOT_SENT, "at": hub.clock(), "description": "nothing left at this attempt"}
    )
    entry_id = hub.ids()
    with hub.db.transaction() as conn:
        with batch(conn) as statements:
            statements.send(SHARE_CHILDREN, {"children": [child]})
        pending = seal_entry(key, entry, entry_id=entry_id, subject=released.sealed.delivery_id)
        ledger.append_pending(conn, [pending])
    sequence(hub, [entry_id])


def reason_of(reasons: Mapping[Category, Reason]) -> Reason:
    """One code for staff out of the reasons by topic; the whole of them is in the log."""
    wanted = [reason for topic, reason in reasons.items() if topic is not Category.IDENTITY] or list(
        reasons.values()
    )
    for reason in (Reason.SAFETY_HOLD, Reason.COURT_ORDER, Reason.GUARDIAN_DENY, Reason.REVOKED):
        if reason in wanted:
            return reason
    return max(wanted, key=wanted.count, default=Reason.NO_GRANT)
