"""Logs and counters. A log line is a code and allow-listed fields; a name cannot be logged by accident.

Every line, ours or a library's, passes one processor that keeps only fields it knows whose values have the shape that
field must have. An exception leaves its class, its SQLSTATE where it has one, and the place it was raised; never its
message and never a local variable. What a library says in words is dropped: its logger, level and place remain. The
audit of who saw what is the ledger, not the log (ARCHITECTURE §8).
"""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from pathlib import PurePath
from types import TracebackType
from typing import Any, Final
from uuid import UUID

import structlog
from prometheus_client import Counter, start_http_server
from structlog.typing import EventDict


class LogCode(StrEnum):
    """Everything the hub says in its log. Alphabetical; each is used in one place; a retired one is not used again."""

    DELIVERY_FAULT = "delivery-fault"
    LEDGER_FAULT = "ledger-fault"
    LEDGER_HALTED = "ledger-halted"
    LIBRARY = "library"
    RING_LOST = "ring-lost"
    TASK_FAULT = "task-fault"
    UNCAUGHT = "uncaught"
    WEB_FAULT = "web-fault"


EVENTS: Final = Counter("planhub_events", "Log lines by code, whatever their level.", ["code"])
"""Each log code is a counter of its own, so what is worth saying is also worth counting."""

_CODE = re.compile(r"[a-z0-9][a-z0-9._:-]{0,79}")
_ID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,119}")
_PLACE = re.compile(r"[A-Za-z0-9_./<>-]{1,120}:\d{1,7}")
_HTTP_ROUTE = re.compile(r"/[a-z0-9_./{}$-]{0,119}")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,39}")
_NUMBER: Final = "number"
_WORD: Final = "word"
_OURS: Final = str(PurePath(__file__).parent.parent)
_LEVELS: Final = frozenset({"debug", "info", "warning", "error", "critical"})

FIELDS: Final[Mapping[str, re.Pattern[str] | str]] = {
    # ids the hub minted; a source's own identifier is never one of these
    **dict.fromkeys(
        (
            "attempt",
            "child",
            "decision",
            "delivery",
            "directive",
            "document",
            "entry",
            "export",
            "job",
            "lane",
        ),
        _ID,
    ),
    **dict.fromkeys(("plan", "referral", "release", "request", "review", "source", "task"), _ID),
    # members of closed vocabularies (`StrEnum`); a plain string, whatever it holds, is left out
    **dict.fromkeys(
        (
            "category",
            "cause",
            "format",
            "kind",
            "method",
            "outcome",
            "phase",
            "purpose",
            "queue",
            "reason",
            "state",
            "verb",
        ),
        _WORD,
    ),
    # names from the community file
    **dict.fromkeys(("client", "connection", "map", "organisation", "recipient", "sender", "setting"), _CODE),
    "community": _SLUG,
    "logger": _CLASS,
    "exception": _CLASS,
    "sqlstate": re.compile(r"[0-9A-Z]{5}"),
    "at": _PLACE,
    "route": _HTTP_ROUTE,  # the template, never the path with its ids and searches
    "version": _VERSION,
    "level": re.compile("|".join(sorted(_LEVELS))),
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    # counts, durations (seconds unless named otherwise) and numbers of the machine
    **dict.fromkeys(
        ("accepted", "attempts", "bytes", "count", "depth", "done", "issues", "left", "pending"), _NUMBER
    ),
    **dict.fromkeys(
        ("pid", "port", "processes", "rejected", "row", "size", "status", "total", "workers"), _NUMBER
    ),
    **dict.fromkeys(("delay", "milliseconds", "seconds"), _NUMBER),
}
"""What may stand in a log line, and the shape its value must have. Anything else is left out and counted in `dropped`."""


class _StandardError(logging.Handler):
    """Writes to whatever standard error is at that moment, as the interpreter's own last resort does."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001  # the logging package's own rule: a log line never fails its caller
            self.handleError(record)


def configure(level: str = "info") -> None:
    """Send this process's log to standard error as JSON, libraries' included. Call once, first thing.

    Python's warnings and uncaught exceptions of every thread take the same way, since a traceback can hold a name.
    """
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_foreign],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
                keep_allowed,
                structlog.processors.JSONRenderer(),
            ],
            use_get_message=False,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in list(logging.Logger.manager.loggerDict):  # a library's own handler would print past us
        logger = logging.getLogger(name)
        if logger.handlers or logger.propagate:
            logger.handlers = []
            logger.propagate = True
        else:  # silenced on purpose, as a server's access log is: not even the interpreter's last resort is to print it
            logger.disabled = True
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # else a line that cannot be written is printed with its arguments
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    sys.excepthook = _uncaught
    threading.excepthook = lambda fault: _uncaught(fault.exc_type, fault.exc_value, fault.exc_traceback)
    sys.unraisablehook = lambda fault: _uncaught(fault.exc_type, fault.exc_value, fault.exc_traceback)


def debug(code: LogCode, /, **fields: object) -> None:
    """Say something only of use while looking for a fault."""
    _say(logging.DEBUG, code, fields)


def info(code: LogCode, /, **fields: object) -> None:
    """Say that something ordinary happened."""
    _say(logging.INFO, code, fields)


def warning(code: LogCode, /, **fields: object) -> None:
    """Say that something happened which somebody may want to look at."""
    _say(logging.WARNING, code, fields)


def error(code: LogCode, /, exception: BaseException | None = None, **fields: object) -> None:
    """Say that something failed. `exception` leaves its class, its SQLSTATE and its place."""
    _say(logging.ERROR, code, fields | ({} if exception is None else describe(exception)))


def describe(exception: BaseException) -> dict[str, object]:
    """The fields an exception may leave in a log: class, SQLSTATE, and the innermost line of ours it passed."""
    inner = getattr(exception, "orig", None) or exception  # SQLAlchemy wraps the driver's
    kind = type(inner)
    fields: dict[str, object] = {"exception": f"{kind.__module__}.{kind.__qualname__}"}
    sqlstate = getattr(inner, "sqlstate", None)
    if sqlstate:
        fields["sqlstate"] = sqlstate
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(exception.__traceback__)]
    ours = [place for place in frames if place[0].startswith(_OURS) and "site-packages" not in place[0]]
    if frames:
        fields["at"] = _place(*(ours or frames)[-1])
    return fields


def keep_allowed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> EventDict:
    """The processor: code first, then known fields of the right shape; the number of the others in `dropped`."""
    code = event.pop("event", None)
    kept: EventDict = {"code": code.value if isinstance(code, LogCode) else LogCode.LIBRARY.value}
    failure = event.pop("exc_info", None)
    if failure:
        failure = (
            sys.exc_info()[1] if failure is True else failure[1] if isinstance(failure, tuple) else failure
        )
        if isinstance(failure, BaseException):
            event.update(describe(failure))
    dropped = 0
    for name, value in event.items():
        allowed = _shaped(FIELDS.get(name), value)
        if allowed is None:
            dropped += 1
        else:
            kept[name] = allowed
    if dropped:
        kept["dropped"] = dropped
    return kept


def serve_metrics(port: int) -> None:
    """Serve Prometheus metrics on loopback at this port, in a thread of its own."""
    start_http_server(port, addr="127.0.0.1")


def _say(level: int, code: LogCode, fields: Mapping[str, object]) -> None:
    EVENTS.labels(code.value).inc()
    structlog.stdlib.get_logger("planhub").log(level, code, **fields)


def _shaped(shape: re.Pattern[str] | str | None, value: object) -> str | float | None:
    """The value as it may be written, None where this field may not hold it."""
    if shape is None:
        return None
    if shape == _WORD:
        return value.value if isinstance(value, StrEnum) else None
    if shape == _NUMBER:
        return value if isinstance(value, int | float) else None
    text = str(value) if isinstance(value, str | UUID) else ""
    return text if isinstance(shape, re.Pattern) and shape.fullmatch(text) else None


def _foreign(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A library's record, without its words: the message and its arguments may hold anything."""
    record: logging.LogRecord = event["_record"]
    EVENTS.labels(LogCode.LIBRARY.value).inc()
    event["event"] = LogCode.LIBRARY
    event["level"] = record.levelname.lower()
    event["logger"] = record.name
    event["at"] = _place(record.pathname, record.lineno)
    if record.exc_info:
        event["exc_info"] = record.exc_info
    return event


def _place(filename: str, line: int) -> str:
    """The last three parts of a path and the line: enough to find it, nothing of this machine's folders."""
    return "/".join(PurePath(filename).parts[-3:]) + f":{line}"


def _uncaught(
    _kind: type[BaseException], exception: BaseException | None, _trace: TracebackType | None
) -> None:
    """In place of a traceback, whose last line is the message. Ctrl-C is not a fault."""
    if exception is not None and not isinstance(exception, KeyboardInterrupt | SystemExit):
        error(LogCode.UNCAUGHT, exception)
