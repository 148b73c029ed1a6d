"""From a raised Problem, or anything else that went wrong, to an answer; and the request id every answer carries."""

import re
from collections.abc import Callable
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.exchange.sequence import LedgerHalted
from gateway.problems import Problem, ProblemKind
from mappings.record.issue import place_of

MEDIA_TYPE = "application/problem+json"
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_DEFAULTS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_BY_STATUS = {
    404: ProblemKind.NOT_FOUND,
    405: ProblemKind.METHOD,
    413: ProblemKind.TOO_LARGE,
    415: ProblemKind.MEDIA_TYPE,
}


def _answer(request: Request, problem: Problem) -> JSONResponse:
    request_id = getattr(request.state, "request_id", uuid4().hex)
    return JSONResponse(
        problem.body(request_id),
        problem.status,
        headers={"Cache-Control": "no-store", **problem.headers},
        media_type=MEDIA_TYPE,
    )


class CarryRequestId:
    """Middleware: every request has an id, the caller's own where it gave a sound one, and every answer names it.

    Plain ASGI (3.0): a layer in between costs a tenth of what Starlette's `BaseHTTPMiddleware` does.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection of the server's."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex.encode()
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                there = {name for name, _ in headers}
                named = (b"x-request-id", request_id)
                message["headers"] = [*headers, named, *(one for one in _DEFAULTS if one[0] not in there)]
            await send(message)

        await self.app(scope, receive, send_named)


def install(app: FastAPI, report: Callable[[str, Exception], None]) -> None:
    """Register the one way from error to answer; `report(request_id, error)` logs a fault by its class name."""
    app.add_middleware(CarryRequestId)

    @app.exception_handler(Problem)
    def problem(request: Request, error: Problem) -> JSONResponse:
        return _answer(request, error)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        # where and what kind of fault, never the value that was sent nor a name its sender made up
        faults = [
            {"path": ".".join(place_of(e["type"], e["loc"])), "fault": e["type"]} for e in error.errors()
        ]
        unreadable = any(e["type"].startswith("json") for e in error.errors())
        kind = ProblemKind.MALFORMED if unreadable else ProblemKind.INVALID
        return _answer(
            request, Problem(kind, "See `faults`; the shapes are in /v1/openapi.json.", {"faults": faults})
        )

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> JSONResponse:
        kind = _BY_STATUS.get(error.status_code, ProblemKind.MALFORMED)
        return _answer(request, Problem(kind, headers=dict(error.headers or {})))

    @app.exception_handler(LedgerHalted)
    def halted(request: Request, _: LedgerHalted) -> JSONResponse:
        words = "The ledger may not be signed, so nothing leaves; the hub's operator knows. Try again later."
        return _answer(request, Problem(ProblemKind.UNAVAILABLE, words))

    @app.exception_handler(Exception)
    def fault(request: Request, error: Exception) -> JSONResponse:
        report(getattr(request.state, "request_id", "-"), error)
        return _answer(
            request,
            Problem(
                ProblemKind.FAULT, "Nothing was changed by halves. Quote the instance id to the hub's staff."
            ),
        )
