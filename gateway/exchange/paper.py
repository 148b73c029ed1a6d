"""What staff take in by hand: who is a child's guardian, and a signed paper form (34 CFR 99.30, 45 CFR 164.508).

A person attests both, and stands in the log with it. Of a form the hub keeps the SHA-256 of its scan and which text it was,
never the scan: the paper stays where it is filed.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from consent.ask import ASKED_FOR
from consent.directive import AuthEvidence, AuthMethod, Directive, Notice, State
from consent.guardian import Authority, GuardianKind, GuardianLink
from consent.vocabulary import Effect, Element, Purpose
from gateway.exchange import inquiry, permission, refer
from gateway.exchange.context import Hub
from gateway.exchange.permission import Changed, Unchanged, WhyNot
from gateway.store import tables
from mappings.record.category import EXTRA_PRIVATE, Category
from mappings.record.regime import Regime


class NotTaken(StrEnum):
    """Why a form or a verification was not taken in."""

    NO_SUCH_CHILD = "no-such-child"
    NO_SUCH_AGENCY = "no-such-agency"
    NO_SUCH_GUARDIAN = "no-such-guardian"
    NOT_VERIFIED = "not-verified"  # named by a feed, but the hub's own verification has not been made
    NO_AUTHORITY = "no-authority"  # verified, but may not sign for one of these topics
    NO_TOPIC = "no-topic"
    NOT_ALONE = "not-alone"  # an extra-private topic together with another
    NOT_A_REQUEST = "not-a-request"  # a purpose no family signs for
    OVER = "over"  # its last day has passed
    LACKS = "lacks"  # an element a law asks for whose form the text is said to fulfil; `lacking` names it
    NOT_YET_SIGNED = "not-yet-signed"  # dated in the future
    OTHER_KIND = "other-kind"  # the link says another relation, and a link never changes it
    ENDED = "ended"  # this person's authority was ended: what they allowed must not come back with a new verification
    TWICE = "twice"  # another row of the same batch is about the same person
    ALREADY = "already"  # this very form is on record, perhaps ended since: a new signature is needed


@dataclass(frozen=True, slots=True)
class PaperForm:
    """A form as it lies on the desk. `until` is the first instant after its last day, `signed_at` when it was signed.

    `form_sha256` is that of the scan, in hex, `notice` its id, version and language. `regimes` are the laws whose form the text fulfils;
    facts under others stay closed. `states` are the sentences such laws ask for that the text makes. `disclosers` None: whoever in
    the hub holds the facts. `attested_by` has the paper.
    """

    child_id: UUID
    guardian_link: UUID
    recipient: str
    topics: frozenset[Category]
    purposes: frozenset[Purpose]
    until: datetime
    signed_at: datetime
    notice: tuple[str, str, str]
    form_sha256: str
    regimes: frozenset[Regime]
    attested_by: str
    disclosers: frozenset[str] | None = None
    states: frozenset[Element] = frozenset()

    def directive_id(self) -> UUID:
        """One form gives one directive per agency, topics and purposes: typed in twice, it has the same id (RFC 9562 §5.8)."""
        named = (
            str(self.child_id), str(self.guardian_link), self.form_sha256, self.recipient, ",".join(sorted(self.topics)),
            ",".join(sorted(self.purposes)),
        )  # fmt: skip
        return _id_of("\x1f".join(named).encode())


def fault_of(hub: Hub, form: PaperForm, at: datetime) -> NotTaken | None:
    """What keeps the form from being recorded, as far as it shows before the child's lock is taken."""
    fault = _fault_of_text(form, at)
    if fault is None and lacking(hub, form, at):
        fault = NotTaken.LACKS
    return fault or _fault_of_standing(hub, form, at)


def lacking(hub: Hub, form: PaperForm, at: datetime) -> tuple[Element, ...]:
    """What the form lacks of what the laws named in it ask of a consent today, here; with it it would permit nothing."""
    place = hub.place()
    law = hub.rules.in_force(place.jurisdiction, at.astimezone(place.zone).date())
    return _sentence(form, GuardianKind.PARENT, at).defects(law.forms(form.regimes))


def _fault_of_text(form: PaperForm, at: datetime) -> NotTaken | None:
    """What is wrong with what the form says."""
    topics = form.topics - {Category.IDENTITY}
    faults = {
        NotTaken.NO_TOPIC: not topics or not form.purposes,
        NotTaken.NOT_ALONE: bool(topics & EXTRA_PRIVATE) and len(topics) > 1,
        NotTaken.NOT_A_REQUEST: not form.purposes <= ASKED_FOR,
        NotTaken.NOT_YET_SIGNED: form.signed_at > at,
        NotTaken.OVER: form.until <= at,
    }
    return next((why for why, wrong in faults.items() if wrong), None)


def _fault_of_standing(hub: Hub, form: PaperForm, at: datetime) -> NotTaken | None:
    """What is wrong with whom it names, or that it is known already."""
    d = tables.directive
    with hub.db.transaction() as conn:
        active = inquiry.is_active(conn, form.recipient)
        links = {one.guardian_link_id: one for one in inquiry.guardians(conn, form.child_id)}
        known = conn.execute(select(d.c.directive_id).where(d.c.directive_id == form.directive_id())).first()
    if not active:
        return NotTaken.NO_SUCH_AGENCY
    link = links.get(form.guardian_link)
    if link is None or not link.may_act(at):
        return NotTaken.NO_SUCH_GUARDIAN if link is None else NotTaken.NOT_VERIFIED
    return NotTaken.ALREADY if known else None


def directive_of(hub: Hub, form: PaperForm, at: datetime) -> Directive:
    """The sentence the form says. It holds from now, not from the day it was signed: nothing is opened backwards.

    Who the child is goes with every topic, because the agency must know whom it is about.
    """
    with hub.db.transaction() as conn:
        kinds = {one.guardian_link_id: one.kind for one in inquiry.guardians(conn, form.child_id)}
    return _sentence(form, kinds[form.guardian_link], at)


def _sentence(form: PaperForm, capacity: GuardianKind, at: datetime) -> Directive:
    notice_id, version, locale = form.notice
    return Directive(
        directive_id=form.directive_id(),
        child_id=form.child_id,
        effect=Effect.PERMIT,
        recipient=form.recipient,
        categories=form.topics | {Category.IDENTITY},
        purposes=form.purposes,
        disclosers=form.disclosers,
        valid_from=at,
        valid_until=form.until,
        regimes=form.regimes,
        notice=Notice(
            notice_id=notice_id, version=version, locale=locale, sha256=form.form_sha256, states=form.states
        ),
        signer_link=form.guardian_link,
        capacity=capacity,
        auth_evidence=AuthEvidence(
            method=AuthMethod.PAPER,
            at=form.signed_at,
            reference=f"sha256:{form.form_sha256}; attested by {form.attested_by}",
        ),
        recorded_at=at,
        state=State.GIVEN,
    )


def record(hub: Hub, form: PaperForm) -> Changed | NotTaken:
    """Record the form under the name of whoever attests it, and send what was waiting for it on its way again."""
    at = hub.clock()
    fault = fault_of(hub, form, at)
    if fault is not None:
        return fault
    try:
        done = permission.grant(hub, directive_of(hub, form, at), actor=form.attested_by)
    except IntegrityError:  # typed in by two people at once
        return NotTaken.ALREADY
    if isinstance(done, Unchanged):
        return _WHY[done.why]
    refer.resume(hub, form.child_id)
    return done


_WHY = {
    WhyNot.NO_SUCH_CHILD: NotTaken.NO_SUCH_CHILD,
    WhyNot.NO_AUTHORITY: NotTaken.NO_AUTHORITY,
}


@dataclass(frozen=True, slots=True)
class Verification:
    """What staff found out about a person: `guardian_link` is the candidate, None for someone new, who then needs a `kind`.

    `authority` NONE records that the person has none. `restricted` are topics the evidence leaves out. `evidence_id` leads to the
    papers seen (`evidence_of` for a file). The authority holds from `since`, or from when a feed first named the person, and
    never counts for what was signed before the verification itself.
    """

    child_id: UUID
    guardian_link: UUID | None
    kind: GuardianKind | None
    authority: Authority
    evidence_id: UUID
    verified_by: str
    since: datetime | None = None
    until: datetime | None = None
    restricted: Collection[Category] = frozenset()


def verify(hub: Hub, found: Verification) -> Changed | NotTaken:
    """Record the hub's own verification step; only from it comes authority (ARCHITECTURE §6)."""
    at = hub.clock()
    with hub.db.transaction() as conn:
        links = {one.guardian_link_id: one for one in inquiry.guardians(conn, found.child_id)}
    before = links.get(found.guardian_link) if found.guardian_link is not None else None
    kind = before.kind if before is not None else found.kind
    if kind is None or (found.guardian_link is not None and before is None):
        return NotTaken.NO_SUCH_GUARDIAN
    if before is not None and found.kind not in {None, before.kind}:
        return NotTaken.OTHER_KIND
    if before is not None and before.valid_until is not None and before.valid_until <= at:
        return NotTaken.ENDED
    if found.since is not None and found.until is not None and found.until <= found.since:
        return NotTaken.OVER
    link = GuardianLink(
        guardian_link_id=before.guardian_link_id if before is not None else hub.ids(),
        child_id=found.child_id,
        kind=kind,
        authority=found.authority,
        valid_from=found.since or (before.valid_from if before is not None else at),
        valid_until=found.until,
        verified_by=found.verified_by,
        verified_at=at,
        evidence_id=found.evidence_id,
        restricted=frozenset(found.restricted),
    )
    done = permission.set_guardian(hub, link, actor=found.verified_by)
    return NotTaken.NO_SUCH_CHILD if isinstance(done, Unchanged) else done


def verify_all(hub: Hub, found: Sequence[Verification]) -> tuple[Changed | NotTaken, ...]:
    """As `verify`, for a registration day: an answer for each, and one that is not taken stops no other.

    Each is a change of its own under its child's lock. Of several about the same candidate none is taken: a person says which.
    """
    named = Counter((one.child_id, one.guardian_link) for one in found)
    return tuple(
        NotTaken.TWICE
        if one.guardian_link is not None and named[one.child_id, one.guardian_link] > 1
        else verify(hub, one)
        for one in found
    )


def evidence_of(content: bytes) -> UUID:
    """The id under which a paper's scan is found again by whoever files it; the same for the same bytes."""
    return _id_of(content)


def _id_of(content: bytes) -> UUID:
    """A version 8 UUID from a SHA-256 (RFC 9562 §5.8)."""
    value = int.from_bytes(sha256(content).digest()[:16], "big")
    value = value & ~(0xF << 76) | 0x8 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)
