"""`planhub consent verify-guardians`: what a records person found on a registration day, from a CSV, one row a person."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from consent.guardian import Authority, GuardianKind
from gateway.cli.exits import Exit
from gateway.cli.hub import opened
from gateway.cli.named import ByOption, end_of, someone, start_of
from gateway.cli.output import DryRunFlag, JsonFlag, YesFlag, confirm, fail, say, show_json, table
from mappings.record.category import Category

if TYPE_CHECKING:
    from gateway.exchange.context import Hub
    from gateway.exchange.paper import Verification

COLUMNS = ("child", "guardian", "kind", "found", "evidence", "without", "from", "until")
NEEDED = frozenset({"child", "evidence"})
MOST_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class _Unread:
    """A row that cannot be understood: the column, and why. What stands there is never repeated."""

    column: str
    why: str


@dataclass(frozen=True, slots=True)
class _Told:
    """What became of a row."""

    row: int
    result: str
    why: str = ""
    guardian: UUID | None = None
    entries: tuple[int, ...] = ()

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "row": self.row,
            "result": self.result,
            "why": self.why,
            "guardian": self.guardian,
            "entries": self.entries,
        }


def verify_guardians(
    registration: Annotated[Path, typer.Argument(help=f"A CSV with the columns {', '.join(COLUMNS)}.")],
    by: ByOption = "",
    dry_run: DryRunFlag = False,
    yes: YesFlag = False,
    json: JsonFlag = False,
) -> None:
    """Record a registration day: `planhub consent verify-guardians registration.csv --by "Ines Vale"`.

    One row a person: the child and the guardian as the other commands name them, the id or scan of the papers seen, topics they
    leave out, first and last day. A row that cannot be taken stops no other; each is in the log, in your name.
    """
    rows = _rows(registration)
    with opened() as hub:
        read = list(_read(hub, rows, someone(by), hub.place().zone, registration.parent))
        good = [one for one in read if not isinstance(one, _Unread)]
        if not dry_run and good:
            confirm(f"Do you, {someone(by)}, attest that you have seen the papers of {len(good)}?", yes=yes)
        told = list(_tell(hub, read, dry_run=dry_run))
    _print(told, json=json)
    if any(one.why for one in told):
        raise typer.Exit(Exit.CONFLICT)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            rows = [{k: (v or "").strip() for k, v in row.items() if k in COLUMNS} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error):
        fail(str(path), "it cannot be read as CSV in UTF-8", "save it again as CSV, UTF-8", Exit.USAGE)
    wrong = sorted((NEEDED - columns) | (columns - set(COLUMNS)))
    if wrong:
        fail(
            str(path),
            f"columns are missing or unknown: {', '.join(wrong)}",
            f"use {','.join(COLUMNS)}",
            Exit.USAGE,
        )
    if len(rows) > MOST_ROWS:
        fail(str(path), f"it has more than {MOST_ROWS} rows", "split it", Exit.USAGE)
    return rows


def _read(
    hub: "Hub", rows: Iterable[dict[str, str]], by: str, zone: tzinfo, folder: Path
) -> Iterator["Verification | _Unread"]:
    for row in rows:
        try:
            yield _verification(hub, row, by, zone, folder)
        except _NotReadError as fault:
            yield fault.unread


class _NotReadError(Exception):
    def __init__(self, column: str, why: str) -> None:
        self.unread = _Unread(column, why)


def _verification(hub: "Hub", row: dict[str, str], by: str, zone: tzinfo, folder: Path) -> "Verification":
    from gateway.exchange.naming import find_child, find_guardian
    from gateway.exchange.paper import Verification

    child = find_child(hub, row["child"])
    if not isinstance(child, UUID):
        raise _NotReadError("child", child.value)
    link = find_guardian(hub, child, row["guardian"]) if row.get("guardian") else None
    if link is not None and not isinstance(link, UUID):
        raise _NotReadError("guardian", link.value)
    if link is None and not row.get("kind"):
        raise _NotReadError("guardian", "neither guardian nor kind is given")
    try:
        kind = GuardianKind(row["kind"]) if row.get("kind") else None
        found = Authority(row.get("found") or Authority.VERIFIED.value)
        without = frozenset(map(Category, (row.get("without") or "").split()))
    except ValueError:
        raise _NotReadError("kind, found or without", "it holds a word that is none of the list") from None
    if found is Authority.CANDIDATE:
        raise _NotReadError("found", "papers show verified or none")
    since, until = _day(row, "from"), _day(row, "until")
    return Verification(
        child_id=child,
        guardian_link=link,
        kind=kind,
        authority=found,
        evidence_id=_evidence(row["evidence"], folder),
        verified_by=by,
        since=None if since is None else start_of(since, zone),
        until=None if until is None else end_of(until, zone),
        restricted=without,
    )


def _day(row: dict[str, str], column: str) -> date | None:
    try:
        return date.fromisoformat(row[column]) if row.get(column) else None
    except ValueError:
        raise _NotReadError(column, "write a date as 2027-06-30") from None


def _evidence(text: str, folder: Path) -> UUID:
    """The papers' id in the office's own register, or that of the scan beside the CSV."""
    from gateway.exchange.paper import evidence_of

    try:
        return UUID(text)
    except ValueError:
        pass
    try:
        content = (folder / text).read_bytes() if text else b""
    except OSError:
        content = b""
    if not content:
        raise _NotReadError("evidence", "it is neither an id of your register nor a scan that can be read")
    return evidence_of(content)


def _tell(hub: "Hub", read: list["Verification | _Unread"], *, dry_run: bool) -> Iterator[_Told]:
    from gateway.exchange import paper

    good = [one for one in read if not isinstance(one, _Unread)]
    done = iter([] if dry_run else paper.verify_all(hub, good))
    for row, one in enumerate(read, start=2):  # the header is row 1
        if isinstance(one, _Unread):
            yield _Told(row, "not-taken", f"{one.column}: {one.why}")
        elif dry_run:
            yield _Told(row, "would-be-taken", guardian=one.guardian_link)
        else:
            result = next(done)
            if isinstance(result, paper.NotTaken):
                yield _Told(row, "not-taken", result.value)
            else:
                yield _Told(row, one.authority.value, guardian=result.subject, entries=result.entries)


def _print(told: list[_Told], *, json: bool) -> None:
    if json:
        show_json({"rows": [one.shown() for one in told]})
        return
    columns = ("row", "result", "why", "guardian", "entries")
    table(
        [[one.row, one.result, one.why, one.guardian, " ".join(map(str, one.entries))] for one in told],
        columns,
    )
    refused = sum(bool(one.why) for one in told)
    say(f"{len(told) - refused} rows taken, {refused} not.")
