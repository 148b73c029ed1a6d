"""One child's key: seals what is stored about the child, and digests values so that equality shows without opening."""

import hmac
import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from gateway.store.provider import KEY_BYTES, NONCE_BYTES

_VERSION: Final = b"\x01"
_SEAL: Final = b"planhub child seal 1"
_DIGEST: Final = b"planhub child digest 1"


class SealBroken(Exception):  # noqa: N818  # reads as what happened
    """Sealed bytes that this child, row and kind do not open: moved, altered, or of another child."""


class ChildKey:
    """The plain key of one child. Short-lived: ask the key store again rather than keep one (ARCHITECTURE §8).

    Sealing and digesting use two keys derived from it (RFC 5869 §2.3; the input is uniform, so extract is skipped).
    """

    __slots__ = ("_digest_key", "_seal_key", "child_id")

    def __init__(self, child_id: UUID, key: bytes) -> None:
        self.child_id = child_id
        self._seal_key = _derive(key, _SEAL)
        self._digest_key = _derive(key, _DIGEST)

    def __repr__(self) -> str:
        return f"ChildKey({self.child_id})"

    def seal(self, plaintext: bytes, *, row: UUID, kind: str) -> bytes:
        """Version byte, random 96-bit nonce, AES-256-GCM ciphertext and tag: 29 bytes longer than the plaintext.

        Child, row and kind are authenticated, so a sealed value cannot be moved to another child, row or column.
        """
        nonce = os.urandom(NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plaintext, self._context(row, kind))

    def open(self, sealed: bytes, *, row: UUID, kind: str) -> bytes:
        """What was sealed for the same child, row and kind; raises `SealBroken` for anything else."""
        if sealed[:1] == _VERSION and len(sealed) > NONCE_BYTES:
            try:
                start = 1 + NONCE_BYTES
                return self._cipher.decrypt(sealed[1:start], sealed[start:], self._context(row, kind))
            except InvalidTag:
                pass
        raise SealBroken(f"sealed {kind} of row {row} does not open for child {self.child_id}")

    def digest(self, value: bytes) -> bytes:
        """HMAC-SHA256 of a value under this child's own key: 32 bytes, equal only for equal values of one child."""
        return hmac.digest(self._digest_key, value, "sha256")

    @property
    def _cipher(self) -> AESGCM:
        """Made for each use: with its key expanded it takes 2.5 kB, and a district's keys are held at once."""
        return AESGCM(self._seal_key)

    def _context(self, row: UUID, kind: str) -> bytes:
        """Two fixed lengths, then the kind: no two triples give the same bytes."""
        return self.child_id.bytes + row.bytes + kind.encode()


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(algorithm=hashes.SHA256(), length=KEY_BYTES, info=purpose).derive(key)
