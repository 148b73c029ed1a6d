"""`planhub serve` and `planhub work`: the processes of a deployment."""

from contextlib import ExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.hub import opened, settings_or_fail
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
        _web(settings)
    elif only is Part.WORK:
        work()
    elif only is Part.SWEEP:
        _sweep()
    else:
        run_all(settings)


def run_all(settings: "Settings") -> None:
    """Every part, until told to stop. The embedded servers live as long as this process and come back when they die."""
    from gateway.store.broker import ensure_broker
    from gateway.store.embedded import ensure_postgres

    with ExitStack() as stack:
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

    run_worker(settings_or_fail())


def _sweep() -> None:
    from gateway.workers.run import run_sweeper

    run_sweeper(settings_or_fail())


def _web(settings: "Settings") -> None:
    import uvicorn

    uvicorn.run(
        "gateway.app:create",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.web_processes,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        proxy_headers=settings.behind_proxy,
        server_header=False,
        date_header=True,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=20,
        h11_max_incomplete_event_size=64 * 1024,
    )
