"""Production's topology: worker and sweeper as processes of their own, over brokers and databases somebody else runs.

The services are named by PLANHUB_TEST_* variables; whatever is made on them is gone afterwards. A service that another
deployment is using at the moment is not touched.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import amqp  # type: ignore[import-untyped]  # it has no types
import psycopg
import pytest
import redis
from kombu.connection import Connection
from sqlalchemy import make_url

from adapters.sandbox.partner import PartnerSandbox
from gateway.exchange.context import Hub
from gateway.exchange.opening import open_hub
from gateway.settings import Settings
from gateway.store.broker import ensure_broker
from gateway.store.engine import libpq_url
from gateway.store.logins import APP, KEYS, close_database, ensure_login_roles
from gateway.store.place import forget_home
from gateway.workers.app import QueueName
from mappings.record.category import Category
from tests import servers
from tests.gateway.exchange.partners import plan_in_force, queue, state_of, subscribe
from tests.gateway.family import Family, add_agency
from tests.paths import ROOT

PATIENCE = 180.0
"""Seconds for processes to start and deliver, on a machine that has other things to do."""
REDIS_NUMBER = 11
"""The database of the test's own on that Redis; it must be empty."""

Urls = dict[str, str]


def needs(variable: str, what: str):
    """A test of what this variable names; skipped, saying so, where it names nothing."""

    def marked(test):
        absent = pytest.mark.skipif(variable not in os.environ, reason=f"name {what} in {variable}")
        return pytest.mark.topology(pytest.mark.needs(variable)(absent(test)))

    return marked


@pytest.fixture
def home() -> Iterator[Path]:
    """A home of this test's own. Not tmp_path: as root that one is closed to the servers' account."""
    path = Path(tempfile.mkdtemp(prefix="planhub-test-home-"))
    path.rmdir()
    yield path
    forget_home(path)


@pytest.fixture
def databases(postgres, template) -> Iterator[Urls]:
    """The session's server by URL, for the tests of brokers."""
    main = servers.copy_of(postgres.urls, template)
    keys = servers.copy_of(postgres.urls, None, login=KEYS)
    yield {"DATABASE_URL": main.app, "KEYSTORE_URL": keys.app}
    for copy in (main, keys):
        servers.drop(postgres.urls, copy)


@pytest.fixture
def old_databases() -> Iterator[Urls]:
    """Two empty databases and their logins on the PostgreSQL that PLANHUB_TEST_DATABASE_URL names, as an operator makes them."""
    admin_url = os.environ["PLANHUB_TEST_DATABASE_URL"]
    mark = uuid4().hex[:8]
    main, keys, keys_login = f"planhub_test_{mark}", f"planhub_test_{mark}_keys", f"planhub_test_{mark}_keys"
    address = make_url(libpq_url(admin_url))
    urls = {
        "DATABASE_URL": address.set(username=APP, database=main),
        "KEYSTORE_URL": address.set(username=keys_login, database=keys),
        "DATABASE_ADMIN_URL": address.set(database=main),
    }
    shown = {name: url.render_as_string(hide_password=False) for name, url in urls.items()}
    with psycopg.connect(libpq_url(admin_url), autocommit=True) as admin:
        ensure_login_roles(admin_url, app_url=shown["DATABASE_URL"])
        admin.execute(f"CREATE ROLE {keys_login} LOGIN".encode())
        admin.execute(f"CREATE DATABASE {main}".encode())
        admin.execute(f"CREATE DATABASE {keys} OWNER {keys_login}".encode())
        for name, login in ((main, APP), (keys, keys_login)):
            close_database(admin, name, login=login)
        yield shown
        for name in (main, keys):
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
        admin.execute(f"DROP ROLE {keys_login}".encode())


@pytest.fixture
def rabbitmq() -> Iterator[str]:
    """That RabbitMQ without our queues. Celery's own, which every worker on quorum queues declares, go if they were not there."""
    url = os.environ["PLANHUB_TEST_RABBITMQ_URL"]
    with Connection(url) as connection:  # type: ignore[no-untyped-call]  # kombu is untyped
        for name in QueueName:
            try:
                held = connection.channel().queue_declare(name.value, passive=True)
            except amqp.exceptions.NotFound:
                continue
            assert held.consumer_count == 0, f"{name} is in use"
            connection.channel().queue_delete(name.value)
        theirs = (DELAYED, "celeryev")
        new = [name for name in theirs if not exchange_exists(connection, name)]
        yield url
        channel = connection.channel()
        exchanges, queues = ["planhub", *new], [name.value for name in QueueName]
        if DELAYED in new:
            steps = [f"celery_delayed_{number}" for number in range(28)]
            exchanges, queues = exchanges + steps, queues + steps
        for queue_name in queues:
            channel.queue_delete(queue_name)
        for exchange in exchanges:
            channel.exchange_delete(exchange)


DELAYED = "celery_delayed_delivery"


def exchange_exists(connection: Connection, name: str) -> bool:
    try:
        connection.channel().exchange_declare(name, "topic", passive=True)
    except amqp.exceptions.NotFound:
        return False
    return True


@pytest.fixture
def redis_server() -> Iterator[str]:
    url = urlsplit(os.environ["PLANHUB_TEST_REDIS_URL"])._replace(path=f"/{REDIS_NUMBER}").geturl()
    with redis.Redis.from_url(url) as client:
        assert client.dbsize() == 0, f"database {REDIS_NUMBER} of that Redis is in use"
        yield url
        client.flushdb()


def environment(home: Path, urls: Urls) -> dict[str, str]:
    """Of the caller's Planhub settings nothing is passed on."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PLANHUB_")}
    ours = urls | {"HOME": str(home), "ALLOW_LOOPBACK_PARTNERS": "true", "LOG_LEVEL": "warning"}
    return mine | {f"PLANHUB_{name}": value for name, value in ours.items()}


def planhub(*words: str, env: dict[str, str]) -> str:
    """A command that ends; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(env: dict[str, str], log: Path) -> Iterator[None]:
    """A worker and a sweeper; both end by themselves, and well, when told to."""
    commands = (("work",), ("serve", "--only", "sweep"))
    with log.open("wb") as messages, ExitStack() as stack:
        processes = []
        for words in commands:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *words],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                start_new_session=True,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)  # does nothing to one that has ended
            processes.append(process)
        yield
        for process in processes:
            process.terminate()
        assert [process.wait(60) for process in processes] == [0, 0], log.read_text()[-3000:]


def until(condition: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, (
            f"not within {PATIENCE:.0f} s; the processes said:\n{log.read_text()[-3000:]}"
        )
        time.sleep(0.1)


def settings_of(home: Path, urls: Urls) -> Settings:
    return Settings(
        home=home,
        allow_loopback_partners=True,
        database_url=urls["DATABASE_URL"],
        keystore_url=urls["KEYSTORE_URL"],
        broker_url=urls.get("BROKER_URL"),
    )


def deliver_by(home: Path, urls: Urls, tmp_path: Path, look: Callable[[Hub], None] = lambda _: None) -> None:
    """A plan that waited while no process ran and two that are queued while they do arrive, each once; a stop is kept to."""
    log, secret = tmp_path / "log", tmp_path / "signing"
    of_workers = {name: url for name, url in urls.items() if name != "DATABASE_ADMIN_URL"}
    settings = settings_of(home, urls)
    # a share in the broker, where it is the home's own: it ends with the test even if the processes did not end well
    with PartnerSandbox() as partner, ensure_broker(settings), open_hub(settings) as hub:
        secret.write_text(partner.secret)
        school, clinic = add_agency(hub), add_agency(hub)
        config = {"url": partner.base_url, "secrets": {"signing": f"file:{secret}"}}
        connection = subscribe(hub, clinic, "webhook", config=config)

        def send(*, permitted: bool = True) -> UUID:
            family = Family(hub)
            family.states(school, Category.SCHOOL)
            plan_in_force(hub, family, school)
            if permitted:
                family.permits(clinic, Category.IDENTITY, Category.SCHOOL)
            return queue(hub, clinic, family.child, connection)

        waited = send()
        with running(environment(home, of_workers), log):
            until(lambda: state_of(hub, waited) == ("delivered", None), log)
            later = [send(), send()]
            unpermitted = send(permitted=False)
            until(lambda: all(state_of(hub, one)[0] != "pending" for one in (*later, unpermitted)), log)
            look(hub)
        assert {state_of(hub, one) for one in (waited, *later)} == {("delivered", None)}
        assert state_of(hub, unpermitted) == ("withheld", "no-grant")
        assert sorted(one.id for one in partner.deliveries) == sorted(map(str, (waited, *later)))
        assert partner.repeats == []


def test_processes_that_start_and_stop_without_a_fault_say_nothing(databases, home, tmp_path):
    """What is said is a line of the log; a library's banner, advice or farewell is none."""
    log = tmp_path / "log"
    with ensure_broker(Settings(home=home)), open_hub(settings_of(home, databases)) as hub:
        clinic = add_agency(hub)
        unpermitted = queue(hub, clinic, Family(hub).child, subscribe(hub, clinic, "api"))
        with running(environment(home, databases), log):
            until(lambda: state_of(hub, unpermitted)[0] == "withheld", log)
    assert log.read_text() == ""


@needs("PLANHUB_TEST_RABBITMQ_URL", "a RabbitMQ")
def test_deliveries_over_rabbitmq_ring_in_quorum_queues(databases, rabbitmq, home, tmp_path):
    deliver_by(home, databases | {"BROKER_URL": rabbitmq}, tmp_path)
    with Connection(rabbitmq) as connection:  # type: ignore[no-untyped-call]  # kombu is untyped
        for name in QueueName:
            quorum = {"x-queue-type": "quorum"}
            held = connection.channel().queue_declare(
                name.value, durable=True, auto_delete=False, arguments=quorum
            )
            assert (held.message_count, held.consumer_count) == (0, 0), "every ring was answered for"
            with pytest.raises(amqp.exceptions.PreconditionFailed):
                connection.channel().queue_declare(name.value, durable=True, auto_delete=False)


@needs("PLANHUB_TEST_REDIS_URL", "a Redis")
def test_deliveries_over_a_redis_of_somebody_elses(databases, redis_server, home, tmp_path):
    deliver_by(home, databases | {"BROKER_URL": redis_server}, tmp_path)
    with redis.Redis.from_url(redis_server) as client:
        assert client.hlen("unacked") == 0, "every ring was answered for"
        assert [client.llen(name.value) for name in QueueName] == [0, 0]


@needs("PLANHUB_TEST_DATABASE_URL", "a superuser's address on a PostgreSQL 15 or later")
def test_deliveries_from_databases_by_url_that_planhub_migrate_laid_out(old_databases, home, tmp_path):
    """Migrations under the admin's address, everything after under the app's; keys lie in a database of their own."""
    assert planhub("migrate", env=environment(home, old_databases)).startswith("The database is at ")

    def look(hub: Hub) -> None:
        with hub.db.transaction() as conn:
            assert conn.exec_driver_sql("SHOW server_version_num").scalar_one() >= "150000"
            assert conn.exec_driver_sql("SELECT current_user").scalar_one() == APP
            children = set(conn.exec_driver_sql("SELECT child_id FROM child").scalars())
            assert conn.exec_driver_sql("SELECT to_regclass('public.child_key')").scalar_one() is None
        with psycopg.connect(old_databases["KEYSTORE_URL"]) as keys:
            found = {row[0] for row in keys.execute("SELECT child_id FROM child_key")}
        assert children
        assert children <= found
        assert not (home / "postgresql").exists(), "no server of our own was started"

    deliver_by(home, old_databases, tmp_path, look)
