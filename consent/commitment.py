"""How an entry enters the tree without being readable there, and how a single field of it is shown (consent.md §4).

Every field is hashed with a salt of its own; the commitment is the hash of those digests with one more salt; the leaf is a header
holding the commitment and an hour. All salts come from one random 32-byte salt kept with the entry:

    salt(name)  = HMAC-SHA256(salt32, name)
    digest(f)   = SHA256(salt(f) ‖ JCS(value of f))
    commit      = SHA256(salt("") ‖ JCS({f: base64(digest(f)), ...}))
    leaf        = JCS({"commit", "hour", "type", "version"})

So nobody can test a guess against the log, erasing salt32 with the entry leaves the leaf meaningless and the tree whole, and
a recipient or a court can be shown some fields, provably those of the leaf, without the rest.
"""

import hmac
import json
from binascii import b2a_base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict

from consent.canonical import canonical_json, canonical_object
from consent.entry import Entry, record_of
from consent.note import decode_base64

SALT_BYTES = 32
_TYPE = "planhub-entry"
_VERSION = 1
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class CommittedEntry:
    """An entry ready for the log: `header` is the leaf's bytes, `body` (salt32 ‖ JCS(record)) is sealed beside it."""

    header: bytes
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Header:
    """What a leaf says in clear: an hour and a commitment."""

    hour: datetime
    commitment: bytes


class Opening(BaseModel):
    """Some fields of an entry, with what it takes to see that the leaf committed to them; bytes in base64."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shown: dict[str, Any]
    salts: dict[str, str]  # of the shown fields, and under "" the commitment's own
    digests: dict[str, str]  # of the fields not shown


def commit_entry(entry: Entry, salt: bytes) -> CommittedEntry:
    """The leaf and body of an entry. `salt` is 32 random bytes, new for every entry."""
    if len(salt) != SALT_BYTES:
        msg = "a salt is 32 bytes"
        raise ValueError(msg)
    spelled = {name: canonical_json(value) for name, value in record_of(entry).items()}
    header = canonical_json(
        {
            "commit": _base64(_commitment(_digests(spelled, salt), _salt(salt, ""))),
            "hour": entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:00:00Z"),
            "type": _TYPE,
            "version": _VERSION,
        }
    )
    return CommittedEntry(header, salt + canonical_object(spelled))


def parse_header(header: bytes) -> Header | None:
    """What a leaf's bytes say, or None where they are not exactly a header of ours."""
    try:
        content = json.loads(header)
        hour = datetime.fromisoformat(content["hour"])
        commitment = decode_base64(content["commit"])
        canonical = canonical_json(content) == header
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not canonical or content.keys() != {"commit", "hour", "type", "version"}:
        return None
    if (content["type"], content["version"]) != (_TYPE, _VERSION) or hour.tzinfo is None:
        return None
    if commitment is None or len(commitment) != _DIGEST_BYTES:
        return None
    return Header(hour, commitment)


def record_in(header: bytes, body: bytes) -> bytes | None:
    """The canonical record in an unsealed body, if it is what the leaf committed to."""
    parsed, record = parse_header(header), _record(body)
    if parsed is None or record is None or canonical_json(record) != body[SALT_BYTES:]:
        return None
    salt = body[:SALT_BYTES]
    digests = _digests({name: canonical_json(value) for name, value in record.items()}, salt)
    same = hmac.compare_digest(parsed.commitment, _commitment(digests, _salt(salt, "")))
    return body[SALT_BYTES:] if same else None


def show(body: bytes, names: Collection[str]) -> Opening:
    """An opening of these fields of an unsealed body; the others stay digests. Unknown names raise KeyError."""
    record, salt = _record(body), body[:SALT_BYTES]
    if record is None:
        msg = "not the body of an entry"
        raise ValueError(msg)
    shown = {name: record[name] for name in names}
    hidden = {name: canonical_json(value) for name, value in record.items() if name not in shown}
    return Opening(
        shown=shown,
        salts={name: _base64(_salt(salt, name)) for name in ("", *sorted(shown))},
        digests=_digests(hidden, salt),
    )


def shows(header: bytes, opening: Opening) -> bool:
    """Whether the shown fields are those the leaf committed to."""
    parsed = parse_header(header)
    salts = {name: decode_base64(text) or b"" for name, text in opening.salts.items()}
    if parsed is None or "" in opening.shown or salts.keys() != {"", *opening.shown}:
        return False
    # A salt of another length could borrow bytes from the value beside it and so show another value.
    if opening.shown.keys() & opening.digests.keys() or any(len(s) != SALT_BYTES for s in salts.values()):
        return False
    try:
        digests = dict(opening.digests)
        for name, value in opening.shown.items():
            digests[name] = _base64(sha256(salts[name] + canonical_json(value)).digest())
        committed = _commitment(digests, salts[""])
    except ValueError:  # a shown value outside canonical JSON is no field of an entry
        return False
    return hmac.compare_digest(parsed.commitment, committed)


def _record(body: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(body[SALT_BYTES:])
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _salt(salt: bytes, name: str) -> bytes:
    return hmac.digest(salt, name.encode(), "sha256")


def _digests(spelled: Mapping[str, bytes], salt: bytes) -> dict[str, str]:
    """Each field's digest, in base64; `spelled` are their values in canonical JSON."""
    return {name: _base64(sha256(_salt(salt, name) + value).digest()) for name, value in spelled.items()}


def _commitment(digests: Mapping[str, str], salt: bytes) -> bytes:
    return sha256(salt + canonical_json(digests)).digest()


def _base64(value: bytes) -> str:
    return b2a_base64(value, newline=False).decode()
