"""An Excel workbook as plain cells: the first sheet that has the header, dates as ISO text, formulas left out."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import openpyxl

from adapters.archive import Archive, Caps, Overrun, open_archive
from adapters.findings import Findings
from mappings.record.issue import Issue, IssueCode

CAPS = Caps(packed=20_000_000, unpacked=80_000_000, entry=60_000_000, entries=500)
MAX_SHEETS = 20
MAX_ROWS = 20_000
MAX_COLUMNS = 201
"""One more than a sheet may have, so that too many are noticed."""

FORMULA = "The cell is a formula; it was not evaluated. Write the value itself."
_ERROR = "The cell shows an error of the spreadsheet; it was left out."
_HEADER_WITHIN = 20
_BLANK_RUN = 200
"""Empty rows in a row after which a sheet counts as ended."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of a cell, and what is wrong with it, if anything."""

    text: str = field(repr=False)
    problem: str | None = None


def read_workbook(
    data: bytes, name: str, findings: Findings, *, fits: Callable[[Sequence[Cell]], bool]
) -> list[list[Cell]] | None:
    """The rows of the first sheet with a row that `fits` near its top, else of the first sheet; None if unreadable."""
    if not _is_safe(data, name, findings):
        return None
    try:
        workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
        try:
            sheets = workbook.worksheets[:MAX_SHEETS]
            tops = [_rows(sheet, _HEADER_WITHIN) for sheet in sheets]
            chosen = next((each for each, top in enumerate(tops) if any(fits(row) for row in top)), 0)
            rows = _rows(sheets[chosen], MAX_ROWS) if sheets else []
        finally:
            workbook.close()
    except Exception:  # noqa: BLE001 - openpyxl raises whatever its parsers meet in a damaged file
        text = "The Excel file is damaged. Open it, save it again as .xlsx, and send it again."
        findings.error(IssueCode.BAD_ARCHIVE, text, file=name)
        return None
    if sum(1 for top in tops if top) > 1:
        text = "The file has several sheets; only the one with the template's header was read."
        findings.inform(IssueCode.BAD_ROW, text, file=name)
    if len(rows) >= MAX_ROWS:
        findings.error(IssueCode.TOO_LARGE, f"The sheet has more than {MAX_ROWS} rows. Split it.", file=name)
        return None
    return rows


def _is_safe(data: bytes, name: str, findings: Findings) -> bool:
    """Whether the file can be given to the parser: bounds hold, and no part declares entities (billion laughs)."""
    archive = open_archive(data, CAPS)
    if isinstance(archive, Issue):
        findings.error(archive.code, archive.text, file=name)
        return False
    with archive:
        try:
            hostile = any(
                _declares_entities(archive, part)
                for part in archive.names
                if part.endswith((".xml", ".rels"))
            )
        except Overrun as fault:
            findings.error(fault.code, fault.text, file=name)
            return False
    if hostile:
        text = (
            "The Excel file declares entities, which no spreadsheet program writes. Save it again as .xlsx."
        )
        findings.error(IssueCode.FORBIDDEN, text, file=name)
    return not hostile


def _declares_entities(archive: Archive, part: str) -> bool:
    """Whether an XML part has a document type, read to its end so that damage and size show here and not later."""
    found, rest = False, b""
    with archive.open(part) as stream:
        while block := stream.read(1_000_000):
            found = found or b"<!DOCTYPE" in rest + block or b"<!ENTITY" in rest + block
            rest = block[-16:]
    return found


def _rows(sheet: Any, limit: int) -> list[list[Cell]]:
    sheet.reset_dimensions()  # the file's own claim about its size is not believed
    rows: list[list[Cell]] = []
    blank = 0
    for row in sheet.iter_rows(max_row=limit, max_col=MAX_COLUMNS):
        cells = [_cell(cell) for cell in row]
        while cells and not cells[-1].text and cells[-1].problem is None:
            cells.pop()
        blank = 0 if cells else blank + 1
        if blank > _BLANK_RUN:
            break
        rows.append(cells)
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return Cell("")
    if cell.data_type == "f":
        return Cell("", FORMULA)
    if cell.data_type == "e":
        return Cell("", _ERROR)
    return Cell(_text(value))


def _text(value: Any) -> str:
    """A typed value as the text a person would write: whole numbers without a point, dates as ISO."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return (
            value.date().isoformat()
            if value.time() == time()
            else value.isoformat(sep=" ", timespec="minutes")
        )
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
