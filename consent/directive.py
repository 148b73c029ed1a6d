"""A directive: one sentence a parent can read. *Let [who] see [what] to [why] until [date]*, or *do not let*.

Fields follow consent.md §2.2 (ISO/IEC TS 27560, 34 CFR 99.30, 45 CFR 164.508); states are those of the W3C Data Privacy
Vocabulary with one of our own for a dispute. Empty scope means nothing, never everything.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from consent.guardian import GuardianKind
from consent.statute import Form
from consent.vocabulary import COVERS, STATEMENTS, Effect, Element, Purpose
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
    """The exact text the signer saw: its id, version, language and SHA-256 (34 CFR 99.30(d)(2), 300.9).

    `states` are the sentences a law asks for that the text makes, as found by whoever took it in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    notice_id: str = Field(min_length=1)
    version: str = Field(min_length=1)
    locale: str = Field(min_length=2)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    states: frozenset[Element] = frozenset()

    @field_validator("states")
    @classmethod
    def _are_sentences(cls, found: frozenset[Element]) -> frozenset[Element]:
        if not found <= STATEMENTS:
            msg = "a text states sentences; the other elements show in the directive itself"
            raise ValueError(msg)
        return found


FLOOR: frozenset[Element] = frozenset(
    {
        Element.CATEGORIES,
        Element.PURPOSES,
        Element.RECIPIENT,
        Element.DISCLOSERS,
        Element.REGIMES,
        Element.NOTICE,
        Element.SIGNATURE,
        Element.EXPIRY,
    }
)
"""What the hub asks of every permit, whatever the law: without one of these it is no sentence a parent could have read."""


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

    def defects(self, forms: Iterable[Form] = ()) -> tuple[Element, ...]:
        """The elements a permit lacks of what the hub and these laws ask, in the order of `Element`; any one makes it permit
        nothing (45 CFR 164.508(b)(2), 42 CFR 2.31(c)). A stop lacks none.
        """
        if self.effect is Effect.DENY:
            return ()
        present = self._present()
        lacking = FLOOR - present
        for form in forms:
            lacking |= form.elements - present
            if form.longest is not None and not self._within(form.longest):
                lacking |= {Element.TERM}
        return tuple(element for element in Element if element in lacking) if lacking else ()

    def _present(self) -> set[Element]:
        """The elements it has; the sentences of its text are those its notice is recorded to make."""
        there = {
            Element.CATEGORIES: self.categories,
            Element.PURPOSES: self.purposes,
            Element.RECIPIENT: self.recipient,
            Element.DISCLOSERS: self.disclosers is None or self.disclosers,
            Element.REGIMES: self.regimes,
            Element.NOTICE: self.notice,
            Element.SIGNATURE: self.auth_evidence,
            Element.EXPIRY: self.valid_until or self.ends_on_event,
            Element.TERM: self.valid_until,
        }
        found = {element for element, value in there.items() if value}
        return found | self.notice.states if self.notice is not None else found

    def _within(self, longest: timedelta) -> bool:
        """Whether it ends on a day, no later than so long after it began."""
        return self.valid_until is not None and self.valid_until - self.valid_from <= longest

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
