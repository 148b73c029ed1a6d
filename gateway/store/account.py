"""Which account runs the embedded servers, and what that account can reach.

PostgreSQL refuses to run as root, and Valkey should not. Started as root, the hub gives both to an account without
privileges; started by anyone else, they run as that person.
"""

import os
import pwd
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "planhub"
_NO_SHELL = "/usr/sbin/nologin"
_USERADD = (
    *("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
    *("--shell", _NO_SHELL, "--comment", "Planhub embedded servers", NAME),
)


class AccountError(Exception):
    """No account can run the embedded servers. The text says what to create."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine, by name and numbers."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The account the embedded servers run under: None for "whoever runs the hub", which is everyone but root.

    As root: `planhub`, created as a system account without a shell where useradd exists, or else `nobody`.
    """
    if os.geteuid() != 0:
        return None
    account = _find(NAME)
    if account is None:
        _create()
        account = _find(NAME) or _find("nobody")
    if account is None or account.uid == 0:
        raise AccountError(
            "The embedded servers do not run as root, and neither the account planhub nor nobody exists. Create one "
            f"(useradd --system --shell {_NO_SHELL} {NAME}) or run the hub as an ordinary account."
        )
    return account


def as_account(account: Account | None) -> dict[str, Any]:
    """Arguments of `subprocess` that run a program as this account, with nothing of our environment but a path."""
    common: dict[str, Any] = {
        "cwd": "/",
        "env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
        "stdin": subprocess.DEVNULL,
        "umask": 0o077,
    }
    if account is not None:
        common |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return common


def reaches(account: Account | None, folder: Path) -> bool:
    """Whether the account may enter this folder. It is tried, not computed: access lists and mounts count too."""
    if account is None:
        return os.access(folder, os.X_OK)
    entered = subprocess.run(  # noqa: S603  # fixed program; the folder is an argument of its own
        ["/bin/sh", "-c", 'cd -- "$0"', str(folder)],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **as_account(account),
    )
    return entered.returncode == 0


def own_folder(path: Path, account: Account | None) -> Path:
    """A folder of mode 0700 that belongs to the account, created where absent. An existing one is left as it is."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        if account is not None:
            os.chown(path, account.uid, account.gid)
    return path


def _find(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create() -> None:
    """Create the system account; where that fails (no useradd, a read-only system) the caller falls back."""
    with suppress(OSError):
        subprocess.run(  # noqa: S603  # constants only
            _USERADD,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
