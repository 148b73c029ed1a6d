"""Why a FHIR server refused, as codes of the closed code system issue-type (R4 4.0.1): never its diagnostics or texts."""

from adapters.http import Reply
from adapters.received import parse_json

ISSUE_TYPES = frozenset(
    {
        "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden",
        "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long",
        "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store",
        "exception", "timeout", "incomplete", "throttled", "informational",
    }
)  # fmt: skip
MAX_CODES = 10


def codes_of(reply: Reply) -> tuple[str, ...]:
    """The issue types of an OperationOutcome, each once; empty where the body is something else."""
    body = parse_json(reply.body)
    issues = body.get("issue") if isinstance(body, dict) else None
    if not isinstance(issues, list):
        return ()
    codes = (issue.get("code") for issue in issues if isinstance(issue, dict))
    return tuple(dict.fromkeys(code for code in codes if isinstance(code, str) and code in ISSUE_TYPES))[
        :MAX_CODES
    ]
