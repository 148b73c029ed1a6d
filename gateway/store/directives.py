"""What families decided and who may sign, as rows: written, ended, never rewritten.

Whoever calls these holds the child's epoch lock and has raised the counter (`gateway.store.epochs.raise_epochs`). What
PostgreSQL checks and filters by lies in clear; the rest is sealed with the child's key.
"""

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from consent.directive import Directive, State
from consent.guardian import ChildFacts, GuardianLink, Restraint
from gateway.store.childkey import ChildKey
from gateway.store.staging import stage_rows
from gateway.store.tables import child_fact, directive, guardian_link, restraint
from gateway.store.tables.base import Uuid

_DIRECTIVE_SEALED = {"data_period", "ends_on_event", "notice", "capacity", "auth_evidence", "reason"}
_LINK_SEALED = {"evidence_id", "restricted", "custodial", "asked_at"}
_LINK_CHANGES = ("authority", "valid_from", "valid_until", "verified_by", "verified_at", "body")


def add_directive(connection: Connection, key: ChildKey, given: Directive) -> None:
    """Record a directive as it was signed."""
    body = given.model_dump_json(include=_DIRECTIVE_SEALED, exclude_none=True).encode()
    connection.execute(
        insert(directive).values(
            directive_id=given.directive_id,
            child_id=given.child_id,
            effect=given.effect.value,
            disclosers=None if given.disclosers is None else sorted(given.disclosers),
            recipient=given.recipient,
            categories=sorted(given.categories),
            purposes=sorted(given.purposes),
            regimes=sorted(given.regimes),
            valid_from=given.valid_from,
            valid_until=given.valid_until,
            state=given.state.value,
            signer_link=given.signer_link,
            supersedes=given.supersedes,
            recorded_at=given.recorded_at,
            ended_at=given.revoked_at,
            body=key.seal(body, row=given.directive_id, kind="directive"),
        )
    )


def end_directive(
    connection: Connection, child_id: UUID, directive_id: UUID, state: State, at: datetime
) -> bool:
    """End a directive of this child for good; False where there is none still standing."""
    changed = connection.execute(
        update(directive)
        .where(
            directive.c.directive_id == directive_id,
            directive.c.child_id == child_id,
            directive.c.ended_at.is_(None),
        )
        .values(state=state.value, ended_at=at)
    )
    return changed.rowcount == 1


def set_state(connection: Connection, child_id: UUID, directive_id: UUID, state: State) -> bool:
    """Change where a directive stands that has not ended: disputed, or no longer so."""
    changed = connection.execute(
        update(directive)
        .where(
            directive.c.directive_id == directive_id,
            directive.c.child_id == child_id,
            directive.c.ended_at.is_(None),
        )
        .values(state=state.value)
    )
    return changed.rowcount == 1


def add_links(connection: Connection, links: Iterable[tuple[ChildKey, GuardianLink]]) -> int:
    """Record that people stand in these relations to children; how many. At most once per transaction.

    A candidate, as a feed names it, signs nothing: for candidates alone no counter needs to be raised.
    """
    columns = ("guardian_link_id", "child_id", "kind", *_LINK_CHANGES)
    rows = [
        (link.guardian_link_id, link.child_id, link.kind.value, *_link(key, link).values())
        for key, link in links
    ]
    return stage_rows(connection, guardian_link, columns, rows)


def known_links(connection: Connection, ids: Iterable[UUID]) -> set[UUID]:
    """Which of these links there are."""
    wanted = bindparam(None, list(ids), type_=ARRAY(Uuid))
    rows = connection.execute(
        select(guardian_link.c.guardian_link_id).where(guardian_link.c.guardian_link_id == func.any(wanted))
    )
    return {row[0] for row in rows}


def change_link(connection: Connection, key: ChildKey, link: GuardianLink) -> bool:
    """Write what the verification step found, or the link's end; False where there is no such link of this child."""
    changed = connection.execute(
        update(guardian_link)
        .where(
            guardian_link.c.guardian_link_id == link.guardian_link_id,
            guardian_link.c.child_id == link.child_id,
        )
        .values(**_link(key, link))
    )
    return changed.rowcount == 1


def _link(key: ChildKey, link: GuardianLink) -> dict[str, Any]:
    """What verification and the link's end change, in the order of `_LINK_CHANGES`."""
    body = link.model_dump_json(include=_LINK_SEALED, exclude_none=True).encode()
    sealed = key.seal(body, row=link.guardian_link_id, kind="guardian-link")
    values = (
        link.authority.value, link.valid_from, link.valid_until, link.verified_by, link.verified_at, sealed,
    )  # fmt: skip
    return dict(zip(_LINK_CHANGES, values, strict=True))


def add_restraint(connection: Connection, key: ChildKey, set_by: Restraint, grounds: str) -> None:
    """Record a court order or safety hold. `grounds` says what it rests on; no role of the hub reads it back."""
    connection.execute(
        insert(restraint).values(
            restraint_id=set_by.restraint_id,
            child_id=set_by.child_id,
            kind=set_by.kind.value,
            guardian_link_id=set_by.guardian_link_id,
            recipient=set_by.recipient,
            categories=sorted(set_by.categories),
            valid_from=set_by.valid_from,
            valid_until=set_by.valid_until,
            body=key.seal(grounds.encode(), row=set_by.restraint_id, kind="restraint"),
        )
    )


def end_restraint(connection: Connection, child_id: UUID, restraint_id: UUID, at: datetime) -> bool:
    """End a restraint now; False where this child has none such that still holds."""
    changed = connection.execute(
        update(restraint)
        .where(
            restraint.c.restraint_id == restraint_id,
            restraint.c.child_id == child_id,
            restraint.c.valid_until.is_(None) | (restraint.c.valid_until > at),
        )
        .values(valid_until=at)
    )
    return changed.rowcount == 1


def add_child_facts(
    connection: Connection, facts: Iterable[tuple[ChildKey, ChildFacts]], at: datetime
) -> int:
    """Write the facts of children who have none yet, many at once; how many. At most once per transaction.

    No counter is raised: before its facts a child's age is unknown, and nothing is released.
    """
    rows = [(held.child_id, _facts(key, held), at) for key, held in facts]
    return stage_rows(connection, child_fact, ("child_id", "body", "at"), rows)


def change_child_facts(connection: Connection, key: ChildKey, facts: ChildFacts, at: datetime) -> None:
    """Replace what authority is computed from; writes it where there was nothing."""
    values = {"body": _facts(key, facts), "at": at}
    changed = connection.execute(
        update(child_fact).where(child_fact.c.child_id == facts.child_id).values(**values)
    )
    if changed.rowcount == 0:
        connection.execute(insert(child_fact).values(child_id=facts.child_id, **values))


def _facts(key: ChildKey, facts: ChildFacts) -> bytes:
    body = {
        "birth_date": None if facts.birth_date is None else facts.birth_date.isoformat(),
        "zone": str(facts.zone),
        "jurisdiction": facts.jurisdiction,
        "entered": [[grade, day.isoformat()] for grade, day in facts.entered],
    }
    return key.seal(json.dumps(body).encode(), row=facts.child_id, kind="child-fact")


def open_child_facts(key: ChildKey, child_id: UUID, sealed: bytes) -> ChildFacts:
    """The child's facts; raises SealBroken for another child's."""
    body = json.loads(key.open(sealed, row=child_id, kind="child-fact"))
    born = body["birth_date"]
    try:
        zone = ZoneInfo(body["zone"])
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(
            f"zone {body['zone']} is not known on this machine; install its time zone data"
        ) from None
    entered = tuple((grade, date.fromisoformat(day)) for grade, day in body.get("entered", ()))
    known = None if born is None else date.fromisoformat(born)
    return ChildFacts(child_id, known, zone, body["jurisdiction"], entered)


def open_directive(key: ChildKey, clear: dict[str, Any], sealed: bytes) -> Directive:
    """The directive from its columns, as JSON, and its sealed part."""
    body = json.loads(key.open(sealed, row=UUID(clear["directive_id"]), kind="directive"))
    return Directive.model_validate({**body, **clear})


def open_link(key: ChildKey, clear: dict[str, Any], sealed: bytes) -> GuardianLink:
    """The guardian link from its columns, as JSON, and its sealed part."""
    body = json.loads(key.open(sealed, row=UUID(clear["guardian_link_id"]), kind="guardian-link"))
    return GuardianLink.model_validate({**body, **clear})
