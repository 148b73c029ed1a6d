"""The parts of a success plan (domain.md §3): profile, tiers, goals, supports, conferences, the family's words."""

from datetime import date
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from mappings.record.base import Coding, Period, Record


class Domain(StrEnum):
    """The four domains of City Connects' practice, and the two the wider plan adds."""

    ACADEMIC = "academic"
    SOCIAL_EMOTIONAL = "social-emotional"
    HEALTH = "health"
    FAMILY = "family"
    ENRICHMENT = "enrichment"
    SAFETY = "safety"


class ProfileKind(StrEnum):
    """What a profile item says."""

    STRENGTH = "strength"
    INTEREST = "interest"
    NEED = "need"
    PREFERENCE = "preference"
    RISK = "risk"


class ProfileItem(Record):
    """One strength, interest, need, preference or risk, in words and where possible a code."""

    profile: ProfileKind
    domain: Domain
    statement: str = Field(min_length=1)
    code: Coding | None = None
    severity: Coding | None = None
    period: Period | None = None
    resolved: bool = False


class Tier(StrEnum):
    """City Connects' tiers of need."""

    ONE = "1"
    TWO_A = "2a"
    TWO_B = "2b"
    THREE = "3"


class TierAssessment(Record):
    """A rating of a child's overall or per-domain need in a term."""

    tier: Tier
    domain: Domain | None = None
    instrument: str | None = None
    rater: str | None = None
    term: str | None = None
    date: date


class ScreeningRef(Record):
    """That a screening took place; answers stay where they were given."""

    instrument: Coding
    domain: Domain
    date: date
    positive: bool | None = None


class GoalStatus(StrEnum):
    """FHIR R4 goal-status."""

    PROPOSED = "proposed"
    PLANNED = "planned"
    ACCEPTED = "accepted"
    ACTIVE = "active"
    ON_HOLD = "on-hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"
    REJECTED = "rejected"


class Achievement(StrEnum):
    """FHIR R4 goal-achievement."""

    IN_PROGRESS = "in-progress"
    IMPROVING = "improving"
    WORSENING = "worsening"
    NO_CHANGE = "no-change"
    ACHIEVED = "achieved"
    SUSTAINING = "sustaining"
    NOT_ACHIEVED = "not-achieved"
    NO_PROGRESS = "no-progress"
    NOT_ATTAINABLE = "not-attainable"


class Goal(Record):
    """What the child and the adults around them want to reach (CEDS 000903)."""

    description: str = Field(min_length=1)
    domain: Domain
    status: GoalStatus = GoalStatus.PROPOSED
    achievement: Achievement | None = None
    voice: str | None = None
    metric: str | None = None
    baseline: str | None = None
    target: str | None = None
    start: date | None = None
    due: date | None = None
    success_criteria: str | None = None


class GoalProgress(Record):
    """Where a goal stands on a day (CEDS 001690)."""

    date: date
    note: str | None = None
    value: str | None = None
    unit: str | None = None
    achievement: Achievement | None = None


class SupportKind(StrEnum):
    """A support meets a need; an opportunity meets an interest."""

    SUPPORT = "support"
    OPPORTUNITY = "opportunity"


class Intensity(StrEnum):
    """City Connects' tiers of service."""

    PREVENTION = "prevention-enrichment"
    EARLY = "early-intervention"
    INTENSIVE = "intensive-crisis"


class Support(Record):
    """A service, programme or person matched to the child, with the planned dosage."""

    name: str = Field(min_length=1)
    support: SupportKind = SupportKind.SUPPORT
    domain: Domain
    code: Coding | None = None
    service_key: str | None = None
    provider: str | None = None
    unpaid_supporter: str | None = None
    intensity: Intensity | None = None
    frequency: str | None = None
    minutes: int | None = Field(default=None, ge=0)
    period: Period | None = None
    started: bool = False


class ServiceDelivery(Record):
    """One time a service was given, or was not and why (dosage)."""

    date: date
    program: str
    minutes: Decimal | None = Field(default=None, ge=0)
    attended: bool
    reason: str | None = None


class FamilyPresence(StrEnum):
    """Whether the family was at the conference."""

    YES = "yes"
    NO = "no"
    ATTEMPTS = "attempts"


class Conference(Record):
    """A plan conference, or the documented attempts to hold one (CEDS 001684, 001237, 001238)."""

    date: date
    mode: str | None = None
    place: str | None = None
    attendees: tuple[str, ...] = ()
    family_present: FamilyPresence
    interpreter: bool | None = None
    decisions: tuple[str, ...] = ()


class Agreement(StrEnum):
    """How the family answered the proposed plan (eLTSS plan agreement indicator)."""

    AGREE = "agree"
    PARTLY = "partly"
    NO = "no"
    NOT_REACHED = "not-reached"


class FamilyVoice(Record):
    """The child's or family's own words, or their answer to a proposed plan."""

    speaker: str
    statement: str | None = None
    language: str | None = None
    agreement: Agreement | None = None
    options_given: bool | None = None
    selection_participated: bool | None = None
    signed_on: date | None = None


class PlanTerms(Record):
    """The plan's own frame: school year, review dates, whether only universal supports are meant."""

    school_year: str
    next_review: date
    last_review: date | None = None
    universal_supports_only: bool = False
    unaccompanied_youth: bool = False
    period: Period | None = None
