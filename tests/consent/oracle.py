"""Who may see what, said once more as slowly and plainly as possible: the decision's oracle, and the tiny world it lives in.

It shares no code with `consent.decision`, `consent.permission` or the computing part of `consent.guardian`: ages are counted in local calendar days,
rules are looked up in a dictionary written here, and every clause of consent.md §5.3 is one sentence.
"""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from consent.agreement import Agreement, AgreementStatus
from consent.decision import DecisionRequest, Snapshot
from consent.directive import Directive, State
from consent.guardian import Authority, GuardianLink, Restraint, RestraintKind
from consent.vocabulary import Effect, Purpose
from mappings.record.category import Category
from mappings.record.regime import Regime
from tests.consent.family import (
    CLINIC,
    FATHER,
    LONG_AGO,
    MOTHER,
    PROGRAMME,
    SELF,
    ZONE,
    agreement,
    child,
    directive,
    link,
    request,
    restraint,
    snapshot,
)
from tests.consent.statutes import state_law

RECIPIENTS = (CLINIC, PROGRAMME)
PURPOSES = (Purpose.TREATMENT, Purpose.CARE_COORDINATION)
TOPICS = (Category.SCHOOL, Category.COUNSELING, Category.SUBSTANCE_USE, Category.SAFETY)
MIDNIGHT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
INSTANTS = tuple(MIDNIGHT + timedelta(hours=12 * n) for n in (-2, -1, 0, 1, 2))
"""Five instants, twelve hours apart, the middle one a local midnight on which the child may have a birthday."""
BIRTHDAYS = (
    None,
    date(2008, 1, 1),
    date(2008, 11, 23),
    date(2012, 11, 23),
    date(2014, 11, 23),
    date(2016, 5, 1),
)

SIGNS = {Category.SCHOOL: "guardian", Category.COUNSELING: "minor", Category.SUBSTANCE_USE: "both"}
MINOR_FROM = {Category.COUNSELING: 14, Category.SUBSTANCE_USE: 12}


LAW = state_law()


def permitted(asked: DecisionRequest, known: Snapshot, at: datetime) -> set[Category]:
    """The topics a plain reading of the rules lets through."""
    return {topic for topic in asked.categories if _open(topic, asked, known, at)}


def _open(topic: Category, asked: DecisionRequest, known: Snapshot, at: datetime) -> bool:
    # 1. An order or hold on the topic, aimed at this recipient or at nobody in particular, closes it.
    for held in known.restraints:
        everyone = held.recipient is None and held.guardian_link_id is None
        if _within(held, at) and topic in held.categories and (everyone or held.recipient == asked.recipient):
            return False
    # 2. Some agreement in force must name this recipient, this purpose and this topic.
    if not any(
        a.status == AgreementStatus.IN_FORCE
        and _within(a, at)
        and (a.org, True, True) == (asked.recipient, asked.purpose in a.purposes, topic in a.categories)
        for a in known.agreements
    ):
        return False
    # 3. One standing stop closes it.
    if any(_stops(d, topic, asked, known, at) for d in known.directives if d.effect == Effect.DENY):
        return False
    # 4. Those whose permits count must together be those who must sign; an adult child alone may.
    said_yes = {
        _who(d, known)
        for d in known.directives
        if d.effect == Effect.PERMIT and _permits(d, topic, asked, known, at)
    }
    grown = _age(known, at) is not None and (_age(known, at) or 0) >= 18
    if grown:
        return "self" in said_yes
    return {
        None: False,
        "guardian": "guardian" in said_yes,
        "minor": "self" in said_yes,
        "both": said_yes == {"guardian", "self"},
    }[SIGNS.get(topic)]


def _stops(d: Directive, topic: Category, asked: DecisionRequest, known: Snapshot, at: datetime) -> bool:
    signer = _link(d, known)
    if d.state not in (State.GIVEN, State.RENEWED_GIVEN, State.DISPUTED) or d.revoked_at is not None:
        return False
    if not _within(d, at) or topic not in d.categories or d.recipient != asked.recipient:
        return False
    if asked.purpose not in d.purposes and not (
        Purpose.TREATMENT in d.purposes and asked.purpose == Purpose.CARE_COORDINATION
    ):
        return False
    if signer is None:
        return True
    if signer.authority != Authority.VERIFIED or signer.verified_at is None or signer.verified_at > at:
        return False
    age = _age(known, at)
    return signer.guardian_link_id == SELF or age is None or age < 18


def _permits(d: Directive, topic: Category, asked: DecisionRequest, known: Snapshot, at: datetime) -> bool:
    in_force = d.state in (State.GIVEN, State.RENEWED_GIVEN) and d.revoked_at is None and _within(d, at)
    replaced = any(
        other.supersedes == d.directive_id
        and other.state not in (State.REQUESTED, State.REFUSED, State.UNKNOWN, State.REQUEST_DEFERRED)
        and other.valid_from <= at
        for other in known.directives
    )
    answers = asked.purpose in d.purposes or (
        Purpose.TREATMENT in d.purposes and asked.purpose == Purpose.CARE_COORDINATION
    )
    about = topic in d.categories and d.recipient == asked.recipient and d.notice is not None and answers
    return in_force and not replaced and about and _signed(d, topic, known, at)


def _signed(d: Directive, topic: Category, known: Snapshot, at: datetime) -> bool:
    signer, age = _link(d, known), _age(known, at)
    if signer is None or age is None or signer.authority != Authority.VERIFIED or not _within(signer, at):
        return False
    if (
        signer.verified_at is None
        or signer.verified_at > min(at, d.recorded_at)
        or topic in signer.restricted
    ):
        return False
    for held in known.restraints:
        if (
            held.guardian_link_id == signer.guardian_link_id
            and _within(held, at)
            and topic in held.categories
        ):
            return False
    if signer.guardian_link_id == SELF:
        return age >= 18 or age >= MINOR_FROM.get(topic, 18)
    return age < 18


def _who(d: Directive, known: Snapshot) -> str:
    signer = _link(d, known)
    assert signer is not None
    return "self" if signer.guardian_link_id == SELF else "guardian"


def _link(d: Directive, known: Snapshot) -> GuardianLink | None:
    return next((found for found in known.links if found.guardian_link_id == d.signer_link), None)


def _within(span, at: datetime) -> bool:
    return span.valid_from <= at and (span.valid_until is None or at < span.valid_until)


def _age(known: Snapshot, at: datetime) -> int | None:
    born = known.child.birth_date
    if born is None:
        return None
    today = at.astimezone(ZONE).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


# -- the tiny world ----------------------------------------------------------------------------------------------


def _mostly(random: Random, usual: Any, *rare: Any) -> Any:
    """The usual value nine times in ten: each rare one must occur, and not all at once."""
    return random.choice(rare) if random.random() < 0.1 else usual


def _spell(random: Random) -> dict[str, Any]:
    start, end = sorted(random.sample(INSTANTS, 2))
    usual = {"valid_from": LONG_AGO, "valid_until": INSTANTS[-1] + timedelta(days=9)}
    return dict(
        random.choice(
            [usual, usual, usual, {"valid_from": start, "valid_until": end}, usual | {"valid_from": start}]
        )
    )


def _some(random: Random, values: tuple[Any, ...]) -> frozenset[Any]:
    return frozenset(random.sample(values, random.randint(1, len(values))))


def a_directive(random: Random, number: int, effect: Effect | None = None) -> Directive:
    effect = effect or (Effect.DENY if random.random() < 0.1 else Effect.PERMIT)
    permit = effect is Effect.PERMIT
    notice = directive(number).notice
    return directive(
        number,
        effect=effect,
        recipient=random.choice((CLINIC, CLINIC, CLINIC, PROGRAMME)),
        categories=frozenset({random.choice(TOPICS)}) if permit else _some(random, TOPICS),
        purposes=_some(random, PURPOSES),
        regimes=frozenset({Regime.HLTH}),
        notice=_mostly(random, notice, None),
        signer_link=random.choice((MOTHER, FATHER, SELF, SELF, SELF, UUID(int=0xBB))),
        recorded_at=random.choice((LONG_AGO, INSTANTS[0])),
        state=_mostly(random, State.GIVEN, *State),
        revoked_at=_mostly(random, None, INSTANTS[1]),
        supersedes=_mostly(random, None, UUID(int=0xD001), UUID(int=0xD002)),
        **_spell(random),
    )


def _a_link(random: Random, who: UUID) -> GuardianLink:
    return link(
        who,
        authority=_mostly(random, Authority.VERIFIED, Authority.CANDIDATE, Authority.NONE),
        verified_at=_mostly(random, LONG_AGO, INSTANTS[0], INSTANTS[2], None),
        restricted=_mostly(random, frozenset(), frozenset({Category.SCHOOL})),
        **_spell(random),
    )


def _a_restraint(random: Random) -> Restraint:
    return restraint(
        kind=random.choice(list(RestraintKind)),
        recipient=random.choice((None, *RECIPIENTS)),
        guardian_link_id=random.choice((None, MOTHER, FATHER, SELF)),
        categories=_some(random, TOPICS),
        **_spell(random),
    )


def _an_agreement(random: Random) -> Agreement:
    return agreement(
        org=_mostly(random, CLINIC, PROGRAMME),
        status=_mostly(random, AgreementStatus.IN_FORCE, *AgreementStatus),
        purposes=_mostly(random, frozenset(PURPOSES), *(frozenset({purpose}) for purpose in PURPOSES)),
        categories=_mostly(random, frozenset(TOPICS), *(frozenset({topic}) for topic in TOPICS)),
        **_spell(random),
    )


World = tuple[DecisionRequest, Snapshot, datetime]


def a_world(random: Random) -> World:
    """A request, all that is known, and an instant."""
    asked = request(*TOPICS, purpose=random.choice(PURPOSES))
    known = snapshot(
        *(a_directive(random, number) for number in range(1, random.randint(1, 9))),
        child=child(birth_date=random.choice(BIRTHDAYS)),
        links=tuple(_a_link(random, who) for who in (MOTHER, FATHER, SELF)),
        restraints=_mostly(random, (), (_a_restraint(random),)),
        agreements=(
            *(_an_agreement(random) for _ in range(random.randint(0, 2))),
            *random.choice(((agreement(),), (agreement(),), ())),
        ),
        law=LAW,
    )
    return asked, known, random.choice(INSTANTS)


randoms = st.randoms(use_true_random=True)
"""Seeds drawn, recorded and replayed by Hypothesis; building a world from one is quick, so many worlds can be tried."""
worlds = randoms.map(a_world)
