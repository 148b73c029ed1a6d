import csv
import io
import time
import tracemalloc
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.community.layouts import PLAN_SHEET, WORKLIST, Layout, fold
from adapters.community.sheet import MAX_BYTES, Sheet, neutral, read_sheet, write_csv
from mappings.community import worklist_out
from mappings.record.issue import IssueCode, Severity
from tests.paths import ROOT

HEADER = ("first_name", "last_name", "birth_date", "row_kind", "statement")
AMA = ("Ama", "Boateng", "3/9/2014", "goal", "Reads a chapter a day")
YAW = ("Yaw", "Adu", "Sept 2, 2015", "strength", "Draws maps")


def read(data: bytes, layout: Layout = PLAN_SHEET) -> Sheet:
    return read_sheet(data, layout, name="plan.csv", sheet_id="s1")


def lines(*rows: tuple[str, ...], delimiter: str = ",", end: str = "\r\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    return text.getvalue()


def plain(*rows: tuple[str, ...]) -> bytes:
    return lines(HEADER, *rows).encode()


def workbook(*rows: Any, fill: Any = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    if fill is not None:
        fill(book)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def told(sheet: Sheet) -> list[tuple[Severity, IssueCode, str]]:
    return [(issue.severity, issue.code, issue.path) for issue in sheet.issues]


def names(sheet: Sheet) -> list[str]:
    return [row.cells["first_name"] for row in sheet.rows]


def test_rows_come_by_column_with_their_number_and_an_id():
    sheet = read(plain(AMA, YAW))
    assert sheet.issues == ()
    assert [row.number for row in sheet.rows] == [2, 3]
    assert sheet.rows[0].cells == {"row_id": "s1:2", **dict(zip(HEADER, AMA, strict=True))}


def test_an_id_that_is_in_the_sheet_is_kept():
    data = lines((*HEADER, "Row ID"), (*AMA, "hub-7")).encode()
    assert read(data).rows[0].cells["row_id"] == "hub-7"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "mac_roman"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_every_way_of_saving_gives_the_same_rows(encoding, delimiter, end):
    rows = (HEADER, AMA, ("José", "Núñez", "2014-03-09", "need", "glasses; a pair"))
    sheet = read(lines(*rows, delimiter=delimiter, end=end).encode(encoding))
    assert names(sheet) == ["Ama", "José"]
    assert sheet.rows[1].cells["last_name"] == "Núñez"
    guessed = encoding in {"cp1252", "mac_roman"}
    assert told(sheet) == ([(Severity.WARNING, IssueCode.BAD_ENCODING, "plan.csv")] if guessed else [])


def test_title_rows_other_headings_and_empty_rows_are_survived():
    data = lines(
        ("Riverbend after-school, autumn", "", ""),
        (),
        ("Child's First Name", "SURNAME", "D.O.B.", "Kind", "Goal", "", "Shoe size"),
        ("Ama", "Boateng", "3/9/2014", "goal", "Reads", "", "31"),
        ("", "", ""),
        ("Yaw", "Adu", "9/2/15", "strength"),
    ).encode()
    aliases = {**PLAN_SHEET.aliases, "childsfirstname": "first_name"}
    sheet = read(data, Layout(PLAN_SHEET.columns, PLAN_SHEET.required, aliases=aliases))
    assert names(sheet) == ["Ama", "Yaw"]
    assert [row.number for row in sheet.rows] == [4, 6]
    assert told(sheet) == [
        (Severity.INFORMATION, IssueCode.BAD_HEADER, "plan.csv:1"),
        (Severity.WARNING, IssueCode.UNKNOWN_FIELD, "plan.csv:3:7"),
    ]


def test_dates_are_left_to_the_map():
    assert read(plain(AMA, YAW)).rows[1].cells["birth_date"] == "Sept 2, 2015"


class TestRaggedRows:
    def test_a_row_with_too_many_cells_is_left_out_and_not_shifted(self):
        sheet = read(plain(AMA, (*YAW, "one too many"), (*AMA[:4], "another", "", "")))
        assert names(sheet) == ["Ama", "Ama"]
        assert sheet.rejected == 1
        assert told(sheet) == [(Severity.WARNING, IssueCode.BAD_ROW, "plan.csv:3:6")]

    def test_a_sheet_whose_rows_do_not_belong_to_its_header_is_refused(self):
        sheet = read(plain(*[("x", *AMA)] * 3))
        assert sheet.refused
        assert sheet.rows == ()
        assert (Severity.ERROR, IssueCode.BAD_HEADER, "plan.csv:1") in told(sheet)

    def test_a_row_that_stands_twice_counts_once(self):
        sheet = read(plain(AMA, YAW, AMA))
        assert names(sheet) == ["Ama", "Yaw"]
        assert (sheet.rejected, told(sheet)) == (1, [(Severity.WARNING, IssueCode.DUPLICATE, "plan.csv:4")])

    def test_a_row_without_what_it_needs_is_left_out(self):
        layout = Layout(PLAN_SHEET.columns, PLAN_SHEET.required, needed=("last_name",))
        sheet = read(plain(AMA, ("Esi", "", "", "goal", "x")), layout)
        assert names(sheet) == ["Ama"]
        assert told(sheet) == [(Severity.WARNING, IssueCode.REQUIRED, "plan.csv:3:2")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", IssueCode.BAD_HEADER),
        (b"hello,world\r\n1,2\r\n", IssueCode.BAD_HEADER),
        (lines((*HEADER, "Given name"), (*AMA, "x")).encode(), IssueCode.BAD_HEADER),
        (plain(AMA) + b'Esi,"never closed\r\nYaw,Adu\r\n', IssueCode.BAD_ROW),
        (plain(("x" * 200_000, *AMA[1:])), IssueCode.BAD_ROW),
        (b"\x00\x01\xff" * 50, IssueCode.BAD_ENCODING),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", IssueCode.BAD_ARCHIVE),
        (b"PK\x03\x04 and then nothing", IssueCode.BAD_ARCHIVE),
        (b" " * (MAX_BYTES + 1), IssueCode.TOO_LARGE),
        (plain(*[AMA] * 20_001), IssueCode.TOO_LARGE),
    ],
    ids=["empty", "other", "twice", "quote", "cell", "bytes", "xls", "zip", "large", "rows"],
)
def test_a_sheet_that_cannot_be_read_is_refused_whole_and_says_why(data, code):
    sheet = read(data)
    assert sheet.refused
    assert sheet.rows == ()
    assert [issue.code for issue in sheet.issues if issue.severity is Severity.ERROR] == [code]


def test_issues_never_quote_a_cell():
    data = lines(("Ama", "Boateng", "2014"), AMA, YAW).encode() + plain((*AMA, "Kezia"), ("=Ama", *AMA[1:]))
    for sheet in (
        read(data),
        read(data.split(b"first_name")[0]),
        read(lines((*HEADER, "Boateng"), AMA).encode()),
    ):
        shown = repr(sheet)
        assert not any(word in shown for word in ("Ama", "Boateng", "Kezia"))


class TestFormulas:
    def test_one_in_a_csv_stays_text_and_is_told(self):
        sheet = read(plain(('=HYPERLINK("http://x.invalid","y")', *AMA[1:]), ("Esi", "@SUM(1)", *AMA[2:])))
        assert names(sheet)[0].startswith("=HYPERLINK")
        assert told(sheet) == [
            (Severity.WARNING, IssueCode.FORBIDDEN, "plan.csv:2:1"),
            (Severity.WARNING, IssueCode.FORBIDDEN, "plan.csv:3:2"),
        ]

    def test_a_telephone_number_or_a_negative_number_is_none(self):
        sheet = read(plain((*AMA[:4], "+1 (555) 010-4480"), (*YAW[:4], "-3.5")))
        assert sheet.issues == ()

    def test_one_in_a_workbook_is_left_out(self):
        sheet = read(workbook(HEADER, (*AMA[:4], "=1+1"), YAW))
        assert "statement" not in sheet.rows[0].cells
        assert told(sheet) == [(Severity.WARNING, IssueCode.FORBIDDEN, "plan.csv:2:5")]

    @pytest.mark.parametrize(
        "value", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=x", "''=x", "=cmd|'/C calc'!A0"]
    )
    def test_on_the_way_out_none_is_left(self, value):
        (_, (written, *_)) = csv.reader(
            io.StringIO(write_csv(("a",), [{"a": value}]).decode("utf-8-sig"), newline="")
        )
        assert written.startswith("'")
        assert written == neutral(value)

    @given(
        st.lists(
            st.fixed_dictionaries({}, optional={n: st.text(max_size=20) for n in ("statement", "target")}),
            max_size=5,
        )
    )
    def test_what_is_written_reads_back_as_it_was(self, rows):
        kept = [
            {name: value.replace("\r\n", "\n").replace("\r", "\n").strip() for name, value in row.items()}
            for row in rows
        ]
        full = [dict(zip(HEADER, AMA, strict=True)) | row | {"metric": str(n)} for n, row in enumerate(kept)]
        sheet = read(write_csv((*HEADER, "target", "metric"), full))
        back = [{name: value for name, value in row.cells.items() if name != "row_id"} for row in sheet.rows]
        assert back == [{name: value for name, value in row.items() if value} for row in full]


def test_the_same_rows_give_the_same_bytes_and_a_file_excel_opens():
    rows = [{"referral_id": "r-1", "child_name": "Zoë B."}]
    data = write_csv(WORKLIST.columns, rows, {"child_name": "Child"})
    assert data == write_csv(WORKLIST.columns, rows, {"child_name": "Child"})
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == 2


def test_a_worklist_written_by_us_and_filled_in_comes_back():
    sent = [{"row_id": "d1:1", "referral_id": "rf-7Q", "child_ref": "pair-19", "topic": "activities"}]
    filled = sent[0] | {"status": "done", "outcome": "got help", "sessions": "10"}
    sheet = read(write_csv(WORKLIST.columns, [filled]), WORKLIST)
    assert [dict(row.cells) for row in sheet.rows] == [filled]
    assert sheet.issues == ()


def test_a_worklist_the_hub_itself_wrote_comes_back_without_a_warning():
    sent = dict.fromkeys(worklist_out.COLUMNS, "as sent") | {"row_id": "d1:1"}
    sheet = read(worklist_out.sheet([sent]), WORKLIST)
    assert sheet.issues == ()
    assert [dict(row.cells) for row in sheet.rows] == [sent]


class TestWorkbooks:
    def test_typed_cells_become_the_text_a_person_would_write(self):
        header = (*HEADER, "minutes", "start_date", "started", "due_date")
        row = ("Ama", "Boateng", date(2014, 3, 9), "goal", 5, 30.0, datetime(2026, 9, 1, 14, 30), True, 2.5)  # noqa: DTZ001 - a spreadsheet knows no zone
        (found,) = read(workbook(header, row)).rows
        assert found.cells["birth_date"] == "2014-03-09"
        assert (found.cells["statement"], found.cells["minutes"], found.cells["due_date"]) == (
            "5",
            "30",
            "2.5",
        )
        assert (found.cells["start_date"], found.cells["started"]) == ("2026-09-01 14:30", "yes")

    def test_the_sheet_with_the_header_is_found_and_the_others_are_told(self):
        def add(book: Any) -> None:
            other = book.create_sheet("Plan")
            other.append(["Plans 2026"])
            other.append(HEADER)
            other.append(AMA)

        sheet = read(workbook(("Notes",), ("nothing here",), fill=add))
        assert [row.number for row in sheet.rows] == [3]
        assert (Severity.INFORMATION, IssueCode.BAD_ROW, "plan.csv") in told(sheet)

    def test_merged_title_rows_are_skipped(self):
        def merge(book: Any) -> None:
            book.active.merge_cells("A1:E1")

        assert names(read(workbook(("Riverbend", "", "", "", ""), HEADER, AMA, fill=merge))) == ["Ama"]

    def test_error_cells_are_left_out(self):
        sheet = read(workbook(HEADER, (*AMA[:4], "#REF!"), YAW))
        assert "statement" not in sheet.rows[0].cells
        assert told(sheet) == [(Severity.WARNING, IssueCode.FORBIDDEN, "plan.csv:2:5")]

    def test_a_header_alone_is_an_empty_sheet(self):
        sheet = read(workbook(HEADER))
        assert (sheet.rows, sheet.rejected, sheet.refused) == ((), 0, False)

    def test_damage_is_an_issue(self):
        whole = workbook(HEADER, AMA)
        for data in (
            whole[:-200],
            whole[:500],
            rewritten(whole, "xl/worksheets/sheet1.xml", b"<worksheet><row r='x'>"),
        ):
            sheet = read(data)
            assert sheet.refused
            assert sheet.rows == ()

    def test_entities_are_refused_before_any_parser_sees_them(self):
        laughs = b'<?xml version="1.0"?>' + b" " * 999_990 + b'<!DOCTYPE x [<!ENTITY a "ha">]><worksheet/>'
        sheet = read(rewritten(workbook(HEADER, AMA), "xl/worksheets/sheet1.xml", laughs))
        assert told(sheet) == [(Severity.ERROR, IssueCode.FORBIDDEN, "plan.csv")]

    def test_a_bomb_is_refused(self):
        sheet = read(rewritten(workbook(HEADER, AMA), "xl/worksheets/sheet1.xml", b" " * 70_000_000))
        assert [issue.code for issue in sheet.issues] == [IssueCode.TOO_LARGE]

    def test_claims_of_a_million_rows_or_columns_cost_nothing(self):
        whole = workbook(HEADER, AMA)
        part = zipfile.ZipFile(io.BytesIO(whole)).read("xl/worksheets/sheet1.xml")
        claimed = part.replace(b'ref="A1:E2"', b'ref="A1:XFD1048576"').replace(
            b'<row r="2"', b'<row r="1048576"', 1
        )
        assert claimed != part
        tracemalloc.start()
        started = time.monotonic()
        try:
            sheet = read(rewritten(whole, "xl/worksheets/sheet1.xml", claimed))
            assert tracemalloc.get_traced_memory()[1] < 50_000_000
        finally:
            tracemalloc.stop()
        assert time.monotonic() - started < 10
        assert not sheet.refused


def rewritten(archive: bytes, name: str, data: bytes) -> bytes:
    """The archive with one part replaced."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(archive)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for part in old.namelist():
            new.writestr(part, data if part == name else old.read(part))
    return buffer.getvalue()


@given(st.binary(max_size=400))
def test_no_bytes_whatever_raise(noise):
    for data in (noise, plain(AMA) + noise, b"PK\x03\x04" + noise):
        sheet = read(data)
        assert not (sheet.refused and sheet.rows)


@given(st.lists(st.lists(st.text(max_size=8), max_size=7), max_size=8))
def test_every_row_is_accepted_or_rejected(rows):
    body = lines(*[tuple(row) for row in rows], end="\n")
    sheet = read(lines(HEADER, end="\n").encode() + body.encode())
    if not sheet.refused:
        text = body.replace("\r\n", "\n").replace("\r", "\n")
        held = [row for row in csv.reader(io.StringIO(text)) if any(cell.strip() for cell in row)]
        assert len(sheet.rows) + sheet.rejected == len(held)


@pytest.mark.parametrize(("layout", "resource"), [(WORKLIST, "worklistRow"), (PLAN_SHEET, "planRow")])
def test_the_columns_are_those_the_maps_read(layout, resource):
    table = (ROOT / "mappings" / "community" / "paths.csv").read_text(encoding="utf-8")
    paths = [row["path"].split(".") for row in csv.DictReader(io.StringIO(table))]
    read_by_maps = {path[1] for path in paths if path[0] == resource and len(path) == 2}
    assert set(layout.columns) == read_by_maps
    assert set(layout.aliases.values()) <= set(layout.columns)
    assert all(alias == fold(alias) for alias in layout.aliases)
    assert not {fold(column) for column in layout.columns} & set(layout.aliases)


def test_the_template_of_a_layout_reads_as_itself(tmp_path: Path):
    for layout in (WORKLIST, PLAN_SHEET):
        path = tmp_path / "template.csv"
        path.write_bytes(write_csv(layout.columns, []))
        sheet = read(path.read_bytes(), layout)
        assert (sheet.rows, sheet.issues) == ((), ())
