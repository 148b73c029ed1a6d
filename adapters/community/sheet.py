"""Tables from people with a spreadsheet: CSV in whatever encoding, or XLSX; and the worklist written for them.

Survived, each with an issue that names file, row and column (`reference/community.md` §2.3): byte order mark, Windows and
Macintosh letters, semicolons and tabs, title rows above the header, other headings, ragged and repeated rows. Nothing in
a cell is ever evaluated; on the way out no cell can be taken for a formula. Rows count as the spreadsheet shows them.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.community.encoding import decode
from adapters.community.layouts import ROW_ID, Layout
from adapters.community.workbook import FORMULA, MAX_ROWS, Cell, read_workbook
from adapters.findings import Findings
from mappings.record.issue import Issue, IssueCode

MAX_BYTES = 20_000_000
MAX_COLUMNS = 200
MAX_CELL_CHARS = 32_767
HEADER_WITHIN = 20
MOST = 0.5
"""Where more than this share of rows has too many cells, the header does not belong to the rows."""

_XLSX, _XLS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_FORMULA_START = re.compile(r"'*[=+\-@\t\r]")
_QUOTED_FORMULA = re.compile(r"'+[=+\-@\t\r]")
_HARMLESS_SIGN = re.compile(r"[+\-][\d\s().,/-]+")  # a telephone number, a negative number


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row by column name, empty cells left out. `number` is the row as the spreadsheet shows it."""

    number: int
    cells: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as read. Rows that hold anything = `rows` + `rejected`, always. None are given where it is `refused`."""

    rows: tuple[SheetRow, ...]
    rejected: int
    issues: tuple[Issue, ...]
    refused: bool


def read_sheet(data: bytes, layout: Layout, *, name: str, sheet_id: str) -> Sheet:
    """Read a CSV or XLSX file. `name` stands in issues; `sheet_id` makes ids for rows that have none (`sheet_id:row`)."""
    findings = Findings()
    table = _table(data, layout, name, findings)
    rows, rejected = _rows(table, layout, name, sheet_id, findings) if table is not None else ((), 0)
    return Sheet(() if findings.refused else rows, rejected, findings.issues(), findings.refused)


def _table(data: bytes, layout: Layout, name: str, findings: Findings) -> list[list[Cell]] | None:
    """All cells of the file's table, by whatever way it came."""
    if len(data) > MAX_BYTES:
        text = f"The file is larger than {MAX_BYTES // 1_000_000} MB. Split it, or send only the sheet that is asked for."
        findings.error(IssueCode.TOO_LARGE, text, file=name)
        return None
    if data.startswith(_XLS):
        findings.error(
            IssueCode.BAD_ARCHIVE, "This is an old Excel file (.xls). Save it as .xlsx or CSV.", file=name
        )
        return None
    if data.startswith(_XLSX):
        return read_workbook(
            data, name, findings, fits=lambda row: _recognised(row, layout) >= len(layout.required)
        )
    decoded = decode(data)
    if decoded is None:
        text = "The file is neither a spreadsheet nor text. Save it as XLSX, or as CSV in UTF-8."
        findings.error(IssueCode.BAD_ENCODING, text, file=name)
        return None
    if decoded.guessed:
        text = f"The file is not UTF-8; it was read as {decoded.encoding}. Check names with accents; save it as UTF-8."
        findings.warn(IssueCode.BAD_ENCODING, text, file=name)
    return _csv(decoded.text, name, findings)


def _csv(text: str, name: str, findings: Findings) -> list[list[Cell]] | None:
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # one file may mix all three
    head = "\n".join(text.split("\n", HEADER_WITHIN)[:HEADER_WITHIN])
    delimiter = max(",;\t|", key=lambda each: (head.count(each), each == ","))
    table: list[list[Cell]] = []
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    lines = last = 0
    try:
        for cells in reader:
            if len(table) >= MAX_ROWS:
                findings.error(
                    IssueCode.TOO_LARGE, f"The table has more than {MAX_ROWS} rows. Split it.", file=name
                )
                return None
            table.append([_csv_cell(cell) for cell in cells])
            lines, last = reader.line_num - last, reader.line_num
    except csv.Error:
        findings.error(
            IssueCode.BAD_ROW,
            "The row cannot be read: a cell is unreasonably long.",
            file=name,
            row=len(table) + 1,
        )
        return None
    if table and lines > 1 and text.count('"') % 2:
        why = "A quotation mark is opened in this row and never closed, so the rows after it cannot be told apart."
        findings.error(IssueCode.BAD_ROW, why, file=name, row=len(table))
        return None
    return table


def _csv_cell(value: str) -> Cell:
    """A cell of a CSV file; the apostrophe that kept it from being a formula is taken off again."""
    if _QUOTED_FORMULA.match(value):
        return Cell(value[1:])
    return Cell(
        value, FORMULA if _FORMULA_START.match(value) and not _HARMLESS_SIGN.fullmatch(value) else None
    )


def _recognised(row: Sequence[Cell], layout: Layout) -> int:
    return len({layout.column(cell.text) for cell in row} & set(layout.required))


def _rows(
    table: list[list[Cell]], layout: Layout, name: str, sheet_id: str, findings: Findings
) -> tuple[tuple[SheetRow, ...], int]:
    start = _header(table, layout, name, findings)
    if start is None:
        return (), 0
    columns = _columns(table[start], layout, name, findings, start + 1)
    if columns is None:
        return (), 0
    rows: list[SheetRow] = []
    seen: set[frozenset[tuple[str, str]]] = set()
    rejected = overlong = 0
    for number, cells in enumerate(table[start + 1 :], start=start + 2):
        if not any(cell.text.strip() for cell in cells):
            continue
        beyond = any(cell.text.strip() for cell in cells[len(columns) :])
        row = None if beyond else _row(number, cells, columns, layout, name, findings)
        if beyond:
            overlong += 1
            text = "The row has more cells than the header, so values may stand under the wrong heading; it was left out."
            findings.warn(IssueCode.BAD_ROW, text, file=name, row=number, column=len(columns) + 1)
        elif row is not None and frozenset(row.items()) in seen:
            row = None
            findings.warn(IssueCode.DUPLICATE, "The row stands twice; once is enough.", file=name, row=number)
        if row is None:
            rejected += 1
            continue
        seen.add(frozenset(row.items()))
        rows.append(SheetRow(number, {ROW_ID: f"{sheet_id}:{number}", **row}))
    if overlong > MOST * (len(rows) + rejected):
        text = "Most rows have more cells than the header names, so the header does not belong to them. Correct the header."
        findings.error(IssueCode.BAD_HEADER, text, file=name, row=start + 1)
    return tuple(rows), rejected


def _header(table: list[list[Cell]], layout: Layout, name: str, findings: Findings) -> int | None:
    """Where the header stands: the first row with all columns that are required, title rows above it skipped."""
    for number, row in enumerate(table[:HEADER_WITHIN]):
        if _recognised(row, layout) == len(layout.required):
            if any(cell.text.strip() for above in table[:number] for cell in above):
                text = f"{number} rows above the header were skipped."
                findings.inform(IssueCode.BAD_HEADER, text, file=name, row=1)
            return number
    best = max(table[:HEADER_WITHIN], key=lambda row: _recognised(row, layout), default=[])
    present = {layout.column(cell.text) for cell in best}
    missing = ", ".join(column for column in layout.required if column not in present)
    text = f"No row among the first {HEADER_WITHIN} names the columns needed; missing: {missing}. Use the template's header."
    findings.error(IssueCode.BAD_HEADER, text, file=name, row=1)
    return None


def _columns(
    header: list[Cell], layout: Layout, name: str, findings: Findings, row: int
) -> list[str | None] | None:
    """What each position means. A heading nobody knows is told by place: it may be a value in the wrong row."""
    while header and not header[-1].text.strip():
        header = header[:-1]
    if len(header) > MAX_COLUMNS:
        findings.error(
            IssueCode.BAD_HEADER, f"The header has more than {MAX_COLUMNS} columns.", file=name, row=row
        )
        return None
    columns = [layout.column(cell.text) for cell in header]
    for position, (column, cell) in enumerate(zip(columns, header, strict=True), start=1):
        if column is None and cell.text.strip():
            text = f"Column {position} is not one of the template; it was not read."
            findings.warn(IssueCode.UNKNOWN_FIELD, text, file=name, row=row, column=position)
    found = [column for column in columns if column is not None]
    twice = next((column for column in found if found.count(column) > 1), None)
    if twice is not None:
        findings.error(IssueCode.BAD_HEADER, f"Two columns mean {twice}. Remove one.", file=name, row=row)
        return None
    return columns


def _row(
    number: int, cells: list[Cell], columns: list[str | None], layout: Layout, name: str, findings: Findings
) -> dict[str, str] | None:
    """The cells of a row by column; None where it lacks what it needs."""
    row: dict[str, str] = {}
    for position, (cell, column) in enumerate(zip(cells, columns, strict=False), start=1):
        value = cell.text.strip()
        if column is None or not (value or cell.problem):
            continue
        if cell.problem is not None:
            findings.warn(IssueCode.FORBIDDEN, cell.problem, file=name, row=number, column=position)
        if len(value) > MAX_CELL_CHARS:
            findings.warn(
                IssueCode.TOO_LARGE,
                "The cell is too long; the row was left out.",
                file=name,
                row=number,
                column=position,
            )
            return None
        if value:
            row[column] = value
    for column in layout.needed:
        if column not in row:
            text = f"The row was left out because {column} is empty."
            findings.warn(IssueCode.REQUIRED, text, file=name, row=number, column=columns.index(column) + 1)
            return None
    return row or None


def neutral(value: str) -> str:
    """A cell that no spreadsheet takes for a formula: one that begins like one gets an apostrophe in front."""
    return f"'{value}" if _FORMULA_START.match(value) else value


def write_csv(
    columns: Sequence[str], rows: Iterable[Mapping[str, str]], headings: Mapping[str, str] | None = None
) -> bytes:
    """A table for people with a spreadsheet: UTF-8 with a byte order mark (Excel needs it), CRLF, no formula.

    The same rows give the same bytes. `headings` says what to write above a column instead of its name.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([neutral((headings or {}).get(column, column)) for column in columns])
    for row in rows:
        writer.writerow([neutral(row.get(column, "")) for column in columns])
    return text.getvalue().encode("utf-8-sig")
