"""The contract is one artefact: every field of it is written, documented, exampled and shown in the golden sample."""

import csv
import io
import re
from datetime import date

import pytest

from kakuninsho.plans.control_numbers import is_control_number
from kakuninsho.printer.charset import encode_cp932, is_printable, printed_width
from kakuninsho.printer.contract_document import DOCUMENT, contract_document
from kakuninsho.printer.layout import (
    ANSWER_KINDS,
    ORDER_KINDS,
    SAMPLES,
    ContractError,
    answer_file_name,
    contract,
    counts_text,
    japanese_date,
    lot_file_name,
    order_file_name,
    parse_counts,
    parse_file_name,
    record_fields,
    table_fields,
)
from kakuninsho.printer.samples import write_samples

SPEC = contract()
LOTS = sorted(SAMPLES.glob("*_lot_*.csv"))
RECORDS = list(SPEC["lot_file"]["records"])


def problem(field, value):
    """Why a value is not of its field; None when it is."""
    if value == "":
        return None if field.get("empty") else "empty"
    kind = field["type"]
    if kind == "code":
        values = field.get("values") or list(SPEC[field["values_from"]])
        return None if value in values else "not a listed value"
    if kind == "text":
        return None if is_printable(value) and printed_width(value) <= field["width"] else "not printable or too wide"
    if kind == "digits":
        form = rf"[0-9]{{{field.get('min', field['length'])},{field['length']}}}"
    else:
        form = {
            "integer": r"0|[1-9][0-9]*",
            "decimal": r"[0-9]+\.[0-9]",
            "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
            "flag": r"[01]",
            "sha256": r"[0-9a-f]{64}",
            "numbers": r"[0-9]{11}( [0-9]{11})*",
            "counts": r"[0-9]{2}:[1-9][0-9]*( [0-9]{2}:[1-9][0-9]*)*",
            "name": rf"[A-Za-z0-9._/-]{{1,{field.get('max', 200)}}}",
        }[kind]
    return None if re.fullmatch(form, value) else f"not {kind}"


def records(path):
    return list(csv.reader(io.StringIO(path.read_bytes().decode("cp932"), newline=""), strict=True))


@pytest.mark.parametrize("path", LOTS, ids=lambda path: path.name)
def test_every_value_of_the_golden_lots_is_of_its_field(path):
    for record in records(path):
        fields = record_fields(record[0])
        assert len(record) == len(fields)
        for field, value in zip(fields, record, strict=True):
            assert problem(field, value) is None, (record[0], field["name"])


def test_golden_lots_show_every_record_type_and_fill_every_field():
    filled = {(record[0], index) for path in LOTS for record in records(path) for index, v in enumerate(record) if v}
    wanted = {(kind, index) for kind in RECORDS for index, _ in enumerate(record_fields(kind))}
    assert {(kind, record_fields(kind)[index]["name"]) for kind, index in wanted - filled} <= {
        ("B", "building"),
        ("L", "building"),
    } - ({("L", "building")} if ("L", 8) in filled else set())


@pytest.mark.parametrize("kind", [kind for kind in SPEC["samples"] if kind not in ("lot", "employer", "employer_list")])
def test_every_value_of_the_golden_orders_and_answers_is_of_its_field(kind):
    text = (SAMPLES / SPEC["samples"][kind]).read_text(encoding="utf-8")
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    fields = table_fields(kind)
    assert header == [field["name"] for field in fields]
    assert len(rows) == parse_file_name(SPEC["samples"][kind]).count
    for row in rows:
        assert [problem(field, value) for field, value in zip(fields, row, strict=True)] == [None] * len(fields)


def test_every_example_is_a_value_of_its_field():
    fields = [field for kind in RECORDS for field in record_fields(kind)]
    kinds = (*ORDER_KINDS, *ANSWER_KINDS)
    fields += [field for kind in kinds for field in table_fields(kind)]
    for field in fields:
        if field["type"] != "sha256":
            assert problem(field, str(field["example"])) is None, field["name"]


def test_every_field_has_a_known_type_and_japanese_words():
    for section in (SPEC["lot_file"]["records"], SPEC["order_files"], SPEC["answer_files"]):
        for item in section.values():
            if isinstance(item, dict) and "fields" in item:
                for field in item["fields"]:
                    assert field["type"] in SPEC["types"] and field["ja"]


def test_golden_sample_comes_out_of_its_plans_byte_for_byte(tmp_path):
    for clear in write_samples(tmp_path / "data", tmp_path / "out"):
        assert clear.path.read_bytes() == (SAMPLES / clear.name).read_bytes(), clear.name


def test_golden_lot_is_in_the_ibm_form_with_quotes_everywhere_and_crlf():
    raw = (SAMPLES / SPEC["samples"]["lot"]).read_bytes()
    assert b"\xfb\xfc" in raw and b"\xfa\xb1" in raw
    assert raw == encode_cp932(raw.decode("cp932"))
    lines = raw.decode("cp932").split("\r\n")
    assert lines[-1] == "" and "\n" not in "".join(lines)
    assert all(line.startswith('"') and line.endswith('"') for line in lines[:-1])


def test_trailer_name_and_records_agree_in_the_golden_lots():
    for path in LOTS:
        rows = records(path)
        trailer = dict(zip([field["name"] for field in record_fields("T")], rows[-1], strict=True))
        header = dict(zip([field["name"] for field in record_fields("H")], rows[0], strict=True))
        kinds = [row[0] for row in rows]
        assert int(trailer["record_count"]) == len(rows)
        assert int(trailer["certificate_count"]) == kinds.count("C") == int(header["certificate_count"])
        assert int(trailer["list_line_count"]) == kinds.count("N")
        assert parse_file_name(path.name).count == int(trailer["envelope_count"]) == int(header["envelope_count"])
        enclosures = parse_counts(trailer["enclosures"])
        assert enclosures.get("20", 0) == kinds.count("C") and enclosures.get("10", 0) == kinds.count("E")
        numbers = [row[1] for row in rows if row[0] in "EBL"]
        assert all(is_control_number(number) for number in numbers) and len(set(numbers)) == len(numbers)


def test_examples_of_control_numbers_check():
    assert all(is_control_number(number) for number in SPEC["control_number"]["examples"])


def test_every_manifest_field_is_said_for_some_file():
    kinds = {"all", *SPEC["file_names"]}
    for field in SPEC["manifest"]["fields"]:
        assert set(field["for"].split(", ")) <= kinds


def test_documentation_is_current():
    assert DOCUMENT.read_text(encoding="utf-8") == contract_document(), (
        "write it again: python -m kakuninsho.printer.contract_document"
    )


def test_every_field_and_code_is_in_the_documentation():
    text = contract_document()
    sections = [record_fields(kind) for kind in RECORDS] + [SPEC["manifest"]["fields"]]
    names = {field["name"] for fields in sections for field in fields}
    codes = {*SPEC["reject_reasons"], *SPEC["return_reasons"], *SPEC["enclosures"]}
    assert all(f"`{name}`" in text for name in names | codes)


def test_newest_change_is_the_revision():
    assert SPEC["changes"][-1]["revision"] == SPEC["revision"]


# --- names -----------------------------------------------------------------------------------------


def test_names_are_made_and_taken_apart():
    day = date(2025, 10, 3)
    lot = parse_file_name(lot_file_name("fy2025", "fy2025-H-18-20251003-01", 4))
    assert (lot.kind, lot.lot_id, lot.count) == ("lot", "fy2025-H-18-20251003-01", 4)
    for kind in ORDER_KINDS:
        name = parse_file_name(order_file_name(kind, "fy2025", day, 1, 0))
        assert (name.kind, name.day, name.ordinal, name.count) == (kind, day, 1, 0)
    for kind in ("acknowledgement", "piece_report", "return_report"):
        name = parse_file_name(answer_file_name(kind, "fy2025", day, 12, 7))
        assert (name.kind, name.day, name.ordinal, name.count) == (kind, day, 12, 7)


@pytest.mark.parametrize(
    "name",
    [
        "pv2_fy2025_ack_20250516_001_2.csv",
        "pv1_fy2025_ack_20251301_001_2.csv",
        "pv1_fy2025_ack_20250516_1_2.csv",
        "pv1_fy2025_ack_20250516_001_02.csv",
        "pv1_fy2025_ack_20250516_001_2.csv.pgp",
        "../pv1_fy2025_ack_20250516_001_2.csv",
        "pv1_fy2025_other_20250516_001_2.csv",
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(ContractError):
        parse_file_name(name)


def test_enclosures_are_written_in_order_of_code_without_zeros():
    assert counts_text({"50": 1, "10": 2, "60": 0}) == "10:2 50:1"
    assert parse_counts("10:2 50:1") == {"10": 2, "50": 1}
    assert counts_text({}) == "" and parse_counts("") == {}


def test_dates_of_reiwa():
    assert japanese_date(date(2029, 11, 30)) == "令和11年11月30日"
    assert japanese_date(date(2019, 5, 1)) == "令和元年5月1日"
    with pytest.raises(ContractError):
        japanese_date(date(2019, 4, 30))
