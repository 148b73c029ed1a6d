"""`/log`: the ledger as anyone may read it, laid out as C2SP tlog-tiles says. Entries are never served, to nobody.

A checkpoint says how many entries there are and what their tree's root is; tiles hold hashes of salted commitments. Neither
tells anything about a child.
"""

from fastapi import APIRouter, Response

from consent.note import Note
from consent.tiles import HASH_BYTES, parse_path
from gateway.api.access import HubDep
from gateway.exchange import published
from gateway.problems import Problem, ProblemKind
from gateway.store import ledger
from gateway.store.pipeline import driver_of

PREFIX = "/log"
FOREVER = "public, max-age=31536000, immutable"
FRESH = "no-cache"
_TEXT = "text/plain; charset=utf-8"

routes = APIRouter(prefix=PREFIX, tags=["log"], include_in_schema=False)


@routes.get("/checkpoint")
def checkpoint(hub: HubDep) -> Response:
    """The newest signed checkpoint, with the cosignatures it has so far."""
    return _note(published.newest(hub))


@routes.get("/witnessed")
def witnessed(hub: HubDep) -> Response:
    """The newest checkpoint that bears the cosignatures of the log's quorum."""
    return _note(published.witnessed(hub))


@routes.get("/tile/{path:path}")
def tile(hub: HubDep, path: str) -> Response:
    """A tile of hashes, or so much of it as the path says; what is served never changes."""
    wanted = parse_path(f"tile/{path}")
    if wanted is None:
        raise Problem(
            ProblemKind.NOT_FOUND, "Tiles are /log/tile/<level>/<index>[.p/<width>]; entries are not served."
        )
    with hub.db.transaction() as conn:
        stored = ledger.read_tiles(driver_of(conn), [wanted]).get(wanted, b"")
    length = wanted.width * HASH_BYTES
    if len(stored) < length:
        raise Problem(ProblemKind.NOT_FOUND, "The log has no such tile yet; start from /log/checkpoint.")
    return Response(
        stored[:length], media_type="application/octet-stream", headers={"Cache-Control": FOREVER}
    )


def _note(note: Note | None) -> Response:
    if note is None:
        raise Problem(ProblemKind.NOT_FOUND, "The log has no such checkpoint yet.")
    return Response(str(note), media_type=_TEXT, headers={"Cache-Control": FRESH})
