"""Certificates for the sandbox's TLS: a good one and the three bad ones every client must refuse."""

import datetime as dt
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


class Certificate(StrEnum):
    """What is wrong with a server's certificate, if anything. All but self-signed are issued by the sandbox's own CA."""

    GOOD = "good"
    EXPIRED = "expired"
    WRONG_HOST = "wrong-host"
    SELF_SIGNED = "self-signed"


@dataclass(frozen=True, slots=True)
class Identity:
    """A server's TLS context, and the CA (PEM) a client has to trust for the good certificate to be good."""

    context: ssl.SSLContext
    authority: str


def identity(kind: Certificate) -> Identity:
    """A fresh key and certificate for 127.0.0.1, ::1 and localhost (or for another host)."""
    root_key = ec.generate_private_key(ec.SECP256R1())
    root_name = _name("Sandbox authority")
    root = _builder(root_name, root_name, root_key, expired=False)
    root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    authority = root.sign(root_key, hashes.SHA256())

    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name("Sandbox server")
    alone = kind is Certificate.SELF_SIGNED
    leaf = _builder(subject, subject if alone else root_name, key, expired=kind is Certificate.EXPIRED)
    leaf = leaf.add_extension(_hosts(wrong=kind is Certificate.WRONG_HOST), critical=False)
    certificate = leaf.sign(key if alone else root_key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:  # ssl reads keys from files only
        path = Path(folder) / "server.pem"
        path.touch(0o600)
        path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(path)
    return Identity(context, authority.public_bytes(serialization.Encoding.PEM).decode())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, expired: bool
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    begin, end = (now - 30 * DAY, now - DAY) if expired else (now - DAY, now + 30 * DAY)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _hosts(*, wrong: bool) -> x509.SubjectAlternativeName:
    if wrong:
        return x509.SubjectAlternativeName([x509.DNSName("elsewhere.example")])
    addresses = [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", "::1")]
    return x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses])
