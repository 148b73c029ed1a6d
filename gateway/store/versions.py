"""A recipient's own versions of what it sees: the number grows only when its view changed (ARCHITECTURE §4)."""

from datetime import datetime
from uuid import UUID

from gateway.store.pipeline import Answer, Batch

_ADD = """INSERT INTO view_version (recipient, child_id, resource, n, digest, at)
SELECT %(recipient)s, %(child)s, %(resource)s, coalesce(last.n, 0) + 1, %(digest)s, %(at)s
FROM (SELECT) AS once LEFT JOIN LATERAL (
    SELECT n, digest FROM view_version
    WHERE recipient = %(recipient)s AND child_id = %(child)s AND resource = %(resource)s ORDER BY n DESC LIMIT 1
) AS last ON true
WHERE last.digest IS DISTINCT FROM %(digest)s
ON CONFLICT DO NOTHING"""
_SEE = """SELECT n, at FROM view_version
WHERE recipient = %(recipient)s AND child_id = %(child)s AND resource = %(resource)s AND digest = %(digest)s
ORDER BY n DESC LIMIT 1"""


def see_version(
    statements: Batch, *, recipient: str, child_id: UUID, resource: str, digest: bytes, at: datetime
) -> Answer:
    """Send the question which version of `resource` this view is, (n, since when); a new one where it changed.

    `digest` is an HMAC of the view under the child's key. Where two releases see a change at once, one of them counts it
    and the other, having waited, finds it: the two statements have snapshots of their own.
    """
    values = {"recipient": recipient, "child": child_id, "resource": resource, "digest": digest, "at": at}
    statements.send(_ADD, values)
    return statements.send(_SEE, values)
