import base64
import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import merkle
from consent.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from consent.note import NoteFault, SignerKey, VerifierKey, decode_base64, open_note
from consent.tiles import Tile
from tests.paths import corpus

ORIGIN = "log.example/city"
LOG = SignerKey(ORIGIN, sha256(b"log").digest())
ROOT = sha256(b"root").digest()
CHECKPOINT = Checkpoint(ORIGIN, 20_852_163, ROOT)

# Published by the log's authors beside the recorded log (transparency-dev/tessera, testdata/build_log.sh).
TESSERA_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"


def conformance_cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(
        corpus("consent", "checkpoints", "checkpoint-cases.json").read_text()
    )["cases"]
    return cases


def log_keys(case: dict[str, Any]) -> list[VerifierKey]:
    """The Ed25519 logs a case trusts, under the names their checkpoints use."""
    spki_header = 12  # bytes of an Ed25519 SubjectPublicKeyInfo before the key itself (RFC 8410 §4)
    return [
        VerifierKey(log["baseUrl"].removeprefix("https://"), (decode_base64(log["pub"]) or b"")[spki_header:])
        for log in case["trusted_logs"]
        if log["alg"] == "PKIX_ED25519"
    ]


@pytest.mark.corpus
def test_the_eleven_rekor_v2_checkpoints_pass_and_fail_as_sigstore_says():
    cases = [case for case in conformance_cases() if case["case"].startswith("rekor2-")]
    assert len(cases) == 11
    judged = {}
    for case in cases:
        keys = log_keys(case)
        checkpoint = open_checkpoint(case["envelope"], keys[0].name, keys)
        judged[case["case"]] = (
            isinstance(checkpoint, Checkpoint)
            and (checkpoint.size, base64.b64encode(checkpoint.root).decode())
            == (int(case["treeSize"]), case["rootHash"])
            and merkle.verify_inclusion(
                merkle.leaf_hash(base64.b64decode(case["body"])),
                int(case["logIndex"]),
                checkpoint.size,
                [base64.b64decode(value) for value in case["hashes"]],
                checkpoint.root,
            )
        )
    assert judged == {case["case"]: case["expect"] == "pass" for case in cases}


@pytest.mark.corpus
def test_inclusion_in_the_older_rekor_log_is_judged_as_sigstore_says():
    """Those checkpoints are signed with ECDSA, which we do not read; their trees and audit paths are plain RFC 6962."""
    cases = [case for case in conformance_cases() if not case["case"].startswith("rekor2-")]
    judged = {
        case["case"]: merkle.verify_inclusion(
            merkle.leaf_hash(base64.b64decode(case["body"])),
            int(case["logIndex"]),
            int(case["treeSize"]),
            [base64.b64decode(value) for value in case["hashes"]],
            base64.b64decode(case["rootHash"]),
        )
        for case in cases
    }
    about_the_path = {name: ok for name, ok in judged.items() if "checkpoint" not in name}
    assert about_the_path == {name: not name.endswith("_fail") for name in about_the_path}
    assert len(about_the_path) == 6


@pytest.mark.corpus
def test_all_sixteen_checkpoints_of_a_log_made_by_others_open_and_every_proof_between_them_verifies():
    log = corpus("consent", "tessera-log", "log")
    key = VerifierKey.parse(TESSERA_KEY)
    assert key is not None
    checkpoints = {}
    for number in range(16):
        opened = open_checkpoint((log / f"checkpoint.{number}").read_bytes(), key.name, [key])
        assert isinstance(opened, Checkpoint)
        checkpoints[opened.size] = opened
    assert sorted(checkpoints) == list(range(16))

    def get(tiles):
        return {tile: (log / tile.path).read_bytes() for tile in tiles}

    entries = _entries((log / "tile/entries/000.p/15").read_bytes())
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    assert (log / Tile(0, 0, 15).path).read_bytes() == b"".join(leaves)
    for size, checkpoint in checkpoints.items():
        assert merkle.root_at(size, get) == checkpoint.root
        for index in range(size):
            proof = merkle.prove_inclusion(index, size, get)
            assert merkle.verify_inclusion(leaves[index], index, size, proof, checkpoint.root)
        for old in range(1, size + 1):
            proof = merkle.prove_consistency(old, size, get)
            assert merkle.verify_consistency(old, size, checkpoints[old].root, checkpoint.root, proof)


@pytest.mark.corpus
def test_growing_our_own_tree_over_their_entries_ends_in_their_root():
    log = corpus("consent", "tessera-log", "log")
    entries = _entries((log / "tile/entries/000.p/15").read_bytes())
    growth = merkle.integrate(0, [merkle.leaf_hash(entry) for entry in entries], lambda _: {})
    key = VerifierKey.parse(TESSERA_KEY)
    assert key is not None
    opened = open_checkpoint((log / "checkpoint").read_bytes(), key.name, [key])
    assert isinstance(opened, Checkpoint)
    assert (opened.size, opened.root) == (growth.size, growth.root)


def _entries(bundle: bytes) -> list[bytes]:
    """Big-endian u16 length before each entry (C2SP tlog-tiles, "Log entries")."""
    entries, at = [], 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        entries.append(bundle[at + 2 : at + 2 + length])
        at += 2 + length
    return entries


def test_a_checkpoint_reads_back_as_it_was_signed():
    note = sign_checkpoint(CHECKPOINT, [LOG])
    assert note.text == f"log.example/city\n20852163\n{base64.b64encode(ROOT).decode()}\n"
    assert open_checkpoint(str(note), ORIGIN, [LOG.verifier]) == CHECKPOINT


def test_during_a_key_change_either_key_opens_the_checkpoint():
    new = SignerKey(ORIGIN, sha256(b"new").digest())
    note = str(sign_checkpoint(CHECKPOINT, [LOG, new]))
    assert open_checkpoint(note, ORIGIN, [LOG.verifier]) == CHECKPOINT
    assert open_checkpoint(note, ORIGIN, [new.verifier]) == CHECKPOINT


def test_a_checkpoint_of_another_log_signed_by_a_key_we_know_is_refused():
    note = sign_checkpoint(Checkpoint("other.example", 1, ROOT), [LOG])
    assert open_checkpoint(note, ORIGIN, [LOG.verifier]) is NoteFault.WRONG_ORIGIN


def test_a_signed_note_that_is_no_checkpoint_is_malformed():
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, b"short"), [LOG])
    assert not isinstance(open_note(note, [LOG.verifier]), NoteFault)
    assert open_checkpoint(note, ORIGIN, [LOG.verifier]) is NoteFault.MALFORMED


@pytest.mark.parametrize(
    "size",
    [
        "+5",
        " 5",
        "5 ",
        "1_0",
        "007",
        "-1",
        "",
        "\u0665",
        "0x5",
        "1e3",
        "5.0",
        "9223372036854775808",
        "1" * 40,
    ],
)
def test_a_size_that_is_not_plain_decimal_is_refused(size):
    assert parse_checkpoint(f"{ORIGIN}\n{size}\n{base64.b64encode(ROOT).decode()}\n") is None


@pytest.mark.parametrize("size", [0, 1, 255, 2**63 - 1])
def test_a_plain_size_is_read(size):
    text = Checkpoint(ORIGIN, size, ROOT).text
    assert parse_checkpoint(text) == Checkpoint(ORIGIN, size, ROOT)


TEXT = CHECKPOINT.text


@pytest.mark.parametrize(
    "text",
    [
        "", TEXT[:-1], TEXT + "\n", TEXT + "extension\n", TEXT.replace(ORIGIN, ""), TEXT.removeprefix(ORIGIN + "\n"),
        TEXT.replace("=\n", "\n"), f"{ORIGIN}\n5\n{base64.b64encode(ROOT[:31]).decode()}\n",
        f"{ORIGIN}\n5\n{base64.b64encode(ROOT + b'x').decode()}\n", f"{ORIGIN}\n5\n{ROOT.hex()}\n",
    ],
)  # fmt: skip
def test_any_other_shape_is_no_checkpoint(text):
    assert parse_checkpoint(text) is None


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_every_checkpoint_reads_back(size, root):
    assert parse_checkpoint(Checkpoint(ORIGIN, size, root).text) == Checkpoint(ORIGIN, size, root)
