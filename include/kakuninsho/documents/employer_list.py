"""One employer's list (送付予定対象者一覧表) as PDF, CSV or XLSX: number, suffix and name, as it was sent.

CSV is UTF-8 with BOM, for spreadsheets; every field is quoted. XLSX holds text only, so that 枝番 00 stays 00. In
both a text that a spreadsheet would take for a formula is made plain: it never runs.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import typst

from kakuninsho.documents.proofs import FONTS

TEMPLATE = Path(__file__).with_name("employer_list.typ")
HEADINGS = ("番号", "枝番", "氏名")
# A spreadsheet reads a cell that begins with one of these as a formula, in Japanese also when it is full-width.
FORMULA_STARTS = frozenset("=+-@＝＋－＠\t\r\n")
REIWA_BEGAN = 2019


@dataclass(frozen=True)
class ListLine:
    """One listed person. Nothing else of a person is on a list (rules: employer lists)."""

    line_number: int
    number: str
    suffix: str
    name: str


@dataclass(frozen=True)
class EmployerList:
    """One employer's list, as frozen in its plan. `listed_on` is the list's day."""

    list_id: str
    plan_id: str
    insurer_number: str
    branch_name: str
    symbol: str
    employer_name: str
    listed_on: date
    lines: tuple[ListLine, ...]


def plain_cell(text: str) -> str:
    """A text as a spreadsheet shows it and never runs it: what looks like a formula gets an apostrophe in front."""
    return f"'{text}" if text[:1] in FORMULA_STARTS else text


def as_csv(employer_list: EmployerList) -> bytes:
    """CSV of a list: UTF-8 with BOM, a header line, CRLF."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(HEADINGS)
    writer.writerows((line.number, line.suffix, plain_cell(line.name)) for line in employer_list.lines)
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(employer_list: EmployerList) -> bytes:
    """XLSX of a list: one sheet of text cells below a header line that stays in view."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    # The list's day, not the clock's: the same list is the same document.
    book.properties.creator = "kakuninsho"
    book.properties.created = book.properties.modified = datetime.combine(employer_list.listed_on, time())
    sheet = book.create_sheet("送付予定対象者一覧表")
    sheet.freeze_panes = "A2"
    for column, width in zip("ABC", (12, 8, 40), strict=True):
        sheet.column_dimensions[column].width = width
    rows = [HEADINGS, *((line.number, line.suffix, line.name) for line in employer_list.lines)]
    for place, row in enumerate(rows):
        cells = []
        for text in row:
            cell = WriteOnlyCell(sheet, value=text)
            # Text whatever it looks like: openpyxl would make a formula of a leading "=".
            cell.data_type, cell.number_format, cell.quotePrefix = "s", "@", text[:1] in FORMULA_STARTS
            if not place:
                cell.font = Font(bold=True)
            cells.append(cell)
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_pdf(employer_list: EmployerList) -> bytes:
    """PDF of a list, for people to read; every page has the heading of the table and the control number."""
    data = {
        "list_id": employer_list.list_id,
        "employer_name": employer_list.employer_name,
        "symbol": employer_list.symbol,
        "branch_name": employer_list.branch_name,
        "listed_on": japanese_date(employer_list.listed_on),
        "line_count": f"{len(employer_list.lines):,}",
        "lines": [
            {"line_number": str(line.line_number), "number": line.number, "suffix": line.suffix, "name": line.name}
            for line in employer_list.lines
        ],
    }
    pages = typst.compile(
        str(TEMPLATE),
        format="pdf",
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        timestamp=datetime.combine(employer_list.listed_on, time(), tzinfo=UTC),
    )
    return pages if isinstance(pages, bytes) else b"".join(pages)


FORMATS = {"pdf": as_pdf, "csv": as_csv, "xlsx": as_xlsx}


def japanese_date(day: date) -> str:
    """A day of the era 令和, which is every day this project writes."""
    year = day.year - REIWA_BEGAN + 1
    return f"令和{'元' if year == 1 else year}年{day.month}月{day.day}日"
