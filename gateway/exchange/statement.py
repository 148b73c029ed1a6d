"""The account of disclosures one law asks for, as a projection of the log: rows, CSV, and a page to print.

34 CFR 99.32, 45 CFR 164.528, 42 CFR 2.24 and the family's own. Each row says whether the section asks for it or the hub
recorded it anyway. The reading is a release on the basis family and an entry, like any other look into the log.
"""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from html import escape
from uuid import UUID

from consent.accounting import REGIME, SECTION, Account, Owed, owed, reaches, years_before
from consent.entry import DisclosureEntry, Entry
from gateway.exchange.accounting import Line, who_saw_what
from gateway.exchange.context import Hub
from gateway.exchange.disclosure import Refused
from gateway.exchange.duties import shipped_duties
from gateway.exchange.naming import agencies
from gateway.exchange.wording import moment_text, purposes_text, topics_text
from gateway.store.configuration import read_place

_FORMULA = ("=", "+", "-", "@", "\t", "\r")

LABEL: Mapping[str, str] = {
    "entry": "Entry",
    "at": "When",
    "kind": "What",
    "party": "Who asked or received",
    "address": "Address, if known",
    "interest": "Why, and on what basis",
    "purpose": "Purpose",
    "description": "What it was about",
    "left": "Did anything leave",
    "further_parties": "Passed on to",
    "threat": "Threat (emergency)",
    "threatened": "Who was threatened",
    "required": "Asked for by law",
    "because": "Paragraph",
    "told": "What happened",
}

COLUMNS: Mapping[Account, tuple[str, ...]] = {
    Account.FERPA: (
        "entry", "at", "kind", "party", "address", "interest", "description", "left", "further_parties", "threat",
        "threatened", "required", "because",
    ),
    Account.HIPAA: ("entry", "at", "party", "address", "description", "purpose", "left", "required", "because"),
    Account.PART2: ("entry", "at", "party", "description", "required", "because"),
    Account.FAMILY: ("entry", "told"),
}  # fmt: skip
"""What each section asks to be told: 99.32(a)(3), (a)(5), (b); 164.528(b)(2); 2.24(a)(1)."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One account. `entry` is the reading's own number, `since` the first day it reaches back to, None for the start;
    `answer_by` is the last day on which the law lets it be given, None where it names none.
    """

    account: Account
    entry: int
    asked_on: date
    since: date | None
    answer_by: date | None
    rows: tuple[Mapping[str, str], ...]


def state(
    hub: Hub, child: UUID, account: Account, *, guardian_link: UUID, requester: str
) -> Statement | Refused:
    """The account for a guardian, or the young person. Refused, and entered as such, where they may not read now."""
    what = f"account of disclosures, {SECTION[account]}"
    found = who_saw_what(hub, child, guardian_link=guardian_link, requester=requester, description=what)
    if isinstance(found, Refused):
        return found
    with hub.db.transaction() as conn:
        place, names = read_place(conn), agencies(conn)
    asked_at = found.lines[-1].entry.at
    asked_on = asked_at.astimezone(place.zone).date()
    years = days = None
    if account in REGIME:
        years, days = shipped_duties().account(place.jurisdiction, asked_on, REGIME[account])
    rows = [
        _row(account, line, due, names, place.zone)
        for line in found.lines
        if reaches(line.entry.at, asked_at, years)
        and (due := owed(account, line.entry, left=line.left)) is not None
    ]
    return Statement(
        account=account,
        entry=found.entry,
        asked_on=asked_on,
        since=years_before(asked_on, years) if years else None,
        answer_by=asked_on + timedelta(days=days) if days else None,
        rows=tuple(rows),
    )


def _row(
    account: Account, line: Line, due: Owed, names: Mapping[str, str], zone: tzinfo
) -> Mapping[str, str]:
    tell = _Teller(line, due, names, zone)
    return {column: _CELL[column](tell) for column in COLUMNS[account]}


@dataclass(frozen=True, slots=True)
class _Teller:
    """What a cell is told from."""

    line: Line
    due: Owed
    names: Mapping[str, str]
    zone: tzinfo

    @property
    def entry(self) -> Entry:
        return self.line.entry

    @property
    def flow(self) -> DisclosureEntry:
        assert isinstance(self.line.entry, DisclosureEntry)  # no law's account holds a change
        return self.line.entry

    def party(self, name: str) -> str:
        return self.names.get(name, name.partition(":")[0])


def _interest(tell: _Teller) -> str:
    return f"{purposes_text([tell.flow.purpose])} ({tell.flow.basis})"


def _about(tell: _Teller) -> str:
    topics = topics_text(tell.line.topics)
    return f"{tell.flow.description}: {topics}" if topics else tell.flow.description


def _threat(tell: _Teller) -> str:
    return tell.flow.emergency.threat_statement if tell.flow.emergency else ""


def _threatened(tell: _Teller) -> str:
    return tell.flow.emergency.affected_person if tell.flow.emergency else ""


_CELL: Mapping[str, Callable[[_Teller], str]] = {
    "entry": lambda tell: str(tell.line.number),
    "at": lambda tell: moment_text(tell.entry.at, tell.zone),
    "kind": lambda tell: tell.entry.kind.value.replace("_", " "),
    "party": lambda tell: tell.party(tell.flow.recipient),
    "address": lambda tell: tell.flow.recipient_address or "",
    "interest": _interest,
    "purpose": lambda tell: purposes_text([tell.flow.purpose]),
    "description": _about,
    "left": lambda tell: "yes" if tell.line.left else "no",
    "further_parties": lambda tell: ", ".join(map(tell.party, tell.flow.onward_parties)),
    "threat": _threat,
    "threatened": _threatened,
    "required": lambda tell: "yes" if tell.due.required else "no, recorded anyway",
    "because": lambda tell: tell.due.because,
    "told": lambda tell: tell.line.sentence,
}


def as_csv(statement: Statement) -> str:
    """RFC 4180 with LF; a cell a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = COLUMNS[statement.account]
    writer.writerow(columns)
    writer.writerows([_plain(row[column]) for column in columns] for row in statement.rows)
    return out.getvalue()


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


_STYLE = """
@page { size: landscape; margin: 1.5cm }
body { font: 11pt/1.4 system-ui, sans-serif; color: #111; background: #fff; margin: 2rem }
h1 { font-size: 16pt; margin: 0 0 .3rem } p { margin: .2rem 0; max-width: 60rem }
table { border-collapse: collapse; margin-top: 1rem; width: 100% } thead { display: table-header-group }
th, td { border: 1px solid #888; padding: .25rem .4rem; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #eee } tr { break-inside: avoid }
"""


def as_html(statement: Statement) -> str:
    """A page that prints well: own style, no script, nothing fetched, every value escaped. It names no child: the office
    writes the name on the print.
    """
    columns = COLUMNS[statement.account]
    head = "".join(f'<th scope="col">{escape(LABEL[column])}</th>' for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(row[column])}</td>' for column in columns)}</tr>\n"
        for row in statement.rows
    )
    title = escape(f"Account of disclosures: {SECTION[statement.account]}")
    told = "".join(f"<p>{escape(line)}</p>\n" for line in _preface(statement))
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n{told}"
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</body>\n</html>\n"
    )


def _preface(statement: Statement) -> list[str]:
    reach = f"since {statement.since.isoformat()}" if statement.since else "since the record began"
    lines = [
        "Name: ______________________________",
        f"Asked on {statement.asked_on.isoformat()}; it reaches back {reach}. This reading is entry {statement.entry} of the log.",
    ]
    if statement.answer_by:
        lines.append(f"To be given by {statement.answer_by.isoformat()}.")
    if statement.account is not Account.FAMILY:
        lines.append(
            "Lines the law does not ask for are recorded anyway and marked so, with the paragraph that excuses them."
        )
    if not statement.rows:
        lines.append("Nothing is on record.")
    return lines
