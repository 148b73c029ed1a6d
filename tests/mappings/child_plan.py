"""The invented child's plan: a fact of every kind in the ordinary topics."""

from typing import Any

from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from mappings.view import ViewedAssertion
from tests.mappings.views import SNOMED, fact


def plan_facts() -> tuple[ViewedAssertion, ...]:
    """The parts of a plan, in the ordinary topics."""
    clinic: dict[str, Any] = {"org": "clinic", "regimes": (Regime.HLTH,)}
    return (
        fact(
            "p-terms",
            Kind.PLAN_TERMS,
            Category.SCHOOL,
            {
                "school_year": "2026-2027",
                "next_review": "2027-02-01",
                "period": {"start": "2026-09-15", "end": "2027-07-01"},
            },
        ),
        fact(
            "p-navigator",
            Kind.CARE_TEAM_MEMBER,
            Category.SCHOOL,
            {
                "name": "Ida Brandt",
                "role": {"code": "navigator", "display": "Navigator"},
                "organization": "district",
                "primary": True,
            },
        ),
        fact(
            "p-strength",
            Kind.PROFILE_ITEM,
            Category.FEELINGS,
            {"profile": "strength", "domain": "social-emotional", "statement": "Comforts younger children"},
        ),
        fact(
            "p-interest",
            Kind.PROFILE_ITEM,
            Category.ACTIVITIES,
            {"profile": "interest", "domain": "enrichment", "statement": "Building model bridges"},
        ),
        fact(
            "p-preference",
            Kind.PROFILE_ITEM,
            Category.FEELINGS,
            {"profile": "preference", "domain": "family", "statement": "Prefers to be written to"},
        ),
        fact(
            "p-need-food",
            Kind.PROFILE_ITEM,
            Category.HOME,
            {
                "profile": "need",
                "domain": "family",
                "statement": "Food does not last to the end of the month",
                "code": {"system": SNOMED, "code": "733423003", "display": "Food insecurity"},
                "period": {"start": "2026-09-01"},
            },
            **clinic,
        ),
        fact(
            "p-need-asthma",
            Kind.PROFILE_ITEM,
            Category.HEALTH,
            {
                "profile": "need",
                "domain": "health",
                "statement": "Asthma",
                "code": {"system": SNOMED, "code": "195967001", "display": "Asthma"},
                "severity": {"system": SNOMED, "code": "255604002", "display": "Mild"},
            },
            quality="verified",
            **clinic,
        ),
        fact(
            "p-need-reading",
            Kind.PROFILE_ITEM,
            Category.SCHOOL,
            {
                "profile": "need",
                "domain": "academic",
                "statement": "Reads below grade level",
                "severity": {"code": "moderate", "display": "Moderate"},
            },
            quality="disputed",
        ),
        fact(
            "p-risk",
            Kind.PROFILE_ITEM,
            Category.SCHOOL,
            {"profile": "risk", "domain": "academic", "statement": "May leave"},
        ),
        fact(
            "p-tier",
            Kind.TIER_ASSESSMENT,
            Category.SCHOOL,
            {"tier": "2a", "domain": "academic", "rater": "Ida Brandt", "term": "fall", "date": "2026-10-02"},
        ),
        fact(
            "p-screening",
            Kind.SCREENING_REF,
            Category.HOME,
            {
                "instrument": {
                    "system": "http://loinc.org",
                    "code": "88121-9",
                    "display": "Hunger Vital Sign",
                },
                "domain": "family",
                "date": "2026-09-20",
            },
            **clinic,
        ),
        fact(
            "p-goal",
            Kind.GOAL,
            Category.SCHOOL,
            {
                "description": "Reads every evening",
                "domain": "academic",
                "status": "active",
                "achievement": "improving",
                "voice": "child",
                "metric": "Evenings a week",
                "baseline": "1",
                "target": "5",
                "start": "2026-09-15",
                "due": "2027-06-15",
                "success_criteria": "Three months in a row",
            },
            links=("p-need-reading",),
        ),
        fact(
            "p-progress",
            Kind.GOAL_PROGRESS,
            Category.SCHOOL,
            {
                "date": "2026-11-02",
                "value": "3",
                "unit": "evenings",
                "note": "With her aunt",
                "achievement": "improving",
            },
            links=("p-goal",),
        ),
        fact(
            "p-support",
            Kind.SUPPORT,
            Category.SCHOOL,
            {
                "name": "Reading club",
                "domain": "academic",
                "provider": "makers",
                "intensity": "early-intervention",
                "frequency": "Tuesdays and Thursdays",
                "minutes": 45,
                "period": {"start": "2026-09-22", "end": "2027-06-20"},
                "started": True,
            },
            links=("p-goal", "p-need-reading"),
        ),
        fact(
            "p-visit",
            Kind.SERVICE_DELIVERY,
            Category.ACTIVITIES,
            {"date": "2026-10-06", "program": "Bridge builders", "minutes": "45.5", "attended": True},
            org="makers",
        ),
        fact(
            "p-missed",
            Kind.SERVICE_DELIVERY,
            Category.ACTIVITIES,
            {"date": "2026-10-13", "program": "Bridge builders", "attended": False, "reason": "No ride"},
            org="makers",
        ),
        fact(
            "p-attendance",
            Kind.ATTENDANCE_SUMMARY,
            Category.SCHOOL,
            {"span": {"start": "2026-09-01", "end": "2026-11-01"}, "days_expected": 42, "days_present": 39},
        ),
        fact(
            "p-conference",
            Kind.CONFERENCE,
            Category.SCHOOL,
            {
                "date": "2026-09-15",
                "mode": "in person",
                "place": "Linden Elementary",
                "attendees": ["Ida Brandt", "Amara Okonkwo"],
                "family_present": "yes",
                "decisions": ["Start the reading club"],
            },
        ),
        fact(
            "p-voice",
            Kind.FAMILY_VOICE,
            Category.SCHOOL,
            {
                "speaker": "mother",
                "statement": "She lights up when she builds things.",
                "agreement": "agree",
                "options_given": True,
                "selection_participated": True,
                "signed_on": "2026-09-15",
            },
            regimes=(Regime.FAM,),
        ),
        fact(
            "p-iep",
            Kind.REFERENCED_PLAN,
            Category.SPECIAL_EDUCATION,
            {"plan_type": "IEP", "holder": "district", "status": "active", "review_date": "2027-03-01"},
            regimes=(Regime.EDU_SE,),
        ),
    )
