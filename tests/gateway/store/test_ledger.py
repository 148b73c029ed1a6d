"""One path into the tree: gapless, ordered per child, signed, provable (ARCHITECTURE §7)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from consent.checkpoint import Checkpoint, open_checkpoint
from consent.merkle import leaf_hash, root_of_leaves
from consent.proof import verify_proof
from gateway.exchange.audit import verify_ledger
from gateway.exchange.published import receipt
from gateway.exchange.sequence import sequence, sequence_all
from gateway.store import ledger
from gateway.store.engine import Role, open_database
from gateway.store.keys import open_keystore
from tests.gateway.family import SIGNER, Family, a_hub
from tests.gateway.store.log import an_entry, append, rows


@pytest.fixture
def child(fresh_hub):
    return Family(fresh_hub).child


def test_the_log_has_a_signed_checkpoint_from_its_first_entry(fresh_hub, child):
    (entry,) = append(fresh_hub, child, 1)
    assert sequence(fresh_hub, [entry]) == {entry: 0}
    ((size, root, note),) = rows(fresh_hub, "SELECT size, root, note FROM ledger_checkpoint")
    ((leaf,),) = rows(fresh_hub, "SELECT leaf FROM ledger_entry")
    assert (size, bytes(root)) == (1, leaf_hash(bytes(leaf)))
    checkpoint = open_checkpoint(note, SIGNER.name, [SIGNER.verifier])
    assert isinstance(checkpoint, Checkpoint)
    assert (checkpoint.size, checkpoint.root) == (1, bytes(root))


def test_entries_are_numbered_from_0_in_the_order_they_were_drawn(fresh_hub, child):
    entries = append(fresh_hub, child, 5)
    numbers = sequence(fresh_hub, entries[-1:])
    assert numbers == {entries[-1]: 4}
    assert sequence(fresh_hub, entries) == {entry: n for n, entry in enumerate(entries)}


def test_asking_again_gives_the_same_numbers_and_signs_nothing(fresh_hub, child):
    entries = append(fresh_hub, child, 3)
    first = sequence(fresh_hub, entries)
    assert sequence(fresh_hub, entries) == first
    assert sequence(fresh_hub, []) == {}
    assert len(rows(fresh_hub, "SELECT size FROM ledger_checkpoint")) == 1


def test_what_a_process_left_behind_is_numbered_by_the_next(fresh_hub, child):
    append(fresh_hub, child, 7)
    assert sequence_all(fresh_hub) == 7
    assert sequence_all(fresh_hub) == 0
    assert verify_ledger(fresh_hub).sound


def test_an_entry_of_a_transaction_that_rolled_back_is_not_in_the_log(fresh_hub, child):
    with fresh_hub.db.transaction() as connection:
        ledger.append_pending(connection, [an_entry(fresh_hub, child)])
        connection.rollback()
    assert sequence_all(fresh_hub) == 0


@pytest.mark.parametrize("sizes", [(1, 254, 1, 1), (256,), (257, 255, 1), (300, 300)])
def test_tiles_and_roots_are_those_of_the_leaves_whatever_the_batches(fresh_hub, child, sizes):
    for size in sizes:
        sequence(fresh_hub, append(fresh_hub, child, size))
    leaves = [bytes(row[0]) for row in rows(fresh_hub, "SELECT leaf FROM ledger_entry ORDER BY seq")]
    ((root,),) = rows(fresh_hub, "SELECT root FROM ledger_checkpoint ORDER BY size DESC LIMIT 1")
    assert bytes(root) == root_of_leaves([leaf_hash(leaf) for leaf in leaves])
    report = verify_ledger(fresh_hub)
    assert report.sound
    assert (report.size, report.opened, report.checkpoints) == (sum(sizes), sum(sizes), len(sizes))


def test_every_entry_has_a_receipt_that_verifies(fresh_hub, child):
    sequence(fresh_hub, append(fresh_hub, child, 300))
    for seq, leaf in rows(fresh_hub, "SELECT seq, leaf FROM ledger_entry WHERE seq IN (0, 1, 255, 256, 299)"):
        proof = receipt(fresh_hub, seq)
        assert proof is not None
        assert getattr(verify_proof(proof, bytes(leaf), SIGNER.name, [SIGNER.verifier]), "size", 0) == 300


def test_sixteen_callers_leave_no_gap_and_no_doubt(fresh_hub, child):
    def call(_: int) -> list[int]:
        return [n for _ in range(6) for n in sequence(fresh_hub, append(fresh_hub, child, 2)).values()]

    with ThreadPoolExecutor(16) as pool:
        numbers = sorted(n for found in pool.map(call, range(16)) for n in found)
    assert numbers == list(range(16 * 12))
    report = verify_ledger(fresh_hub)
    assert report.sound
    assert report.waiting == 0


def _write(urls: tuple[str, str], home: str, child: UUID, count: int) -> None:
    """A writer in a process of its own."""
    database, keys = open_database(urls[0]), open_keystore(urls[1], Path(home))
    try:
        hub = a_hub(database, keys, Path(home))
        for _ in range(count):
            sequence(hub, append(hub, child, 1))
    finally:
        database.close()
        keys.close()


def test_several_processes_leave_no_gap_and_no_doubt(fresh_copy, keys_copy, tmp_path):
    database, keys = open_database(fresh_copy.app), open_keystore(keys_copy.app, tmp_path)
    hub = a_hub(database, keys, tmp_path)
    family = Family(hub)
    context = get_context("spawn")
    writers = [
        context.Process(
            target=_write, args=((fresh_copy.app, keys_copy.app), str(tmp_path), family.child, 30)
        )
        for _ in range(3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0] * 3
    report = verify_ledger(hub)
    assert (report.sound, report.size, report.waiting) == (True, 90, 0)
    database.close()
    keys.close()


def test_nobody_waits_for_the_sequencer_holding_a_childs_lock(fresh_hub, child):
    """A sequencer that stands still delays answers, never a family's stop."""
    held, done = threading.Event(), threading.Event()

    def stand_still() -> None:
        with fresh_hub.db.transaction(role=Role.SEQUENCER) as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ledger.LOCK})
            held.set()
            done.wait(10)

    holder = threading.Thread(target=stand_still)
    holder.start()
    assert held.wait(10)
    entries = append(fresh_hub, child, 1)
    waiting = ThreadPoolExecutor(1).submit(sequence, fresh_hub, entries)
    with fresh_hub.db.transaction() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '1s'"))
        connection.execute(text("SELECT epoch FROM consent_epoch FOR UPDATE"))
    assert not waiting.done()
    done.set()
    holder.join()
    assert waiting.result(10) == {entries[0]: 0}


def test_a_childs_entries_are_found_by_child_in_the_order_of_the_log(fresh_hub, child):
    other = Family(fresh_hub).child
    mine = [
        entry for _ in range(3) for entry in (append(fresh_hub, child, 1), append(fresh_hub, other, 1))[0]
    ]
    sequence_all(fresh_hub)
    with fresh_hub.db.transaction() as connection:
        found = ledger.entries_about(connection, child)
        assert [row.entry_id for row in found] == mine
        assert [row.seq for row in ledger.entries_about(connection, child, after=found[0].seq, limit=1)] == [
            found[1].seq
        ]
        assert ledger.find_entries(connection, mine) == {row.entry_id: row.seq for row in found}
