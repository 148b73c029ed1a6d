"""Why an Ed-Fi host refused, as codes: RFC 9457 problem details since ODS/API 7.2, `{"message"}` before.

Titles, details and validation messages are never kept: they quote what they are about (`reference/school.md` §1.6).
"""

import re
from http import HTTPStatus

from adapters.http import Reply
from adapters.received import parse_json

PREFIX = "urn:ed-fi:api:"
TYPES = frozenset(
    {
        "bad-request",
        "bad-request:data-validation-failed",
        "bad-request:data-validation-failed:key-change-not-supported",
        "bad-request:parameter-validation-failed",
        "data-conflict:dependent-item-exists",
        "data-conflict:non-unique-identity",
        "data-conflict:unresolved-reference",
        "data-policy-enforced",
        "identity-conflict",
        "method-not-allowed",
        "not-found",
        "optimistic-lock-failed",
        "profile:invalid-profile-usage",
        "profile:method-usage",
        "security:authentication",
        "security:authorization",
        "security:authorization:access-denied:action",
        "security:authorization:access-denied:resource",
        "security:authorization:namespace:access-denied:namespace-mismatch",
        "security:data-policy:incorrect-usage",
        "system",
        "system:configuration:security",
        "unsupported-media-type",
    }
)
"""Problem types seen in the wild; any other is reported as `other`."""

_CORRELATION = re.compile(r"[0-9A-Za-z:-]{8,64}")


def codes_of(reply: Reply) -> tuple[str, ...]:
    """The problem type and the host's correlation id (`correlation:…`, for the ticket text), where it refused and gave them."""
    body = parse_json(reply.body) if reply.status >= HTTPStatus.MULTIPLE_CHOICES else None
    if not isinstance(body, dict):
        return ()
    kind, correlation = body.get("type"), body.get("correlationId")
    codes: list[str] = []
    if isinstance(kind, str) and kind.startswith(PREFIX):
        short = kind.removeprefix(PREFIX)
        codes.append(short if short in TYPES else "other")
    if isinstance(correlation, str) and _CORRELATION.fullmatch(correlation):
        codes.append(f"correlation:{correlation}")
    return tuple(codes)
