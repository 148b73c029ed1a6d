"""What commands print: data on stdout, talk and progress on stderr, one JSON object with `--json`.

No line is wrapped and nothing is coloured, so that a pipe sees what a person sees.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NoReturn

import typer

from gateway.cli.exits import Exit

SCHEMA_VERSION = 1

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object with stable keys.")]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Show what would happen and change nothing.")]


def say(text: str) -> None:
    """Talk to the person, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # this module is where the command line prints


def show(text: str) -> None:
    """One line of data, on stdout."""
    print(text, flush=True)  # noqa: T201  # as above


def show_json(data: dict[str, Any]) -> None:
    """The one object `--json` prints; `schema_version` tells scripts when keys change meaning."""
    show(json.dumps({"schema_version": SCHEMA_VERSION, **data}, default=str, ensure_ascii=False))


def table(rows: Iterable[Sequence[object]], header: Sequence[str]) -> None:
    """Columns aligned by spaces, header first; nothing but the header when there are no rows."""
    cells = [list(map(str, header)), *([("" if c is None else str(c)) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        show("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def fail(what: str, why: str, step: str, code: Exit) -> NoReturn:
    """End with what happened, why, and the next command; the exit code says which kind."""
    say(f"planhub: {what}: {why}")
    say(f"  → {step}")
    raise typer.Exit(code)


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless told yes; without a terminal to ask on it is a usage error, never a silent yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail("not confirmed", "there is no terminal to ask on", "run again with --yes", Exit.USAGE)
    if not typer.confirm(question, err=True):
        say("Nothing changed.")
        raise typer.Exit(Exit.STOPPED)
