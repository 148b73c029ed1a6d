"""A witness answers as C2SP tlog-witness says, and no attack on a log's history gets a cosignature."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.checkpoint import Checkpoint, sign_checkpoint
from consent.merkle import EMPTY_ROOT, leaf_hash
from consent.note import NoteSignature, SignerKey, VerifierKey
from consent.trust_policy import TrustPolicy, parse_policy
from consent.witness import (
    NOTHING_SEEN,
    Accepted,
    Answer,
    Rejected,
    Request,
    Seen,
    consider,
    known_keys,
    parse_request,
    stated_size,
)
from tests.consent import naive_tree
from tests.paths import ROOT

LOG = SignerKey("log.example/city", sha256(b"log").digest())
THIEF = SignerKey("log.example/city", sha256(b"thief").digest())
LEAVES = [leaf_hash(b"%d" % n) for n in range(40)]
TRANSCRIPT = json.loads((ROOT / "tests/golden/witness/add-checkpoint.json").read_text())


def submitted(
    old: int, leaves: Sequence[bytes], *, proof: Sequence[bytes] | None = None, signer: SignerKey = LOG
) -> bytes:
    """What a log sends that has these leaves and believes the witness at `old`."""
    note = sign_checkpoint(Checkpoint(LOG.name, len(leaves), naive_tree.mth(leaves)), [signer])
    if proof is None:
        proof = naive_tree.proof(old, leaves) if 0 < old < len(leaves) else ()
    return str(Request(old, tuple(proof), note)).encode()


def seen(count: int, leaves: Sequence[bytes] = LEAVES) -> Seen:
    return Seen(count, naive_tree.mth(leaves[:count]))


def judged(raw: bytes, at: Seen) -> Answer | None:
    """Why it is rejected; None where it is accepted."""
    verdict = consider(raw, [LOG.verifier], at)
    return None if isinstance(verdict, Accepted) else verdict.answer


def test_the_recorded_transcript_of_another_witness_is_answered_alike():
    log = VerifierKey(TRANSCRIPT["origin"], bytes.fromhex(TRANSCRIPT["public_key_hex"]))
    policy = parse_policy(f"log {log}\nquorum none\n")
    assert isinstance(policy, TrustPolicy)
    at = NOTHING_SEEN
    answers: list[tuple[int, str | None]] = []
    for step in TRANSCRIPT["steps"]:
        raw = step["request"].encode()
        verdict: Any = consider(raw, known_keys(raw, policy)[1], at)
        if isinstance(verdict, Accepted):
            at = Seen(verdict.checkpoint.size, verdict.checkpoint.root)
            answers.append((200, None))
        else:
            answers.append((int(verdict.answer), None if verdict.size is None else f"{verdict.size}\n"))
    expected = [(step["status"], step["body"]) for step in TRANSCRIPT["steps"]]
    expected[1] = (
        400,
        None,
    )  # its base64 is not canonical, which we do not read; the recorded witness does and says 403
    expected[2] = (404, None)  # tlog-witness: an unknown origin is 404; the recorded witness says 403
    assert answers == expected


@given(st.integers(0, 40), st.integers(0, 40))
def test_every_continuation_is_accepted_and_only_from_where_the_witness_stands(old, new):
    expected = None if old <= new else Answer.MALFORMED
    assert judged(submitted(old, LEAVES[:new]), seen(old)) == expected


def test_what_is_cosigned_bears_the_logs_signature_alone():
    raw = submitted(0, LEAVES[:3])
    stranger = SignerKey("somebody.example", sha256(b"somebody").digest())
    parsed = parse_request(raw)
    assert parsed is not None
    text = raw.decode() + stranger.sign(parsed[0].note.text).line
    verdict = consider(text.encode(), [LOG.verifier], NOTHING_SEEN)
    assert isinstance(verdict, Accepted)
    assert [line.name for line in verdict.note.signatures] == [LOG.name]


def test_attack_fork_the_same_size_with_another_entry_is_refused():
    forked = [*LEAVES[:9], leaf_hash(b"another")]
    assert judged(submitted(10, forked), seen(10)) is Answer.INCONSISTENT
    longer = [*forked, *LEAVES[10:20]]
    assert judged(submitted(10, longer), seen(10)) is Answer.INCONSISTENT


def test_attack_truncate_a_shorter_log_is_refused_whatever_it_claims_of_the_past():
    assert judged(submitted(7, LEAVES[:7]), seen(10)) is Answer.OTHER_SIZE
    assert judged(submitted(10, LEAVES[:7]), seen(10)) is Answer.MALFORMED


def test_attack_reorder_two_swapped_entries_are_refused():
    swapped = [LEAVES[1], LEAVES[0], *LEAVES[2:20]]
    assert judged(submitted(10, swapped), seen(10)) is Answer.INCONSISTENT


def test_attack_restore_an_old_backup_and_sign_on_is_refused_and_the_witness_says_where_it_stands():
    restored = [*LEAVES[:7], leaf_hash(b"after the restore"), leaf_hash(b"and more")]
    verdict = consider(submitted(7, restored), [LOG.verifier], seen(10))
    assert verdict == Rejected(Answer.OTHER_SIZE, "", 10)
    overtaking = [*restored, *LEAVES[20:25]]
    assert judged(submitted(10, overtaking), seen(10)) is Answer.INCONSISTENT


def test_attack_duplicate_number_an_entry_written_twice_in_the_past_is_refused():
    doubled = [*LEAVES[:5], LEAVES[4], *LEAVES[5:20]]
    assert judged(submitted(10, doubled), seen(10)) is Answer.INCONSISTENT


def test_attack_zero_size_an_empty_log_erases_nothing_and_has_one_root():
    assert judged(submitted(0, []), seen(10)) is Answer.OTHER_SIZE
    note = sign_checkpoint(Checkpoint(LOG.name, 0, sha256(b"x").digest()), [LOG])
    assert judged(str(Request(0, (), note)).encode(), NOTHING_SEEN) is Answer.INCONSISTENT
    assert judged(submitted(0, []), Seen(0, EMPTY_ROOT)) is None


def test_a_known_keys_wrong_signature_is_refused_beside_a_right_one():
    raw = submitted(10, LEAVES[:20]).decode()
    wrong = NoteSignature(LOG.name, LOG.verifier.key_id, bytes(64))
    assert judged((raw + wrong.line).encode(), seen(10)) is Answer.NOT_SIGNED


def test_attack_stolen_name_a_checkpoint_by_another_key_is_refused():
    assert judged(submitted(10, LEAVES[:20], signer=THIEF), seen(10)) is Answer.NOT_SIGNED


@pytest.mark.parametrize(
    ("old", "leaves"),
    [
        (10, [*LEAVES[:9], leaf_hash(b"another")]),
        (7, LEAVES[:7]),
        (10, [LEAVES[1], LEAVES[0], *LEAVES[2:20]]),
        (7, [*LEAVES[:7], leaf_hash(b"after the restore")]),
        (10, [*LEAVES[:5], LEAVES[4], *LEAVES[5:20]]),
        (0, []),
    ],
    ids=["fork", "truncate", "reorder", "old backup", "duplicate number", "zero size"],
)
def test_every_attack_succeeds_against_a_witness_that_neither_remembers_nor_checks(old, leaves, monkeypatch):
    """The control: what refuses them is the witness's memory and its check, and nothing else."""
    raw = submitted(old, leaves)
    assert judged(raw, seen(10)) is not None
    monkeypatch.setattr("consent.witness._continues", lambda *_: True)
    assert judged(raw, Seen(old, EMPTY_ROOT)) is None


def test_a_proof_from_nothing_or_between_equals_is_refused():
    assert judged(submitted(0, LEAVES[:4], proof=[LEAVES[0]]), NOTHING_SEEN) is Answer.INCONSISTENT
    assert judged(submitted(4, LEAVES[:4], proof=[LEAVES[0]]), seen(4)) is Answer.INCONSISTENT


def test_a_log_nobody_named_is_unknown():
    assert consider(submitted(0, LEAVES[:4]), [], NOTHING_SEEN).answer is Answer.UNKNOWN_LOG


@pytest.mark.parametrize(
    "change",
    [
        ("old 10", "old 010"),
        ("old 10", "old +10"),
        ("old 10", "old  10"),
        ("old 10", "old -1"),
        ("old 10", "new 10"),
        ("old 10\n", "old 10\n\n"),
        ("old 10\n", "old 10\nAAAA\n"),
        ("old 10\n", "old 10\n" + "A" * 43 + "=\n" * 1 + ("A" * 43 + "=\n") * 64),
        ("\n20\n", "\n020\n"),
    ],
)
def test_a_malformed_request_is_400(change):
    old, new = change
    raw = submitted(10, LEAVES[:20]).decode()
    assert old in raw
    assert judged(raw.replace(old, new, 1).encode(), seen(10)) is Answer.MALFORMED


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise(raw):
    assert judged(raw, seen(10)) is Answer.MALFORMED


def test_a_stated_size_is_a_decimal_and_a_newline_and_nothing_else():
    assert stated_size(b"10\n") == 10
    assert [stated_size(raw) for raw in (b"10", b"010\n", b"-1\n", b"10\n\n", b"", b"9" * 40 + b"\n")] == [
        None
    ] * 6
