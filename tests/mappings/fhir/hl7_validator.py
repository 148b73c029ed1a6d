"""The official HL7 validator as a peer: set up once under .cache, started for as long as tests need it.

It is org.hl7.fhir.validation behind Inferno's HTTP wrapper, out of one npm package (`tools/hl7-validator/setup.sh` beside the
project), with the packages of FHIR R4, US Core 7.0.0 and Gravity 3.0.0 from the corpus and no terminology server. The
wrapper listens on all interfaces; it is given invented children only.
"""

import contextlib
import fcntl
import io
import json
import os
import re
import signal
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.paths import ROOT, SHARED, corpus

HOME = ROOT / ".cache" / "hl7-validator"
PACKAGES = ("us-core-7.0.0-nodeps.tgz", "sdoh-clinicalcare-3.0.0-sushi.tgz", "sdc-3.0.0-STUB.tgz")
CORE = "hl7.fhir.r4.core-4.0.1.tgz"
SETUP_S, START_S, ANSWER_S = 600, 240, 180

_PLACE = re.compile(r"\[\d+\]|/\*[^*]*\*/")
_ENTRY = re.compile(r"Bundle\.entry\[\d+\]\.resource/\*(\w+)/[^*]*\*/")


@dataclass(frozen=True)
class Finding:
    """One error of the validator: its message id, the element without positions, and what it says."""

    message_id: str
    element: str
    text: str


@dataclass(frozen=True)
class Validator:
    """A running validator."""

    port: int

    def errors(self, resource: dict[str, Any], profile: str) -> list[Finding]:
        """The errors of one resource against one profile, in the validator's order."""
        query = urllib.parse.urlencode({"profile": profile})
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/validate?{query}",
            data=json.dumps(resource).encode(),
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            outcome = json.load(answer)
        return [_finding(issue) for issue in outcome["issue"] if issue["severity"] in {"error", "fatal"}]


def _finding(issue: dict[str, Any]) -> Finding:
    ids = [
        one.get("valueCode") or one.get("valueString")
        for one in issue.get("extension", ())
        if one["url"].endswith("operationoutcome-message-id")
    ]
    where = (issue.get("expression") or issue.get("location") or [""])[0]
    element = _PLACE.sub("", _ENTRY.sub(r"\1", where))
    return Finding(str(ids[0]) if ids else "", element, issue.get("details", {}).get("text", ""))


def _set_up() -> None:
    """Run the setup script; it downloads the npm package once. What was set up before is used again."""
    packages = corpus("health", "fhir-packages")
    done = HOME / "set-up"
    if done.exists():
        return
    HOME.mkdir(parents=True, exist_ok=True)
    arguments = [
        HOME,
        packages / CORE,
        *(packages / name for name in PACKAGES),
        _extension_package(packages / CORE),
    ]
    subprocess.run(
        ["bash", SHARED / "tools" / "hl7-validator" / "setup.sh", *map(str, arguments)],
        check=True, timeout=SETUP_S, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    done.touch()


def _extension_package(core: Path) -> Path:
    """R4's own definition of `resource-pertainsToGoal` under the version Gravity names, 5.2.0.

    Gravity's ServiceRequest slices its extensions by that version of the extension pack, which is not in the corpus; the
    definition is the same extension (a Reference to a Goal).
    """
    name = "StructureDefinition-resource-pertainsToGoal.json"
    with tarfile.open(core) as archive:
        content = archive.extractfile(f"package/{name}")
        assert content is not None
        definition = {**json.load(content), "version": "5.2.0"}
    index = {"index-version": 2, "files": [{"filename": name, "resourceType": "StructureDefinition"}]}
    for key in ("id", "url", "version", "kind", "type", "derivation"):
        index["files"][0][key] = definition[key]  # type: ignore[index]  # the list just above
    about = {
        "name": "planhub.test.pertains-to-goal", "version": "5.2.0", "type": "IG", "tools-version": 3,
        "canonical": "http://hl7.org/fhir/extensions", "url": "http://hl7.org/fhir/extensions", "license": "CC0-1.0",
        "title": "stand-in", "description": "stand-in", "author": "tests", "fhirVersions": ["4.0.1"], "dependencies": {},
    }  # fmt: skip
    target = HOME / "pertains-to-goal-5.2.0.tgz"
    with tarfile.open(target, "w:gz") as made:
        for file, body in ((name, definition), (".index.json", index), ("package.json", about)):
            raw = json.dumps(body).encode()
            member = tarfile.TarInfo(f"package/{file}")
            member.size = len(raw)
            made.addfile(member, io.BytesIO(raw))
    return target


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/profiles", timeout=ANSWER_S):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _start() -> dict[str, int]:
    """A new validator, answering; its process id and port. It outlives the worker that started it."""
    port, log = _free_port(), HOME / "log"
    quiet = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    said = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    same = (os.POSIX_SPAWN_DUP2, 1, 2)
    command = str(HOME / "serve.sh")
    pid = os.posix_spawn(
        command, [command, str(port)], os.environ, file_actions=[quiet, said, same], setpgroup=0
    )
    until = time.monotonic() + START_S
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < until:
        if _answers(port):
            return {"pid": pid, "port": port}
        time.sleep(0.5)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    msg = f"the validator did not start; its last words: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(msg)


def _stop(server: dict[str, int]) -> None:
    """End the process that was started, by its id; it is this worker's child or another's."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(server["pid"], sign)
        for _ in range(40):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(server["pid"], os.WNOHANG)
            if not _answers(server["port"]):
                return
            time.sleep(0.25)


@contextmanager
def running() -> Iterator[Validator]:
    """A validator for as long as the block lasts, the same for all workers of a machine: it takes 2 GB.

    Each holds a shared lock; the first in starts it, and whoever finds itself alone on leaving stops it.
    """
    HOME.parent.mkdir(exist_ok=True)
    state = HOME / "running.json"
    with (
        (HOME.parent / "hl7-validator.lock").open("w") as door,
        (HOME.parent / "hl7-validator.use").open("w") as use,
    ):
        fcntl.flock(door, fcntl.LOCK_EX)
        _set_up()
        server = json.loads(state.read_text()) if state.exists() else None
        if server is None or not _answers(server["port"]):
            server = _start()
            state.write_text(json.dumps(server))
        fcntl.flock(use, fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield Validator(server["port"])
        finally:
            fcntl.flock(door, fcntl.LOCK_EX)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _stop(server)
                state.unlink(missing_ok=True)
