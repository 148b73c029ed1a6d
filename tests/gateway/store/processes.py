"""What the tests of the embedded servers look at: processes, their families, and other processes of ours."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg

from gateway.store.embedded import EmbeddedPostgres
from gateway.store.engine import libpq_url
from tests.paths import ROOT

HOLD = """
import sys, pathlib
from gateway.store.embedded import ensure_postgres
server = ensure_postgres(pathlib.Path(sys.argv[1]))
print(server.pid, flush=True)
sys.stdin.readline()
print(server.release(), flush=True)
"""


def folder_of(server: EmbeddedPostgres) -> Path:
    return server._folder


def one(url: str, question: str) -> object:
    with psycopg.connect(libpq_url(url)) as connection:
        return (connection.execute(question.encode()).fetchone() or (None,))[0]


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def family(pid: int) -> set[int]:
    """A process and its children."""
    children = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                children.add(int(entry.name))
    return {pid} | children


def run_python(program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@contextmanager
def holder(home: Path):
    """Another process that holds a share until its standard input gets a line."""
    process = run_python(HOLD, str(home))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.communicate("\n", timeout=90)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def crash(server: EmbeddedPostgres) -> None:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
