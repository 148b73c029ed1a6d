"""Each law's account: which entries stand in it, and which of them its section asks for or excuses."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from consent.accounting import Account, Owed, owed, reaches, years_before
from consent.entry import ChangeEntry, DisclosureEntry, Emergency, EntryKind
from consent.vocabulary import Basis
from mappings.record.category import Category
from mappings.record.regime import Regime

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
EMERGENCY = Emergency(threat_statement="a threat", affected_person="a child", personnel="x", affiliation="y")
OWN = Owed(False, "no disclosure: the party read what it had itself sent")
NOTHING_LEFT = Owed(False, "nothing left")


def entry(kind: EntryKind, *regimes: Regime, basis: Basis = Basis.CONSENT, **more: Any) -> DisclosureEntry:
    return DisclosureEntry(
        kind=kind,
        at=AT,
        child_tag="0" * 32,
        requester="someone",
        recipient="clinic",
        purpose="COC",
        basis=basis,
        regimes=regimes,
        categories=(Category.SCHOOL,),
        description="the plan",
        payload_sha256="0" * 64,
        decision_id=UUID(int=1),
        rules_version="0" * 64,
        child_epoch=1,
        agreement_epoch=1,
        emergency=EMERGENCY if kind is EntryKind.BREAK_GLASS else None,
        **more,
    )


@pytest.mark.parametrize(
    ("given", "left", "says"),
    [
        (entry(EntryKind.DISCLOSURE, Regime.EDU), True, Owed(False, "99.32(d)(3)")),
        (entry(EntryKind.DISCLOSURE, Regime.EDU_SE), True, Owed(False, "99.32(d)(3)")),
        (entry(EntryKind.DISCLOSURE, Regime.MV, basis=Basis.EXCEPTION), True, Owed(True, "99.32(a)(1)")),
        (entry(EntryKind.DISCLOSURE, Regime.EDU, basis=Basis.OWN), True, OWN),
        (entry(EntryKind.DISCLOSURE, Regime.EDU, basis=Basis.FAMILY), True, Owed(False, "99.32(d)(1)")),
        (entry(EntryKind.DISCLOSURE, Regime.EDU, basis=Basis.STEWARD), True, Owed(False, "99.32(d)(2)")),
        (entry(EntryKind.DISCLOSURE, Regime.EDU), False, NOTHING_LEFT),
        (entry(EntryKind.DISCLOSURE, Regime.HLTH), True, None),
        (
            entry(EntryKind.BREAK_GLASS, Regime.EDU, basis=Basis.EXCEPTION),
            True,
            Owed(True, "99.32(a)(1), (a)(5)"),
        ),
        (entry(EntryKind.DENIAL), False, Owed(True, "99.32(a)(1)")),
        (entry(EntryKind.REQUEST, basis=Basis.EXCEPTION), False, Owed(True, "99.32(a)(1)")),
        (entry(EntryKind.DENIAL, basis=Basis.FAMILY), False, Owed(False, "99.32(d)(1)")),
        (entry(EntryKind.DENIAL, basis=Basis.STEWARD), False, Owed(False, "99.32(d)(2)")),
        (entry(EntryKind.READ, basis=Basis.FAMILY), False, Owed(False, "99.32(d)(1)")),
        (entry(EntryKind.READ, basis=Basis.STEWARD), False, Owed(False, "99.32(d)(2)")),
        (entry(EntryKind.WITHHELD, Regime.EDU), False, None),
        (entry(EntryKind.RECALL, Regime.EDU), False, None),
    ],
)
def test_ferpa_asks_for_each_request_and_disclosure_but_those_of_parent_official_or_with_consent(
    given, left, says
):
    assert owed(Account.FERPA, given, left=left) == says


@pytest.mark.parametrize(
    ("given", "left", "says"),
    [
        (entry(EntryKind.DISCLOSURE, Regime.HLTH), True, Owed(False, "164.528(a)(1)(iv)")),
        (
            entry(EntryKind.DISCLOSURE, Regime.HLTH, basis=Basis.FAMILY),
            True,
            Owed(False, "164.528(a)(1)(ii)"),
        ),
        (entry(EntryKind.DISCLOSURE, Regime.HLTH, basis=Basis.OWN), True, OWN),
        (entry(EntryKind.DISCLOSURE, Regime.HLTH, basis=Basis.EXCEPTION), True, Owed(True, "164.528(a)(1)")),
        (entry(EntryKind.DISCLOSURE, Regime.HLTH), False, NOTHING_LEFT),
        (entry(EntryKind.DISCLOSURE, Regime.EDU), True, None),
        (entry(EntryKind.DENIAL, Regime.HLTH), False, None),
    ],
)
def test_hipaa_asks_for_disclosures_of_health_information_that_no_authorization_covers(given, left, says):
    assert owed(Account.HIPAA, given, left=left) == says


@pytest.mark.parametrize(
    ("given", "left", "says"),
    [
        (entry(EntryKind.DISCLOSURE, Regime.P2), True, Owed(True, "2.24")),
        (entry(EntryKind.DISCLOSURE, Regime.P2), False, None),
        (entry(EntryKind.DISCLOSURE, Regime.P2, basis=Basis.OWN), True, OWN),
        (
            entry(EntryKind.BREAK_GLASS, Regime.P2, basis=Basis.EXCEPTION),
            True,
            Owed(False, "2.24 is of disclosures on consent"),
        ),
        (entry(EntryKind.DISCLOSURE, Regime.HLTH), True, None),
        (entry(EntryKind.DENIAL, Regime.P2), False, None),
    ],
)
def test_part_2_asks_for_everyone_an_intermediary_passed_records_to_on_consent(given, left, says):
    assert owed(Account.PART2, given, left=left) == says


def test_the_familys_account_holds_every_entry_and_the_laws_hold_no_change_of_consent():
    change = ChangeEntry(
        kind=EntryKind.DIRECTIVE_GIVEN,
        at=AT,
        child_tag="0" * 32,
        actor="someone",
        subject=UUID(int=2),
        subject_sha256="0" * 64,
        epoch=2,
    )
    assert owed(Account.FAMILY, change, left=False) is not None
    assert all(owed(account, change, left=False) is None for account in set(Account) - {Account.FAMILY})


@pytest.mark.parametrize(
    ("day", "years", "before"),
    [
        (date(2026, 11, 22), 6, date(2020, 11, 22)),
        (date(2028, 2, 29), 3, date(2025, 2, 28)),
        (date(2028, 2, 29), 4, date(2024, 2, 29)),
    ],
)
def test_years_are_counted_by_the_calendar(day, years, before):
    assert years_before(day, years) == before


@pytest.mark.parametrize(("off", "inside"), [(-1, False), (0, True), (1, True)])
def test_an_account_reaches_back_to_the_day_itself(off, inside):
    day = datetime(2020, 11, 22, tzinfo=UTC) + timedelta(days=off)
    assert reaches(day, datetime(2026, 11, 22, 9, tzinfo=UTC), 6) is inside


def test_an_account_without_a_number_of_years_reaches_to_the_start():
    assert reaches(datetime(1980, 1, 1, tzinfo=UTC), AT, None)
