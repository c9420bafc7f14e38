"""Which rows are rejected, with which column and code (contract register/v1, Rejects)."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from register_deliveries import AS_OF, Row, address, card, clean, deliver, employer, issued, member

from kakuninsho.campaign import Campaign, load_campaign
from kakuninsho.register.contract import BLANK_CHARACTERS, MY_NUMBER_MACROS, holds_my_number
from kakuninsho.register.drops import drop_at
from kakuninsho.register.landing import StagedDrop, stage_drop

KEY_1 = ((18 * 110_000_000 + 1_234_567) * 10_000_000 + 1) * 100


def stage(tmp_path: Path, table: str, rows: list[Row], campaign: Campaign | None = None) -> StagedDrop:
    """A drop whose one table holds these rows."""
    folder = deliver(tmp_path / "register", {**clean(1), table: rows})
    return stage_drop(drop_at(folder), campaign or load_campaign(), tmp_path / "work")


def lenient() -> Campaign:
    """The campaign without a limit of rejects, so that one file can break every rule."""
    campaign = load_campaign()
    return campaign.model_copy(update={"parameters": campaign.parameters.model_copy(update={"max_reject_rate": 1.0})})


def rejects(staged: StagedDrop) -> list[tuple[int, str | None, str]]:
    sql = f"select row_number, column_name, reason_code from '{staged.table('rejects')}' order by all"
    return duckdb.sql(sql).fetchall()


MEMBER_RULES: list[tuple[str, str | None, str]] = [
    ("insurer_number", None, "missing_value"),
    ("insurer_number", "0118001", "bad_format"),
    ("insurer_number", "０１１８００１７", "bad_format"),
    ("insurer_number", "01180018", "bad_code"),  # check digit
    ("insurer_number", "01480013", "bad_code"),  # prefecture 48
    ("insurer_number", "06180016", "bad_code"),  # another kind of insurer
    ("symbol", None, "missing_value"),
    ("symbol", "123456", "bad_format"),
    ("symbol", "123456789", "bad_format"),
    ("symbol", "１２３４５６７", "bad_format"),
    ("symbol", " 1234567", "bad_format"),
    ("number", None, "missing_value"),
    ("number", "0", "bad_format"),
    ("number", "012", "bad_format"),
    ("number", "12345678", "bad_format"),
    ("number", "+12", "bad_format"),
    ("suffix", None, "missing_value"),
    ("suffix", "0", "bad_format"),
    ("suffix", "000", "bad_format"),
    ("relationship", None, "missing_value"),
    ("relationship", "spouse", "bad_code"),
    ("relationship", "Insured", "bad_code"),
    ("relationship", "dependent", "inconsistent"),
    ("enrolment", None, "missing_value"),
    ("enrolment", "retired", "bad_code"),
    ("name", None, "missing_value"),
    ("name", " 　\u2003\u00a0", "missing_value"),
    ("name", "あ" * 201, "bad_format"),
    ("name_kana", "ア" * 201, "bad_format"),
    ("sex", None, "missing_value"),
    ("sex", "m", "bad_code"),
    ("birth_date", None, "missing_value"),
    ("birth_date", "1980-02-30", "bad_date"),
    ("birth_date", "1981-02-29", "bad_date"),
    ("birth_date", "1980-2-9", "bad_date"),
    ("birth_date", "1980/02/29", "bad_date"),
    ("birth_date", "1980-02-29 00:00:00", "bad_date"),
    ("birth_date", "2025-05-01", "bad_date"),  # after as_of
    ("birth_date", "1900-01-01", "bad_date"),
    ("qualified_on", None, "missing_value"),
    ("qualified_on", "20100401", "bad_date"),
    ("qualified_on", "1980-02-28", "inconsistent"),
    ("decided_on", None, "missing_value"),
    ("decided_on", "0000-01-01", "bad_date"),
    ("lost_on", "2025-13-01", "bad_date"),
    ("lost_on", "2010-03-31", "inconsistent"),
    ("protected", None, "missing_value"),
    ("protected", "TRUE", "bad_format"),
    ("protected", "1", "bad_format"),
]


@pytest.fixture(scope="module")
def judged_members(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[str, str]]:
    """A file in which row n breaks rule n: (column, code) by row number."""
    folder = tmp_path_factory.mktemp("members")
    rows = [member(n, **{column: value}) for n, (column, value, _) in enumerate(MEMBER_RULES, 1)]
    staged = stage(folder, "members", [*rows, member(9999999)], campaign=lenient())
    assert staged.files["members"].accepted == 1
    return {row: (str(column), code) for row, column, code in rejects(staged)}


@pytest.mark.parametrize("rule", MEMBER_RULES, ids=lambda rule: "-".join(map(str, rule)))
def test_a_member_row_that_breaks_a_rule_is_rejected(
    judged_members: dict[int, tuple[str, str]], rule: tuple[str, str | None, str]
) -> None:
    column, _, code = rule
    assert judged_members[MEMBER_RULES.index(rule) + 1] == (column, code)


def test_values_on_the_edge_of_a_rule_are_accepted(tmp_path: Path) -> None:
    edges: list[dict[str, str | None]] = [
        {"symbol": "00000001"},
        {"number": "9999999"},
        {"name": "あ" * 200},
        {"name_kana": None},
        {"name_kana": "　"},
        {"name_kana": "ア" * 200},
        {"birth_date": "2025-04-30", "qualified_on": "2025-04-30"},
        {"birth_date": "1900-01-02"},
        {"qualified_on": "1980-02-29"},
        {"lost_on": "2010-04-01"},
        {"lost_on": "2030-01-01"},
        {"insurer_number": "01470012"},
    ]
    staged = stage(tmp_path, "members", [member(n, **edge) for n, edge in enumerate(edges, 1)])
    assert rejects(staged) == []
    assert staged.files["members"].accepted == len(edges)


CARD_RULES = [
    ("suffix", "A0", "bad_format"),
    *[(name, value, code) for name in ("has_card", "number_filed", "registered") for value, code in [
        (None, "missing_value"), ("yes", "bad_format")]],
    ("certificate_expires_on", "2027-02-29", "bad_date"),
    ("registration_cancelled_on", "令和7年4月1日", "bad_date"),
]  # fmt: skip


ISSUED_RULES = [
    ("suffix", "A0", "bad_format"),
    ("issued_on", None, "missing_value"),
    ("valid_until", None, "missing_value"),
    ("valid_until", "2025-02-30", "bad_date"),
    ("valid_until", "2025-01-09", "inconsistent"),
    ("ended_on", "soon", "bad_date"),
    ("ended_on", "2025-01-09", "inconsistent"),
]


def test_a_row_of_an_issued_certificate_that_breaks_a_rule_is_rejected(tmp_path: Path) -> None:
    rows = [issued(n, **{column: value}) for n, (column, value, _) in enumerate(ISSUED_RULES, 1)]
    twice = [issued(91), issued(91), issued(92), issued(92, valid_until="2030-11-30")]
    accepted = [issued(93), issued(93, issued_on="2025-02-03"), issued(94, ended_on="2025-01-10")]
    staged = stage(tmp_path, "issued_certificates", [*rows, *twice, *accepted], lenient())
    expected = [(n, column, code) for n, (column, _, code) in enumerate(ISSUED_RULES, 1)]
    first = len(rows)
    expected += [
        (first + 2, None, "duplicate_row"),
        (first + 3, None, "conflicting_duplicate"),
        (first + 4, None, "conflicting_duplicate"),
    ]
    assert rejects(staged) == expected
    assert staged.files["issued_certificates"].accepted == len(accepted) + 1


def test_a_card_row_that_breaks_a_rule_is_rejected(tmp_path: Path) -> None:
    rows = [card(n, **{column: value}) for n, (column, value, _) in enumerate(CARD_RULES, 1)]
    staged = stage(tmp_path, "my_number_cards", [*rows, card(9999)], campaign=lenient())
    expected = [(n, column, code) for n, (column, _, code) in enumerate(CARD_RULES, 1)]
    assert rejects(staged) == expected


@pytest.mark.parametrize(
    ("table", "row", "column", "code"),
    [
        ("addresses", address(2, insurer_number="01180018"), "insurer_number", "bad_code"),
        ("addresses", address(2, symbol="12-4567"), "symbol", "bad_format"),
        ("addresses", address(2, number=None), "number", "missing_value"),
        ("addresses", address(2, updated_on=None), "updated_on", "missing_value"),
        ("addresses", address(2, updated_on="2020-06-31"), "updated_on", "bad_date"),
        ("employers", employer("2345678", insurer_number=None), "insurer_number", "missing_value"),
        ("employers", employer("234567"), "symbol", "bad_format"),
        ("employers", employer("2345678", closed_on="2025-04-31"), "closed_on", "bad_date"),
    ],
)
def test_addresses_and_employers_are_rejected_for_keys_and_dates(
    tmp_path: Path, table: str, row: Row, column: str, code: str
) -> None:
    first = address(1) if table == "addresses" else employer()
    assert rejects(stage(tmp_path, table, [first, row])) == [(2, column, code)]


def test_the_rules_judge_the_text_of_addresses_not_the_contract(tmp_path: Path) -> None:
    row = address(1, postal_code="〒910", address=None, country=None)
    assert rejects(stage(tmp_path, "addresses", [row])) == []


def test_the_first_column_that_fails_gives_the_code(tmp_path: Path) -> None:
    row = member(2, sex="x", birth_date="nonsense", enrolment=None)
    assert rejects(stage(tmp_path, "members", [row])) == [(1, "enrolment", "missing_value")]


def test_of_exact_duplicates_one_stays(tmp_path: Path) -> None:
    staged = stage(tmp_path, "members", [member(1), member(2), member(1), member(1)])
    assert rejects(staged) == [(3, None, "duplicate_row"), (4, None, "duplicate_row")]
    assert staged.files["members"].accepted == 2


def test_rows_of_one_key_that_differ_are_all_rejected(tmp_path: Path) -> None:
    staged = stage(tmp_path, "members", [member(1), member(2), member(1, sex="male")])
    assert rejects(staged) == [(1, None, "conflicting_duplicate"), (3, None, "conflicting_duplicate")]


def test_keys_conflict_on_raw_rows_also_where_only_one_would_be_valid(tmp_path: Path) -> None:
    staged = stage(tmp_path, "members", [member(1), member(1, birth_date="nonsense")])
    assert rejects(staged) == [(1, None, "conflicting_duplicate"), (2, None, "conflicting_duplicate")]


def test_copies_are_taken_out_before_keys_conflict(tmp_path: Path) -> None:
    staged = stage(tmp_path, "members", [member(1), member(1), member(1, sex="male")])
    assert rejects(staged) == [
        (1, None, "conflicting_duplicate"),
        (2, None, "duplicate_row"),
        (3, None, "conflicting_duplicate"),
    ]


def test_an_incomplete_key_conflicts_with_none(tmp_path: Path) -> None:
    staged = stage(tmp_path, "members", [member(1, symbol=None), member(1, symbol=None, sex="male")])
    assert rejects(staged) == [(1, "symbol", "missing_value"), (2, "symbol", "missing_value")]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_duplicates_are_found_in_every_file(tmp_path: Path, form: str) -> None:
    rows = {
        "members": [member(1), member(1)],
        "addresses": [address(1), address(1, country="KR")],
        "employers": [employer(), employer()],
        "my_number_cards": [card(1), card(1, registered="false")],
    }
    folder = deliver(tmp_path / "register", rows, form=form)
    staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / "work")
    assert {table: file.rejects for table, file in staged.files.items()} == {
        "members": {"duplicate_row": 1},
        "addresses": {"conflicting_duplicate": 2},
        "employers": {"duplicate_row": 1},
        "my_number_cards": {"conflicting_duplicate": 2},
    }


def test_a_reject_carries_its_packed_key_where_it_can_be_read(tmp_path: Path) -> None:
    rows = [member(1, sex="x"), member(2, number="x"), member(3), member(3), member(4), member(4, sex="male")]
    staged = stage(tmp_path, "members", rows)
    sql = f"select row_number, row_key from '{staged.table('rejects')}' order by row_number"
    assert duckdb.sql(sql).fetchall() == [
        (1, KEY_1),
        (2, None),
        (4, None),  # a copy: its key is not rejected
        (5, KEY_1 + 300),
        (6, KEY_1 + 300),
    ]


def test_a_parquet_column_of_another_type_is_read_through_its_text(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from register_deliveries import typed_table, write_manifest

    folder = deliver(tmp_path / "register", clean(2), form="parquet")
    table = typed_table([member(1), member(2)])
    for name, values in {
        "symbol": pa.array([1_234_567, 12], pa.int64()),
        "birth_date": pa.array(["1980-02-29", "1980-02-30"]),
        "protected": pa.array(["true", "false"]),
    }.items():
        table = table.set_column(table.schema.get_field_index(name), name, values)
    pq.write_table(table, folder / "members.parquet")
    write_manifest(folder)
    staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / "work")
    assert rejects(staged) == [(2, "symbol", "bad_format")]


def test_a_parquet_date_outside_the_calendar_of_the_contract_is_a_bad_date(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from register_deliveries import typed_table, write_manifest

    folder = deliver(tmp_path / "register", clean(1), form="parquet")
    table = typed_table([card(1)])
    index = table.schema.get_field_index("certificate_expires_on")
    table = table.set_column(index, "certificate_expires_on", pa.array([4_000_000], pa.date32()))
    pq.write_table(table, folder / "my_number_cards.parquet")
    write_manifest(folder)
    staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / "work")
    assert rejects(staged) == [(1, "certificate_expires_on", "bad_date")]


def test_every_space_of_unicode_leaves_a_name_blank() -> None:
    import sys

    spaces = {chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()}
    # Python also counts the information separators U+001C to U+001F, which Unicode's White_Space leaves out.
    assert spaces - set(BLANK_CHARACTERS) == set("\x1c\x1d\x1e\x1f")
    assert set(BLANK_CHARACTERS) <= spaces


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("123456789018", True),
        ("番号１２３４５６７８９０１８です", True),
        ("1234 5678 9018", True),
        ("1234-5678-9018", True),
        ("１２３４－５６７８－９０１８", True),
        ("090-1234-5678 123456789018", True),
        ("123456789012", False),  # check digit
        ("1234567890189", False),  # thirteen digits: a corporate number
        ("1234-5678-9018-1234", False),
        ("大手三丁目10番1号123", False),
        ("", False),
        (None, False),
    ],
)
def test_a_my_number_is_twelve_digits_whose_check_digit_fits(text: str | None, found: bool) -> None:
    connection = duckdb.connect()
    connection.execute(MY_NUMBER_MACROS)
    sql = f"select coalesce({holds_my_number('text')}, false) from (select cast($1 as varchar) as text)"
    assert connection.execute(sql, [text]).fetchone() == (found,)


def test_the_check_digit_of_my_numbers_is_that_of_the_ordinance() -> None:
    """総務省令85号5条, computed in another way: from the right, Q = n+1 up to 6, then n-5."""
    connection = duckdb.connect()
    connection.execute(MY_NUMBER_MACROS)
    for first in range(10**10 + 7, 10**11, 3_333_333_337):
        digits = [int(digit) for digit in reversed(str(first))]
        remainder = sum(p * (n + 1 if n <= 6 else n - 5) for n, p in enumerate(digits, 1)) % 11
        check = 0 if remainder <= 1 else 11 - remainder
        for last in range(10):
            found = connection.execute("select holds_my_number($1)", [f"{first}{last}"]).fetchone()
            assert found == (last == check,)


def test_as_of_is_the_day_that_birth_dates_are_held_against(tmp_path: Path) -> None:
    assert f"{AS_OF}" == "2025-04-30"
    staged = stage(tmp_path, "members", [member(1, birth_date="2025-05-01", qualified_on="2025-05-01")])
    assert rejects(staged) == [(1, "birth_date", "bad_date")]
