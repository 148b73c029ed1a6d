from hashlib import sha256

import pytest

from consent import merkle
from consent.checkpoint import Checkpoint, sign_checkpoint
from consent.commitment import CommittedEntry, commit_entry, show
from consent.entry import EntryKind
from consent.note import SignerKey
from consent.proof import LogProof, ProofFault
from consent.receipt import SHOWN, Receipt, ReceiptFault, check_receipt, write_receipt
from tests.consent.naive_tree import TileStore
from tests.consent.test_entry import disclosure

ORIGIN = "log.example/city"
LOG = SignerKey(ORIGIN, sha256(b"log").digest())
PAYLOAD = b'{"plan":"as the clinic may see it"}'
US = "harbor-clinic"


def logged(*entries: CommittedEntry) -> list[LogProof]:
    store = TileStore()
    growth = merkle.integrate(0, [merkle.leaf_hash(entry.header) for entry in entries], store.get)
    store.put(dict(growth.tiles))
    note = sign_checkpoint(Checkpoint(ORIGIN, growth.size, growth.root), [LOG])
    return [
        LogProof(index, merkle.prove_inclusion(index, growth.size, store.get), note)
        for index in range(growth.size)
    ]


def entry(number: int, **changes) -> CommittedEntry:
    digest = sha256(PAYLOAD).hexdigest()
    return commit_entry(disclosure(payload_sha256=digest, **changes), sha256(bytes([number])).digest())


ENTRIES = [entry(0), entry(1), entry(2, kind=EntryKind.NOT_SENT)]
PROOFS = logged(*ENTRIES)
GOOD = write_receipt(ENTRIES[1], PROOFS[1])


def checked(
    receipt: Receipt,
    payload: bytes = PAYLOAD,
    recipient: str = US,
    origin: str = ORIGIN,
    log: SignerKey = LOG,
):
    return check_receipt(receipt, payload, recipient, origin, [log.verifier])


def test_a_recipient_checks_a_payload_offline_with_the_logs_key_alone():
    receipt = Receipt.model_validate_json(GOOD.model_dump_json())
    assert receipt == GOOD
    checkpoint = checked(receipt)
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.size == 3


def test_a_receipt_says_what_was_got_why_until_when_and_under_which_notices():
    assert GOOD.sequence == 1
    assert GOOD.payload_sha256 == sha256(PAYLOAD).hexdigest()
    assert GOOD.decision_id == "00000000-0000-0000-0000-000000000003"
    assert GOOD.scope == {
        "recipient": US,
        "categories": ["identity", "school"],
        "parts": ["plan"],
        "purpose": "COC",
        "valid_until": "2027-06-10T17:00:00.000000Z",
    }
    assert GOOD.opening.shown["notices"] == ["ferpa-99.33"]
    assert GOOD.opening.shown["obligations"] == ["NORDSCLCD"]


def test_a_receipt_names_neither_the_child_nor_a_directive():
    assert set(GOOD.opening.shown) == set(SHOWN)
    text = GOOD.model_dump_json()
    assert disclosure().child_tag not in text
    for cited in disclosure().directive_ids:
        assert str(cited) not in text


def opened_as(**shown) -> Receipt:
    opening = GOOD.opening.model_copy(update={"shown": GOOD.opening.shown | shown})
    return GOOD.model_copy(update={"opening": opening})


@pytest.mark.parametrize(
    ("receipt", "changes", "fault"),
    [
        (GOOD, {"payload": PAYLOAD + b" "}, ReceiptFault.OTHER_PAYLOAD),
        (GOOD, {"recipient": "someone-else"}, ReceiptFault.OTHER_RECIPIENT),
        (GOOD, {"origin": "other.example"}, ProofFault.CHECKPOINT_ORIGIN),
        (GOOD, {"log": SignerKey(ORIGIN, bytes(32))}, ProofFault.CHECKPOINT_UNKNOWN_KEYS),
        (opened_as(payload_sha256=sha256(b"x").hexdigest()), {"payload": b"x"}, ReceiptFault.NOT_OPENED),
        (opened_as(recipient="someone-else"), {"recipient": "someone-else"}, ReceiptFault.NOT_OPENED),
        (opened_as(valid_until=None), {}, ReceiptFault.NOT_OPENED),
        (GOOD.model_copy(update={"sequence": 0}), {}, ReceiptFault.OTHER_SEQUENCE),
        (GOOD.model_copy(update={"proof": "nonsense"}), {}, ProofFault.MALFORMED),
        (GOOD.model_copy(update={"proof": str(PROOFS[0]), "sequence": 0}), {}, ProofFault.NOT_INCLUDED),
        (write_receipt(ENTRIES[2], PROOFS[2]), {}, ReceiptFault.NOT_A_RELEASE),
        (write_receipt(entry(9), PROOFS[1]), {}, ProofFault.NOT_INCLUDED),
    ],
)
def test_a_payload_whose_receipt_does_not_hold_is_refused_with_the_reason(receipt, changes, fault):
    assert checked(receipt, **changes) is fault


def test_a_receipt_that_shows_too_little_is_refused():
    for hidden in SHOWN:
        opening = show(ENTRIES[1].body, [name for name in SHOWN if name != hidden])
        assert checked(GOOD.model_copy(update={"opening": opening})) is ReceiptFault.NOT_OPENED
