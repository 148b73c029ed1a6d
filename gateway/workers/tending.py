"""The ledger's keeper: while the sweeper runs, witnesses are asked and the mark is kept, in a thread of its own.

A slow witness delays nobody: no release waits for it, and no lane is rung later.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from gateway.exchange.context import Hub
from gateway.exchange.selfcheck import tend
from gateway.exchange.witnessing import client
from gateway.telemetry import LogCode, error

EVERY = timedelta(seconds=10)


@contextmanager
def tending(hub: Hub, every: timedelta = EVERY) -> Iterator[None]:
    """Tend the ledger until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(
        target=_tend, args=(hub, stop, every.total_seconds()), name="ledger", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(every.total_seconds())


def _tend(hub: Hub, stop: threading.Event, every_s: float) -> None:
    with client(hub.settings) as http:
        while not stop.is_set():
            try:
                tend(hub, http)
            except Exception as fault:  # noqa: BLE001  # the thread's edge: the next round may find the database back
                error(LogCode.LEDGER_FAULT, fault)
            stop.wait(every_s)
