"""`planhub demo`: an invented city in which the whole product is played, small but real, every step in one plain sentence."""

import signal
import sys
import time
from contextlib import ExitStack

import httpx2

from gateway.cli.demo.stage import Stage, set_stage
from gateway.cli.demo.teller import Broken, Teller, wait_for
from gateway.cli.exits import Exit
from gateway.cli.output import fail, say, show
from gateway.cli.supervisor import Child, Supervisor, planhub_command
from gateway.settings import Settings
from gateway.telemetry import configure

READY_S = 90.0


def play_demo(*, once: bool, children: int) -> None:
    """Play the story and, unless `once`, stay until told to end."""
    tell = Teller()
    signal.signal(signal.SIGTERM, _end)
    show("Planhub plays a small invented city. Nobody and nothing in it is real.")
    try:
        with set_stage(children) as stage, ExitStack() as stack:
            configure(stage.settings.log_level)
            supervisor = start(stage, stack)
            tell_story(stage, tell)
            show(f"\nThe story took {tell.seconds:.0f} s.")
            if not once:
                _stay(stage, supervisor)
    except Broken as broken:
        fail(
            "the demo did not go as it must",
            str(broken),
            "report it (SECURITY.md says how) with what is printed above",
            Exit.CHECK_FAILED,
        )


def _end(_number: int, _frame: object) -> None:
    """A stop signal unwinds the stage, so that nothing is left running."""
    sys.exit(Exit.STOPPED)


def start(stage: Stage, stack: ExitStack) -> Supervisor:
    """The embedded servers, then web, worker and sweeper as processes of their own."""
    from gateway.exchange.opening import open_hub
    from gateway.store.broker import ensure_broker
    from gateway.store.embedded import ensure_postgres

    stack.enter_context(ensure_broker(stage.settings))
    stack.enter_context(ensure_postgres(stage.settings.home))
    with open_hub(
        stage.settings, migrate=True
    ):  # the schema and the maps, before the processes look for them
        pass
    supervisor = Supervisor(
        [
            Child("web", planhub_command("serve", "--only", "web")),
            Child("work", planhub_command("work")),
            Child("sweep", planhub_command("serve", "--only", "sweep")),
        ],
        say,
    )
    stack.callback(supervisor.stop)
    supervisor.turn(time.monotonic())
    return supervisor


def tell_story(stage: Stage, tell: Teller) -> None:
    """Every chapter in order, on servers that `start` has started; raises Broken where one does not go as it must."""
    from gateway.cli.demo import exchanging, gathering
    from gateway.cli.demo.agency import AgencySystem
    from gateway.cli.demo.play import Play
    from gateway.exchange.opening import open_hub

    chapters = (
        gathering.community,
        gathering.roster,
        gathering.asked_for,
        gathering.permission,
        gathering.worklist,
        gathering.one_plan,
        exchanging.reaches_both,
        exchanging.told,
        exchanging.not_told,
        exchanging.nobody_permitted,
        exchanging.stopped,
        exchanging.who_saw_what,
        exchanging.the_log,
    )
    systems = {
        name: AgencySystem(stage.settings.base_url, f"{name}-system", key) for name, key in stage.keys.items()
    }
    with open_hub(stage.settings) as hub:
        play = Play(stage, hub, tell, systems)
        for number, chapter in enumerate(chapters):
            chapter(play)
            if number == 0:
                _await_web(stage.settings)


def _await_web(settings: Settings) -> None:

    def answers() -> bool:
        try:
            return httpx2.get(f"{settings.base_url}/health", timeout=1).is_success
        except httpx2.HTTPError:
            return False

    wait_for(answers, "the web process answers", READY_S)


def _stay(stage: Stage, supervisor: Supervisor) -> None:
    """Leave everything serving until the person ends it."""
    show("\nEverything is still running:")
    show(f"  the hub's agency API      {stage.settings.base_url}/v1/openapi.json")
    show(f"  the school's Ed-Fi API    {stage.edfi.base_url}")
    show(f"  the clinic's FHIR server  {stage.clinic.base_url}/Patient")
    show(f"  the programme's folder    {stage.folder}")
    show(f"  the community file        {stage.community}")
    show("\nLook around with the same settings in another window:")
    for name, value in sorted(stage.environment.items()):
        if name.startswith("PLANHUB_"):
            show(f"  export {name}={value}")
    show("  ./planhub deliveries list --group-by cause")
    show("\nCtrl-C ends it and removes everything.")
    supervisor.run()
