"""What a witness keeps: its key, the logs it knows, and of each log the last checkpoint it cosigned.

That checkpoint, with the log's signature and the witness's own, is the whole state: it is read back only if the witness's own
cosignature on it verifies, and it is on disk before the cosignature leaves.
"""

import fcntl
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from consent.checkpoint import parse_checkpoint
from consent.cosignature import Cosigner, cosignatures, cosigned_at
from consent.note import Note, NoteSignature, VerifierKey, parse_note
from consent.trust_policy import PolicyFault, TrustPolicy, parse_policy
from consent.witness import NOTHING_SEEN, Accepted, Rejected, Seen, consider, known_keys
from gateway.store.secretfile import create_once, private_folder, read_private, sync_folder

_KEY = "witness.key"
_LOGS = "logs.policy"
_FIRST_LOGS = "# the logs this witness knows, one a line: log <key>\nquorum none\n"


class WitnessHomeError(Exception):
    """The witness's folder cannot be used as it is; the text says what to do."""


class ClockBehindError(Exception):
    """The clock says an earlier time than the last cosignature: no truthful time can be given."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that was accepted and stored; `line` is the cosignature."""

    origin: str
    size: int
    line: NoteSignature


@dataclass(frozen=True)
class WitnessHome:
    """A witness's folder, opened. Several processes and threads may share it."""

    folder: Path
    key: Cosigner = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def policy(self) -> TrustPolicy:
        """The logs the witness knows, read anew each time."""
        found = parse_policy((self.folder / _LOGS).read_text("utf-8"))
        if isinstance(found, PolicyFault):
            raise WitnessHomeError(
                f"{self.folder / _LOGS}, line {found.line}: {found.text}. Correct the file."
            )
        return found

    def trust(self, key: VerifierKey) -> None:
        """Know one more log, or one more key of a log that changes keys."""
        if key in (log.key for log in self.policy().logs):
            return
        path = self.folder / _LOGS
        _write(path, f"log {key}\n{path.read_text('utf-8')}".encode())

    def cosign(self, raw: bytes, clock: Callable[[], datetime]) -> Cosigned | Rejected:
        """Answer an add-checkpoint request: look, judge, store and only then cosign, nobody else in between.

        Raises ClockBehindError where the clock is behind the last cosignature.
        """
        origin, keys = known_keys(raw, self.policy())
        with self._alone():
            last = self.last(origin) if keys else None
            verdict = consider(raw, keys, _seen(last))
            if isinstance(verdict, Rejected):
                return verdict
            at = clock()
            if last is not None and at < cosigned_at(
                cosignatures(last, [self.key.verifier])[self.key.verifier]
            ):
                raise ClockBehindError
            return self._store(verdict, at)

    def last(self, origin: str) -> Note | None:
        """The last checkpoint of this log that was cosigned; None before the first."""
        return self.last_by_hash(_file_of(origin))

    def last_by_hash(self, origin_hash: str) -> Note | None:
        """As `last`, by the SHA-256 of the origin in hex. Raises WitnessHomeError for a file this key did not cosign."""
        path = self.folder / f"{origin_hash}.checkpoint"
        if not path.exists():
            return None
        note = parse_note(path.read_bytes())
        if note is None or not cosignatures(note, [self.key.verifier]):
            raise WitnessHomeError(
                f"{path} is not what this witness stored. Restore it; never delete it, or this log could go back in time."
            )
        return note

    def _store(self, accepted: Accepted, at: datetime) -> Cosigned:
        line = self.key.cosign(accepted.note.text, at)
        note = replace(accepted.note, signatures=(*accepted.note.signatures, line))
        checkpoint = accepted.checkpoint
        _write(self.folder / f"{_file_of(checkpoint.origin)}.checkpoint", str(note).encode())
        return Cosigned(checkpoint.origin, checkpoint.size, line)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One request at a time, among the threads of this process and among processes."""
        with self._lock, (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def create_home(folder: Path, name: str) -> WitnessHome:
    """A witness of this name, with a new key where the folder holds none yet."""
    private_folder(folder)
    key = Cosigner(name, secrets.token_bytes(32))
    create_once(folder / _KEY, f"{key.secret_text}\n".encode)
    create_once(folder / _LOGS, _FIRST_LOGS.encode)
    return open_home(folder)


def open_home(folder: Path) -> WitnessHome:
    """The witness in this folder; raises WitnessHomeError where there is none."""
    path = folder / _KEY
    if not path.exists():
        raise WitnessHomeError(
            f"{folder} holds no witness. Run: planhub witness init --home {folder} --name NAME"
        )
    key = Cosigner.parse(read_private(path).decode("utf-8", "replace").strip())
    if key is None:
        raise WitnessHomeError(f"{path} holds no witness's key. Restore it from its backup.")
    return WitnessHome(folder, key)


def _seen(last: Note | None) -> Seen:
    checkpoint = None if last is None else parse_checkpoint(last.text)
    return NOTHING_SEEN if checkpoint is None else Seen(checkpoint.size, checkpoint.root)


def _file_of(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Replace a file whole, on disk before this returns."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
    sync_folder(path.parent)
