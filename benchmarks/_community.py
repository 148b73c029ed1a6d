"""The small community that is measured: a district, a clinic that reads, children with plans and directives. All invented."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from adapters.oneroster.csv import read as read_package
from adapters.sandbox.city import City, oneroster_zip
from consent.directive import AuthEvidence, AuthMethod, Directive, Notice, State
from consent.guardian import Authority, GuardianKind, GuardianLink
from consent.vocabulary import STATEMENTS, Effect, Purpose
from gateway.exchange.connect import package_documents
from gateway.exchange.context import Hub
from gateway.exchange.intake import take_in
from gateway.exchange.permission import Changed, grant, set_guardian
from gateway.exchange.plans import begin, contribute
from gateway.oauth.assertions import ASSERTION_TYPE
from gateway.store import people
from gateway.store.clients import Scope
from mappings.record.category import Category
from mappings.record.contribution import Contribution
from mappings.record.kind import Kind
from mappings.record.regime import Regime

SCHOOL, CLINIC, PROGRAMME = "bench-district", "bench-clinic", "bench-programme"
ROSTER = "bench-roster"
PURPOSE = Purpose.CARE_COORDINATION
OPEN = frozenset(
    {
        Category.IDENTITY,
        Category.SCHOOL,
        Category.HEALTH,
        Category.FEELINGS,
        Category.HOME,
        Category.ACTIVITIES,
    }
)
"""What the families let the clinic see; what else there is stays shut, and is there to be left out."""


@dataclass(frozen=True, slots=True)
class Client:
    """A system of the clinic that signs with a key of its own."""

    client_id: str
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls) -> "Client":
        return cls("bench-clinic-system", ec.generate_private_key(ec.SECP384R1()))

    def jwks(self) -> dict[str, Any]:
        return {
            "keys": [jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True) | {"kid": "k1"}]
        }

    def token_form(self, token_url: str, hub: Hub) -> dict[str, str]:
        """What is posted to the token endpoint (RFC 7523, SMART Backend Services)."""
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": token_url,
            "exp": int((hub.clock() + timedelta(minutes=3)).timestamp()),
            "jti": str(hub.ids()),
        }
        signed = jwt.encode(claims, self.key, "ES384", headers={"kid": "k1"})
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": signed,
        }


def agency(key: str, programme: Category, regime: Regime, **more: Any) -> dict[str, Any]:
    """An agency of a community file."""
    kinds = {SCHOOL: "school-district", CLINIC: "clinic"}
    return {
        "key": key,
        "name": key.replace("-", " ").capitalize(),
        "kind": kinds.get(key, "community"),
        "programme": programme.value,
        "hub_role": "intermediary",
        "regimes": [regime.value],
        **more,
    }


def community(client: Client, **more: Any) -> dict[str, Any]:
    """The community file: three agencies under agreements that cover everything, one registered client."""
    today = date.today()  # noqa: DTZ011 - a day either way is inside the agreements
    agreement = {
        "purposes": [purpose.value for purpose in Purpose],
        "categories": [category.value for category in Category],
        "starts": (today - timedelta(days=30)).isoformat(),
        "ends": (today + timedelta(days=300)).isoformat(),
    }
    return {
        "community": "bench",
        "name": "Bench",
        "agencies": [
            agency(SCHOOL, Category.SCHOOL, Regime.EDU, roster_authority=True),
            agency(CLINIC, Category.HEALTH, Regime.HLTH),
            agency(PROGRAMME, Category.ACTIVITIES, Regime.FAM),
        ],
        "agreements": [
            {"key": f"{org}-agreement", "agency": org, **agreement} for org in (SCHOOL, CLINIC, PROGRAMME)
        ],
        "connections": [
            {"key": ROSTER, "agency": SCHOOL, "adapter": "oneroster-csv", "config": {"file": "roster.zip"}},
            *more.pop("connections", []),
        ],
        "clients": [
            {
                "client_id": client.client_id,
                "agency": CLINIC,
                "jwks": client.jwks(),
                "scopes": [scope.value for scope in Scope],
                "purposes": [PURPOSE.value],
            }
        ],
        **more,
    }


def enrol(hub: Hub, children: int) -> list[UUID]:
    """Take in a roster of that many children and give each a plan, a verified guardian and a directive; their ids."""
    with read_package(oneroster_zip(City.build(children=children))) as package:
        take_in(hub, ROSTER, package_documents(package))
    with hub.db.transaction() as connection:
        found = list(connection.execute(text("SELECT child_id FROM child ORDER BY child_id")).scalars())
    for child in found:
        _plan(hub, child)
        _permit(hub, child)
    return found


def references(hub: Hub, org: str, children: Sequence[UUID]) -> list[str]:
    """The agency's own references for these children."""
    secret = hub.keys.deployment_secret(people.SECRET)
    with hub.db.transaction() as connection:
        return list(people.add_references(connection, secret, org, children).values())


def _plan(hub: Hub, child: UUID) -> None:
    begin(hub, SCHOOL, child)
    for org, facts in PLAN.items():
        done = contribute(hub, org, child, facts, {})
        assert not done.issues, done.issues


def _permit(hub: Hub, child: UUID) -> None:
    now = hub.clock()
    link = GuardianLink(
        guardian_link_id=hub.ids(),
        child_id=child,
        kind=GuardianKind.PARENT,
        authority=Authority.VERIFIED,
        valid_from=now - timedelta(days=30),
        verified_by="registrar",
        verified_at=now - timedelta(days=1),
    )
    assert isinstance(set_guardian(hub, link, actor="registrar"), Changed)
    signed = now - timedelta(hours=1)
    permit = Directive(
        directive_id=hub.ids(),
        child_id=child,
        effect=Effect.PERMIT,
        recipient=CLINIC,
        categories=OPEN,
        purposes=frozenset({PURPOSE}),
        valid_from=signed,
        valid_until=now + timedelta(days=200),
        regimes=frozenset(Regime),
        notice=Notice(
            notice_id="ask", version="1", locale="en", sha256=sha256(b"notice").hexdigest(), states=STATEMENTS
        ),
        signer_link=link.guardian_link_id,
        capacity=GuardianKind.PARENT,
        auth_evidence=AuthEvidence(method=AuthMethod.PAPER, at=signed, reference="form 7"),
        recorded_at=signed,
        state=State.GIVEN,
    )
    done = grant(hub, permit, actor="guardian")
    assert isinstance(done, Changed), done


def _said(kind: Kind, value: dict[str, Any], *topics: Category) -> Contribution:
    return Contribution(kind=kind, value=value, topics=topics, role="coordinator")


PLAN: dict[str, tuple[Contribution, ...]] = {
    SCHOOL: (
        _said(Kind.PROFILE_ITEM, {"profile": "strength", "domain": "academic", "statement": "Asks good questions"}),
        _said(Kind.PROFILE_ITEM, {"profile": "need", "domain": "social-emotional", "statement": "New to the school"}),
        _said(
            Kind.GOAL,
            {
                "description": "Reads a chapter book alone by spring",
                "domain": "academic",
                "status": "active",
                "start": "2026-09-14",
                "due": "2027-04-30",
            },
        ),
        _said(
            Kind.SUPPORT,
            {"name": "Reading group", "domain": "academic", "provider": "the library", "minutes": 40, "started": True},
        ),
        _said(Kind.TIER_ASSESSMENT, {"tier": "2a", "domain": "academic", "date": "2026-10-05"}),
        _said(Kind.PROFILE_ITEM, {"profile": "need", "domain": "safety", "statement": "Walks home alone after dark"}),
        _said(
            Kind.FAMILY_VOICE,
            {"speaker": "parent", "statement": "We talk about it at home"},
            Category.COUNSELING,
        ),
    ),
    CLINIC: (
        _said(Kind.PROFILE_ITEM, {"profile": "need", "domain": "health", "statement": "Needs new glasses"}),
        _said(
            Kind.GOAL, {"description": "Glasses by Christmas", "domain": "health", "status": "active"}
        ),
    ),
    PROGRAMME: (
        _said(Kind.PROFILE_ITEM, {"profile": "interest", "domain": "enrichment", "statement": "Drums and football"}),
        _said(Kind.SERVICE_DELIVERY, {"date": "2026-11-02", "program": "Drum circle", "attended": True, "minutes": "55"}),
    ),
}  # fmt: skip
"""What each agency adds: with what a roster says, about fifteen facts a child that the clinic may see and two it may not."""


def show(document: bytes) -> dict[str, Any]:
    """A plan as it was answered."""
    shown: dict[str, Any] = json.loads(document)
    return shown
