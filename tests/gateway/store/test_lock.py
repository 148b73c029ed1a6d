import fcntl

import pytest

from gateway.store.embedded import ensure_postgres
from gateway.store.lock import LockBusy, Share
from tests.gateway.store.processes import alive, family, holder, one, run_python, said


def test_the_last_to_leave_stops_the_server_and_nothing_stays_behind(home):
    server = ensure_postgres(home)
    assert server.pid is not None
    processes = family(server.pid)
    assert len(processes) > 3
    other = ensure_postgres(home)
    assert other.pid == server.pid
    assert server.release() is False
    assert one(other.urls.app, "SELECT 1") == 1
    assert other.release() is True
    assert [pid for pid in processes if alive(pid)] == []
    assert other.release() is False
    assert server.pid is None


def test_two_processes_share_one_server_and_the_one_that_leaves_last_stops_it(home):
    with ensure_postgres(home) as server, holder(home) as other:
        assert said(other) == str(server.pid)
        pid = server.pid
        assert pid is not None
        assert server.release() is False
        assert alive(pid)
        output, _ = other.communicate("\n", timeout=90)
        assert output.strip() == "True"
        assert not alive(pid)


def test_of_several_processes_that_start_at_once_one_starts_the_server(home):
    with holder(home) as one_, holder(home) as two, holder(home) as three:
        pids = {said(process) for process in (one_, two, three)}
        assert len(pids) == 1
        answers = sorted(process.communicate("\n", timeout=90)[0].strip() for process in (one_, two, three))
    assert answers == ["False", "False", "True"]
    assert not alive(int(pids.pop()))


def test_a_process_that_is_killed_gives_its_share_back(home):
    with holder(home) as other:
        pid = int(said(other))
        other.kill()
        other.wait()
        assert alive(pid)
        with ensure_postgres(home) as server:
            assert server.pid == pid
        assert not alive(pid)


def test_a_forked_child_neither_stops_the_server_nor_keeps_it(home):
    program = """
import os, pathlib, sys
from gateway.store.embedded import ensure_postgres
server = ensure_postgres(pathlib.Path(sys.argv[1]))
child = os.fork()
if child == 0:
    print("child", server.release(), flush=True)
    sys.stdin.readline()
    os._exit(0)
import time; time.sleep(0.3)
print("parent", server.pid is not None, server.release(), server.pid, flush=True)
"""
    process = run_python(program, str(home))
    output, _ = process.communicate("\n", timeout=90)
    assert sorted(output.splitlines()) == ["child False", "parent True True None"]


def test_a_process_that_forgets_to_release_does_so_at_its_end(home):
    program = (
        "import pathlib, sys; from gateway.store.embedded import ensure_postgres;"
        "print(ensure_postgres(pathlib.Path(sys.argv[1])).pid)"
    )
    output, _ = run_python(program, str(home)).communicate(timeout=90)
    assert not alive(int(output))


def test_whoever_waits_too_long_for_another_process_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.store.lock.WAIT_SECONDS", 0.1)
    with (tmp_path / "lock.turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with pytest.raises(LockBusy, match="End that process"):
            Share(tmp_path / "lock").join(lambda: None)


def test_a_share_is_given_back_when_the_start_fails(tmp_path):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Share(tmp_path / "lock").join(fail)
    stopped = []
    share = Share(tmp_path / "lock")
    share.join(lambda: None)
    assert share.leave(lambda: stopped.append(1)) is True
    assert stopped == [1]
