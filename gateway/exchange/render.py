"""What a delivery asks of the record and how it is rendered for its recipient: the request behind each send.

Rendering happens inside the release's transaction, from a view that holds only what may leave; it touches nothing else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from adapters.community.sheet import write_csv
from consent.entry import EntryKind
from consent.vocabulary import PARTS, Purpose
from gateway.exchange.community_file import AdapterKind
from gateway.exchange.context import Hub, identifier_base
from gateway.exchange.disclosure import ReleaseRequest, Rendered
from gateway.exchange.feed import FOLDER, Row, ask_row, maps_of, may_have_maps, row_of
from gateway.exchange.organizations import organizations
from gateway.store import people, plans, referrals
from gateway.store.lanes import Claim
from gateway.store.maps import MapName
from gateway.store.outbox import Topic, Waiting
from gateway.store.pipeline import batch
from gateway.store.referrals import ReferralRow
from mappings import native
from mappings.community import worklist_out
from mappings.engine.compiled import CompiledMap
from mappings.fhir import bundle
from mappings.fhir.request import ReferralContext
from mappings.organization import Organizations
from mappings.outward import in_order, said
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.referral import ReferralState
from mappings.view import RecordView
from mappings.webhook import event

REFERRAL_GOES = frozenset(ReferralState) - {
    ReferralState.CANCELLED,
    ReferralState.ENTERED_IN_ERROR,
    ReferralState.DRAFT,
}
"""States of a referral that is still to be sent, or sent again."""


class Nothing(StrEnum):
    """Why there is nothing to ask for; the delivery ends without a release."""

    NO_SUBSCRIPTION = "no-subscription"
    NO_PLAN = "no-active-plan"
    NO_REFERRAL = "no-referral"
    CANCELLED = "cancelled"


class Unfit(Exception):  # noqa: N818 - reads as what happened
    """The view cannot be said in the recipient's format; nothing is released and nothing leaves."""


@dataclass(frozen=True, slots=True)
class Errand:
    """A delivery ready to be released: the request, the connection it goes by, the map that renders it."""

    request: ReleaseRequest
    row: Row
    map: MapName | None


def errand(hub: Hub, claim: Claim, waiting: Waiting, attempt_id: UUID) -> Errand | Nothing:
    """What this delivery is to say, as things stand now. Raises ConnectionMissing or MapMissing."""
    secret, known = hub.keys.deployment_secret(people.SECRET), organizations(hub)
    found = _look(hub, claim, waiting)
    categories, about = found.categories, found.plan
    if categories is None:
        return Nothing.NO_SUBSCRIPTION
    referral: ReferralRow | None = None
    if waiting.topic is not Topic.PLAN:
        with hub.db.transaction() as conn:
            referral = referrals.find_referral(conn, waiting.subject_id)
            if referral is None:
                return Nothing.NO_REFERRAL
            if referral.state not in REFERRAL_GOES and waiting.topic is Topic.REFERRAL:
                return Nothing.CANCELLED
            about = _said_of(conn, referral, waiting.topic)
        categories |= {referral.category}
    if about is None:
        return Nothing.NO_PLAN
    compiled = _outbound_map(hub, found.row)
    context = None if referral is None else _referral_context(secret, claim.recipient, referral)
    return Errand(
        ReleaseRequest(
            recipient=claim.recipient,
            requester=found.row.connection,
            purpose=waiting.purpose,
            parts=_parts(waiting),
            categories=categories,
            children=(claim.child_id,),
            render=_renderer(hub, found.row, waiting, known, context, compiled),
            description=_DESCRIPTION[waiting.topic],
            own=waiting.topic is Topic.OUTCOME,
            about=about,
            resource="plan" if waiting.topic is Topic.PLAN else f"referral/{waiting.subject_id}",
            delivery_id=waiting.delivery_id,
            attempt_id=attempt_id,
            refused_as=EntryKind.WITHHELD,
        ),
        found.row,
        None if compiled is None else MapName(compiled.id, compiled.version),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """The connection a delivery goes by, the topics its agency asked for by it, what its plan in force consists of."""

    row: Row
    categories: frozenset[Category] | None
    plan: frozenset[UUID] | None


_SUBSCRIBED = """
    SELECT categories FROM subscription
    WHERE org = %(org)s AND connection = %(connection)s AND purpose = %(purpose)s AND status = 'active'
        AND %(part)s = ANY(parts)
"""


def _look(hub: Hub, claim: Claim, waiting: Waiting) -> _Found:
    """What stands in the tables, in one round trip. Topics are None where the agency asked for nothing."""
    asked = {
        "org": claim.recipient,
        "connection": waiting.connection,
        "purpose": waiting.purpose,
        "part": _PART[waiting.topic].value,
    }
    with hub.db.transaction() as conn, batch(conn) as statements:
        row = ask_row(statements, waiting.connection)
        wanted = statements.send(_SUBSCRIBED, asked)
        plan = plans.InForce(statements, claim.child_id) if waiting.topic is Topic.PLAN else None
        statements.commit()
        lists = wanted.fetchall()
        return _Found(
            row_of(row, waiting.connection),
            frozenset(Category(word) for (words,) in lists for word in words) if lists else None,
            None if plan is None else plan.read(),
        )


_PART = {Topic.PLAN: Part.PLAN, Topic.REFERRAL: Part.REFERRAL, Topic.OUTCOME: Part.OUTCOME}
_DESCRIPTION = {
    Topic.PLAN: "the success plan, sent to the agency's system",
    Topic.REFERRAL: "a referral, sent to the agency's system",
    Topic.OUTCOME: "how a referral ended, sent to the agency that made it",
}


def _parts(waiting: Waiting) -> frozenset[Part]:
    """Who the child is belongs to the plan; a referral without it could not be acted on."""
    allowed = (
        PARTS.get(Purpose(waiting.purpose), frozenset()) if waiting.purpose in set(Purpose) else frozenset()
    )
    wanted = {_PART[waiting.topic]} | ({Part.PLAN} if waiting.topic is Topic.REFERRAL else set())
    return frozenset(wanted & allowed) or frozenset({_PART[waiting.topic]})


def _said_of(conn: Connection, referral: ReferralRow, topic: Topic) -> frozenset[UUID]:
    """The assertions a referral delivery is about: what is asked and, for the outcome, what was reported."""
    events = [
        event.assertion_id for event in referrals.events(conn, referral.referral_id) if event.assertion_id
    ]
    return frozenset({referral.assertion_id, *(events if topic is Topic.OUTCOME else ())})


def _outbound_map(hub: Hub, row: Row) -> CompiledMap | None:
    """The map that renders for this connection's format; None where the format needs none."""
    if not may_have_maps(row):
        return None
    folder = FOLDER[row.adapter]
    with hub.db.transaction() as conn:
        compiled = maps_of(conn, row)
    return next((one for one in compiled if not one.document.inbound and one.document.source == folder), None)


def _referral_context(secret: bytes, recipient: str, row: ReferralRow) -> ReferralContext:
    outward = people.reference(secret, recipient, row.assertion_id)
    return ReferralContext(outward, row.from_org, row.to_org)


def _renderer(
    hub: Hub,
    row: Row,
    waiting: Waiting,
    organizations: Organizations,
    referral: ReferralContext | None,
    compiled: CompiledMap | None,
) -> Callable[[RecordView], Rendered]:
    """How this connection's format says a view."""

    def fhir(view: RecordView) -> Rendered:
        base = identifier_base(hub.settings.base_url)
        context = bundle.Context(base, organizations, bool(row.config.get("conditional_update", True)))
        made = bundle.from_view(view, context=context, referral=referral, plan_map=compiled)
        if made.refused:
            raise Unfit("; ".join(f"{issue.path}: {issue.text}" for issue in made.issues[:3]))
        kept = _stable(view, organizations)
        return Rendered(made.content, bundle.MEDIA_TYPE, made.categories, issues=made.issues, stable=kept)

    def worklist(view: RecordView) -> Rendered:
        if referral is None:
            return _plan_sheet(view, organizations)
        wanted = worklist_out.SheetReferral(referral.assertion_id, referral.assertion_id, referral.requester)
        made = worklist_out.from_view(
            view, organizations=organizations, referrals=[wanted], worklist_map=compiled
        )
        if not made.rows:
            raise Unfit("; ".join(f"{issue.path}: {issue.text}" for issue in made.issues[:3]))
        kept = _stable(view, organizations)
        return Rendered(
            made.content, worklist_out.MEDIA_TYPE, made.categories, issues=made.issues, stable=kept
        )

    def webhook(view: RecordView) -> Rendered:
        envelope = event.Envelope(
            str(waiting.delivery_id), hub.settings.base_url, _EVENT[waiting.topic], view.at
        )
        made = event.from_view(view, envelope, organizations=organizations)
        return Rendered(made.content, event.MEDIA_TYPE, made.categories, stable=_stable(view, organizations))

    def shelf(view: RecordView) -> Rendered:
        return Rendered(_stable(view, organizations), native.MEDIA_TYPE, view.categories)

    return {
        AdapterKind.FHIR: fhir,
        AdapterKind.WORKLIST_FOLDER: worklist,
        AdapterKind.WEBHOOK: webhook,
    }.get(row.adapter, shelf)


_EVENT = {
    Topic.PLAN: event.EventType.PLAN_CHANGED,
    Topic.REFERRAL: event.EventType.REFERRAL_SENT,
    Topic.OUTCOME: event.EventType.REFERRAL_ENDED,
}

_SHEET = ("child_ref", "topic", "kind", "what", "stated_by", "stated_at", "notice")


def _plan_sheet(view: RecordView, organizations: Organizations) -> Rendered:
    """A plan for somebody with a spreadsheet: one row per fact, its words in one cell."""
    rows = []
    for item in in_order(view):
        value = said(item, view, organizations)
        if value is None:
            continue
        agency = organizations.named(item.org, view.categories)
        rows.append(
            {
                "child_ref": view.child_ref,
                "topic": item.category.value,
                "kind": item.kind.value,
                "what": "; ".join(f"{name}: {text}" for name, text in _words(value, "")),
                "stated_by": agency.name if agency else organizations.hub,
                "stated_at": item.asserted_at.date().isoformat(),
                "notice": " ".join(view.notices),
            }
        )
    return Rendered(
        write_csv(_SHEET, rows), worklist_out.MEDIA_TYPE, view.categories, stable=_stable(view, organizations)
    )


def _words(value: object, name: str) -> Iterator[tuple[str, str]]:
    """The leaves of a value with the names that lead to them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _words(inner, f"{name} {key}".strip())
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _words(inner, name)
    elif value is not None:
        yield name.replace("_", " "), str(value)


def _stable(view: RecordView, organizations: Organizations) -> bytes:
    """What tells whether a recipient's view changed, the same whatever format it is sent in."""
    return native.encode(native.document(view, organizations))
