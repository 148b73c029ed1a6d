"""The tests' database server: one a session, shared by the workers of pytest-xdist, gone with its files at the end."""

import fcntl
import itertools
import os
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from gateway.store import migrate
from gateway.store.embedded import EmbeddedPostgres, PostgresUrls
from gateway.store.engine import libpq_url
from gateway.store.logins import APP, KEYS, close_database
from gateway.store.place import forget_home

HOME_VARIABLE = "PLANHUB_TEST_HOME"
TEMPLATE = "planhub_template"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, repr=False)
class Copy:
    """A database of its own, migrated: addresses for its superuser and for planhub_app."""

    name: str
    admin: str
    app: str


def choose_home() -> None:
    """Name the session's home before workers start; they inherit the name. Nothing is created yet."""
    name = tempfile.mkdtemp(prefix="planhub-test-")
    Path(name).rmdir()
    os.environ[HOME_VARIABLE] = name


def home() -> Path:
    return Path(os.environ[HOME_VARIABLE])


def clear_home() -> None:
    """Stop what a killed worker left running and delete the session's files."""
    if home().exists():
        with suppress(FileNotFoundError):
            server = EmbeddedPostgres(home())
            if server.pid is not None:
                server.join()
                server.release()
        forget_home(home())


@contextmanager
def admin(urls: PostgresUrls):
    with psycopg.connect(libpq_url(urls.admin, database="postgres"), autocommit=True) as connection:
        yield connection


def ensure_template(urls: PostgresUrls) -> str:
    """The migrated template, made by the first worker that asks while the others wait."""
    with (home() / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with admin(urls) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone()
            if known is None:
                unfinished = f"{TEMPLATE}_unfinished"
                connection.execute(f"DROP DATABASE IF EXISTS {unfinished}".encode())
                connection.execute(f"CREATE DATABASE {unfinished}".encode())
                migrate.upgrade(libpq_url(urls.admin, database=unfinished))
                connection.execute(f"ALTER DATABASE {unfinished} RENAME TO {TEMPLATE}".encode())
    return TEMPLATE


def copy_of(urls: PostgresUrls, template: str | None, login: str = APP) -> Copy:
    """A new database, copied from the template where one is named, that only `login` and superusers may enter."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    with admin(urls) as connection:
        made = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            made += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        connection.execute(made)
        close_database(connection, name, login=login)
        if login == KEYS:
            connection.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO planhub_keys").format(sql.Identifier(name))
            )
    return Copy(
        name,
        libpq_url(urls.admin, database=name),
        libpq_url(urls.keys if login == KEYS else urls.app, database=name),
    )


def drop(urls: PostgresUrls, copy: Copy) -> None:
    with admin(urls) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy.name)))
