"""Which of a child's directives speak to a request: stops first, then permits, each with the reason it does not count.

A directive is weighed alone, so neither order nor repetition matters; the one thing between directives is that a later one
may supersede an earlier.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consent.directive import NEVER_GIVEN, VALID, Directive, State
from consent.guardian import (
    GuardianKind,
    GuardianLink,
    Standing,
    of_age,
    signatures_suffice,
    standing,
    who_signs,
)
from consent.law import LawInForce
from consent.request import DecisionRequest, Snapshot
from consent.vocabulary import Effect, Element, Reason
from mappings.record.base import Period
from mappings.record.category import Category
from mappings.record.regime import Regime

_STATE_REASON = {
    State.WITHDRAWN: Reason.REVOKED,
    State.EXPIRED: Reason.EXPIRED,
    State.DISPUTED: Reason.DISPUTED,
}

# The order in which a permit is weighed: of several that fail, the one that came furthest gives the reason.
_FURTHEST = (
    Reason.NO_GRANT,
    Reason.RECIPIENT,
    Reason.PURPOSE,
    Reason.CATEGORY,
    Reason.NOT_GIVEN,
    Reason.REVOKED,
    Reason.EXPIRED,
    Reason.NOT_YET_VALID,
    Reason.DISPUTED,
    Reason.DEFECTIVE,
    Reason.AUTHORITY_LAPSED,
    Reason.SIGNATURES_MISSING,
)
_RANK = {reason: rank for rank, reason in enumerate(_FURTHEST)}

UNSIGNED = frozenset(
    {
        Standing.OTHER_CHILD,
        Standing.UNVERIFIED,
        Standing.UNVERIFIED_WHEN_SIGNED,
        Standing.NO_AUTHORITY,
        Standing.NO_RULE,
    }
)
"""Standings that never were a signature; any other failure is authority once held or held elsewhere."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a permit covers within its category. A fact may leave if some scope admits it.

    `disclosers` None is whoever holds the fact. `regimes` are those the signed form and the law both allow.
    """

    directive_ids: tuple[UUID, ...]
    disclosers: frozenset[str] | None
    data_period: Period
    regimes: frozenset[Regime]


@dataclass(frozen=True, slots=True)
class Considered:
    """Why one directive did or did not count, for the full trace."""

    directive_id: UUID
    reason: Reason
    standing: Standing | None = None
    element: Element | None = None


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the permits of one topic come to: scopes where they suffice, else the reason and the nearest miss."""

    reason: Reason
    scopes: tuple[Scope, ...]
    considered: tuple[Considered, ...]

    @property
    def nearest(self) -> Considered | None:
        """The directive that failed for the reported reason."""
        return next((found for found in self.considered if found.reason is self.reason), None)


@dataclass(frozen=True, slots=True)
class Heard:
    """A permit, and what about it is the same for every topic: why it is not about this request, why it does not hold."""

    permit: Directive
    off: Reason | None
    unfit: Considered | None


@dataclass(frozen=True, slots=True)
class Frame:
    """One request against one snapshot at one instant, with what all topics share worked out once."""

    request: DecisionRequest
    snapshot: Snapshot
    at: datetime
    law: LawInForce
    links: Mapping[UUID, GuardianLink]
    stops: tuple[Directive, ...]
    permits: tuple[Heard, ...]

    @classmethod
    def of(cls, request: DecisionRequest, snapshot: Snapshot, at: datetime) -> "Frame":
        """The frame; repeated directives count once."""
        child = snapshot.child
        mine = {directive.directive_id: directive for directive in snapshot.directives}
        law = snapshot.law.in_force(child.jurisdiction, at.astimezone(child.zone).date())
        replaced = frozenset(_replaced(mine.values(), at))
        in_order = [directive for _, directive in sorted(mine.items())]
        return cls(
            request=request,
            snapshot=snapshot,
            at=at,
            law=law,
            links={link.guardian_link_id: link for link in snapshot.links},
            stops=tuple(d for d in in_order if d.effect is Effect.DENY),
            permits=tuple(
                Heard(d, _off(d, request), _unfit(d, at, law, replaced=d.directive_id in replaced))
                for d in in_order
                if d.effect is Effect.PERMIT
            ),
        )

    def stopping(self, category: Category) -> tuple[UUID, ...]:
        """The stops in force against this request for this topic."""
        return tuple(
            stop.directive_id
            for stop in self.stops
            if category in stop.categories
            and stop.stops_recipient(self.request.recipient)
            and stop.objects_to(self.request.purpose)
            and self._stop_stands(stop)
        )

    def _stop_stands(self, stop: Directive) -> bool:
        """Whether a stop is in force. Who said it may since have lost authority: it lapses only by an order or majority.

        A signer missing from the snapshot counts as one who may: what is not known closes. A disputed stop closes too.
        """
        if stop.state not in VALID and stop.state is not State.DISPUTED:
            return False
        if stop.revoked_at is not None or not stop.started(self.at) or stop.ended(self.at):
            return False
        link = self.links.get(stop.signer_link)
        if link is None:
            return True
        if not link.verified(self.at):
            return False
        grown = of_age(self.snapshot.child, self.law, self.at) is True
        return link.kind is GuardianKind.SELF or not grown

    def weigh(self, category: Category) -> Weighed:
        """The permits for this topic taken together, under the law's rule of who must sign."""
        considered = tuple(self._weigh_one(heard, category) for heard in self.permits)
        good = [
            (heard.permit, found.standing)
            for heard, found in zip(self.permits, considered, strict=True)
            if found.reason is Reason.GRANTED and found.standing is not None
        ]
        if not good:
            reasons = [found.reason for found in considered]
            return Weighed(max(reasons, key=_RANK.__getitem__, default=Reason.NO_GRANT), (), considered)
        scopes = self._scopes(good, category)
        return Weighed(Reason.GRANTED if scopes else Reason.SIGNATURES_MISSING, scopes, considered)

    def _weigh_one(self, heard: Heard, category: Category) -> Considered:
        permit = heard.permit
        off = heard.off or (None if category in permit.categories else Reason.CATEGORY)
        if off is not None:
            return Considered(permit.directive_id, off)
        if heard.unfit is not None:
            return heard.unfit
        link = self.links.get(permit.signer_link)
        stands = Standing.UNVERIFIED if link is None else self._standing(link, permit, category)
        if stands.may_sign:
            return Considered(permit.directive_id, Reason.GRANTED, stands)
        lapsed = Reason.SIGNATURES_MISSING if stands in UNSIGNED else Reason.AUTHORITY_LAPSED
        return Considered(permit.directive_id, lapsed, stands)

    def _standing(self, link: GuardianLink, permit: Directive, category: Category) -> Standing:
        found = standing(link, self.snapshot.child, category, self.at, self.law, self.snapshot.restraints)
        if found.may_sign and not link.verified(permit.recorded_at):
            return Standing.UNVERIFIED_WHEN_SIGNED
        return found

    def _scopes(self, good: Sequence[tuple[Directive, Standing]], category: Category) -> tuple[Scope, ...]:
        """What the signed permits open. Where one signature is not enough, two permits open only what both say."""
        needed = who_signs(category, self.snapshot.child, self.law, self.at)
        alone = [d for d, s in good if signatures_suffice([s], needed)]
        if alone:
            return tuple(self._scope(permit) for permit in alone)
        pairs = [
            _both(self._scope(one), self._scope(other))
            for one, first in good
            for other, second in good
            if first is Standing.GUARDIAN and second is Standing.MINOR
        ]
        together = signatures_suffice((signed for _, signed in good), needed)
        return tuple(scope for scope in pairs if scope is not None) if together else ()

    def _scope(self, permit: Directive) -> Scope:
        lawful = permit.regimes & self.law.regime.keys()
        return Scope((permit.directive_id,), permit.disclosers, permit.data_period, frozenset(lawful))


def _off(permit: Directive, request: DecisionRequest) -> Reason | None:
    """Why the sentence is not about this recipient and purpose, or None if it is."""
    if not permit.permits_recipient(request.recipient):
        return Reason.RECIPIENT
    return None if permit.answers(request.purpose) else Reason.PURPOSE


def _unfit(permit: Directive, at: datetime, law: LawInForce, *, replaced: bool) -> Considered | None:
    """Why the sentence does not hold at this instant or lacks what the law asks of its form, or None."""
    ended = _ended(permit, at, replaced=replaced)
    if ended is not None:
        return Considered(permit.directive_id, ended)
    defects = permit.defects(law.forms(permit.regimes))
    if not defects and not permit.regimes & law.regime.keys():
        defects = (Element.REGIMES,)  # the signed form fulfils only regimes no law row lets out
    return Considered(permit.directive_id, Reason.DEFECTIVE, element=defects[0]) if defects else None


def _ended(permit: Directive, at: datetime, *, replaced: bool) -> Reason | None:
    """Why the sentence is not in force at this instant, or None if it is."""
    if permit.revoked_at is not None or replaced:
        return Reason.REVOKED
    if permit.state not in VALID:
        return _STATE_REASON.get(permit.state, Reason.NOT_GIVEN)
    if permit.ended(at):
        return Reason.EXPIRED
    return None if permit.started(at) else Reason.NOT_YET_VALID


def _replaced(directives: Iterable[Directive], at: datetime) -> Iterable[UUID]:
    """Permits that a directive once given, and whose time has come, says it replaces.

    A successor that was itself ended still replaces: otherwise stopping the narrower one would bring the wider one back.
    """
    return (
        d.supersedes
        for d in directives
        if d.supersedes is not None and d.state not in NEVER_GIVEN and d.started(at)
    )


def _both(one: Scope, other: Scope) -> Scope | None:
    """What two scopes have in common, or None where that is nothing."""
    if one.disclosers is None or other.disclosers is None:
        disclosers = other.disclosers if one.disclosers is None else one.disclosers
    else:
        disclosers = one.disclosers & other.disclosers
    starts = [p.start for p in (one.data_period, other.data_period) if p.start is not None]
    ends = [p.end for p in (one.data_period, other.data_period) if p.end is not None]
    start, end = max(starts, default=None), min(ends, default=None)
    regimes = one.regimes & other.regimes
    if not regimes or disclosers == frozenset() or (start is not None and end is not None and start >= end):
        return None
    cited = tuple(sorted({*one.directive_ids, *other.directive_ids}))
    return Scope(cited, disclosers, Period(start=start, end=end), regimes)
