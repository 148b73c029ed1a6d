"""The HTTP face as one application, and its OpenAPI 3.1 document. Composition with a live hub is `gateway.app`."""

from typing import Any

from fastapi import FastAPI

from gateway.api import answers, asks, changes, children, emergencies, health, log, plans, recalls, referrals
from gateway.api.answers import MEDIA_TYPE
from gateway.telemetry import LogCode, error

VERSION = "0.1.0"
ABOUT = """One success plan for a child, kept by school, clinic and community, as far as the family agreed.

Get a token at `/oauth/token` with a signed client assertion (private_key_jwt, RS384 or ES384). A child is named by your agency's own
reference. "Does not exist" and "you may not see it" are the same answer. Errors are RFC 9457 problems."""
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
    },
}


def application() -> FastAPI:
    """The routes without a hub: what it serves is set at `app.state.hub` before the first request."""
    app = FastAPI(
        title="Planhub agency API",
        version=VERSION,
        description=ABOUT,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"description": "A problem", "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}},
    )
    answers.install(app, lambda request_id, fault: error(LogCode.UNCAUGHT, fault, request_id=request_id))
    for module in (plans, referrals, recalls, asks, children, emergencies, changes, health, log):
        app.include_router(module.routes)
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document, as served and as committed in docs/openapi.json."""
    return application().openapi()
