"""A recall on its way to its agency, said in the format of the agency's own connection."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from adapters.community.sheet import write_csv
from adapters.port import Delivered, Failure, Receipt, Sealed
from gateway.exchange import recall
from gateway.exchange.community_file import AdapterKind
from gateway.exchange.context import Hub, identifier_base
from gateway.exchange.destinations import destination
from gateway.exchange.feed import read_row
from gateway.exchange.recall import Recall
from gateway.store.lanes import Claim
from gateway.store.outbox import Waiting
from mappings.webhook import event

SHEET = ("recall", "child_ref", "permission", "ended_at", "deliveries", "done")
"""The columns of a recall for somebody with a spreadsheet; `done` is theirs to fill in."""


def tell(hub: Hub, claim: Claim, waiting: Waiting) -> tuple[Delivered | Failure, int | None]:
    """Send a recall once; how it ended and, where the agency was told, the number of the entry that says so.

    An agency that collects over the API finds it at `/v1/recalls`; nothing is sent and nothing entered until it answers.
    Raises as opening its connection does.
    """
    with hub.db.transaction() as conn:
        found = recall.find(conn, claim.recipient, waiting.delivery_id)
        row = read_row(conn, waiting.connection) if waiting.connection else None
        ended = _ended_entry(conn, waiting.subject_id, claim.child_id)
    if found is None or row is None or row.adapter not in _SAID:
        return Delivered(Receipt()), None
    told = recall.notice(hub, found)
    body = _SAID[row.adapter](hub, found, told)
    digest = sha256(body)
    sealed = Sealed(
        body, ended, found.recall_id, digest.digest(), found.ended_at, f"permission {found.directive_id}"
    )
    outcome = destination(hub, row).deliver(sealed, opened=_always)
    if not isinstance(outcome, Delivered):
        return outcome, None
    entry = recall.enter_told(hub, found, requester=row.connection, payload_sha256=digest.hexdigest())
    if row.adapter is AdapterKind.WEBHOOK:  # the 2xx is the agency's own system saying that it has it
        recall.enter_received(hub, found, requester=row.connection)
    return outcome, entry


def _always() -> None:
    """A recall takes something back, so nothing that may change in between can make it wrong to send."""


def _ended_entry(conn: Connection, directive: UUID, child: UUID) -> int:
    """The number of the entry by which the permission ended: what a recall rests on."""
    return int(
        conn.execute(
            text(
                "SELECT coalesce(max(seq), 0) FROM ledger_entry WHERE child_id = :child AND subject = :directive "
                "AND kind = 'directive_ended'"
            ),
            {"child": child, "directive": directive},
        ).scalar_one()
    )


def _webhook(hub: Hub, found: Recall, told: Mapping[str, Any]) -> bytes:
    envelope = event.Envelope(
        told["recall"], hub.settings.base_url, event.EventType.PERMISSION_ENDED, found.ended_at
    )
    return event.recall(envelope, told).content


def _worklist(hub: Hub, found: Recall, told: Mapping[str, Any]) -> bytes:
    del hub, found
    row = {**told, "child_ref": told["child"], "deliveries": " ".join(told["deliveries"]), "done": ""}
    return write_csv(SHEET, [{name: row[name] for name in SHEET}])


def _fhir(hub: Hub, found: Recall, told: Mapping[str, Any]) -> bytes:
    """A Communication (R4) with ids only, created under the condition that none with the recall's id is there."""
    base = identifier_base(hub.settings.base_url)
    resource = {
        "resourceType": "Communication",
        "identifier": [{"system": f"{base}/delivery", "value": told["recall"]}],
        "status": "completed",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/communication-category",
                        "code": "notification",
                    }
                ],
                "text": "recall",
            }
        ],
        "subject": {"type": "Patient", "identifier": {"system": f"{base}/child", "value": told["child"]}},
        "sent": found.ended_at.isoformat(timespec="seconds"),
        "payload": [
            {
                "contentString": f"Permission {told['permission']} was ended. Answer at "
                f"{hub.settings.base_url}{told['acknowledge']}"
            }
        ],
    }
    return json.dumps(resource, sort_keys=True, separators=(",", ":")).encode()


_SAID: Mapping[AdapterKind, Callable[[Hub, Recall, Mapping[str, Any]], bytes]] = {
    AdapterKind.WEBHOOK: _webhook,
    AdapterKind.WORKLIST_FOLDER: _worklist,
    AdapterKind.FHIR: _fhir,
}
