"""Whether two source identities are the same child: certain only on evidence, review for anything less.

Domain.md §6.1 and §7.4, first cut: certainty needs a shared identifier of the same assigner and agreeing given name,
surname and birth date. A probable pair is for a person; nothing here ever lowers that bar.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Generic, TypeVar

from mappings.identity.keys import Features, PersonName, is_placeholder, significant

MODEL = "rules-2"
"""Names this set of rules in every match decision; raise it whenever a rule changes."""

Child = TypeVar("Child")


class Grade(StrEnum):
    """How sure we are, the surest first (FHIR R4 match-grade, with `unlikely` for a pair that merely shared a key)."""

    CERTAIN = "certain"
    PROBABLE = "probable"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"
    CERTAINLY_NOT = "certainly-not"


class Sign(StrEnum):
    """What one piece of evidence says. Evidence is shown to reviewers and families: it never holds a value."""

    EQUAL = "equal"
    PARTLY = "partly"
    NEAR = "near"
    DIFFERENT = "different"
    MIXED = "mixed"
    ABSENT = "absent"


class MatchRule(StrEnum):
    """Why a pair got its grade."""

    IDENTIFIER_NAME_BIRTH = "identifier-name-birth-date"
    IDENTIFIER_BUT_CONFLICT = "identifier-but-name-or-birth-date"
    NAME_BIRTH = "name-birth-date"
    NEAR = "two-of-three-and-near"
    OTHER_IDENTIFIER = "other-identifier-of-same-assigner"
    TOO_LITTLE = "too-little"
    NO_CANDIDATE = "no-candidate"
    SEVERAL = "several-children"
    REFERENCE = "hub-reference"
    REFERENCE_BUT_CONFLICT = "hub-reference-but-name-or-birth-date"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Agreement:
    """The grade of one pair and the rule that gave it.

    `evidence`, field by field, is worked out where it is asked for: nearly all pairs of a district are told apart by their
    numbers alone.
    """

    grade: Grade
    rule: MatchRule
    one: Features = field(repr=False)
    other: Features = field(repr=False)

    @property
    def evidence(self) -> Mapping[str, Sign]:
        """What each field says."""
        return {name: sign(self.one, self.other) for name, sign in _SIGNS.items()}


def agree(one: Features, other: Features) -> Agreement:
    """Compare two identities; symmetric."""
    grade, rule = _grade(one, other)
    return Agreement(grade, rule, one, other)


_STRONG = (Sign.EQUAL, Sign.PARTLY)


def _grade(one: Features, other: Features) -> tuple[Grade, MatchRule]:
    identifier = _identifiers(one, other)
    if identifier is Sign.DIFFERENT:
        return Grade.CERTAINLY_NOT, MatchRule.OTHER_IDENTIFIER
    given, surname, birth = _given(one, other), _surname(one, other), _birth(one, other)
    agreeing = (given in _STRONG) + (surname in _STRONG) + (birth is Sign.EQUAL)
    all_agree = agreeing == 3  # noqa: PLR2004 - given name, surname, birth date
    if identifier is Sign.EQUAL and all_agree and _certain_names(one) and _certain_names(other):
        return Grade.CERTAIN, MatchRule.IDENTIFIER_NAME_BIRTH
    if identifier in {Sign.EQUAL, Sign.MIXED}:
        return Grade.PROBABLE, MatchRule.IDENTIFIER_BUT_CONFLICT
    if all_agree:
        return Grade.PROBABLE, MatchRule.NAME_BIRTH
    if agreeing == 2 and Sign.NEAR in {given, surname, birth}:  # noqa: PLR2004 - two of the three
        return Grade.POSSIBLE, MatchRule.NEAR
    return Grade.UNLIKELY, MatchRule.TOO_LITTLE


def _certain_names(features: Features) -> bool:
    """Whether a source names the child at all, and not with words that stand in for a name.

    A nickname without a surname, or a mononym, is neither here nor there: another name has to agree.
    """
    names = [name for name in features.names if not name.old and name.given]
    return bool(names) and not any(is_placeholder(name) for name in names)


def _identifiers(one: Features, other: Features) -> Sign:
    """Equal where one is shared; different where the same assigner's numbers differ; mixed where both happen.

    A source that holds two numbers of one assigner for a child (a re-keyed system) agrees if either is shared.
    """
    if not one.identifiers or not other.identifiers:
        return Sign.ABSENT
    shared = set(one.identifiers) & set(other.identifiers)
    settled = {identifier[:2] for identifier in shared}
    theirs = {identifier[:2] for identifier in other.identifiers}
    differing = {identifier[:2] for identifier in one.identifiers} & theirs - settled
    if shared:
        return Sign.MIXED if differing else Sign.EQUAL
    return Sign.DIFFERENT if differing else Sign.ABSENT


def _current(features: Features) -> list[PersonName]:
    return [name for name in features.names if not name.old]


def _given(one: Features, other: Features) -> Sign:
    best = Sign.ABSENT
    for mine in _current(one):
        for theirs in _current(other):
            best = _better(best, _compare_given(mine, theirs))
    return best


def _compare_given(one: PersonName, other: PersonName) -> Sign:
    if not one.given or not other.given:
        return Sign.ABSENT
    if one.given == other.given:
        return Sign.EQUAL
    mine, theirs = frozenset(one.given), frozenset(other.given)
    if mine <= theirs or theirs <= mine:
        return Sign.PARTLY
    pairs = [(a, b) for a in mine for b in theirs]
    return Sign.NEAR if any(_near_word(a, b) for a, b in pairs) else Sign.DIFFERENT


def _surname(one: Features, other: Features) -> Sign:
    best = Sign.ABSENT
    for mine in one.names:
        for theirs in other.names:
            sign = _compare_surname(mine, theirs)
            if (mine.old or theirs.old) and sign is not Sign.ABSENT:
                sign = Sign.NEAR if sign in {Sign.EQUAL, Sign.PARTLY} else Sign.DIFFERENT
            best = _better(best, sign)
    return best


def _compare_surname(one: PersonName, other: PersonName) -> Sign:
    if not one.surname or not other.surname:
        return Sign.ABSENT
    if one.surname == other.surname or "".join(one.surname) == "".join(other.surname):
        return Sign.EQUAL
    if significant(one.surname) & significant(other.surname):
        return Sign.PARTLY
    near = any(_one_edit(a, b) for a in significant(one.surname) for b in significant(other.surname))
    return Sign.NEAR if near else Sign.DIFFERENT


def _birth(one: Features, other: Features) -> Sign:
    if not one.birth_dates or not other.birth_dates:
        return Sign.ABSENT
    if len(one.birth_dates) > 1 or len(other.birth_dates) > 1:  # a source that contradicts itself
        return Sign.NEAR if set(one.birth_dates) & set(other.birth_dates) else Sign.DIFFERENT
    mine, theirs = one.birth_dates[0], other.birth_dates[0]
    if mine == theirs:
        return Sign.EQUAL
    return Sign.NEAR if _near_date(mine, theirs) else Sign.DIFFERENT


def _middle(one: Features, other: Features) -> Sign:
    mine = {token for name in one.names for token in name.middle}
    theirs = {token for name in other.names for token in name.middle}
    if not mine or not theirs:
        return Sign.ABSENT
    if mine & theirs:
        return Sign.EQUAL
    return Sign.NEAR if {a[0] for a in mine} & {b[0] for b in theirs} else Sign.DIFFERENT


def _sexes(one: Features, other: Features) -> Sign:
    if not one.sexes or not other.sexes:
        return Sign.ABSENT
    return Sign.EQUAL if set(one.sexes) & set(other.sexes) else Sign.DIFFERENT


_SIGNS: Mapping[str, Callable[[Features, Features], Sign]] = {
    "identifier": _identifiers,
    "given": _given,
    "surname": _surname,
    "birth-date": _birth,
    "middle": _middle,
    "sex": _sexes,
}
_ORDER = (Sign.ABSENT, Sign.DIFFERENT, Sign.NEAR, Sign.PARTLY, Sign.EQUAL)


def _better(one: Sign, other: Sign) -> Sign:
    return max(one, other, key=_ORDER.index)


def _near_date(one: date, other: date) -> bool:
    """Day and month swapped, or one digit of the eight different."""
    if one.year == other.year and (one.month, one.day) == (other.day, other.month):
        return True
    pairs = zip(one.isoformat(), other.isoformat(), strict=True)
    return sum(a != b for a, b in pairs) == 1


def _near_word(one: str, other: str) -> bool:
    """One letter apart, or one the beginning of the other (Ty and Tyrone, an initial)."""
    return one.startswith(other) or other.startswith(one) or _one_edit(one, other)


def _one_edit(one: str, other: str) -> bool:
    """At most one letter changed, added, dropped, or two neighbours swapped; words under four letters must be equal."""
    if one == other:
        return True
    if min(len(one), len(other)) < 4 or abs(len(one) - len(other)) > 1:  # noqa: PLR2004 - Ana and Ava are two names
        return False
    start = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    rest, their_rest = one[start:], other[start:]
    swapped = rest[:2] == their_rest[1::-1] and rest[2:] == their_rest[2:]
    return swapped or rest[1:] in {their_rest, their_rest[1:]} or rest == their_rest[1:]


class Outcome(StrEnum):
    """What happens to a source identity (stored in match_decision.outcome)."""

    LINKED = "linked"
    NEW_CHILD = "new-child"
    REVIEW = "review"
    NOT_THE_SAME = "not-the-same"
    UNLINKED = "unlinked"


@dataclass(frozen=True, slots=True)
class Placement(Generic[Child]):
    """Where an identity belongs: a child, a new child, or a person's desk with these candidates."""

    outcome: Outcome
    rule: MatchRule
    child: Child | None
    candidates: tuple[Child, ...]
    evidence: Mapping[str, Sign]


_RANK = {grade: rank for rank, grade in enumerate(Grade)}


def place(candidates: Mapping[Child, tuple[Agreement, ...]], *, roster: bool) -> Placement[Child]:
    """Decide from the agreements with every identity of each candidate child.

    `roster`: the source may say who exists, so that an identity nobody resembles is a new child. Without it nobody is
    ever created by a machine. A child that is certain by one of its identities and excluded by another is a review.
    """
    certain: list[Child] = []
    likely: dict[Child, Agreement] = {}
    for child, agreements in candidates.items():
        best = min(agreements, key=_rank)
        if best.grade in {Grade.UNLIKELY, Grade.CERTAINLY_NOT}:
            continue
        likely[child] = best
        if best.grade is Grade.CERTAIN and all(a.grade is not Grade.CERTAINLY_NOT for a in agreements):
            certain.append(child)
    if len(certain) == 1:
        found = likely[certain[0]]
        return Placement(Outcome.LINKED, found.rule, certain[0], tuple(likely), found.evidence)
    if likely:
        strongest = min(likely.values(), key=_rank)
        rule = MatchRule.SEVERAL if len(certain) > 1 else strongest.rule
        return Placement(Outcome.REVIEW, rule, None, tuple(likely), strongest.evidence)
    outcome = Outcome.NEW_CHILD if roster else Outcome.REVIEW
    return Placement(outcome, MatchRule.NO_CANDIDATE, None, (), {})


def _rank(agreement: Agreement) -> int:
    return _RANK[agreement.grade]


def place_by_reference(child: Child, agreements: tuple[Agreement, ...]) -> Placement[Child]:
    """Place an identity whose source names the child by the reference this hub gave to that agency alone.

    It is the child, unless what it says of the child's name, birth date or numbers contradicts what is known.
    """
    sound = {Sign.EQUAL, Sign.PARTLY, Sign.ABSENT}
    against = [
        one
        for one in agreements
        if one.grade is Grade.CERTAINLY_NOT
        or any(_SIGNS[name](one.one, one.other) not in sound for name in ("given", "surname", "birth-date"))
    ]
    if against:
        evidence = against[0].evidence
        return Placement(Outcome.REVIEW, MatchRule.REFERENCE_BUT_CONFLICT, None, (child,), evidence)
    evidence = agreements[0].evidence if agreements else {}
    return Placement(Outcome.LINKED, MatchRule.REFERENCE, child, (child,), evidence)
