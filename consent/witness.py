"""The witness's rules (C2SP tlog-witness v1.0.0): what a log asks, and when a cosignature may be given.

Pure: whoever runs a witness keeps its state, and stores what `consider` accepts before the cosignature leaves, with no other
request about the same log in between.
"""

import re
from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum

from consent.checkpoint import Checkpoint, parse_checkpoint
from consent.merkle import EMPTY_ROOT, verify_consistency
from consent.note import Note, NoteFault, VerifierKey, decode_base64, open_note, parse_note
from consent.tiles import HASH_BYTES
from consent.trust_policy import TrustPolicy

SIZE_TYPE = "text/x.tlog.size"
MAX_HASHES = 63
MAX_REQUEST_BYTES = 1 << 16
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class Answer(IntEnum):
    """The HTTP status that says why no cosignature is given."""

    MALFORMED = 400
    NOT_SIGNED = 403  # by no key of that log we know, or by one of them wrongly
    UNKNOWN_LOG = 404
    OTHER_SIZE = 409  # the log believes we stand elsewhere
    INCONSISTENT = 422  # its tree is not a continuation of the one we saw


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest tree of a log that a witness has cosigned; size 0 before the first."""

    size: int
    root: bytes


NOTHING_SEEN = Seen(0, EMPTY_ROOT)


@dataclass(frozen=True, slots=True)
class Request:
    """An `add-checkpoint` request: from where, by which proof, to which signed checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        hashes = "".join(f"{b64encode(value).decode()}\n" for value in self.proof)
        return f"old {self.old}\n{hashes}\n{self.note}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The checkpoint may be cosigned once `checkpoint` is stored. `note` bears only the signatures of the log that were verified."""

    checkpoint: Checkpoint
    note: Note


@dataclass(frozen=True, slots=True)
class Rejected:
    """No cosignature. `size` is where the witness stands, told with 409."""

    answer: Answer
    why: str
    size: int | None = None


def parse_request(raw: bytes) -> tuple[Request, Checkpoint] | None:
    """A request's parts, or None where it is malformed. Nothing in it is proved yet."""
    try:
        head, gap, rest = raw.decode().partition("\n\n")
    except UnicodeDecodeError:
        return None
    first, *lines = head.split("\n")
    old, note = _OLD.fullmatch(first), parse_note(rest)
    if not gap or len(raw) > MAX_REQUEST_BYTES or old is None or note is None or len(lines) > MAX_HASHES:
        return None
    checkpoint = parse_checkpoint(note.text)
    proof = [decode_base64(line) for line in lines]
    sound = tuple(value for value in proof if value is not None and len(value) == HASH_BYTES)
    if checkpoint is None or len(sound) != len(proof) or int(old[1]) > checkpoint.size:
        return None
    return Request(int(old[1]), sound, note), checkpoint


def known_keys(raw: bytes, policy: TrustPolicy) -> tuple[str, tuple[VerifierKey, ...]]:
    """The origin a request speaks for and the keys we know that log by; empty where it is malformed or unknown."""
    parsed = parse_request(raw)
    origin = parsed[1].origin if parsed is not None else ""
    return origin, policy.log_keys(origin)


def consider(raw: bytes, keys: Collection[VerifierKey], seen: Seen) -> Accepted | Rejected:
    """Whether to cosign what a log submits. `keys` are its keys, none where it is unknown; `seen` is where we stand with it."""
    parsed = parse_request(raw)
    if parsed is None:
        return Rejected(
            Answer.MALFORMED, "not an add-checkpoint request with a checkpoint of at least the old size"
        )
    request, checkpoint = parsed
    if not keys:
        return Rejected(Answer.UNKNOWN_LOG, "this witness does not know the log")
    opened = open_note(request.note, keys)
    if isinstance(opened, NoteFault):
        return Rejected(
            Answer.NOT_SIGNED, "invalid signature: no key known for this log signed the checkpoint"
        )
    if request.old != seen.size:
        return Rejected(Answer.OTHER_SIZE, "", seen.size)
    if not _continues(seen, checkpoint, request.proof):
        return Rejected(Answer.INCONSISTENT, "the consistency proof does not verify")
    ours = {(key.name, key.key_id) for key in opened[1]}
    lines = tuple(line for line in opened[0].signatures if (line.name, line.key_id) in ours)
    return Accepted(checkpoint, Note(opened[0].text, lines))


def stated_size(body: bytes) -> int | None:
    """The size in the body of a 409, or None where it is not one."""
    found = _SIZE.fullmatch(body)
    return int(found[1]) if found else None


def _continues(seen: Seen, checkpoint: Checkpoint, proof: Sequence[bytes]) -> bool:
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        return False
    if seen.size in {0, checkpoint.size}:
        # the empty tree begins every tree, and the same tree continues itself: neither needs a proof
        return not proof and (seen.size == 0 < checkpoint.size or seen.root == checkpoint.root)
    return verify_consistency(seen.size, checkpoint.size, seen.root, checkpoint.root, proof)
