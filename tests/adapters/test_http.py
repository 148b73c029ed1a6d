import contextlib
import gzip
import logging
import socket
import threading
import time
import tracemalloc
import zlib

import pytest

from adapters.egress import LOOPBACK, Egress
from adapters.http import HttpClient, Limits, Reply, Tls, failure_of, retry_after, time_left, within
from adapters.port import Cause, Malformed, Refused, StaleDecision, Transient, Unauthorized
from adapters.sandbox.wire import Response
from tests.adapters.partners import (
    QUICK,
    Partner,
    always,
    client,
    dripping,
    endless,
    self_signed,
    silent,
    taking_over,
)


@contextlib.contextmanager
def memory_below(limit: int):
    """Fails where more than `limit` bytes were allocated at once inside the block."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (500, (), Transient(Cause.HTTP_5XX, 500)),
        (503, (("Retry-After", "7"),), Transient(Cause.HTTP_5XX, 503, 7.0)),
        (429, (("Retry-After", "120"),), Transient(Cause.HTTP_429, 429, 120.0)),
        (429, (), Transient(Cause.HTTP_429, 429)),
        (408, (), Transient(Cause.HTTP_4XX, 408)),
        (401, (), Unauthorized(Cause.BAD_TOKEN, 401)),
        (403, (), Refused(Cause.FORBIDDEN, 403)),
        (404, (), Refused(Cause.NOT_FOUND, 404)),
        (409, (), Refused(Cause.CONFLICT, 409)),
        (410, (), Refused(Cause.GONE, 410)),
        (412, (), Refused(Cause.CONFLICT, 412)),
        (422, (), Refused(Cause.HTTP_4XX, 422)),
        (499, (), Refused(Cause.HTTP_4XX, 499)),
        (501, (), Refused(Cause.UNSUPPORTED, 501)),
    ],
)
def test_every_status_has_one_meaning(status, headers, expected):
    with always(status, b"a body nobody may see", *headers) as partner, client() as http:
        reply = http.send("GET", partner.base_url)
    assert isinstance(reply, Reply)
    assert failure_of(reply) == expected


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_never_followed(status):
    with always(200) as elsewhere:
        with always(status, b"", ("Location", elsewhere.base_url)) as partner, client() as http:
            assert http.send("POST", partner.base_url, content=b"{}") == Refused(Cause.REDIRECT, status)
        assert elsewhere.received == []


@pytest.mark.parametrize("behaviour", [silent, dripping])
def test_a_partner_that_hangs_or_drips_costs_no_more_than_the_deadline(behaviour):
    with taking_over(behaviour) as partner, client() as http:
        started = time.monotonic()
        assert http.send("GET", partner.base_url) == Transient(Cause.TIMEOUT)
        assert time.monotonic() - started < QUICK.total_s + 1


def test_requests_made_within_a_time_share_it_whatever_each_may_take():
    with taking_over(silent) as partner, client(limits=Limits(total_s=60.0, read_s=60.0)) as http:
        with within(60.0), within(0.3):
            started = time.monotonic()
            assert http.send("GET", partner.base_url) == Transient(Cause.TIMEOUT)
            assert http.send("GET", partner.base_url) == Transient(Cause.TIMEOUT)
            assert time.monotonic() - started < 10
        assert len(partner.received) == 1, "what there is no time for is not begun"
    assert time_left() is None


def test_time_within_a_time_is_never_longer_than_the_outer_one():
    with within(5.0), within(60.0):
        assert 0 < (time_left() or 0) <= 5.0


def test_a_gigabyte_is_cut_off_at_the_cap_and_never_held():
    with taking_over(endless()) as partner, client() as http:
        started = time.monotonic()
        with memory_below(5_000_000):
            assert http.send("GET", partner.base_url) == Malformed(Cause.TOO_LARGE, 200)
        assert time.monotonic() - started < QUICK.total_s


def test_an_announced_gigabyte_is_refused_before_it_is_read():
    def act(connection, stopping):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        stopping.wait(5)

    with taking_over(act) as partner, client() as http:
        started = time.monotonic()
        assert http.send("GET", partner.base_url) == Malformed(Cause.TOO_LARGE, 200)
        assert time.monotonic() - started < 1


def test_a_small_body_that_unpacks_to_a_gigabyte_stops_at_the_cap():
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(1024)) + packer.flush()
    with (
        always(200, bomb, ("Content-Encoding", "gzip")) as partner,
        client(Limits(max_bytes=5_000_000)) as http,
        memory_below(20_000_000),
    ):
        assert http.send("GET", partner.base_url) == Malformed(Cause.TOO_LARGE, 200)


def test_compressed_answers_are_read_and_nested_or_broken_ones_are_not():
    packed = gzip.compress(b'{"a":1}')
    for encoding, body, expected in [
        ("gzip", packed, b'{"a":1}'),
        ("gzip, gzip", gzip.compress(packed), Malformed(Cause.BAD_ENCODING, 200)),
        ("br", b"x", Malformed(Cause.BAD_ENCODING, 200)),
        ("gzip", b"not gzip", Malformed(Cause.BAD_ENCODING)),
    ]:
        with always(200, body, ("Content-Encoding", encoding)) as partner, client() as http:
            reply = http.send("GET", partner.base_url)
            assert (reply.body if isinstance(reply, Reply) else reply) == expected


def test_headers_without_end_are_cut_off():
    def act(connection, stopping):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not stopping.is_set():
            connection.sendall(b"X-More: " + b"a" * 60_000 + b"\r\n")

    with taking_over(act) as partner, client() as http:
        assert http.send("GET", partner.base_url) == Transient(Cause.DISCONNECTED)


def test_a_partner_that_closes_without_a_word_is_a_transient_failure():
    with taking_over(lambda _connection, _stopping: None) as partner, client() as http:
        assert http.send("GET", partner.base_url) == Transient(Cause.DISCONNECTED)


def test_a_closed_port_is_a_transient_failure():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with client() as http:
            assert http.send("GET", address) == Transient(Cause.CONNECT)


def test_a_name_that_does_not_exist_and_one_that_never_answers():
    def unknown(host, port, seconds):
        raise socket.gaierror

    def hanging(host, port, seconds):
        raise TimeoutError

    for resolve, cause in [(unknown, Cause.DNS), (hanging, Cause.TIMEOUT), (lambda *_: [], Cause.DNS)]:
        with HttpClient(limits=QUICK, resolve=resolve) as http:
            assert http.send("GET", "https://clinic.invalid/") == Transient(cause)


class TestCertificates:
    def test_a_certificate_of_a_listed_authority_is_trusted(self, tmp_path):
        identity = self_signed(tmp_path)
        with Partner(lambda _: Response(200, b"ok"), identity.server()) as partner:
            url = partner.base_url.replace("127.0.0.1", "localhost")
            with client(tls=Tls(ca_pem=identity.pem)) as http:
                reply = http.send("GET", url)
        assert isinstance(reply, Reply)
        assert reply.body == b"ok"

    def test_an_unknown_expired_or_misnamed_certificate_sends_nothing(self, tmp_path):
        for identity, trusted in [
            (self_signed(tmp_path), False),
            (self_signed(tmp_path, days=-1), True),
            (self_signed(tmp_path, name="clinic.invalid"), True),
        ]:
            with Partner(lambda _: Response(200), identity.server()) as partner:
                url = partner.base_url.replace("127.0.0.1", "localhost")
                with client(tls=Tls(ca_pem=identity.pem if trusted else None)) as http:
                    assert http.send("POST", url, content=b"secret") == Transient(Cause.TLS)
                assert partner.received == []

    def test_a_partner_that_asks_for_a_client_certificate_gets_ours(self, tmp_path):
        server, ours = self_signed(tmp_path), self_signed(tmp_path, name="hub.invalid")
        tls = Tls(server.pem, str(ours.certificate), str(ours.key))
        with Partner(lambda _: Response(200, b"ok"), server.server(clients=ours.pem)) as partner:
            url = partner.base_url.replace("127.0.0.1", "localhost")
            with client(tls=tls) as http:
                assert isinstance(http.send("GET", url), Reply)
            with client(tls=Tls(server.pem)) as http:
                assert isinstance(http.send("GET", url), Transient)


class TestOpened:
    """ARCHITECTURE §6: the decision must be fresh when the connection is open, and if it is not, nothing leaves."""

    def test_it_is_called_once_before_the_first_byte(self):
        moments = []

        def slow_look():
            time.sleep(0.2)
            moments.append(time.time())

        with always(200) as partner, client() as http:
            http.send("POST", partner.base_url, content=b"{}", opened=slow_look)
            assert len(moments) == 1
            # Half the look's own time: the partner's kernel counts the age of a byte in ticks of up to 10 ms.
            assert partner.received[0].first_byte_at > moments[0] - 0.1

    def test_it_is_called_again_on_a_connection_that_is_reused(self):
        calls = []
        with always(200) as partner, client() as http:
            for _ in range(3):
                http.send("POST", partner.base_url, content=b"{}", opened=lambda: calls.append(1))
        assert len(calls) == 3

    def test_when_it_refuses_a_partner_that_was_slow_to_accept_receives_nothing(self):
        asked_at = []

        def stale():
            asked_at.append(time.monotonic())
            raise StaleDecision

        with always(200) as partner, client(Limits(connect_s=10, total_s=15)) as http:
            partner.hold()
            threading.Timer(1.2, partner.release).start()
            started = time.monotonic()
            with pytest.raises(StaleDecision):
                http.send("POST", partner.base_url, content=b"x" * 1000, opened=stale)
            assert asked_at[0] - started > 1  # asked when the connection opened, not when it was wanted
            time.sleep(0.2)
            assert partner.received == []

    def test_when_it_refuses_after_a_slow_handshake_no_byte_follows_the_handshake(self, tmp_path):
        identity = self_signed(tmp_path)
        listener = socket.create_server(("127.0.0.1", 0))
        heard = []

        def accept_late():
            connection, _ = listener.accept()
            time.sleep(0.8)
            with identity.server().wrap_socket(connection, server_side=True) as secured:
                try:
                    heard.append(secured.recv(1000))
                except OSError:  # closed without a TLS goodbye: equally nothing
                    heard.append(b"")

        partner = threading.Thread(target=accept_late)
        partner.start()
        started = time.monotonic()

        def stale():
            assert time.monotonic() - started > 0.7
            raise StaleDecision

        with client(tls=Tls(ca_pem=identity.pem)) as http, pytest.raises(StaleDecision):
            http.send("POST", f"https://localhost:{listener.getsockname()[1]}/", content=b"x", opened=stale)
        partner.join(5)
        listener.close()
        assert heard == [b""]

    def test_after_a_refusal_the_client_still_works(self):
        def stale():
            raise StaleDecision

        with always(200) as partner, client() as http:
            for _ in range(20):  # more than there are connections in the pool
                with pytest.raises(StaleDecision):
                    http.send("POST", partner.base_url, content=b"x", opened=stale)
            assert isinstance(http.send("GET", partner.base_url), Reply)
            assert len(partner.received) == 1


@pytest.mark.parametrize(
    "address",
    [
        "ftp://clinic.invalid/",
        "http:///x",
        "https://user:secret@clinic.invalid/",
        "not a url",
        "https://[::1",
        "",
    ],
)
def test_addresses_that_are_not_plain_http_are_refused(address):
    with client() as http:
        assert http.send("GET", address) == Refused(Cause.BAD_ADDRESS)


def test_failures_and_logs_carry_no_url_header_or_body(caplog):
    caplog.set_level(logging.DEBUG)
    with always(500, b"Kezia Okonjo") as partner, client() as http:
        url = partner.base_url + "/Patient"
        reply = http.send(
            "POST",
            url,
            params={"name": "Okonjo"},
            headers={"Authorization": "Bearer s3cret"},
            content=b"Kezia",
        )
        assert isinstance(reply, Reply)
        shown = repr(reply) + repr(failure_of(reply)) + caplog.text
    for word in ("Okonjo", "Kezia", "s3cret"):
        assert word not in shown


def test_connections_are_shared_by_threads_and_each_keeps_its_own_deadline():
    def slow(_):
        time.sleep(0.3)
        return Response(200, b"ok")

    results = []
    with Partner(slow) as partner, client(Limits(max_connections=2, pool_s=5, total_s=5)) as http:
        threads = [
            threading.Thread(target=lambda: results.append(http.send("GET", partner.base_url)))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [type(each) for each in results] == [Reply] * 6


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "999999999999999999999"}, 86_400.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "²"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_partners_own_clock(headers, seconds):
    assert retry_after(headers) == seconds


def test_loopback_is_refused_unless_listed():
    with always(200) as partner:
        for egress, expected in [(Egress(), Refused(Cause.EGRESS)), (Egress(LOOPBACK), None)]:
            with HttpClient(limits=QUICK, egress=egress) as http:
                reply = http.send("GET", partner.base_url)
                assert reply == expected if expected else isinstance(reply, Reply)
        assert len(partner.received) == 1
