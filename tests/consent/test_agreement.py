from datetime import timedelta

import pytest

from consent.agreement import Agreement, AgreementStatus, uncovered
from consent.vocabulary import Purpose, Reason
from mappings.record.category import Category
from tests.consent.family import CLINIC, NOON, agreement

SECOND = timedelta(seconds=1)


def missing(*agreements: Agreement) -> Reason | None:
    return uncovered(agreements, CLINIC, "COC", Category.SCHOOL, NOON)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"org": "someone-else"}, Reason.AGREEMENT_MISSING),
        ({"status": AgreementStatus.DRAFT}, Reason.AGREEMENT_MISSING),
        ({"status": AgreementStatus.SUSPENDED}, Reason.AGREEMENT_SUSPENDED),
        ({"status": AgreementStatus.ENDED}, Reason.AGREEMENT_EXPIRED),
        ({"valid_until": NOON}, Reason.AGREEMENT_EXPIRED),
        ({"valid_until": NOON + SECOND}, None),
        ({"valid_from": NOON}, None),
        ({"valid_from": NOON + SECOND}, Reason.AGREEMENT_EXPIRED),
        ({"purposes": frozenset()}, Reason.AGREEMENT_PURPOSE),
        ({"purposes": frozenset({Purpose.TREATMENT})}, Reason.AGREEMENT_PURPOSE),  # by name only
        ({"categories": frozenset()}, Reason.AGREEMENT_CATEGORY),
        ({"categories": frozenset({Category.HEALTH})}, Reason.AGREEMENT_CATEGORY),
    ],
)
def test_an_agreement_covers_exactly_what_it_says(changes, reason):
    assert missing(agreement(**changes)) is reason


def test_without_an_agreement_nothing_is_covered():
    assert missing() is Reason.AGREEMENT_MISSING


def test_one_covering_agreement_is_enough_and_two_halves_are_not():
    other_purpose = agreement(purposes=frozenset({Purpose.TREATMENT}))
    other_topic = agreement(categories=frozenset({Category.HEALTH}))
    assert missing(other_purpose, agreement()) is None
    assert missing(agreement(), other_purpose) is None
    assert missing(other_purpose, other_topic) is Reason.AGREEMENT_CATEGORY
    assert missing(other_topic, other_purpose) is Reason.AGREEMENT_CATEGORY
