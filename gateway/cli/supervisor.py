"""Keep a set of processes running: start, restart what dies, stop all in order when told to.

A process that dies at once again and again is restarted ever more slowly, never given up: what is down must come back by
itself once its cause is gone. Children are process groups of their own, so that nothing of them outlives the supervisor.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

STEADY_S = 30.0
LONGEST_WAIT_S = 30.0
STOP_S = 30.0
TURN_S = 0.1
WATCH_S = 1.0


@dataclass(slots=True)
class Child:
    """One process to keep: its name, its command, and how it fares."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Runs until `stop` is called or a stop signal arrives.

    `say` gets one line per event, with names and codes only. `watch` is called about once a second: it looks after what is no
    child of this process, the embedded servers.
    """

    children: list[Child]
    say: Callable[[str], None]
    watch: Callable[[], None] = lambda: None
    environment: dict[str, str] | None = None
    _stopping: bool = field(default=False, init=False)

    def run(self) -> None:
        """Start everything and keep it so; returns when all children have ended after a stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            watched = 0.0
            while not self._stopping:
                now = time.monotonic()
                if now - watched >= WATCH_S:
                    self.watch()
                    watched = now
                self.turn(now)
                time.sleep(TURN_S)
        finally:
            self.stop()

    def turn(self, now: float) -> None:
        """Start what is due, notice what died."""
        for child in self.children:
            if child.process is None:
                if now >= child.due:
                    self._start(child, now)
            elif (code := child.process.poll()) is not None:
                self._died(child, code, now)

    def stop(self) -> None:
        """Ask every child to end, last started first; after 30 s end what is left."""
        running = [c for c in reversed(self.children) if c.process is not None and c.process.poll() is None]
        for child in running:
            self._signal(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for child in running:
            assert child.process is not None
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{child.name} did not stop in time and was ended")
                self._signal(child, signal.SIGKILL)
                child.process.wait()
        for child in self.children:
            _close_pipe(child)

    def _start(self, child: Child, now: float) -> None:
        child.process = subprocess.Popen(  # noqa: S603  # our own command, fixed words
            # a pipe nobody writes to: it closes when this process ends, however it ends, and `tie_to_parent` hears it
            list(child.command),
            stdin=subprocess.PIPE,
            env=self.environment,
            start_new_session=True,
        )
        child.started = now

    def _died(self, child: Child, code: int, now: float) -> None:
        child.failures = 0 if now - child.started > STEADY_S else child.failures + 1
        wait = min(LONGEST_WAIT_S, 0.5 * 2 ** min(child.failures, 10)) if child.failures else 0.0
        _close_pipe(child)
        child.process, child.due = None, now + wait
        self.say(f"{child.name} ended with code {code}; starting it again in {wait:g} s")

    @staticmethod
    def _signal(child: Child, number: int) -> None:
        assert child.process is not None
        try:
            os.killpg(child.process.pid, number)
        except ProcessLookupError:
            return

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def _close_pipe(child: Child) -> None:
    if child.process is not None and child.process.stdin is not None:
        child.process.stdin.close()


def tie_to_parent() -> None:
    """End this process when whoever started it is gone: its standard input is a pipe that closes then."""

    def wait() -> None:
        while os.read(0, 1_024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="tied to parent", daemon=True).start()


def planhub_command(*words: str) -> list[str]:
    """This very program with other words, to be run under a supervisor."""
    return [sys.executable, "-m", "gateway", *words, "--tied"]
