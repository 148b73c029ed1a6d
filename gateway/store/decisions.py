"""Releases and the decisions they rest on, as rows. The trigger on `decision` refuses what the cited rows do not cover."""

from datetime import datetime
from uuid import UUID

from consent.decision import Decision
from gateway.store.pipeline import Batch

_RELEASE = """INSERT INTO release (release_id, recipient, requester, purpose, at)
VALUES (%(release_id)s, %(recipient)s, %(requester)s, %(purpose)s, %(at)s)"""

_DECISION = """INSERT INTO decision (decision_id, release_id, child_id, recipient, purpose, basis, parts, categories,
directive_ids, evidence_ids, child_epoch, agreement_epoch, rules_version, outcome, at, expires)
VALUES (%(decision_id)s, %(release_id)s, %(child_id)s, %(recipient)s, %(purpose)s, %(basis)s, %(parts)s, %(categories)s,
%(directive_ids)s, %(evidence_ids)s, %(child_epoch)s, %(agreement_epoch)s, %(rules_version)s, %(outcome)s, %(at)s,
%(expires)s)"""


def add_release(
    statements: Batch, release_id: UUID, *, recipient: str, requester: str, purpose: str, at: datetime
) -> None:
    """Name a release: what `planhub.release` will point to and its decisions belong to."""
    statements.send(
        _RELEASE,
        {
            "release_id": release_id,
            "recipient": recipient,
            "requester": requester,
            "purpose": purpose,
            "at": at,
        },
    )


def add_decision(statements: Batch, release_id: UUID, decision: Decision) -> None:
    """Put one child's decision under a release. PostgreSQL refuses it unless what it cites covers it at this instant."""
    statements.send(
        _DECISION,
        {
            "decision_id": decision.decision_id,
            "release_id": release_id,
            "child_id": decision.child_id,
            "recipient": decision.recipient,
            "purpose": decision.purpose,
            "basis": decision.basis.value,
            "parts": [part.value for part in sorted(decision.parts)],
            "categories": [category.value for category in sorted(decision.categories)],
            "directive_ids": list(decision.directive_ids),
            "evidence_ids": list(decision.evidence_ids),
            "child_epoch": decision.child_epoch,
            "agreement_epoch": decision.agreement_epoch,
            "rules_version": decision.rules_version,
            "outcome": decision.outcome.value,
            "at": decision.at,
            "expires": decision.expires,
        },
    )
