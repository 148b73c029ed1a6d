from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent import merkle
from consent.checkpoint import Checkpoint, sign_checkpoint
from consent.note import SignerKey
from consent.proof import LogProof, ProofFault, parse_proof, verify_proof
from tests.consent.naive_tree import TileStore

ORIGIN = "log.example/city"
LOG = SignerKey(ORIGIN, sha256(b"log").digest())
WITNESS = SignerKey("library.example", sha256(b"witness").digest())
ENTRIES = [b"entry %d" % n for n in range(300)]


def receipt(index: int, size: int = 300, signers=(LOG,), origin: str = ORIGIN) -> LogProof:
    store = TileStore()
    growth = merkle.integrate(0, map(merkle.leaf_hash, ENTRIES[:size]), store.get)
    store.put(dict(growth.tiles))
    note = sign_checkpoint(Checkpoint(origin, size, growth.root), signers)
    return LogProof(index, merkle.prove_inclusion(index, size, store.get), note)


GOOD = receipt(123)
KEYS = [LOG.verifier]


def test_a_receipt_verifies_offline_from_its_text_alone():
    text = str(GOOD)
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 123\n")
    assert parse_proof(text) == GOOD
    checkpoint = verify_proof(text.encode(), ENTRIES[123], ORIGIN, KEYS)
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.size == 300


def test_the_only_entry_of_a_log_has_a_receipt_without_hashes():
    only = receipt(0, size=1)
    assert only.hashes == ()
    assert parse_proof(str(only)) == only
    assert isinstance(verify_proof(str(only), ENTRIES[0], ORIGIN, KEYS), Checkpoint)


def test_extra_data_travels_and_is_not_authenticated():
    with_extra = LogProof(GOOD.index, GOOD.hashes, GOOD.checkpoint, b"salt")
    assert parse_proof(str(with_extra)) == with_extra
    changed = str(with_extra).replace("c2FsdA==", "AAAA")
    assert isinstance(verify_proof(changed, ENTRIES[123], ORIGIN, KEYS), Checkpoint)


def test_a_witnessed_receipt_verifies_for_those_who_do_not_know_the_witness():
    witnessed = receipt(7, signers=(LOG, WITNESS))
    assert isinstance(verify_proof(str(witnessed), ENTRIES[7], ORIGIN, KEYS), Checkpoint)


@pytest.mark.parametrize(
    ("proof", "entry", "origin", "signer", "fault"),
    [
        (GOOD, ENTRIES[124], ORIGIN, LOG, ProofFault.NOT_INCLUDED),
        (LogProof(122, GOOD.hashes, GOOD.checkpoint), ENTRIES[123], ORIGIN, LOG, ProofFault.NOT_INCLUDED),
        (GOOD, ENTRIES[123], "other.example", LOG, ProofFault.CHECKPOINT_ORIGIN),
        (GOOD, ENTRIES[123], ORIGIN, WITNESS, ProofFault.CHECKPOINT_UNKNOWN_KEYS),
        (receipt(0, origin="x\ny"), ENTRIES[0], ORIGIN, LOG, ProofFault.CHECKPOINT_MALFORMED),
        ("nonsense", ENTRIES[0], ORIGIN, LOG, ProofFault.MALFORMED),
    ],
)
def test_a_receipt_that_shows_nothing_says_why(proof, entry, origin, signer, fault):
    assert verify_proof(proof, entry, origin, [signer.verifier]) is fault


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_one_changed_byte_anywhere_in_a_receipt_is_detected(data):
    raw = bytearray(str(GOOD).encode())
    spot = data.draw(st.integers(0, len(raw) - 1))
    raw[spot] ^= data.draw(st.integers(1, 255))
    assert isinstance(verify_proof(bytes(raw), ENTRIES[123], ORIGIN, KEYS), ProofFault)


TEXT = str(GOOD)


@pytest.mark.parametrize(
    "raw",
    [
        "", TEXT.replace("@v1", "@v2"), TEXT.replace("index 123", "index 0123"), TEXT.replace("index 123", "index +123"),
        TEXT.replace("index 123\n", ""), TEXT.replace("index 123\n", "extra !!\nindex 123\n"),
        TEXT.replace("index 123\n", "extra AA==\nextra AA==\nindex 123\n"), TEXT.replace("\n\n", "\n", 1),
        TEXT.replace("index 123\n", "index 123\nAAAA\n"), TEXT.replace("index 123\n", "index 123\n" + "A" * 43 + "=\n" * 1 + ("A" * 43 + "=\n") * 63),
        TEXT.rpartition("\n\n")[0] + "\n\n", TEXT.encode().replace(b"index", b"\xff"), TEXT.replace("\n", "\r\n"),
        "c2sp.org/tlog-proof@v1\n\n" + str(GOOD.checkpoint),
    ],
)  # fmt: skip
def test_anything_that_is_not_exactly_a_proof_is_malformed(raw):
    assert parse_proof(raw) is None
    assert verify_proof(raw, ENTRIES[123], ORIGIN, KEYS) is ProofFault.MALFORMED
