"""Who can see what of a child, why, until when, by which directive (consent.md §2.1).

To an agency it is told over the API and only of itself: that the family opened a topic is told like the topic itself, by a
decision, with an entry, and what is not open leaves no trace. Staff are told of every agency; as for every question of theirs
about what stands (`gateway.exchange.inquiry`), nothing of the record is opened.
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from consent.ask import ASKED_FOR
from consent.decision import Decision, DecisionRequest, decide
from consent.request import Snapshot
from consent.vocabulary import PARTS, Purpose
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused, Released, ReleaseRequest, Rendered
from gateway.exchange.inquiry import TopicAnswer, topic_answer
from gateway.exchange.journal import keys_for
from gateway.exchange.reading import Reader
from gateway.exchange.release import release
from gateway.exchange.wording import receipt_number
from gateway.store import tables
from gateway.store.childkey import ChildKey
from gateway.store.pipeline import batch
from gateway.store.snapshot import SnapshotReading
from mappings import native
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.view import RecordView


@dataclass(frozen=True, slots=True)
class Access:
    """What one agency would be let see of one topic for one purpose now."""

    agency: str
    purpose: Purpose
    answer: TopicAnswer


def what_you_may_see(hub: Hub, reader: Reader, child: UUID) -> Released | Refused:
    """Tell an agency which topics of a child are open to it for its purpose; refused, as for no child, where none is."""
    return release(
        hub,
        ReleaseRequest(
            recipient=reader.org,
            requester=reader.client_id,
            purpose=reader.purpose,
            parts=PARTS[reader.purpose] - {Part.REFERRAL},
            categories=frozenset(Category),
            children=(child,),
            render=_nothing,
            tell=_tell,
            description="what it may see, asked over the API",
            about=frozenset(),
        ),
    )


def _nothing(_: RecordView) -> Rendered:
    return Rendered(b"", native.MEDIA_TYPE, frozenset())


def _tell(view: RecordView, decision: Decision, snapshot: Snapshot) -> Rendered:
    """The open topics, each with its last instant and the number the family knows the permission by."""
    given = {one.directive_id: one for one in snapshot.directives}
    answers = [topic_answer(found, given) for found in decision.by_category.values()]
    body = {
        "child": view.child_ref,
        "purpose": decision.purpose,
        "topics": [
            {
                "topic": one.topic.value,
                "until": one.until.isoformat() if one.until else None,
                "permissions": [receipt_number(cited) for cited in one.directives],
            }
            for one in answers
            if one.allowed
        ],
        "notices": list(view.notices),
    }
    return Rendered(native.encode(body), native.MEDIA_TYPE, frozenset())


def explain(hub: Hub, child: UUID, agencies: Collection[str] | None = None) -> list[Access]:
    """For those inside: every agency of the community, or these, with every topic and purpose a family may be asked for."""
    keys = keys_for(hub, [child])
    found: list[Access] = []
    for agency in sorted(_active(hub) if agencies is None else agencies):
        found += _of_agency(hub, keys, child, agency)
    return found


def _active(hub: Hub) -> Collection[str]:
    o = tables.org
    with hub.db.transaction() as conn:
        return list(conn.execute(select(o.c.org).where(o.c.status == "active")).scalars())


def _of_agency(hub: Hub, keys: dict[UUID, ChildKey], child: UUID, agency: str) -> list[Access]:
    with hub.db.transaction() as conn, batch(conn) as statements:
        seen = SnapshotReading(statements, [child], agency).read(keys, hub.rules)
    snapshot = seen.children[child].snapshot
    given = {one.directive_id: one for one in snapshot.directives}
    found = []
    for purpose in sorted(ASKED_FOR):
        request = DecisionRequest(
            decision_id=hub.ids(),
            child_id=child,
            recipient=agency,
            requester="staff",
            purpose=purpose.value,
            parts=PARTS[purpose] - {Part.REFERRAL},
            categories=frozenset(Category),
        )
        decided = decide(request, snapshot, seen.at).by_category.values()
        found += [Access(agency, purpose, topic_answer(one, given, active=seen.active)) for one in decided]
    return found
