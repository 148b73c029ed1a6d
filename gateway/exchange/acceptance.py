"""The recipient's side: whether to take a webhook in. For whoever receives; it needs no hub and no database.

Three things must hold: a holder of the shared secret sent it within five minutes (Standard Webhooks); its receipt proves that
exactly this disclosure of exactly these bytes to this recipient stands in the log; and, where the recipient's policy asks for
it, witnesses have cosigned the log that far. What fails is refused, and so is what comes without a receipt: that is what makes
the log complete and not merely append-only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from adapters.community.webhook import WebhookSecret, verify
from consent.checkpoint import Checkpoint, open_checkpoint
from consent.cosignature import CosignerKey, cosignatures
from consent.merkle import MissingTileError, prove_inclusion
from consent.note import Note, NoteFault, parse_note
from consent.proof import LogProof, ProofFault, parse_proof, verify_proof
from consent.receipt import HEADER, Receipt, ReceiptFault, check_receipt, unpack_receipt
from consent.tiles import Tile
from consent.trust_policy import TrustPolicy
from gateway.exchange.monitor import Fetch


class Rejection(StrEnum):
    """Why a delivery is refused before its receipt is judged, or after; `ReceiptFault` and `ProofFault` are the judgement."""

    NOT_SIGNED = "not-signed"  # by no holder of the secret, or more than five minutes ago
    NO_RECEIPT = "no-receipt"
    RECEIPT_MALFORMED = "receipt-malformed"
    UNKNOWN_LOG = "unknown-log"  # the policy names no log
    NOT_WITNESSED = "not-witnessed"  # the quorum has not cosigned the log as far as this entry


@dataclass(frozen=True, slots=True)
class Accepted:
    """Take it in. `receipt` is kept with the data: its notices and obligations bind; `cosigned` are the witnesses behind it."""

    receipt: Receipt
    checkpoint: Checkpoint
    cosigned: frozenset[CosignerKey]


Refusal = Rejection | ReceiptFault | ProofFault


def accept(
    received: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[WebhookSecret],
    recipient: str,
    policy: TrustPolicy,
    at: datetime,
    log: Fetch | None = None,
) -> Accepted | Refusal:
    """Judge a delivery from its headers and the exact bytes of its body. `recipient` is your own key in the community.

    A delivery is sent before witnesses could cosign its entry. With a quorum in the policy, `log` is asked for the newest
    checkpoint that bears it; NOT_WITNESSED then means: ask again in half a minute, and do not use the data before.
    """
    if not verify(secrets, received, body, at):
        return Rejection.NOT_SIGNED
    packed = next((value for name, value in received.items() if name.lower() == HEADER.lower()), None)
    if packed is None:
        return Rejection.NO_RECEIPT
    receipt = unpack_receipt(packed)
    if receipt is None:
        return Rejection.RECEIPT_MALFORMED
    return judge(receipt, body, recipient=recipient, policy=policy, log=log)


def judge(
    receipt: Receipt, body: bytes, *, recipient: str, policy: TrustPolicy, log: Fetch | None = None
) -> Accepted | Refusal:
    """As `accept`, for a receipt that was kept."""
    for origin in dict.fromkeys(one.key.name for one in policy.logs):
        checkpoint = check_receipt(receipt, body, recipient, origin, policy.log_keys(origin))
        if checkpoint is ProofFault.CHECKPOINT_ORIGIN or checkpoint is ProofFault.CHECKPOINT_UNKNOWN_KEYS:
            continue
        if not isinstance(checkpoint, Checkpoint):
            return checkpoint
        return _witnessed(receipt, checkpoint, policy, log)
    return Rejection.UNKNOWN_LOG


def _witnessed(
    receipt: Receipt, checkpoint: Checkpoint, policy: TrustPolicy, log: Fetch | None
) -> Accepted | Refusal:
    """The receipt's own checkpoint if it bears the quorum, else the log's newest that does."""
    proof = parse_proof(receipt.proof)
    assert proof is not None  # it has just been verified
    cosigned = frozenset(cosignatures(proof.checkpoint, policy.cosigners))
    if policy.met_by(cosigned):
        return Accepted(receipt, checkpoint, cosigned)
    later = None if log is None else _later(receipt, checkpoint.origin, policy, log)
    return Rejection.NOT_WITNESSED if later is None else later


def _later(receipt: Receipt, origin: str, policy: TrustPolicy, log: Fetch) -> Accepted | None:
    """The same entry, proven under the log's newest checkpoint with a quorum."""
    raw = log("witnessed")
    note = None if raw is None else parse_note(raw)
    opened = None if note is None else open_checkpoint(note, origin, policy.log_keys(origin))
    if note is None or opened is None or isinstance(opened, NoteFault) or opened.size <= receipt.sequence:
        return None
    cosigned = frozenset(cosignatures(note, policy.cosigners))
    proof = _proof(receipt.sequence, opened.size, note, log)
    if proof is None or not policy.met_by(cosigned):
        return None
    proven = verify_proof(proof, receipt.header.encode(), origin, policy.log_keys(origin))
    if not isinstance(proven, Checkpoint):
        return None
    return Accepted(receipt.model_copy(update={"proof": str(proof)}), proven, cosigned)


def _proof(seq: int, size: int, note: Note, log: Fetch) -> LogProof | None:
    def tiles(wanted: Sequence[Tile]) -> dict[Tile, bytes]:
        return {tile: log(tile.path) or b"" for tile in wanted}

    try:
        return LogProof(seq, prove_inclusion(seq, size, tiles), note)
    except MissingTileError:
        return None
