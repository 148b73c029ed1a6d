"""What the hub and an adapter say to each other: sources give documents, destinations take sealed bytes.

Expected outcomes are values. The one exception here, `StaleDecision`, belongs to the hub: an adapter lets it through
untouched, and promises that nothing had left when it was raised (ARCHITECTURE §6).
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from mappings.record.issue import Issue


class Cause(StrEnum):
    """Closed list of why a partner did not do what was asked. Add at the end; never reuse a retired code."""

    TIMEOUT = "timeout"
    DNS = "dns"
    TLS = "tls"
    CONNECT = "connect"
    DISCONNECTED = "disconnected"
    EGRESS = "egress"  # the address is not one this hub may call
    BAD_ADDRESS = "bad-address"  # not an http(s) address, or one with a user name in it
    HTTP_5XX = "http-5xx"
    HTTP_429 = "http-429"
    HTTP_4XX = "http-4xx"
    HTTP_OTHER = "http-other"  # neither success nor a status HTTP gives a meaning here
    BAD_TOKEN = "bad-token"  # noqa: S105 - the name of a cause, not a secret
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    GONE = "gone"
    CONFLICT = "conflict"
    REDIRECT = "redirect"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    BAD_JSON = "bad-json"
    BAD_ENCODING = "bad-encoding"  # a content coding that was not asked for, or broken compression
    BAD_SHAPE = "bad-shape"  # valid JSON that is not what the standard says
    BAD_PAGING = "bad-paging"  # pages that repeat, never end, or lead to another origin
    UNSUPPORTED = "unsupported"  # the partner's system does not offer what this connection needs
    NOT_REPEATABLE = "not-repeatable"  # a second attempt could create a second record
    FOLDER = "folder"  # the drop folder is missing, full or not writable


@dataclass(frozen=True, slots=True)
class Transient:
    """May succeed later: the lane waits, `retry_after_s` seconds where the partner named a time."""

    cause: Cause
    status: int | None = None
    retry_after_s: float | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Will not succeed by repeating: the delivery is dead until a person changes something.

    `codes` come from closed code systems only (FHIR issue-type, Ed-Fi problem types): never text a partner wrote.
    """

    cause: Cause
    status: int | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The partner does not accept this hub's credentials, also not fresh ones."""

    cause: Cause = Cause.BAD_TOKEN
    status: int | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Malformed:
    """The partner answered with something that cannot be read within the bounds; what was sent may have arrived."""

    cause: Cause
    status: int | None = None


Failure = Transient | Refused | Unauthorized | Malformed
"""Every way to fail. None of them carries a body, a header, a query or a name."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be delivered, before any decision: `id` is the idempotency key of every attempt.

    `subject` is the recipient's own pairwise reference for the child, never the hub's id (ARCHITECTURE §6).
    """

    id: UUID
    body: bytes = field(repr=False)
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    subject: str | None = field(default=None, repr=False)


class SealBroken(Exception):  # noqa: N818 - it names what happened; it is a bug, never an expected outcome
    """The bytes are not those the ledger entry commits to: nothing was sent."""


class StaleDecision(Exception):  # noqa: N818 - the hub's signal, not an error of the adapter
    """Raised by the hub's `opened` callback: the decision is too old, so nothing may leave on this connection."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A committed release: the only thing a socket accepts (ARCHITECTURE §6). Only the gateway constructs one.

    `entry` is the ledger sequence number, `payload_sha256` the digest in that entry, `decided_at` the instant of the
    decision (aware UTC), `proof` the gateway's reference to the committed release.
    """

    body: bytes = field(repr=False)
    entry: int
    delivery_id: UUID
    payload_sha256: bytes = field(repr=False)
    decided_at: datetime
    proof: str = field(repr=False)

    def unseal(self) -> bytes:
        """The body, after comparing its SHA-256 with the ledger entry's. Raises SealBroken on a difference."""
        if hashlib.sha256(self.body).digest() != self.payload_sha256:
            msg = f"delivery {self.delivery_id}: the bytes differ from ledger entry {self.entry}; nothing was sent"
            raise SealBroken(msg)
        return self.body


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the recipient answered, without content: safe to store and to show.

    `locations` are references in the recipient's own system (`Task/12/_history/1`, a file name); `repeated` is true
    where the recipient already had this delivery.
    """

    status: int | None = None
    locations: tuple[str, ...] = ()
    response_sha256: bytes | None = field(default=None, repr=False)
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """The recipient has it."""

    receipt: Receipt


class Destination(Protocol):
    """Something that takes sealed bytes to one recipient."""

    def deliver(self, sealed: Sealed, *, opened: Callable[[], None]) -> Delivered | Failure:
        """Send once. Calls `opened` when the way is open and before the first byte; if it raises, nothing leaves."""
        ...


class Operation(StrEnum):
    """What happened to a source record."""

    UPSERT = "upsert"
    DELETE = "delete"
    REKEY = "rekey"  # its natural key changed; the body holds the old and the new key values


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """One record as its source states it.

    `record_id` is the source's own id. It is not the record's identity: an Ed-Fi item that is deleted and created again
    has a new one, and the old one is never reported as deleted. Tell records apart by their natural key.
    `raw` is exactly the bytes received (of a deletion or key change: those of the notice), `body` the same parsed.
    `version` is the source's own validator (Ed-Fi `_etag`, FHIR versionId, change version of a notice).
    """

    resource: str
    record_id: str
    version: str | None
    operation: Operation
    raw: bytes = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Watermark:
    """Last item of a complete pull: store `since` and pass it to the next one.

    `full` is true where everything was read, so what is absent was deleted. `absent` names what the source lacks
    (a resource of the allow-list, `deletes`, `key-changes`), which the connection page should show.
    """

    since: int | None
    full: bool
    absent: tuple[str, ...] = ()


class Source(Protocol):
    """Something that can be asked what changed.

    The iterator ends with a `Watermark`, or with the `Failure` that stopped it: then what came before is still valid
    and may be kept, and the next pull starts from the same mark. An `Issue` marks one record that could not be read.
    """

    def pull(self, since: int | None) -> Iterator[SourceDocument | Issue | Watermark | Failure]:
        """Everything that changed after `since`; everything, where it is None."""
        ...
