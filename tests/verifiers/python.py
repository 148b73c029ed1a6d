"""PyPI's sigstore. Its checkpoint and Merkle modules are internal, which is why pyproject names one exact version."""

import base64
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import SignedCheckpoint, verify_checkpoint
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore._utils import KeyID
from sigstore.errors import VerificationError
from sigstore_models.common.v1 import PublicKey, PublicKeyDetails

from consent.note import decode_base64
from tests.verifiers import Claim


def judge(claims: Sequence[Claim]) -> list[str]:
    """What sigstore finds wrong with each claim, "" where it accepts it."""
    return [_fault(claim) for claim in claims]


def _fault(claim: Claim) -> str:
    try:
        checkpoint = SignedCheckpoint.from_text(claim.note).checkpoint
        for vkey in claim.keys:
            entry = _entry(claim, checkpoint, vkey)
            verify_checkpoint(_keyring(vkey), entry)
            verify_merkle_inclusion(entry)
    except VerificationError as error:
        return str(error)
    return ""


def _parts(vkey: str) -> tuple[bytes, bytes]:
    """Key id and public key."""
    _, identity, encoded = vkey.split("+", 2)
    return bytes.fromhex(identity), (decode_base64(encoded) or b"")[1:]


def _keyring(vkey: str) -> RekorKeyring:
    public = Ed25519PublicKey.from_public_bytes(_parts(vkey)[1])
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = PublicKey(raw_bytes=base64.b64encode(der), key_details=PublicKeyDetails.PKIX_ED25519)
    return RekorKeyring(Keyring([key]))


def _entry(claim: Claim, checkpoint: Any, vkey: str) -> Any:
    """What sigstore reads of a log entry, with the size and root the checkpoint states."""
    proof = SimpleNamespace(
        checkpoint=SimpleNamespace(envelope=claim.note),
        log_index=claim.index,
        tree_size=checkpoint.log_size,
        root_hash=bytes.fromhex(checkpoint.log_hash),
        hashes=list(claim.hashes),
    )
    inner = SimpleNamespace(
        inclusion_proof=proof,
        log_id=SimpleNamespace(key_id=KeyID(_parts(vkey)[0])),
        canonicalized_body=claim.leaf,
    )
    return SimpleNamespace(_inner=inner)
