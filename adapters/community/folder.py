"""A shared folder as a partner: files dropped for it, and files it has filled in picked up (a synchronised drive, SFTP).

Dropping: the file appears whole or not at all, under the name of its delivery id, once. Picking up: a file that is still
being written is left for later; what has been read goes to `processed/`, what could not be read to `quarantine/` with a
note beside it that says why and quotes nothing.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from adapters.port import Cause, Delivered, Failure, Receipt, Refused, Sealed, Transient
from mappings.record.issue import Issue

MAX_BYTES = 20_000_000
MAX_FILES = 1_000
SETTLE_S = 5.0
"""A file younger than this may still be being written."""

_PARTIAL, _SENT = ".partial", ".sent"
_WORKING, _PROCESSED, _QUARANTINE, _LOCK = ".working", "processed", "quarantine", ".lock"
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart", ".swp")
_UNFINISHED_START = (".", "~$")


class FolderDestination:
    """Drops files into one folder, which must exist: a missing mount must not fill the disk below it.

    What was dropped is remembered in `.sent/`, since the partner takes files away. Between the drop and that note lies one
    system call; a crash there drops the same file once more, under the same name. `mode` is that of the files: the
    partner usually reads them by the folder's group.
    """

    def __init__(self, folder: Path, suffix: str = ".csv", mode: int = 0o640) -> None:
        self._folder = folder
        self._suffix = suffix
        self._mode = mode

    def deliver(self, sealed: Sealed, *, opened: Callable[[], None]) -> Delivered | Failure:
        """Drop once; see `adapters.port.Destination`. A full or missing folder is transient: somebody will see to it."""
        body = sealed.unseal()
        name = f"{sealed.delivery_id}{self._suffix}"
        target, partial, sent = (
            self._folder / name,
            self._folder / _PARTIAL / name,
            self._folder / _SENT / name,
        )
        try:
            for folder in (partial.parent, sent.parent):
                folder.mkdir(mode=0o700, exist_ok=True)  # not its parents
            if target.exists() or sent.exists():
                sent.touch()
                return Delivered(Receipt(locations=(name,), repeated=True))
            self._write(partial, body, opened)
            partial.replace(target)
            sent.touch()
            _settle(self._folder)
        except OSError as fault:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            refused = fault.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
            return Refused(Cause.FOLDER) if refused else Transient(Cause.FOLDER)
        return Delivered(Receipt(locations=(name,)))

    def _write(self, partial: Path, body: bytes, opened: Callable[[], None]) -> None:
        """The whole file, on the disk. `opened` is asked when the file is open and still empty."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(partial, flags, self._mode), "wb") as file:
            try:
                opened()
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
            file.write(body)
            file.flush()
            os.fsync(file.fileno())


def _settle(folder: Path) -> None:
    """Make the names of a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as fault:
        if fault.errno != errno.EINVAL:  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class PickedUp:
    """A file taken from the folder. `body` is None where it is too large or no ordinary file: quarantine it."""

    name: str
    body: bytes | None = field(repr=False)
    sha256: bytes | None = field(default=None, repr=False)


class PickUp:
    """The folder a partner puts filled-in files into; use it in a `with` block, which keeps other workers out.

    Each file given must be finished with `processed` or `quarantined`. One that was not, since this process died, is given
    again the next time.
    """

    def __init__(self, folder: Path, now: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._now = now
        self._max_bytes = max_bytes
        self._lock = -1
        self.busy = False

    def __enter__(self) -> Self:
        for name in (_WORKING, _PROCESSED, _QUARANTINE):
            (self._folder / name).mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.busy = True
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def files(self) -> Iterator[PickedUp]:
        """Files that are whole, the oldest first; none while another worker is at it."""
        if self.busy:
            return
        for waiting in self._waiting():
            with contextlib.suppress(FileNotFoundError):  # the partner took it back
                waiting.replace(self._working(waiting.name))
        for path in sorted((self._folder / _WORKING).iterdir(), key=lambda each: each.lstat().st_mtime_ns)[
            :MAX_FILES
        ]:
            yield self._read(path)

    def processed(self, file: PickedUp) -> None:
        """The file has been taken over."""
        self._finish(file, _PROCESSED)

    def quarantined(self, file: PickedUp, issues: Sequence[Issue]) -> None:
        """The file could not be taken over; a note beside it says why, in words that quote nothing."""
        kept = self._finish(file, _QUARANTINE)
        lines = [f"{issue.severity.value} {issue.code.value} {issue.path}: {issue.text}" for issue in issues]
        note = kept.with_name(kept.name + ".why.txt")
        with os.fdopen(
            os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w"
        ) as file_:
            file_.write("\n".join(lines) + "\n")

    def _waiting(self) -> list[Path]:
        """Ordinary files that nobody is writing: old enough, and not named as unfinished."""
        found: list[tuple[float, Path]] = []
        for entry in os.scandir(self._folder):
            name = entry.name.lower()
            if (
                name.startswith(_UNFINISHED_START)
                or name.endswith(_UNFINISHED)
                or entry.is_dir(follow_symlinks=False)
            ):
                continue
            about = entry.stat(follow_symlinks=False)
            if self._now() - about.st_mtime >= SETTLE_S:
                found.append((about.st_mtime, Path(entry.path)))
        return [path for _, path in sorted(found)[:MAX_FILES]]

    def _working(self, name: str) -> Path:
        """Where a file is worked on; a second one of the same name does not replace the first."""
        return _free(self._folder / _WORKING / name)

    def _read(self, path: Path) -> PickedUp:
        """The bytes of a file, if it is one: not a link, a pipe or a device, and not larger than it may be."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return PickedUp(path.name, None)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode) or about.st_size > self._max_bytes:
                return PickedUp(path.name, None)
            body = file.read(self._max_bytes + 1)
        if len(body) > self._max_bytes:
            return PickedUp(path.name, None)
        return PickedUp(path.name, body, hashlib.sha256(body).digest())

    def _finish(self, file: PickedUp, folder: str) -> Path:
        kept = _free(self._folder / folder / file.name)
        (self._folder / _WORKING / file.name).replace(kept)
        return kept


def _free(path: Path) -> Path:
    """The path, or one with a number where something stands there already."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
