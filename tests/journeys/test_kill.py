"""`kill -9` of the worker, of the broker and of PostgreSQL while deliveries run: none is lost, none arrives twice as two.

The whole of `planhub serve` runs in a home of its own, with its supervisor and its embedded servers; the partner tells what
reached it by idempotency key. Nothing here restarts anything: that is the supervisor's affair.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from adapters.sandbox.partner import PartnerSandbox
from gateway.exchange.audit import verify_ledger
from gateway.exchange.context import Hub
from gateway.exchange.opening import open_hub
from gateway.settings import Settings
from gateway.store.broker import EmbeddedBroker
from gateway.store.deliverystate import DeliveryState
from gateway.store.embedded import EmbeddedPostgres, ensure_postgres
from gateway.store.place import forget_home
from mappings.record.category import Category
from tests.gateway.exchange.partners import plan_in_force, queue, subscribe
from tests.gateway.family import Family, add_agency
from tests.gateway.store.processes import alive, family
from tests.journeys import hurried
from tests.paths import ROOT

PATIENCE = 240.0
"""Seconds until everything must have ended, on a machine that has other things to do."""
CHILDREN = 20
AGENCIES = 3
SLOW = 1.5
"""Seconds the partner takes to answer while the kill is prepared: whoever sends then is in the middle of it."""


@dataclass(frozen=True)
class City:
    """A running deployment, seen from beside it."""

    hub: Hub
    postgres: EmbeddedPostgres
    broker: EmbeddedBroker
    supervisor: subprocess.Popen[bytes]
    secret: str
    log: Path

    def worker(self) -> int | None:
        """The process id of the one worker process, None while there is none."""
        for pid in family(self.supervisor.pid) - {self.supervisor.pid}:
            with suppress(OSError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[3:4] == [b"work"] and alive(pid):
                    return pid
        return None


@dataclass(frozen=True)
class Queued:
    """What was put into the outbox: what the families permit, and what nobody permitted."""

    permitted: frozenset[UUID]
    stopped: frozenset[UUID]

    @property
    def all(self) -> frozenset[UUID]:
        return self.permitted | self.stopped


def until(condition: Callable[[], object], what: str, city: City) -> None:
    """Wait for it, with patience but not for ever; a database that is away at the moment is waited for too."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(OperationalError):
            if condition():
                return
        time.sleep(0.05)
    pytest.fail(f"not within {PATIENCE:.0f} s: {what}; the processes said:\n{city.log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def city(tmp_path_factory) -> Iterator[City]:
    home = Path(tempfile.mkdtemp(prefix="planhub-test-home-"))
    home.rmdir()  # the hub makes it, so that the servers' account can pass through
    files = tmp_path_factory.mktemp("city")
    secret, log = files / "signing", files / "log"
    secret.write_text(PartnerSandbox().secret)
    settings = Settings(home=home, allow_loopback_partners=True)
    with ensure_postgres(home) as postgres, EmbeddedBroker(home) as broker, open_hub(settings) as hub:
        with log.open("wb") as messages:
            supervisor = subprocess.Popen(
                hurried.command("serve"),
                cwd=ROOT,
                env=environment(home),
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                start_new_session=True,
            )
        running = City(hub, postgres, broker, supervisor, f"file:{secret}", log)
        started = set()
        try:
            until(running.worker, "a worker starts", running)
            yield running
            started = family(supervisor.pid)
        finally:
            end(supervisor)
        assert [pid for pid in started if alive(pid)] == []
    forget_home(home)


def environment(home: Path) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PLANHUB_")}
    ours = {
        "HOME": home,
        "PORT": port,
        "WEB_PROCESSES": 1,
        "WORK_PROCESSES": 1,
        "ALLOW_LOOPBACK_PARTNERS": "true",
        "LOG_LEVEL": "warning",
    }
    return mine | {f"PLANHUB_{name}": str(value) for name, value in ours.items()}


def end(supervisor: subprocess.Popen[bytes]) -> None:
    """As an operator ends it; what does not end is ended by id."""
    children = family(supervisor.pid) - {supervisor.pid}
    supervisor.terminate()
    try:
        supervisor.wait(90)
    except subprocess.TimeoutExpired:
        for pid in (supervisor.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        supervisor.wait()
        raise


@pytest.fixture
def partner() -> Iterator[PartnerSandbox]:
    with PartnerSandbox() as sandbox:
        sandbox.delay(answer=SLOW)
        yield sandbox


@pytest.fixture
def queued(city: City, partner: PartnerSandbox) -> Queued:
    """Sixty deliveries by webhook to three agencies: two are permitted everything, the third about every other child."""
    hub = city.hub
    school = add_agency(hub)
    agencies = [add_agency(hub) for _ in range(AGENCIES)]
    config = {"url": partner.base_url, "secrets": {"signing": city.secret}}
    ways = {org: subscribe(hub, org, "webhook", config=config) for org in agencies}
    families = [Family(hub) for _ in range(CHILDREN)]
    permitted: set[UUID] = set()
    stopped: set[UUID] = set()
    for number, one in enumerate(families):
        one.states(school, Category.SCHOOL)
        plan_in_force(hub, one, school)
        for org in agencies[: AGENCIES - number % 2]:
            one.permits(org, Category.IDENTITY, Category.SCHOOL)
    for number, one in enumerate(families):
        for place, org in enumerate(agencies):
            permit = place < AGENCIES - number % 2
            (permitted if permit else stopped).add(queue(hub, org, one.child, ways[org]))
    return Queued(frozenset(permitted), frozenset(stopped))


def states(city: City, queued: Queued) -> dict[UUID, tuple[str, str | None]]:
    with city.hub.db.transaction() as conn:
        rows = conn.execute(
            text("SELECT delivery_id, state, reason FROM delivery WHERE delivery_id = ANY(:ids)"),
            {"ids": list(queued.all)},
        )
        return {row.delivery_id: (row.state, row.reason) for row in rows}


def interrupted(city: City, queued: Queued) -> int:
    """Deliveries one of whose attempts began and never told how it ended."""
    with city.hub.db.transaction() as conn:
        return int(
            conn.execute(
                text(
                    "SELECT count(*) FROM delivery d WHERE delivery_id = ANY(:ids) AND attempts > "
                    "(SELECT count(*) FROM attempt a WHERE a.delivery_id = d.delivery_id)"
                ),
                {"ids": list(queued.all)},
            ).scalar_one()
        )


def until_in_the_middle(city: City, queued: Queued, partner: PartnerSandbox) -> None:
    """Some have arrived, others are being sent at this moment, the rest waits."""
    until(lambda: len(partner.deliveries) > CHILDREN, "deliveries reach the partner", city)
    pending = [one for one, (state, _) in states(city, queued).items() if state == DeliveryState.PENDING]
    assert pending, "the kill came too late to mean anything"


def assert_nothing_was_lost(city: City, queued: Queued, partner: PartnerSandbox) -> None:
    """Wait until every delivery has ended, then compare what the hub says with what the partner has."""
    partner.delay()

    def ended() -> bool:
        return all(state != DeliveryState.PENDING for state, _ in states(city, queued).values())

    until(ended, "every delivery ends", city)
    found = states(city, queued)
    assert set(found) == queued.all
    assert {found[one] for one in queued.permitted} == {("delivered", None)}
    assert {found[one] for one in queued.stopped} == {("withheld", "recipient")}
    arrived = [one.id for one in partner.deliveries]
    assert sorted(arrived) == sorted(map(str, queued.permitted))
    assert set(partner.repeats) <= set(arrived)
    assert partner.refusals == []
    assert verify_ledger(city.hub, bodies=False).sound


def kill(pid: int | None) -> int:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def test_a_worker_killed_in_the_middle_of_sending_loses_nothing(city, queued, partner):
    until_in_the_middle(city, queued, partner)
    killed = kill(city.worker())
    until(lambda: city.worker() not in {None, killed}, "the supervisor starts another worker", city)
    assert interrupted(city, queued) > 0
    assert_nothing_was_lost(city, queued, partner)
    assert interrupted(city, queued) > 0


def test_a_broker_killed_in_the_middle_loses_nothing(city, queued, partner):
    until_in_the_middle(city, queued, partner)
    worker, killed = city.worker(), kill(city.broker.pid)
    until(lambda: city.broker.pid not in {None, killed}, "the supervisor starts the broker again", city)
    assert_nothing_was_lost(city, queued, partner)
    assert city.worker() == worker, "a worker lives through the loss of its broker"


def test_postgresql_killed_in_the_middle_loses_nothing_and_nothing_is_sent_again(city, queued, partner):
    """A worker lives through the loss of its database, and writes down what its partners said once it is back."""
    until_in_the_middle(city, queued, partner)
    worker, under_way, killed = city.worker(), interrupted(city, queued), kill(city.postgres.pid)
    assert under_way > 0
    until(lambda: city.postgres.pid not in {None, killed}, "the supervisor starts PostgreSQL again", city)
    assert_nothing_was_lost(city, queued, partner)
    assert city.worker() == worker
    assert partner.repeats == []
    assert interrupted(city, queued) < under_way, "nearly all told how they ended"
