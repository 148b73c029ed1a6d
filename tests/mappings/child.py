"""The invented child of the outbound maps: who it is, what is extra-private about it, a referral, and all of it together."""

from typing import Any

from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from mappings.view import ViewedAssertion
from tests.mappings.child_plan import plan_facts
from tests.mappings.views import SNOMED, fact


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
    """Who it is, its plan, what is extra-private, and a referral that has ended."""
    return (
        *identity_facts(),
        *plan_facts(),
        *private_facts(),
        *referral_facts(state="completed", ended=True),
    )
