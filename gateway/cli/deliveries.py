"""`planhub deliveries …`: what was sent, what waits, what failed and why, and sending again."""

from typing import Annotated
from uuid import UUID

import typer

from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.output import DryRunFlag, JsonFlag, YesFlag, confirm, fail, say, show, show_json, table
from gateway.store.deliverystate import DeliveryState

app = typer.Typer(no_args_is_help=True, help="Deliveries: planhub deliveries list --group-by cause")

StateOption = Annotated[
    list[DeliveryState] | None, typer.Option("--state", help="Only these states; may be given twice.")
]


@app.command("list")
def list_(
    state: StateOption = None,
    agency: Annotated[str | None, typer.Option("--agency", help="Only to this agency.")] = None,
    group_by: Annotated[
        str | None, typer.Option("--group-by", help="`cause`: a thousand failures have few causes.")
    ] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=10_000)] = 200,
    json: JsonFlag = False,
) -> None:
    """List deliveries, newest first: `planhub deliveries list --state dead --group-by cause`."""
    from gateway.store import outbox

    if group_by not in {None, "cause"}:
        fail(
            f"--group-by {group_by}",
            "deliveries are grouped by cause only",
            "planhub deliveries list --group-by cause",
            Exit.USAGE,
        )
    with opened() as hub, hub.db.transaction() as conn:
        if group_by:
            rows = [
                r
                for r in outbox.by_cause(conn)
                if (not state or r["state"] in state) and agency in {None, r["recipient"]}
            ]
            columns: tuple[str, ...] = ("deliveries", "recipient", "state", "cause", "since")
        else:
            rows = outbox.list_deliveries(conn, states=state, recipient=agency, most=most)
            columns = ("delivery_id", "recipient", "topic", "state", "reason", "attempts", "updated_at")
    if json:
        show_json({"deliveries": [{c: r[c] for c in columns} for r in rows]})
    else:
        table([[r[c] for c in columns] for r in rows], columns)


def _find(conn: object, prefix: str) -> UUID:
    """A delivery by a unique beginning of its id."""
    from sqlalchemy import Connection, Text, cast, select

    from gateway.store.tables import delivery

    assert isinstance(conn, Connection)
    wanted = prefix.lower()
    if not wanted or set(wanted) - set("0123456789abcdef-"):
        fail(f"{prefix} is not a delivery id", "ids are hexadecimal", "planhub deliveries list", Exit.USAGE)
    statement = (
        select(delivery.c.delivery_id).where(cast(delivery.c.delivery_id, Text).startswith(wanted)).limit(2)
    )
    found = [row[0] for row in conn.execute(statement)]
    if len(found) != 1:
        why = "several deliveries begin so" if found else "no delivery begins so"
        fail(f"no single delivery {prefix}", why, "planhub deliveries list shows whole ids", Exit.USAGE)
    return UUID(str(found[0]))


@app.command("show")
def show_one(
    delivery: Annotated[str, typer.Argument(help="Its id, or a unique beginning of it.")],
    json: JsonFlag = False,
) -> None:
    """Show one delivery and every attempt: `planhub deliveries show 0193`. Contents are never shown."""
    from gateway.store import outbox

    with opened() as hub, hub.db.transaction() as conn:
        found = outbox.show(conn, _find(conn, delivery))
    assert found is not None
    row, attempts = found
    plain = {k: v for k, v in row.items() if k not in {"receipt", "payload_digest", "child_id"}}
    columns = ("n", "at", "result", "cause", "status_code", "milliseconds", "entry_seq")
    if json:
        show_json({"delivery": plain, "attempts": [{c: a[c] for c in columns} for a in attempts]})
        return
    for name, value in plain.items():
        show(f"{name}: {'' if value is None else value}")
    table([[a[c] for c in columns] for a in attempts], columns)


@app.command()
def resend(
    delivery: Annotated[str | None, typer.Argument(help="One delivery, by id or a unique beginning.")] = None,
    cause: Annotated[str | None, typer.Option("--cause", help="All that ended with this cause.")] = None,
    agency: Annotated[str | None, typer.Option("--agency", help="With --cause: only to this agency.")] = None,
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
) -> None:
    """Send again what is dead, held or withheld: `planhub deliveries resend --cause http-4xx --dry-run`.

    Consent is decided again at each send: what a family stopped stays withheld.
    """
    from gateway.store import outbox

    if (delivery is None) == (cause is None):
        fail(
            "what to resend",
            "give one delivery or --cause, not both",
            "planhub deliveries list --group-by cause",
            Exit.USAGE,
        )
    with opened() as hub:
        with hub.db.transaction() as conn:
            if delivery is not None:
                wanted = [_find(conn, delivery)]
            else:
                states = [DeliveryState.DEAD, DeliveryState.HELD, DeliveryState.WITHHELD]
                rows = outbox.list_deliveries(conn, states=states, recipient=agency, most=10_000)
                wanted = [r["delivery_id"] for r in rows if r["reason"] == cause]
        say(f"Will try {len(wanted)} again; consent is decided at each send.")
        if dry_run or not wanted:
            return
        confirm("Continue?", yes=yes)
        with hub.db.transaction() as conn:
            lanes = [outbox.resend(conn, one, hub.clock()) for one in wanted]
    done = sum(lane is not None for lane in lanes)
    say(f"{done} are due again; the workers take them within a minute.")
    if done < len(wanted):
        raise typer.Exit(Exit.CONFLICT)
