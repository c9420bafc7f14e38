"""A list on demand says what was sent, keeps its zeros, and runs no formula in a spreadsheet."""

from __future__ import annotations

import csv
import io
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from approvals_kit import answer
from kakuninsho.documents.employer_list import EmployerList, ListLine, as_csv, as_pdf, as_xlsx, japanese_date
from kakuninsho.facts.store import FactStore
from kakuninsho.operations.employer_lists import (
    EmployerKey,
    EmployerListError,
    employer_list,
    write_employer_list,
)
from kakuninsho.plans.approvals import APPROVED, REJECTED, Subject
from kakuninsho.printer.lot_file import read_back, write_lot
from kakuninsho.printer.samples import CAMPAIGN, LIST_LOT, LISTED, list_plan
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory

RISKY = ('=HYPERLINK("http://x.example","ここ")', "+1", "-1", "@SUM(1)", "＝１＋１", "＋１", "－１", "＠ＳＵＭ")
FUKUI = EmployerKey("01180017", "12345678")


def made(*names: str) -> EmployerList:
    lines = tuple(ListLine(place, f"{place}", "00", name) for place, name in enumerate(names, start=1))
    return EmployerList("00000000195", "plan", "01180017", "福井支部", "1060708", "株式会社みほん", LISTED, lines)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    store = FactStore(tmp_path / "data")
    store.initialise()
    list_plan(store)
    return Settings(store.data, tmp_path, tmp_path, store.keys, CAMPAIGN)


def rows_of_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def cells_of_xlsx(content: bytes) -> list[list[Any]]:
    return [list(row) for row in load_workbook(io.BytesIO(content)).active.iter_rows()]


# --- the same as was sent -------------------------------------------------------------------------


def test_list_on_demand_has_the_lines_of_the_lot_file_in_their_order(settings: Settings, tmp_path: Path) -> None:
    plan = settings.store.all("plans")[0]
    clear = write_lot(plan, LIST_LOT, CAMPAIGN, tmp_path / "lots")
    read = read_back(clear.path, tmp_path / "read")
    found = employer_list(settings, FUKUI)
    with memory() as connection:
        sent = connection.execute(
            f"select line_number::int, number, suffix, name from '{read['N']}'"
            f" where control_number = '{found.list_id}' order by file_line"
        ).fetchall()
        heads = connection.execute(
            f"select symbol, employer_name, line_count::int from '{read['L']}' where control_number = '{found.list_id}'"
        ).fetchall()
    assert [(line.line_number, line.number, line.suffix, line.name) for line in found.lines] == sent
    assert [(found.symbol, found.employer_name, len(found.lines))] == heads
    assert found.listed_on == LISTED


def test_list_of_a_rejected_plan_was_never_sent_and_is_not_shown(settings: Settings) -> None:
    plan = settings.store.all("plans")[0].name
    answer(settings.store, Subject(plan, "0" * 64), APPROVED, REJECTED, on=LISTED)
    with pytest.raises(EmployerListError, match="no employer list is frozen"):
        employer_list(settings, FUKUI)


def test_an_employer_without_a_list_is_told_why_it_may_be(settings: Settings) -> None:
    with pytest.raises(EmployerListError, match="had no target, was closed, or has no row"):
        employer_list(settings, EmployerKey.parse("01180017-1060708"))


@pytest.mark.parametrize(
    "key", ["01180017", "01180018-1060708", "01180017-106070", "01180017-１０６０７０８", "a-b", ""]
)
def test_a_wrong_employer_key_is_refused_with_what_is_wrong(key: str) -> None:
    with pytest.raises(EmployerListError, match=r"an employer is asked for|none of the 47|7 or 8 digits"):
        EmployerKey.parse(key)


# --- the three formats ----------------------------------------------------------------------------


def test_csv_is_utf8_with_bom_and_holds_number_suffix_and_name_only() -> None:
    content = as_csv(made("山﨑　次郎", '髙橋 "花", 子'))
    assert content.startswith(b"\xef\xbb\xbf")
    assert rows_of_csv(content) == [["番号", "枝番", "氏名"], ["1", "00", "山﨑　次郎"], ["2", "00", '髙橋 "花", 子']]


def test_xlsx_cells_are_text_so_that_leading_zeros_stay() -> None:
    rows = cells_of_xlsx(as_xlsx(made("山﨑　次郎")))
    assert [cell.value for cell in rows[1]] == ["1", "00", "山﨑　次郎"]
    assert {cell.data_type for row in rows for cell in row} == {"s"}
    assert {cell.number_format for row in rows for cell in row} == {"@"}


@pytest.mark.parametrize("name", RISKY)
def test_a_name_that_looks_like_a_formula_never_runs(name: str) -> None:
    (_, row) = rows_of_csv(as_csv(made(name)))
    assert row[2] == f"'{name}"
    cell = cells_of_xlsx(as_xlsx(made(name)))[1][2]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (name, "s", True)


def test_pdf_of_a_list_of_many_pages_is_the_same_document_each_time() -> None:
    long = made(*(f"健保　太郎{place}" for place in range(200)))
    assert as_pdf(long) == as_pdf(long)
    assert as_pdf(long).startswith(b"%PDF")


def test_a_day_is_written_in_the_japanese_calendar() -> None:
    assert [japanese_date(day) for day in (date(2019, 5, 1), date(2025, 6, 16))] == ["令和元年5月1日", "令和7年6月16日"]


# --- the file -------------------------------------------------------------------------------------


def test_file_is_readable_by_its_owner_alone_and_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    write_employer_list(made("山﨑　次郎"), "csv", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(EmployerListError, match="one of pdf, csv, xlsx"):
        write_employer_list(made(), "docx", tmp_path / "list.docx")
    with pytest.raises(EmployerListError, match="make it first"):
        write_employer_list(made(), "csv", tmp_path / "nowhere" / "list.csv")
    assert [item.name for item in tmp_path.iterdir()] == ["list.csv"]


@pytest.mark.parametrize("form", ["pdf", "csv", "xlsx"])
def test_command_writes_each_format(settings: Settings, tmp_path: Path, form: str) -> None:
    from kakuninsho.cli import app

    out = tmp_path / f"list.{form}"
    arguments = ["employer-list", "--employer", "01180017-12345678", "--format", form, "--out", str(out)]
    done = CliRunner().invoke(app, [*arguments, "--data", str(settings.data)])
    assert done.exit_code == 0, done.output
    assert out.stat().st_size > 0
    refused = CliRunner().invoke(
        app, ["employer-list", "--employer", "x", "--out", str(out), "--data", str(settings.data)]
    )
    assert refused.exit_code == 1
