"""`Idempotency-Key`: a request sent twice is done once, and answered twice alike (IETF draft-ietf-httpapi-idempotency-key)."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from gateway.exchange.context import Hub
from gateway.exchange.tokens import Caller
from gateway.problems import Problem, ProblemKind
from gateway.store import repeats

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=128,
        description="Yours, unique per request; send the same one when you repeat it.",
    ),
]
Answer = tuple[int, dict[str, Any]]


def once(
    hub: Hub, caller: Caller, key: str, route: str, body: BaseModel | None, act: Callable[[bytes], Answer]
) -> JSONResponse:
    """Do `act` unless this key was used before; its answer holds ids and states only, and is kept for two days.

    `act` gets a digest that is the same at each try, from which it derives what must not be doubled. A refusal is not kept: a
    corrected request may use the key again.
    """
    sent = json.dumps([route, body.model_dump(mode="json") if body else None], sort_keys=True).encode()
    request = hashlib.sha256(sent).digest()
    digest = hashlib.sha256(f"{caller.org}\x1f{key}".encode()).digest()
    with hub.db.transaction() as conn:
        earlier = repeats.begin(conn, caller.org, digest, request, hub.clock())
    if earlier is not None:
        return _again(earlier)
    try:
        status, answer = act(digest)
    except Exception:
        with hub.db.transaction() as conn:
            repeats.forget(conn, caller.org, digest)
        raise
    with hub.db.transaction() as conn:
        repeats.finish(conn, caller.org, digest, status, answer)
    return JSONResponse(answer, status)


def _again(earlier: repeats.Earlier) -> JSONResponse:
    if not earlier.same_request:
        raise Problem(ProblemKind.KEY_REUSED, "Use a new key for a new request.")
    if earlier.status is None:
        raise Problem(ProblemKind.IN_PROGRESS, "Try again in a moment.", headers={"Retry-After": "2"})
    return JSONResponse(earlier.answer, earlier.status, headers={"Idempotency-Replayed": "true"})
