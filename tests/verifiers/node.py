"""npm's @sigstore/verify, installed once under .cache from the hashed lock beside this file."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.verifiers import HERE, Claim, made_once, spelled

_FILES = ("package.json", "package-lock.json")
_INSTALL_S, _RUN_S = 120, 60


def _installed() -> Path:
    with made_once("node") as folder:
        wanted = [(HERE / name).read_bytes() for name in _FILES]
        stamp = folder / "installed"
        if not stamp.exists() or stamp.read_bytes() != b"".join(wanted):
            for name in _FILES:
                shutil.copy(HERE / name, folder)
            subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                check=True, timeout=_INSTALL_S, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            stamp.write_bytes(b"".join(wanted))
        return folder


def judge(claims: Sequence[Claim]) -> list[str]:
    """What @sigstore/verify finds wrong with each claim, "" where it accepts it."""
    ran = subprocess.run(
        ["node", HERE / "verify.mjs", _installed()],
        input=spelled(claims), capture_output=True, text=True, check=True, timeout=_RUN_S,
    )  # fmt: skip
    faults: list[str] = json.loads(ran.stdout)
    return faults
