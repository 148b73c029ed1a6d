"""The embedded PostgreSQL: our own launcher over the wheel's programs.

SCRAM passwords, a socket in a folder of mode 0700, no TCP, checksums, and a start that waits as long as crash recovery
takes. Several processes share one server (`gateway.store.lock`). What the server logs never holds a row's value: failed
statements are not logged at all, and messages come without their details.
"""

import atexit
import json
import os
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg

from gateway.store.account import as_account, own_folder, server_account
from gateway.store.lock import Share
from gateway.store.logins import (
    APP,
    DATABASE,
    KEYS,
    KEYS_DATABASE,
    close_database,
    ensure_database,
    ensure_login,
)
from gateway.store.place import drop_socket_folder, open_home, server_folder, socket_folder
from gateway.store.process import runs, wait_gone
from gateway.store.programs import postgres_programs
from gateway.store.secretfile import create_once, read_private

ADMIN = "planhub_admin"
START_SECONDS = 600
STOP_SECONDS = 60
_SOCKET = ".s.PGSQL.5432"
_LOG_BYTES = 4_000_000
_LEFTOVERS = "pre-existing shared memory block"

_CONFIGURATION = """\
# Written by Planhub at every start. Your own settings belong in local.conf beside this file.
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
max_wal_size = 1GB
wal_compression = on
random_page_cost = 1.1
jit = off
io_workers = 2
max_worker_processes = 4
max_parallel_workers = 2
timezone = 'UTC'
log_timezone = 'UTC'
password_encryption = 'scram-sha-256'
idle_in_transaction_session_timeout = '5min'
# Nothing a row holds may reach the log: no failed statements, no details, no parameters.
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_statement = 'none'
log_checkpoints = off
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""
_HBA = "local all all scram-sha-256\nlocal replication planhub_admin scram-sha-256\n"


class PostgresError(Exception):
    """The embedded server cannot be used. The text says why and what to do; it never holds a row's value."""


@dataclass(frozen=True, slots=True)
class PostgresUrls:
    """Addresses of the embedded server. They hold passwords, so `repr` shows none of them."""

    admin: str
    app: str
    keys: str

    def __repr__(self) -> str:
        return "PostgresUrls(…)"


class State(StrEnum):
    """What the server's own pid file says, checked against the process it names."""

    ABSENT = "absent"  # no server, or one that died
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


class EmbeddedPostgres:
    """This process's share in the embedded server of one home. Made by `ensure_postgres`; give it back with `release`."""

    def __init__(self, home: Path) -> None:
        self.home = open_home(home)
        self._account = server_account()
        self._folder = server_folder(self.home, "postgresql", self._account)
        self._data = self._folder / "data"
        self._share = Share(self.home / "lock")
        self._passwords = self._read_passwords()
        self._socket = self._folder / "socket"

    @property
    def urls(self) -> PostgresUrls:
        """Addresses for the superuser, the app's login and the key store's login, in this order."""
        return PostgresUrls(
            admin=self._url(ADMIN, DATABASE),
            app=self._url(APP, DATABASE),
            keys=self._url(KEYS, KEYS_DATABASE),
        )

    @property
    def programs(self) -> Path:
        """The folder with pg_dump, pg_basebackup and the rest, of the server's own version."""
        return postgres_programs(self._account)

    @property
    def pid(self) -> int | None:
        """The server's process id, None where it does not run."""
        pid, state = self._read_pid_file()
        return None if state is State.ABSENT else pid

    def join(self) -> None:
        """Take a share; start the server where it does not run, crash recovery included."""
        self._share.join(self._ensure_running)
        atexit.register(self.release)

    def revive(self) -> bool:
        """Start the server again if it has died since; whether it had. Cheap enough for a supervisor to call each second."""
        if self._read_pid_file()[1] is State.READY:
            return False
        with self._share.alone():
            died = self._read_pid_file()[1] is State.ABSENT
            self._ensure_running()
            return died

    def release(self) -> bool:
        """Give the share back; whether the server was stopped because nobody else uses it. A second call does nothing."""
        atexit.unregister(self.release)
        return self._share.leave(self._stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _ensure_running(self) -> None:
        """Called by one process at a time."""
        self._socket = socket_folder(self._folder, len(_SOCKET), self._account)
        deadline = time.monotonic() + START_SECONDS
        while True:
            _, state = self._read_pid_file()
            if state is State.ABSENT:
                self._start()
            elif state is State.READY:
                self._prepare_databases()
                return
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"the embedded PostgreSQL has been {state} for {START_SECONDS} s; see {self._log}"
                )
            time.sleep(0.05)  # another process began this and was killed, or a server is shutting down

    def _start(self) -> None:
        programs = postgres_programs(self._account)
        if not self._data.exists():
            self._initialise(programs)
        self._write_configuration()
        self._clear_remains()
        options = f"-c config_file={shlex.quote(str(self._folder / 'postgresql.conf'))}"
        options += f" -c hba_file={shlex.quote(str(self._folder / 'pg_hba.conf'))}"
        command = [str(programs / "pg_ctl"), "start", "-D", str(self._data), "-w", "-t", str(START_SECONDS)]
        command += ["-s", "-l", str(self._log), "-o", options]
        deadline = time.monotonic() + STOP_SECONDS
        while self._run(command) != 0:
            if _LEFTOVERS not in self._last_log_lines() or time.monotonic() > deadline:
                raise PostgresError(
                    f"The embedded PostgreSQL did not start. The last lines of {self._log}:\n{self._last_log_lines()}"
                )
            time.sleep(
                0.2
            )  # the dead server's sessions notice and end by themselves; two servers must never write

    def _clear_remains(self) -> None:
        """Remove the pid file and socket of a server known to be gone.

        PostgreSQL takes a zombie for a running server and would refuse to start. Removing its files is safe: sessions a
        dead server left behind still hold its shared memory, and that holds up the start by itself.
        """
        for remains in (
            self._data / "postmaster.pid",
            self._socket / _SOCKET,
            self._socket / f"{_SOCKET}.lock",
        ):
            remains.unlink(missing_ok=True)

    def _initialise(self, programs: Path) -> None:
        """Run initdb in a folder that gets its name only when it is complete."""
        unfinished = self._folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        own_folder(unfinished, self._account)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".password-")  # mode 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(self._passwords[ADMIN])
            if self._account is not None:
                os.chown(name, self._account.uid, self._account.gid)
            command = [str(programs / "initdb"), "-D", str(unfinished), "-U", ADMIN, f"--pwfile={name}"]
            command += ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--locale-provider=builtin"]
            command += ["--builtin-locale=C.UTF-8", "--data-checksums", "--no-instructions"]
            if self._run(command) != 0:
                raise PostgresError(f"initdb failed; its messages are in {self._folder / 'programs.log'}.")
        finally:
            Path(name).unlink()
        unfinished.rename(self._data)

    def _write_configuration(self) -> None:
        """Beside the data, not in it: the server reads its configuration and cannot write it."""
        quoted = str(self._socket).replace("'", "''")
        own = "include = 'local.conf'\n" if (self._folder / "local.conf").exists() else ""
        configuration = _CONFIGURATION.format(socket=quoted) + own
        for name, content in (("postgresql.conf", configuration), ("pg_hba.conf", _HBA)):
            path = self._folder / name
            path.write_text(content, encoding="utf-8")
            path.chmod(0o644)  # the folder above is what keeps others out
        own_folder(self._log.parent, self._account)
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.rename(self._log.with_suffix(".old"))

    def _prepare_databases(self) -> None:
        """Logins and databases, once: the mark is set when all of it is done, so a killed first start is completed."""
        done = self._folder / "databases-prepared"
        if done.exists():
            return
        with psycopg.connect(self._url(ADMIN, "postgres", driver="postgresql"), autocommit=True) as admin:
            for login in (APP, KEYS):
                ensure_login(admin, login, self._passwords[login])
            ensure_database(admin, DATABASE, owner=None, login=APP)
            ensure_database(admin, KEYS_DATABASE, owner=KEYS, login=KEYS)
            for open_to_all in ("postgres", "template1"):
                close_database(admin, open_to_all, login=None)
        done.touch(mode=0o600)

    def _stop(self) -> None:
        """Fast, then immediate: the write-ahead log loses nothing either way."""
        pid, state = self._read_pid_file()
        if state is not State.ABSENT:
            stop = [
                str(postgres_programs(self._account) / "pg_ctl"),
                "stop",
                "-D",
                str(self._data),
                "-w",
                "-s",
            ]
            if self._run([*stop, "-m", "fast", "-t", str(STOP_SECONDS)]) != 0:
                self._run([*stop, "-m", "immediate", "-t", str(STOP_SECONDS)])
            wait_gone(pid, str(self._data), STOP_SECONDS)
        drop_socket_folder(self._folder)

    def _read_pid_file(self) -> tuple[int, State]:
        """Process id and state. PostgreSQL writes them (miscadmin.h, LOCK_FILE_LINE_PM_STATUS is line 8).

        A process that is gone, a zombie, or another program by now counts as absent.
        """
        try:
            lines = (self._data / "postmaster.pid").read_text(errors="replace").splitlines()
            pid = int(lines[0])
        except (OSError, ValueError, IndexError):
            return 0, State.ABSENT
        if not runs(pid, str(self._data)):
            return pid, State.ABSENT
        status = lines[7].strip() if len(lines) > 7 else ""  # noqa: PLR2004  # line 8, see above
        return pid, State(status) if status in {State.READY, State.STOPPING} else State.STARTING

    def _read_passwords(self) -> dict[str, str]:
        path = self.home / "keys" / "postgresql.json"
        if self._data.exists() and not path.exists():
            raise PostgresError(
                f"{path} is missing, so nobody can sign in to the data in {self._data}. Restore it from its backup."
            )
        create_once(
            path, lambda: json.dumps({n: secrets.token_urlsafe(32) for n in (ADMIN, APP, KEYS)}).encode()
        )
        passwords: dict[str, str] = json.loads(read_private(path))
        return passwords

    def _url(self, login: str, database: str, *, driver: str = "postgresql+psycopg") -> str:
        password = quote(self._passwords[login], safe="")
        return f"{driver}://{login}:{password}@/{database}?host={quote(str(self._socket), safe='')}"

    @property
    def _log(self) -> Path:
        return self._folder / "log" / "server.log"

    def _last_log_lines(self) -> str:
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])
        except OSError:
            return "(no log)"

    def _run(self, command: list[str]) -> int:
        """Run one of the programs as the servers' account; its messages go to a file, since a pipe would stay open."""
        with (self._folder / "programs.log").open("ab") as log:
            return subprocess.run(  # noqa: S603  # our own programs and paths
                command, check=False, stdout=log, stderr=log, **as_account(self._account)
            ).returncode


def ensure_postgres(home: Path) -> EmbeddedPostgres:
    """The embedded PostgreSQL of this home, running; its addresses are in `.urls`.

    The first process starts it (0.6 s for a new one, 0.2 s after), others share it. Release it, or use it in a `with`.
    Raises PostgresError, PlaceError, AccountError or ProgramMissing with what to do.
    """
    server = EmbeddedPostgres(home)
    server.join()
    return server
