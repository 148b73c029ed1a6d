"""One invented family, its agencies and its directives, from which the tests of the decision start."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from consent.agreement import Agreement, AgreementStatus, HubRole
from consent.decision import Decision, DecisionRequest, Snapshot, decide
from consent.directive import AuthEvidence, AuthMethod, Directive, Notice, State
from consent.guardian import (
    Authority,
    ChildFacts,
    GuardianKind,
    GuardianLink,
    Restraint,
    RestraintKind,
)
from consent.law import Law, load_law
from consent.vocabulary import STATEMENTS, Effect, Purpose, Reason
from mappings.record.category import Category
from mappings.record.kind import Part
from mappings.record.regime import Regime

RULES = Path(__file__).resolve().parents[2] / "consent" / "rules"
CHILD = UUID(int=0xC)
MOTHER, FATHER, SELF = UUID(int=0xA1), UUID(int=0xA2), UUID(int=0xA3)
CLINIC, PROGRAMME = "harbor-clinic", "tide-after-school"
ZONE = ZoneInfo("America/New_York")
LONG_AGO = datetime(2024, 9, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def shipped_law() -> Law:
    law = load_law({path.name: path.read_bytes() for path in RULES.glob("*.toml")})
    assert isinstance(law, Law), law
    return law


LAW = shipped_law()


def link(link_id: UUID = MOTHER, **changes: Any) -> GuardianLink:
    facts: dict[str, Any] = {
        "guardian_link_id": link_id,
        "child_id": CHILD,
        "kind": GuardianKind.SELF if link_id == SELF else GuardianKind.PARENT,
        "authority": Authority.VERIFIED,
        "valid_from": LONG_AGO,
        "verified_by": "records office",
        "verified_at": LONG_AGO,
    }
    return GuardianLink(**facts | changes)


def directive(number: int = 1, **changes: Any) -> Directive:
    facts: dict[str, Any] = {
        "directive_id": UUID(int=0xD000 + number),
        "child_id": CHILD,
        "effect": Effect.PERMIT,
        "recipient": CLINIC,
        "categories": frozenset({Category.IDENTITY, Category.SCHOOL, Category.HEALTH}),
        "purposes": frozenset({Purpose.CARE_COORDINATION}),
        "valid_from": NOON - 30 * DAY,
        "valid_until": NOON + 200 * DAY,
        "regimes": frozenset({Regime.EDU, Regime.HLTH, Regime.FAM}),
        "notice": Notice(notice_id="ask", version="1", locale="en", sha256="ab" * 32, states=STATEMENTS),
        "signer_link": MOTHER,
        "capacity": GuardianKind.PARENT,
        "auth_evidence": AuthEvidence(method=AuthMethod.PASSKEY, at=NOON - 30 * DAY, reference="session 7"),
        "recorded_at": NOON - 30 * DAY,
        "state": State.GIVEN,
    }
    return Directive(**facts | changes)


def stop(number: int = 90, **changes: Any) -> Directive:
    return directive(number, **{"effect": Effect.DENY, "signer_link": FATHER} | changes)


def restraint(**changes: Any) -> Restraint:
    facts: dict[str, Any] = {
        "restraint_id": UUID(int=0xE1),
        "child_id": CHILD,
        "kind": RestraintKind.COURT_ORDER,
        "categories": frozenset(Category),
        "valid_from": LONG_AGO,
    }
    return Restraint(**facts | changes)


def agreement(**changes: Any) -> Agreement:
    facts: dict[str, Any] = {
        "agreement_id": "clinic-2024",
        "org": CLINIC,
        "hub_role": HubRole.BUSINESS_ASSOCIATE,
        "purposes": frozenset(Purpose),
        "categories": frozenset(Category),
        "valid_from": LONG_AGO,
        "status": AgreementStatus.IN_FORCE,
    }
    return Agreement(**facts | changes)


def child(**changes: Any) -> ChildFacts:
    facts: dict[str, Any] = {"child_id": CHILD, "birth_date": date(2015, 5, 17), "zone": ZONE}
    return ChildFacts(**facts | changes)


def snapshot(*directives: Directive, **changes: Any) -> Snapshot:
    facts: dict[str, Any] = {
        "child": child(),
        "recipient": CLINIC,
        "directives": directives,
        "links": (link(MOTHER), link(FATHER), link(SELF)),
        "restraints": (),
        "agreements": (agreement(),),
        "child_epoch": 7,
        "agreement_epoch": 3,
        "law": LAW,
    }
    return Snapshot(**facts | changes)


def request(*categories: Category, **changes: Any) -> DecisionRequest:
    facts: dict[str, Any] = {
        "decision_id": UUID(int=0xF1),
        "child_id": CHILD,
        "recipient": CLINIC,
        "requester": "harbor-clinic/ehr",
        "purpose": Purpose.CARE_COORDINATION,
        "parts": frozenset({Part.PLAN}),
        "categories": frozenset(categories),
    }
    return DecisionRequest(**facts | changes)


def decided(*directives: Directive, at: datetime = NOON, ask: Any = None, **changes: Any) -> Decision:
    """The decision on School for the clinic, unless asked otherwise."""
    return decide(ask or request(Category.SCHOOL), snapshot(*directives, **changes), at)


def why(*directives: Directive, **changes: Any) -> Reason:
    """The reason for what was decided on School."""
    return decided(*directives, **changes).reasons[Category.SCHOOL]
