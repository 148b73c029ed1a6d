"""Refusals as a FHIR server states them: an HTTP status and an OperationOutcome (FHIR R4 §2.38)."""

from http import HTTPStatus
from typing import Any

Resource = dict[str, Any]


class RefusedError(Exception):
    """What a client asked for cannot be done. An exception, so that it undoes a whole transaction.

    `code` is from the R4 value set issue-type; `expression` is the FHIRPath of the element at fault.
    """

    def __init__(self, status: int, code: str, text: str, expression: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.expression = expression

    def outcome(self) -> Resource:
        """The OperationOutcome of this refusal."""
        return outcome("error", self.code, self.text, self.expression)


def outcome(severity: str, code: str, text: str, expression: str | None = None) -> Resource:
    """An OperationOutcome with one issue."""
    issue: Resource = {"severity": severity, "code": code, "diagnostics": text}
    if expression:
        issue["expression"] = [expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def gone(kind: str, name: str) -> RefusedError:
    """410: it was there and was deleted."""
    return RefusedError(HTTPStatus.GONE, "deleted", f"{kind}/{name} was deleted.")


def unknown(kind: str, name: str) -> RefusedError:
    """404."""
    return RefusedError(HTTPStatus.NOT_FOUND, "not-found", f"{kind}/{name} is not known.")


def invalid(text: str, expression: str | None = None) -> RefusedError:
    """400: the request or the resource cannot be understood."""
    return RefusedError(HTTPStatus.BAD_REQUEST, "invalid", text, expression)


def precondition(text: str) -> RefusedError:
    """412: If-Match, or a condition that several resources meet."""
    return RefusedError(HTTPStatus.PRECONDITION_FAILED, "conflict", text)
