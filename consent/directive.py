"""A directive: one sentence a parent can read. *Let [who] see [what] to [why] until [date]*, or *do not let*.

Fields follow consent.md §2.2 (ISO/IEC TS 27560, 34 CFR 99.30, 45 CFR 164.508); states are those of the W3C Data Privacy
Vocabulary with one of our own for a dispute. Empty scope means nothing, never everything.
"""

import re
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from consent.guardian import GuardianKind
from consent.vocabulary import COVERS, Effect, Purpose
from mappings.record.base import Period
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.regime import Regime

_RECIPIENT = r"^([a-z0-9][a-z0-9-]{1,62}|class:[a-z0-9][a-z0-9-]*@[1-9][0-9]*)$"
_CLASS = re.compile(r"class:")


class State(StrEnum):
    """Where a directive stands (DPV consent status); only the first two are a yes."""

    GIVEN = "given"
    RENEWED_GIVEN = "renewed-given"
    UNKNOWN = "unknown"
    REQUESTED = "requested"
    REQUEST_DEFERRED = "request-deferred"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    TERMINATED = "terminated"
    INVALIDATED = "invalidated"
    DISPUTED = "disputed"  # ours: guardians disagree and a person decides


VALID: frozenset[State] = frozenset({State.GIVEN, State.RENEWED_GIVEN})
"""The states in which a permit permits."""

NEVER_GIVEN: frozenset[State] = frozenset(
    {State.UNKNOWN, State.REQUESTED, State.REQUEST_DEFERRED, State.REFUSED}
)
"""The states of a directive nobody has signed; such a one replaces nothing."""


class AuthMethod(StrEnum):
    """How the signer was identified (34 CFR 99.30(d)(1))."""

    PORTAL = "portal"
    ONE_TIME_CODE = "one-time-code"
    PASSKEY = "passkey"
    PAPER = "paper"
    IN_PERSON = "in-person"


class AuthEvidence(BaseModel):
    """What shows that this person approved this text: the method, when, and where the evidence lies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: AuthMethod
    at: AwareDatetime
    reference: str = Field(min_length=1)


class Notice(BaseModel):
    """The exact text the signer saw: its id, version, language and SHA-256 (34 CFR 99.30(d)(2), 300.9)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    notice_id: str = Field(min_length=1)
    version: str = Field(min_length=1)
    locale: str = Field(min_length=2)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Element(StrEnum):
    """What a permit must have to permit anything (34 CFR 99.30(b), 45 CFR 164.508(c)(1))."""

    CATEGORIES = "categories"
    PURPOSES = "purposes"
    DISCLOSERS = "disclosers"
    REGIMES = "regimes"
    NOTICE = "notice"
    SIGNATURE = "signature"
    EXPIRY = "expiry"


class Directive(BaseModel):
    """What one person said about one recipient. Immutable but for its ending: state, `revoked_by`, `revoked_at`, `reason`.

    `recipient` is an organisation's key; `class:<name>@<version>` is reserved and matches no permit until classes have dated
    membership. `disclosers` None means whoever in the hub holds the fact. `data_period` bounds what the facts are
    about; `valid_from`/`valid_until` (half-open) when the sentence holds; one of `valid_until` and `ends_on_event` is
    needed, and the event ends it by changing `state`. `regimes` are those whose form the signed text fulfils.
    Whoever composes a permit for an agency that must know the child names `identity` among the categories: it is never
    implied.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    directive_id: UUID
    child_id: UUID
    effect: Effect
    recipient: str = Field(pattern=_RECIPIENT)
    categories: frozenset[Category]
    purposes: frozenset[Purpose]
    disclosers: frozenset[str] | None = None
    data_period: Period = Period()
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None
    ends_on_event: str | None = None
    regimes: frozenset[Regime] = frozenset()
    notice: Notice | None = None
    signer_link: UUID
    capacity: GuardianKind
    auth_evidence: AuthEvidence | None = None
    recorded_at: AwareDatetime
    state: State
    supersedes: UUID | None = None
    revoked_by: str | None = None
    revoked_at: AwareDatetime | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _readable_sentence(self) -> "Directive":
        if self.valid_until is not None and self.valid_until < self.valid_from:
            msg = "valid_until may not lie before valid_from"
            raise ValueError(msg)
        topics = self.categories - {Category.IDENTITY}
        if self.effect is Effect.PERMIT and topics & EXTRA_PRIVATE and len(topics) > 1:
            msg = "an extra-private topic is asked alone; write one directive for it"
            raise ValueError(msg)
        if self.effect is Effect.DENY and not (self.categories and self.purposes):
            msg = "a stop names its topics and purposes; an empty list would stop nothing"
            raise ValueError(msg)
        return self

    def defects(self) -> tuple[Element, ...]:
        """The elements a permit lacks; any one makes it permit nothing (45 CFR 164.508(b)(2)). A stop lacks none."""
        if self.effect is Effect.DENY:
            return ()
        present = {
            Element.CATEGORIES: bool(self.categories),
            Element.PURPOSES: bool(self.purposes),
            Element.DISCLOSERS: self.disclosers is None or bool(self.disclosers),
            Element.REGIMES: bool(self.regimes),
            Element.NOTICE: self.notice is not None,
            Element.SIGNATURE: self.auth_evidence is not None,
            Element.EXPIRY: self.valid_until is not None or self.ends_on_event is not None,
        }
        return tuple(element for element, there in present.items() if not there)

    def started(self, at: datetime) -> bool:
        """Whether its time has come."""
        return self.valid_from <= at

    def ended(self, at: datetime) -> bool:
        """Whether its time is over; the instant `valid_until` itself is over."""
        return self.valid_until is not None and at >= self.valid_until

    def permits_recipient(self, recipient: str) -> bool:
        """Whether a permit is for this organisation; a class is not, until its members are dated."""
        return self.recipient == recipient

    def stops_recipient(self, recipient: str) -> bool:
        """Whether a stop is for this organisation; a class may contain anyone, so it stops everyone."""
        return self.recipient == recipient or _CLASS.match(self.recipient) is not None

    def answers(self, purpose: str) -> bool:
        """Whether a permit's purposes cover the one asked."""
        return any(purpose in COVERS[named] for named in self.purposes)

    def objects_to(self, purpose: str) -> bool:
        """Whether a stop's purposes cover the one asked; a purpose always covers itself here."""
        return purpose in self.purposes or self.answers(purpose)
