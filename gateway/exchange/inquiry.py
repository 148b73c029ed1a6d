"""What stands for a child, asked by staff: who may sign, what was said to whom, and whether something would be let out now.

Nothing of the record is opened or told here, so nothing is disclosed and nothing enters the log: an answer is yes or no, with
the reason, the sentence it rests on and its last day.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from consent.decision import CategoryDecision, DecisionRequest, decide
from consent.directive import VALID, Directive, State
from consent.guardian import Authority, GuardianKind, Standing
from consent.request import Snapshot
from consent.vocabulary import COVERS, PARTS, Effect, Outcome, Purpose, Reason
from gateway.exchange.context import Hub
from gateway.exchange.journal import keys_for
from gateway.exchange.wording import receipt_number
from gateway.store import tables
from gateway.store.pipeline import batch
from gateway.store.snapshot import SnapshotReading
from mappings.record.category import Category
from mappings.record.kind import Part


@dataclass(frozen=True, slots=True)
class TopicAnswer:
    """Whether one topic would be let out now; the directives that say so and when the last of them ends."""

    topic: Category
    allowed: bool
    reason: Reason
    standing: Standing | None
    directives: tuple[UUID, ...]
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes where every topic asked about would be let out. `shared` are the permits that hold for this agency now."""

    at: datetime
    topics: tuple[TopicAnswer, ...]
    shared: tuple[Directive, ...]

    @property
    def allowed(self) -> bool:
        """Whether every topic would be let out."""
        return bool(self.topics) and all(one.allowed for one in self.topics)


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence a guardian signed, as far as it lies in clear. `number` is its receipt number."""

    directive_id: UUID
    number: str
    effect: Effect
    recipient: str
    categories: frozenset[Category]
    purposes: frozenset[Purpose]
    valid_from: datetime
    valid_until: datetime | None
    state: State
    signer_link: UUID
    recorded_at: datetime
    ended_at: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether the sentence stands now, whoever signed it; whether it carries is for a decision to say."""
        begun = self.valid_from <= at and (self.valid_until is None or at < self.valid_until)
        return begun and self.ended_at is None and self.state in VALID


@dataclass(frozen=True, slots=True)
class Guardian:
    """One guardian link, as far as it lies in clear: no name, no contact."""

    guardian_link_id: UUID
    kind: GuardianKind
    authority: Authority
    valid_from: datetime
    valid_until: datetime | None
    verified_by: str | None
    verified_at: datetime | None

    def may_act(self, at: datetime) -> bool:
        """Whether the link is verified and in its time; what it may sign depends on the topic."""
        return (
            self.authority is Authority.VERIFIED
            and self.valid_from <= at
            and (self.valid_until is None or at < self.valid_until)
        )


def check(
    hub: Hub,
    child: UUID,
    recipient: str,
    topics: Collection[Category],
    purpose: Purpose,
    parts: Collection[Part] | None = None,
) -> Answer:
    """Whether this agency would be let see these topics now; by default the plan, or for its purpose how a referral ended."""
    keys = keys_for(hub, [child])
    with hub.db.transaction() as conn:
        with batch(conn) as statements:
            reading = SnapshotReading(statements, [child], recipient)
            seen = reading.read(keys, hub.rules)
        active = is_active(conn, recipient)
    snapshot = seen.children[child].snapshot
    wanted = frozenset(parts) if parts is not None else PARTS[purpose] - {Part.REFERRAL}
    request = DecisionRequest(
        decision_id=hub.ids(),
        child_id=child,
        recipient=recipient,
        requester="staff",
        purpose=purpose.value,
        parts=wanted,
        categories=frozenset(topics),
    )
    decided = decide(request, snapshot, seen.at)
    given = {directive.directive_id: directive for directive in snapshot.directives}
    answers = tuple(topic_answer(found, given, active=active) for found in decided.by_category.values())
    return Answer(seen.at, answers, _shared(snapshot, purpose, seen.at))


def topic_answer(
    found: CategoryDecision, given: Mapping[UUID, Directive], *, active: bool = True
) -> TopicAnswer:
    """What was decided for a topic, with the directives it rests on and the last day; `active`: the agency takes part."""
    allowed = found.outcome is not Outcome.DENY and active
    gone = found.outcome is not Outcome.DENY and not active
    ends = [
        min((end for one in scope.directive_ids if (end := given[one].valid_until)), default=None)
        for scope in found.scopes
    ]
    until = None if None in ends else max((end for end in ends if end), default=None)
    cited = found.directive_ids or tuple(
        one.directive_id for one in found.considered if one.reason is found.reason
    )
    reason = Reason.AGREEMENT_MISSING if gone else found.reason
    return TopicAnswer(found.category, allowed, reason, found.standing, cited, until)


def _shared(snapshot: Snapshot, purpose: Purpose, at: datetime) -> tuple[Directive, ...]:
    """The permits for this agency and purpose that stand now."""
    return tuple(
        one
        for one in snapshot.directives
        if one.effect is Effect.PERMIT
        and one.state in VALID
        and one.revoked_at is None
        and one.permits_recipient(snapshot.recipient)
        and any(purpose in COVERS[named] for named in one.purposes)
        and one.started(at)
        and not one.ended(at)
    )


def is_active(conn: Connection, org: str) -> bool:
    """Whether this is an agency of the community."""
    statement = select(tables.org.c.org).where(tables.org.c.org == org, tables.org.c.status == "active")
    return conn.execute(statement).first() is not None


def said(conn: Connection, child: UUID) -> list[Said]:
    """Everything that was signed for this child, oldest first."""
    d = tables.directive
    columns = [d.c[name] for name in _SAID]
    rows = conn.execute(
        select(*columns).where(d.c.child_id == child).order_by(d.c.recorded_at, d.c.directive_id)
    )
    return [
        Said(
            directive_id=row.directive_id,
            number=receipt_number(row.directive_id),
            effect=Effect(row.effect),
            recipient=row.recipient,
            categories=frozenset(map(Category, row.categories)),
            purposes=frozenset(map(Purpose, row.purposes)),
            valid_from=row.valid_from,
            valid_until=row.valid_until,
            state=State(row.state),
            signer_link=row.signer_link,
            recorded_at=row.recorded_at,
            ended_at=row.ended_at,
        )
        for row in rows
    ]


_SAID = (
    "directive_id", "effect", "recipient", "categories", "purposes", "valid_from", "valid_until", "state", "signer_link",
    "recorded_at", "ended_at",
)  # fmt: skip


def guardians(conn: Connection, child: UUID) -> list[Guardian]:
    """Everyone named as guardian of this child, verified ones first."""
    g = tables.guardian_link
    columns = (
        g.c.guardian_link_id, g.c.kind, g.c.authority, g.c.valid_from, g.c.valid_until, g.c.verified_by, g.c.verified_at,
    )  # fmt: skip
    rows = conn.execute(select(*columns).where(g.c.child_id == child).order_by(g.c.guardian_link_id))
    found = [
        Guardian(row[0], GuardianKind(row[1]), Authority(row[2]), row[3], row[4], row[5], row[6])
        for row in rows
    ]
    return sorted(found, key=lambda one: one.authority is not Authority.VERIFIED)


def open_permits(said: Iterable[Said], recipient: str) -> list[UUID]:
    """What an agency was allowed and nobody has ended, over or disputed ones included."""
    return [
        one.directive_id
        for one in said
        if one.effect is Effect.PERMIT and one.recipient == recipient and one.ended_at is None
    ]
