"""Who wraps the shard keys: the narrow contract, and the provider that keeps its key in a file.

A provider sees 256 shard keys and one deployment secret, never a child's key, so there is never a call per child
(ARCHITECTURE §8).
"""

import base64
import binascii
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.store.secretfile import create_once, read_private

KEY_BYTES = 32
NONCE_BYTES = 12  # NIST SP 800-38D §8.2.2: 96 bits from a random generator
_PREFIX = b"planhub-key-1:"


class KeyProviderError(Exception):
    """Keys cannot be unwrapped. The text says which key is at fault and what to restore; it never holds a key."""


class KeyProvider(Protocol):
    """Wraps and unwraps short keys under one that never enters the database."""

    def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """The wrapped key. `context` is authenticated with it, so a wrapped key cannot stand in for another."""

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """The key again; raises `KeyProviderError` where key or context is not the one it was wrapped with."""


class FileKeyProvider:
    """AES-256-GCM under a key in a file of mode 0600, created with a fresh key where it is absent.

    Losing the file makes every child's record unreadable for good. It does not protect against someone who can read the
    hub's own files; for that the key belongs in a key service.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cipher = AESGCM(_master_key(path))

    def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """Nonce, ciphertext and tag in one string."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """The key again; raises `KeyProviderError` where this file is not the one that wrapped it."""
        with suppress(InvalidTag, ValueError):
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        raise KeyProviderError(
            f"{self._path} does not open this key store: it is another deployment's file or a new one. Restore the key "
            "file that belongs to the key store from its own backup, then start again."
        )


def _master_key(path: Path) -> bytes:
    create_once(path, lambda: _PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
    content = read_private(path).strip()
    with suppress(binascii.Error):
        key = base64.b64decode(content.removeprefix(_PREFIX), validate=True)
        if content.startswith(_PREFIX) and len(key) == KEY_BYTES:
            return key
    raise KeyProviderError(
        f"{path} is not a Planhub key file. Restore it from its backup; do not create a new one."
    )
