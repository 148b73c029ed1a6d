"""Which addresses this hub may call, and a connection that goes to exactly the address that was checked.

A partner's base URL, a `next` link and a webhook address are all somebody's text. The name is resolved once, every
answer is checked, and the socket is opened to a checked address: a second, different answer of the name server (DNS
rebinding) is never asked for (Standard Webhooks specification, "Server side request forgery").
"""

import errno
import ipaddress
import queue
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpcore2

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int, float], list[str]]
"""(host, port, seconds allowed) to addresses as text; raises OSError."""

LOOPBACK: tuple[IPNetwork, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
"""The list for demo and tests, whose partners live on this machine."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_MAX_ADDRESSES = 4


class EgressRefused(httpcore2.ConnectError):
    """The name leads to an address that is not allowed."""


class NameNotFound(httpcore2.ConnectError):
    """The name could not be resolved."""


def _embedded(address: IPAddress) -> IPAddress:
    """The IPv4 address inside an IPv6 one that only wraps it, so that wrapping hides nothing."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@dataclass(frozen=True, slots=True)
class Egress:
    """Public addresses, plus the networks an operator has listed (`allowed`, CIDR).

    Plain HTTP goes only to listed networks: a public address is called over TLS or not at all.
    """

    allowed: tuple[IPNetwork, ...] = ()

    def permits(self, address: str, *, plain: bool) -> bool:
        """Whether a connection to this address may be opened; `plain` is HTTP without TLS."""
        try:
            ip = _embedded(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if any(ip in network for network in self.allowed):
            return True
        return ip.is_global and not ip.is_multicast and not ip.is_reserved and not plain


def lookup(host: str, port: int, seconds: float) -> list[str]:
    """Addresses of a name. The system's resolver has no time limit of its own, so it is asked in a thread of its own."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(info[4][0]) for info in found)))
        except (OSError, UnicodeError) as fault:
            answers.put(
                fault if isinstance(fault, OSError) else socket.gaierror(errno.EINVAL, "not a host name")
            )

    threading.Thread(target=ask, daemon=True, name="name-lookup").start()
    try:
        answer = answers.get(timeout=max(seconds, 0.001))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, OSError):
        raise answer
    return answer


class Deadline(threading.local):
    """When the request of the calling thread must be over, by the monotonic clock; None outside a request."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self.at: float | None = None
        self.plain = False

    def cap(self, timeout: float | None) -> float | None:
        """The smaller of a timeout and what is left; TimeoutError when nothing is left."""
        if self.at is None:
            return timeout
        left = self.at - self.monotonic()
        if left <= 0:
            raise TimeoutError
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore2.NetworkStream):
    """A socket whose every wait is also bounded by the request's deadline, so that dripping bytes win no time."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._sock.settimeout(self._deadline.cap(timeout))
            return self._sock.recv(max_bytes)
        except TimeoutError as fault:
            raise httpcore2.ReadTimeout from fault
        except OSError as fault:
            raise httpcore2.ReadError from fault

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        try:
            while view:
                self._sock.settimeout(self._deadline.cap(timeout))
                view = view[self._sock.send(view) :]
        except TimeoutError as fault:
            raise httpcore2.WriteTimeout from fault
        except OSError as fault:
            raise httpcore2.WriteError from fault

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        try:
            self._sock.settimeout(self._deadline.cap(timeout))
            return _Stream(
                ssl_context.wrap_socket(self._sock, server_hostname=server_hostname), self._deadline
            )
        except TimeoutError as fault:
            self.close()
            raise httpcore2.ConnectTimeout from fault
        except (
            OSError
        ) as fault:  # ssl.SSLError is one; it stays as the cause, to tell a bad certificate apart
            self.close()
            raise httpcore2.ConnectError from fault

    def get_extra_info(self, info: str) -> Any:
        if (
            info == "is_readable"
        ):  # the pool asks before reuse: an idle socket that can be read has been closed
            return _readable(self._sock)
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        return None


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Pinned(httpcore2.NetworkBackend):
    """Opens connections only to addresses that were resolved and checked here."""

    def __init__(self, egress: Egress, deadline: Deadline, resolve: Resolve = lookup) -> None:
        self._egress = egress
        self._deadline = deadline
        self._resolve = resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """A stream to the first permitted address that accepts. `local_address` and options are not offered."""
        assert local_address is None
        assert not socket_options
        fault: OSError | None = None
        for address in self._permitted(host, port, timeout)[:_MAX_ADDRESSES]:
            try:
                sock = socket.create_connection((address, port), self._deadline.cap(timeout))
            except OSError as refusal:
                fault = refusal
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _Stream(sock, self._deadline)
        if isinstance(fault, TimeoutError):
            raise httpcore2.ConnectTimeout from fault
        raise httpcore2.ConnectError from fault

    def _permitted(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Every address of the name, in the name server's order; refused whole where one of them is not allowed."""
        try:
            addresses = [str(ipaddress.ip_address(host))]
        except ValueError:
            addresses = self._asked(host, port, timeout)
        if not all(self._egress.permits(address, plain=self._deadline.plain) for address in addresses):
            raise EgressRefused
        return addresses

    def _asked(self, host: str, port: int, timeout: float | None) -> list[str]:
        try:
            addresses = self._resolve(host, port, self._deadline.cap(timeout) or 0.0)
        except TimeoutError as late:
            raise httpcore2.ConnectTimeout from late
        except OSError as fault:
            raise NameNotFound from fault
        if not addresses:
            raise NameNotFound
        return addresses
