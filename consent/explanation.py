"""Two explanations of one decision: the full trace for those inside, and one opaque id for everyone else."""

from typing import Any

from consent.decision import CategoryDecision, Decision


def outward(decision: Decision) -> str:
    """All that the outside may learn of why: an id that a privacy officer can look up.

    Nothing else goes out with it, so a child nobody knows and a child nobody may see answer alike.
    """
    return str(decision.decision_id)


def full_trace(decision: Decision) -> dict[str, Any]:
    """The whole decision as JSON, with every directive considered; for the ledger, the privacy officer and the family."""
    return {
        "decision_id": str(decision.decision_id),
        "child_id": str(decision.child_id),
        "recipient": decision.recipient,
        "requester": decision.requester,
        "purpose": decision.purpose,
        "parts": sorted(decision.parts),
        "basis": decision.basis.value,
        "at": decision.at.isoformat(),
        "expires": decision.expires.isoformat(),
        "outcome": decision.outcome.value,
        "evidence_ids": [str(found) for found in decision.evidence_ids],
        "child_epoch": decision.child_epoch,
        "agreement_epoch": decision.agreement_epoch,
        "rules_version": decision.rules_version.hex(),
        "categories": {category.value: _topic(found) for category, found in decision.by_category.items()},
    }


def _topic(found: CategoryDecision) -> dict[str, Any]:
    return {
        "outcome": found.outcome.value,
        "reason": found.reason.value,
        "element": found.element.value if found.element else None,
        "standing": found.standing.value if found.standing else None,
        "directive_ids": [str(cited) for cited in found.directive_ids],
        "duties": {
            regime.value: [f"{duty.obligation.value} {duty.detail}".strip() for duty in duties]
            for regime, duties in found.duties.items()
        },
        "considered": [
            {
                "directive_id": str(one.directive_id),
                "reason": one.reason.value,
                "element": one.element.value if one.element else None,
                "standing": one.standing.value if one.standing else None,
            }
            for one in found.considered
        ],
    }
