"""Small files only the hub's own account may read: created whole or not at all, refused when others can read them."""

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class SecretFileError(Exception):
    """A secret file that must not be used as it is. The text names the file and the command that puts it right."""


def private_folder(path: Path) -> Path:
    """The folder, created with mode 0700 where it is absent. An existing one keeps its mode."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def create_once(path: Path, content: Callable[[], bytes]) -> None:
    """Create the file with mode 0600 and this content where it does not exist yet.

    It appears under its name complete and on disk, and of several processes that try at once exactly one wins.
    `content` is called only where the file seems to be missing.
    """
    if path.exists():
        return
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(name, path)
        sync_folder(path.parent)
    finally:
        os.unlink(name)  # noqa: PTH108  # the name is a string of mkstemp's


def read_private(path: Path) -> bytes:
    """The file's content; raises `SecretFileError` where anybody but its owner may read it."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS:
        raise SecretFileError(f"{path} has mode {mode:04o} and others may read it. Run: chmod 600 {path}")
    return path.read_bytes()


def sync_folder(path: Path) -> None:
    """Make a new or renamed entry of this folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
