"""The consent categories: the topics a family says yes or no to.

Closed. Adding a member is a decision record (docs/decisions), because every agreement, directive and map names them.
"""

from enum import StrEnum


class Category(StrEnum):
    """The one consent category an assertion belongs to (ARCHITECTURE §4)."""

    IDENTITY = "identity"
    SCHOOL = "school"
    HEALTH = "health"
    FEELINGS = "feelings"
    HOME = "home"
    ACTIVITIES = "activities"
    SPECIAL_EDUCATION = "special-education"
    DISCIPLINE = "discipline"
    LIVING_SITUATION = "living-situation"
    COUNSELING = "counseling"
    SUBSTANCE_USE = "substance-use"
    SEXUAL_HEALTH = "sexual-health"
    SAFETY = "safety"


EXTRA_PRIVATE: frozenset[Category] = frozenset(
    {
        Category.SPECIAL_EDUCATION,
        Category.DISCIPLINE,
        Category.LIVING_SITUATION,
        Category.COUNSELING,
        Category.SUBSTANCE_USE,
        Category.SEXUAL_HEALTH,
        Category.SAFETY,
    }
)
"""Topics only ever asked alone, never bundled and never part of "all"."""
