"""The sweeper's thread that asks the witnesses and keeps the mark."""

import time
from dataclasses import replace
from datetime import timedelta

from gateway.exchange.published import witnessed
from gateway.exchange.sequence import sequence, sequence_all
from gateway.store import witnesses
from gateway.store.mark import mark_file, read_mark
from gateway.store.pipeline import driver_of
from gateway.workers.tending import tending
from tests.gateway.family import Family, now
from tests.gateway.store.log import append, rows
from tests.gateway.witnesses import a_witness, policy_with


def wait_for(found):
    """Until it is so; bounded, and not a measurement."""
    for _ in range(600):
        if found():
            return
        time.sleep(0.05)
    raise AssertionError("it never came")


def test_while_it_runs_new_checkpoints_are_witnessed_and_the_mark_follows(fresh_hub, tmp_path):
    settings = fresh_hub.settings.model_copy(update={"allow_loopback_partners": True})
    child = Family(fresh_hub).child
    with a_witness(tmp_path) as library:
        hub = replace(fresh_hub, settings=settings, policy=policy_with(library))
        with tending(hub, timedelta(milliseconds=20)):
            for size in (2, 4):
                sequence(hub, append(hub, child, 2))
                wait_for(lambda size=size: (note := witnessed(hub)) and note.text.split("\n")[1] == str(size))
            wait_for(lambda: (mark := read_mark(mark_file(settings.home))) and mark.size == 4)


def test_what_waits_while_the_log_is_halted_keeps_waiting_and_the_sweep_goes_on(fresh_hub):
    append(fresh_hub, Family(fresh_hub).child, 3)
    with fresh_hub.db.transaction() as connection:
        witnesses.halt(driver_of(connection), "a test", now())
    assert sequence_all(fresh_hub) == 0
    assert rows(fresh_hub, "SELECT count(*) FROM ledger_pending") == [(3,)]
    with fresh_hub.db.transaction() as connection:
        witnesses.lift_halt(driver_of(connection))
    assert sequence_all(fresh_hub) == 3
