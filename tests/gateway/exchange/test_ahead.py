"""A source is read on while what came before is taken in: in order, only so far, and never longer than anybody wants it."""

from collections.abc import Iterator
from threading import Event, current_thread

import pytest

from gateway.exchange.ahead import PIECE, PIECES, read_ahead


def test_everything_comes_once_and_in_order():
    assert list(read_ahead(range(5 * PIECE + 7))) == list(range(5 * PIECE + 7))


def test_nothing_at_all_is_nothing():
    assert list(read_ahead(())) == []


def test_what_came_before_a_fault_is_taken_and_then_it_is_raised():
    def source() -> Iterator[int]:
        yield from range(PIECE + 3)
        raise LookupError("the source went away")

    taken: list[int] = []
    with pytest.raises(LookupError, match="went away"):
        taken.extend(read_ahead(source()))
    assert taken == list(range(PIECE + 3))


def test_reading_goes_on_while_the_first_is_in_hand_and_stops_where_too_much_waits():
    full = Event()
    most = (PIECES + 1) * PIECE
    read: list[int] = []

    def source() -> Iterator[int]:
        for number in range(10 * most):
            read.append(number)
            if len(read) == most:
                full.set()
            yield number

    items = read_ahead(source())
    next(items)
    assert full.wait(10)
    items.close()
    assert len(read) <= most + PIECE + 1


def test_a_source_nobody_wants_any_more_is_closed_in_the_thread_that_read_it():
    threads = []

    def source() -> Iterator[int]:
        threads.append(current_thread())
        try:
            while True:
                yield 1
        finally:
            threads.append(current_thread())

    items = read_ahead(source())
    next(items)
    items.close()
    assert len(threads) == 2
    assert threads[0] is threads[1] is not current_thread()
    assert not threads[0].is_alive()


def test_a_source_that_is_never_asked_is_never_read():
    asked = []

    def source() -> Iterator[int]:
        asked.append(1)
        yield 1

    read_ahead(source())
    assert not asked
