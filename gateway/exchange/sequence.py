"""The one path into the tree: pending entries get their numbers, the tree grows, the checkpoint is signed and durable.

Called after the commit of whatever an entry records, holding no lock on any child. Whoever comes first does the work of
all who wait behind it (ARCHITECTURE §7).
"""

import threading
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import Connection

from consent.checkpoint import Checkpoint, sign_checkpoint
from consent.merkle import integrate, leaf_hash
from consent.note import SignerKey
from gateway.exchange.context import Hub
from gateway.store import ledger
from gateway.store.engine import Database
from gateway.store.ledger import Head
from gateway.store.pipeline import batch, driver_of

_ROUNDS = 10_000  # of 5,000 entries each: a bound, never a limit anyone meets
_SWEEP = 1_000


class NotSequenced(RuntimeError):  # noqa: N818 - it says what happened
    """An entry that is neither numbered nor waiting: its transaction never committed, which is a bug of the caller."""


class LedgerHalted(RuntimeError):  # noqa: N818 - it says what happened
    """Nothing may be signed until a person has looked; the text says why. What waits keeps waiting, and nothing leaves."""


class _Desk:
    """Where the threads of one process meet: whoever has the turn numbers for all who stand behind.

    `asked` are ids somebody waits for, `given` numbers nobody has fetched yet; both are touched only under `mutex`.
    """

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.mutex = threading.Lock()
        self.asked: set[UUID] = set()
        self.given: dict[UUID, int] = {}


_desks: WeakKeyDictionary[Database, _Desk] = WeakKeyDictionary()
_making = threading.Lock()


def sequence(hub: Hub, entry_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The numbers of these entries, once a signed checkpoint that contains them is on disk.

    Their transaction has committed, be it asynchronously: the commit made here is durable and covers it too. Raises
    `NotSequenced` where it did not commit, `LedgerHalted` where nothing may be signed.
    """
    mine = set(entry_ids)
    if not mine:
        return {}
    with _making:
        desk = _desks.setdefault(hub.db, _Desk())
    with desk.mutex:
        desk.asked |= mine
    try:
        with desk.turn:
            with desk.mutex:
                everyone = set() if mine <= desk.given.keys() else desk.asked | mine
            numbers = _for_all(hub, mine, everyone) if everyone else {}
            with desk.mutex:
                desk.given |= numbers
                desk.asked -= numbers.keys()
                return {entry: desk.given[entry] for entry in mine}
    finally:
        with desk.mutex:
            desk.asked -= mine
            for entry in mine:
                desk.given.pop(entry, None)


def _for_all(hub: Hub, mine: set[UUID], everyone: set[UUID]) -> dict[UUID, int]:
    """Numbers for all who wait; where one of the others waits in vain, at least for those of the caller."""
    try:
        return _number(hub, everyone)
    except NotSequenced:
        return _number(hub, mine)


def _number(hub: Hub, entry_ids: Collection[UUID]) -> dict[UUID, int]:
    for _ in range(_ROUNDS):
        numbers = _one_turn(hub, entry_ids)
        if numbers is not None:
            return numbers
    raise NotSequenced("the queue before these entries never ended")


def sequence_all(hub: Hub) -> int:
    """Number every waiting entry; how many there were. For what a process that died left behind.

    Where nothing may be signed, what waits keeps waiting.
    """
    done = 0
    for _ in range(_ROUNDS):
        with hub.db.transaction() as connection:
            waiting = driver_of(connection).execute(
                "SELECT entry_id FROM ledger_pending ORDER BY pending_id LIMIT %s", (_SWEEP,)
            )
            entry_ids = [row[0] for row in waiting]
        if not entry_ids:
            break
        try:
            done += len(sequence(hub, entry_ids))
        except LedgerHalted:
            break
    return done


def _one_turn(hub: Hub, entry_ids: Collection[UUID]) -> dict[UUID, int] | None:
    """One turn at the lock: the numbers if all have one, else everything that waits is numbered."""
    with hub.db.transaction() as connection:
        turn = ledger.take_turn(connection, entry_ids)
        if turn.numbers.keys() >= set(entry_ids):
            return turn.numbers
        if not turn.waiting:
            raise NotSequenced("some of these entries are neither numbered nor waiting")
        if turn.halted is not None:
            raise LedgerHalted(turn.halted)
        base = turn.size
        _grow(connection, turn, hub.signers, hub.clock())
    wanted = set(entry_ids)
    numbers = {row.entry_id: base + place for place, row in enumerate(turn.waiting) if row.entry_id in wanted}
    numbers |= turn.numbers
    return numbers if numbers.keys() >= wanted else None


def _grow(connection: Connection, turn: ledger.Turn, signers: Sequence[SignerKey], at: datetime) -> None:
    """Number everything that waits, extend the tree, sign, commit durably."""
    growth = integrate(turn.size, [leaf_hash(row.leaf) for row in turn.waiting], lambda _: turn.edge)
    note = sign_checkpoint(Checkpoint(signers[0].name, growth.size, growth.root), signers)
    head = Head(growth.size, growth.root, str(note))
    with batch(connection) as statements:
        ledger.write_growth(statements, head, growth, turn.waiting, at)
        statements.commit()
