"""Partners that misbehave, and the certificates they show; all on loopback."""

import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.egress import LOOPBACK, Egress
from adapters.http import HttpClient, Limits, Tls
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Request, Response, Takeover

ON_LOOPBACK = Egress(LOOPBACK)
QUICK = Limits(connect_s=2.0, read_s=1.0, write_s=1.0, pool_s=1.0, total_s=3.0, max_bytes=100_000)


class Partner(Sandbox):
    """Answers every request with what a function says."""

    def __init__(
        self, answers: Callable[[Request], Response | Takeover], tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(tls=tls)
        self.answers = answers

    def answer(self, request: Request) -> Response | Takeover:
        return self.answers(request)


def always(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Partner:
    """A partner with one answer."""
    return Partner(lambda _: Response(status, body, headers))


def taking_over(act: Takeover) -> Partner:
    """A partner that writes to the connection itself."""
    return Partner(lambda _: act)


def endless(gigabytes: float = 1.0) -> Takeover:
    """Announces and sends a gigabyte, without a Content-Length to warn of it."""

    def act(connection: socket.socket, stopping: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        block = b" " * 65_536
        for _ in range(int(gigabytes * 2**30 / len(block))):
            if stopping.is_set():
                return
            connection.sendall(block)

    return act


def dripping(connection: socket.socket, stopping: threading.Event) -> None:
    """One byte of an answer at a time, each before any read timeout."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 10_000:
        if stopping.wait(0.1):
            return
        connection.sendall(bytes([byte]))


def silent(_: socket.socket, stopping: threading.Event) -> None:
    """Reads the request and says nothing."""
    stopping.wait(30)


class Identity(NamedTuple):
    """A certificate with its key, as files and as text."""

    certificate: Path
    key: Path
    pem: str

    def server(self, clients: str | None = None) -> ssl.SSLContext:
        """A context for a server; with `clients`, one that asks for a certificate signed by it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=clients)
        return context


def self_signed(folder: Path, name: str = "localhost", days: int = 1) -> Identity:
    """A certificate of its own authority for one DNS name; `days` below zero makes an expired one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    paths = folder / f"{name}{days}.pem", folder / f"{name}{days}.key"
    paths[0].write_text(pem)
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return Identity(paths[0], paths[1], pem)


def client(limits: Limits = QUICK, tls: Tls | None = None) -> HttpClient:
    """A client that may call loopback."""
    return HttpClient(limits=limits, egress=ON_LOOPBACK, tls=tls)
