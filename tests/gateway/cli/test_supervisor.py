"""The supervisor restarts what dies and leaves nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

from gateway.cli.supervisor import Child, Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_process_that_dies_is_started_again():
    lines = []
    supervisor = Supervisor([Child("one", SLEEP)], lines.append)
    try:
        supervisor.turn(0.0)
        first = supervisor.children[0].process
        first.kill()
        first.wait()
        supervisor.turn(100.0)
        supervisor.turn(100.0)
        second = supervisor.children[0].process
        assert second.pid != first.pid
        assert second.poll() is None
        assert lines == ["one ended with code -9; starting it again in 0 s"]
    finally:
        supervisor.stop()


def test_a_process_that_keeps_dying_is_started_ever_more_slowly():
    supervisor = Supervisor([Child("one", [sys.executable, "-c", "raise SystemExit(3)"])], lambda _: None)
    waits = []
    now = 0.0
    for _ in range(4):
        supervisor.turn(now)
        supervisor.children[0].process.wait()
        supervisor.turn(now)
        waits.append(supervisor.children[0].due - now)
        now = supervisor.children[0].due
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_stopping_ends_the_children_and_their_children():
    nested = "import subprocess, sys, time; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); time.sleep(60)"
    supervisor = Supervisor([Child("one", [sys.executable, "-c", nested, *SLEEP])], lambda _: None)
    supervisor.turn(0.0)
    parent = supervisor.children[0].process.pid

    def grandchildren():
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if _group(pid) == parent and pid != parent]

    assert _until(grandchildren)
    children = grandchildren()
    supervisor.stop()
    assert not _alive(parent)
    assert _until(lambda: not any(_alive(p) and _group(p) == parent for p in children))


def _group(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def test_a_process_tied_to_its_supervisor_ends_when_the_supervisor_is_killed():
    tied = "from gateway.cli.supervisor import tie_to_parent; import time; tie_to_parent(); time.sleep(60)"
    parent = (
        "import subprocess, sys, time\n"
        "from gateway.cli.supervisor import Child, Supervisor\n"
        f"s = Supervisor([Child('one', [sys.executable, '-c', {tied!r}])], print)\n"
        "s.turn(0.0)\n"
        "print(s.children[0].process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    assert _until(lambda: _group(child) is None or _zombie(child))


def _zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
