"""Record views for the tests of outbound maps: an invented child, with a fact of every kind, asserted by invented agencies.

Only tests build views by hand; in the product `consent.projection` mints them from a live decision.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from mappings._mint import mint
from mappings.organization import Organization, Organizations
from mappings.record.assertion import check_value
from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from mappings.view import RecordView, ViewedAssertion

AT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SNOMED = "http://snomed.info/sct"

ORGANIZATIONS = Organizations(
    hub="Larkspur Success Plans",
    by_key={
        one.key: one
        for one in (
            Organization("district", "Larkspur School District", Category.SCHOOL),
            Organization("clinic", "Fernhill Family Clinic", Category.HEALTH),
            Organization("makers", "Makers Yard After School", Category.ACTIVITIES),
            Organization("harbor", "Harbor Light Counseling", Category.COUNSELING),
            Organization("haven", "Haven Street Shelter", Category.LIVING_SITUATION),
        )
    },
)


def fact(
    ref: str,
    kind: Kind,
    category: Category,
    value: Mapping[str, Any],
    *,
    org: str = "district",
    links: tuple[str, ...] = (),
    labels: Iterable[Label] = (Label.RESTRICTED,),
    regimes: Iterable[Regime] = (Regime.EDU,),
    quality: str = "unverified",
    days: int = 0,
) -> ViewedAssertion:
    """A viewed assertion whose value has passed its model, as everything in a view has."""
    checked, issues = check_value(kind, dict(value), kind)
    assert checked is not None, issues
    return ViewedAssertion(
        id=ref,
        kind=kind,
        category=category,
        value=checked,
        org=org,
        person=None,
        role=None,
        method="staff-entered",
        asserted_at=AT - timedelta(days=60 - days),
        effective=None,
        regimes=frozenset(regimes),
        labels=frozenset(labels),
        quality=quality,
        links=links,
    )


def view(
    facts: Iterable[ViewedAssertion],
    *,
    plan_status: str | None = "active",
    notices: tuple[str, ...] = (),
    recipient: str = "clinic",
) -> RecordView:
    """A view of exactly these facts."""
    return mint(
        decision_id=UUID("0192f0c1-0000-7000-8000-0000000000aa"),
        child_ref="k7Qm2-child",
        recipient=recipient,
        purpose="care-coordination",
        at=AT,
        expires=AT + timedelta(seconds=60),
        assertions=tuple(facts),
        notices=notices,
        plan_status=plan_status,
    )


def without(facts: Iterable[ViewedAssertion], *categories: Category) -> tuple[ViewedAssertion, ...]:
    """What a projection would leave: no fact of these categories, and no link to one."""
    kept = [one for one in facts if one.category not in categories]
    known = {one.id for one in kept}
    return tuple(replace(one, links=tuple(link for link in one.links if link in known)) for one in kept)


def identity_facts() -> tuple[ViewedAssertion, ...]:
    """Who the child is and how the family is reached."""
    who = Category.IDENTITY
    return (
        fact(
            "i-name",
            Kind.NAME,
            who,
            {"given": "Wren", "middle": "Ada", "family": "Okonkwo"},
            quality="verified",
        ),
        fact("i-nick", Kind.NAME, who, {"use": "nickname", "given": "Birdie", "family": "Okonkwo"}, days=1),
        fact(
            "i-birth", Kind.BIRTH_DATE, who, {"date": "2015-04-09", "multiple_birth": True, "birth_order": 2}
        ),
        fact("i-sex", Kind.SEX_FOR_MATCHING, who, {"sex": "female"}),
        fact(
            "i-number",
            Kind.IDENTIFIER,
            who,
            {"system": "State", "assigner": "district", "value": "S-90210-77"},
        ),
        fact(
            "i-address",
            Kind.ADDRESS,
            who,
            {
                "use": "Home",
                "lines": ["12 Linden Row"],
                "city": "Larkspur",
                "state": "MA",
                "postal_code": "01970",
            },
        ),
        fact("i-phone", Kind.TELECOM, who, {"system": "phone", "value": "+19785550141", "use": "Home"}),
        fact("i-language", Kind.LANGUAGE, who, {"language": "spa", "interpreter_needed": True}),
        fact(
            "i-mother",
            Kind.GUARDIAN,
            who,
            {
                "person_key": "contact-5512",
                "name": {"given": "Amara", "family": "Okonkwo"},
                "relationship": "Mother",
                "legal_guardian": True,
                "lives_with": True,
                "telecoms": [{"system": "phone", "value": "+19785550142", "use": "Mobile"}],
                "address": {
                    "lines": ["12 Linden Row"],
                    "city": "Larkspur",
                    "state": "MA",
                    "postal_code": "01970",
                },
                "language": {"language": "es", "interpreter_needed": True},
            },
        ),
        fact(
            "i-kept-away",
            Kind.GUARDIAN,
            who,
            {
                "person_key": "contact-5513",
                "name": {"given": "Rufus", "family": "Dane"},
                "relationship": "Father",
                "contact_restricted": True,
                "telecoms": [{"system": "phone", "value": "+19785550199"}],
            },
        ),
        fact(
            "i-school",
            Kind.ENROLLMENT,
            who,
            {
                "school_key": "255901",
                "school_name": "Linden Elementary",
                "grade": {"code": "Fifth grade"},
                "period": {"start": "2026-08-26"},
            },
        ),
    )


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


def private_facts() -> tuple[ViewedAssertion, ...]:
    """Facts in extra-private topics, as a counsellor, a clinic and a shelter would state them."""
    return (
        fact(
            "x-therapy",
            Kind.PROFILE_ITEM,
            Category.COUNSELING,
            {
                "profile": "need",
                "domain": "social-emotional",
                "statement": "Panic at night",
                "code": {
                    "system": "http://hl7.org/fhir/sid/icd-10-cm",
                    "code": "F41.0",
                    "display": "Panic disorder",
                },
            },
            org="harbor",
            labels=(Label.RESTRICTED, Label.MENTAL_HEALTH),
            regimes=(Regime.HLTH,),
        ),
        fact(
            "x-counselor",
            Kind.CARE_TEAM_MEMBER,
            Category.COUNSELING,
            {
                "name": "Noor Vance",
                "role": {"code": "counselor", "display": "Counselor"},
                "organization": "harbor",
            },
            org="harbor",
            labels=(Label.RESTRICTED, Label.MENTAL_HEALTH),
            regimes=(Regime.HLTH,),
        ),
        fact(
            "x-goal",
            Kind.GOAL,
            Category.COUNSELING,
            {"description": "Sleeps through the night", "domain": "social-emotional", "status": "active"},
            org="harbor",
            links=("x-therapy",),
            labels=(Label.RESTRICTED, Label.MENTAL_HEALTH),
            regimes=(Regime.HLTH,),
        ),
        fact(
            "x-treatment",
            Kind.SUPPORT,
            Category.SUBSTANCE_USE,
            {"name": "Outpatient group", "domain": "health", "provider": "clinic"},
            org="clinic",
            labels=(Label.VERY_RESTRICTED, Label.SUBSTANCE_USE),
            regimes=(Regime.HLTH, Regime.P2),
        ),
        fact(
            "x-shelter",
            Kind.PROFILE_ITEM,
            Category.LIVING_SITUATION,
            {"profile": "need", "domain": "family", "statement": "Sleeps at a shelter since June"},
            org="haven",
            labels=(Label.RESTRICTED, Label.LIVING_ARRANGEMENT),
            regimes=(Regime.HMIS,),
        ),
        # Facts in ordinary topics whose words name a private programme: the topic of the name decides, not the fact's own.
        fact(
            "x-name",
            Kind.NAME,
            Category.IDENTITY,
            {"given": "Wren", "family": "Okonkwo"},
            org="harbor",
            days=2,
        ),
        fact(
            "x-number",
            Kind.IDENTIFIER,
            Category.IDENTITY,
            {"system": "MRN", "assigner": "harbor", "value": "HL-3381"},
        ),
        fact(
            "x-ride",
            Kind.SUPPORT,
            Category.HOME,
            {"name": "Evening bus pass", "domain": "family", "provider": "haven"},
        ),
    )


def referral_facts(*, state: str = "sent", ended: bool = False) -> tuple[ViewedAssertion, ...]:
    """A referral to the food pantry, and where wanted how it went."""
    asked = fact(
        "r-pantry",
        Kind.REFERRAL,
        Category.HOME,
        {
            "service": {
                "system": SNOMED,
                "code": "467771000124109",
                "display": "Assistance with application for food pantry program",
            },
            "domain": "family",
            "reason": "Groceries until the end of the month",
            "priority": "urgent",
            "needed_by": "2026-12-01",
            "requested_on": "2026-11-18",
        },
        links=("p-need-food", "p-goal"),
    )
    if state == "sent":
        return (asked,)
    said: dict[str, Any] = {"at": "2026-11-19T09:30:00Z", "state": state}
    if ended:
        said |= {
            "outcome": "service-received",
            "sessions": 2,
            "hours": "1.5",
            "first_service_on": "2026-11-19",
            "performed": {"system": SNOMED, "code": "710925007", "display": "Provision of food"},
        }
    return asked, fact(
        "r-event", Kind.REFERRAL_EVENT, Category.HOME, said, org="makers", links=("r-pantry",), days=59
    )


def whole_child() -> tuple[ViewedAssertion, ...]:
    """Everything above."""
    return (
        *identity_facts(),
        *plan_facts(),
        *private_facts(),
        *referral_facts(state="completed", ended=True),
    )
