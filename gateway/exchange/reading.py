"""What an agency reads through the API: a plan, what its own system knows a child by, what changed since it last looked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from consent.vocabulary import PARTS, Basis, Purpose
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused, Released, ReleaseRequest, Rendered
from gateway.exchange.match import MATCHING, keyed
from gateway.exchange.organizations import organizations
from gateway.exchange.release import release, release_each
from gateway.exchange.together import release_together
from gateway.store import identities, people, referrals, tables
from mappings import native
from mappings.identity.keys import Features, identifier_key
from mappings.organization import Organizations
from mappings.record.category import Category
from mappings.record.kind import Kind, Part
from mappings.record.lifecycle import Lack, lacks_for_active
from mappings.record.referral import ReferralState
from mappings.view import RecordView

MOST_CHANGES = 200
API = "api"
CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads and why."""

    org: str
    client_id: str
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class ChangeItem:
    """One resource whose view changed for this reader; `cursor` is where to go on."""

    cursor: int
    child_ref: str
    resource: str
    n: int
    at: datetime


@dataclass(frozen=True, slots=True)
class _InOwnFormat:
    """Renders a plan in the hub's own JSON. Equal for equal names, so that reads may be answered together."""

    names: Organizations

    def __call__(self, view: RecordView) -> Rendered:
        return Rendered(native.encode(native.document(view, self.names)), native.MEDIA_TYPE, view.categories)


def plan_request(hub: Hub, reader: Reader, child: UUID, *, basis: Basis = Basis.CONSENT) -> ReleaseRequest:
    """The request behind a plan read: every topic is asked for, what the family did not open is not in the answer."""
    return ReleaseRequest(
        recipient=reader.org,
        requester=reader.client_id,
        purpose=reader.purpose,
        parts=frozenset({Part.PLAN}),
        categories=frozenset(Category),
        children=(child,),
        render=_InOwnFormat(organizations(hub)),
        description="the plan, read over the API",
        basis=basis,
        own=True,
        resource="plan",
    )


def read_plan(hub: Hub, reader: Reader, child: UUID) -> Released | Refused:
    """The plan as this reader may see it now, in the hub's own JSON."""
    return release_together(hub, plan_request(hub, reader, child))


def read_referral(hub: Hub, reader: Reader, referral_id: UUID) -> Released | Refused | None:
    """A referral as one of its two parties may see it; None for anybody else, as for one that does not exist.

    The state shown is the latest that stands in the reader's own view: without permission to hear how it ended, an asker sees
    only what it said itself.
    """
    with hub.db.transaction() as conn:
        row = referrals.find_referral(conn, referral_id)
        if row is None or reader.org not in {row.from_org, row.to_org}:
            return None
        about = {
            row.assertion_id,
            *(e.assertion_id for e in referrals.events(conn, referral_id) if e.assertion_id),
        }

    def render(view: RecordView) -> Rendered:
        told = view.of(Kind.REFERRAL, Kind.REFERRAL_EVENT)
        facts = [native.fact(item) for item in told]
        shown = {
            "referral": str(referral_id),
            "child": view.child_ref,
            "from": row.from_org,
            "to": row.to_org,
        }
        states = [item.value["state"] for item in view.of(Kind.REFERRAL_EVENT)]
        state = states[-1] if states else (row.state if row.sent_at is None else ReferralState.SENT)
        body = native.encode(shown | {"state": state, "facts": facts, "notices": list(view.notices)})
        return Rendered(
            body,
            native.MEDIA_TYPE,
            frozenset(item.category for item in view.of(Kind.REFERRAL, Kind.REFERRAL_EVENT)),
        )

    return release(
        hub,
        ReleaseRequest(
            recipient=reader.org,
            requester=reader.client_id,
            purpose=reader.purpose,
            parts=PARTS[reader.purpose],
            categories=frozenset({row.category}),
            children=(row.child_id,),
            render=render,
            description="a referral, read over the API",
            own=True,
            about=frozenset(about),
            resource=f"referral/{referral_id}",
        ),
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What keeps a plan from being active, and when it is to be looked at again."""

    lacks: tuple[Lack, ...]
    next_review: date | None


def judge(hub: Hub, reader: Reader, child: UUID) -> Verdict:
    """Whether the plan, as the lead agency sees it, is complete enough to be active."""
    found: list[Verdict] = []

    def weigh(view: RecordView) -> Rendered:
        reviews = [item.value["next_review"] for item in view.of(Kind.PLAN_TERMS)]
        review = date.fromisoformat(max(reviews)) if reviews else None
        found.append(Verdict(lacks_for_active(view.assertions), review))
        return Rendered(b"", native.MEDIA_TYPE, view.categories)

    asked = replace(
        plan_request(hub, reader, child),
        render=weigh,
        resource=None,
        description="whether the plan is complete enough to be active",
    )
    release(hub, asked)
    return found[0] if found else Verdict(tuple(Lack), None)


def find_own(hub: Hub, org: str, system: str, assigner: str, value: str) -> str | None:
    """The agency's reference for a child it sent under this identifier; None where it sent none, or it waits in review."""
    features = Features(identifiers=(identifier_key(system, assigner, value),))
    keys = [key for key, _ in keyed(hub.keys.deployment_secret(MATCHING), features)]
    with hub.db.transaction() as conn:
        near = {identity for _, identity, _ in identities.sharing(conn, keys)}
        own = [i for i in identities.by_id(conn, near).values() if i.org == org and i.child_id is not None]
        children = {i.child_id for i in own if i.child_id is not None}
        if len(children) != 1:
            return None
        secret = hub.keys.deployment_secret(people.SECRET)
        return next(iter(people.add_references(conn, secret, org, children).values()))


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes, oldest first, and the cursor to go on from: that of the last one looked at, shown or not."""

    items: tuple[ChangeItem, ...]
    next: int


def changes_since(hub: Hub, reader: Reader, after: int, most: int) -> ChangePage:
    """The resources whose view changed for this reader since `after`, each decided again before it is named."""
    v = tables.view_version
    with hub.db.transaction() as conn:
        rows = conn.execute(
            select(v.c.change, v.c.child_id, v.c.resource, v.c.n, v.c.at)
            .where(v.c.recipient == reader.org, v.c.change > after)
            .order_by(v.c.change)
            .limit(min(most, MOST_CHANGES))
        ).all()
    allowed = _still_permitted(hub, reader, sorted({row.child_id for row in rows}))
    items = tuple(
        ChangeItem(row.change, allowed[row.child_id], row.resource, row.n, row.at)
        for row in rows
        if row.child_id in allowed
    )
    return ChangePage(items, rows[-1].change if rows else after)


def _still_permitted(hub: Hub, reader: Reader, children: Sequence[UUID]) -> dict[UUID, str]:
    """The children this reader may still be told of, and by which reference."""
    if not children:
        return {}

    def name_only(view: RecordView) -> Rendered:
        return Rendered(native.encode({"child": view.child_ref}), native.MEDIA_TYPE, frozenset())

    answers = release_each(
        hub,
        ReleaseRequest(
            recipient=reader.org,
            requester=reader.client_id,
            purpose=reader.purpose,
            parts=PARTS[reader.purpose],
            categories=frozenset(Category),
            children=tuple(children),
            render=name_only,
            description="that something changed, listed over the API",
            own=True,
        ),
    )
    return {
        child: answer.child_ref
        for child, answer in zip(children, answers, strict=True)
        if isinstance(answer, Released)
    }


def feed_of(conn: Connection, org: str) -> str | None:
    """The connection by which this agency collects its changes over the API; None where it has none."""
    c = tables.connection
    found = conn.execute(
        select(c.c.connection)
        .where(c.c.org == org, c.c.adapter == API, c.c.status == "active")
        .order_by(c.c.connection)
    ).scalar()
    return found if isinstance(found, str) else None


def acknowledge(conn: Connection, org: str, cursor: int, at: datetime) -> bool:
    """Remember that the agency has taken in everything up to `cursor`; never backwards. False for one never given."""
    v, c = tables.view_version, tables.cursor
    feed = feed_of(conn, org)
    if (
        feed is None
        or conn.execute(select(v.c.change).where(v.c.recipient == org, v.c.change == cursor)).first() is None
    ):
        return False
    row = {
        "connection": feed,
        "resource": CHANGES,
        "position": str(max(cursor, acknowledged(conn, org))),
        "at": at,
    }
    conn.execute(
        insert(c).values(**row).on_conflict_do_update(index_elements=["connection", "resource"], set_=row)
    )
    return True


def acknowledged(conn: Connection, org: str) -> int:
    """The cursor up to which the agency has acknowledged; 0 before the first time."""
    c = tables.cursor
    found = conn.execute(
        select(c.c.position).where(c.c.connection == feed_of(conn, org), c.c.resource == CHANGES)
    ).scalar()
    return int(found or 0)
