"""How long a child's record and the log about it must stay readable, from the rows of law in force (consent.md §4).

Who received facts of a regime must be told for so many years after the last thing that happened; a regime whose row names no
number is accounted for as long as its record is kept, so its facts must have ended first.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from mappings.record.regime import Regime


@dataclass(frozen=True, slots=True)
class Retention:
    """`until` is the first day on which the record may be erased; `held` are regimes whose facts still stand."""

    until: date
    held: frozenset[Regime]

    def over(self, day: date) -> bool:
        """Whether nothing keeps the record on this day."""
        return not self.held and self.until <= day


def retention(
    last: date,
    regimes: Collection[Regime],
    standing: Iterable[Regime],
    years: Mapping[Regime, int | None],
) -> Retention:
    """The longest duty counts. `last` is the day of the last fact or flow, `regimes` those of all facts, `standing` those of
    facts that have not ended, `years` what the law rows say: None as long as the record. A regime without a row is kept as
    long as the longest that has one.
    """
    longest = max((found for found in years.values() if found is not None), default=0)
    owed = max(((years.get(regime, longest) or 0) for regime in regimes), default=longest)
    bound = {regime for regime, found in years.items() if found is None}
    return Retention(years_after(last, owed), frozenset(bound & set(standing)))


def years_after(day: date, years: int) -> date:
    """The same day so many years later; the first of March where that year has no 29 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
