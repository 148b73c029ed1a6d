"""`planhub consent erase` and `planhub consent hold`: the end of a child's record, and what keeps it from ending."""

from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import typer

from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import ByOption, ChildOption, child_or_fail, someone
from gateway.cli.output import JsonFlag, YesFlag, confirm, fail, say, show, show_json

if TYPE_CHECKING:
    from gateway.exchange.erasure import Done, Refusal

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; stands in the log.")]

_WHY = {
    "no-such-child": ("there is no such record, or it was erased before", "planhub consent show --child …"),
    "legal-hold": ("a legal hold stands", "planhub consent hold --child … --list"),
    "too-early": ("a law still keeps the record", "try again on the day it names"),
    "still-kept": ("a source still keeps facts of it", "have the source take them back first"),
    "already-asked": (
        "it was asked for already",
        "another person runs: planhub consent erase --child … --confirm",
    ),
    "not-asked": ("nobody has asked for it", "planhub consent erase --child … --reason …"),
    "same-person": ("who asked cannot confirm", "have another person confirm it"),
    "no-such-hold": (
        "there is no standing hold of that id for this child",
        "planhub consent hold --child … --list",
    ),
}


def erase(
    child: ChildOption,
    reason: ReasonOption = "",
    confirmed: Annotated[
        bool, typer.Option("--confirm", help="Confirm what another person asked for.")
    ] = False,
    by: ByOption = "",
    yes: YesFlag = False,
    json: JsonFlag = False,
) -> None:
    """Destroy a child's key, so that nothing of the record can be read again: one person asks, another adds --confirm.

    Only after the longest duty to keep it, and never under a legal hold. The log's proofs go on holding.
    """
    from gateway.exchange import erasure

    if not confirmed and not reason.strip():
        fail("--reason", "who asks says why", "planhub consent erase --child … --reason …", Exit.USAGE)
    with opened() as hub:
        found = child_or_fail(hub, child)
        if confirmed:
            confirm("Destroy this child's key? It cannot be undone.", yes=yes)
            done = erasure.confirm(hub, found, actor=someone(by))
        else:
            done = erasure.ask(hub, found, actor=someone(by), reason=reason)
    _print(done, json=json)
    say("Erased." if confirmed else "Asked for. Another person confirms it with --confirm.")


def hold(
    child: ChildOption,
    reason: ReasonOption = "",
    lift: Annotated[UUID | None, typer.Option("--lift", help="The hold to lift, by its id.")] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Show the standing holds and change nothing.")
    ] = False,
    by: ByOption = "",
    json: JsonFlag = False,
) -> None:
    """Keep a child's record from being erased: `planhub consent hold --child ID --reason TEXT`; `--lift ID` ends it."""
    from gateway.exchange import erasure
    from gateway.store.erasures import holds

    if not listed and not reason.strip():
        fail("--reason", "a hold is set and lifted with a reason", "add --reason", Exit.USAGE)
    with opened() as hub:
        found = child_or_fail(hub, child)
        if listed:
            with hub.db.transaction() as conn:
                standing = holds(conn, found)
            rows = [
                {"hold": one.hold_id, "set_by": one.set_by, "set_at": one.set_at.isoformat()}
                for one in standing
            ]
            if json:
                show_json({"holds": rows})
            for row in () if json else rows:
                show("  ".join(map(str, row.values())))
            return
        if lift is None:
            done = erasure.set_hold(hub, found, actor=someone(by), reason=reason)
        else:
            done = erasure.lift_hold(hub, found, lift, actor=someone(by), reason=reason)
    _print(done, json=json)


def _print(done: "Done | Refusal", *, json: bool) -> None:
    from gateway.exchange.erasure import Done

    if not isinstance(done, Done):
        _not_done(done)
    if json:
        show_json({"subject": done.subject, "entry": done.entry})
    else:
        show(f"{done.subject}  entry {done.entry}")


def _not_done(refusal: "Refusal") -> NoReturn:
    why, step = _WHY[refusal.why]
    until = f" until {refusal.until.isoformat()}" if refusal.until else ""
    fail("nothing was changed", f"{why}{until}", step, Exit.CONFLICT)
