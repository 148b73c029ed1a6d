"""Keys that sign: the ledger's and the tokens', each in a file of its own outside both databases (ARCHITECTURE §8)."""

import re
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from gateway.store.secretfile import SecretFileError, create_once, read_private

SigningKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


def ed25519_key(folder: Path, name: str) -> ed25519.Ed25519PrivateKey:
    """The Ed25519 key of this name (RFC 8032), created where absent: signs ledger checkpoints."""
    key = _load(folder, name, ed25519.Ed25519PrivateKey.generate)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise SecretFileError(
            f"{_file(folder, name)} does not hold an Ed25519 key. Restore it from its backup."
        )
    return key


def p384_key(folder: Path, name: str) -> ec.EllipticCurvePrivateKey:
    """The P-384 key of this name, created where absent: signs tokens as ES384 (RFC 7518 §3.4)."""
    key = _load(folder, name, lambda: ec.generate_private_key(ec.SECP384R1()))
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP384R1):
        raise SecretFileError(f"{_file(folder, name)} does not hold a P-384 key. Restore it from its backup.")
    return key


def _file(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a key's name is lower-case letters, digits and hyphens, not {name!r}")
    return folder / f"{name}.pem"


def _load(folder: Path, name: str, generate: Callable[[], SigningKey]) -> object:
    path = _file(folder, name)
    create_once(path, lambda: _pem(generate()))
    try:
        return serialization.load_pem_private_key(read_private(path), password=None)
    except ValueError:
        raise SecretFileError(f"{path} does not hold a private key. Restore it from its backup.") from None


def _pem(key: SigningKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
