"""Who may sign for a child: guardian links, restraints, the child's own facts, and authority worked out at the instant.

Nothing here is decided by a feed or by a nightly job. A feed yields candidates; the hub's verification step gives
authority; majority, periods, court orders and safety holds are computed whenever someone asks (ARCHITECTURE §6).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from consent.law import DEFAULT, LawInForce, LeapDay, WhoSigns
from consent.statute import Signature
from mappings.record.category import Category


class GuardianKind(StrEnum):
    """Who the person is to the child."""

    PARENT = "parent"
    LEGAL_GUARDIAN = "legal-guardian"
    FOSTER_PARENT = "foster-parent"
    CHILD_WELFARE_AGENCY = "child-welfare-agency"
    EDUCATION_DECISION_MAKER = "education-decision-maker"
    SELF = "self"  # the young person


class Authority(StrEnum):
    """What the hub's verification step found."""

    CANDIDATE = "candidate"  # named by a feed or by themselves, not yet verified: signs nothing
    VERIFIED = "verified"
    NONE = "none"  # verified to have no authority


class GuardianLink(BaseModel):
    """That a person may sign for a child, from when to when, as verified by whom; half-open period.

    `verified_at` is the first verification and stays: what was signed before it is worth nothing. Authority that ends is
    written as `valid_until`, so that what the person stopped stays stopped; `Authority.NONE` says there never was any.
    `custodial` False is a parent whom a court order leaves without physical custody; `asked_at` is when such a parent asked for
    the record in writing, from which some places make them wait.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    guardian_link_id: UUID
    child_id: UUID
    kind: GuardianKind
    authority: Authority
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None
    verified_by: str | None = None
    verified_at: AwareDatetime | None = None
    evidence_id: UUID | None = None
    restricted: frozenset[Category] = frozenset()  # topics the evidence excludes
    custodial: bool = True
    asked_at: AwareDatetime | None = None

    def verified(self, at: datetime) -> bool:
        """Whether the verification step had confirmed the person's authority by `at`."""
        return (
            self.authority is Authority.VERIFIED and self.verified_at is not None and self.verified_at <= at
        )

    def in_period(self, at: datetime) -> bool:
        """Whether the link holds at `at`."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


class RestraintKind(StrEnum):
    """What stands above any directive."""

    COURT_ORDER = "court-order"
    SAFETY_HOLD = "safety-hold"


class Restraint(BaseModel):
    """A court order or safety hold on named topics, half-open period.

    With `guardian_link_id` it takes that person's authority away; with `recipient` it stops everything to that
    organisation; with neither it stops everything to everyone. Topics are always listed: a hold on all lists all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    restraint_id: UUID
    child_id: UUID
    kind: RestraintKind
    guardian_link_id: UUID | None = None
    recipient: str | None = None
    categories: frozenset[Category] = Field(min_length=1)
    valid_from: AwareDatetime
    valid_until: AwareDatetime | None = None

    def in_period(self, at: datetime) -> bool:
        """Whether the restraint holds at `at`."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)

    def stops(self, recipient: str, at: datetime) -> bool:
        """Whether nothing of its topics may go to this recipient now."""
        aimed = self.recipient == recipient or (self.recipient is None and self.guardian_link_id is None)
        return aimed and self.in_period(at)

    def suspends(self, link: GuardianLink, category: Category, at: datetime) -> bool:
        """Whether it takes this person's authority over this topic away now."""
        return (
            self.guardian_link_id == link.guardian_link_id
            and category in self.categories
            and self.in_period(at)
        )


@dataclass(frozen=True, slots=True)
class ChildFacts:
    """What authority is computed from. `zone` is the jurisdiction's time zone: a birthday begins at its midnight.

    `entered` are grades with the day the child entered each; where none is known only age counts.
    """

    child_id: UUID
    birth_date: date | None
    zone: tzinfo
    jurisdiction: str = DEFAULT
    entered: tuple[tuple[int, date], ...] = ()


class Standing(StrEnum):
    """Whether a person may sign for a topic now, and if not, why."""

    GUARDIAN = "guardian"
    ADULT = "adult"  # the young person after majority: signs alone for everything
    MINOR = "minor"  # the young person where law lets a minor sign
    OTHER_CHILD = "other-child"
    UNVERIFIED = "unverified"
    UNVERIFIED_WHEN_SIGNED = "unverified-when-signed"
    NO_AUTHORITY = "no-authority"
    OUT_OF_PERIOD = "out-of-period"
    RESTRICTED = "restricted"
    COURT_ORDER = "court-order"
    SAFETY_HOLD = "safety-hold"
    NOT_YET_OPEN = (
        "not-yet-open"  # a parent without custody who has not asked in writing, or not long enough ago
    )
    AGE_UNKNOWN = "age-unknown"
    CHILD_OF_AGE = "child-of-age"  # rights passed to the young person
    UNDER_AGE = "under-age"
    NO_RULE = "no-rule"  # no law row says who signs for this topic here

    @property
    def may_sign(self) -> bool:
        """Whether this standing carries a signature."""
        return self in _SIGNING


_SIGNING = frozenset({Standing.GUARDIAN, Standing.ADULT, Standing.MINOR})


def birthday(birth_date: date, age: int, leap_day: LeapDay) -> date:
    """The day someone turns `age`; who was born on 29 February does so on the rule's day in a common year."""
    try:
        return birth_date.replace(year=birth_date.year + age)
    except ValueError:  # 29 February in a common year
        month, day = (2, 28) if leap_day is LeapDay.FEBRUARY_28 else (3, 1)
        return date(birth_date.year + age, month, day)


def midnight(day: date, zone: tzinfo) -> datetime:
    """The instant a day begins in a zone."""
    return datetime.combine(day, time.min, tzinfo=zone)


def age_reached(child: ChildFacts, age: int, leap_day: LeapDay, at: datetime) -> bool | None:
    """Whether the child has turned `age` by `at`, or None where the birth date is unknown."""
    if child.birth_date is None:
        return None
    return midnight(birthday(child.birth_date, age, leap_day), child.zone) <= at


def of_age(child: ChildFacts, law: LawInForce, at: datetime) -> bool | None:
    """Whether rights have passed to the young person, or None where birth date or rule is unknown."""
    if law.majority is None:
        return None
    return age_reached(child, law.majority.age, law.majority.leap_day, at)


def standing(
    link: GuardianLink,
    child: ChildFacts,
    category: Category,
    at: datetime,
    law: LawInForce,
    restraints: Iterable[Restraint] = (),
) -> Standing:
    """What this person's signature on this topic is worth at `at`."""
    lacking = _lacking(link, child, category, at)
    if lacking is not None:
        return lacking
    for restraint in restraints:
        if restraint.suspends(link, category, at):
            return Standing(restraint.kind.value)
    return _by_age(link, child, category, at, law)


def _lacking(link: GuardianLink, child: ChildFacts, category: Category, at: datetime) -> Standing | None:
    """What the link itself lacks to carry a signature, or None."""
    if link.child_id != child.child_id:
        return Standing.OTHER_CHILD
    if link.authority is Authority.NONE:
        return Standing.NO_AUTHORITY
    if not link.verified(at):
        return Standing.UNVERIFIED
    if not link.in_period(at):
        return Standing.OUT_OF_PERIOD
    return Standing.RESTRICTED if category in link.restricted else None


def _by_age(
    link: GuardianLink, child: ChildFacts, category: Category, at: datetime, law: LawInForce
) -> Standing:
    adult = of_age(child, law, at)
    rule = law.signature.get(category)
    if adult is None or law.majority is None:
        return Standing.AGE_UNKNOWN
    if link.kind is not GuardianKind.SELF:
        if adult:
            return Standing.CHILD_OF_AGE
        return Standing.GUARDIAN if _is_open(link, child, category, at, law) else Standing.NOT_YET_OPEN
    if adult:
        return Standing.ADULT
    if rule is None:
        return Standing.NO_RULE
    return Standing.MINOR if _old_enough(rule, child, law, at) else Standing.UNDER_AGE


def _old_enough(rule: Signature, child: ChildFacts, law: LawInForce, at: datetime) -> bool:
    """Whether the minor has come to the age or the grade from which the law lets them sign; whichever is first."""
    if rule.minor_from_age is None or law.majority is None:
        return False
    if age_reached(child, rule.minor_from_age, law.majority.leap_day, at):
        return True
    least = rule.minor_from_grade
    return least is not None and any(
        grade >= least and midnight(day, child.zone) <= at for grade, day in child.entered
    )


def opens_at(link: GuardianLink, child: ChildFacts, law: LawInForce) -> datetime | None:
    """The instant a parent without custody comes to the record under the place's procedure; None where none is known."""
    if law.non_custodial is None or link.asked_at is None:
        return None
    asked = link.asked_at.astimezone(child.zone).date()
    return midnight(asked + timedelta(days=law.non_custodial.wait_days + 1), child.zone)


def _is_open(
    link: GuardianLink, child: ChildFacts, category: Category, at: datetime, law: LawInForce
) -> bool:
    """Whether no procedure for parents without custody keeps this one from the topic now."""
    if link.custodial or law.non_custodial is None or category not in law.non_custodial.topics:
        return True
    opens = opens_at(link, child, law)
    return opens is not None and opens <= at


def who_signs(category: Category, child: ChildFacts, law: LawInForce, at: datetime) -> WhoSigns | None:
    """Whose signature the topic needs of this minor now; None where the law names nobody."""
    rule = law.signature.get(category)
    if rule is None or rule.minor_from_age is None or _old_enough(rule, child, law, at):
        return None if rule is None else rule.who_signs
    # too young for the row's own answer: a guardian where the row says so, and what either may do a guardian may
    return WhoSigns.GUARDIAN if rule.who_signs is WhoSigns.EITHER else rule.younger


def guardian_reads(category: Category, child: ChildFacts, law: LawInForce, at: datetime) -> bool:
    """Whether a guardian reads the topic on the family's page; of a child too young to sign, who signs also reads."""
    rule = law.signature.get(category)
    if rule is None:
        return False
    young = rule.minor_from_age is not None and not _old_enough(rule, child, law, at)
    return rule.guardian_reads or (young and rule.younger is WhoSigns.GUARDIAN)


def may_sign(
    link: GuardianLink,
    child: ChildFacts,
    categories: Iterable[Category],
    at: datetime,
    law: LawInForce,
    restraints: Iterable[Restraint] = (),
) -> bool:
    """Whether this person's signature counts for every one of these topics at `at`; never for none at all."""
    held = tuple(restraints)
    standings = [standing(link, child, category, at, law, held) for category in categories]
    return bool(standings) and all(found.may_sign for found in standings)


def signatures_suffice(standings: Iterable[Standing], needed: WhoSigns | None) -> bool:
    """Whether these signatures together are those the law asks for (`who_signs`); an adult's own always suffices."""
    signed = frozenset(standings)
    if Standing.ADULT in signed:
        return True
    enough = {
        None: False,
        WhoSigns.GUARDIAN: Standing.GUARDIAN in signed,
        WhoSigns.MINOR: Standing.MINOR in signed,
        WhoSigns.EITHER: bool(signed & {Standing.GUARDIAN, Standing.MINOR}),
        WhoSigns.BOTH: signed >= {Standing.GUARDIAN, Standing.MINOR},
    }
    return enough[needed]


def next_date_boundary(
    child: ChildFacts, law_changes_on: bool, leap_day: LeapDay, at: datetime
) -> datetime | None:
    """The child's next local midnight if it is a birthday, a grade begins or the law changes then, else None."""
    tomorrow = at.astimezone(child.zone).date() + timedelta(days=1)
    born = child.birth_date
    turns = born is not None and tomorrow == birthday(born, max(tomorrow.year - born.year, 0), leap_day)
    moves = any(day == tomorrow for _, day in child.entered)
    return midnight(tomorrow, child.zone) if turns or moves or law_changes_on else None
