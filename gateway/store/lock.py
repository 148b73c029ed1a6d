"""How several processes share one server: the first to come starts it, the last to leave stops it.

Each process holds a shared flock on a file for as long as it uses the server. Arriving and leaving are done one process
at a time under a second lock, since turning a shared lock into an exclusive one is not atomic (flock(2)). A process that
is killed lets go of its locks; the server then runs on until the next one leaves.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT_SECONDS = 660.0
"""Longer than the longest start (`pg_ctl -t 600`), so that whoever waits outlives whoever starts."""


class LockBusy(Exception):  # noqa: N818  # reads as what happened
    """Another process has been starting or stopping the server for longer than any start takes."""


class Share:
    """This process's share in one server."""

    def __init__(self, lock: Path) -> None:
        self._path = lock
        self._handle: int | None = None
        self._owner = 0

    @property
    def held(self) -> bool:
        """Whether this very process holds a share; a fork of it does not."""
        return self._handle is not None and self._owner == os.getpid()

    def join(self, ensure_running: Callable[[], None]) -> None:
        """Take a share and make the server run. On failure the share is given back."""
        with self.alone():
            handle = _open(self._path)
            try:
                fcntl.flock(
                    handle, fcntl.LOCK_SH | fcntl.LOCK_NB
                )  # held exclusively only under the second lock
                ensure_running()
            except BaseException:
                os.close(handle)
                raise
            self._handle, self._owner = handle, os.getpid()

    def leave(self, stop: Callable[[], None]) -> bool:
        """Give the share back and stop the server if nobody else has one; whether it was stopped."""
        if not self.held:
            return False
        assert self._handle is not None
        with self.alone():
            handle, self._handle = self._handle, None
            try:
                fcntl.flock(handle, fcntl.LOCK_UN)  # explicitly: a fork may hold the same open file
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                stop()
                return True
            finally:
                os.close(handle)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else starts or stops the server inside this block. Raises `LockBusy` rather than wait for ever."""
        handle = _open(self._path.with_name(self._path.name + ".turn"))
        deadline = time.monotonic() + WAIT_SECONDS
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise LockBusy(
                            f"{self._path}.turn has been held for {WAIT_SECONDS:.0f} s by another planhub process. "
                            "End that process, then try again."
                        ) from None
                    time.sleep(0.02)
            yield
        finally:
            os.close(handle)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
