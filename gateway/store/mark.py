"""The log's high-water mark: how far it had come, kept beside the signing key and so outside of the database.

A database restored from an older backup is shorter than its mark, or another tree at it.
"""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gateway.store.secretfile import private_folder, sync_folder

_TEXT = re.compile(r"(0|[1-9][0-9]{0,18}) ([0-9a-f]{64})\n", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mark:
    """A size the log has had, and its root then."""

    size: int
    root: bytes


def mark_file(home: Path) -> Path:
    """Where the mark of a deployment is kept."""
    return home / "keys" / "ledger.mark"


def read_mark(path: Path) -> Mark | None:
    """The mark; None where none was kept yet. Raises ValueError for a file that is not one."""
    if not path.exists():
        return None
    found = _TEXT.fullmatch(path.read_text("ascii"))
    if found is None:
        raise ValueError(f"{path} is not a mark: restore it, or look at the log and delete the file")
    return Mark(int(found[1]), bytes.fromhex(found[2]))


def keep_mark(path: Path, mark: Mark) -> None:
    """Replace the mark, on disk before this returns."""
    private_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{mark.size} {mark.root.hex()}\n")
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
    sync_folder(path.parent)
