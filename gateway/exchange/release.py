"""The one way out: lock, look, decide, read under the decision, project, render, enter in the ledger, commit.

Nothing that was rendered exists for the caller before its entry is on disk under a signed checkpoint: `release` returns a
`Sealed`, and sockets accept nothing else (ARCHITECTURE §6). No setting, header or argument leaves the decision out. No
network call and no other database is used inside the transaction; keys are fetched before it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from hashlib import sha256
from uuid import UUID, uuid4

from psycopg.rows import TupleRow
from sqlalchemy import Connection

from adapters.port import Sealed
from consent.decision import Decision, DecisionRequest, decide
from consent.entry import DisclosureEntry
from consent.guardian import ChildFacts
from consent.projection import Refusal, project
from consent.vocabulary import Basis, Outcome, Reason
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import (
    Refused,
    Released,
    ReleaseRequest,
    Rendered,
    Version,
    refusal_entry,
    release_entry,
)
from gateway.exchange.journal import child_tag, keys_for, seal_entry
from gateway.exchange.sequence import LedgerHalted, sequence
from gateway.store import decisions, ledger, people, records, versions
from gateway.store.childkey import ChildKey
from gateway.store.epochs import NOBODY, ascending
from gateway.store.ledger import PendingEntry
from gateway.store.pipeline import batch
from gateway.store.snapshot import Seen, SnapshotReading, Standing
from mappings.record.assertion import StoredAssertion
from mappings.record.category import Category
from mappings.view import RecordView

MOST_CHILDREN = 500
"""Children of one release; an export goes in chunks of them (ARCHITECTURE §6)."""

_SETTLE = "SELECT set_config('synchronous_commit', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)"
"""The sequencer's durable commit covers this transaction's; and planning the policies anew would cost more than reading."""

_TAKE_ROLE = "SELECT set_config('role', %(role)s, true), set_config('planhub.release', %(release)s, true)"
_LEAVE_ROLE = "SELECT set_config('role', 'none', true), set_config('planhub.release', '', true)"

_NO_CHILD = UUID(int=1)
"""A child no request is about: against its snapshot everything is denied."""


class RulesNotInForce(RuntimeError):  # noqa: N818 - it says what happened
    """This process has loaded other rules than those in force. Restart it."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One child of a release: the decision asked for, the one on the recipient's own facts, what is known."""

    standing: Standing
    asked: Decision
    own: Decision | None

    @property
    def permitting(self) -> tuple[Decision, ...]:
        """Those that let something out, the one asked for first."""
        both = (self.asked, self.own)
        return tuple(one for one in both if one is not None and one.outcome is not Outcome.DENY)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one child, before its entry has a number."""

    decision: Decision
    entry: DisclosureEntry
    pending: PendingEntry
    view: RecordView | None = None
    rendered: Rendered | None = None
    new_reference: bool = False


@dataclass(frozen=True, slots=True)
class _Work:
    """What the steps of one release share."""

    hub: Hub
    request: ReleaseRequest
    release_id: UUID
    keys: Mapping[UUID, ChildKey]
    secret: bytes
    references: dict[UUID, str] = field(default_factory=dict)

    def reference(self, thing: UUID) -> str:
        """The recipient's reference for a child or an assertion."""
        known = self.references.get(thing)
        if known is None:
            known = self.references[thing] = people.reference(self.secret, self.request.recipient, thing)
        return known

    def key(self, child: UUID) -> ChildKey:
        """The child's key, or the hub's where the child is unknown or its key was destroyed."""
        return self.keys.get(child) or self.keys[NOBODY]


def release(hub: Hub, request: ReleaseRequest) -> Released | Refused:
    """Decide on one child's record and, where permitted, have it rendered, entered and sealed.

    Raises `RulesNotInForce` in a process that must be restarted, `LedgerHalted` where nothing may be signed, and RuntimeError
    inside another transaction.
    """
    if len(request.children) != 1:
        raise ValueError("release is about one child; release_each takes several")
    return release_each(hub, request)[0]


def release_each(hub: Hub, request: ReleaseRequest) -> tuple[Released | Refused, ...]:
    """As `release`, for up to 500 children in one transaction: an answer for each, in the order asked.

    Each child has its own decision, bytes and entry; locks are taken by ascending id.
    """
    children = ascending(request.children)
    if not 1 <= len(children) == len(request.children) <= MOST_CHILDREN:
        raise ValueError(f"a release is about 1 to {MOST_CHILDREN} different children")
    work = _Work(hub, request, hub.ids(), keys_for(hub, children), hub.keys.deployment_secret(people.SECRET))
    with hub.db.transaction() as connection:
        seen = _look(connection, work, children)
        cases = {child: _decide(work, child, seen) for child in children}
        rows = _record_and_read(connection, work, seen, cases)
        held: dict[UUID, list[StoredAssertion]] = {}
        for found in records.open_assertions(rows, work.keys):
            held.setdefault(found.child_id, []).append(found)
        outcomes = {
            child: _compose(work, child, case, held.get(child, ()), seen.programmes)
            for child, case in cases.items()
        }
        counted = _enter(connection, work, outcomes)
    numbers = sequence(hub, [one.pending.entry_id for one in outcomes.values()])
    return tuple(
        _answer(work, outcomes[child], numbers[outcomes[child].pending.entry_id], counted.get(child))
        for child in request.children
    )


def _look(connection: Connection, work: _Work, children: list[UUID]) -> Seen:
    """Lock, then look, in one round trip."""
    request = work.request
    with batch(connection) as statements:
        statements.send(_SETTLE)
        reading = SnapshotReading(statements, children, request.recipient, request.evidence_ids)
        seen = reading.read(work.keys, work.hub.rules)
    if seen.rules_version != work.hub.rules.version:
        raise RulesNotInForce("other rules are in force than this process has loaded; restart it")
    if seen.halted is not None:  # before anything is entered that then does not happen
        raise LedgerHalted(seen.halted)
    return seen


def _may_be_asked(request: ReleaseRequest, standing: Standing, seen: Seen) -> bool:
    """Whether child and recipient are such that a decision can permit anything; PostgreSQL asks the same."""
    if request.basis is Basis.STEWARD:
        return standing.state is not None
    agency = seen.active and standing.snapshot.agreement_epoch > 0
    return standing.state == "active" and (agency or request.basis is Basis.FAMILY)


def _evidence(request: ReleaseRequest, child: UUID, seen: Seen) -> tuple[UUID, ...]:
    """The open reviews about this child, or the stated emergency."""
    if request.emergency is not None:
        return (request.emergency.emergency_id,)
    return tuple(one for one in request.evidence_ids if (child, one) in seen.open_reviews)


def _decide(work: _Work, child: UUID, seen: Seen) -> _Case:
    """The decision asked for and, where the recipient's own facts are wanted too, the one on those."""
    request, standing = work.request, seen.children[child]
    snapshot, at = standing.snapshot, seen.at
    if not _may_be_asked(request, standing, seen):
        snapshot = replace(snapshot, child=ChildFacts(_NO_CHILD, None, UTC))
    asked = DecisionRequest(
        decision_id=uuid4(),  # random: the outside may see it
        child_id=child,
        recipient=request.recipient,
        requester=request.requester,
        purpose=request.purpose,
        parts=request.parts,
        categories=request.categories,
        basis=request.basis,
        guardian_link_id=request.guardian_link_id,
        evidence_ids=_evidence(request, child, seen),
        emergency=request.emergency,
    )
    own = None
    if request.own and standing.has_stated:
        own = replace(asked, decision_id=uuid4(), basis=Basis.OWN)
    return _Case(standing, decide(asked, snapshot, at), None if own is None else decide(own, snapshot, at))


def _record_and_read(
    connection: Connection, work: _Work, seen: Seen, cases: Mapping[UUID, _Case]
) -> list[TupleRow]:
    """Write the decisions and read, under the role they open, what PostgreSQL then shows."""
    request = work.request
    permitting = [one for case in cases.values() for one in case.permitting]
    with batch(connection) as statements:
        decisions.add_release(
            statements,
            work.release_id,
            recipient=request.recipient,
            requester=request.requester,
            purpose=request.purpose,
            at=seen.at,
        )
        for case in cases.values():
            for one in (case.asked, case.own):
                if one is not None:
                    decisions.add_decision(statements, work.release_id, one)
        if not permitting:
            return []
        role = "planhub_family" if request.basis is Basis.FAMILY else "planhub_release"
        statements.send(_TAKE_ROLE, {"role": role, "release": str(work.release_id)})
        read = records.read_released(
            statements,
            children=[child for child, case in cases.items() if case.permitting],
            categories={category.value for one in permitting for category in one.categories},
            parts={part.value for one in permitting for part in one.parts},
            about=request.about,
        )
        statements.send(_LEAVE_ROLE)
        return read.fetchall()


def _compose(
    work: _Work,
    child: UUID,
    case: _Case,
    held: Collection[StoredAssertion],
    programmes: Mapping[str, Category],
) -> _Outcome:
    """Project and render one child's facts, or say why not; either way, its entry."""
    if not case.permitting:
        return _refuse(work, child, case, case.asked.reasons)
    decision, *second = case.permitting
    view = project(
        decision,
        held,
        child_ref=case.standing.child_ref or work.reference(child),
        outward_id=work.reference,
        at=decision.at,
        programmes=programmes,
        own=second[0] if second else None,
        plan_status=case.standing.plan_status,
    )
    if isinstance(view, Refusal):
        why = dict.fromkeys(work.request.categories, Reason.OBLIGATION_UNKNOWN)
        return _refuse(work, child, case, why)
    if decision.basis is Basis.OWN and not view.assertions:  # it sent nothing: as if the child were unknown
        return _refuse(work, child, case, case.asked.reasons)
    tell = work.request.tell
    rendered = work.request.render(view) if tell is None else tell(view, decision, case.standing.snapshot)
    shown = {found.id for found in view.assertions} if tell is None else set()
    entry = release_entry(
        work.request,
        decision,
        child_tag(work.key(child)),
        reasons={**case.asked.reasons, **{topic: decision.reasons[topic] for topic in decision.categories}},
        used=[found for found in held if work.reference(found.assertion_id) in shown],
        view=view,
        rendered=rendered,
        snapshot=case.standing.snapshot,
    )
    pending = _pending(work, child, decision, entry)
    named = case.standing.child_ref is not None or work.request.basis not in {Basis.CONSENT, Basis.OWN}
    return _Outcome(decision, entry, pending, view, rendered, new_reference=not named)


def _refuse(work: _Work, child: UUID, case: _Case, reasons: Mapping[Category, Reason]) -> _Outcome:
    entry = refusal_entry(work.request, case.asked, child_tag(work.key(child)), reasons)
    return _Outcome(case.asked, entry, _pending(work, child, case.asked, entry))


def _pending(work: _Work, child: UUID, decision: Decision, entry: DisclosureEntry) -> PendingEntry:
    return seal_entry(
        work.key(child),
        entry,
        entry_id=work.hub.ids(),
        subject=work.request.delivery_id or decision.decision_id,
    )


def _enter(connection: Connection, work: _Work, outcomes: Mapping[UUID, _Outcome]) -> dict[UUID, Version]:
    """Write the entries, and commit. The version of each view that is counted."""
    request = work.request
    asked = {}
    with batch(connection) as statements:
        for child, one in outcomes.items():
            statements.send(ledger.PENDING, one.pending.values())
            if one.rendered is None or one.view is None:
                continue
            if one.new_reference:
                reference = {"child": child, "org": request.recipient, "ref": one.view.child_ref}
                statements.send(people.ADD_REFERENCE, reference)
            if request.resource is not None:
                seen = one.rendered.body if one.rendered.stable is None else one.rendered.stable
                asked[child] = versions.see_version(
                    statements,
                    recipient=request.recipient,
                    child_id=child,
                    resource=request.resource,
                    digest=work.key(child).digest(seen),
                    at=one.decision.at,
                )
        found = {child: cursor.fetchone() for child, cursor in asked.items()}
        statements.commit()
    return {child: Version(*row) for child, row in found.items() if row is not None}


def _answer(work: _Work, one: _Outcome, number: int, version: Version | None) -> Released | Refused:
    if one.rendered is None or one.view is None:
        return Refused(one.decision, number, one.entry.reasons)
    return Released(
        sealed=Sealed(
            body=one.rendered.body,
            entry=number,
            delivery_id=work.request.delivery_id or one.decision.decision_id,
            payload_sha256=sha256(one.rendered.body).digest(),
            decided_at=one.decision.at,
            proof=str(work.release_id),
        ),
        media_type=one.rendered.media_type,
        child_ref=one.view.child_ref,
        categories=one.rendered.categories,
        notices=(*one.view.notices, *one.rendered.notices),
        issues=one.rendered.issues,
        decision=one.decision,
        entry=one.entry,
        release_id=work.release_id,
        version=version,
    )
