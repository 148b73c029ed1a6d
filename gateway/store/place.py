"""Where the files of the embedded servers lie, so that the account that runs them can reach them and nobody else can.

As an ordinary account everything is under home. As root home may be in a private folder the servers' account cannot
enter; then data goes under /var/lib/planhub. The permissions of folders that were there before are never changed.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from gateway.store.account import Account, own_folder, reaches
from gateway.store.secretfile import create_once

SYSTEM = Path("/var/lib/planhub")
_SOCKET_PATH = 103
"""Longest path of a unix socket in bytes: sun_path is 104 with its zero on macOS, 108 on Linux."""


class PlaceError(Exception):
    """The embedded servers cannot use this folder. The text says why and what to do."""


def open_home(home: Path) -> Path:
    """The hub's home, created where absent: 0700, as root 0711 so that the servers' account passes through."""
    if set('"$`\\\n') & set(str(home)):
        raise PlaceError(
            f"{home} has a quote, dollar, backquote or backslash in its name; choose another PLANHUB_HOME."
        )
    home = home.absolute()
    home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    return home


def system_folder(*parts: str) -> Path:
    """A folder under /var/lib/planhub that every account may pass through; only root asks for one."""
    path = SYSTEM
    for part in ("", *parts):
        path = path / part
        path.mkdir(mode=0o711, exist_ok=True)
    return path


def server_folder(home: Path, server: str, account: Account | None) -> Path:
    """The folder of one embedded server (`postgresql`, `valkey`): where it is already, else where its account can go.

    It belongs to whoever runs the hub; what the server itself may write is in folders of its own inside.
    """
    inside = home / server
    if account is None:
        inside.mkdir(mode=0o700, exist_ok=True)
        return inside
    moved = SYSTEM / "homes" / _digest(home) / server
    if not moved.exists() and (inside.exists() or reaches(account, home)):
        inside.mkdir(mode=0o711, exist_ok=True)
    elif not moved.exists():
        parent = system_folder("homes", _digest(home))
        create_once(parent / "home", lambda: os.fsencode(home) + b"\n")
        moved.mkdir(mode=0o711, exist_ok=True)
    folder = moved if moved.exists() else inside
    if not reaches(account, folder):
        raise PlaceError(
            f"The account {account.name}, which runs the embedded servers, cannot enter {folder}. Let it pass through "
            f"the folders above (chmod o+x on the one that is closed), or choose another PLANHUB_HOME."
        )
    return folder


def forget_home(home: Path) -> None:
    """Delete a home and the server data that was put elsewhere for it; the servers must be stopped. For temporary homes."""
    moved = SYSTEM / "homes" / _digest(home)
    if os.geteuid() == 0 and moved.is_dir():
        shutil.rmtree(moved)
    if home.is_dir():
        shutil.rmtree(home)


def socket_folder(folder: Path, longest_name: int, account: Account | None) -> Path:
    """A 0700 folder for a unix socket whose name has up to `longest_name` bytes.

    It is `socket` inside the server's folder unless that path is too long for a socket; then it is a short folder with a
    random name under the temporary folder, noted in the file `socket.path` so that every process finds the same one.
    """
    inside = folder / "socket"
    if len(os.fsencode(inside)) + 1 + longest_name <= _SOCKET_PATH:
        return own_folder(inside, account)
    note = folder / "socket.path"
    if note.exists():
        noted = Path(note.read_text().strip())
        if _private_to(noted, account):
            return noted
        note.unlink()
    short = Path(tempfile.mkdtemp(prefix="planhub-", dir="/tmp"))  # mkdtemp: random name, 0700, ours
    if account is not None:
        os.chown(short, account.uid, account.gid)
    create_once(note, lambda: os.fsencode(short) + b"\n")
    return short


def drop_socket_folder(folder: Path) -> None:
    """Remove the short socket folder noted for a server that has stopped, if there is one."""
    note = folder / "socket.path"
    if note.exists():
        shutil.rmtree(note.read_text().strip(), ignore_errors=True)
        note.unlink()


def _private_to(path: Path, account: Account | None) -> bool:
    """Whether this is a real folder, 0700, of the account: /tmp is shared, and a note can outlive what it names."""
    try:
        entry = path.lstat()
    except OSError:
        return False
    owner = os.geteuid() if account is None else account.uid
    return (
        stat.S_ISDIR(entry.st_mode) and stat.S_IMODE(entry.st_mode) == stat.S_IRWXU and entry.st_uid == owner
    )


def _digest(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]
