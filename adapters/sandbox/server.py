"""What every partner of the sandbox has: a server to start and stop, a memory of requests, and faults to order.

State lives in memory; nothing is logged.
"""

import socket
import ssl
import threading
from abc import ABC, abstractmethod
from http import HTTPStatus
from types import TracebackType
from typing import Self

from adapters.sandbox.wire import BACKLOG, JOIN_SECONDS, Request, Response, Server, Takeover, loopback


class Sandbox(ABC):
    """A partner with a server: `start()`, `base_url`, `received`, `stop()`; also a context manager.

    `received` holds every request in order of arrival. An exception inside `answer` is a bug of the sandbox: the
    client gets a bare 500, and the exception is raised again on leaving the `with` block.
    """

    prefix = ""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Request] = []
        self.bugs: list[Exception] = []
        self.accept_delay = self.read_delay = self.answer_delay = 0.0
        self._failures: list[Response] = []
        self._drops = 0
        self._tls = tls
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._fillers: list[socket.socket] = []
        self._lock = threading.Lock()

    @abstractmethod
    def answer(self, request: Request) -> Response | Takeover:
        """The answer to one request; called from many threads at once."""

    def start(self, host: str = "127.0.0.1", port: int = 0) -> Self:
        """Serve on a loopback address; port 0 takes a free one. ValueError for any other address."""
        if self._server is not None:
            raise RuntimeError("This sandbox is already serving. Stop it first.")
        self._server = Server(loopback(host), port, self, self._tls)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving, close every connection and wait for their threads; does nothing when not serving."""
        server, thread = self._server, self._thread
        if server is None or thread is None:
            return
        server.stopping.set()
        self.release()
        server.shutdown()
        thread.join(JOIN_SECONDS)
        server.server_close()
        server.hang_up()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        return self if self._server is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if fault is None and self.bugs:
            raise self.bugs[0]

    @property
    def port(self) -> int:
        """The port served on; RuntimeError when not serving."""
        if self._server is None:
            raise RuntimeError("This sandbox is not serving. Start it first.")
        return int(self._server.server_address[1])

    @property
    def origin(self) -> str:
        """Scheme, address and port, without a slash at the end."""
        port = self.port
        assert self._server is not None
        host = str(self._server.server_address[0])
        return f"{'https' if self._tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def base_url(self) -> str:
        """Where a client begins, without a slash at the end."""
        return self.origin + self.prefix

    # What tests switch on while it runs.

    def fail_next(self, count: int = 1, status: int = 503, *headers: tuple[str, str]) -> None:
        """Answer the next `count` requests with a status instead of serving them."""
        with self._lock:
            self._failures.extend([Response(status, b"", headers)] * count)

    def drop_answers(self, count: int = 1) -> None:
        """Carry out the next `count` requests, then close the connection without a word: was it done or not?"""
        with self._lock:
            self._drops += count

    def delay(self, *, accept: float = 0.0, read: float = 0.0, answer: float = 0.0) -> None:
        """Seconds to wait before accepting a connection, before reading a request, and before answering it."""
        self.accept_delay, self.read_delay, self.answer_delay = accept, read, answer

    def hold(self) -> None:
        """Accept nothing until `release()`: the queue of the listening socket is filled, so that connecting waits."""
        if self._server is None:
            raise RuntimeError("This sandbox is not serving. Start it first.")
        self._server.gate.clear()
        self._server.socket.listen(0)
        for _ in range(8):
            filler = socket.socket(self._server.address_family)
            self._fillers.append(filler)
            filler.settimeout(0.2)
            try:
                filler.connect(self._server.server_address)
            except TimeoutError:
                return  # the queue is full: this is what a client meets now

    def release(self) -> None:
        """Accept connections again."""
        while self._fillers:
            self._fillers.pop().close()
        if self._server is not None and not self._server.gate.is_set():
            self._server.socket.listen(BACKLOG)
            self._server.gate.set()

    def serve(self, request: Request) -> Response | Takeover:
        """Note a request and answer it, faults included."""
        with self._lock:
            self.received.append(request)
            failure = self._failures.pop(0) if self._failures else None
        if failure is not None:
            return failure
        try:
            answer = self.answer(request)
        except Exception as bug:  # noqa: BLE001 - kept, and raised again where the test leaves the sandbox
            self.bugs.append(bug)
            return Response(HTTPStatus.INTERNAL_SERVER_ERROR)
        if self.answer_delay and self._server is not None:
            self._server.stopping.wait(self.answer_delay)
        with self._lock:
            if self._drops:
                self._drops -= 1
                return _say_nothing
        return answer


def _say_nothing(_connection: socket.socket, _stopping: threading.Event) -> None:
    """Leave the client without an answer."""
