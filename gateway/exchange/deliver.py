"""Working a lane: its deliveries in order, each attempt decided anew, until it is empty, has failed, or is handed back.

What a worker writes about a lane it writes only while its claim stands; one that lost it stops without a trace but the
attempt itself, which did happen. A failure that may pass delays the lane; one that will not ends the delivery and the lane
goes on, except that what else waits about the same referral is held for a person.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from gateway.exchange import refer, send
from gateway.exchange.context import Hub
from gateway.exchange.send import Result, Sent
from gateway.store import breakers, lanes, outbox
from gateway.store.breakers import Trip
from gateway.store.lanes import Claim
from gateway.store.outbox import AttemptRow, DeliveryState, Topic, Waiting

MOST_WAIT = timedelta(hours=6)
"""The longest a partner's own Retry-After is honoured."""


class End(StrEnum):
    """Reasons a delivery ends for, beside those of decisions and adapters."""

    GAVE_UP = "gave-up"
    CRASHES = "takes-its-worker-down"
    UNCLEAR = "answers-cannot-be-read"


class Step(StrEnum):
    """What became of one turn at a lane."""

    SENT = "sent"  # one delivery was dealt with; there may be more
    EMPTY = "empty"
    WAITS = "waits"  # the lane was delayed, or its recipient's breaker is open
    LOST = "lost"  # another worker has the lane


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker did with a lane. `again` where it was handed back with deliveries left."""

    lane: tuple[str, UUID]
    attempts: int
    again: bool


def work_lane(
    hub: Hub, lane: tuple[str, UUID] | None = None, *, going: Callable[[], bool] = lambda: True
) -> Worked | None:
    """Claim a due lane, the named one or any, and send what waits in it; None where there is nothing to claim.

    `going` is asked between deliveries; False hands the lane back at once.
    """
    with hub.db.transaction() as conn:
        claim = lanes.claim_lane(conn, hub.clock(), hub.pace.lease, lane)
    if claim is None:
        return None
    attempts = 0
    until = hub.clock() + hub.pace.longest_turn
    for _ in range(hub.pace.per_claim):
        if not going() or hub.clock() >= until:
            break
        step = _turn(hub, claim)
        if step is not Step.SENT:
            return Worked((claim.recipient, claim.child_id), attempts, again=False)
        attempts += 1
    with hub.db.transaction() as conn:
        at = hub.clock()
        if lanes.holds(conn, claim, at + hub.pace.lease):
            lanes.let_go(conn, claim, at, failures=0)
    return Worked((claim.recipient, claim.child_id), attempts, again=True)


def _turn(hub: Hub, claim: Claim) -> Step:
    """One delivery: counted, attempted, written down."""
    with hub.db.transaction() as conn:
        at = hub.clock()
        if not lanes.holds(conn, claim, at + hub.pace.lease):
            return Step.LOST
        waiting = outbox.begin_next(conn, claim, at)
        if waiting is None:
            lanes.let_go(conn, claim, at, failures=0)
            return Step.EMPTY
        ended = _past_hope(hub, waiting, at)
        if ended is not None:
            _end(conn, claim, waiting, ended.value, at)
            return Step.SENT
        if not breakers.may_send(conn, claim.recipient, at, hub.pace.lease):
            outbox.uncount(conn, waiting.delivery_id)
            lanes.let_go(conn, claim, at + hub.pace.breaker_wait, failures=lanes.lane_failures(conn, claim))
            return Step.WAITS
        last = outbox.last_digest(conn, claim, waiting)
    attempt_id = hub.ids()
    sent = send.attempt(hub, claim, waiting, attempt_id, last)
    return _write(hub, claim, waiting, attempt_id, sent)


def _past_hope(hub: Hub, waiting: Waiting, at: datetime) -> End | None:
    if waiting.unfinished >= hub.pace.crashes:
        return End.CRASHES
    return End.GAVE_UP if at - waiting.created_at > hub.pace.give_up else None


def _write(hub: Hub, claim: Claim, waiting: Waiting, attempt_id: UUID, sent: Sent) -> Step:
    """Write down how an attempt ended: always that it happened, the rest only while the claim stands."""
    with hub.db.transaction() as conn:
        at = hub.clock()
        standing = lanes.holds(conn, claim, at + hub.pace.lease)
        outbox.record_attempt(conn, _row(waiting, attempt_id, sent, at))
        _tell_breaker(hub, conn, claim, sent, at)
        if not standing:
            return Step.LOST
        if sent.result in {Result.TRANSIENT, Result.UNCLEAR}:
            return _delay(hub, conn, claim, waiting, sent, at)
        if sent.result is Result.PERMANENT:
            _end(conn, claim, waiting, sent.cause, at, ledger_seq=sent.entry)
            return Step.SENT
        _finish(hub, conn, claim, waiting, sent, at)
        return Step.SENT


def _row(waiting: Waiting, attempt_id: UUID, sent: Sent, at: datetime) -> AttemptRow:
    return AttemptRow(
        attempt_id,
        waiting.delivery_id,
        waiting.attempts,
        sent.entry,
        sent.result.value,
        sent.cause,
        sent.status,
        sent.milliseconds,
        at,
    )


def _tell_breaker(hub: Hub, conn: Connection, claim: Claim, sent: Sent, at: datetime) -> None:
    """A partner that answers, even with a refusal, is there; one that was not called says nothing either way."""
    match sent.result:
        case Result.DELIVERED | Result.PERMANENT:
            breakers.succeeded(conn, claim.recipient)
        case Result.TRANSIENT | Result.UNCLEAR:
            trip = Trip(hub.pace.breaker_failures, hub.pace.breaker_wait)
            breakers.failed(conn, claim.recipient, at, trip)
        case _:
            breakers.release_probe(conn, claim.recipient, at)


def _delay(hub: Hub, conn: Connection, claim: Claim, waiting: Waiting, sent: Sent, at: datetime) -> Step:
    """Keep the delivery at the head of its lane and let the lane wait: full jitter, or as long as the partner asks."""
    failures = lanes.lane_failures(conn, claim) + 1
    if sent.result is Result.UNCLEAR and failures >= hub.pace.unclear:
        _end(conn, claim, waiting, End.UNCLEAR.value, at, ledger_seq=sent.entry)
        return Step.SENT
    longest = min(hub.pace.longest_wait, hub.pace.first_wait * 2 ** min(failures - 1, 20))
    wait = longest * hub.random()
    if sent.retry_after_s is not None:
        wait = max(wait, min(MOST_WAIT, timedelta(seconds=sent.retry_after_s)))
    outbox.settle(
        conn, waiting.delivery_id, DeliveryState.PENDING, at, reason=sent.cause, ledger_seq=sent.entry
    )
    lanes.let_go(conn, claim, at + wait, failures=failures)
    return Step.WAITS


def _end(
    conn: Connection,
    claim: Claim,
    waiting: Waiting,
    reason: str | None,
    at: datetime,
    *,
    ledger_seq: int | None = None,
) -> None:
    """The delivery is dead; what else waits about the same referral is for a person to look at."""
    outbox.settle(conn, waiting.delivery_id, DeliveryState.DEAD, at, reason=reason, ledger_seq=ledger_seq)
    if waiting.topic is not Topic.PLAN:
        outbox.hold_same_referral(conn, claim, waiting.subject_id, at)


def _finish(hub: Hub, conn: Connection, claim: Claim, waiting: Waiting, sent: Sent, at: datetime) -> None:
    """Delivered, or withheld by decision, or nothing left to say: the delivery has ended and the referral hears of it."""
    if sent.result in {Result.WITHHELD, Result.NOTHING}:
        outbox.settle(
            conn,
            waiting.delivery_id,
            DeliveryState.WITHHELD,
            at,
            reason=sent.cause,
            ledger_seq=sent.entry,
        )
        if waiting.topic is Topic.REFERRAL and sent.result is Result.WITHHELD:
            refer.mark_withheld(conn, waiting.subject_id, at)
        return
    outbox.settle(
        conn,
        waiting.delivery_id,
        DeliveryState.DELIVERED,
        at,
        reason=sent.result.value if sent.result is Result.UNCHANGED else None,
        ledger_seq=sent.entry,
        payload_digest=sent.digest,
        receipt=_sealed_receipt(hub, claim, waiting, sent),
        map=sent.map,
        map_version=sent.map_version,
    )
    if waiting.topic is Topic.REFERRAL:
        refer.mark_sent(conn, waiting.subject_id, at)
    lanes.forget_failures(conn, claim)


def _sealed_receipt(hub: Hub, claim: Claim, waiting: Waiting, sent: Sent) -> bytes | None:
    """The partner's own ids for what it stored, sealed: they name the child in the partner's system."""
    key = hub.keys.get_many((claim.child_id,)).get(claim.child_id)
    if sent.receipt is None or key is None or not sent.receipt.locations:
        return None
    text = "\n".join(sent.receipt.locations)
    return key.seal(text.encode(), row=waiting.delivery_id, kind="receipt")


def locations_of(hub: Hub, child: UUID, delivery_id: UUID, receipt: bytes) -> tuple[str, ...]:
    """Where a partner said it stored a delivery; raises SealBroken for another's receipt."""
    return tuple(hub.keys.get(child).open(receipt, row=delivery_id, kind="receipt").decode().split("\n"))
