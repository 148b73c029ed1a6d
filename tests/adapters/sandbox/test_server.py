"""The ground every sandbox partner stands on."""

import http.client
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Request, Response, as_json
from tests.adapters.sandbox.caller import call


class Echo(Sandbox):
    def answer(self, request: Request) -> Response:
        if request.path == "/bug":
            raise ZeroDivisionError
        return as_json(
            200, {"method": request.method, "path": request.path, "body": request.body.decode()}, ("X-A", "b")
        )


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as sandbox:
        yield sandbox


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_a_sandbox_refuses_to_bind_anything_but_loopback(host):
    with pytest.raises(ValueError, match="loopback only"):
        Echo().start(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_a_sandbox_binds_any_loopback_address(host):
    with Echo().start(host) as sandbox:
        assert call(sandbox.base_url + "/x").status == 200


def test_port_0_takes_a_free_port_and_a_stopped_sandbox_can_start_again_on_the_same_one():
    sandbox = Echo().start()
    port = sandbox.port
    assert port > 0
    sandbox.stop()
    with pytest.raises(ConnectionRefusedError):
        call(f"http://127.0.0.1:{port}/x")
    with sandbox.start(port=port):
        assert call(sandbox.base_url + "/x").status == 200
    sandbox.stop()


def test_a_connection_is_kept_alive(echo):
    connection = http.client.HTTPConnection("127.0.0.1", echo.port)
    for number in range(3):
        connection.request("GET", f"/{number}")
        assert connection.getresponse().read()
    socket_before = connection.sock
    connection.request("GET", "/again")
    connection.getresponse().read()
    assert connection.sock is socket_before
    connection.close()


def test_a_chunked_body_is_read_whole(echo):
    connection = http.client.HTTPConnection("127.0.0.1", echo.port)
    connection.request("POST", "/", iter([b"one ", b"two"]), encode_chunked=True)
    assert b'"one two"' in connection.getresponse().read()
    connection.close()


def test_every_request_is_remembered_with_the_time_of_its_first_byte(echo):
    before = time.time()
    call(echo.base_url + "/seen?a=1&a=2", "POST", {"x": 1}, X_Sent="yes")
    (request,) = echo.received
    assert (request.method, request.path, request.json()) == ("POST", "/seen", {"x": 1})
    assert request.query == (("a", "1"), ("a", "2"))
    assert request.header("X-Sent") == "yes"
    assert before - 0.01 <= request.first_byte_at <= time.time()


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells how long bytes have waited in the kernel"
)
def test_the_first_byte_counts_from_its_arrival_even_when_accepting_is_slow(echo):
    echo.delay(accept=0.6)
    before = time.time()
    call(echo.base_url + "/slow")
    assert time.time() - before >= 0.6
    assert echo.received[0].first_byte_at - before < 0.55


@pytest.mark.skipif(sys.platform != "linux", reason="other systems complete a connection nobody accepts")
def test_a_sandbox_that_holds_lets_nobody_connect_until_released(echo):
    echo.hold()
    with socket.socket() as waiting:
        waiting.settimeout(0.4)
        with pytest.raises(TimeoutError):
            waiting.connect(("127.0.0.1", echo.port))
    before = time.time()
    timer = threading.Timer(0.5, echo.release)
    timer.start()
    assert call(echo.base_url + "/late").status == 200
    timer.join()
    assert echo.received[-1].first_byte_at - before >= 0.5


def test_ordered_failures_come_first_and_then_it_serves_again(echo):
    echo.fail_next(2, 503, ("Retry-After", "1"))
    answers = [call(echo.base_url + "/x") for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "1"
    assert len(echo.received) == 3


def test_a_dropped_answer_has_been_carried_out(echo):
    echo.drop_answers()
    with pytest.raises(http.client.RemoteDisconnected):
        call(echo.base_url + "/done", "POST", {})
    assert [request.path for request in echo.received] == ["/done"]
    assert call(echo.base_url + "/x").status == 200


def test_stopping_closes_connections_that_are_still_open():
    before = threading.active_count()
    with Echo() as sandbox:
        idle = socket.create_connection(("127.0.0.1", sandbox.port))
        call(sandbox.base_url + "/x")
    assert idle.recv(1) == b""
    idle.close()
    assert threading.active_count() == before


def test_a_bug_in_a_sandbox_is_a_bare_500_outside_and_raised_to_the_test():
    sandbox = Echo().start()
    answer = call(sandbox.base_url + "/bug")
    assert (answer.status, answer.body) == (500, b"")
    with pytest.raises(ZeroDivisionError):
        sandbox.__exit__(None, None, None)


def test_a_body_larger_than_any_partner_would_take_is_a_413(echo):
    with socket.create_connection(("127.0.0.1", echo.port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    assert echo.received == []


def test_a_sandbox_that_does_not_serve_says_so(echo):
    with pytest.raises(RuntimeError, match="already serving"):
        echo.start()
    idle = Echo()
    for attempt in (idle.hold, lambda: idle.port):
        with pytest.raises(RuntimeError, match="Start it first"):
            attempt()
    idle.stop()


def test_answers_come_late_when_told_so(echo):
    echo.delay(answer=0.2, read=0.1)
    before = time.monotonic()
    assert call(echo.base_url + "/x").status == 200
    assert time.monotonic() - before >= 0.3


def test_head_has_the_headers_and_no_body(echo):
    answer = call(echo.base_url + "/x", "HEAD")
    assert (answer.status, answer.headers["x-a"], answer.body) == (200, "b", b"")
