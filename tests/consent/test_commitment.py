import base64
import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.canonical import canonical_json
from consent.commitment import Opening, commit_entry, parse_header, record_in, show, shows
from consent.entry import read_entry
from tests.consent.test_entry import change, disclosure

SALT = sha256(b"salt").digest()
ENTRY = disclosure()
COMMITTED = commit_entry(ENTRY, SALT)
HEADER, BODY = COMMITTED.header, COMMITTED.body


def test_the_leaf_says_an_hour_and_a_commitment_and_nothing_of_the_entry():
    content = json.loads(HEADER)
    assert content == {
        "type": "planhub-entry",
        "version": 1,
        "hour": "2026-11-22T17:00:00Z",
        "commit": content["commit"],
    }
    assert canonical_json(content) == HEADER
    for value in (ENTRY.child_tag, ENTRY.recipient, ENTRY.payload_sha256, ENTRY.purpose, "disclosure"):
        assert str(value).encode() not in HEADER


def test_the_body_is_what_the_leaf_committed_to():
    record = record_in(HEADER, BODY)
    assert record is not None
    assert read_entry(record) == ENTRY


def test_kinds_of_entry_cannot_be_told_apart_by_their_leaves():
    assert len(commit_entry(change(), SALT).header) == len(HEADER)


def test_the_same_entry_with_another_salt_has_another_leaf():
    assert commit_entry(ENTRY, sha256(b"other").digest()).header != HEADER
    assert commit_entry(ENTRY, SALT).header == HEADER


def test_without_the_salt_a_guess_cannot_be_checked():
    """Destroying the salt leaves nothing to test a guessed record against but 2**256 salts."""
    assert record_in(HEADER, bytes(32) + BODY[32:]) is None
    assert SALT not in HEADER
    assert base64.b64encode(SALT) not in HEADER


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_one_changed_byte_anywhere_in_a_body_is_detected(spot, flip):
    changed = bytearray(BODY)
    changed[spot] ^= flip
    assert record_in(HEADER, bytes(changed)) is None


@given(st.integers(0, len(HEADER) - 1), st.integers(1, 255))
def test_one_changed_byte_of_the_leaf_is_another_leaf(spot, flip):
    changed = bytearray(HEADER)
    changed[spot] ^= flip
    parsed, original = parse_header(bytes(changed)), parse_header(HEADER)
    assert parsed is None or parsed != original


@pytest.mark.parametrize(
    "body", [b"", SALT, SALT + b"{", SALT + b"[]", SALT + b" " + BODY[32:], SALT + b"[" * 10_000]
)
def test_what_is_no_body_opens_nothing(body):
    assert record_in(HEADER, body) is None


@pytest.mark.parametrize(
    "header",
    [
        b"", b"{}", b"[]", b"null", b"\xff", HEADER + b" ", b" " + HEADER, HEADER.replace(b'"version":1', b'"version":2'),
        HEADER.replace(b"planhub-entry", b"other-entry"), HEADER.replace(b'"commit":"', b'"commit":"AAAA'),
        HEADER.replace(b"T17:00:00Z", b"T17:00:00"), HEADER.replace(b"2026-", b"soon-"), b"[" * 100_000,
        HEADER.replace(b'{"commit"', b'{"a":1,"commit"'), HEADER.replace(b'"version":1', b'"version":1,"version":1'),
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_header_is_none(header):
    assert parse_header(header) is None
    assert record_in(header, BODY) is None


@pytest.mark.parametrize("salt", [b"", bytes(31), bytes(33)])
def test_a_salt_has_its_length(salt):
    with pytest.raises(ValueError, match="32 bytes"):
        commit_entry(ENTRY, salt)


NAMES = ("payload_sha256", "recipient")


def test_some_fields_can_be_shown_without_the_rest():
    opening = show(BODY, NAMES)
    assert opening.shown == {"payload_sha256": ENTRY.payload_sha256, "recipient": ENTRY.recipient}
    assert shows(HEADER, opening)
    text = opening.model_dump_json()
    assert ENTRY.child_tag not in text
    assert base64.b64encode(SALT).decode() not in text
    assert Opening.model_validate_json(text) == opening


def test_showing_nothing_and_showing_all_both_hold():
    assert shows(HEADER, show(BODY, ()))
    assert shows(HEADER, show(BODY, type(ENTRY).model_fields))


def test_a_shown_field_that_was_changed_moved_or_added_does_not_hold():
    opening = show(BODY, NAMES)
    changed = opening.shown | {"recipient": "someone-else"}
    swapped = {"recipient": ENTRY.payload_sha256, "payload_sha256": ENTRY.recipient}
    added = opening.shown | {"purpose": "COC"}
    for shown in (changed, swapped, added, {}, opening.shown | {"": 1}, opening.shown | {"recipient": 1.5}):
        assert not shows(HEADER, opening.model_copy(update={"shown": shown}))


def test_an_opening_of_another_entry_does_not_hold():
    assert not shows(commit_entry(disclosure(purpose="TREAT"), SALT).header, show(BODY, NAMES))
    assert not shows(b"{}", show(BODY, NAMES))


def test_a_salt_cannot_borrow_bytes_from_the_value_beside_it():
    """salt ‖ 7, split elsewhere, would otherwise show a child_epoch that was never recorded."""
    entry = disclosure(child_epoch=75)
    committed = commit_entry(entry, SALT)
    opening = show(committed.body, ["child_epoch"])
    salt = base64.b64decode(opening.salts["child_epoch"])
    moved = opening.model_copy(
        update={
            "shown": {"child_epoch": 5},
            "salts": opening.salts | {"child_epoch": base64.b64encode(salt + b"7").decode()},
        }
    )
    assert shows(committed.header, opening)
    assert not shows(committed.header, moved)


def test_a_hidden_field_cannot_be_shown_twice():
    opening = show(BODY, NAMES)
    twice = opening.model_copy(update={"digests": opening.digests | {"recipient": opening.salts[""]}})
    assert not shows(HEADER, twice)


def test_only_fields_that_are_there_can_be_shown():
    with pytest.raises(KeyError):
        show(BODY, ["name"])
    with pytest.raises(ValueError, match="not the body"):
        show(b"", NAMES)
