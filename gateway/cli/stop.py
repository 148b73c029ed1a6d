"""`planhub consent revoke`: what a guardian takes back, entered by whoever heard it."""

from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import typer

from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import (
    ByOption,
    ChildOption,
    agency_or_fail,
    child_or_fail,
    directive_or_fail,
    guardian_or_fail,
    someone,
)
from gateway.cli.output import JsonFlag, YesFlag, confirm, fail, say, show, show_json
from gateway.exchange.wording import receipt_number

if TYPE_CHECKING:
    from gateway.exchange.context import Hub
    from gateway.exchange.permission import WhyNot
    from gateway.exchange.recall import Recall

WhoOption = Annotated[
    str,
    typer.Option(
        "--guardian", help="Who stops it: the link's id, or AGENCY:KEY, the agency's own number of them."
    ),
]
WhichArgument = Annotated[
    str | None, typer.Argument(help="Which: its number PH-…, its id, or six letters of that.")
]
AgencyOption = Annotated[
    str | None, typer.Option("--agency", help="Instead: everything this agency was allowed.")
]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="In the guardian's words, where they give one.")
]


def revoke(
    child: ChildOption,
    guardian: WhoOption,
    directive: WhichArgument = None,
    agency: AgencyOption = None,
    reason: ReasonOption = None,
    by: ByOption = "",
    yes: YesFlag = False,
    json: JsonFlag = False,
) -> None:
    """Stop what was allowed: `planhub consent revoke PH-7KQ4-M2 --child ID --guardian ID`, or `--agency clinic`.

    Nothing leaves afterwards, what is queued included. An agency that already has something is told and asked what it
    does with it; a law may make it keep it. A stop can be taken on the telephone; a yes never.
    """
    from gateway.exchange import permission
    from gateway.exchange.naming import agencies

    if (directive is None) == (agency is None):
        step = "planhub consent show --child …"
        fail("what to stop", "give one permission or --agency", step, Exit.USAGE)
    with opened() as hub:
        found = child_or_fail(hub, child)
        link = guardian_or_fail(hub, found, guardian)
        wanted = _wanted(hub, found, directive, agency)
        confirm(f"Stop {', '.join(map(receipt_number, wanted))}?", yes=yes)
        entries: list[int] = []
        recalls: list[Recall] = []
        for one in wanted:
            done = permission.revoke(hub, found, one, by_link=link, actor=someone(by), reason=reason)
            if not isinstance(done, permission.Changed):
                _not_stopped(done.why, found)
            entries += done.entries
            recalls += done.recalls
        with hub.db.transaction() as conn:
            names = agencies(conn)
    _print(wanted, entries, recalls, names, json=json)


def _wanted(hub: "Hub", child: UUID, directive: str | None, agency: str | None) -> list[UUID]:
    from gateway.exchange import inquiry

    if directive is not None:
        return [directive_or_fail(hub, child, directive)]
    org = agency_or_fail(hub, agency or "")
    with hub.db.transaction() as conn:
        wanted = inquiry.open_permits(inquiry.said(conn, child), org)
    if not wanted:
        step = f"planhub consent show --child {child}"
        fail("nothing to stop", f"{org} was allowed nothing that stands", step, Exit.CONFLICT)
    return wanted


def _print(
    ended: list[UUID], entries: list[int], recalls: "list[Recall]", names: dict[str, str], *, json: bool
) -> None:
    numbers = [receipt_number(one) for one in ended]
    if json:
        told = [
            {"recall": one.recall_id, "agency": one.recipient, "number": one.permission} for one in recalls
        ]
        show_json({"ended": ended, "numbers": numbers, "entries": entries, "recalls": told})
        return
    for number in numbers:
        show(f"{number}  ended")
    for one in recalls:
        who = names.get(one.recipient, one.recipient)
        show(
            f"{one.permission}  {who} has what it was sent before; it is told of the stop and asked what it does with it"
        )
    say("Nothing new leaves from now on.")


def _not_stopped(why: "WhyNot", child: UUID) -> NoReturn:
    from gateway.exchange.permission import WhyNot

    if why is WhyNot.NO_AUTHORITY:
        text = "this person was not verified as guardian, or it is another's own stop"
        fail("not stopped", text, f"planhub consent guardians --child {child}", Exit.NOT_ALLOWED)
    text = "it has ended already, or is nothing of this child"
    fail("not stopped", text, f"planhub consent show --child {child}", Exit.CONFLICT)
