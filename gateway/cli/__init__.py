"""The planhub command. Each command imports what it needs when it runs, so that `--help` stays fast."""

import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from gateway.cli import (
    acceptance,
    bench,
    consent,
    deliveries,
    deployment,
    emergency,
    imports,
    incident,
    law,
    ledger,
    maps,
    project,
    review,
    serve,
    witness,
)
from gateway.cli.exits import Exit
from gateway.cli.output import say

app = typer.Typer(
    name="planhub",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="One success plan for a child, kept by school, clinic and community, as far as the family agreed. "
    "Start with: planhub demo",
)
app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    project.run_tests
)
app.command()(project.check)
app.command()(bench.bench)
app.command()(project.schema)
app.command()(incident.incident)
app.command("import")(imports.import_)
for command in (deployment.apply, deployment.migrate, deployment.doctor, serve.serve, serve.work):
    app.command()(command)
app.command()(acceptance.verify_delivery)
app.add_typer(maps.app, name="map")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(consent.app, name="consent")
app.add_typer(law.app, name="law")
app.add_typer(ledger.app, name="ledger")
app.add_typer(witness.app, name="witness")
app.add_typer(review.app, name="review")
app.add_typer(emergency.app, name="emergency")


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Play the story and end; leave nothing running.")
    ] = False,
    children: Annotated[
        int, typer.Option("--children", min=40, max=2_000, help="How large the city is.")
    ] = 300,
) -> None:
    """Play the whole product on an invented city: `planhub demo --once`. Without --once it stays and prints the addresses."""
    from gateway.cli.demo import play_demo

    play_demo(once=once, children=children)


def main() -> NoReturn:
    """Run the command line; an unforeseen fault ends with code 1 and its class name, never a record's content."""
    try:
        app(prog_name="planhub")
    except KeyboardInterrupt:
        sys.exit(Exit.STOPPED)
    except Exception as error:  # noqa: BLE001  # the last resort of a command line
        say(
            f"planhub: a fault in Planhub itself ({type(error).__name__}). Nothing about a child is printed here."
        )
        if os.environ.get("PLANHUB_LOG_LEVEL") == "debug":
            for frame in traceback.extract_tb(
                error.__traceback__
            ):  # places only: messages may quote a record
                say(f"  at {frame.filename}:{frame.lineno} in {frame.name}")
        say(
            "  → run again with PLANHUB_LOG_LEVEL=debug for the places, and report them (SECURITY.md says how)"
        )
        sys.exit(Exit.BUG)
    sys.exit(Exit.OK)
