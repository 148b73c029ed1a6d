"""What is asked of a release, what comes of it, and the ledger entry that says so (consent.md §1.6)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from adapters.port import Sealed
from consent.decision import Decision
from consent.entry import DisclosureEntry, Emergency, EntryKind
from consent.explanation import outward
from consent.request import Snapshot, StatedEmergency
from consent.vocabulary import Basis, Reason
from mappings.record.assertion import StoredAssertion
from mappings.record.category import Category
from mappings.record.issue import Issue
from mappings.record.kind import Part
from mappings.view import RecordView


@dataclass(frozen=True, slots=True)
class Rendered:
    """A view turned into bytes. `categories` are those of the assertions it actually used.

    `stable` is what tells whether the recipient's view changed, where the bytes carry something that always does (a
    timestamp); the bytes themselves where it is None. `issues` are what the format could not carry.
    """

    body: bytes = field(repr=False)
    media_type: str
    categories: frozenset[Category]
    notices: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()
    stable: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """Who asks for what of which children, why, and how it is to be rendered.

    `render` is called inside the transaction, once per permitted child; it must not touch a socket or a database. `own`
    adds what the recipient itself sent, whatever the family decided. With `about`, of all facts but those of who the child
    is only these assertions are read. `guardian_link_id` and `evidence_ids` are what the bases family and steward rest
    on. `resource` names the view whose version is counted (`plan`, `referral/<id>`). `delivery_id` is the idempotency
    key of a delivery, `attempt_id` one attempt at it; `tell` renders what the decision itself says, in place of the record; `emergency` is
    what break-glass rests on; a refused attempt is entered as `refused_as`. `description` stands
    in the accounting the family reads: what was asked, never a value.
    """

    recipient: str
    requester: str
    purpose: str
    parts: frozenset[Part]
    categories: frozenset[Category]
    children: tuple[UUID, ...]
    render: Callable[[RecordView], Rendered]
    description: str
    basis: Basis = Basis.CONSENT
    own: bool = False
    about: frozenset[UUID] | None = None
    guardian_link_id: UUID | None = None
    evidence_ids: tuple[UUID, ...] = ()
    recipient_address: str | None = None
    resource: str | None = None
    delivery_id: UUID | None = None
    attempt_id: UUID | None = None
    refused_as: EntryKind = EntryKind.DENIAL
    tell: Callable[[RecordView, Decision, Snapshot], Rendered] | None = None
    emergency: StatedEmergency | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """Which version of its view a recipient is given, and since when it is that one."""

    n: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Released:
    """A committed release. `entry` is what the log holds about it; `child_ref` the recipient's own reference."""

    sealed: Sealed
    media_type: str
    child_ref: str
    categories: frozenset[Category]
    notices: tuple[str, ...]
    issues: tuple[Issue, ...]
    decision: Decision
    entry: DisclosureEntry
    release_id: UUID
    version: Version | None


@dataclass(frozen=True, slots=True)
class Refused:
    """No release. To the outside `outward` and nothing else; `reasons` are for those inside, `entry` is its number."""

    decision: Decision
    entry: int
    reasons: Mapping[Category, Reason]

    @property
    def outward(self) -> str:
        """All the outside learns: an id a privacy officer can look up."""
        return outward(self.decision)


def refusal_entry(
    request: ReleaseRequest, decision: Decision, tag: str, reasons: Mapping[Category, Reason]
) -> DisclosureEntry:
    """What the log says of a refused request (34 CFR 99.32(a)(1): each request is recorded)."""
    return DisclosureEntry(
        kind=request.refused_as,
        at=decision.at,
        child_tag=tag,
        requester=request.requester,
        recipient=request.recipient,
        recipient_address=request.recipient_address,
        purpose=request.purpose,
        basis=decision.basis,
        parts=tuple(decision.parts),
        categories=tuple(request.categories),
        reasons=dict(reasons),
        description=request.description,
        decision_id=decision.decision_id,
        rules_version=decision.rules_version.hex(),
        child_epoch=decision.child_epoch,
        agreement_epoch=decision.agreement_epoch,
        attempt_id=request.attempt_id,
    )


_KINDS: Mapping[Basis, EntryKind] = {
    Basis.FAMILY: EntryKind.READ,
    Basis.STEWARD: EntryKind.READ,
    Basis.EXCEPTION: EntryKind.BREAK_GLASS,
}


def _emergency(request: ReleaseRequest) -> Emergency | None:
    """What the entry must state; one without it cannot be written."""
    stated = request.emergency
    if stated is None:
        return None
    return Emergency(
        threat_statement=stated.threat_statement,
        affected_person=stated.affected_person,
        personnel=stated.personnel,
        affiliation=stated.affiliation,
    )


def release_entry(
    request: ReleaseRequest,
    decision: Decision,
    tag: str,
    *,
    reasons: Mapping[Category, Reason],
    used: Iterable[StoredAssertion],
    view: RecordView,
    rendered: Rendered,
    snapshot: Snapshot,
) -> DisclosureEntry:
    """What the log says of a release: who, what, why, on whose word, and the digest of the exact bytes."""
    beyond = rendered.categories - view.categories
    if beyond:
        raise ValueError(f"the rendering names topics its view does not hold: {', '.join(sorted(beyond))}")
    facts = tuple(used)
    ends = [d.valid_until for d in snapshot.directives if d.directive_id in decision.directive_ids]
    return DisclosureEntry(
        kind=_KINDS.get(decision.basis, EntryKind.DISCLOSURE),
        at=decision.at,
        child_tag=tag,
        disclosers=tuple(fact.asserted_by.org for fact in facts),
        requester=request.requester,
        recipient=request.recipient,
        recipient_address=request.recipient_address,
        purpose=request.purpose,
        basis=decision.basis,
        parts=tuple(decision.parts),
        directive_ids=decision.directive_ids,
        regimes=tuple(regime for fact in facts for regime in fact.regimes),
        # an empty record still tells that these topics were asked and may be seen
        categories=tuple(rendered.categories or decision.categories),
        reasons=dict(reasons),
        description=request.description,
        payload_sha256=sha256(rendered.body).hexdigest(),
        notices=(*view.notices, *rendered.notices),
        obligations=tuple(decision.obligations),
        valid_until=min((end for end in ends if end is not None), default=None),
        decision_id=decision.decision_id,
        rules_version=decision.rules_version.hex(),
        child_epoch=decision.child_epoch,
        agreement_epoch=decision.agreement_epoch,
        attempt_id=request.attempt_id,
        emergency=_emergency(request),
    )
