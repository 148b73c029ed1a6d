"""What partners tell of referrals: filled-in worklists picked up from a folder, rows of any sheet, Tasks of a FHIR server.

A report names a referral by the reference this hub gave that agency. It moves the referral only along its table; one that
does not is refused with the row of the table it breaks, and counted as rejected.
"""

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from adapters.community.folder import PickedUp, PickUp
from adapters.port import SourceDocument
from gateway.exchange import refer
from gateway.exchange.connect import option, sheet_documents
from gateway.exchange.context import Hub, identifier_base
from gateway.exchange.deliver import locations_of
from gateway.exchange.feed import Row
from gateway.exchange.lookup import secrets_of
from gateway.exchange.refer import NotMoved
from gateway.exchange.tally import Tally
from gateway.store import people, referrals
from gateway.store.deliverystate import DeliveryState
from gateway.store.outbox import Topic
from gateway.store.referrals import ReferralRow
from gateway.store.tables import delivery
from mappings.fhir.referral import task_event
from mappings.record.assertion import Draft
from mappings.record.issue import Issue, IssueCode, Severity
from mappings.record.referral import ReferralEvent, ReferralState

UNREAD = Issue(severity=Severity.ERROR, code=IssueCode.BAD_ROW, path="", text="The file could not be read.")
"""Why a file is put aside where nothing more particular is known: too large, a link, or damaged."""

TASKS = "Task"
"""The resource under which stands up to where a server's Tasks have been read."""


@dataclass(frozen=True, slots=True)
class Told:
    """One report about a referral, as a document brought it."""

    resource: str
    record_id: str
    record_key: bytes
    ref: str
    draft: Draft


def take_reports(hub: Hub, org: str, told: Sequence[Told], tally: Tally) -> None:
    """Take in what an agency says happened to referrals; each is a transaction of its own."""
    for one in told:
        with hub.db.transaction() as conn:
            referral = by_reference(hub, conn, org, one.ref)
        if referral is None:
            text = "is not the reference of a referral made to you or by you; the report was refused."
            _refuse(
                tally,
                one,
                Issue(severity=Severity.ERROR, code=IssueCode.NOT_OURS, path="referral", text=text),
            )
            continue
        event = ReferralEvent.model_validate(one.draft.value)
        key = _event_key(hub, one.record_key, one.draft.value)
        moved = refer.report(hub, org, referral.referral_id, event, source_key=key)
        if isinstance(moved, NotMoved) and moved.issue is not None:
            _refuse(tally, one, moved.issue)


def _refuse(tally: Tally, one: Told, issue: Issue) -> None:
    """A document that was counted as taken in is counted as rejected instead."""
    count = tally.of(one.resource)
    if count.accepted:
        count.accepted -= 1
    else:
        count.read += 1
    tally.reject(one.resource, one.record_id, issue)


def _event_key(hub: Hub, record: bytes, value: Mapping[str, Any]) -> bytes:
    said = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    return hmac.digest(secrets_of(hub).records, record + said, "sha256")


def by_reference(hub: Hub, conn: Connection, org: str, ref: str) -> ReferralRow | None:
    """The referral an agency means by the reference it was given, or by its id in the API."""
    secret = hub.keys.deployment_secret(people.SECRET)
    for row in referrals.of_party(conn, org):
        if ref in {people.reference(secret, org, row.assertion_id), str(row.referral_id)}:
            return row
    return None


def pick_up(hub: Hub, row: Row, take_in: Callable[..., Tally]) -> Tally:
    """Take in the filled-in sheets a provider has put into its folder; what cannot be read is put aside with a note."""
    total = Tally(complete=True)
    with PickUp(Path(str(option(row, "pick_up"))), now=lambda: hub.clock().timestamp()) as folder:
        for file in folder.files():
            if file.body is None:
                folder.quarantined(file, [UNREAD])
                continue
            told = sheet_documents(Path(file.name).stem, Path(file.name), file.body, kind="worklist")
            tally = take_in(hub, row.connection, told, asked_for=True)
            _finish(folder, file, tally)
            total.add(tally)
    return total


def _finish(folder: PickUp, file: PickedUp, tally: Tally) -> None:
    if tally.complete:
        folder.processed(file)
    else:
        folder.quarantined(file, [one.issue for one in tally.rejections] or [UNREAD])


def sent_to(hub: Hub, row: Row) -> dict[str, ReferralRow]:
    """The open referrals sent by a connection, by the reference its server gave their ServiceRequest."""
    with hub.db.transaction() as conn:
        open_ones = {
            one.referral_id: one
            for one in referrals.of_org(conn, row.org, sorted(set(ReferralState) - _DONE))
        }
        rows = conn.execute(
            select(delivery.c.delivery_id, delivery.c.child_id, delivery.c.subject_id, delivery.c.receipt)
            .where(
                delivery.c.connection == row.connection,
                delivery.c.topic == Topic.REFERRAL,
                delivery.c.state == DeliveryState.DELIVERED,
                delivery.c.receipt.is_not(None),
            )
            .order_by(delivery.c.position)
        ).all()
    found: dict[str, ReferralRow] = {}
    for one in rows:
        if one.subject_id not in open_ones or not hub.keys.get_many((one.child_id,)):
            continue
        for location in locations_of(hub, one.child_id, one.delivery_id, bytes(one.receipt)):
            reference = location.partition("/_history/")[0]
            if reference.startswith("ServiceRequest/"):
                found[reference] = open_ones[one.subject_id]
    return found


_DONE = frozenset(
    {
        ReferralState.COMPLETED,
        ReferralState.DECLINED,
        ReferralState.CANCELLED,
        ReferralState.FAILED,
        ReferralState.ENTERED_IN_ERROR,
    }
)


def take_task(
    hub: Hub,
    row: Row,
    task: SourceDocument,
    focus: Mapping[str, ReferralRow],
    procedures: Mapping[str, Any],
    tally: Tally,
) -> None:
    """What a Task says became of the referral it is about."""
    referral = focus.get(_reference(task.body.get("focus")))
    if referral is None:
        return
    tally.of(TASKS).read += 1
    named = [
        _reference(one.get("valueReference"))
        for one in task.body.get("output") or ()
        if isinstance(one, dict)
    ]
    done = [procedures[reference] for reference in named if reference in procedures]
    with hub.db.transaction() as conn:
        now = referrals.find_referral(conn, referral.referral_id)
    told = task_event(
        dict(task.body),
        now.state if now else referral.state,
        system=identifier_base(hub.settings.base_url),
        topic=referral.category,
        procedures=done,
    )
    wrong = next((issue for issue in told.issues if issue.severity is Severity.ERROR), None)
    if wrong is not None:
        tally.reject(TASKS, task.record_id, wrong)
        return
    tally.accept(TASKS, unchanged=told.draft is None)
    if told.draft is None:
        return
    event = ReferralEvent.model_validate(told.draft.value)
    key = _event_key(hub, f"{row.connection}\x1f{task.record_id}".encode(), told.draft.value)
    refer.report(hub, row.org, referral.referral_id, event, source_key=key)


def _reference(value: Any) -> str:
    """Type and id of a FHIR reference; an empty text where it is none."""
    text = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(text, str):
        return ""
    return "/".join(text.partition("/_history/")[0].rstrip("/").split("/")[-2:])
