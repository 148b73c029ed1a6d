import contextlib
import json
import logging
import sys
import threading
import urllib.request
import warnings
from enum import StrEnum
from uuid import UUID, uuid4

import prometheus_client
import psycopg
import pytest
import sqlalchemy.exc
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway import telemetry
from gateway.telemetry import FIELDS, LogCode

NAME = "Wilhelmina Canary"


class Colour(StrEnum):
    """A closed vocabulary."""

    GREEN = "green"


@pytest.fixture
def lines(capsys):
    """Configure the log for one test; a function that returns what was written as dictionaries."""
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.Logger.manager.loggerDict)]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook, logging.raiseExceptions
    telemetry.configure("debug")

    def written():
        text = capsys.readouterr().err
        assert "Wilhelmina" not in text
        assert "Canary" not in text
        return [json.loads(line) for line in text.splitlines()]

    yield written
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook, sys.unraisablehook, logging.raiseExceptions = hooks
    structlog.reset_defaults()


def raised(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301  # for its traceback
    except BaseException as caught:  # noqa: BLE001  # any kind is wanted back, with its traceback
        return caught


def test_a_line_is_a_code_with_level_time_and_allowed_fields(lines):
    child = uuid4()
    telemetry.info(
        LogCode.LIBRARY,
        child=child,
        count=3,
        seconds=0.25,
        kind=Colour.GREEN,
        organisation="riverside-clinic",
    )
    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line == {
        "code": "library",
        "level": "info",
        "child": str(child),
        "count": 3,
        "seconds": 0.25,
        "kind": "green",
        "organisation": "riverside-clinic",
    }


def test_a_field_that_is_not_on_the_list_is_left_out_and_counted(lines):
    telemetry.warning(LogCode.LIBRARY, name=NAME, note=NAME, count=1)
    (line,) = lines()
    assert line["dropped"] == 2
    assert line["count"] == 1
    assert "name" not in line


@pytest.mark.parametrize(
    "value",
    [NAME, NAME.split(), {"name": NAME}, NAME.encode(), None, object()],
    ids=["text", "list", "mapping", "bytes", "nothing", "object"],
)
def test_no_allowed_field_takes_a_name_or_a_structure(value):
    kept = telemetry.keep_allowed(None, "info", {"event": LogCode.LIBRARY, **dict.fromkeys(FIELDS, value)})
    assert kept == {"code": "library", "dropped": len(FIELDS)}


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)) | st.text(max_size=8), st.text() | st.binary()))
def test_no_line_ever_holds_a_character_outside_the_shapes(event):
    event.pop("exc_info", None)
    kept = telemetry.keep_allowed(None, "info", {**event, "event": "words"})
    for name, value in kept.items():
        assert name in FIELDS or name in {"code", "dropped"}
        assert isinstance(value, int) or not set(value) & set(" \n\"'@,;")


def test_a_word_field_takes_members_of_closed_vocabularies_only():
    assert telemetry.keep_allowed(None, "info", {"event": LogCode.LIBRARY, "reason": "maria"})["dropped"] == 1
    assert (
        telemetry.keep_allowed(None, "info", {"event": LogCode.LIBRARY, "reason": Colour.GREEN})["reason"]
        == "green"
    )


def test_an_id_must_be_an_id():
    for value in ("S-104-22", "604822", str(UUID(int=5)) + "x"):
        assert "child" not in telemetry.keep_allowed(None, "info", {"event": LogCode.LIBRARY, "child": value})


def test_an_exception_leaves_its_class_and_place_but_not_its_message(lines):
    telemetry.error(LogCode.UNCAUGHT, raised(ValueError(NAME)))
    (line,) = lines()
    assert line["exception"] == "builtins.ValueError"
    assert line["at"].startswith("tests/gateway/test_telemetry.py:")
    assert line["level"] == "error"


def test_a_database_error_leaves_its_sqlstate(lines):
    inner = psycopg.errors.UniqueViolation(f"Key (name)=({NAME}) already exists.")
    telemetry.error(LogCode.UNCAUGHT, sqlalchemy.exc.IntegrityError("INSERT", {"name": NAME}, inner))
    (line,) = lines()
    assert line["exception"] == "psycopg.errors.UniqueViolation"
    assert line["sqlstate"] == "23505"


@pytest.mark.parametrize(
    "logger", ["uvicorn.error", "uvicorn.access", "celery.worker", "sqlalchemy.engine", "anything"]
)
def test_what_a_library_says_loses_its_words_and_keeps_its_place(lines, logger):
    log = logging.getLogger(logger)
    log.warning("GET /children/%s", NAME)
    log.warning(f"about {NAME}")  # noqa: G004  # a message put together by a library
    log.warning("an argument is missing: %s %s", NAME)  # noqa: PLE1206  # a library's mistake
    log.warning({"name": NAME})
    log.warning("extra", extra={"child_name": NAME})
    written = lines()
    assert len(written) == 5
    for line in written:
        assert (line["code"], line["logger"], line["level"]) == ("library", logger, "warning")
        assert line["at"].startswith("tests/gateway/test_telemetry.py:")


def test_a_librarys_traceback_becomes_class_and_place(lines):
    try:
        raise KeyError(NAME)  # noqa: TRY301  # for its traceback
    except KeyError:
        logging.getLogger("celery.app.trace").exception("task failed for %s", NAME, stack_info=True)
    (line,) = lines()
    assert line["exception"] == "builtins.KeyError"
    assert "Traceback" not in json.dumps(line)


def test_a_handler_a_library_put_in_place_before_is_taken_out(capsys, request):
    early = logging.getLogger("early.library")
    early.addHandler(logging.StreamHandler(sys.stderr))
    early.propagate = False
    lines = request.getfixturevalue("lines")
    early.error("about %s", NAME)
    assert [line["logger"] for line in lines()] == ["early.library"]


def test_a_logger_that_was_silenced_stays_silent(request):
    silenced = logging.getLogger("silenced.server.access")
    silenced.propagate = False
    lines = request.getfixturevalue("lines")
    silenced.warning("GET /v1/children/aaaa/plan")
    assert not silenced.hasHandlers()  # what a server asks before it writes a line for each request
    assert lines() == []
    silenced.disabled = False


def test_python_warnings_lose_their_words(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(f"cannot read {NAME}", stacklevel=1)
    (line,) = lines()
    assert line["logger"] == "py.warnings"


def test_an_uncaught_exception_leaves_no_traceback(lines):
    error = raised(RuntimeError(NAME))
    sys.excepthook(type(error), error, error.__traceback__)
    (line,) = lines()
    assert (line["code"], line["exception"]) == ("uncaught", "builtins.RuntimeError")


def test_an_uncaught_exception_of_a_thread_leaves_no_traceback(lines):
    def fail():
        raise RuntimeError(NAME)

    hook = threading.excepthook
    thread = threading.Thread(target=fail)
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, threading, "excepthook", hook)
        thread.start()
        thread.join(5)
    (line,) = lines()
    assert line["exception"] == "builtins.RuntimeError"


def test_an_exception_nobody_can_raise_leaves_no_traceback(lines):
    class Fault:
        exc_type, exc_value, exc_traceback = ValueError, ValueError(NAME), None
        err_msg, object = NAME, NAME

    sys.unraisablehook(Fault)  # type: ignore[arg-type]  # the interpreter's own class cannot be made by hand
    (line,) = lines()
    assert line["exception"] == "builtins.ValueError"


def test_ctrl_c_is_not_a_fault(lines):
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert lines() == []


def test_a_line_below_the_level_is_not_written(lines, capsys):
    logging.getLogger().setLevel("WARNING")
    telemetry.info(LogCode.LIBRARY, count=1)
    telemetry.debug(LogCode.LIBRARY, count=2)
    telemetry.warning(LogCode.LIBRARY, count=3)
    assert [line["count"] for line in lines()] == [3]


def test_every_line_is_counted_by_its_code_and_served_on_loopback(lines, monkeypatch):
    def count() -> float:
        return float(telemetry.EVENTS.labels("library")._value.get())

    before = count()
    telemetry.debug(LogCode.LIBRARY)
    logging.getLogger("anything").warning("x")
    assert count() == before + 2
    started: list[tuple[object, threading.Thread]] = []
    real = prometheus_client.start_http_server
    monkeypatch.setattr(telemetry, "start_http_server", lambda *a, **k: started.append(real(*a, **k)))
    telemetry.serve_metrics(0)
    server, thread = started[0]
    try:
        port = server.server_port  # type: ignore[attr-defined]  # prometheus hands out a WSGI server
        assert server.server_address[0] == "127.0.0.1"  # type: ignore[attr-defined]  # as above
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b'planhub_events_total{code="library"}' in answer.read()
    finally:
        server.shutdown()  # type: ignore[attr-defined]  # as above
        server.server_close()  # type: ignore[attr-defined]  # as above
        thread.join(5)


def test_log_codes_are_in_alphabetical_order():
    assert [code.value for code in LogCode] == sorted(code.value for code in LogCode)
