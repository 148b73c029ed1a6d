"""The tests' own server is held to the product's promise: it leaves no process and no file behind."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.paths import ROOT


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_test_session_leaves_no_process_and_no_file_behind(workers):
    folder = Path(tempfile.mkdtemp(prefix="planhub-session-"))
    folder.chmod(0o711)  # as root the servers' account passes through
    try:
        chosen = [
            "tests/gateway/store/test_engine.py",
            "-k",
            "read_committed or commits_at_its_end",
            "-n",
            workers,
        ]
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-o", f"cache_dir={folder / 'cache'}", *chosen],
            cwd=ROOT,
            env=ours | {"TMPDIR": str(folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 passed" in done.stdout
        assert processes_mentioning(str(folder)) == []
        assert [entry.name for entry in folder.iterdir() if entry.name.startswith("planhub")] == []
    finally:
        for entry in folder.iterdir():  # what pytest and the system put there themselves
            subprocess.run(["rm", "-rf", str(entry)], check=True)
        folder.rmdir()


def processes_mentioning(path: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(path) in arguments:
            found.append(arguments.decode(errors="replace"))
    return found
