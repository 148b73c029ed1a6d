"""`planhub import`: a file or a pull taken in, with every document accounted for."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.output import DryRunFlag, JsonFlag, fail, say, show, show_json, table

if TYPE_CHECKING:
    from gateway.exchange.tally import Rejection, Tally

SHOWN = 50
"""Rejections printed line by line; `--json` has up to 1,000."""

_EVERY = 5_000

FileArgument = Annotated[
    Path | None,
    typer.Argument(help="A OneRoster ZIP, a plan sheet or a filled-in worklist (CSV, XLSX). Left out: pull."),
]


def import_(
    file: FileArgument = None,
    connection: Annotated[
        str, typer.Option("--connection", help="Whose it is, as in the community file.")
    ] = "",
    may_shrink: Annotated[
        bool, typer.Option("--may-shrink", help="Agree that as much is removed as this would remove.")
    ] = False,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
) -> None:
    """Take in a file, or pull: `planhub import roster.zip --connection district-roster`, `planhub import --connection district-edfi`.

    Every document read is accepted, rejected with its reason, or set aside for want of a map; a second run changes
    nothing. With --dry-run everything is read and nothing kept. A sheet without a row_id column is known by its file's
    name: keep it from week to week.
    """
    from gateway.exchange.bring import Busy, bring, rehearse
    from gateway.exchange.connect import Misconfigured
    from gateway.exchange.context import SecretMissing
    from gateway.exchange.feed import ConnectionMissing, MapMissing

    if not connection:
        fail(
            "whose it is", "--connection is missing", "planhub apply -f community.yaml names them", Exit.USAGE
        )
    if file is not None and not file.is_file():
        fail(
            str(file), "there is no such file", "give the path of a file, or leave it out to pull", Exit.USAGE
        )
    with opened() as hub:
        say(f"Reading {file or connection} …")
        try:
            tally = (
                rehearse(hub, connection, file, watch=_progress)
                if dry_run
                else bring(hub, connection, file, may_shrink=may_shrink, watch=_progress)
            )
        except (ConnectionMissing, MapMissing, Misconfigured, SecretMissing) as error:
            fail("not read", str(error), "mend it and run planhub import again", Exit.USAGE)
    if isinstance(tally, Busy):
        fail(
            connection, "another process is reading it", "run planhub import again in a minute", Exit.CONFLICT
        )
    _print(tally, dry_run=dry_run, json=json)
    _end(tally, connection)


def _progress(number: int) -> None:
    if number and number % _EVERY == 0 and sys.stderr.isatty():
        say(f"{number:,} read")


def _print(tally: "Tally", *, dry_run: bool, json: bool) -> None:
    if json:
        show_json(
            {
                "dry_run": dry_run,
                **tally.counts(),
                "rejections": [_named(one) for one in tally.rejections],
                "failure": _failure(tally),
            }
        )
        return
    columns = ("resource", "read", "accepted", "unchanged", "rejected", "set aside", "removed")
    counted = [*sorted(tally.resources.items()), ("total", tally.total)]
    table(
        [(name, c.read, c.accepted, c.unchanged, c.rejected, c.aside, c.removed) for name, c in counted],
        columns,
    )
    for one in tally.rejections[:SHOWN]:
        named = _named(one)
        show(f"rejected {' '.join(filter(None, (named['place'], named['record'])))}: {named['text']}")
    if tally.total.rejected > SHOWN:
        say(f"{tally.total.rejected - SHOWN} more are rejected; --json names up to 1,000")
    if dry_run:
        say("Nothing was kept. Run again without --dry-run.")
        return
    say(
        f"{tally.children_new} children new, {tally.identities_linked} records tied to known children, "
        f"{tally.identities_in_review} to review; facts: {tally.facts_added} new, {tally.facts_superseded} changed, "
        f"{tally.facts_retracted} withdrawn"
    )
    if tally.identities_in_review:
        say("  → planhub review list")


def _named(one: "Rejection") -> dict[str, Any]:
    """A rejection by its place in the file, `file:row:column`, or by its record and the path within it; never a value."""
    named, _, rest = one.issue.path.partition(":")
    in_file = rest and not rest.partition(":")[0].isdigit()  # `planRow:plan.csv:4:9`, and not `users.csv:3:1`
    place = rest if named == one.resource and in_file else one.issue.path
    return {
        "resource": one.resource,
        "record": one.record_id,
        "place": ".".join(filter(None, (one.resource, place))) if one.record_id else place or one.resource,
        "code": one.issue.code.value,
        "text": one.issue.text,
    }


def _failure(tally: "Tally") -> dict[str, Any] | None:
    found = tally.failure
    if found is None:
        return None
    return {"kind": type(found).__name__.lower(), "cause": found.cause.value, "status": found.status}


def _end(tally: "Tally", connection: str) -> None:
    """The exit code: a source that stopped, a removal that was held back, a file that was refused whole."""
    from adapters.port import Unauthorized

    if tally.failure is not None:
        code = Exit.NOT_ALLOWED if isinstance(tally.failure, Unauthorized) else Exit.UNREACHABLE
        status = f" {tally.failure.status}" if tally.failure.status else ""
        _stopped(f"{tally.failure.cause.value}{status}; what came before it is kept", code)
    if tally.shrinks:
        one = tally.shrinks[0]
        fail(
            "nothing was removed",
            f"{one.would_remove} of {one.of} records of {one.resource} are gone from the source, which is unusual",
            f"look at the source; if it is right: planhub import --connection {connection} --may-shrink",
            Exit.CONFLICT,
        )
    if tally.total.rejected and not tally.total.accepted:
        fail(
            "refused",
            "nothing of it could be taken in",
            "correct what is named above and import it again",
            Exit.CHECK_FAILED,
        )


def _stopped(why: str, code: Exit) -> NoReturn:
    fail(
        "the source stopped", why, "planhub doctor, then planhub import again: it goes on where it was", code
    )
