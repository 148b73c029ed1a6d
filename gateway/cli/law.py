"""`planhub law …`: the law the hub works by, row by row, for whoever has to judge it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.output import JsonFlag, say, show, show_json

if TYPE_CHECKING:
    from consent.duty import Keeping, Notifying
    from consent.law import Law
    from consent.statute import Row

app = typer.Typer(
    no_args_is_help=True, help="The law the hub works by: planhub law show --jurisdiction us-ma"
)


@app.callback()
def law() -> None:
    """The law the hub works by."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One row as it is printed: which table it stands in, the row, what it rules."""

    table: str
    row: "Row | Keeping | Notifying"
    says: str


@app.command("show")
def show_law(
    jurisdiction: Annotated[
        str | None,
        typer.Option("--jurisdiction", help="What holds in this place, such as us-ma; default: every row."),
    ] = None,
    day: Annotated[str, typer.Option("--on", help="Only rows in force on this day, as 2027-06-30.")] = "",
    json: JsonFlag = False,
) -> None:
    """Print every row with its section, days in force and how well its text was read: `planhub law show`.

    verbatim: read word for word. secondary: read in a copy or summary. needs-counsel: not to be relied on before counsel has read it.
    No database is needed; the version is the one that stands in every decision.
    """
    from gateway.cli.named import day_or_fail
    from gateway.exchange.opening import shipped_law

    rules = shipped_law()
    when = day_or_fail("--on", day) if day else None
    if jurisdiction is not None and jurisdiction not in rules.jurisdictions:
        say(
            f"{jurisdiction} has no rows of its own: the default ones hold, and topics they leave out stay closed."
        )
    lines = [*_rules(rules, jurisdiction, when), *_duties(jurisdiction, when)]
    if json:
        show_json({"version": rules.version.hex(), "rows": [_data(line) for line in lines]})
        return
    for line in lines:
        _print(line)
    marks = [line.row.evidence.value for line in lines]
    counted = ", ".join(f"{marks.count(mark)} {mark}" for mark in sorted(set(marks)))
    say(f"{len(lines)} rows: {counted}. Version {rules.version.hex()}.")


def _rules(rules: "Law", jurisdiction: str | None, when: date | None) -> Iterator[_Line]:
    """The rows decisions are made by."""
    rows = rules.rows if jurisdiction is None else rules.rows_of(jurisdiction, when)
    for row in rows:
        if when is None or row.holds(when):
            yield _Line(row.table, row, row.says)


def _duties(jurisdiction: str | None, when: date | None) -> Iterator[_Line]:
    """The duties that bind the hub besides: how long a record is kept, whom to tell of an incident."""
    from gateway.exchange.duties import shipped_duties

    duties = shipped_duties()
    for kept in duties.keeping:
        years = "as long as its source keeps it" if kept.keep_years is None else f"{kept.keep_years} years"
        soon = "" if kept.answer_days is None else f"; an account is given in {kept.answer_days} days"
        if _asked(kept, jurisdiction, when):
            yield _Line("keeping", kept, f"{kept.regime} is kept {years}{soon}")
    for told in duties.notifying:
        soon = "without delay" if told.within_days is None else f"within {told.within_days} days"
        many = "" if told.at_least == 1 else f", from {told.at_least} people"
        if _asked(told, jurisdiction, when):
            yield _Line("notifying", told, f"{told.regime} in wrong hands{many}: tell {told.tell}, {soon}")


def _asked(row: "Keeping | Notifying", jurisdiction: str | None, when: date | None) -> bool:
    return row.holds(row.jurisdiction if jurisdiction is None else jurisdiction, when or row.effective_from)


def _data(line: _Line) -> dict[str, Any]:
    return {"table": line.table, "says": line.says, **line.row.model_dump(mode="json", exclude_none=True)}


def _print(line: _Line) -> None:
    row = line.row
    until = "" if row.effective_until is None else f" until {row.effective_until}"
    show(
        f"{row.id}  [{row.evidence.value}]  {row.jurisdiction}, from {row.effective_from}{until}  {row.section}"
    )
    show(f"    {line.says}")
    quote = getattr(row, "quote", None)
    if quote is not None:
        show(f'    "{quote}"')
    if row.remark is not None:
        show(f"    for counsel: {row.remark}")
