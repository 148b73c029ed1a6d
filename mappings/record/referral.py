"""A referral and what became of it. Three independent axes: workflow, outcome, consent (ARCHITECTURE §4)."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from mappings.record.base import Coding, Record
from mappings.record.plan import Domain


class ReferralState(StrEnum):
    """Where a referral is in its work (domain.md §3.5; Gravity Task table, health.md §1.2)."""

    DRAFT = "draft"
    AWAITING_CONSENT = "awaiting-consent"
    SENT = "sent"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    WAITLISTED = "waitlisted"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    DECLINED = "declined-by-provider"
    CANCELLED = "cancelled"
    FAILED = "failed"
    ENTERED_IN_ERROR = "entered-in-error"


class ReferralOutcome(StrEnum):
    """What the child got out of it; reported apart from the workflow."""

    SERVICE_RECEIVED = "service-received"
    PARTLY = "partly"
    NEED_MET_ELSEWHERE = "need-met-elsewhere"
    NOT_RECEIVED = "not-received"
    UNKNOWN = "unknown"


class ReferralConsent(StrEnum):
    """Whether the family's permission covers the send, at the last time it was asked."""

    NOT_ASKED = "not-asked"
    WAITING = "waiting"
    PERMITTED = "permitted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Priority(StrEnum):
    """FHIR R4 request-priority, without `asap` and `stat`, which no community provider tells apart."""

    ROUTINE = "routine"
    URGENT = "urgent"


class Referral(Record):
    """What is asked of another organisation for this child: the minimum it needs to act."""

    service: Coding
    domain: Domain
    reason: str = Field(min_length=1)
    priority: Priority = Priority.ROUTINE
    needed_by: date | None = None
    do_not_contact: bool = False
    requested_on: date


class ReferralEvent(Record):
    """One thing that happened to a referral, as the organisation that did it reports it."""

    at: datetime
    state: ReferralState
    outcome: ReferralOutcome | None = None
    reason: str | None = None
    sessions: int | None = Field(default=None, ge=0)
    hours: Decimal | None = Field(default=None, ge=0)
    first_service_on: date | None = None
    performed: Coding | None = None
