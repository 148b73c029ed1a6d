"""By which reference each agency knows a child: its own, and worthless to any other (ARCHITECTURE §6).

A reference is derived, so a lost row can be made again and two processes make the same one; the row exists to find the
child by it. Creating children is `gateway.store.identities.add_children`, after their keys.
"""

import base64
import hmac
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from gateway.store.epochs import NOBODY
from gateway.store.pipeline import Answer, Batch
from gateway.store.tables import pairwise_ref
from gateway.store.tables.base import Uuid

SECRET = "pairwise"  # noqa: S105 - the purpose of KeyStore.deployment_secret, not a secret
ADD_REFERENCE = """INSERT INTO pairwise_ref (child_id, org, ref) VALUES (%(child)s, %(org)s, %(ref)s)
ON CONFLICT DO NOTHING"""
_BYTES = 16


def reference(secret: bytes, org: str, child_id: UUID) -> str:
    """This agency's reference for the child: 26 letters and digits, HMAC-SHA256 under `secret`, cut to 128 bits."""
    digest = hmac.digest(secret, org.encode() + b"\x00" + child_id.bytes, "sha256")[:_BYTES]
    return base64.b32encode(digest).decode().rstrip("=").lower()


def add_references(
    connection: Connection, secret: bytes, org: str, children: Collection[UUID]
) -> dict[UUID, str]:
    """Make sure the agency can name these children; its reference for each."""
    refs = {child: reference(secret, org, child) for child in children}
    connection.execute(
        text(
            "INSERT INTO pairwise_ref (child_id, org, ref) "
            "SELECT r.child, :org, r.ref FROM unnest(:children, cast(:refs AS text[])) AS r (child, ref) "
            "ON CONFLICT DO NOTHING"
        ).bindparams(bindparam("children", type_=ARRAY(Uuid))),
        {"org": org, "children": list(refs), "refs": list(refs.values())},
    )
    return refs


_CHILD = "SELECT child_id FROM pairwise_ref WHERE org = %(org)s AND ref = %(ref)s"


def ask_child(statements: Batch, org: str, ref: str) -> Answer:
    """Send the question which child this agency means; no row for a reference that is not its own."""
    return statements.send(_CHILD, {"org": org, "ref": ref})


def child_of(connection: Connection, org: str, ref: str) -> UUID:
    """The child this agency means; `NOBODY` for a reference that is not its own, to be asked about all the same."""
    found = connection.execute(
        select(pairwise_ref.c.child_id).where(pairwise_ref.c.org == org, pairwise_ref.c.ref == ref)
    ).scalar()
    return found if isinstance(found, UUID) else NOBODY
