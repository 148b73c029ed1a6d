"""What a map, a reader or a parser returns besides its result: bad input is a value, never an exception."""

import re
from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Severity(StrEnum):
    """How much of the input an issue cost."""

    ERROR = "error"  # the document was refused whole
    WARNING = "warning"  # part of it was left out
    INFORMATION = "information"  # nothing was lost; someone may want to know


class IssueCode(StrEnum):
    """Closed list of what can be wrong with input. Add at the end; never reuse a retired code."""

    REQUIRED = "required"
    UNKNOWN_FIELD = "unknown-field"
    UNKNOWN_CODE = "unknown-code"
    BAD_VALUE = "bad-value"
    BAD_DATE = "bad-date"
    BAD_ENCODING = "bad-encoding"
    BAD_ARCHIVE = "bad-archive"
    BAD_HEADER = "bad-header"
    BAD_ROW = "bad-row"
    DUPLICATE = "duplicate"
    TOO_LARGE = "too-large"
    TOO_DEEP = "too-deep"
    FORBIDDEN = "forbidden"
    UNRESOLVED_REFERENCE = "unresolved-reference"
    NO_HOME = "no-home"
    NOT_MAPPED = "not-mapped"
    CATEGORY_NARROWED = "category-narrowed"
    ILLEGAL_TRANSITION = "illegal-transition"
    NOT_OURS = "not-ours"


class Issue(BaseModel):
    """One thing wrong with input: what, where, and in words safe to show to the agency that sent it.

    `path` is a dotted source path, or `file:row:column` for tables (row 1 is the header). `text` never quotes a value:
    it may be read by people who may not see the child.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity
    code: IssueCode
    path: str
    text: str


_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_UNKNOWN = "extra_forbidden"


def place_of(fault: str, where: Sequence[int | str]) -> tuple[str, ...]:
    """Where a value did not fit its model, from the `type` and `loc` of a pydantic error, without a word of the sender's own.

    A member no model has is not named: whoever sent it chose its name, and it may be a child's. Nor is a key that does not
    look like a field.
    """
    known = where[:-1] if fault == _UNKNOWN else where
    return tuple(
        str(part) if isinstance(part, int) or _FIELD.fullmatch(part) else "(unnamed)" for part in known
    )
