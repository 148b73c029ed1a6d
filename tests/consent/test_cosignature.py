"""Cosignatures as C2SP tlog-cosignature has them: made, told apart, and worth nothing once anything was changed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from consent.cosignature import Cosigner, CosignerKey, cosignatures, cosigned_at
from consent.note import Note, NoteFault, NoteKey, SignerKey, VerifierKey, open_note, parse_note
from consent.proof import LogProof, verify_proof
from tests.verifiers import Claim, go

LOG = SignerKey("log.example/city", sha256(b"log").digest())
LIBRARY = Cosigner("library.example/witness", sha256(b"library").digest())
COUNTY = Cosigner("county.example/witness", sha256(b"county").digest())
AT = datetime(2026, 9, 1, 12, 0, 30, 250_000, tzinfo=UTC)
LEAF = b"the only entry"
ROOT = sha256(b"\x00" + LEAF).digest()
SIGNED = sign_checkpoint(Checkpoint(LOG.name, 1, ROOT), [LOG])
COSIGNED = replace(
    SIGNED, signatures=(*SIGNED.signatures, LIBRARY.cosign(SIGNED.text, AT), COUNTY.cosign(SIGNED.text, AT))
)


def test_the_cosigned_message_is_the_header_the_time_and_the_whole_text():
    assert AT.microsecond
    line = LIBRARY.cosign(SIGNED.text, AT)
    assert line.value[:8] == int(AT.timestamp()).to_bytes(8, "big")
    assert len(line.value) == 72
    assert cosigned_at(line) == AT.replace(microsecond=0)
    message = f"cosignature/v1\ntime {int(AT.timestamp())}\n{SIGNED.text}"
    assert VerifierKey(LIBRARY.name, LIBRARY.verifier.public).verifies(message, line.value[8:])


def test_a_witnesss_key_id_differs_from_a_logs_of_the_same_name_and_bytes():
    assert LIBRARY.verifier.key_id != VerifierKey(LIBRARY.name, LIBRARY.verifier.public).key_id
    assert VerifierKey.parse(str(LIBRARY.verifier)) is None
    assert CosignerKey.parse(str(LOG.verifier)) is None


@given(st.binary(min_size=32, max_size=32))
def test_keys_survive_being_written_and_read(seed):
    key = Cosigner("witness.example/w+1".replace("+", "-"), seed)
    assert Cosigner.parse(key.secret_text) == key
    assert CosignerKey.parse(str(key.verifier)) == key.verifier
    assert CosignerKey.parse(str(key.verifier)[:-2] + "AA") is None


def test_cosignatures_are_found_under_their_keys_and_others_are_passed_over():
    note = parse_note(str(COSIGNED))
    assert note is not None
    assert cosignatures(note, [LIBRARY.verifier]).keys() == {LIBRARY.verifier}
    assert cosignatures(note, [LIBRARY.verifier, COUNTY.verifier]).keys() == {
        LIBRARY.verifier,
        COUNTY.verifier,
    }
    assert isinstance(open_checkpoint(note, LOG.name, [LOG.verifier]), Checkpoint)
    assert cosignatures(SIGNED, [LIBRARY.verifier]) == {}


def test_a_cosignature_says_nothing_about_another_checkpoint():
    other = sign_checkpoint(Checkpoint(LOG.name, 2, ROOT), [LOG])
    forged = replace(other, signatures=(*other.signatures, LIBRARY.cosign(SIGNED.text, AT)))
    assert cosignatures(forged, [LIBRARY.verifier]) == {}


@pytest.mark.parametrize("at", range(72))
def test_no_bit_of_a_cosignature_can_be_changed_its_time_included(at):
    line = LIBRARY.cosign(SIGNED.text, AT)
    value = line.value[:at] + bytes([line.value[at] ^ 1]) + line.value[at + 1 :]
    assert not LIBRARY.verifier.verifies(SIGNED.text, value)


@pytest.mark.parametrize("seconds", [0, 2**63])
def test_a_cosignature_without_a_time_or_from_beyond_all_time_is_none(seconds):
    value = seconds.to_bytes(8, "big") + bytes(64)
    assert not LIBRARY.verifier.verifies(SIGNED.text, value)


def test_of_two_cosignatures_of_one_witness_the_later_counts():
    later = LIBRARY.cosign(SIGNED.text, AT + timedelta(hours=1))
    note = replace(COSIGNED, signatures=(later, *COSIGNED.signatures))
    assert cosignatures(note, [LIBRARY.verifier]) == {LIBRARY.verifier: later}


def claim(note: Note) -> Claim:
    return Claim(
        note=str(note),
        keys=[str(LOG.verifier)],
        cosigners=[str(LIBRARY.verifier), str(COUNTY.verifier)],
        leaf=LEAF,
        index=0,
        hashes=(),
    )


@pytest.mark.peer
def test_go_accepts_a_cosigned_checkpoint_and_rejects_an_altered_or_missing_cosignature():
    library, county = COSIGNED.signatures[1:]
    altered = replace(library, value=library.value[:7] + bytes([library.value[7] ^ 1]) + library.value[8:])
    notes = [
        COSIGNED,
        replace(COSIGNED, signatures=(COSIGNED.signatures[0], altered, county)),
        replace(COSIGNED, signatures=(COSIGNED.signatures[0], county)),
    ]
    assert [not fault for fault in go.judge([claim(note) for note in notes])] == [True, False, False]


def test_a_proof_carries_its_cosignatures():
    proof = str(LogProof(0, (), COSIGNED))
    assert verify_proof(proof, LEAF, LOG.name, [LOG.verifier]) == Checkpoint(LOG.name, 1, ROOT)
    keys: list[NoteKey] = [LIBRARY.verifier, LOG.verifier]
    opened = open_note(proof.partition("\n\n")[2], keys)
    assert not isinstance(opened, NoteFault)
    assert opened[1] == set(keys)
