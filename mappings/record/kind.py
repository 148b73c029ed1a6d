"""The kinds of fact an assertion may state, the part of the record each belongs to, and its model."""

from enum import StrEnum

from mappings.record import person, plan, referral, school
from mappings.record.base import Record


class Part(StrEnum):
    """Which conversation a fact belongs to; a decision is asked for parts, so a plan never carries a referral's outcome."""

    PLAN = "plan"
    REFERRAL = "referral"
    OUTCOME = "outcome"


class Kind(StrEnum):
    """What an assertion states. Closed; a new kind needs a model, a part and a row per field in elements.csv."""

    NAME = "name"
    BIRTH_DATE = "birth-date"
    SEX_FOR_MATCHING = "sex-for-matching"
    IDENTIFIER = "identifier"
    ADDRESS = "address"
    TELECOM = "telecom"
    LANGUAGE = "language"
    GUARDIAN = "guardian"
    CARE_TEAM_MEMBER = "care-team-member"
    EQUITY_ATTRIBUTE = "equity-attribute"
    ENROLLMENT = "enrollment"
    ATTENDANCE_SUMMARY = "attendance-summary"
    REFERENCED_PLAN = "referenced-plan"
    PLAN_TERMS = "plan-terms"
    PROFILE_ITEM = "profile-item"
    TIER_ASSESSMENT = "tier-assessment"
    SCREENING_REF = "screening-ref"
    GOAL = "goal"
    GOAL_PROGRESS = "goal-progress"
    SUPPORT = "support"
    SERVICE_DELIVERY = "service-delivery"
    CONFERENCE = "conference"
    FAMILY_VOICE = "family-voice"
    REFERRAL = "referral"
    REFERRAL_EVENT = "referral-event"


MODEL: dict[Kind, type[Record]] = {
    Kind.NAME: person.Name,
    Kind.BIRTH_DATE: person.BirthDate,
    Kind.SEX_FOR_MATCHING: person.SexForMatching,
    Kind.IDENTIFIER: person.Identifier,
    Kind.ADDRESS: person.Address,
    Kind.TELECOM: person.Telecom,
    Kind.LANGUAGE: person.Language,
    Kind.GUARDIAN: person.Guardian,
    Kind.CARE_TEAM_MEMBER: person.CareTeamMember,
    Kind.EQUITY_ATTRIBUTE: person.EquityAttribute,
    Kind.ENROLLMENT: school.Enrollment,
    Kind.ATTENDANCE_SUMMARY: school.AttendanceSummary,
    Kind.REFERENCED_PLAN: school.ReferencedPlan,
    Kind.PLAN_TERMS: plan.PlanTerms,
    Kind.PROFILE_ITEM: plan.ProfileItem,
    Kind.TIER_ASSESSMENT: plan.TierAssessment,
    Kind.SCREENING_REF: plan.ScreeningRef,
    Kind.GOAL: plan.Goal,
    Kind.GOAL_PROGRESS: plan.GoalProgress,
    Kind.SUPPORT: plan.Support,
    Kind.SERVICE_DELIVERY: plan.ServiceDelivery,
    Kind.CONFERENCE: plan.Conference,
    Kind.FAMILY_VOICE: plan.FamilyVoice,
    Kind.REFERRAL: referral.Referral,
    Kind.REFERRAL_EVENT: referral.ReferralEvent,
}

PART: dict[Kind, Part] = {
    kind: {Kind.REFERRAL: Part.REFERRAL, Kind.REFERRAL_EVENT: Part.OUTCOME}.get(kind, Part.PLAN)
    for kind in Kind
}
"""A service delivery belongs to the plan (dosage); how a referral ended is a conversation of its own."""
