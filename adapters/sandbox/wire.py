"""HTTP/1.1 on loopback: connections kept alive (RFC 9112 §9.3), requests with the time their first byte arrived.

Standard library only. What a request means is for its owner (`server.Sandbox`) to say.
"""

import contextlib
import http.server
import ipaddress
import json
import socket
import socketserver
import ssl
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

MAX_BODY = 64 * 1024 * 1024
BACKLOG = 128
IDLE_SECONDS = 60.0
JOIN_SECONDS = 2.0
BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
# Offset of tcpi_last_data_recv (milliseconds) in Linux's struct tcp_info: eight bytes, then eleven 32-bit fields.
TCP_INFO_LAST_DATA = 52
DAY_MS = 86_400_000


def loopback(host: str) -> str:
    """The loopback address meant by `host`; ValueError for any other, so that a sandbox never leaves the machine."""
    address = "127.0.0.1" if host == "localhost" else host
    try:
        inside = ipaddress.ip_address(address).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise ValueError(f"A sandbox binds loopback only, not {host!r}. Use 127.0.0.1 or ::1.")
    return address


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. Header names are lower case; `first_byte_at` is in seconds since the epoch."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    body: bytes
    first_byte_at: float

    def header(self, name: str) -> str | None:
        """The value of a header, or None."""
        return self.headers.get(name.lower())

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, or None."""
        return next((value for key, value in self.query if key == name), None)

    def json(self) -> Any:
        """The body as JSON; ValueError where it is not, or is nested beyond reason."""
        try:
            return json.loads(self.body)
        except RecursionError as fault:
            raise ValueError("nested too deeply") from fault

    def form(self) -> dict[str, str]:
        """The body as application/x-www-form-urlencoded."""
        return dict(urllib.parse.parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer; Content-Length is added."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def as_json(
    status: int,
    document: Any,
    *headers: tuple[str, str],
    media_type: str = "application/json; charset=utf-8",
) -> Response:
    """A JSON answer."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, body, (("Content-Type", media_type), *headers))


Takeover = Callable[[socket.socket, threading.Event], None]
"""Writes to the connection itself until done or until the event (the server is stopping); then it is closed."""


class Owner(Protocol):
    """Who answers what arrives."""

    accept_delay: float
    read_delay: float

    def serve(self, request: Request) -> Response | Takeover:
        """The answer to one request; called from many threads at once."""


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One thread per connection; knows its open connections so that stopping leaves none behind."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = BACKLOG

    def __init__(self, host: str, port: int, owner: Owner, tls: ssl.SSLContext | None) -> None:
        self.owner = owner
        self.tls = tls
        self.stopping = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.open: dict[threading.Thread, socket.socket] = {}
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection, late if told so."""
        self.gate.wait()
        if self.owner.accept_delay:
            self.stopping.wait(self.owner.accept_delay)
        return super().get_request()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, inside TLS where there is a certificate; runs in the connection's own thread."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(IDLE_SECONDS)
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up, or refuses a certificate, is what a sandbox is for."""

    def hang_up(self) -> None:
        """Close what is still open and wait for its threads."""
        for thread, connection in list(self.open.items()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(JOIN_SECONDS)


class _Connection(http.server.BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server
    first_byte_at = 0.0

    def setup(self) -> None:
        super().setup()
        self.server.open[threading.current_thread()] = self.connection

    def finish(self) -> None:
        self.server.open.pop(threading.current_thread(), None)
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Nothing is logged: requests may carry a child's data."""

    def handle_one_request(self) -> None:
        """Wait for a first byte, note when it came, and let the base class parse the rest."""
        try:
            if self.server.owner.read_delay:
                self.server.stopping.wait(self.server.owner.read_delay)
            waiting = self.rfile.peek(1)  # type: ignore[attr-defined] # makefile("rb") is a BufferedReader
            if not waiting:
                self.close_connection = True
                return
            self.first_byte_at = time.time() - _age_of_data(self.connection)
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            self._send(Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            self.close_connection = True
            return
        path, _, query = self.path.partition("?")
        request = Request(
            method=self.command,
            path=urllib.parse.unquote(path),
            query=tuple(urllib.parse.parse_qsl(query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            first_byte_at=self.first_byte_at,
        )
        answer = self.server.owner.serve(request)
        if isinstance(answer, Response):
            self._send(answer)
        else:
            self.close_connection = True
            with contextlib.suppress(OSError):
                answer(self.connection, self.server.stopping)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the base class asks by these names

    def _body(self) -> bytes | None:
        """The whole body, or None where it is larger than any partner would take."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            collected = bytearray()
            for chunk in self._chunks():
                collected += chunk
                if len(collected) > MAX_BODY:
                    return None
            return bytes(collected)
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(length) if length <= MAX_BODY else None

    def _chunks(self) -> Iterator[bytes]:
        """RFC 9112 §7.1, without trailers."""
        while (size := int(self.rfile.readline(32).split(b";")[0], 16)) > 0:
            yield self.rfile.read(min(size, MAX_BODY + 1))
            self.rfile.readline(8)
        self.rfile.readline(8)

    def _send(self, answer: Response) -> None:
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status not in BODILESS:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in BODILESS:
            self.wfile.write(answer.body)
        self.wfile.flush()


def _age_of_data(connection: socket.socket) -> float:
    """Seconds that received bytes have waited in the kernel; 0 where the system does not tell.

    Without it, a partner that is slow to accept would believe that bytes arrived when it got round to reading them.
    """
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_LAST_DATA + 4)
        (milliseconds,) = struct.unpack_from("=I", info, TCP_INFO_LAST_DATA)
    except (AttributeError, OSError, struct.error):
        return 0.0
    return float(milliseconds) / 1000 if milliseconds < DAY_MS else 0.0
