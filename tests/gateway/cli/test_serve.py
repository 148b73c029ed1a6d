"""A process of a deployment that cannot start says what, why and what to do next, and ends with the code for it; never a traceback."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.cli.exits import Exit
from tests.paths import ROOT

NOWHERE = "postgresql://planhub_app@127.0.0.1:1/planhub"
PATIENCE = 60.0

# the same command, in a process where something of Planhub has been replaced first
BROKEN_LAW = """
from gateway.exchange import opening
def shipped_law():
    raise opening.RulesError("federal.toml row 3: no such section")
opening.shipped_law = shipped_law
"""
FIRST_LOOK_IS_FINE = """
from contextlib import nullcontext
from gateway.cli import web
real, first = web.opened, [nullcontext]
web.opened = lambda: (first.pop() if first else real)()
"""
NO_LOOK = """
from contextlib import nullcontext
from gateway.cli import web
web.opened = nullcontext
"""
UNFORESEEN = (
    NO_LOOK
    + """
import gateway.app
def open_hub(*_, **__):
    raise ZeroDivisionError("what a child is called")
gateway.app.open_hub = open_hub
"""
)


@dataclass(frozen=True)
class Ended:
    """How a process ended and what it said."""

    code: int
    said: str


Serve = Callable[..., Ended]


@pytest.fixture
def environment(deployment, free_port) -> dict[str, str]:
    kept: dict[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith("PLANHUB_")
    }
    ours: dict[str, str] = deployment.environment
    return kept | ours | {"PLANHUB_PORT": str(free_port), "PLANHUB_LOG_LEVEL": "warning"}


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(environment: dict[str, str], *words: str, first: str = "", **settings: object):
    own = {f"PLANHUB_{name.upper()}": str(value) for name, value in settings.items()}
    command = f"import sys\nsys.argv = ['planhub', *{words!r}]\n{first}\nfrom gateway.cli import main\nmain()"
    process = subprocess.Popen(
        [sys.executable, "-c", command],
        cwd=ROOT,
        env=environment | own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def end(environment) -> Serve:
    """Start a process that is to end by itself."""

    def run(*words: str, first: str = "", **settings: object) -> Ended:
        with started(environment, *words, first=first, **settings) as process:
            said, _ = process.communicate(timeout=PATIENCE)
            assert "Traceback" not in said
            return Ended(process.returncode, said)

    return run


WEB = ("serve", "--only", "web")
SWEEP = ("serve", "--only", "sweep")


@pytest.mark.parametrize("words", [WEB, SWEEP, ("serve",)], ids=" ".join)
def test_a_database_that_does_not_answer_is_said_in_words(end, words):
    ended = end(*words, database_url=NOWHERE, database_admin_url=NOWHERE)
    assert ended.code == Exit.UNREACHABLE
    assert "planhub: the database cannot be reached: " in ended.said
    assert "  → planhub doctor" in ended.said


@pytest.mark.parametrize("words", [WEB, ("work",)], ids=" ".join)
def test_a_database_that_was_never_laid_out_asks_to_be(end, words, empty_copy):
    ended = end(*words, database_url=empty_copy.app, database_admin_url=empty_copy.admin)
    assert ended.code == Exit.CHECK_FAILED
    assert "planhub: the database is not laid out for this release: " in ended.said
    assert "  → planhub migrate" in ended.said


def test_law_rows_that_cannot_be_loaded_are_named(end):
    ended = end(*WEB, first=BROKEN_LAW)
    assert ended.code == Exit.CHECK_FAILED
    assert ended.said == (
        "planhub: the law rows cannot be loaded: federal.toml row 3: no such section\n"
        "  → correct consent/rules and start again\n"
    )


@pytest.mark.parametrize("words", [("work",), ("serve",)], ids=" ".join)
def test_a_broker_that_cannot_be_started_is_said_in_words(end, words):
    first = (
        "from gateway.store import broker\n"
        "def ensure_broker(_):\n    raise broker.BrokerError('The embedded broker did not start.')\n"
        "broker.ensure_broker = ensure_broker\n"
    )
    ended = end(*words, first=first)
    assert ended.code == Exit.UNREACHABLE
    assert "planhub: cannot start: The embedded broker did not start." in ended.said


def test_a_port_that_is_taken_is_named(end, free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        ended = end(*WEB)
    assert ended.code == Exit.UNREACHABLE
    assert ended.said.startswith(
        f"planhub: cannot listen on 127.0.0.1 port {free_port}: Address already in use"
    )
    assert "PLANHUB_PORT" in ended.said


def test_a_certificate_that_cannot_be_read_is_named(end, tmp_path):
    missing = Path(tmp_path) / "hub.pem"
    ended = end(*WEB, tls_certificate=missing, tls_key=missing)
    assert ended.code == Exit.USAGE
    assert str(missing) in ended.said
    missing.write_text("no certificate")
    assert end(*WEB, tls_certificate=missing, tls_key=missing).code == Exit.USAGE


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_server_process_meets_is_looked_at_again_and_said_in_words(end, processes):
    """The database went away between the look and the start."""
    ended = end(*WEB, first=FIRST_LOOK_IS_FINE, database_url=NOWHERE, web_processes=processes)
    assert ended.code == Exit.UNREACHABLE
    assert "planhub: the database cannot be reached: " in ended.said
    assert '"code": "web-fault"' in ended.said


def test_what_nobody_foresaw_ends_the_process_as_a_fault_and_shows_no_text_of_its_own(end):
    ended = end(*WEB, first=UNFORESEEN, web_processes=1)
    assert ended.code == Exit.BUG
    assert '"exception": "builtins.ZeroDivisionError"' in ended.said
    assert "what a child is called" not in ended.said
    assert "planhub: the web process could not start: " in ended.said


def health(port: int) -> int:
    """What `/health` answers, once somebody listens."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.URLError:
            assert time.monotonic() < end, "nobody listens"
            time.sleep(0.1)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_web_process_answers_until_it_is_told_to_stop(environment, free_port, processes):
    with started(environment, *WEB, web_processes=processes) as process:
        assert health(free_port) == 204
        process.terminate()
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode in {0, -15}
    assert said == ""
