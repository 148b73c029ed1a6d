"""Working a lane: its deliveries in order, each attempt decided anew, until it is empty, has failed, or is handed back.

What a worker writes about a lane it writes only while its claim stands; one that lost it stops without a trace but the
attempt itself, which did happen. A failure that may pass delays the lane; one that will not ends the delivery and the lane
goes on, except that what else waits about the same referral is held for a person. The transaction that writes down how a
delivery ended begins the next one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from consent.vocabulary import Purpose
from gateway.exchange import ask, refer, send
from gateway.exchange.context import Hub
from gateway.exchange.release import RulesNotInForce
from gateway.exchange.send import Result, SendCause, Sent
from gateway.store import breakers, lanes, outbox
from gateway.store.breakers import Trip
from gateway.store.deliverystate import DeliveryState
from gateway.store.lanes import Claim
from gateway.store.outbox import AttemptRow, Settled, Topic, Waiting
from gateway.store.pipeline import Batch, batch
from gateway.telemetry import LogCode, error

MOST_WAIT = timedelta(hours=6)
"""The longest a partner's own Retry-After is honoured."""

AGAIN_S = 1.0
"""Seconds until it is tried again to write down an attempt while the database is away."""


class End(StrEnum):
    """Reasons a delivery ends for, beside those of decisions and adapters."""

    GAVE_UP = "gave-up"
    CRASHES = "takes-its-worker-down"
    UNCLEAR = "answers-cannot-be-read"
    FAULT = "fault"


class Step(StrEnum):
    """Why a worker's turn at a lane is over; `SENT` where it is not."""

    SENT = "sent"  # one delivery was dealt with; there may be more
    EMPTY = "empty"
    WAITS = "waits"  # the lane was delayed, or its recipient's breaker is open
    LOST = "lost"  # another worker has the lane
    BACK = "handed-back"  # there may be more, for another turn


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker did with a lane. `again` where it was handed back with deliveries left."""

    lane: tuple[str, UUID]
    attempts: int
    again: bool


@dataclass(slots=True)
class _Turn:
    """A worker's turn at a lane: its claim, how much it has dealt with, and until when it goes on."""

    hub: Hub
    claim: Claim
    going: Callable[[], bool]
    until: datetime
    done: int = field(default=0, init=False)

    def goes_on(self) -> bool:
        """Whether there is time for another delivery."""
        return self.done < self.hub.pace.per_claim and self.going() and self.hub.clock() < self.until


def work_lane(
    hub: Hub, lane: tuple[str, UUID] | None = None, *, going: Callable[[], bool] = lambda: True
) -> Worked | None:
    """Claim a due lane, the named one or any, and send what waits in it; None where there is nothing to claim.

    `going` is asked between deliveries; False hands the lane back at once.
    """
    at = hub.clock()
    with hub.db.transaction() as conn, batch(conn) as statements:
        claim = lanes.claim_lane(statements, at, hub.pace.lease, lane)
        if claim is None:
            statements.commit()
            return None
        turn = _Turn(hub, claim, going, at + hub.pace.longest_turn)
        found = _begin(turn, statements)
    while isinstance(found, Waiting):
        attempt_id = hub.ids()
        sent = _attempt(turn, found, attempt_id)
        found = _written(turn, found, attempt_id, sent)
    return Worked((claim.recipient, claim.child_id), turn.done, again=found is Step.BACK)


def _begin(turn: _Turn, statements: Batch) -> Waiting | Step:
    """The lane's next delivery, counted before any work is done on it; or why there is none now. Commits."""
    hub, claim = turn.hub, turn.claim
    while turn.goes_on():
        at = hub.clock()
        begun = outbox.begin_next(statements, claim, at)
        breaker = breakers.look(statements, claim.recipient)
        lanes.close_if_empty(statements, claim)
        statements.commit()
        waiting = outbox.begun(begun)
        if waiting is None:
            return Step.EMPTY
        ended = _past_hope(hub, waiting, at)
        if ended is None and breakers.is_closed(breaker):
            return waiting
        if lanes.holds(statements, claim, at + hub.pace.lease) is None:
            statements.commit()
            return Step.LOST
        if ended is not None:
            _end(statements, claim, waiting, ended.value, at)
            turn.done += 1
        else:
            return _knock(turn, statements, waiting, at)
    lanes.let_go(statements, claim, hub.clock())
    statements.commit()
    return Step.BACK


def _knock(turn: _Turn, statements: Batch, waiting: Waiting, at: datetime) -> Waiting | Step:
    """The recipient's breaker is not closed: be the one that finds out whether it is back, or wait. Commits."""
    pace, recipient = turn.hub.pace, turn.claim.recipient
    probes = breakers.take_probe(statements, recipient, at, pace.lease)
    if not probes:
        outbox.uncount(statements, waiting.delivery_id)
        lanes.let_go(statements, turn.claim, at + pace.breaker_wait)
    statements.commit()
    return waiting if probes else Step.WAITS


def _past_hope(hub: Hub, waiting: Waiting, at: datetime) -> End | None:
    if waiting.unfinished >= hub.pace.crashes:
        return End.CRASHES
    return End.GAVE_UP if at - waiting.created_at > hub.pace.give_up else None


def _attempt(turn: _Turn, waiting: Waiting, attempt_id: UUID) -> Sent:
    """One attempt. Whatever it raises ends here, so that it costs its own lane a delay and no other anything."""
    try:
        return send.attempt(turn.hub, turn.claim, waiting, attempt_id)
    except Exception as fault:  # noqa: BLE001 - the worker's edge
        return _fault(fault, turn.claim, waiting)


def _fault(fault: Exception, claim: Claim, waiting: Waiting) -> Sent:
    """What was not foreseen, as how an attempt ended: its class stands in the log, only a closed word at the delivery."""
    error(LogCode.DELIVERY_FAULT, fault, recipient=claim.recipient, delivery=waiting.delivery_id)
    if isinstance(fault, RulesNotInForce):
        return Sent(Result.FAULT, SendCause.OLD_RULES.value)
    return Sent(Result.FAULT, (SendCause.DATABASE if _is_away(fault) else SendCause.FAULT).value)


def _is_away(fault: Exception) -> bool:
    """Whether it is the database that does not answer, which says nothing about the delivery."""
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    return isinstance(cause, psycopg.OperationalError | PoolTimeout)


def _written(turn: _Turn, waiting: Waiting, attempt_id: UUID, sent: Sent) -> Waiting | Step:
    """Write down how an attempt ended and begin the next delivery.

    While the database is away it is tried again until the lease is over: what a partner has answered must not be asked again.
    Where writing it down is itself what fails, a fault is written down in its place.
    """
    until = time.monotonic() + turn.hub.pace.lease.total_seconds()
    while True:
        try:
            return _write(turn, waiting, attempt_id, sent)
        except Exception as fault:
            if _is_away(fault):
                if not turn.going() or time.monotonic() >= until:
                    raise
                time.sleep(AGAIN_S)
            elif sent.result is Result.FAULT:
                raise
            else:
                sent = _fault(fault, turn.claim, waiting)


def _write(turn: _Turn, waiting: Waiting, attempt_id: UUID, sent: Sent) -> Waiting | Step:
    """Always that it happened, the rest only while the claim stands."""
    hub, claim = turn.hub, turn.claim
    receipt = _sealed_receipt(hub, claim, waiting, sent)
    with hub.db.transaction() as conn:
        at = hub.clock()
        with batch(conn) as statements:
            failures = lanes.holds(statements, claim, at + hub.pace.lease)
            outbox.record_attempt(statements, _row(waiting, attempt_id, sent, at))
            _tell_breaker(hub, statements, claim, sent, at)
            if failures is None:
                statements.commit()
                return Step.LOST
            step = _settle(turn, statements, waiting, sent, at, failures=failures, receipt=receipt)
            if waiting.topic is not Topic.REFERRAL:
                return _go_on(turn, statements, step)
        _tell_referral(turn.hub, conn, waiting, sent, at)
        with batch(conn) as statements:
            return _go_on(turn, statements, step)


def _go_on(turn: _Turn, statements: Batch, step: Step) -> Waiting | Step:
    """Commit, with the next delivery begun where the lane goes on."""
    if step is Step.SENT:
        turn.done += 1
        return _begin(turn, statements)
    statements.commit()
    return step


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


def _tell_breaker(hub: Hub, statements: Batch, claim: Claim, sent: Sent, at: datetime) -> None:
    """A partner that answers, even with a refusal, is there; one that was not called says nothing either way."""
    match sent.result:
        case Result.DELIVERED | Result.PERMANENT:
            breakers.succeeded(statements, claim.recipient)
        case Result.TRANSIENT | Result.UNCLEAR:
            trip = Trip(hub.pace.breaker_failures, hub.pace.breaker_wait)
            breakers.failed(statements, claim.recipient, at, trip)
        case _:
            breakers.release_probe(statements, claim.recipient, at)


def _settle(
    turn: _Turn,
    statements: Batch,
    waiting: Waiting,
    sent: Sent,
    at: datetime,
    *,
    failures: int,
    receipt: bytes | None,
) -> Step:
    """What the delivery has come to. `failures` in a row of its lane, before this."""
    claim = turn.claim
    if sent.result in {Result.TRANSIENT, Result.UNCLEAR, Result.FAULT}:
        reason = _given_up(turn.hub, statements, waiting, sent, failures + 1)
        if reason is None:
            return _delay(turn, statements, waiting, sent, at, failures + 1)
        _end(statements, claim, waiting, reason.value, at, ledger_seq=sent.entry)
        return Step.SENT
    if sent.result is Result.PERMANENT:
        _end(statements, claim, waiting, sent.cause, at, ledger_seq=sent.entry)
        return Step.SENT
    ended = Settled(waiting.delivery_id, DeliveryState.WITHHELD, at, reason=sent.cause, ledger_seq=sent.entry)
    if sent.result not in {Result.WITHHELD, Result.NOTHING}:
        ended = Settled(
            waiting.delivery_id,
            DeliveryState.DELIVERED,
            at,
            reason=sent.result.value if sent.result is Result.UNCHANGED else None,
            ledger_seq=sent.entry,
            payload_digest=sent.digest,
            receipt=receipt,
            map=sent.map,
            map_version=sent.map_version,
        )
        lanes.forget_failures(statements, claim)
    outbox.settle(statements, ended)
    return Step.SENT


def _given_up(hub: Hub, statements: Batch, waiting: Waiting, sent: Sent, failures: int) -> End | None:
    """Why a delivery that failed once more is not tried again; None where it is."""
    if sent.result is Result.UNCLEAR and failures >= hub.pace.unclear:
        return End.UNCLEAR
    if sent.cause != SendCause.FAULT:
        return None
    faults = outbox.attempts_ended_by(statements, waiting.delivery_id, SendCause.FAULT.value)
    return End.FAULT if faults >= hub.pace.faults else None


def _delay(turn: _Turn, statements: Batch, waiting: Waiting, sent: Sent, at: datetime, failures: int) -> Step:
    """Keep the delivery at the head of its lane and let the lane wait: full jitter, or as long as the partner asks."""
    pace = turn.hub.pace
    wait = min(pace.longest_wait, pace.first_wait * 2 ** min(failures - 1, 20)) * turn.hub.random()
    if sent.retry_after_s is not None:
        wait = max(wait, min(MOST_WAIT, timedelta(seconds=sent.retry_after_s)))
    waits = Settled(waiting.delivery_id, DeliveryState.PENDING, at, reason=sent.cause, ledger_seq=sent.entry)
    outbox.settle(statements, waits)
    lanes.let_go(statements, turn.claim, at + wait, failures=failures)
    return Step.WAITS


def _end(
    statements: Batch,
    claim: Claim,
    waiting: Waiting,
    reason: str | None,
    at: datetime,
    *,
    ledger_seq: int | None = None,
) -> None:
    """The delivery is dead; what else waits about the same referral is for a person to look at."""
    dead = Settled(waiting.delivery_id, DeliveryState.DEAD, at, reason=reason, ledger_seq=ledger_seq)
    outbox.settle(statements, dead)
    if waiting.topic is not Topic.PLAN:
        outbox.hold_same_referral(statements, claim, waiting.subject_id, at)


def _tell_referral(hub: Hub, conn: Connection, waiting: Waiting, sent: Sent, at: datetime) -> None:
    """The referral hears that its partner has it, or that no permission covered the send: then the family is asked."""
    match sent.result:
        case Result.DELIVERED | Result.UNCHANGED:
            refer.mark_sent(conn, waiting.subject_id, at)
        case Result.WITHHELD:
            row = refer.mark_withheld(conn, waiting.subject_id, at)
            if row is not None:
                ask.ask_for_referral(hub, conn, row, Purpose(waiting.purpose), at)
        case _:
            return


def _sealed_receipt(hub: Hub, claim: Claim, waiting: Waiting, sent: Sent) -> bytes | None:
    """The partner's own ids for what it stored, sealed: they name the child in the partner's system."""
    if sent.receipt is None or not sent.receipt.locations:
        return None
    key = hub.keys.get_many((claim.child_id,)).get(claim.child_id)
    if key is None:
        return None
    text = "\n".join(sent.receipt.locations)
    return key.seal(text.encode(), row=waiting.delivery_id, kind="receipt")


def locations_of(hub: Hub, child: UUID, delivery_id: UUID, receipt: bytes) -> tuple[str, ...]:
    """Where a partner said it stored a delivery; raises SealBroken for another's receipt."""
    return tuple(hub.keys.get(child).open(receipt, row=delivery_id, kind="receipt").decode().split("\n"))
