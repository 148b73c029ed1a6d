"""`planhub emergency …`: what agencies stated when somebody was in danger, and the review each of them needs."""

from typing import Annotated, Any
from uuid import UUID

import typer

from consent.emergency import Finding
from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import ByOption, someone
from gateway.cli.output import JsonFlag, fail, say, show, show_json, table

app = typer.Typer(
    no_args_is_help=True, help="Review what was read without the family: planhub emergency list"
)


@app.command("list")
def list_emergencies(
    closed: Annotated[bool, typer.Option("--closed", help="Also those that were reviewed.")] = False,
    json: JsonFlag = False,
) -> None:
    """List emergencies that wait for review: `planhub emergency list`."""
    from gateway.store import emergencies

    with opened() as hub, hub.db.transaction() as conn:
        rows = emergencies.list_emergencies(conn, reviewed=closed)
    data: list[dict[str, Any]] = [
        {
            "emergency": one.emergency_id,
            "child": one.child_id,
            "agency": one.recipient,
            "requested_by": one.requester,
            "purpose": one.purpose,
            "topics": " ".join(sorted(one.topics)),
            "stated_at": one.stated_at.isoformat(),
            "finding": one.finding.value if one.finding else None,
            "reviewed_by": one.reviewed_by,
        }
        for one in rows
    ]
    if json:
        show_json({"emergencies": data})
        return
    columns = ("emergency", "agency", "purpose", "topics", "stated_at", "finding")
    table([[row[name] for name in columns] for row in data], columns)


@app.command("show")
def show_emergency(
    emergency: Annotated[UUID, typer.Argument(help="Its id.")], json: JsonFlag = False
) -> None:
    """Show what an agency stated: `planhub emergency show ID`."""
    from gateway.exchange.emergency import statement_of
    from gateway.store import emergencies

    with opened() as hub:
        with hub.db.transaction() as conn:
            row = emergencies.find_emergency(conn, emergency)
        if row is None:
            fail(
                "no such emergency", "no agency stated one with that id", "planhub emergency list", Exit.USAGE
            )
        said = statement_of(hub, row)
    if json:
        show_json({"emergency": emergency, "agency": row.recipient, **said})
        return
    for name, value in said.items():
        if value:
            show(f"{name.replace('_', ' ')}: {value}")


@app.command("close")
def close_review(
    emergency: Annotated[UUID, typer.Argument(help="Its id.")],
    finding: Annotated[Finding, typer.Option("--finding", help="What the review found.")],
    note: Annotated[str, typer.Option("--note", help="Why, in a sentence or two.")],
    by: ByOption = "",
    json: JsonFlag = False,
) -> None:
    """Close a review: `planhub emergency close ID --finding justified --note "…"`. It is closed for good."""
    from gateway.exchange.emergency import review

    if not note.strip():
        fail("--note", "it says nothing", "say why", Exit.USAGE)
    with opened() as hub:
        done = review(hub, emergency, finding, by=someone(by), note=note)
    if not done:
        text = "it is closed already, or no agency stated one with that id"
        fail("not closed", text, "planhub emergency list", Exit.CONFLICT)
    if json:
        show_json({"emergency": emergency, "finding": finding.value})
    else:
        say(f"Closed as {finding.value}.")
