"""`planhub serve` and `planhub work`: the processes of a deployment."""

from contextlib import ExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.hub import in_plain_words, opened, settings_or_fail
from gateway.cli.output import say
from gateway.cli.supervisor import Child, Supervisor, planhub_command, tie_to_parent

if TYPE_CHECKING:
    from gateway.settings import Settings

Tied = Annotated[bool, typer.Option("--tied", hidden=True, help="End when standard input closes.")]


class Part(StrEnum):
    """One kind of process."""

    WEB = "web"
    WORK = "work"
    SWEEP = "sweep"


def serve(
    only: Annotated[
        Part | None, typer.Option("--only", help="Run one kind of process, to split them over machines.")
    ] = None,
    tied: Tied = False,
) -> None:
    """Run web, workers and sweeper, and restart what dies: `planhub serve`."""
    settings = settings_or_fail()
    if tied:
        tie_to_parent()
    if only is Part.WEB:
        from gateway.cli.web import run_web

        run_web(settings)
    elif only is Part.WORK:
        work()
    elif only is Part.SWEEP:
        _sweep(settings)
    else:
        run_all(settings)


def run_all(settings: "Settings") -> None:
    """Every part, until told to stop. The embedded servers live as long as this process and come back when they die."""
    from gateway.store.broker import ensure_broker
    from gateway.store.embedded import ensure_postgres

    with in_plain_words(), ExitStack() as stack:
        revive = [stack.enter_context(ensure_broker(settings)).revive]
        if settings.embedded_database:
            revive.append(stack.enter_context(ensure_postgres(settings.home)).revive)
        with opened(migrate=True):
            pass

        def watch() -> None:
            for one in revive:
                if one():
                    say("an embedded server had died and was started again")

        say(f"Planhub serves at {settings.base_url}")
        Supervisor(children(settings), say, watch).run()


def children(settings: "Settings") -> list[Child]:
    """The processes of one machine that does everything."""
    workers = [Child(f"work-{n}", planhub_command("work")) for n in range(1, settings.work_processes + 1)]
    return [
        Child("web", planhub_command("serve", "--only", "web")),
        *workers,
        Child("sweep", planhub_command("serve", "--only", "sweep")),
    ]


def work(tied: Tied = False) -> None:
    """Run one worker process: `planhub work`. It sends and fetches; kill it and another takes over."""
    if tied:
        tie_to_parent()
    from gateway.workers.run import run_worker

    settings = settings_or_fail()
    with in_plain_words():
        run_worker(settings)


def _sweep(settings: "Settings") -> None:
    from gateway.workers.run import run_sweeper

    with in_plain_words():
        run_sweeper(settings)
