"""Commands about the project itself: `test`, `check`, `schema`, `settings`."""

import json
import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.exits import Exit
from gateway.cli.output import fail, say, show

ROOT = Path(__file__).resolve().parents[2]


def _needs_clone() -> None:
    if not (ROOT / "tests").is_dir():
        fail(
            "no tests here",
            "this is an installed copy, not a clone",
            "clone the project and run ./planhub test",
            Exit.USAGE,
        )


def _run(*command: str) -> int:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=False).returncode  # noqa: S603  # our own tools, fixed words


def run_tests(
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed on to pytest.")] = None,
) -> None:
    """Run the tests: `planhub test`, or a part of them: `planhub test tests/consent -k revocation`."""
    _needs_clone()
    chosen = any(a.startswith("-n") for a in arguments or ())
    # tests of one group share what is dear to start: the validator
    workers = [] if chosen else ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadgroup"]
    raise typer.Exit(_run("pytest", *workers, *(arguments or ())))


def check() -> None:
    """Check format, lint, types and import contracts: what CI checks before the tests."""
    _needs_clone()
    steps = (
        ("format", ("ruff", "format", "--check", ".")),
        ("lint", ("ruff", "check", ".")),
        ("types", ("mypy",)),
        ("import contracts", ("importlinter.cli", "lint-imports")),
    )
    for name, command in steps:
        say(f"check: {name}")
        if _run(*command):
            fail(f"check: {name}", "see above", "mend it and run planhub check again", Exit.CHECK_FAILED)


class Published(StrEnum):
    """What `planhub schema` can print."""

    RECORD = "record"
    API = "api"
    SETTINGS = "settings"


def published(what: Published) -> str:
    """The text of one published reference, ending with a newline; the committed copies equal it (a test says so)."""
    if what is Published.SETTINGS:
        from gateway.settings_reference import reference

        return reference()
    if what is Published.API:
        from gateway.api.document import openapi

        return json.dumps(openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    from mappings.record.schema import record_schema

    return json.dumps(record_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def schema(
    what: Annotated[
        Published, typer.Argument(help="The record, the API (OpenAPI 3.1), or the settings reference.")
    ] = Published.RECORD,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")
    ] = None,
) -> None:
    """Print a published shape: `planhub schema -o record.schema.json`, `planhub schema api`, `planhub schema settings`."""
    text = published(what)
    if output is None:
        show(text.rstrip("\n"))
    else:
        output.write_text(text, encoding="utf-8")
        say(f"Wrote {output}")
