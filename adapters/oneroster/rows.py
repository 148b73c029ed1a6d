"""One CSV table of a package, row by row: every deviation is a finding with file, row and column.

Tolerated with a warning: a byte order mark, any line ends, column order and case, known misspellings, foreign columns,
cells missing at the end of a row. Refused, since values could stand under the wrong heading: more cells than headings, a
heading twice, a file that is not UTF-8.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from adapters.archive import Archive, Overrun
from adapters.findings import Findings
from adapters.oneroster.tables import COLUMNS, EXTENSION_PREFIXES, PASSWORD, Table, canonical
from mappings.record.issue import IssueCode

MAX_LINE_BYTES = 1_000_000
MAX_CELL_CHARS = 100_000
MAX_COLUMNS = 500

_BOM = b"\xef\xbb\xbf"
_STRICT_RECORD = re.compile(r'(?:"(?:[^"]|"")*+"|[^",\r\n]*+)(?:,(?:"(?:[^"]|"")*+"|[^",\r\n]*+))*+\r?\n?\Z')


@dataclass(slots=True)
class Row:
    """One row by the standard's column names, empty cells left out. `number` counts records, the header being 1."""

    number: int
    cells: dict[str, str] = field(repr=False)
    extensions: dict[str, str] = field(repr=False)


@dataclass(slots=True)
class Cut:
    """How many non-empty passwords were dropped at the door."""

    passwords: int = 0


@dataclass(frozen=True, slots=True)
class _Heading:
    """What stands in each position: a standard column (passwords apart), an extension's own name, a password, or neither."""

    names: tuple[str | None, ...]
    extensions: tuple[tuple[int, str], ...]
    passwords: tuple[int, ...]


class _NotText(Exception):  # noqa: N818 - carries a place, not an error
    def __init__(self, before: str) -> None:
        super().__init__()
        self.before = before


class _Lines:
    """Decoded lines, one at a time and none longer than the cap; remembers those of the current record."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._stream = archive.open(name)
        self._first, self.done = True, False
        self.record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        data = b"" if self.done else self._stream.readline(MAX_LINE_BYTES)
        if len(data) >= MAX_LINE_BYTES:
            raise Overrun(
                IssueCode.TOO_LARGE, "A line is longer than any table has. Check the line ends of the file."
            )
        if self._first:
            data, self._first = data.removeprefix(_BOM), False
        if not data:  # the csv module asks once more where a quotation mark is still open
            self.done = True
            self._stream.close()
            raise StopIteration
        try:
            line = data.decode("utf-8")
        except UnicodeDecodeError as fault:
            raise _NotText(data[: fault.start].decode("utf-8", "replace")) from None
        self.record.append(line)
        return line


def records(archive: Archive, name: str, findings: Findings) -> Iterator[tuple[int, list[str]]]:
    """Raw records of a table with their numbers, the header included; stops at the first thing that cannot be read."""
    number = 0
    try:
        lines = _Lines(archive, name)
        reader = csv.reader(lines)
        while True:
            number, lines.record = number + 1, []
            cells = next(reader)
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue  # an empty line at the end, or between blocks
            if lines.done or len(lines.record) > 1 or ('"' in lines.record[0] and '"' in "".join(cells)):
                _check_quotes(lines.record, name, number, findings)
            yield number, cells
    except StopIteration:
        return
    except _NotText as fault:
        column = _column(fault.before)
        text = "The file is not UTF-8 here. Export it again as UTF-8; nothing of it was taken over."
        findings.error(IssueCode.BAD_ENCODING, text, file=name, row=number, column=column)
    except csv.Error:
        text = "The row cannot be read as CSV: a cell is unreasonably long, or line ends are mixed inside it."
        findings.error(IssueCode.BAD_ROW, text, file=name, row=number)
    except Overrun as fault:
        findings.error(fault.code, fault.text, file=name, row=number or None)


def _column(before: str) -> int:
    """Which cell a line breaks off in."""
    try:
        return len(next(csv.reader([before]), [])) or 1
    except csv.Error:  # a lone carriage return in front of it
        return before.count(",") + 1


def _check_quotes(record: list[str], name: str, number: int, findings: Findings) -> None:
    """Quotation marks that do not follow RFC 4180: inside one line they are text, over several they hide rows."""
    if _STRICT_RECORD.fullmatch("".join(record)):
        return
    if len(record) != 1 or len(list(csv.reader([record[0], "the next row\n"]))) == 1:
        text = "A quotation mark is opened and never closed as it should be, so rows cannot be told apart."
        findings.error(IssueCode.BAD_ROW, text, file=name, row=number)
        return
    text = "A quotation mark stands in a cell that is not quoted; it was read as it stands. Quote such cells."
    findings.warn(IssueCode.BAD_ROW, text, file=name, row=number)


def rows(archive: Archive, name: str, table: Table, findings: Findings, cut: Cut) -> Iterator[Row]:
    """The rows of a table under the standard's column names. Passwords are dropped and counted."""
    source = records(archive, name, findings)
    header = next(source, None)
    if header is None:
        if not findings.refused:
            findings.error(
                IssueCode.BAD_HEADER, "The file is empty; its first row must name the columns.", file=name
            )
        return
    heading = _heading(header[1], name, table, findings)
    if heading is None:
        deque(source, maxlen=0)  # read on, so that everything that is wrong with the file is told at once
        return
    for number, cells in source:
        if len(cells) > len(heading.names) and any(cell.strip() for cell in cells[len(heading.names) :]):
            text = (
                f"The row has {len(cells)} cells under {len(heading.names)} headings, so values may stand under the "
                "wrong heading. Quote cells that hold a comma; nothing of the package was taken over."
            )
            findings.error(IssueCode.BAD_ROW, text, file=name, row=number, column=len(heading.names) + 1)
            return
        row = _row(number, cells, heading, cut)
        if _is_complete(row, cells, heading, name, table, findings):
            yield row


def _heading(headings: list[str], name: str, table: Table, findings: Findings) -> _Heading | None:
    """What the header row means; None where the table cannot be read at all. Foreign headings are never quoted."""
    if len(headings) > MAX_COLUMNS:
        findings.error(
            IssueCode.BAD_HEADER, f"The header has more than {MAX_COLUMNS} columns.", file=name, row=1
        )
        return None
    names = [canonical(table, heading) for heading in headings]
    extensions: list[tuple[int, str]] = []
    for position, (heading, known) in enumerate(zip(headings, names, strict=True), start=1):
        extension = known is None and heading.strip().lower().startswith(EXTENSION_PREFIXES)
        if extension:
            extensions.append((position - 1, heading.strip()))
        elif known is None and heading.strip():
            text = f"Column {position} is not one of OneRoster's {table.value} columns; it was not read."
            findings.warn(IssueCode.UNKNOWN_FIELD, text, file=name, row=1, column=position)
        elif known is not None and heading != known:
            text = f"Column {position} was read as {known}; OneRoster spells it exactly so."
            findings.inform(IssueCode.BAD_HEADER, text, file=name, row=1, column=position)
    found = [each for each in names if each is not None]
    twice = next((each for each in found if found.count(each) > 1), None)
    if twice is not None:
        findings.error(IssueCode.BAD_HEADER, f"The column {twice} stands twice.", file=name, row=1)
        return None
    missing = [each for each in COLUMNS[table].required if each not in found]
    if missing:
        text = f"The column {missing[0]} is missing from the header. Add it; the first row must name the columns."
        findings.error(IssueCode.BAD_HEADER, text, file=name, row=1)
        return None
    passwords = [number for number, name in enumerate(names) if name == PASSWORD]
    passwords += [number for number, name in extensions if PASSWORD in name.lower()]
    return _Heading(
        tuple(None if name == PASSWORD else name for name in names),
        tuple((number, name) for number, name in extensions if number not in passwords),
        tuple(passwords),
    )


def _row(number: int, cells: list[str], heading: _Heading, cut: Cut) -> Row:
    known = {
        name: value
        for name, cell in zip(heading.names, cells, strict=False)
        if name is not None and (value := cell.strip())
    }
    for at in heading.passwords:
        cut.passwords += at < len(cells) and bool(cells[at].strip())
    extensions = {
        name: value for at, name in heading.extensions if at < len(cells) and (value := cells[at].strip())
    }
    return Row(number, known, extensions)


def _is_complete(
    row: Row, cells: list[str], heading: _Heading, name: str, table: Table, findings: Findings
) -> bool:
    """Whether the row can be used; a row that lacks what it needs is left out with a warning."""
    required = COLUMNS[table].required
    if not row.cells.keys() >= set(required):
        missing = next(each for each in required if each not in row.cells)
        column = heading.names.index(missing) + 1
        text = f"The row was left out because {missing} is empty."
        findings.warn(IssueCode.REQUIRED, text, file=name, row=row.number, column=column)
        return False
    if len(cells) < len(heading.names):
        text = f"The row has {len(cells)} cells under {len(heading.names)} headings; the missing ones count as empty."
        findings.warn(IssueCode.BAD_ROW, text, file=name, row=row.number)
    if max(map(len, row.cells.values())) > MAX_CELL_CHARS:
        findings.warn(
            IssueCode.TOO_LARGE,
            "The row was left out because a cell is unreasonably long.",
            file=name,
            row=row.number,
        )
        return False
    return True
