import os
import signal
import stat
import time
from pathlib import Path

import pytest
import redis
from kombu.connection import Connection

from gateway.settings import load_settings
from gateway.store import account
from gateway.store.broker import BrokerError, EmbeddedBroker, ensure_broker
from tests.gateway.store.processes import alive, run_python


@pytest.fixture
def settings(home, monkeypatch):
    monkeypatch.delenv("PLANHUB_BROKER_URL", raising=False)
    return load_settings(home=home)


def embedded(settings) -> EmbeddedBroker:
    broker = ensure_broker(settings)
    assert isinstance(broker, EmbeddedBroker)
    return broker


def ask(broker: EmbeddedBroker, name: str) -> str:
    with redis.Redis(unix_socket_path=str(broker._socket), decode_responses=True) as client:
        answer = client.config_get(name)
        assert isinstance(answer, dict)
        return str(answer[name])


def connect(url: str) -> Connection:
    return Connection(url)  # type: ignore[no-untyped-call]  # kombu is typed in parts


def put(url: str, number: int) -> None:
    with connect(url) as connection, connection.SimpleQueue("doorbell") as queue:
        queue.put({"id": number})


def take(url: str) -> int:
    with connect(url) as connection, connection.SimpleQueue("doorbell") as queue:
        message = queue.get(timeout=5)
        message.ack()
        return int(message.payload["id"])


def crash(broker: EmbeddedBroker) -> None:
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_named_broker_is_used_as_it_is_and_nothing_is_started(home):
    settings = load_settings(home=home, broker_url="redis://:tulips@broker.example.org/0")
    with ensure_broker(settings) as broker:
        assert broker.url == "redis://:tulips@broker.example.org/0"
        assert broker.revive() is False
        assert "tulips" not in repr(broker)
    assert not home.exists()


def test_the_embedded_broker_listens_on_a_private_socket_only_and_forgets_nothing(settings):
    with embedded(settings) as broker:
        assert broker.url.startswith("redis+socket://")
        socket = broker._socket
        assert stat.S_ISSOCK(socket.stat().st_mode)
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(broker._data.stat().st_mode) == 0o700
        assert ask(broker, "port") == "0"
        assert ask(broker, "appendonly") == "yes"
        assert ask(broker, "appendfsync") == "everysec"
        assert ask(broker, "maxmemory-policy") == "noeviction"


def test_celerys_own_transport_speaks_with_it(settings):
    with embedded(settings) as broker:
        put(broker.url, 1)
        put(broker.url, 2)
        assert [take(broker.url), take(broker.url)] == [1, 2]


def test_what_waits_is_still_there_after_a_stop_and_a_start(settings):
    with embedded(settings) as broker:
        put(broker.url, 1)
    with embedded(settings) as broker:
        assert take(broker.url) == 1


def test_a_broker_that_was_killed_is_started_again_with_what_was_a_second_old(settings):
    with embedded(settings) as broker:
        put(broker.url, 1)
        time.sleep(1.5)
        before = broker.pid
        assert broker.revive() is False
        crash(broker)
        assert broker.pid is None
        assert broker.revive() is True
        assert broker.pid not in {None, before}
        assert take(broker.url) == 1


def test_the_next_process_to_come_starts_a_broker_that_was_killed(settings):
    with embedded(settings) as broker:
        crash(broker)
        with embedded(settings) as other:
            assert broker.pid == other.pid


def test_the_last_to_leave_stops_it_and_nothing_stays_behind(settings):
    broker, other = embedded(settings), embedded(settings)
    pid = broker.pid
    assert pid is not None
    assert other.pid == pid
    assert broker.release() is False
    assert alive(pid)
    assert other.release() is True
    assert not alive(pid)
    assert other.release() is False


def test_another_process_shares_it_and_lets_go_at_its_end(settings):
    program = (
        "import sys; from gateway.settings import load_settings; from gateway.store.broker import ensure_broker;"
        "print(ensure_broker(load_settings(home=sys.argv[1])).pid)"
    )
    with embedded(settings) as broker:
        output, _ = run_python(program, str(settings.home)).communicate(timeout=60)
        assert int(output) == broker.pid
        assert alive(int(output))
    output, _ = run_python(program, str(settings.home)).communicate(timeout=60)
    assert not alive(int(output))


def test_a_file_it_cannot_read_is_set_aside_since_the_sweep_rings_everything_again(settings):
    with embedded(settings) as broker:
        put(broker.url, 1)
        data = broker._data
    for part in (data / "appendonlydir").iterdir():
        part.write_bytes(b"*broken\r\n" * 200)
    with embedded(settings) as broker:
        put(broker.url, 2)
        assert take(broker.url) == 2
    assert (data / "appendonlydir.unread").is_dir()


def test_a_broker_that_cannot_run_says_what_to_set_instead(settings, monkeypatch):
    monkeypatch.setattr("gateway.store.broker.valkey_program", lambda _account: Path("/bin/false"))
    with pytest.raises(BrokerError, match="PLANHUB_BROKER_URL"):
        ensure_broker(settings)
    monkeypatch.setattr("gateway.store.broker.SETTLE_SECONDS", 0.1)
    monkeypatch.setattr("gateway.store.broker.valkey_program", lambda _account: Path("/bin/true"))
    with pytest.raises(BrokerError, match="starts and ends again"):
        ensure_broker(settings)


def test_a_home_with_a_long_name_works(home):
    deep = home / ("x" * 60) / ("y" * 60)
    with embedded(load_settings(home=deep)) as broker:
        short = broker._socket.parent
        assert len(os.fsencode(broker._socket)) < 104
        put(broker.url, 1)
        assert take(broker.url) == 1
    assert not short.exists()


def test_a_home_with_a_space_in_its_name_works(home):
    with embedded(load_settings(home=home / "a hub")) as broker:
        put(broker.url, 1)
        assert take(broker.url) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: what is tested is what root's hub does")
def test_as_root_it_runs_under_the_account_without_privileges(settings):
    with embedded(settings) as broker:
        who = account.server_account()
        assert who is not None
        assert Path(f"/proc/{broker.pid}").stat().st_uid == who.uid != 0
