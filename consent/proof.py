"""Receipts that anyone can check without asking us: `c2sp.org/tlog-proof@v1`.

A proof is the entry's index, its audit path and the signed checkpoint they lead to, in one text file. The entry itself is
not in it: whoever checks brings the leaf bytes.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from consent.checkpoint import Checkpoint, open_checkpoint
from consent.merkle import leaf_hash, verify_inclusion
from consent.note import Note, NoteFault, VerifierKey, decode_base64, parse_note
from consent.tiles import HASH_BYTES

_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_MAX_HASHES = 63


class ProofFault(StrEnum):
    """Why a proof shows nothing."""

    MALFORMED = "malformed"
    CHECKPOINT_MALFORMED = "checkpoint-malformed"
    CHECKPOINT_SIGNATURE = "checkpoint-signature"
    CHECKPOINT_UNKNOWN_KEYS = "checkpoint-unknown-keys"
    CHECKPOINT_ORIGIN = "checkpoint-origin"
    NOT_INCLUDED = "not-included"  # signed, but the entry is not where the proof says


_NOTE_FAULTS = {
    NoteFault.MALFORMED: ProofFault.CHECKPOINT_MALFORMED,
    NoteFault.BAD_SIGNATURE: ProofFault.CHECKPOINT_SIGNATURE,
    NoteFault.UNKNOWN_KEYS: ProofFault.CHECKPOINT_UNKNOWN_KEYS,
    NoteFault.WRONG_ORIGIN: ProofFault.CHECKPOINT_ORIGIN,
}


@dataclass(frozen=True, slots=True)
class LogProof:
    """An entry's index, its audit path (leaf's sibling first) and the checkpoint note. `extra` is not authenticated."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Note
    extra: bytes | None = None

    def __str__(self) -> str:
        lines = [_FIRST_LINE]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(value).decode() for value in self.hashes]
        return "\n".join(lines) + f"\n\n{self.checkpoint}"


def parse_proof(raw: str | bytes) -> LogProof | None:
    """The parts of a proof text, or None where it is not exactly one."""
    try:
        text = raw if isinstance(raw, str) else raw.decode()
    except UnicodeDecodeError:
        return None
    head, gap, rest = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines.pop(0) != _FIRST_LINE:
        return None
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "))
        if extra is None:
            return None
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    hashes = [decode_base64(line) for line in lines]
    note = parse_note(rest)
    if index is None or note is None or len(hashes) > _MAX_HASHES:
        return None
    sound = tuple(value for value in hashes if value is not None and len(value) == HASH_BYTES)
    return LogProof(int(index[1]), sound, note, extra) if len(sound) == len(hashes) else None


def verify_proof(
    raw: str | bytes | LogProof, entry: bytes, origin: str, log_keys: Iterable[VerifierKey]
) -> Checkpoint | ProofFault:
    """The signed checkpoint that contains `entry` (its leaf bytes), or why the proof shows nothing."""
    proof = raw if isinstance(raw, LogProof) else parse_proof(raw)
    if proof is None:
        return ProofFault.MALFORMED
    checkpoint = open_checkpoint(proof.checkpoint, origin, log_keys)
    if isinstance(checkpoint, NoteFault):
        return _NOTE_FAULTS[checkpoint]
    included = verify_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint if included else ProofFault.NOT_INCLUDED
