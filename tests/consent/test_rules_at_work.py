"""What the shipped rows come to in a decision, on the day before, the day, and the day after."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consent.decision import Decision
from consent.directive import Directive
from consent.guardian import GuardianKind, Standing, midnight, standing
from consent.request import DecisionRequest
from consent.vocabulary import STATEMENTS, Basis, Element, Outcome, Purpose, Reason
from mappings.record.category import Category
from mappings.record.kind import Kind
from mappings.record.regime import Regime
from tests.consent.family import (
    DAY,
    FATHER,
    LAW,
    LONG_AGO,
    MOTHER,
    NOON,
    SELF,
    agreement,
    child,
    decided,
    directive,
    link,
    request,
)

MA, CA = "us-ma", "us-ca"
NEW_YORK, LOS_ANGELES = ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles")
EASTERN: dict[str, Any] = {"zone": NEW_YORK, "jurisdiction": MA}
WESTERN: dict[str, Any] = {"zone": LOS_ANGELES, "jurisdiction": CA}
TICK = timedelta(microseconds=1)


def permit(number: int, topic: Category, *signer: Any, **changes: Any) -> Directive:
    who = signer[0] if signer else MOTHER
    facts: dict[str, Any] = {
        "categories": frozenset({topic}),
        "signer_link": who,
        "capacity": GuardianKind.SELF if who == SELF else GuardianKind.PARENT,
        "regimes": frozenset(Regime),
        "valid_from": LONG_AGO,
        "recorded_at": LONG_AGO + DAY,
        "valid_until": LONG_AGO + 360 * DAY,
    }
    return directive(number, **facts | changes)


def said_by(signers: tuple[Any, ...], topic: Category, at: datetime, **facts: Any) -> Decision:
    """The decision on a topic these people have signed for, of a child of these facts."""
    spell = {"valid_from": at - 30 * DAY, "recorded_at": at - 29 * DAY, "valid_until": at + 30 * DAY}
    permits = [permit(n, topic, who, **spell) for n, who in enumerate(signers, 1)]
    links = tuple(
        link(who, valid_from=at - 99 * DAY, verified_at=at - 99 * DAY) for who in (MOTHER, FATHER, SELF)
    )
    bound = (agreement(valid_from=at - 99 * DAY),)
    return decided(*permits, at=at, ask=request(topic), child=child(**facts), links=links, agreements=bound)


def opens(signers: tuple[Any, ...], topic: Category, at: datetime, **facts: Any) -> bool:
    return said_by(signers, topic, at, **facts).outcome is not Outcome.DENY


def around(day: date, zone: ZoneInfo) -> list[datetime]:
    """An instant on the day before, the last one before it, its first, and one on the day after."""
    begins = midnight(day, zone)
    return [begins - timedelta(hours=12), begins - TICK, begins, begins + timedelta(hours=36)]


@pytest.mark.parametrize("place", ["default", "us-ny", "nowhere"])
@pytest.mark.parametrize(
    "topic", [Category.COUNSELING, Category.SUBSTANCE_USE, Category.SEXUAL_HEALTH, Category.SAFETY]
)
def test_without_a_table_of_the_childs_own_state_nobody_can_open_a_sensitive_topic(place, topic):
    found = said_by((MOTHER, SELF), topic, NOON, jurisdiction=place, birth_date=date(2009, 1, 1))
    assert found.reasons[topic] in {Reason.SIGNATURES_MISSING, Reason.AUTHORITY_LAPSED}


# who signs, state by state: (place, topic, age, who opens it before, who from that birthday on)
M, S, BOTH, NOBODY = (MOTHER,), (SELF,), (MOTHER, SELF), ()
TABLES = [
    (EASTERN, Category.SCHOOL, 14, [M, BOTH], [M, S, BOTH]),
    (EASTERN, Category.FEELINGS, 14, [M, BOTH], [M, S, BOTH]),
    (EASTERN, Category.ACTIVITIES, 14, [M, BOTH], [M, S, BOTH]),
    (EASTERN, Category.DISCIPLINE, 14, [M, BOTH], [M, S, BOTH]),
    (EASTERN, Category.SPECIAL_EDUCATION, 14, [M, BOTH], [BOTH]),
    (EASTERN, Category.COUNSELING, 16, [M, BOTH], [BOTH]),
    (EASTERN, Category.SUBSTANCE_USE, 12, [], [BOTH]),
    (EASTERN, Category.SEXUAL_HEALTH, 12, [], [S, BOTH]),
    (EASTERN, Category.SAFETY, 14, [], []),
    (WESTERN, Category.SCHOOL, 14, [M, BOTH], [M, BOTH]),
    (WESTERN, Category.COUNSELING, 12, [M, BOTH], [BOTH]),
    (WESTERN, Category.SUBSTANCE_USE, 12, [], [S, BOTH]),
    (WESTERN, Category.SEXUAL_HEALTH, 12, [], [S, BOTH]),
    (WESTERN, Category.SAFETY, 12, [], [S, BOTH]),
    ({"zone": UTC, "jurisdiction": "default"}, Category.SCHOOL, 18, [M, BOTH], [S, BOTH]),
    (EASTERN, Category.SEXUAL_HEALTH, 18, [S, BOTH], [S, BOTH]),
    (EASTERN, Category.SPECIAL_EDUCATION, 18, [BOTH], [S, BOTH]),
]


@pytest.mark.parametrize("born", [date(2010, 6, 15), date(2008, 2, 29), date(2010, 3, 1)], ids=str)
@pytest.mark.parametrize(("place", "topic", "age", "before", "since"), TABLES)
def test_who_signs_turns_at_the_first_instant_of_the_birthday_where_the_child_lives(
    place, topic, age, before, since, born
):
    try:
        turns = born.replace(year=born.year + age)
    except ValueError:
        turns = date(born.year + age, 3, 1)  # 29 February in a common year: the shipped row says 1 March
    expected = [before, before, since, since]
    for at, enough in zip(around(turns, place["zone"]), expected, strict=True):
        found = [one for one in (M, S, BOTH) if opens(one, topic, at, birth_date=born, **place)]
        assert found == enough, at


def test_the_same_instant_is_a_birthday_in_one_zone_and_not_yet_in_another():
    at = datetime(2024, 6, 15, 5, 0, tzinfo=UTC)  # past midnight in the east, the evening before in the west
    born = date(2012, 6, 15)
    eastern, western = (WESTERN | {"zone": zone, "birth_date": born} for zone in (NEW_YORK, LOS_ANGELES))
    assert opens(S, Category.SEXUAL_HEALTH, at, **eastern)
    assert not opens(S, Category.SEXUAL_HEALTH, at, **western)


def test_rights_are_shared_from_ninth_grade_where_that_comes_before_the_fourteenth_birthday():
    began = date(2026, 8, 31)
    facts: dict[str, Any] = {"birth_date": date(2012, 12, 1), "entered": ((8, date(2025, 9, 1)), (9, began))}
    found = [opens(S, Category.SCHOOL, at, **EASTERN, **facts) for at in around(began, NEW_YORK)]
    assert found == [False, False, True, True]
    assert not opens(S, Category.SCHOOL, midnight(began, NEW_YORK), **WESTERN, **facts)
    late = facts | {"birth_date": date(2012, 8, 1)}
    assert opens(S, Category.SCHOOL, midnight(date(2026, 8, 1), NEW_YORK), **EASTERN, **late)


def test_a_decision_ends_when_the_child_enters_a_grade():
    began = date(2026, 8, 31)
    at = midnight(began, NEW_YORK) - timedelta(seconds=10)
    found = said_by(M, Category.SCHOOL, at, entered=((9, began),), **EASTERN)
    assert found.expires == midnight(began, NEW_YORK)


def reads(who: Any, at: datetime, **facts: Any) -> Decision:
    links = tuple(
        one if one.guardian_link_id == who else link(one.guardian_link_id)
        for one in (link(FATHER, **facts), link(MOTHER))
    )
    ask = DecisionRequest(
        decision_id=request().decision_id,
        child_id=request().child_id,
        recipient="family",
        requester="portal",
        purpose=Purpose.FAMILY_REQUEST,
        parts=request().parts,
        categories=frozenset(Category),
        basis=Basis.FAMILY,
        guardian_link_id=who,
    )
    return decided(at=at, ask=ask, links=links, child=child(**EASTERN))


ASKED = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
SCHOOLING = {
    Category.IDENTITY, Category.SCHOOL, Category.FEELINGS, Category.ACTIVITIES, Category.SPECIAL_EDUCATION,
    Category.DISCIPLINE,
}  # fmt: skip


def test_a_parent_without_custody_reads_school_records_after_21_full_days_and_not_before():
    opening = midnight(date(2026, 3, 24), NEW_YORK)  # asked on the 2nd; the 23rd is the 21st day after it
    apart: dict[str, Any] = {"custodial": False, "asked_at": ASKED}
    for at, whether in (
        (opening - DAY, False),
        (opening - TICK, False),
        (opening, True),
        (opening + DAY, True),
    ):
        found = reads(FATHER, at, **apart)
        assert (found.categories >= SCHOOLING) is whether
        assert found.by_category[Category.SCHOOL].standing is (
            Standing.GUARDIAN if whether else Standing.NOT_YET_OPEN
        )
    assert reads(FATHER, opening - timedelta(seconds=5), **apart).expires == opening


def test_a_parent_without_custody_who_never_asked_in_writing_reads_no_school_record():
    assert not SCHOOLING & reads(FATHER, NOON, custodial=False).categories
    assert reads(FATHER, NOON, custodial=True).categories >= SCHOOLING
    elsewhere = standing(
        link(custodial=False), child(), Category.SCHOOL, NOON, LAW.in_force("default", NOON.date())
    )
    assert elsewhere is Standing.GUARDIAN


def test_where_the_other_parent_lives_is_not_read_by_the_one_without_custody():
    apart = reads(FATHER, NOON, custodial=False, asked_at=ASKED)
    assert apart.left_out == {Kind.ADDRESS, Kind.TELECOM, Kind.GUARDIAN}
    assert reads(FATHER, NOON).left_out == frozenset()
    assert decided(directive()).left_out == frozenset()


def test_what_a_minor_may_sign_for_a_guardian_reads_only_until_then():
    def read(topic: Category, born: date) -> bool:
        ask = request(topic, basis=Basis.FAMILY, purpose=Purpose.FAMILY_REQUEST, guardian_link_id=MOTHER)
        return decided(ask=ask, child=child(birth_date=born, **WESTERN)).outcome is Outcome.PERMIT

    turns = date(NOON.year - 12, 11, 22)
    assert [read(Category.COUNSELING, turns + n * DAY) for n in (1, 0, -1)] == [True, False, False]
    assert not read(Category.SEXUAL_HEALTH, turns + DAY)
    assert read(Category.SCHOOL, turns)


# what a consent must have


def lacking(regime: Regime, at: datetime = NOON, **changes: Any) -> Element | None:
    """What a permit for facts of this regime alone is said to lack on School."""
    spell = {"valid_from": at - 30 * DAY, "recorded_at": at - 29 * DAY, "valid_until": at + 60 * DAY}
    given = directive(**{"regimes": frozenset({regime}), **spell, **changes})
    links = (link(valid_from=at - 99 * DAY, verified_at=at - 99 * DAY),)
    found = decided(given, at=at, links=links).by_category[Category.SCHOOL]
    assert (found.reason is Reason.DEFECTIVE) == (found.element is not None)
    assert found.element is None or not found.scopes
    return found.element


def told(*elements: Element) -> dict[str, Any]:
    notice = directive().notice
    assert notice is not None
    return {"notice": notice.model_copy(update={"states": frozenset(elements)})}


NEEDED = {
    Regime.EDU: set(),
    Regime.MV: set(),
    Regime.FAM: set(),
    Regime.EDU_SE: {Element.VOLUNTARY, Element.RIGHT_TO_REVOKE},
    Regime.HLTH: {Element.RIGHT_TO_REVOKE, Element.CONDITIONING, Element.REDISCLOSURE},
    Regime.P2: {Element.RIGHT_TO_REVOKE, Element.CONDITIONING, Element.REDISCLOSURE, Element.INTERMEDIARY},
    Regime.HMIS: {Element.VOLUNTARY},
}


@pytest.mark.parametrize("regime", NEEDED)
def test_each_sentence_a_law_asks_for_is_missed_by_name_and_without_it_nothing_is_permitted(regime):
    assert lacking(regime, **told(*NEEDED[regime])) is None
    for missing in NEEDED[regime]:
        assert lacking(regime, **told(*NEEDED[regime] - {missing})) is missing


def test_a_text_that_lacks_what_one_of_its_laws_asks_permits_nothing_under_the_others_either():
    both = frozenset({Regime.EDU, Regime.HLTH})
    assert lacking(Regime.EDU, **told()) is None
    assert lacking(Regime.EDU, regimes=both, **told()) is Element.RIGHT_TO_REVOKE


@pytest.mark.parametrize(
    ("day", "element"),
    [
        (date(2026, 2, 14), None),
        (date(2026, 2, 15), None),
        (date(2026, 2, 16), Element.CONDITIONING),
        (date(2026, 2, 17), Element.CONDITIONING),
    ],
)
def test_a_consent_for_part_2_records_needs_the_amended_statements_from_16_february_2026(day, element):
    before = told(Element.RIGHT_TO_REVOKE, Element.INTERMEDIARY)
    at = midnight(day, NEW_YORK)
    assert lacking(Regime.P2, at, **before) is element
    after = told(*STATEMENTS - {Element.VOLUNTARY, Element.REDISCLOSURE})
    assert lacking(Regime.P2, at, **after) is (Element.REDISCLOSURE if element else None)


def test_the_amendment_begins_at_midnight_where_the_child_lives():
    short = told(Element.RIGHT_TO_REVOKE, Element.INTERMEDIARY)
    turns = midnight(date(2026, 2, 16), NEW_YORK)
    assert lacking(Regime.P2, turns - TICK, **short) is None
    assert lacking(Regime.P2, turns, **short) is Element.CONDITIONING


@pytest.mark.parametrize(
    ("days", "element"), [(364, None), (365, None), (366, Element.TERM), (None, Element.TERM)]
)
def test_a_release_of_survivors_data_is_limited_in_time(days, element):
    began = NOON - 30 * DAY
    until = None if days is None else began + days * DAY
    given: dict[str, Any] = {"valid_from": began, "valid_until": until, "ends_on_event": "end of stay"}
    assert lacking(Regime.HMIS, **given) is element
    assert lacking(Regime.EDU, **given) is None
