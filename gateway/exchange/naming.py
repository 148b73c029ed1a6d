"""How staff name a child, a guardian or a permission on the command line: by id, by an agency's reference, by an identifier.

Never by name: a search by name would show who is here (ARCHITECTURE §4). What is named by several, or by nothing, is a value
that says so.
"""

import re
from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, select

from gateway.exchange import reading
from gateway.exchange.context import Hub
from gateway.exchange.keep import GUARDIANS, candidate_id
from gateway.exchange.wording import receipt_number
from gateway.store import people, tables
from gateway.store.epochs import NOBODY
from gateway.store.identities import ChildState

SHORTEST = 6
"""Letters of an id that may stand for the whole of it."""

_HEX = re.compile(r"[0-9a-f-]+")
_RECEIPT = re.compile(r"PH-[0-9A-Z]{4}-[0-9A-Z]{2}")


class Unnamed(StrEnum):
    """Why a name leads to nothing."""

    NOT_A_NAME = "not-a-name"  # not written in any of the ways
    NONE = "none"
    SEVERAL = "several"
    IN_REVIEW = "in-review"  # a record nobody has said whose it is


def find_child(hub: Hub, name: str) -> UUID | Unnamed:
    """The child meant by the hub's id, `AGENCY:REFERENCE` or `AGENCY:SYSTEM:VALUE`.

    Of an id a unique beginning or end of six letters will do. An identifier is looked for under the assigners that the
    agency's connections name, the agency itself where they name none.
    """
    agency, colon, rest = name.partition(":")
    if not colon:
        return _by_id(hub, name)
    if not agency or not rest:
        return Unnamed.NOT_A_NAME
    if ":" in rest:
        system, _, value = rest.rpartition(":")
        ref = _by_identifier(hub, agency, system, value)
    else:
        ref = rest
    if ref is None:
        return Unnamed.NONE
    with hub.db.transaction() as conn:
        child = people.child_of(conn, agency, ref.lower())
        return Unnamed.NONE if child == NOBODY else _known(conn, child)


def _by_id(hub: Hub, name: str) -> UUID | Unnamed:
    with hub.db.transaction() as conn:
        ids = select(tables.child_table.c.child_id).where(tables.child_table.c.state != ChildState.LINKED)
        found = _one(conn, name, tables.child_table.c.child_id, ids)
        return _known(conn, found) if isinstance(found, UUID) else found


def _known(conn: Connection, child: UUID) -> UUID | Unnamed:
    """The child, or the one it turned out to be; nobody while that is open."""
    c = tables.child_table
    row = conn.execute(select(c.c.state, c.c.linked_to).where(c.c.child_id == child)).first()
    if row is None:
        return Unnamed.NONE
    if row.state == ChildState.PROVISIONAL:
        return Unnamed.IN_REVIEW
    return child if row.linked_to is None else UUID(str(row.linked_to))


def _by_identifier(hub: Hub, agency: str, system: str, value: str) -> str | None:
    """The agency's reference for the one child it sent under this identifier."""
    c = tables.connection
    with hub.db.transaction() as conn:
        configs = conn.execute(select(c.c.config).where(c.c.org == agency)).scalars().all()
    assigners = {str(config.get("assigner") or agency) for config in configs} | {agency}
    found = {reading.find_own(hub, agency, system, assigner, value) for assigner in sorted(assigners)} - {
        None
    }
    return found.pop() if len(found) == 1 else None


def find_guardian(hub: Hub, child: UUID, name: str) -> UUID | Unnamed:
    """The guardian link meant: by its id or a unique beginning or end, or `AGENCY:KEY`, the agency's own key of the person."""
    g = tables.guardian_link
    links = select(g.c.guardian_link_id).where(g.c.child_id == child)
    with hub.db.transaction() as conn:
        agency, colon, key = name.partition(":")
        if not colon:
            return _one(conn, name, g.c.guardian_link_id, links)
        link = candidate_id(hub.keys.deployment_secret(GUARDIANS), child, agency, key)
        found = conn.execute(links.where(g.c.guardian_link_id == link)).scalar()
        return Unnamed.NONE if found is None else link


def find_directive(hub: Hub, child: UUID, name: str) -> UUID | Unnamed:
    """The directive of this child meant: by its receipt number, its id, or a unique beginning or end of that."""
    d = tables.directive
    own = select(d.c.directive_id).where(d.c.child_id == child)
    with hub.db.transaction() as conn:
        if _RECEIPT.fullmatch(name.upper()):
            return _single(
                [one for one in conn.execute(own).scalars() if receipt_number(one) == name.upper()]
            )
        return _one(conn, name, d.c.directive_id, own)


def find_review(hub: Hub, name: str) -> UUID | Unnamed:
    """The review meant, by its id or a unique beginning or end."""
    r = tables.review_item
    with hub.db.transaction() as conn:
        return _one(conn, name, r.c.review_id, select(r.c.review_id))


def find_identity(hub: Hub, name: str) -> UUID | Unnamed:
    """The source identity meant, by its id or a unique beginning or end."""
    s = tables.source_identity
    with hub.db.transaction() as conn:
        return _one(conn, name, s.c.source_identity_id, select(s.c.source_identity_id))


def agencies(conn: Connection) -> dict[str, str]:
    """Every agency's key and name, those that left included: the log still names them."""
    return {row.org: row.name for row in conn.execute(select(tables.org.c.org, tables.org.c.name))}


def _one(conn: Connection, name: str, column: ColumnElement[UUID], ids: Select[UUID]) -> UUID | Unnamed:
    """The one id that begins or ends so."""
    wanted = name.lower()
    if len(wanted) < SHORTEST or not _HEX.fullmatch(wanted):
        return Unnamed.NOT_A_NAME
    text = cast(column, Text)
    statement = ids.where(text.startswith(wanted) | text.endswith(wanted)).limit(2)
    return _single(conn.execute(statement).scalars().all())


def _single(found: Collection[UUID]) -> UUID | Unnamed:
    if len(found) != 1:
        return Unnamed.SEVERAL if found else Unnamed.NONE
    return next(iter(found))
