"""Exit codes of every command (ux.md §11). Scripts depend on them: a code is never given a second meaning."""

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    BUG = 1
    USAGE = 2
    CHECK_FAILED = 3
    UNREACHABLE = 4
    NOT_ALLOWED = 5
    REFUSED_BY_CONSENT = 6
    CONFLICT = 7
    STOPPED = 130
