"""A small community for tests: agencies under agreements, a child, a guardian, facts, directives. All invented."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import text

from consent.directive import AuthEvidence, AuthMethod, Directive, Notice, State
from consent.guardian import Authority, ChildFacts, GuardianKind, GuardianLink
from consent.note import SignerKey
from consent.vocabulary import STATEMENTS, Basis, Effect, Purpose
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused, Released, ReleaseRequest, Rendered
from gateway.exchange.opening import shipped_law
from gateway.exchange.permission import Changed, grant
from gateway.exchange.release import release
from gateway.settings import Settings
from gateway.store import directives, records
from gateway.store.childkey import ChildKey
from gateway.store.engine import Database
from gateway.store.identities import ChildState, add_children
from gateway.store.keys import KeyStore
from mappings.record.assertion import AssertedBy, Method, StoredAssertion
from mappings.record.category import Category
from mappings.record.kind import Kind, Part
from mappings.record.regime import Regime
from mappings.record.sensitivity import Label
from mappings.view import RecordView

LAW = shipped_law()
SIGNER = SignerKey("planhub/test", bytes(range(32)))
SOON = timedelta(days=30)
NOTICE = Notice(
    notice_id="ask", version="1", locale="en", sha256=sha256(b"notice").hexdigest(), states=STATEMENTS
)


def now() -> datetime:
    return datetime.now(UTC)


def a_hub(db: Database, keys: KeyStore, home: Path) -> Hub:
    """A hub on this database, with the shipped rules in force."""
    hub = Hub(db=db, keys=keys, rules=LAW, signer=SIGNER, settings=Settings(home=home))
    with db.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO rules_in_force (\"only\", rules_version, at) VALUES ('rules', :version, now()) "
                "ON CONFLICT DO NOTHING"
            ),
            {"version": LAW.version},
        )
    return hub


def add_agency(
    hub: Hub,
    name: str | None = None,
    *,
    programme: Category = Category.SCHOOL,
    purposes: Iterable[Purpose] = tuple(Purpose),
    categories: Iterable[Category] = tuple(Category),
    agreement: bool = True,
    valid_until: datetime | None = None,
) -> str:
    """An agency with, unless said otherwise, an agreement that covers everything; its key."""
    org = name or f"agency-{uuid4().hex[:10]}"
    with hub.db.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO org (org, name, kind, programme_category, hub_role, regimes) "
                "VALUES (:org, :org, 'community', :programme, 'intermediary', '{EDU}')"
            ),
            {"org": org, "programme": programme.value},
        )
        connection.execute(text("INSERT INTO agreement_epoch (org) VALUES (:org)"), {"org": org})
        if agreement:
            connection.execute(
                text(
                    "INSERT INTO agreement (agreement, org, hub_role, purposes, categories, valid_from, valid_until, "
                    "status) VALUES (:org, :org, 'intermediary', :purposes, :categories, :start, :end, 'in-force')"
                ),
                {
                    "org": org,
                    "purposes": [p.value for p in purposes],
                    "categories": [c.value for c in categories],
                    "start": now() - SOON,
                    "end": valid_until or now() + SOON,
                },
            )
    return org


@dataclass
class Family:
    """One child with one verified guardian, and what tests do to them."""

    hub: Hub
    child: UUID = field(default_factory=uuid4)
    link: UUID = field(default_factory=uuid4)
    other_link: UUID = field(default_factory=uuid4)
    born: date = date(2015, 3, 4)

    def __post_init__(self) -> None:
        self.hub.keys.create((self.child,))
        with self.hub.db.transaction() as connection:
            add_children(connection, [(self.child, ChildState.ACTIVE)], now())
            facts = ChildFacts(self.child, self.born, ZoneInfo("America/New_York"))
            directives.add_child_facts(connection, [(self.key, facts)], now())
            directives.add_links(
                connection, [(self.key, self.guardian(self.link)), (self.key, self.guardian(self.other_link))]
            )

    @property
    def key(self) -> ChildKey:
        return self.hub.keys.get(self.child)

    def guardian(self, link: UUID, **changes: Any) -> GuardianLink:
        return GuardianLink(
            guardian_link_id=link,
            child_id=self.child,
            kind=GuardianKind.PARENT,
            authority=Authority.VERIFIED,
            valid_from=now() - SOON,
            verified_by="registrar",
            verified_at=now() - SOON,
        ).model_copy(update=changes)

    def sentence(
        self,
        recipient: str,
        *categories: Category,
        effect: Effect = Effect.PERMIT,
        purposes: Iterable[Purpose] = (Purpose.CARE_COORDINATION,),
        **changes: Any,
    ) -> Directive:
        """What the guardian would sign."""
        signed = now() - timedelta(minutes=5)
        return Directive(
            directive_id=uuid4(),
            child_id=self.child,
            effect=effect,
            recipient=recipient,
            categories=frozenset(categories or (Category.SCHOOL,)),
            purposes=frozenset(purposes),
            valid_from=signed,
            valid_until=now() + SOON,
            regimes=frozenset(Regime),
            notice=NOTICE,
            signer_link=self.link,
            capacity=GuardianKind.PARENT,
            auth_evidence=AuthEvidence(method=AuthMethod.PAPER, at=signed, reference="form 7"),
            recorded_at=signed,
            state=State.GIVEN,
        ).model_copy(update=changes)

    def permits(self, recipient: str, *categories: Category, **changes: Any) -> UUID:
        """A recorded permit; its id."""
        changed = grant(self.hub, self.sentence(recipient, *categories, **changes), actor="guardian")
        assert isinstance(changed, Changed), changed
        return changed.subject

    def states(
        self,
        org: str,
        *categories: Category,
        part_of: Kind = Kind.FAMILY_VOICE,
        words: str = "likes drums",
        **changes: Any,
    ) -> list[UUID]:
        """Facts this agency contributes, one per category; their ids."""
        facts = [self.fact(org, category, kind=part_of, words=words, **changes) for category in categories]
        with self.hub.db.transaction() as connection:
            records.append(connection, [records.Fact(self.key, fact) for fact in facts])
        return [fact.assertion_id for fact in facts]

    def fact(
        self,
        org: str,
        category: Category,
        *,
        kind: Kind = Kind.FAMILY_VOICE,
        words: str = "likes drums",
        **changes: Any,
    ) -> StoredAssertion:
        values: dict[Kind, dict[str, Any]] = {
            Kind.FAMILY_VOICE: {"speaker": "parent", "statement": words},
            Kind.REFERRAL_EVENT: {"at": "2026-11-01T10:00:00Z", "state": "completed"},
            Kind.REFERRAL: {
                "service": {"code": "tutoring"},
                "domain": "academic",
                "reason": words,
                "requested_on": "2026-11-01",
            },
        }
        return StoredAssertion(
            assertion_id=uuid4(),
            child_id=self.child,
            kind=kind,
            category=category,
            value=values[kind],
            asserted_by=AssertedBy(org=org),
            method=Method.STAFF_ENTERED,
            asserted_at=now(),
            received_at=now(),
            regimes=frozenset({Regime.EDU}),
            labels=frozenset({Label.NORMAL}),
        ).model_copy(update=changes)

    def request(self, recipient: str, *categories: Category, **changes: Any) -> ReleaseRequest:
        """A request for the plan about these topics."""
        wanted: dict[str, Any] = {
            "recipient": recipient,
            "requester": f"system of {recipient}",
            "purpose": Purpose.CARE_COORDINATION.value,
            "parts": frozenset({Part.PLAN}),
            "categories": frozenset(categories or (Category.SCHOOL,)),
            "children": (self.child,),
            "render": render,
            "description": "plan read in a test",
            "basis": Basis.CONSENT,
        }
        return ReleaseRequest(**(wanted | changes))


def render(view: RecordView) -> Rendered:
    """The view as JSON, with nothing that changes between two readings of one view."""
    body = json.dumps(
        {
            "child": view.child_ref,
            "facts": [
                {"id": f.id, "category": f.category, "value": f.value, "org": f.org, "links": list(f.links)}
                for f in view.assertions
            ],
        }
    ).encode()
    return Rendered(body, "application/json", view.categories)


def let_out(hub: Hub, request: ReleaseRequest) -> Released:
    """The release of what should be permitted."""
    answer = release(hub, request)
    assert isinstance(answer, Released), answer
    return answer


def held_back(hub: Hub, request: ReleaseRequest) -> Refused:
    """The refusal of what should not be permitted."""
    answer = release(hub, request)
    assert isinstance(answer, Refused), answer
    return answer
