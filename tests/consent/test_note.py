import base64
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.note import (
    MAX_NOTE_BYTES,
    Note,
    NoteFault,
    NoteSignature,
    SignerKey,
    VerifierKey,
    decode_base64,
    open_note,
    parse_note,
    sign_note,
)

# The worked example of C2SP signed-note v1.0.0, section "Verifier keys".
C2SP_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = """This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""
LOG = SignerKey("log.example/city", sha256(b"log").digest())
LIBRARY = SignerKey("library.example", sha256(b"library").digest())
STRANGER = SignerKey("stranger.example", sha256(b"stranger").digest())


def keys(*signers: SignerKey) -> list[VerifierKey]:
    return [signer.verifier for signer in signers]


def opened(raw, *signers: SignerKey):
    result = open_note(raw, keys(*signers))
    return result if isinstance(result, NoteFault) else {key.name for key in result[1]}


def test_the_published_example_verifies():
    key = VerifierKey.parse(C2SP_KEY)
    assert key is not None
    assert str(key) == C2SP_KEY
    result = open_note(C2SP_NOTE, [key])
    assert not isinstance(result, NoteFault)
    assert result[0].text == "This is an example message.\n"
    assert result[1] == {key}


def test_the_published_example_changed_by_one_letter_is_rejected():
    key = VerifierKey.parse(C2SP_KEY)
    assert key is not None
    assert open_note(C2SP_NOTE.replace("This", "That"), [key]) is NoteFault.BAD_SIGNATURE


def test_a_signed_note_reads_back_as_it_was_written():
    note = sign_note("a\n\nb\n", [LOG, LIBRARY])
    assert parse_note(str(note)) == note
    assert parse_note(str(note).encode()) == note
    assert note.text == "a\n\nb\n"
    assert opened(str(note), LOG, LIBRARY) == {LOG.name, LIBRARY.name}


def test_signatures_of_unknown_keys_are_passed_over():
    note = sign_note("text\n", [STRANGER, LOG, LIBRARY])
    assert opened(note, LOG) == {LOG.name}
    assert opened(note) is NoteFault.UNKNOWN_KEYS


def test_a_failing_signature_of_a_known_key_rejects_the_whole_note():
    good = sign_note("text\n", [LOG, LIBRARY])
    forged = NoteSignature(LIBRARY.name, LIBRARY.verifier.key_id, bytes(64))
    note = Note(good.text, (good.signatures[0], forged))
    assert opened(note, LOG) == {LOG.name}
    assert opened(note, LOG, LIBRARY) is NoteFault.BAD_SIGNATURE


def test_a_key_known_by_name_only_or_by_id_only_is_unknown():
    other = SignerKey(LOG.name, sha256(b"another seed").digest())
    note = sign_note("text\n", [LOG])
    assert opened(note, other) is NoteFault.UNKNOWN_KEYS
    renamed = Note(note.text, (NoteSignature("x.example", *_parts(note)),))
    assert opened(renamed, LOG) is NoteFault.UNKNOWN_KEYS


def _parts(note: Note) -> tuple[bytes, bytes]:
    return note.signatures[0].key_id, note.signatures[0].value


def test_a_cosignature_of_a_type_we_do_not_check_is_passed_over():
    good = sign_note("text\n", [LOG])
    timestamped = NoteSignature("witness.example", b"\x01\x02\x03\x04", bytes(72))
    assert opened(str(Note(good.text, (*good.signatures, timestamped))), LOG) == {LOG.name}


def test_sixteen_signatures_are_accepted():
    signers = [SignerKey(f"w{n}.example", sha256(bytes([n])).digest()) for n in range(16)]
    assert opened(str(sign_note("text\n", signers)), *signers) == {signer.name for signer in signers}


@settings(deadline=None)
@given(st.data())
def test_one_changed_byte_anywhere_in_a_note_is_detected(data):
    raw = bytearray(str(sign_note("log.example/city\n12\nabc=\n", [LOG])).encode())
    spot = data.draw(st.integers(0, len(raw) - 1))
    raw[spot] ^= data.draw(st.integers(1, 255))
    assert isinstance(opened(bytes(raw), LOG), NoteFault)


SIGNED = str(sign_note("text\n", [LOG]))


@pytest.mark.parametrize(
    "raw",
    [
        "", "text\n", "text\n\n", "\n\n", SIGNED[:-1], SIGNED + "\n", SIGNED.replace("\n\n", "\n"),
        SIGNED.replace("text", "te\txt"), SIGNED.replace("text\n", "text\r\n"), SIGNED.replace("— ", "- "),
        SIGNED.replace("— ", "—  "), SIGNED.replace("— ", "—\xa0"), SIGNED.replace("=\n", "\n"),
        SIGNED.replace("log.example", "log+example"), SIGNED + "— x.example AAAAAA==\n",
        SIGNED + "not a signature\n", "text\n\n— x.example !!!!\n", SIGNED.encode().replace(b"text", b"te\xff"),
        SIGNED.replace("text", "\ud800"), SIGNED.replace("text", "x" * MAX_NOTE_BYTES),
        "text\n\n" + SIGNED.rpartition("\n\n")[2] * 65,
    ],
)  # fmt: skip
def test_anything_that_is_not_exactly_a_signed_note_is_malformed(raw):
    assert opened(raw, LOG) is NoteFault.MALFORMED


@pytest.mark.parametrize(
    "text",
    [
        "", C2SP_KEY.upper(), C2SP_KEY.replace("530d903a", "530d903b"), C2SP_KEY + "=", C2SP_KEY[:-4],
        C2SP_KEY.replace("example.com/foo", "example.com foo"), C2SP_KEY.replace("example.com/foo", ""),
        "example.com/foo+530d903a", "a+00000000+" + base64.b64encode(b"\x02" + bytes(32)).decode(),
    ],
)  # fmt: skip
def test_a_verifier_key_that_is_malformed_or_mislabelled_is_none(text):
    assert VerifierKey.parse(text) is None


def test_a_signer_key_reads_back_from_its_text_and_hides_its_seed():
    assert SignerKey.parse(LOG.secret_text) == LOG
    assert SignerKey.parse(LOG.secret_text.removeprefix("PRIVATE+KEY+")) is None
    assert SignerKey.parse(LOG.secret_text.replace("city", "town")) is None
    assert SignerKey.parse("PRIVATE+KEY+a+00000000+AA==") is None
    assert LOG.seed.hex() not in repr(LOG)
    assert repr(LOG.seed) not in repr(LOG)


def test_a_public_key_that_is_no_point_of_the_curve_verifies_nothing():
    broken = VerifierKey("x.example", b"\x02" + bytes(31))
    assert not broken.verifies("text\n", bytes(64))


@pytest.mark.parametrize("text", ["no newline", "control\x07\n", "cr\r\n"])
def test_a_text_no_note_can_hold_is_not_signed(text):
    with pytest.raises(ValueError, match="ends in a newline"):
        sign_note(text, [LOG])


def test_a_note_without_signers_is_not_made():
    with pytest.raises(ValueError, match="at least one"):
        sign_note("text\n", [])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb"])
def test_a_key_name_with_a_space_or_plus_is_refused(name):
    with pytest.raises(ValueError, match="name"):
        SignerKey(name, bytes(32))
    with pytest.raises(ValueError, match="name"):
        VerifierKey(name, bytes(32))


def test_a_key_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        SignerKey("a", bytes(31))
    with pytest.raises(ValueError, match="32 bytes"):
        VerifierKey("a", bytes(33))


@pytest.mark.parametrize("text", ["AB==", "A", "QQ=", " QQ==", "QR==", "Q-=="])
def test_base64_has_one_spelling(text):
    assert decode_base64(text) is None


def test_base64_in_its_one_spelling_is_read():
    assert decode_base64("QQ==") == b"A"
