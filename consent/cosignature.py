"""Cosignatures: a witness's word that a checkpoint only appends to what it saw before (C2SP tlog-cosignature v1.0.1).

A signature line of a note like any other, of type 04: eight bytes of time, then Ed25519 over that time and the note's text.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from consent.note import (
    SECRET,
    Note,
    NoteSignature,
    ed25519_private,
    ed25519_verifies,
    key_id,
    key_text,
    parse_key_text,
    require_key,
)

COSIGNATURE = 0x04
_TIME_BYTES = 8
_LATEST = 253_402_300_799  # the last second of year 9999; a time beyond it is no time of this world


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """A witness's public key under its name; `str()` is its vkey text."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        require_key(self.name, self.public)

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ newline ‖ 04 ‖ public key), first four bytes."""
        return key_id(self.name, COSIGNATURE, self.public)

    def __str__(self) -> str:
        return key_text(self.name, self.key_id, COSIGNATURE, self.public)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The key a vkey text states, or None where it is malformed, mislabelled or not a cosigner's."""
        parts = parse_key_text(text, COSIGNATURE)
        if parts is None:
            return None
        key = cls(parts[0], parts[2])
        return key if key.key_id == parts[1] else None

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether these are this witness's signature bytes over a checkpoint's text."""
        seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
        message = _message(seconds, text)
        return 0 < seconds <= _LATEST and ed25519_verifies(self.public, signature[_TIME_BYTES:], message)


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A witness's private key under its name; repr hides it."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require_key(self.name, self.seed)

    @property
    def verifier(self) -> CosignerKey:
        """The public half, as handed to the log and to whoever checks."""
        return CosignerKey(self.name, ed25519_private(self.seed).public_key().public_bytes_raw())

    @property
    def secret_text(self) -> str:
        """The key as a file holds it: whoever reads it can cosign."""
        return SECRET + key_text(self.name, self.verifier.key_id, COSIGNATURE, self.seed)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The key a secret text states, or None where it is malformed or its id is not this key's."""
        parts = parse_key_text(text.removeprefix(SECRET), COSIGNATURE) if text.startswith(SECRET) else None
        if parts is None:
            return None
        key = cls(parts[0], parts[2])
        return key if key.verifier.key_id == parts[1] else None

    def cosign(self, text: str, at: datetime) -> NoteSignature:
        """The cosignature over a checkpoint's text, as of the whole second of `at`."""
        seconds = int(at.timestamp())
        value = ed25519_private(self.seed).sign(_message(seconds, text))
        return NoteSignature(self.name, self.verifier.key_id, seconds.to_bytes(_TIME_BYTES, "big") + value)


def cosigned_at(signature: NoteSignature) -> datetime:
    """The time a verified cosignature states."""
    return datetime.fromtimestamp(int.from_bytes(signature.value[:_TIME_BYTES], "big"), UTC)


def cosignatures(note: Note, keys: Iterable[CosignerKey]) -> dict[CosignerKey, NoteSignature]:
    """The witnesses of `keys` whose cosignature on the note is sound, each with its latest one.

    One that fails is as if it were not there: it cannot be counted, and a note is not worth less for what somebody added.
    """
    known = {(key.name, key.key_id): key for key in keys}
    found: dict[CosignerKey, NoteSignature] = {}
    for one in note.signatures:
        key = known.get((one.name, one.key_id))
        if key is None or not key.verifies(note.text, one.value):
            continue
        if key not in found or cosigned_at(found[key]) < cosigned_at(one):
            found[key] = one
    return found


def _message(seconds: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()
