"""A partner that does everything wrong, one fault per path; every fault ends when the sandbox stops.

The first segment of the path chooses the fault, and what follows is ignored, so that `…/hang` can serve as the base
address of any client: `base_url + "/hang"` hangs for `/hang/Patient/1` too.
"""

import gzip
import socket
import struct
import threading
from collections.abc import Callable
from http import HTTPStatus

from adapters.sandbox.certificate import Certificate, identity
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Request, Response, Takeover, as_json

MEGABYTE = 1024 * 1024
GIGABYTE = 1024 * MEGABYTE
DEEP = 100_000
PRIVATE_ADDRESS = "http://10.0.0.1/latest/meta-data/"
ELSEWHERE = "http://elsewhere.example/"
DRIP_SECONDS = 0.2


class MisbehavingSandbox(Sandbox):
    """Paths: see `paths()`. `certificate` makes it serve TLS; `authority` is then the CA (PEM) a client may trust."""

    def __init__(self, certificate: str | None = None, *, elsewhere: str = ELSEWHERE) -> None:
        found = identity(Certificate(certificate)) if certificate else None
        super().__init__(tls=found.context if found else None)
        self.authority = found.authority if found else None
        self._elsewhere = elsewhere
        self._faults: dict[str, Callable[[Request], Response | Takeover]] = {
            "ok": lambda _: as_json(HTTPStatus.OK, {"ok": True}),
            "500": lambda _: Response(
                HTTPStatus.INTERNAL_SERVER_ERROR, b"stack trace of somebody else's server"
            ),
            "503": lambda _: Response(HTTPStatus.SERVICE_UNAVAILABLE),
            "429": _limited,
            "hang": lambda _: _hang,
            "slow-drip": lambda _: _drip,
            "slow-headers": lambda _: _drip_headers,
            "gigabyte": lambda _: _gigabyte,
            "gigabyte-chunked": lambda _: _gigabyte_chunked,
            "gzip-bomb": lambda _: _gzip_bomb,
            "redirect-self": lambda request: _redirect(request.path),
            "redirect-elsewhere": lambda _: _redirect(self._elsewhere),
            "redirect-private": lambda _: _redirect(PRIVATE_ADDRESS),
            "redirect-file": lambda _: _redirect("file:///etc/hostname"),
            "malformed": lambda _: _malformed,
            "short": lambda _: _short,
            "huge-header": lambda _: _huge_header,
            "reset": lambda _: _reset,
            "closed": lambda _: _closed,
            "invalid-json": lambda _: Response(HTTPStatus.OK, b'{"ok": tru', _JSON),
            "deep-json": lambda _: Response(HTTPStatus.OK, b"[" * DEEP + b"]" * DEEP, _JSON),
            "html": lambda _: Response(
                HTTPStatus.OK, b"<h1>Log in first</h1>", (("Content-Type", "text/html"),)
            ),
            "wrong-charset": lambda _: Response(HTTPStatus.OK, b'{"name": "\xff\xfe"}', _JSON),
        }

    def paths(self) -> tuple[str, ...]:
        """Every fault there is."""
        return tuple(self._faults)

    def answer(self, request: Request) -> Response | Takeover:
        """Do what the first segment of the path says."""
        fault = self._faults.get(request.path.strip("/").partition("/")[0])
        return fault(request) if fault else Response(HTTPStatus.NOT_FOUND)


_JSON = (("Content-Type", "application/json"),)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def _limited(request: Request) -> Response:
    """429 with the Retry-After that `?retry_after=` asks for: seconds, or any text."""
    wait = request.parameter("retry_after") or "1"
    return Response(HTTPStatus.TOO_MANY_REQUESTS, b"", (("Retry-After", wait),))


def _redirect(target: str) -> Response:
    return Response(HTTPStatus.TEMPORARY_REDIRECT, b"", (("Location", target),))


def _hang(_connection: socket.socket, stopping: threading.Event) -> None:
    """Never answer."""
    stopping.wait()


def _drip(connection: socket.socket, stopping: threading.Event) -> None:
    """Promise a body and send one byte of it now and then: no single read ever times out."""
    connection.sendall(_HEAD + f"Content-Length: {GIGABYTE}\r\n\r\n".encode())
    while not stopping.wait(DRIP_SECONDS):
        connection.sendall(b" ")


def _drip_headers(connection: socket.socket, stopping: threading.Event) -> None:
    """Begin an answer and never come to the end of its headers."""
    connection.sendall(_HEAD)
    while not stopping.wait(DRIP_SECONDS):
        connection.sendall(b"X: x\r\n")


def _gigabyte(connection: socket.socket, stopping: threading.Event) -> None:
    """One gigabyte of zeros, announced."""
    connection.sendall(_HEAD + f"Content-Length: {GIGABYTE}\r\n\r\n".encode())
    _zeros(connection, stopping, b"", b"")


def _gigabyte_chunked(connection: socket.socket, stopping: threading.Event) -> None:
    """One gigabyte of zeros, unannounced."""
    connection.sendall(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    _zeros(connection, stopping, f"{MEGABYTE:x}\r\n".encode(), b"\r\n")
    connection.sendall(b"0\r\n\r\n")


def _zeros(connection: socket.socket, stopping: threading.Event, before: bytes, after: bytes) -> None:
    piece = before + bytes(MEGABYTE) + after
    for _ in range(GIGABYTE // MEGABYTE):
        if stopping.is_set():
            return
        connection.sendall(piece)


def _gzip_bomb(connection: socket.socket, stopping: threading.Event) -> None:
    """One megabyte that unpacks to a gigabyte."""
    member = gzip.compress(bytes(16 * MEGABYTE), mtime=0)
    count = GIGABYTE // (16 * MEGABYTE)
    head = f"Content-Encoding: gzip\r\nContent-Length: {len(member) * count}\r\n\r\n".encode()
    connection.sendall(_HEAD + head)
    for _ in range(count):
        if stopping.is_set():
            return
        connection.sendall(member)


def _malformed(connection: socket.socket, _stopping: threading.Event) -> None:
    """Something that is not HTTP."""
    connection.sendall(b"220 mail.elsewhere.example ESMTP\r\n\x00\xff\xfe not a header\r\n\r\n")


def _short(connection: socket.socket, _stopping: threading.Event) -> None:
    """Less of a body than was announced, then the end."""
    connection.sendall(_HEAD + b'Content-Length: 1000\r\n\r\n{"ok":')


def _huge_header(connection: socket.socket, _stopping: threading.Event) -> None:
    """A header of ten megabytes."""
    connection.sendall(_HEAD + b"X-Padding: " + b"x" * 10 * MEGABYTE + b"\r\n\r\n")


def _reset(connection: socket.socket, _stopping: threading.Event) -> None:
    """RST instead of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _closed(_connection: socket.socket, _stopping: threading.Event) -> None:
    """Hang up without an answer."""
