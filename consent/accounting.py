"""What each law's account of disclosures holds: which entries stand in it, and which of them the law itself asks for.

The log records more than any one law wants. An account therefore tells of every line whether its section requires it and
by which paragraph, or by which it is excused: 34 CFR 99.32, 45 CFR 164.528, 42 CFR 2.24, and the family's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from consent.entry import DisclosureEntry, Entry, EntryKind
from consent.vocabulary import Basis
from mappings.record.regime import Regime


class Account(StrEnum):
    """Whose account is asked for."""

    FERPA = "ferpa"
    HIPAA = "hipaa"
    PART2 = "part2"
    FAMILY = "family"


SECTION: Mapping[Account, str] = {
    Account.FERPA: "34 CFR 99.32",
    Account.HIPAA: "45 CFR 164.528",
    Account.PART2: "42 CFR 2.24",
    Account.FAMILY: "the family's account",
}

REGIME: Mapping[Account, Regime] = {
    Account.FERPA: Regime.EDU,
    Account.HIPAA: Regime.HLTH,
    Account.PART2: Regime.P2,
}
"""The regime whose row says how far back an account reaches and how soon it is owed; the family's reaches to the start."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Whether the section asks for a line, and the paragraph that asks for it or excuses it."""

    required: bool
    because: str


EDUCATION = frozenset({Regime.EDU, Regime.EDU_SE, Regime.MV})
_RELEASED = frozenset({EntryKind.DISCLOSURE, EntryKind.BREAK_GLASS})
_ASKED = frozenset({EntryKind.DENIAL, EntryKind.REQUEST})
_OWN = Owed(False, "no disclosure: the party read what it had itself sent")
_NOTHING_LEFT = Owed(False, "nothing left")


def owed(account: Account, entry: Entry, *, left: bool) -> Owed | None:
    """What an account makes of an entry; None where the entry is no line of it. `left` is whether something really left."""
    if account is Account.FAMILY:
        return Owed(False, "recorded for the family")
    return _RULE[account](entry, left) if isinstance(entry, DisclosureEntry) else None


def _ferpa(entry: DisclosureEntry, left: bool) -> Owed | None:
    """Each request and each disclosure (a)(1), but not of parent, school official or a party with consent (d)."""
    if entry.kind is EntryKind.READ:
        return Owed(False, "99.32(d)(1)" if entry.basis is Basis.FAMILY else "99.32(d)(2)")
    if entry.kind in _ASKED:
        return _of_a_request(entry.basis)
    if entry.kind not in _RELEASED or not EDUCATION & set(entry.regimes):
        return None
    if not left:
        return _NOTHING_LEFT
    if entry.kind is EntryKind.BREAK_GLASS:
        return Owed(True, "99.32(a)(1), (a)(5)")
    return {
        Basis.CONSENT: Owed(False, "99.32(d)(3)"),
        Basis.OWN: _OWN,
        Basis.FAMILY: Owed(False, "99.32(d)(1)"),
        Basis.STEWARD: Owed(False, "99.32(d)(2)"),
        Basis.EXCEPTION: Owed(True, "99.32(a)(1)"),
    }[entry.basis]


def _of_a_request(basis: Basis) -> Owed:
    if basis in {Basis.CONSENT, Basis.EXCEPTION}:
        return Owed(True, "99.32(a)(1)")
    return Owed(False, "99.32(d)(1)" if basis is Basis.FAMILY else "99.32(d)(2)")


def _hipaa(entry: DisclosureEntry, left: bool) -> Owed | None:
    """Disclosures of health information (a)(1), but not to the individual (ii) or under an authorization (iv)."""
    if entry.kind not in _RELEASED or Regime.HLTH not in entry.regimes:
        return None
    if not left:
        return _NOTHING_LEFT
    excused = {
        Basis.CONSENT: Owed(False, "164.528(a)(1)(iv)"),
        Basis.FAMILY: Owed(False, "164.528(a)(1)(ii)"),
        Basis.OWN: _OWN,
    }
    return excused.get(entry.basis, Owed(True, "164.528(a)(1)"))


def _part2(entry: DisclosureEntry, left: bool) -> Owed | None:
    """Whom the intermediary passed substance-use records to on the patient's consent."""
    if entry.kind not in _RELEASED or Regime.P2 not in entry.regimes or not left:
        return None
    if entry.basis is Basis.CONSENT:
        return Owed(True, "2.24")
    return _OWN if entry.basis is Basis.OWN else Owed(False, "2.24 is of disclosures on consent")


_RULE: Mapping[Account, Callable[[DisclosureEntry, bool], Owed | None]] = {
    Account.FERPA: _ferpa,
    Account.HIPAA: _hipaa,
    Account.PART2: _part2,
}


def years_before(day: date, years: int) -> date:
    """The same day so many years earlier; the 28th where that year has no 29 February."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def reaches(entry_at: datetime, asked_at: datetime, keep_years: int | None) -> bool:
    """Whether an account asked for at this instant goes back to an entry; without a number of years it goes to the start."""
    return keep_years is None or entry_at.date() >= years_before(asked_at.date(), keep_years)
