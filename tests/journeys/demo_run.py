"""The demo's story as a process of its own that stays: `python -m tests.journeys.demo_run FOLDER [CHILDREN]`.

It plays what `planhub demo` plays, with the richest logs there are, then asks the hub wrong things on purpose. The answers
to those go to FOLDER/answers, the story itself, which names its invented people, to FOLDER/story; what any process writes to
standard output or error is its log and goes wherever the caller sends it. When all of it has happened FOLDER/ready is
written; the servers run on until standard input ends.
"""

import json
import os
import sys
import traceback
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

import psycopg

from gateway.cli.demo import start, tell_story
from gateway.cli.demo.stage import Stage, set_stage
from gateway.cli.demo.teller import Teller
from gateway.store.embedded import ensure_postgres
from gateway.store.engine import libpq_url
from gateway.telemetry import configure
from tests.journeys.wrong_requests import ask_wrongly

LOUDEST = "debug"


def main(folder: Path, children: int) -> None:
    """Play, ask wrongly, say where everything lies, wait."""
    with (folder / "story").open("w") as story, set_stage(children) as stage, ExitStack() as stack:
        stack.enter_context(redirect_stdout(story))  # of this process alone, not of those it starts
        os.environ["PLANHUB_LOG_LEVEL"] = LOUDEST
        configure(LOUDEST)
        stack.enter_context(_readable_wal(stage))
        start(stage, stack)
        tell_story(stage, Teller())
        ask_wrongly(stage, folder / "answers")
        where = {"root": str(stage.root), "home": str(stage.settings.home), "environment": stage.environment}
        ready = folder / "ready"
        ready.with_suffix(".new").write_text(json.dumps(where))
        ready.with_suffix(".new").rename(ready)
        sys.stdin.read()


def _readable_wal(stage: Stage) -> ExitStack:
    """The demo's database server with whole, uncompressed pages in its write-ahead log, so that a search can read them."""
    stack = ExitStack()
    server = stack.enter_context(ensure_postgres(stage.settings.home))
    with psycopg.connect(libpq_url(server.urls.admin), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET wal_compression = off")
        admin.execute("SELECT pg_reload_conf()")
    return stack


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]))
    except BaseException:
        Path(sys.argv[1], "failed").write_text(traceback.format_exc())
        raise
