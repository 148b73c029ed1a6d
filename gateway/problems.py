"""Every error the hub shows over HTTP, as an RFC 9457 problem. The only place where a kind becomes a status and words.

Inside, a refusal is a value; here it gets a status. Unknown exceptions give a request id and nothing else. "No such child" and
"not permitted" are one kind, `not-found`: same status, same words, same size (ARCHITECTURE §6).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

BASE = "urn:planhub:problem:"


class ProblemKind(StrEnum):
    """Closed list of error kinds of the HTTP faces; the last part of a problem's `type`."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    SCOPE = "scope"
    PURPOSE = "purpose"
    NOT_FOUND = "not-found"
    NOT_PERMITTED = "not-permitted"
    METHOD = "method"
    ILLEGAL_STATE = "illegal-state"
    KEY_REUSED = "idempotency-key-reused"
    IN_PROGRESS = "in-progress"
    STALE = "stale"
    PRECONDITION_REQUIRED = "precondition-required"
    TOO_LARGE = "too-large"
    MEDIA_TYPE = "media-type"
    TOO_MANY = "too-many"
    UNAVAILABLE = "unavailable"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Shape:
    """Status and title of one kind; the title never varies with the request."""

    status: int
    title: str


SHAPES: dict[ProblemKind, Shape] = {
    ProblemKind.MALFORMED: Shape(400, "The request cannot be read"),
    ProblemKind.INVALID: Shape(422, "The request was read but cannot be accepted"),
    ProblemKind.UNAUTHENTICATED: Shape(401, "A valid access token is needed"),
    ProblemKind.SCOPE: Shape(403, "The token's scope does not cover this"),
    ProblemKind.PURPOSE: Shape(403, "The client is not registered for this purpose"),
    ProblemKind.NOT_FOUND: Shape(404, "There is nothing here for you"),
    ProblemKind.NOT_PERMITTED: Shape(403, "Your agency may not do this"),
    ProblemKind.METHOD: Shape(405, "This method is not offered here"),
    ProblemKind.ILLEGAL_STATE: Shape(409, "That step is not possible from the present state"),
    ProblemKind.KEY_REUSED: Shape(422, "This Idempotency-Key was used for another request"),
    ProblemKind.IN_PROGRESS: Shape(409, "The first request with this Idempotency-Key is still running"),
    ProblemKind.STALE: Shape(412, "It has changed since you read it"),
    ProblemKind.PRECONDITION_REQUIRED: Shape(428, "If-Match is needed here"),
    ProblemKind.TOO_LARGE: Shape(413, "The request is too large"),
    ProblemKind.MEDIA_TYPE: Shape(415, "The media type is not supported"),
    ProblemKind.TOO_MANY: Shape(429, "Too many requests"),
    ProblemKind.UNAVAILABLE: Shape(503, "A part of the hub is not available"),
    ProblemKind.FAULT: Shape(500, "Something went wrong in the hub"),
}


@dataclass(eq=False)  # an exception cannot be frozen: Python itself writes its traceback into it
class Problem(Exception):  # noqa: N818  # an answer, not a fault: handlers raise it to end a request
    """One error answer. `detail` says why and the next step; it never holds a child's value."""

    kind: ProblemKind
    detail: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return SHAPES[self.kind].status

    def body(self, request_id: str) -> dict[str, Any]:
        """The problem document (RFC 9457 §3.1)."""
        document: dict[str, Any] = {
            "type": BASE + self.kind.value,
            "title": SHAPES[self.kind].title,
            "status": self.status,
        }
        if self.detail:
            document["detail"] = self.detail
        return document | self.extra | {"instance": f"urn:planhub:request:{request_id}"}
