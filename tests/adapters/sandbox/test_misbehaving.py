"""Each fault of the misbehaving partner is really the fault it says, and ends when the partner stops."""

import gzip
import http.client
import io
import json
import socket
import ssl
import time

import pytest

from adapters.sandbox.misbehaving import GIGABYTE, PRIVATE_ADDRESS, MisbehavingSandbox
from tests.adapters.sandbox.caller import call


@pytest.fixture(scope="module")
def partner():
    with MisbehavingSandbox() as running:
        yield running


def open_get(partner: MisbehavingSandbox, path: str, seconds: float = 5) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", partner.port), timeout=seconds)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return connection


def read_at_least(connection: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size and (piece := connection.recv(65536)):
        found += piece
    return bytes(found)


@pytest.mark.parametrize("status", [500, 503])
def test_a_path_answers_its_status_whatever_follows_it(partner, status):
    assert call(f"{partner.base_url}/{status}").status == status
    assert call(f"{partner.base_url}/{status}/Patient/1", "POST", {}).status == status


def test_429_tells_when_to_come_back(partner):
    assert call(f"{partner.base_url}/429").headers["retry-after"] == "1"
    answer = call(f"{partner.base_url}/429/x", params={"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert (answer.status, answer.headers["retry-after"]) == (429, "Wed, 21 Oct 2026 07:28:00 GMT")


def test_hanging_ends_when_the_partner_stops():
    with MisbehavingSandbox() as running:
        connection = open_get(running, "/hang", 0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    connection.settimeout(5)
    assert connection.recv(1) == b""
    connection.close()


@pytest.mark.parametrize("path", ["/slow-drip", "/slow-headers"])
def test_a_drip_never_lets_a_single_read_time_out_and_never_ends(partner, path):
    connection = open_get(partner, path, 1.0)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert connection.recv(100)
    connection.close()


@pytest.mark.parametrize("path", ["/gigabyte", "/gigabyte-chunked"])
def test_a_gigabyte_comes_in_zeros_and_stops_when_the_client_goes(partner, path):
    connection = open_get(partner, path)
    found = read_at_least(connection, 3 * 1024 * 1024)
    assert found.startswith(b"HTTP/1.1 200")
    assert bytes(100_000) in found
    announced = f"Content-Length: {GIGABYTE}".encode() in found
    assert announced is (path == "/gigabyte")
    connection.close()


def test_a_gzip_bomb_is_small_on_the_wire(partner):
    answer = call(f"{partner.base_url}/gzip-bomb")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < 2 * 1024 * 1024
    with gzip.GzipFile(fileobj=io.BytesIO(answer.body)) as unpacked:
        assert len(unpacked.read(20 * 1024 * 1024)) == 20 * 1024 * 1024


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/redirect-self/x", "/redirect-self/x"),
        ("/redirect-elsewhere", "http://elsewhere.example/"),
        ("/redirect-private", PRIVATE_ADDRESS),
        ("/redirect-file", "file:///etc/hostname"),
    ],
)
def test_redirects_lead_where_no_client_should_follow(partner, path, target):
    answer = call(partner.base_url + path, "POST", {})
    assert (answer.status, answer.headers["location"]) == (307, target)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/malformed", http.client.BadStatusLine),
        ("/short", http.client.IncompleteRead),
        ("/huge-header", http.client.LineTooLong),
        ("/reset", ConnectionResetError),
        ("/closed", http.client.RemoteDisconnected),
    ],
)
def test_an_answer_that_is_not_http_is_what_it_says(partner, path, fault):
    with pytest.raises(fault):
        call(partner.base_url + path)


def test_bodies_that_are_not_the_json_they_claim_to_be(partner):
    with pytest.raises(json.JSONDecodeError):
        _ = call(f"{partner.base_url}/invalid-json").json
    with pytest.raises(RecursionError):
        _ = call(f"{partner.base_url}/deep-json").json
    with pytest.raises(UnicodeDecodeError):
        _ = call(f"{partner.base_url}/wrong-charset").json
    assert call(f"{partner.base_url}/html").headers["content-type"] == "text/html"


def test_there_is_a_good_path_and_an_unknown_one(partner):
    assert call(f"{partner.base_url}/ok").json == {"ok": True}
    assert call(f"{partner.base_url}/nothing").status == 404
    assert "hang" in partner.paths()


def secured(partner: MisbehavingSandbox) -> int:
    context = ssl.create_default_context(cadata=partner.authority)
    connection = http.client.HTTPSConnection("127.0.0.1", partner.port, context=context, timeout=5)
    try:
        connection.request("GET", "/ok")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_good_certificate_is_good():
    with MisbehavingSandbox("good") as partner:
        assert partner.base_url.startswith("https://127.0.0.1:")
        assert secured(partner) == 200


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("wrong-host", "IP address mismatch"),
    ],
)
def test_a_bad_certificate_is_refused_for_its_own_reason_and_the_partner_lives_on(certificate, reason):
    with MisbehavingSandbox(certificate) as partner:
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError, match=reason):
                secured(partner)
        assert partner.received == []


def test_plain_http_to_a_tls_port_gets_no_answer():
    with MisbehavingSandbox("good") as partner:
        with pytest.raises((ConnectionResetError, http.client.BadStatusLine)):
            call(f"http://127.0.0.1:{partner.port}/ok")
        assert secured(partner) == 200
