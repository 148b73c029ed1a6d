"""Errors as an Ed-Fi API states them (reference: school.md §1.6).

From ODS/API 7.2 on: problem details (RFC 9457) with a type below `urn:ed-fi:api:`. Before: `{"message": …}`.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from adapters.sandbox.wire import Response, as_json

URN = "urn:ed-fi:api:"


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal, before it is put into words of one version or another."""

    status: int
    kind: str
    title: str
    detail: str
    errors: Sequence[str] = ()
    validation: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def response(
        self, *, details: bool, media_type: str, headers: Sequence[tuple[str, str]] = ()
    ) -> Response:
        """The answer; `details` is False for an API older than 7.2."""
        if not details:
            words = " ".join(
                [self.detail, *self.errors, *(text for texts in self.validation.values() for text in texts)]
            )
            return as_json(self.status, {"message": words}, *headers)
        body: dict[str, Any] = {
            "detail": self.detail,
            "type": URN + self.kind,
            "title": self.title,
            "status": self.status,
            "correlationId": str(uuid.uuid4()),
        }
        if self.validation:
            body["validationErrors"] = {path: list(texts) for path, texts in self.validation.items()}
        if self.errors:
            body["errors"] = list(self.errors)
        return as_json(self.status, body, *headers, media_type=media_type)


def unauthenticated(reason: str) -> Problem:
    """401: no token, or one that is unknown or expired."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "security:authentication",
        "Authentication Failed",
        "The caller could not be authenticated.",
        [reason],
    )


def bad_parameter(reason: str) -> Problem:
    """400: a query parameter, or two that exclude one another."""
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "bad-request:parameter-validation-failed",
        "Parameter Validation Failed",
        "One or more query parameters are invalid. See 'errors' for details.",
        [reason],
    )


def bad_body(reason: str) -> Problem:
    """400: a body that cannot be taken at all."""
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "bad-request:data-validation-failed",
        "Data Validation Failed",
        "The request data was constructed incorrectly.",
        [reason],
    )


def invalid(validation: Mapping[str, Sequence[str]]) -> Problem:
    """400: members that are missing or wrong, each by its JSON path."""
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "bad-request:data-validation-failed",
        "Data Validation Failed",
        "Data validation failed. See 'validationErrors' for details.",
        validation=validation,
    )


def key_change(resource: str) -> Problem:
    """400: a PUT that would change a natural key that cannot change."""
    return Problem(
        HTTPStatus.BAD_REQUEST,
        "bad-request:data-validation-failed:key-change-not-supported",
        "Key Change Not Supported",
        f"Identifying values for the {resource} resource cannot be changed. Delete and recreate the resource item instead.",
    )


def not_found(detail: str = "The specified data could not be found.") -> Problem:
    """404."""
    return Problem(HTTPStatus.NOT_FOUND, "not-found", "Not Found", detail)


def no_snapshot() -> Problem:
    """404: `Use-Snapshot: true`, and the host keeps no snapshot."""
    return Problem(HTTPStatus.NOT_FOUND, "not-found", "Snapshot Not Found", "Snapshot not found.")


def forbidden(resource: str) -> Problem:
    """403: the client's claim set has no such resource."""
    return Problem(
        HTTPStatus.FORBIDDEN,
        "security:authorization:access-denied:resource",
        "Authorization Denied",
        "Access to the requested data could not be authorized.",
        [f"The API client's assigned claim set does not grant access to the resource '{resource}'."],
    )


def method_not_allowed() -> Problem:
    """405."""
    return Problem(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "Method Not Allowed",
        "The request construction was invalid.",
    )


def unsupported_media() -> Problem:
    """415."""
    return Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "Unsupported Media Type",
        "The value supplied in the 'Content-Type' header is not supported.",
    )


def unresolved(names: Sequence[str]) -> Problem:
    """409: references to items that are not there."""
    return Problem(
        HTTPStatus.CONFLICT,
        "data-conflict:unresolved-reference",
        "Unresolved Reference",
        f"The referenced {', '.join(sorted(names))} item(s) do not exist.",
    )


def dependent(resource: str) -> Problem:
    """409: a delete of something that is still referred to."""
    return Problem(
        HTTPStatus.CONFLICT,
        "data-conflict:dependent-item-exists",
        "Dependent Item Exists",
        f"The requested action cannot be performed because this item is referenced by existing {resource} item(s).",
    )


def taken(resource: str, kind: str) -> Problem:
    """409: another item already has this natural key."""
    return Problem(
        HTTPStatus.CONFLICT,
        kind,
        "Identifying Values Are Not Unique",
        "The identifying value(s) of the item are the same as another item that already exists.",
        [f"A natural key conflict occurred when attempting to update a {resource}."],
    )


def lock_failed() -> Problem:
    """412: If-Match names another state than the present one."""
    return Problem(
        HTTPStatus.PRECONDITION_FAILED,
        "optimistic-lock-failed",
        "Optimistic Lock Failed",
        "The item has been modified by another user.",
        [
            (
                "The resource item's etag value does not match what was specified in the 'If-Match' request "
                "header indicating that it has been modified by another client since it was last retrieved."
            )
        ],
    )


def too_many() -> Problem:
    """429: the limiter of Ed-Fi API v8, shared by all clients of a host."""
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "too-many-requests",
        "Too Many Requests",
        "The rate limit has been exceeded.",
    )
