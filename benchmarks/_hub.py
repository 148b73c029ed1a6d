"""A hub of its own for one measurement: a temporary home, the embedded PostgreSQL with fsync on, a small community."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from gateway.exchange.community import apply_changes, changes
from gateway.exchange.community_file import Community
from gateway.exchange.context import Hub
from gateway.exchange.opening import open_hub
from gateway.settings import PREFIX, load_settings
from gateway.store import configuration
from gateway.store.embedded import PostgresUrls, ensure_postgres
from gateway.store.place import forget_home

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A home whose servers are stopped and whose files are deleted at the end."""
    home = Path(tempfile.mkdtemp(prefix="planhub-bench-"))
    home.rmdir()  # the hub makes it, with the mode it needs
    try:
        yield home
    finally:
        forget_home(home)


@contextmanager
def server_of(home: Path) -> Iterator[PostgresUrls]:
    """The home's embedded server, running for the block; refuses to measure one that does not write through to disk."""
    with ensure_postgres(home) as server:
        yield server.urls


def is_durable(urls: PostgresUrls) -> bool:
    """Whether a commit is on disk when it returns."""
    with psycopg.connect(plain(urls.admin), autocommit=True) as connection:
        told = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in _DURABLE]
    return told == [("on",)] * len(_DURABLE)


_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


def plain(url: str) -> str:
    """An SQLAlchemy address as libpq reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


@contextmanager
def hub_of(home: Path, **settings: Any) -> Iterator[Hub]:
    """The hub of this home, its schema made."""
    with open_hub(load_settings(home=home, **settings)) as hub:
        yield hub


def apply_community(hub: Hub, file: Mapping[str, Any]) -> None:
    """Bring a community file into force, as `planhub apply` does."""
    wanted = Community.model_validate(file).rows()
    with hub.db.transaction() as connection:
        present = configuration.read_all(connection)
        apply_changes(connection, changes(wanted, present), present)


def environment(home: Path, **settings: str) -> dict[str, str]:
    """The environment of a process of this hub: none of the caller's own Planhub settings, the project importable."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ours = {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
    return {**kept, "PYTHONPATH": str(ROOT), f"{PREFIX}HOME": str(home), **ours}


def run_module(module: str, *arguments: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Run one of our modules in a process of its own; the JSON object it prints last."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], env=env, stdout=subprocess.PIPE, check=True, cwd=ROOT
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
