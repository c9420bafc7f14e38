"""Chance, calendar, rates, tracking numbers and the reading of the contract."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

import kakuninsho
from kakuninsho.sandbox import calendar, chance, layout
from kakuninsho.sandbox.errors import SetUpError
from kakuninsho.sandbox.lot_file import RefusedError, read_lot
from kakuninsho.sandbox.production import NUMBERS_PER_REGION, _tracking_sql, tracking_number
from kakuninsho.sandbox.rates import Rates, read_rates

CONTRACT = Path(kakuninsho.__file__).parent / "printer" / "contract"


# --- chance -----------------------------------------------------------------------------------------------


def test_chance_is_the_same_in_python_and_in_sql() -> None:
    expression = chance.draw_sql(2025, "spoiled", "sequence")
    between = chance.between_sql(2025, "delay", "sequence", 4, 20)
    rows = duckdb.sql(f"select sequence, {expression}, {between} from range(500) as numbers(sequence)").fetchall()
    for sequence, drawn, delay in rows:
        assert drawn == chance.draw(2025, "spoiled", sequence)
        assert delay == chance.between(2025, "delay", sequence, 4, 20)


def test_chance_keeps_to_its_rate() -> None:
    condition = chance.happens_sql(1, "x", "n", 0.022)
    (count,) = duckdb.sql(f"select count(*) from range(100000) as numbers(n) where {condition}").fetchone()
    assert 2000 < count < 2400
    never, always = (chance.happens_sql(1, "x", "n", rate) for rate in (0, 1))
    (none, every) = duckdb.sql(
        f"select count(*) filter ({never}), count(*) filter ({always}) from range(1000) as numbers(n)"
    ).fetchone()
    assert (none, every) == (0, 1000)


# --- calendar ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2025, 7, 7), True),
        (date(2025, 7, 5), False),  # Saturday
        (date(2025, 7, 21), False),  # 海の日
        (date(2025, 5, 6), False),  # substitute holiday
        (date(2025, 12, 29), False),
        (date(2026, 1, 2), False),
        (date(2025, 12, 26), True),
    ],
)
def test_worked_days(day: date, worked: bool) -> None:
    assert calendar.works(day) is worked


def test_worked_days_are_counted_from_the_next_one() -> None:
    assert calendar.next_worked(date(2025, 7, 18)) == date(2025, 7, 22)
    assert calendar.add_worked(date(2025, 7, 18), 2) == date(2025, 7, 23)
    assert calendar.on_or_after(date(2025, 7, 19)) == date(2025, 7, 22)


# --- tracking numbers -------------------------------------------------------------------------------------


def test_tracking_number_has_region_bulk_digits_and_a_remainder_of_seven() -> None:
    assert tracking_number(18, 0) == 51860000000 + 5186000000 % 7
    assert str(tracking_number(1, NUMBERS_PER_REGION - 1)).startswith("60199")
    numbers = {tracking_number(47, serial) for serial in range(0, NUMBERS_PER_REGION, 997)}
    assert len(numbers) == len(range(0, NUMBERS_PER_REGION, 997))


def test_the_remainder_agrees_with_a_number_seen_on_a_real_receipt() -> None:
    assert 1311238385 % 7 == 2  # 131-12-38385-2


def test_tracking_numbers_are_the_same_in_sql() -> None:
    sql = _tracking_sql("serial")
    rows = duckdb.sql(
        f"select serial, {sql} from (select range * 7919 as serial, 18 as prefecture from range(1000))"
    ).fetchall()
    assert all(made == tracking_number(18, serial) for serial, made in rows)


# --- rates ------------------------------------------------------------------------------------------------


def test_rates_are_overridden_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    path.write_text(json.dumps({"returned_home": 0.2}))
    assert read_rates(path).returned_home == 0.2
    assert read_rates(path).spoiled == Rates().spoiled


@pytest.mark.parametrize("given", [{"retuned": 0.1}, {"spoiled": 1.5}, {"return_reasons": {"R01": 0.5}}])
def test_rates_that_make_no_sense_are_refused(tmp_path: Path, given: dict[str, Any]) -> None:
    path = tmp_path / "rates.json"
    path.write_text(json.dumps(given))
    with pytest.raises(SetUpError):
        read_rates(path)


def test_every_rate_is_in_the_documented_table_with_its_default() -> None:
    document = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    for name, value in vars(Rates()).items():
        if name != "return_reasons":
            assert f"| `{name}` | {value} |" in document, name
    for reason, share in Rates().return_reasons.items():
        assert f"{reason} {share}" in document


# --- the contract, read twice -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONTRACT / "printer-v1.yaml").read_text(encoding="utf-8"))
    return found


def as_notation(field: dict[str, Any]) -> tuple[str, str, str, bool]:
    argument = ""
    if field["type"] == "code":
        argument = "|".join(field["values"])
    elif field["type"] == "digits":
        argument = f"{field['min']}-{field['length']}" if "min" in field else str(field["length"])
    elif field["type"] == "name":
        argument = str(field["max"])
    elif field["type"] == "text":
        argument = str(field["width"])
    return field["name"], field["type"], argument, bool(field.get("empty"))


def own_reading(text: str) -> list[tuple[str, str, str, bool]]:
    return [(field.name, field.type, field.argument, field.may_be_empty) for field in layout.fields_of(text)]


@pytest.mark.parametrize("record", sorted(layout.RECORDS))
def test_the_printers_reading_of_a_record_is_that_of_the_contract(contract: dict[str, Any], record: str) -> None:
    assert own_reading(layout.RECORDS[record]) == [
        as_notation(field) for field in contract["lot_file"]["records"][record]["fields"]
    ]


@pytest.mark.parametrize("kind", sorted(layout.ORDERS))
def test_the_printers_reading_of_an_order_is_that_of_the_contract(contract: dict[str, Any], kind: str) -> None:
    assert own_reading(layout.ORDERS[kind]) == [as_notation(field) for field in contract["order_files"][kind]["fields"]]


@pytest.mark.parametrize("kind", sorted(layout.ANSWERS))
def test_the_columns_of_answers_are_those_of_the_contract(contract: dict[str, Any], kind: str) -> None:
    assert list(layout.ANSWERS[kind]) == [field["name"] for field in contract["answer_files"][kind]["fields"]]


def test_the_printer_knows_the_record_kinds_and_revision_of_the_contract(contract: dict[str, Any]) -> None:
    assert set(layout.RECORDS) == set(contract["lot_file"]["records"])
    assert contract["contract"] == layout.CONTRACT
    assert {layout.PART, layout.SEALED, layout.MANIFEST} == {
        contract["transport"][f"{name}_suffix"] for name in ("temporary", "sealed", "manifest")
    }


@pytest.mark.parametrize("number", ["00000000195", "00000000292", "12345678978"])
def test_control_numbers_of_the_contract(number: str) -> None:
    assert layout.control_number(int(number) // 100) == number


@pytest.mark.parametrize("name", [path.name for path in sorted((CONTRACT / "samples").glob("*_lot_*.csv"))])
def test_golden_lots_are_read_with_their_totals(name: str) -> None:
    lot = read_lot(CONTRACT / "samples" / name)
    trailer = list(csv.reader(io.StringIO((CONTRACT / "samples" / name).read_bytes().decode("cp932"))))[-1]
    assert [lot.lot_id, str(lot.record_count), *lot.totals().values()] == trailer[1:]


def test_cut_off_after_any_record_a_lot_is_refused(tmp_path: Path) -> None:
    lines = (
        (CONTRACT / "samples" / "pv1_fy2025_lot_fy2025-E-18-20251104-01_3.csv").read_bytes().splitlines(keepends=True)
    )
    for kept in range(len(lines)):
        path = tmp_path / "cut.csv"
        path.write_bytes(b"".join(lines[:kept]))
        with pytest.raises(RefusedError):
            read_lot(path)


def test_printed_width_counts_wide_characters_twice() -> None:
    assert layout.printed_width("髙橋 ｱ1Ａ") == 2 + 2 + 1 + 1 + 1 + 2
