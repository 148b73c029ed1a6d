"""The witness's address: `POST /add-checkpoint`, and `GET /<origin hash>/checkpoint` for monitors (C2SP tlog-witness)."""

import re
import ssl
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from consent.witness import MAX_REQUEST_BYTES, SIZE_TYPE, Answer, Rejected
from gateway.witness.home import ClockBehindError, Cosigned, WitnessHome, WitnessHomeError

PATIENCE_S = 10
_TEXT = "text/plain; charset=utf-8"
_CHECKPOINT = re.compile(r"/([0-9a-f]{64})/checkpoint")

Tell = Callable[[str], None]


class Witnessing(ThreadingHTTPServer):
    """A witness listening. `tell` is told one line for each answer worth a person's eye."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        home: WitnessHome,
        clock: Callable[[], datetime],
        tell: Tell,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(address, _Handler)
        self.home = home
        self.clock = clock
        self.tell = tell
        if tls is not None:  # the handshake is made by the thread that serves the connection
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


class _Handler(BaseHTTPRequestHandler):
    """One connection; kept open between requests, closed when it is silent for ten seconds."""

    server: Witnessing
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S
    server_version = "planhub-witness"
    sys_version = ""

    def do_POST(self) -> None:
        if self.path != "/add-checkpoint":
            self._answer(HTTPStatus.NOT_FOUND, b"not found\n")
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()) or int(length[:10]) > MAX_REQUEST_BYTES:
            self.close_connection = True  # the body is not read
            self._answer(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"a request is at most 64 KiB and says its length\n"
            )
            return
        raw = self.rfile.read(int(length))
        try:
            found = self.server.home.cosign(raw, self.server.clock)
        except ClockBehindError:
            self.server.tell(
                "the clock is behind the last cosignature; nothing is cosigned until it is set right"
            )
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"the witness's clock is wrong\n")
        except WitnessHomeError as error:
            self.server.tell(str(error))
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"the witness's state cannot be read\n")
        else:
            self._tell(found)

    def do_GET(self) -> None:
        named = _CHECKPOINT.fullmatch(self.path)
        try:
            note = None if named is None else self.server.home.last_by_hash(named[1])
        except WitnessHomeError as error:
            self.server.tell(str(error))
            note = None
        if note is None:
            self._answer(HTTPStatus.NOT_FOUND, b"not found\n")
        else:
            self._answer(HTTPStatus.OK, str(note).encode())

    def _tell(self, found: Cosigned | Rejected) -> None:
        if isinstance(found, Cosigned):
            self.server.tell(f"cosigned {found.origin} at {found.size}")
            self._answer(HTTPStatus.OK, found.line.line.encode())
        elif found.size is not None:
            self._answer(HTTPStatus.CONFLICT, f"{found.size}\n".encode(), SIZE_TYPE)
        else:
            if found.answer is Answer.INCONSISTENT:
                self.server.tell(
                    "a log submitted another history than the one cosigned before; ask its operator"
                )
            self._answer(HTTPStatus(found.answer), f"{found.why}\n".encode())

    def _answer(self, status: HTTPStatus, body: bytes, media_type: str = _TEXT) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: what matters is told by `tell`."""
