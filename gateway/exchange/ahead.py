"""Reading on while what came before is taken in: a partner's server and the hub's database are waited for at the same time."""

from collections.abc import Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

One = TypeVar("One")

PIECE = 100
PIECES = 10
"""A thousand documents at most are read and not yet taken: two pages of an API."""

_LOOK = 0.2
_LONGEST_END = 10.0
"""Seconds: how often the reader looks whether anybody still wants what it read, and how long the end waits for it."""


@dataclass(frozen=True, slots=True)
class _End:
    """Nothing more comes, and what was raised, if anything."""

    fault: BaseException | None


@dataclass(frozen=True, slots=True)
class _Reader(Generic[One]):
    """Reads a source in a thread of its own, and closes it there."""

    source: Iterable[One]
    read: "Queue[list[One] | _End]"
    unwanted: Event

    def run(self) -> None:
        fault = None
        piece: list[One] = []
        iterator = iter(self.source)
        try:
            for one in iterator:
                piece.append(one)
                if len(piece) >= PIECE:
                    self._hand_over(piece)
                    piece = []
                if self.unwanted.is_set():
                    break
            if isinstance(iterator, Generator):
                iterator.close()
        except BaseException as error:  # noqa: BLE001 - raised again where the documents are taken
            fault = error
        self._hand_over(piece)
        self._hand_over(_End(fault))

    def _hand_over(self, what: list[One] | _End) -> None:
        while not self.unwanted.is_set():
            with suppress(Full):
                self.read.put(what, timeout=_LOOK)
                return


def read_ahead(source: Iterable[One]) -> Generator[One, None, None]:
    """The source's items in their order, read up to a thousand ahead; raises what the source raises, after what came before.

    The source is iterated and closed in one other thread, which is gone when this iterator is exhausted or closed.
    """
    read: Queue[list[One] | _End] = Queue(PIECES)
    unwanted = Event()
    thread = Thread(target=_Reader(source, read, unwanted).run, name="planhub read ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(piece := read.get(), _End):
            yield from piece
        if piece.fault is not None:
            raise piece.fault
    finally:
        unwanted.set()
        with suppress(Empty):
            while True:
                read.get_nowait()
        thread.join(_LONGEST_END)
