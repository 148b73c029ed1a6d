"""What a recipient gets beside a payload: proof that exactly this disclosure was in the log before it left.

A recipient refuses a payload whose receipt does not verify; that is what makes the log complete and not merely
append-only (consent.md §3.5). Verifying needs the log's public key and nothing else of ours.
"""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consent.checkpoint import Checkpoint
from consent.commitment import CommittedEntry, Opening, show, shows
from consent.entry import EntryKind
from consent.note import VerifierKey
from consent.proof import LogProof, ProofFault, parse_proof, verify_proof

SHOWN = (
    "at",
    "categories",
    "decision_id",
    "kind",
    "notices",
    "obligations",
    "parts",
    "payload_sha256",
    "purpose",
    "recipient",
    "regimes",
    "valid_until",
)
"""The fields of the disclosure entry a recipient sees: what it got, why, until when, under which notices; no child, no directive."""

HEADER = "Planhub-Receipt"
"""The header of a delivery that carries its receipt, packed."""

_MOST_PACKED, _MOST_BYTES = 1 << 15, 1 << 17
_RELEASES = frozenset({EntryKind.DISCLOSURE, EntryKind.BREAK_GLASS})


class Receipt(BaseModel):
    """The companion of one payload: the entry's number, its leaf, the opened fields, and the tlog-proof of the leaf.

    `opening.shown` holds the fields named in `SHOWN`; `notices` are ids of texts to keep with the data, `obligations`
    codes that bind the recipient (`NORDSCLCD`: do not pass on).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence: int = Field(ge=0)
    header: str
    opening: Opening
    proof: str

    @property
    def decision_id(self) -> str:
        """The opaque id to quote when asking about this disclosure."""
        return str(self.opening.shown.get("decision_id"))

    @property
    def payload_sha256(self) -> str:
        """The digest, in hex, of the bytes this receipt is for."""
        return str(self.opening.shown.get("payload_sha256"))

    @property
    def scope(self) -> dict[str, Any]:
        """The permission in brief: to whom, what, why, until (42 CFR 2.32(b))."""
        names = ("recipient", "categories", "parts", "purpose", "valid_until")
        return {name: self.opening.shown.get(name) for name in names}


class ReceiptFault(StrEnum):
    """Why a payload with this receipt is refused; a `ProofFault` is the other kind of answer."""

    NOT_OPENED = "not-opened"  # the fields are not those the leaf committed to, or some are not shown
    NOT_A_RELEASE = "not-a-release"  # the entry is of another kind
    OTHER_PAYLOAD = "other-payload"
    OTHER_RECIPIENT = "other-recipient"
    OTHER_SEQUENCE = "other-sequence"  # the proof is for another entry


def write_receipt(entry: CommittedEntry, proof: LogProof) -> Receipt:
    """The receipt of a disclosure whose entry has been sequenced and proven."""
    return Receipt(
        sequence=proof.index,
        header=entry.header.decode(),
        opening=show(entry.body, SHOWN),
        proof=str(proof),
    )


def pack_receipt(receipt: Receipt) -> str:
    """The receipt in one line of text: its JSON, deflated (RFC 1950), in base64url with padding."""
    return urlsafe_b64encode(zlib.compress(receipt.model_dump_json().encode(), 9)).decode()


def unpack_receipt(text: str) -> Receipt | None:
    """The receipt in a line of text, or None where it is none, or larger than any of ours."""
    if len(text) > _MOST_PACKED:
        return None
    opened = zlib.decompressobj()
    try:
        raw = opened.decompress(urlsafe_b64decode(text.encode("ascii")), _MOST_BYTES)
        return Receipt.model_validate_json(raw) if opened.eof else None
    except (ValueError, zlib.error, ValidationError):  # ValueError: not base64, or not ASCII
        return None


def check_receipt(
    receipt: Receipt, payload: bytes, recipient: str, origin: str, log_keys: Iterable[VerifierKey]
) -> Checkpoint | ReceiptFault | ProofFault:
    """The signed checkpoint under which this payload's release to us is in the log, or why to refuse the payload."""
    fault = _fault(receipt, payload, recipient)
    if fault is not None:
        return fault
    proof = parse_proof(receipt.proof)
    if proof is None:
        return ProofFault.MALFORMED
    if proof.index != receipt.sequence:
        return ReceiptFault.OTHER_SEQUENCE
    return verify_proof(proof, receipt.header.encode(), origin, log_keys)


def _fault(receipt: Receipt, payload: bytes, recipient: str) -> ReceiptFault | None:
    """What is wrong before the log is looked at."""
    shown = receipt.opening.shown
    if not shows(receipt.header.encode(), receipt.opening) or not shown.keys() >= set(SHOWN):
        return ReceiptFault.NOT_OPENED
    if shown["kind"] not in _RELEASES:
        return ReceiptFault.NOT_A_RELEASE
    if shown["payload_sha256"] != sha256(payload).hexdigest():
        return ReceiptFault.OTHER_PAYLOAD
    return None if shown["recipient"] == recipient else ReceiptFault.OTHER_RECIPIENT
