"""Checkpoints: what a log signs to say "these are my first N entries" (C2SP tlog-checkpoint v1.0.0).

Three lines and no more: origin, size, base64 of the root. Extension lines, which the specification advises against,
are refused: no monitor could audit them.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from consent.note import Note, NoteFault, SignerKey, VerifierKey, decode_base64, open_note, sign_note
from consent.tiles import HASH_BYTES

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_LINES = 3
_MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's claim about itself: who it is, how many entries it has, and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse_checkpoint(text: str) -> Checkpoint | None:
    """The checkpoint a note's text states, or None: sizes with a sign, space, underscore or leading zero are refused."""
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[-1]:
        return None
    origin, size, root = lines[:_LINES]
    value = decode_base64(root)
    if not origin or not _SIZE.fullmatch(size) or int(size) > _MAX_SIZE:
        return None
    if value is None or len(value) != HASH_BYTES:
        return None
    return Checkpoint(origin, int(size), value)


def sign_checkpoint(checkpoint: Checkpoint, signers: Iterable[SignerKey]) -> Note:
    """The checkpoint as a signed note; during a key change both keys sign."""
    return sign_note(checkpoint.text, signers)


def open_checkpoint(
    raw: str | bytes | Note, origin: str, log_keys: Iterable[VerifierKey]
) -> Checkpoint | NoteFault:
    """The checkpoint, if one of the log's keys signed it and it speaks for `origin`; or why it is not believed."""
    opened = open_note(raw, log_keys)
    if isinstance(opened, NoteFault):
        return opened
    checkpoint = parse_checkpoint(opened[0].text)
    if checkpoint is None:
        return NoteFault.MALFORMED
    return checkpoint if checkpoint.origin == origin else NoteFault.WRONG_ORIGIN
