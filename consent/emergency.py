"""Break-glass: what an agency may see without the family while somebody is in danger (34 CFR 99.36, 45 CFR 164.512(j), 42 CFR 2.51).

It overrides the absence of consent and a guardian's stop; never a court order, a safety hold or the agency's agreement. What
falls under 42 CFR Part 2 opens only in a medical emergency, to medical personnel: whose agreement covers emergency treatment.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from consent.request import DecisionRequest
from consent.vocabulary import Purpose, Reason
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.regime import Regime

LONGEST = timedelta(hours=24)
"""After this long what was stated opens nothing more."""

MOST_TOPICS = 5
"""Whoever asks names the few topics the danger is about; a request for everything is none for the smallest set."""


class Finding(StrEnum):
    """What the review of an emergency found."""

    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not-justified"


PURPOSES: frozenset[Purpose] = frozenset({Purpose.BREAK_GLASS, Purpose.EMERGENCY_TREATMENT})


def emergency_refusal(request: DecisionRequest, category: Category, at: datetime) -> Reason | None:
    """Why the stated emergency does not open this topic; None where it does. Orders and agreements are asked before."""
    stated = request.emergency
    if stated is None:
        return Reason.EXCEPTION_NOT_ENABLED
    if request.purpose not in PURPOSES or request.parts != {Part.PLAN}:
        return Reason.PURPOSE
    said = (stated.threat_statement, stated.affected_person, stated.personnel, stated.affiliation)
    if not all(text.strip() for text in said):
        return Reason.DEFECTIVE
    if not stated.stated_at <= at < stated.stated_at + LONGEST:
        return Reason.EXPIRED
    if len(stated.topics) > MOST_TOPICS or category not in {*stated.topics, Category.IDENTITY}:
        return Reason.CATEGORY
    medical = request.purpose == Purpose.EMERGENCY_TREATMENT
    return None if medical or category is not Category.SUBSTANCE_USE else Reason.CATEGORY


def opened_regimes(purpose: str) -> frozenset[Regime]:
    """The laws under which a fact may be that leaves in an emergency."""
    every = frozenset(Regime)
    return every if purpose == Purpose.EMERGENCY_TREATMENT else every - {Regime.P2}
