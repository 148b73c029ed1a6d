"""No test reaches beyond this machine: a pytest plugin that refuses to connect anywhere but loopback or a unix socket."""

import socket
from ipaddress import ip_address

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


def _refuse_far(sock: socket.socket, address: object) -> None:
    if sock.family == getattr(socket, "AF_UNIX", None) or not isinstance(address, tuple):
        return
    host = str(address[0])
    try:
        near = ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        near = host == "localhost"
    if not near:
        msg = f"a test tried to reach {host}; only loopback is allowed"
        raise PermissionError(msg)


def connect(sock: socket.socket, address: object) -> None:
    """Connect, unless the address is off this machine."""
    _refuse_far(sock, address)
    _connect(sock, address)  # type: ignore[arg-type]  # passed through as given


def connect_ex(sock: socket.socket, address: object) -> int:
    """As `connect`, for callers that want an error number."""
    _refuse_far(sock, address)
    return _connect_ex(sock, address)  # type: ignore[arg-type]  # passed through as given


def pytest_configure() -> None:
    socket.socket.connect = connect  # type: ignore[method-assign,assignment]  # the point of this plugin
    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign,assignment]  # as above
