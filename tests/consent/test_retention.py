"""How long a record is kept: the longest duty counts, and what its source still keeps is kept."""

from datetime import date

import pytest

from consent.retention import retention, years_after
from mappings.record.regime import Regime

YEARS = {Regime.EDU: None, Regime.HLTH: 6, Regime.P2: 3}
LAST = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("regimes", "until"),
    [
        ({Regime.P2}, date(2029, 11, 22)),
        ({Regime.P2, Regime.HLTH}, date(2032, 11, 22)),
        ({Regime.EDU}, LAST),
        ({Regime.FAM}, date(2032, 11, 22)),  # no row: as long as the longest
        (set(), date(2032, 11, 22)),
    ],
)
def test_the_longest_duty_counts(regimes, until):
    assert retention(LAST, regimes, (), YEARS).until == until


@pytest.mark.parametrize(("day", "over"), [(21, False), (22, True), (23, True)])
def test_it_is_over_on_the_day_itself(day, over):
    assert retention(LAST, {Regime.P2}, (), YEARS).over(date(2029, 11, day)) is over


def test_what_is_kept_as_long_as_its_source_keeps_it_keeps_the_record():
    kept = retention(LAST, {Regime.EDU, Regime.HLTH}, {Regime.EDU, Regime.HLTH}, YEARS)
    assert kept.held == {Regime.EDU}
    assert not kept.over(date(2099, 1, 1))


def test_29_february_becomes_the_first_of_march():
    assert years_after(date(2028, 2, 29), 3) == date(2031, 3, 1)
    assert years_after(date(2028, 2, 29), 4) == date(2032, 2, 29)
