"""Systems that call the hub with their own keys, and the assertions they have already used."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from gateway.store import tables
from gateway.store.pipeline import Answer, Batch


class Scope(StrEnum):
    """What a client may be registered for. Alphabetical; a retired one is never reused."""

    ASKS_WRITE = "asks.write"
    CHANGES_READ = "changes.read"
    CHILDREN_LOOKUP = "children.lookup"
    EMERGENCIES_OPEN = "emergencies.open"
    PLANS_CONTRIBUTE = "plans.contribute"
    PLANS_LEAD = "plans.lead"
    PLANS_READ = "plans.read"
    REFERRALS_READ = "referrals.read"
    REFERRALS_WRITE = "referrals.write"


@dataclass(frozen=True, slots=True)
class ApiClient:
    """One registered client of an agency."""

    client_id: str
    org: str
    jwks: dict[str, Any]
    scopes: frozenset[str]
    purposes: frozenset[str]


def find(conn: Connection, client_id: str) -> ApiClient | None:
    """The active client of that name, of an active agency, or None."""
    c, o = tables.api_client, tables.org
    row = conn.execute(
        select(c.c.client_id, c.c.org, c.c.jwks, c.c.scopes, c.c.purposes)
        .join(o, o.c.org == c.c.org)
        .where(c.c.client_id == client_id, c.c.status == "active", o.c.status == "active")
    ).one_or_none()
    if row is None:
        return None
    return ApiClient(row.client_id, row.org, row.jwks, frozenset(row.scopes), frozenset(row.purposes))


_ACTIVE = """SELECT FROM api_client c JOIN org o ON o.org = c.org
WHERE c.client_id = %(client)s AND c.org = %(org)s AND c.status = 'active' AND o.status = 'active'"""


def ask_active(statements: Batch, client_id: str, org: str) -> Answer:
    """Send the question whether this client of this agency is active; a row if it is."""
    return statements.send(_ACTIVE, {"client": client_id, "org": org})


def use_assertion(
    conn: Connection, client_id: str, jti_digest: bytes, expires: datetime, now: datetime
) -> bool:
    """Record the use of an assertion's jti; False when it was used before (RFC 7523 §3, SMART Backend Services)."""
    use = tables.token_use
    conn.execute(use.delete().where(use.c.client_id == client_id, use.c.expires < now))
    done = conn.execute(
        insert(use)
        .values(client_id=client_id, jti_digest=jti_digest, expires=expires)
        .on_conflict_do_nothing()
        .returning(use.c.client_id)
    )
    return done.one_or_none() is not None
