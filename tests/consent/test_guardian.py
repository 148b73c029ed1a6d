from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from consent.guardian import (
    Authority,
    GuardianKind,
    GuardianLink,
    Restraint,
    RestraintKind,
    Standing,
    birthday,
    may_sign,
    midnight,
    signatures_suffice,
    standing,
    who_signs,
)
from consent.law import Law, LawInForce, LeapDay, load_law
from mappings.record.category import Category
from tests.consent.family import (
    CLINIC,
    DAY,
    FATHER,
    LAW,
    LONG_AGO,
    MOTHER,
    NOON,
    SELF,
    ZONE,
    child,
    link,
    restraint,
)
from tests.consent.statutes import TABLE

TODAY = NOON.date()
SECOND = timedelta(seconds=1)


def table() -> Law:
    """Counseling: a minor of 14 or more signs. Substance use: both sign, the minor from 12. Sexual health: either."""
    law = load_law({"a.toml": TABLE})
    assert isinstance(law, Law), law
    return law


STATE = table().in_force("default", TODAY)
HERE = LAW.in_force("default", TODAY)


def worth(
    found: GuardianLink | None = None,
    category: Category = Category.SCHOOL,
    at: datetime = NOON,
    law: LawInForce = HERE,
    restraints: Iterable[Restraint] = (),
    **facts: Any,
) -> Standing:
    return standing(found or link(), child(**facts), category, at, law, restraints)


def test_a_verified_parent_in_their_period_signs_for_a_minor():
    assert worth() is Standing.GUARDIAN
    assert may_sign(link(), child(), [Category.SCHOOL, Category.HEALTH], NOON, HERE)


def test_a_signature_on_nothing_is_none():
    assert not may_sign(link(), child(), [], NOON, HERE)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"authority": Authority.CANDIDATE}, Standing.UNVERIFIED),
        ({"verified_at": None}, Standing.UNVERIFIED),
        ({"verified_at": NOON + SECOND}, Standing.UNVERIFIED),
        ({"verified_at": NOON}, Standing.GUARDIAN),
        ({"authority": Authority.NONE}, Standing.NO_AUTHORITY),
        ({"child_id": UUID(int=9)}, Standing.OTHER_CHILD),
        ({"valid_from": NOON + SECOND}, Standing.OUT_OF_PERIOD),
        ({"valid_from": NOON}, Standing.GUARDIAN),
        ({"valid_until": NOON}, Standing.OUT_OF_PERIOD),
        ({"valid_until": NOON + SECOND}, Standing.GUARDIAN),
        ({"restricted": frozenset({Category.SCHOOL})}, Standing.RESTRICTED),
        ({"restricted": frozenset({Category.HEALTH})}, Standing.GUARDIAN),
    ],
)
def test_what_a_link_lacks_is_named(changes, expected):
    assert worth(link(**changes)) is expected


def test_one_topic_outside_authority_spoils_a_signature_on_several():
    limited = link(restricted=frozenset({Category.HEALTH}))
    assert may_sign(limited, child(), [Category.SCHOOL], NOON, HERE)
    assert not may_sign(limited, child(), [Category.SCHOOL, Category.HEALTH], NOON, HERE)


@pytest.mark.parametrize("kind", list(RestraintKind))
def test_an_order_or_hold_on_a_guardian_suspends_that_guardian_only_for_its_topics_and_time(kind):
    on_school = {"kind": kind, "guardian_link_id": MOTHER, "categories": frozenset({Category.SCHOOL})}
    held = [restraint(**on_school)]
    assert worth(restraints=held) is Standing(kind.value)
    assert worth(category=Category.HEALTH, restraints=held) is Standing.GUARDIAN
    assert worth(link(FATHER), restraints=held) is Standing.GUARDIAN
    assert worth(restraints=[restraint(**on_school, valid_until=NOON)]) is Standing.GUARDIAN
    assert worth(restraints=[restraint(**on_school, valid_from=NOON + SECOND)]) is Standing.GUARDIAN
    assert not may_sign(link(), child(), [Category.SCHOOL], NOON, HERE, iter(held))


def test_a_restraint_names_its_topics():
    with pytest.raises(ValidationError):
        restraint(categories=frozenset())


@pytest.mark.parametrize(
    ("who", "stops_clinic", "stops_others"),
    [
        ({}, True, True),
        ({"recipient": CLINIC}, True, False),
        ({"guardian_link_id": MOTHER}, False, False),
        ({"guardian_link_id": MOTHER, "recipient": CLINIC}, True, False),
    ],
)
def test_a_restraint_stops_whom_it_names_or_everyone(who, stops_clinic, stops_others):
    found = restraint(**who)
    assert (found.stops(CLINIC, NOON), found.stops("others", NOON)) == (stops_clinic, stops_others)
    assert not restraint(**who, valid_until=NOON).stops(CLINIC, NOON)


BIRTH = date(2008, 11, 22)


@pytest.mark.parametrize(
    ("birth", "turns"),
    [
        (date(2008, 11, 22), datetime(2026, 11, 22, 5, 0, tzinfo=UTC)),  # winter time: UTC-5
        (date(2008, 7, 4), datetime(2026, 7, 4, 4, 0, tzinfo=UTC)),  # summer time: UTC-4
        (
            date(2008, 2, 29),
            datetime(2026, 3, 1, 5, 0, tzinfo=UTC),
        ),  # the shipped rule: 1 March in a common year
        (date(2006, 3, 1), datetime(2024, 3, 1, 5, 0, tzinfo=UTC)),
        (date(2008, 11, 2), datetime(2026, 11, 2, 5, 0, tzinfo=UTC)),  # the day after the clocks went back
        (date(2008, 11, 1), datetime(2026, 11, 1, 4, 0, tzinfo=UTC)),  # the day on which they go back
        (date(2008, 3, 8), datetime(2026, 3, 8, 5, 0, tzinfo=UTC)),  # the day on which they go forward
    ],
)
def test_rights_pass_at_local_midnight_of_the_eighteenth_birthday(birth, turns):
    long_ago = turns - 365 * DAY
    parent, young = (
        link(valid_from=long_ago, verified_at=long_ago),
        link(SELF, valid_from=long_ago, verified_at=long_ago),
    )
    for at, expected in ((turns - DAY, False), (turns - SECOND, False), (turns, True), (turns + DAY, True)):
        guardians = worth(parent, at=at, birth_date=birth)
        own = worth(young, at=at, birth_date=birth)
        assert guardians is (Standing.CHILD_OF_AGE if expected else Standing.GUARDIAN)
        assert own is (Standing.ADULT if expected else Standing.UNDER_AGE)


def test_a_birthday_begins_where_the_child_lives():
    at = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)  # past midnight in New York, not in Los Angeles
    assert worth(at=at, birth_date=BIRTH) is Standing.CHILD_OF_AGE
    assert worth(at=at, birth_date=BIRTH, zone=ZoneInfo("America/Los_Angeles")) is Standing.GUARDIAN


@pytest.mark.parametrize(
    ("age", "rule", "day"),
    [
        (18, LeapDay.MARCH_1, date(2026, 3, 1)),
        (18, LeapDay.FEBRUARY_28, date(2026, 2, 28)),
        (16, LeapDay.MARCH_1, date(2024, 2, 29)),
        (16, LeapDay.FEBRUARY_28, date(2024, 2, 29)),
        (12, LeapDay.MARCH_1, date(2020, 2, 29)),
    ],
)
def test_who_is_born_on_a_leap_day_comes_of_age_by_the_rule_in_common_years_only(age, rule, day):
    assert birthday(date(2008, 2, 29), age, rule) == day


def test_a_child_without_a_birth_date_has_no_one_who_may_sign():
    assert worth(birth_date=None) is Standing.AGE_UNKNOWN
    assert worth(link(SELF), birth_date=None) is Standing.AGE_UNKNOWN


def test_a_law_without_an_age_of_majority_lets_no_one_sign():
    law = load_law({"a.toml": b""})
    assert isinstance(law, Law)
    assert worth(law=law.in_force("default", TODAY)) is Standing.AGE_UNKNOWN


@pytest.mark.parametrize(
    ("category", "from_age"),
    [(Category.COUNSELING, 14), (Category.SUBSTANCE_USE, 12), (Category.SEXUAL_HEALTH, 12)],
)
def test_a_minor_signs_from_the_age_the_table_names_to_the_day(category, from_age):
    young = link(SELF)
    for days, expected in ((-1, Standing.MINOR), (0, Standing.MINOR), (1, Standing.UNDER_AGE)):
        born = date(TODAY.year - from_age, TODAY.month, TODAY.day) + timedelta(days=days)
        assert worth(young, category, law=STATE, birth_date=born) is expected


def test_a_minor_signs_nothing_the_table_leaves_to_guardians_or_does_not_list():
    assert worth(link(SELF), Category.SCHOOL, law=STATE) is Standing.UNDER_AGE
    assert worth(link(SELF), Category.SAFETY, law=STATE) is Standing.NO_RULE


S = Standing


@pytest.mark.parametrize(
    ("category", "enough", "not_enough"),
    [
        (Category.SCHOOL, [[S.GUARDIAN], [S.ADULT]], [[S.MINOR], []]),
        (Category.COUNSELING, [[S.MINOR], [S.ADULT]], [[S.GUARDIAN], []]),
        (Category.SUBSTANCE_USE, [[S.GUARDIAN, S.MINOR], [S.ADULT]], [[S.GUARDIAN], [S.MINOR], []]),
        (Category.SEXUAL_HEALTH, [[S.GUARDIAN], [S.MINOR], [S.ADULT]], [[], [S.UNVERIFIED]]),
        (Category.SAFETY, [[S.ADULT]], [[S.GUARDIAN], [S.MINOR], [S.GUARDIAN, S.MINOR], []]),
    ],
)
def test_whose_signatures_suffice_is_what_the_table_says_and_no_row_means_nobody(
    category, enough, not_enough
):
    needed = who_signs(category, child(birth_date=date(2010, 1, 1)), STATE, NOON)
    assert all(signatures_suffice(signed, needed) for signed in enough)
    assert not any(signatures_suffice(signed, needed) for signed in not_enough)


def test_only_three_standings_carry_a_signature():
    assert {found for found in Standing if found.may_sign} == {
        Standing.GUARDIAN,
        Standing.ADULT,
        Standing.MINOR,
    }


def test_a_day_begins_at_midnight_of_its_zone():
    assert midnight(date(2026, 7, 1), ZONE) == datetime(2026, 7, 1, 4, 0, tzinfo=UTC)


def test_a_foster_parents_authority_is_a_guardians_until_it_ends():
    foster = link(kind=GuardianKind.FOSTER_PARENT, valid_from=LONG_AGO, valid_until=NOON + DAY)
    assert worth(foster) is Standing.GUARDIAN
    assert worth(foster, at=NOON + DAY) is Standing.OUT_OF_PERIOD
