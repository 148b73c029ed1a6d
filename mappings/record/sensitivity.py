"""Sensitivity labels (HL7 v3-ActCode, v3-Confidentiality) and the extra-private category each one forces.

A value's code outranks its field: a condition, medicine or referral carrying one of these labels takes the label's
category whatever the field says. Unknown labels are not mapped to anything here; the map that meets one reports an issue
and the assertion becomes the most restrictive category of its field.
"""

from enum import StrEnum

from mappings.record.category import Category


class Label(StrEnum):
    """Security labels an assertion may carry (health.md §2.5)."""

    NORMAL = "N"
    RESTRICTED = "R"
    VERY_RESTRICTED = "V"
    BEHAVIORAL_HEALTH = "BH"
    MENTAL_HEALTH = "MH"
    PSYCHIATRY = "PSY"
    PSYCHOTHERAPY_NOTES = "PSYTHPN"
    SUBSTANCE_USE = "SUD"
    SUBSTANCE_USE_ALCOHOL_DRUG = "ETHUD"
    OPIOID_USE = "OPIOIDUD"
    HIV = "HIV"
    STD = "STD"
    SEXUALITY = "SEX"
    SEXUAL_DOMESTIC_VIOLENCE = "SDV"
    VIOLENCE = "VIO"
    LIVING_ARRANGEMENT = "LIVARG"
    ADOLESCENT = "ADOL"


FORCED_CATEGORY: dict[Label, Category] = {
    Label.BEHAVIORAL_HEALTH: Category.COUNSELING,
    Label.MENTAL_HEALTH: Category.COUNSELING,
    Label.PSYCHIATRY: Category.COUNSELING,
    Label.PSYCHOTHERAPY_NOTES: Category.COUNSELING,
    Label.SUBSTANCE_USE: Category.SUBSTANCE_USE,
    Label.SUBSTANCE_USE_ALCOHOL_DRUG: Category.SUBSTANCE_USE,
    Label.OPIOID_USE: Category.SUBSTANCE_USE,
    Label.HIV: Category.SEXUAL_HEALTH,
    Label.STD: Category.SEXUAL_HEALTH,
    Label.SEXUALITY: Category.SEXUAL_HEALTH,
    Label.SEXUAL_DOMESTIC_VIOLENCE: Category.SAFETY,
    Label.VIOLENCE: Category.SAFETY,
    Label.LIVING_ARRANGEMENT: Category.LIVING_SITUATION,
}


def forced_category(labels: frozenset[Label]) -> Category | None:
    """The extra-private category these labels force, or None where none does.

    Two labels that force different categories return the one later in `Category`, which is the more restrictive by the
    order the enum is written in; the family is asked for each topic alone, so either is safe, and one must be chosen.
    """
    forced = {FORCED_CATEGORY[label] for label in labels if label in FORCED_CATEGORY}
    order = list(Category)
    return max(forced, key=order.index) if forced else None
