"""Signed notes: text with Ed25519 signatures that any holder of the public key can check (C2SP signed-note v1.0.0).

A note is its text (ending in a newline), an empty line, and signature lines `— <name> <base64(key id ‖ signature)>`.
Signature type 01 (plain Ed25519) is made and checked here, type 04 in `consent.cosignature`; signatures by other keys and
of other types are kept and passed over, as the specification demands.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Protocol, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 0x01
SECRET = "PRIVATE+KEY+"  # noqa: S105 - what a private key's text begins with, not one
MAX_SIGNATURES = 64  # the specification asks for at least 16
MAX_NOTE_BYTES = 1 << 20
_ID_BYTES = 4
_KEY_BYTES = 32
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_LINE = re.compile(r"— ([^ ]+) ([A-Za-z0-9+/=]+)")


class NoteFault(StrEnum):
    """Why a note is not believed."""

    MALFORMED = "malformed"  # not a signed note at all
    BAD_SIGNATURE = "bad-signature"  # a known key is named and its signature is wrong
    UNKNOWN_KEYS = "unknown-keys"  # no signature by any key we know
    WRONG_ORIGIN = "wrong-origin"  # signed, but the text speaks for another log


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who, with which key, and the signature's bytes."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, newline included."""
        return f"— {self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. Its text proves nothing until `open_note` has checked it."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(signature.line for signature in self.signatures)}"


class NoteKey(Protocol):
    """A public key of any type of signature: how it is named in a note, and whether a signature is its own."""

    @property
    def name(self) -> str:
        """Who signs."""
        ...

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell the keys of one name apart."""
        ...

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether these are this key's signature bytes over a note's text."""
        ...


Key = TypeVar("Key", bound=NoteKey)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key under a name; `str()` is the vkey text `name+hex(key id)+base64(01 ‖ key)`."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        require_key(self.name, self.public)

    @property
    def key_id(self) -> bytes:
        """SHA-256(name ‖ newline ‖ 01 ‖ public key), first four bytes."""
        return key_id(self.name, ED25519, self.public)

    def __str__(self) -> str:
        return key_text(self.name, self.key_id, ED25519, self.public)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The key a vkey text states, or None where it is malformed, mislabelled or of another type."""
        parts = parse_key_text(text, ED25519)
        if parts is None:
            return None
        name, identity, public = parts
        key = cls(name, public)
        return key if key.key_id == identity else None

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether these are this key's signature bytes over the text."""
        return ed25519_verifies(self.public, signature, text.encode())


@dataclass(frozen=True, slots=True)
class SignerKey:
    """A private key under a name. `secret_text` is `PRIVATE+KEY+name+hex(key id)+base64(01 ‖ seed)`; repr hides it."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require_key(self.name, self.seed)

    @property
    def verifier(self) -> VerifierKey:
        """The public half, as handed to whoever checks."""
        return VerifierKey(self.name, ed25519_private(self.seed).public_key().public_bytes_raw())

    @property
    def secret_text(self) -> str:
        """The key as a file holds it: whoever reads it can sign."""
        return SECRET + key_text(self.name, self.verifier.key_id, ED25519, self.seed)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The key a secret text states, or None where it is malformed or its id is not this key's."""
        if not text.startswith(SECRET):
            return None
        parts = parse_key_text(text.removeprefix(SECRET), ED25519)
        if parts is None:
            return None
        name, identity, seed = parts
        key = cls(name, seed)
        return key if key.verifier.key_id == identity else None

    def sign(self, text: str) -> NoteSignature:
        """This key's signature over a note's text."""
        return NoteSignature(self.name, _key_id(self), ed25519_private(self.seed).sign(text.encode()))


@lru_cache(maxsize=8)
def ed25519_private(seed: bytes) -> Ed25519PrivateKey:
    """Deriving the key from its seed costs as much as a signature; a process signs with one or two."""
    return Ed25519PrivateKey.from_private_bytes(seed)


@lru_cache(maxsize=8)
def _key_id(key: SignerKey) -> bytes:
    return key.verifier.key_id


def sign_note(text: str, signers: Iterable[SignerKey]) -> Note:
    """The text signed by every signer, in order; the text must end in a newline and hold no other control character."""
    if not text.endswith("\n") or _CONTROL.search(text):
        msg = "a note's text ends in a newline and holds no other control character"
        raise ValueError(msg)
    signatures = tuple(signer.sign(text) for signer in signers)
    if not signatures:
        msg = "a note needs at least one signature"
        raise ValueError(msg)
    return Note(text, signatures)


def parse_note(raw: str | bytes) -> Note | None:
    """A note's parts, or None where it is not one: strict UTF-8, no control characters, every signature line sound."""
    if len(raw) > MAX_NOTE_BYTES:
        return None
    try:
        whole = raw if isinstance(raw, str) else raw.decode()
        whole.encode()
    except UnicodeError:  # also a str with lone surrogates, which no UTF-8 can hold
        return None
    text, gap, block = whole.rpartition("\n\n")
    if _CONTROL.search(whole) or not gap or not block.endswith("\n"):
        return None
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        return None
    signatures = [_parse_signature(line) for line in lines]
    sound = tuple(signature for signature in signatures if signature is not None)
    return Note(text + "\n", sound) if len(sound) == len(signatures) else None


def open_note(raw: str | bytes | Note, keys: Iterable[Key]) -> tuple[Note, frozenset[Key]] | NoteFault:
    """The note and which of `keys` signed it; or why it is not believed.

    A failing signature of a known key rejects the whole note, whatever else it carries; unknown keys are passed over,
    also those that share only the name or only the id with a known one.
    """
    note = raw if isinstance(raw, Note) else parse_note(raw)
    if note is None:
        return NoteFault.MALFORMED
    known = {(key.name, key.key_id): key for key in keys}
    signed = set()
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(note.text, signature.value):
            return NoteFault.BAD_SIGNATURE
        signed.add(key)
    return (note, frozenset(signed)) if signed else NoteFault.UNKNOWN_KEYS


def decode_base64(text: str) -> bytes | None:
    """Standard base64 in its one canonical spelling, or None."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if base64.b64encode(value).decode() == text else None


def _parse_signature(line: str) -> NoteSignature | None:
    match = _LINE.fullmatch(line)
    if match is None or not _is_name(match[1]):
        return None
    value = decode_base64(match[2])
    if value is None or len(value) <= _ID_BYTES:
        return None
    return NoteSignature(match[1], value[:_ID_BYTES], value[_ID_BYTES:])


def _is_name(name: str) -> bool:
    return (
        bool(name)
        and "+" not in name
        and not any(char.isspace() for char in name)
        and not _CONTROL.search(name)
    )


def require_key(name: str, key: bytes) -> None:
    """Raise ValueError unless this can name a key, and these are the 32 bytes of an Ed25519 public key or seed."""
    if not _is_name(name):
        msg = "a key's name is not empty and holds neither a space nor a plus"
        raise ValueError(msg)
    if len(key) != _KEY_BYTES:
        msg = "an Ed25519 public key or seed is 32 bytes"
        raise ValueError(msg)


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """SHA-256(name ‖ newline ‖ type of signature ‖ public key), first four bytes."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:_ID_BYTES]


def ed25519_verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether this is the key's Ed25519 signature over the message (RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):  # ValueError: the 32 bytes are no point of the curve
        return False
    return True


def key_text(name: str, identity: bytes, kind: int, key: bytes) -> str:
    """`name+hex(key id)+base64(type ‖ key)`."""
    return f"{name}+{identity.hex()}+{base64.b64encode(bytes([kind]) + key).decode()}"


def parse_key_text(text: str, kind: int) -> tuple[str, bytes, bytes] | None:
    """Name, key id and the 32 key bytes of `name+hex+base64` for this type of signature; the base64 may itself hold a plus."""
    name, _, rest = text.partition("+")
    identity, _, encoded = rest.partition("+")
    key = decode_base64(encoded)
    if not _is_name(name) or not re.fullmatch(r"[0-9a-f]{8}", identity) or key is None:
        return None
    if len(key) != 1 + _KEY_BYTES or key[0] != kind:
        return None
    return name, bytes.fromhex(identity), key[1:]
