"""Which children an agency may be matched with at all: those somebody has asked it about, or whose roster it keeps."""

from uuid import UUID

from sqlalchemy import Connection, any_, literal, select

from gateway.exchange.feed import Feed, Row
from gateway.exchange.match import Scope
from gateway.store import referrals
from gateway.store.tables import directive


def scope_of(connection: Connection, feed: Feed, *, asked_for: bool) -> Scope:
    """The scope of an intake from this connection."""
    row = feed.row
    return Scope(row.org, row.connection, row.roster, children(connection, row), asked_for)


def children(connection: Connection, row: Row) -> set[UUID] | None:
    """The children this agency may be matched with; None for every child, where it keeps the roster.

    Any other agency is matched only with children for whom a referral from or to it exists, or whose family was asked about
    it (a directive names it, in whatever state). Its other records concern nobody here, and are not kept.
    """
    if row.authority:
        return None
    asked = select(directive.c.child_id).where(
        (directive.c.recipient == row.org) | (literal(row.org) == any_(directive.c.disclosers))
    )
    found = {one[0] for one in connection.execute(asked.distinct())}
    return found | referrals.children_referred(connection, row.org)
