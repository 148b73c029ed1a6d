"""The one way out over HTTP: bounded in time and size, no redirects, checked addresses, answers as values.

Nothing that fails here carries a URL, a query, a header or a body: partners put children's identifiers in all of them.
httpx2's transport is driven directly, without its client: no cookie jar, no environment proxies, no request log.
"""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self

import httpcore2
import httpx2

from adapters.egress import Deadline, Egress, EgressRefused, NameNotFound, Pinned, Resolve, lookup
from adapters.port import Cause, Failure, Malformed, Refused, Transient, Unauthorized

USER_AGENT = "planhub"
MAX_RETRY_AFTER_S = 86_400.0

_BEFORE_FIRST_BYTE = "http11.send_request_headers.started"
_PERMANENT: dict[int, Cause] = {
    HTTPStatus.FORBIDDEN: Cause.FORBIDDEN,
    HTTPStatus.NOT_FOUND: Cause.NOT_FOUND,
    HTTPStatus.GONE: Cause.GONE,
    HTTPStatus.CONFLICT: Cause.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED: Cause.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Cause.TOO_LARGE,
    HTTPStatus.NOT_IMPLEMENTED: Cause.UNSUPPORTED,
}


_block = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Everything this thread asks of partners in the block is over in that time, however many requests it takes."""
    before = getattr(_block, "end", None)
    end = time.monotonic() + seconds
    _block.end = end if before is None else min(before, end)
    try:
        yield
    finally:
        _block.end = before


def time_left() -> float | None:
    """Seconds that `within` still leaves this thread, 0 when they are over; None outside of it."""
    end = getattr(_block, "end", None)
    return None if end is None else max(0.0, end - time.monotonic())


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request, in seconds and bytes. `total_s` covers it from the name lookup to the last byte."""

    connect_s: float = 5.0
    read_s: float = 20.0
    write_s: float = 20.0
    pool_s: float = 5.0
    total_s: float = 60.0
    max_bytes: int = 5_000_000
    max_connections: int = 8


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust besides the system's store, and who we are to partners that ask for a client certificate.

    `ca_pem` holds certificates as text; `certificate` and `key` are file paths, as OpenSSL can only read those.
    """

    ca_pem: str | None = None
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """A verifying context. There is no switch to turn verification off."""
        context = ssl.create_default_context()
        if self.ca_pem is not None:
            context.load_verify_locations(cadata=self.ca_pem)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that arrived whole and within bounds. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class PinnedTransport(httpx2.BaseTransport):
    """httpx2's transport over our own network backend."""

    def __init__(self, tls: Tls, limits: Limits, backend: Pinned) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls.context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_connections,
            keepalive_expiry=5.0,
            network_backend=backend,
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request. Raises httpcore2's exceptions, which `HttpClient.send` turns into values."""
        assert isinstance(request.stream, httpx2.SyncByteStream)
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = self._pool.handle_request(
            httpcore2.Request(
                request.method,
                url,
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Any:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class HttpClient:
    """Sends requests to one partner; share it between threads, close it when the connection's settings change."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        egress: Egress | None = None,
        tls: Tls | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        resolve: Resolve = lookup,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._deadline = Deadline(monotonic)
        backend = Pinned(egress or Egress(), self._deadline, resolve)
        self._transport = transport or PinnedTransport(tls or Tls(), self.limits, backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        opened: Callable[[], None] | None = None,
        max_bytes: int | None = None,
    ) -> Reply | Failure:
        """One request, one answer: a Reply of any status but a redirect, or why there is none.

        `opened` is called on an open connection before the first byte of the request goes out (with TLS: after the
        handshake). What it raises comes through, and then nothing has left.
        """
        request = self._request(method, url, params, headers, content, opened)
        if isinstance(request, Refused):
            return request
        left = time_left()
        if left == 0:
            return Transient(Cause.TIMEOUT)
        allowed = self.limits.total_s if left is None else min(left, self.limits.total_s)
        self._deadline.at = self._deadline.monotonic() + allowed
        self._deadline.plain = request.url.scheme == "http"
        try:
            response = self._transport.handle_request(request)
            try:
                return self._read(response, max_bytes or self.limits.max_bytes)
            finally:
                response.close()
        except httpx2.DecodingError:
            return Malformed(Cause.BAD_ENCODING)
        except (httpcore2.TimeoutException, httpx2.TimeoutException, TimeoutError):
            return Transient(Cause.TIMEOUT)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.TransportError) as fault:
            return _unreached(fault)
        finally:
            self._deadline.at = None

    def _request(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        opened: Callable[[], None] | None,
    ) -> httpx2.Request | Refused:
        limits = self.limits
        extensions: dict[str, Any] = {
            "timeout": {
                "connect": limits.connect_s,
                "read": limits.read_s,
                "write": limits.write_s,
                "pool": limits.pool_s,
            }
        }
        if opened is not None:
            call = opened

            def trace(event: str, _: Mapping[str, Any]) -> None:
                if event == _BEFORE_FIRST_BYTE:
                    call()

            extensions["trace"] = trace
        try:
            target = httpx2.URL(url)
            if params:
                target = target.copy_merge_params(dict(params))
            ours = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **(headers or {})}
            request = httpx2.Request(method, target, headers=ours, content=content, extensions=extensions)
        except httpx2.InvalidURL:
            return Refused(Cause.BAD_ADDRESS)
        if target.scheme not in {"http", "https"} or not target.host or target.userinfo:
            return Refused(Cause.BAD_ADDRESS)
        return request

    def _read(self, response: httpx2.Response, cap: int) -> Reply | Failure:
        """The body, up to `cap` bytes after decompression; more ends the connection, not the memory."""
        moved = HTTPStatus.MULTIPLE_CHOICES <= response.status_code < HTTPStatus.BAD_REQUEST
        if moved and response.status_code != HTTPStatus.NOT_MODIFIED:
            return Refused(Cause.REDIRECT, response.status_code)
        if response.headers.get("content-encoding", "identity").lower() not in {"identity", "gzip", ""}:
            return Malformed(
                Cause.BAD_ENCODING, response.status_code
            )  # nested codings are a bomb, not a service
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > cap:
            return Malformed(Cause.TOO_LARGE, response.status_code)
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > cap:
                return Malformed(Cause.TOO_LARGE, response.status_code)
        return Reply(response.status_code, dict(response.headers.items()), bytes(body))


def _unreached(fault: BaseException) -> Failure:
    """Why no answer came, told by type alone: the text of an exception may quote what was sent."""
    seen: BaseException | None = fault
    for _ in range(8):
        match seen:
            case None:
                break
            case EgressRefused():
                return Refused(Cause.EGRESS)
            case NameNotFound():
                return Transient(Cause.DNS)
            case ssl.SSLError():  # a certificate can be renewed, so the lane waits instead of dying
                return Transient(Cause.TLS)
        seen = seen.__cause__ or seen.__context__
    if isinstance(fault, (httpcore2.ConnectError, httpx2.ConnectError)):
        return Transient(Cause.CONNECT)
    return Transient(Cause.DISCONNECTED)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the partner asks us to wait (RFC 9110 §10.2.3), at most a day; None where it says nothing readable.

    A date is measured against the answer's own Date header, so that the partner's clock need not agree with ours.
    """
    word = headers.get("retry-after", "").strip()
    if word.isascii() and word.isdecimal():
        return min(float(word[:12]), MAX_RETRY_AFTER_S)
    try:
        then, now = parsedate_to_datetime(word), parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    then, now = (each if each.tzinfo else each.replace(tzinfo=UTC) for each in (then, now))
    return min(max((then - now).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def failure_of(reply: Reply, codes: tuple[str, ...] = ()) -> Failure | None:
    """What an HTTP status means for a delivery or a read; None for success (2xx and 304).

    500 counts as transient: school and clinic systems answer it while they restart.
    """
    status = reply.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or status == HTTPStatus.NOT_MODIFIED:
        return None
    if status == HTTPStatus.UNAUTHORIZED:
        return Unauthorized(Cause.BAD_TOKEN, status, codes)
    transient = _transient(status)
    if transient is not None:
        return Transient(transient, status, retry_after(reply.headers), codes)
    otherwise = Cause.HTTP_4XX if status >= HTTPStatus.BAD_REQUEST else Cause.HTTP_OTHER
    return Refused(_PERMANENT.get(status, otherwise), status, codes)


def _transient(status: int) -> Cause | None:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Cause.HTTP_429
    if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}:
        return Cause.HTTP_4XX
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.NOT_IMPLEMENTED:
        return Cause.HTTP_5XX
    return None
