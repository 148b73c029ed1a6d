"""What the log holds: one entry for every release, refusal and change of consent (consent.md §1.6).

One disclosure entry serves every accounting duty (34 CFR 99.32, 45 CFR 164.528, 42 CFR 2.24) and the family's page; each of
those is a projection of it. How an entry enters the tree without being readable there: `consent.commitment`.
"""

import json
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from consent.canonical import canonical_json
from consent.vocabulary import Basis, Obligation, Reason
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.regime import Regime


class EntryKind(StrEnum):
    """What an entry records. Closed; never reuse a retired one."""

    REQUEST = "request"
    DISCLOSURE = "disclosure"
    DENIAL = "deny"
    BREAK_GLASS = "break_glass"
    RECALL = "recall"
    READ = "read"  # a plaintext read that reached no agency: family, steward
    WITHHELD = "withheld"  # a delivery that waited and was stopped
    NOT_SENT = "not_sent"  # for an attempt already entered: nothing left
    ACKNOWLEDGED = "acknowledged"  # the recipient says it has it, or has recalled it

    DIRECTIVE_GIVEN = "directive_given"
    DIRECTIVE_ENDED = "directive_ended"
    GUARDIAN_VERIFIED = "guardian_verified"
    GUARDIAN_ENDED = "guardian_ended"
    RESTRAINT_SET = "restraint_set"
    RESTRAINT_ENDED = "restraint_ended"
    CHILD_FACTS_CHANGED = "child_facts_changed"
    AGREEMENT_CHANGED = "agreement_changed"
    KEY_DESTROYED = "key_destroyed"
    ERASURE_ASKED = "erasure_asked"
    LEGAL_HOLD_SET = "legal_hold_set"
    LEGAL_HOLD_LIFTED = "legal_hold_lifted"


CHANGES: frozenset[EntryKind] = frozenset(
    {
        EntryKind.DIRECTIVE_GIVEN,
        EntryKind.DIRECTIVE_ENDED,
        EntryKind.GUARDIAN_VERIFIED,
        EntryKind.GUARDIAN_ENDED,
        EntryKind.RESTRAINT_SET,
        EntryKind.RESTRAINT_ENDED,
        EntryKind.CHILD_FACTS_CHANGED,
        EntryKind.AGREEMENT_CHANGED,
        EntryKind.KEY_DESTROYED,
        EntryKind.ERASURE_ASKED,
        EntryKind.LEGAL_HOLD_SET,
        EntryKind.LEGAL_HOLD_LIFTED,
    }
)
"""Kinds that record a change of what decisions rest on; all others record a flow or its refusal."""


Value = TypeVar("Value")


def _in_order(values: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple(sorted(set(values), key=str))


Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ChildTag = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Emergency(BaseModel):
    """What a disclosure in an emergency must state (34 CFR 99.32(a)(5); 42 CFR 2.51)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threat_statement: str = Field(min_length=1)
    affected_person: str = Field(min_length=1)
    personnel: str = Field(min_length=1)
    affiliation: str = Field(min_length=1)


class DisclosureEntry(BaseModel):
    """One flow to one recipient, or its refusal: everything the accounting duties ask for, about one child.

    `child_tag` is the child's random 128-bit tag, whose mapping is erasable. `attempt_id` ties the entries of one
    delivery attempt together. `valid_until` is when the permission behind a release ends. `payload_sha256` is of the exact bytes. Collections are kept sorted, each value once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: EntryKind
    at: AwareDatetime
    child_tag: ChildTag
    disclosers: Annotated[tuple[str, ...], AfterValidator(_in_order)] = ()
    requester: str
    recipient: str
    recipient_address: str | None = None
    purpose: str
    basis: Basis
    parts: Annotated[tuple[Part, ...], AfterValidator(_in_order)] = ()
    directive_ids: Annotated[tuple[UUID, ...], AfterValidator(_in_order)] = ()
    regimes: Annotated[tuple[Regime, ...], AfterValidator(_in_order)] = ()
    categories: Annotated[tuple[Category, ...], AfterValidator(_in_order)] = ()
    reasons: dict[Category, Reason] = {}
    description: str
    payload_sha256: Sha256Hex | None = None
    redactions: Annotated[tuple[str, ...], AfterValidator(_in_order)] = ()
    notices: Annotated[tuple[str, ...], AfterValidator(_in_order)] = ()
    obligations: Annotated[tuple[Obligation, ...], AfterValidator(_in_order)] = ()
    valid_until: AwareDatetime | None = None
    onward_parties: Annotated[tuple[str, ...], AfterValidator(_in_order)] = ()
    emergency: Emergency | None = None
    decision_id: UUID
    rules_version: Sha256Hex
    child_epoch: int
    agreement_epoch: int
    attempt_id: UUID | None = None

    @model_validator(mode="after")
    def _states_what_its_kind_must(self) -> Self:
        if self.kind in CHANGES:
            msg = f"{self.kind} is a change of consent; record it as a ChangeEntry"
            raise ValueError(msg)
        released = self.kind in {EntryKind.DISCLOSURE, EntryKind.BREAK_GLASS}
        if released and (self.payload_sha256 is None or not self.categories):
            msg = "a release states the digest of its payload and the topics in it"
            raise ValueError(msg)
        if (self.kind is EntryKind.BREAK_GLASS) != (self.emergency is not None):
            msg = "an emergency release, and only that, states threat and parties"
            raise ValueError(msg)
        return self


class ChangeEntry(BaseModel):
    """One change of what decisions rest on: a directive, guardian link, restraint, agreement or key.

    `subject_sha256` is the `fingerprint` of the thing as it then stood, so that what was agreed cannot later be swapped.
    `child_tag` is missing only where no single child is meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: EntryKind
    at: AwareDatetime
    child_tag: ChildTag | None
    actor: str
    subject: UUID
    subject_sha256: Sha256Hex
    reason: str | None = None
    recipient: str | None = None
    epoch: int  # the counter after the change: the child's, or an agency's for its agreement

    @model_validator(mode="after")
    def _is_a_change(self) -> Self:
        if self.kind not in CHANGES:
            msg = f"{self.kind} is a flow or its refusal; record it as a DisclosureEntry"
            raise ValueError(msg)
        if self.child_tag is None and self.kind is not EntryKind.AGREEMENT_CHANGED:
            msg = "only a change of agreement is about no single child"
            raise ValueError(msg)
        return self


Entry = DisclosureEntry | ChangeEntry


def record_of(entry: Entry) -> dict[str, Any]:
    """The entry as JSON, every field there even if null: which fields are filled must not show in their number."""
    record: dict[str, Any] = _settled(entry.model_dump())
    return record


def read_entry(record: bytes) -> Entry:
    """The entry a canonical record states; raises ValueError where it is none, which no record of our own log is."""
    content: dict[str, Any] = json.loads(record)
    model = ChangeEntry if content.get("kind") in CHANGES else DisclosureEntry
    return model.model_validate(content)


def fingerprint(thing: BaseModel) -> str:
    """SHA-256, in hex, of a directive, link, restraint or agreement as canonical JSON; sets are sorted first."""
    return sha256(canonical_json(_settled(thing.model_dump()))).hexdigest()


def instant_text(at: datetime) -> str:
    """An instant in UTC to the microsecond, in one spelling: `2026-11-22T17:00:00.000000Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _settled(value: Any) -> Any:
    """The value with sets sorted and other values in one spelling, so that equal things have equal bytes."""
    if value is None or value.__class__ is str:
        return value
    if isinstance(value, dict):
        return {str(key): _settled(found) for key, found in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(str(found) for found in value)
    if isinstance(value, (list, tuple)):
        return [_settled(found) for found in value]
    if isinstance(value, datetime):
        return instant_text(value)
    return value if isinstance(value, (str, bool, int)) else str(value)
