"""Whether a process noted in a pid file is still the server that noted it.

A number alone says little: it may be a zombie, which every kill -9 leaves in a container without an init, or belong to
another program since a restart of the machine.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

_PROC = Path("/proc")
_DEAD = frozenset("ZXx")  # proc_pid_stat(5): zombie, dead


def runs(pid: int, mark: str) -> bool:
    """Whether this process runs and was started with `mark` (a folder or file of its own) among its arguments."""
    if pid <= 0:
        return False
    if (_PROC / "self").exists():
        return _runs_by_proc(pid, mark)
    line = subprocess.run(  # noqa: S603  # fixed program, a number
        ["/bin/ps", "-ww", "-o", "stat=,command=", "-p", str(pid)],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.strip()
    return bool(line) and line[0] not in _DEAD and mark in line


def wait_gone(pid: int, mark: str, seconds: float) -> bool:
    """Whether the process ended within this time."""
    deadline = time.monotonic() + seconds
    while runs(pid, mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end(pid: int, mark: str, seconds: float) -> None:
    """End the process: SIGTERM, and SIGKILL where it has not gone in time. One that is not ours is left alone."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if not runs(pid, mark):
            return
        os.kill(pid, sign)
        if wait_gone(pid, mark, seconds):
            return


def _runs_by_proc(pid: int, mark: str) -> bool:
    """Read from /proc: status and arguments are open to every account, unlike its folder, so root needs no capability."""
    try:
        status = (_PROC / str(pid) / "stat").read_text(errors="replace")
        arguments = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in _DEAD and os.fsencode(mark) in arguments.split(b"\0")
