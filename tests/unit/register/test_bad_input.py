"""Each bad drop ends in one clear message and no fact; what was there before is untouched."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from register_deliveries import (
    AS_OF,
    NUMBER,
    PERSONAL,
    address,
    card,
    clean,
    csv_bytes,
    deliver,
    employer,
    member,
    typed_table,
    write_manifest,
)
from typer.testing import CliRunner

from kakuninsho.campaign import load_campaign
from kakuninsho.facts.store import FactStore
from kakuninsho.register.commands import app
from kakuninsho.register.drops import drop_at, list_drops
from kakuninsho.register.errors import Reason, RegisterDropError
from kakuninsho.register.landing import land_register, stage_drop

MY_NUMBER = "123456789018"
ROWS = {**clean(20), "members": [member(n) for n in range(1, 20)] + [member(int(NUMBER))]}


def missing_file(folder: Path) -> None:
    (folder / "employers.csv").unlink()


def truncated_parquet(folder: Path) -> None:
    path = folder / "addresses.parquet"
    duckdb.sql(f"copy (select * from read_csv('{folder}/addresses.csv', all_varchar = true)) to '{path}'")
    path.write_bytes(path.read_bytes()[:-200])
    (folder / "addresses.csv").unlink()
    write_manifest(folder)


def text_called_parquet(folder: Path) -> None:
    (folder / "addresses.csv").rename(folder / "addresses.parquet")
    write_manifest(folder)


def wrong_hash(folder: Path) -> None:
    with (folder / "members.csv").open("ab") as file:
        file.write(csv_bytes([member(21)]).split(b"\r\n")[1] + b"\r\n")


def more_rows_promised(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for file in manifest["files"]:
        file["rows"] += file["name"] == "members.csv"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def a_column_too_few(folder: Path) -> None:
    columns = [name for name in member() if name != "decided_on"]
    (folder / "members.csv").write_bytes(csv_bytes(ROWS["members"], columns))
    write_manifest(folder)


def no_header_line(folder: Path) -> None:
    content = csv_bytes(ROWS["members"]).split(b"\r\n", 1)[1]
    (folder / "members.csv").write_bytes(content)
    write_manifest(folder)


def a_column_twice(folder: Path) -> None:
    lines = csv_bytes(ROWS["members"]).decode().splitlines()
    (folder / "members.csv").write_text("\n".join(f"{line},{line.split(',')[6]}" for line in lines), encoding="utf-8")
    write_manifest(folder)


def my_number_in_a_name(folder: Path) -> None:
    rows = [*ROWS["members"], member(30, name=f"福井{MY_NUMBER}")]
    (folder / "members.csv").write_bytes(csv_bytes(rows))
    write_manifest(folder)


def my_number_in_an_address(folder: Path) -> None:
    (folder / "addresses.csv").write_bytes(csv_bytes([address(1, building="１２３４　５６７８　９０１８")]))
    write_manifest(folder)


def my_number_in_a_column_more(folder: Path) -> None:
    (folder / "employers.csv").write_bytes(csv_bytes([{**employer(), NUMBER: MY_NUMBER}]))
    write_manifest(folder)


def my_number_in_a_date(folder: Path) -> None:
    (folder / "my_number_cards.csv").write_bytes(csv_bytes([card(1, certificate_expires_on=MY_NUMBER)]))
    write_manifest(folder)


def no_rows(folder: Path) -> None:
    (folder / "my_number_cards.csv").write_bytes(csv_bytes([], list(card())))
    write_manifest(folder)


def no_bytes(folder: Path) -> None:
    (folder / "my_number_cards.csv").write_bytes(b"")
    write_manifest(folder)


def cp932(folder: Path) -> None:
    (folder / "members.csv").write_bytes(csv_bytes(ROWS["members"]).decode().encode("cp932"))
    write_manifest(folder)


def cp932_far_down(folder: Path) -> None:
    rows = csv_bytes([address(n, address="x", building=None) for n in range(1, 30_000)])
    (folder / "addresses.csv").write_bytes(rows + csv_bytes([address(1)]).decode().encode("cp932"))
    write_manifest(folder)


def a_quotation_mark_lost(folder: Path) -> None:
    content = csv_bytes(ROWS["members"]).decode()
    (folder / "members.csv").write_text(content.replace(PERSONAL[0], '"' + PERSONAL[0], 1), encoding="utf-8")
    write_manifest(folder)
    more_rows_promised(folder)


def a_quotation_mark_lost_in_a_large_file(folder: Path) -> None:
    rows = [address(n) for n in range(1, 30_000)]
    content = csv_bytes(rows).decode().replace(PERSONAL[3], "x").replace("福井県", 'a"福井県', 1).replace('a"', '"')
    (folder / "addresses.csv").write_text(content, encoding="utf-8", newline="")
    write_manifest(folder)


def a_line_of_megabytes(folder: Path) -> None:
    (folder / "members.csv").write_bytes(csv_bytes([*ROWS["members"][:19], member(99, name="あ" * 2_000_000)]))
    write_manifest(folder)


def cut_inside_a_character(folder: Path) -> None:
    content = csv_bytes(ROWS["members"])
    (folder / "members.csv").write_bytes(content[: content.rindex("花".encode()) + 1])
    write_manifest(folder)


def mixed_line_ends(folder: Path) -> None:
    content = csv_bytes(ROWS["members"])
    lines = content.split(b"\r\n")
    (folder / "members.csv").write_bytes(b"\r\n".join(lines[:20]) + b"\n" + lines[20] + b"\r\n")
    write_manifest(folder)


def utf_16(folder: Path) -> None:
    (folder / "members.csv").write_bytes(csv_bytes(ROWS["members"]).decode().encode("utf-16-le"))
    write_manifest(folder)


def cesu_8(folder: Path) -> None:
    surrogates = "\ud842\udfb7".encode("utf-8", "surrogatepass")
    (folder / "members.csv").write_bytes(csv_bytes(ROWS["members"]).replace("越".encode(), surrogates))
    write_manifest(folder)


def a_nul(folder: Path) -> None:
    (folder / "members.csv").write_bytes(csv_bytes(ROWS["members"]).replace("越".encode(), b"\0", 1))
    write_manifest(folder)


def a_column_twice_in_other_case(folder: Path) -> None:
    (folder / "members.csv").write_bytes(csv_bytes([{**row, "PROTECTED": "true"} for row in ROWS["members"]]))
    write_manifest(folder)


def as_parquet(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(typed_table(ROWS["members"])), folder / "members.parquet")
    (folder / "members.csv").unlink()
    write_manifest(folder)


def a_parquet_column_twice(folder: Path) -> None:
    as_parquet(folder, lambda table: table.append_column("protected", pa.array([True] * 20)))


def a_parquet_column_twice_in_other_case(folder: Path) -> None:
    as_parquet(folder, lambda table: table.append_column("Protected", pa.array([True] * 20)))


def names_of_bytes(folder: Path, last: bytes) -> None:
    def change(table: pa.Table) -> pa.Table:
        values = pa.array([b"x"] * 19 + [last], pa.binary())
        text = pa.StringArray.from_buffers(20, *values.buffers()[1:], values.buffers()[0])
        return table.set_column(table.schema.get_field_index("name"), "name", text)

    as_parquet(folder, change)


def parquet_text_in_cp932(folder: Path) -> None:
    names_of_bytes(folder, "山田".encode("cp932"))


def parquet_text_in_cesu_8(folder: Path) -> None:
    names_of_bytes(folder, "\ud842\udfb7".encode("utf-8", "surrogatepass"))


def parquet_text_with_nul(folder: Path) -> None:
    names_of_bytes(folder, b"a\0b")


def too_many_bad_rows(folder: Path) -> None:
    rows = [member(n, sex=PERSONAL[0] if n <= 6 else "male") for n in range(1, 100)]
    (folder / "members.csv").write_bytes(csv_bytes(rows))
    write_manifest(folder)


def too_many_repeated_keys(folder: Path) -> None:
    (folder / "members.csv").write_bytes(csv_bytes([*ROWS["members"], *ROWS["members"][:6]]))
    write_manifest(folder)


def unknown_contract(folder: Path) -> None:
    write_manifest(folder, contract="register/v2")


def wrong_as_of(folder: Path) -> None:
    write_manifest(folder, as_of="2025-04-29")


BAD_INPUTS: list[tuple[Callable[[Path], None], Reason, str]] = [
    (missing_file, Reason.MISSING_FILE, "employers.csv"),
    (truncated_parquet, Reason.UNREADABLE, "addresses.parquet"),
    (text_called_parquet, Reason.UNREADABLE, "addresses.parquet"),
    (wrong_hash, Reason.WRONG_HASH, "members.csv"),
    (more_rows_promised, Reason.WRONG_ROW_COUNT, "promises 21 rows and the file holds 20"),
    (a_column_too_few, Reason.MISSING_COLUMN, "decided_on"),
    (no_header_line, Reason.MISSING_COLUMN, "insurer_number"),
    (a_column_twice, Reason.MISSING_COLUMN, "name is there twice"),
    (my_number_in_a_name, Reason.MY_NUMBER, "stands in name (1 row)"),
    (my_number_in_an_address, Reason.MY_NUMBER, "stands in building (1 row)"),
    (my_number_in_a_column_more, Reason.MY_NUMBER, "stands in a column more (1 row)"),
    (my_number_in_a_date, Reason.MY_NUMBER, "stands in certificate_expires_on (1 row)"),
    (no_rows, Reason.EMPTY_FILE, "my_number_cards.csv"),
    (no_bytes, Reason.MISSING_COLUMN, "my_number_cards.csv"),
    (cp932, Reason.NOT_UTF8, "from line 2 on"),
    (cp932_far_down, Reason.NOT_UTF8, "from line 30002 on"),
    (a_quotation_mark_lost, Reason.UNREADABLE, "a quotation mark"),
    (a_quotation_mark_lost_in_a_large_file, Reason.UNREADABLE, "from line 2 on"),
    (a_line_of_megabytes, Reason.UNREADABLE, "from line 21 on"),
    (cut_inside_a_character, Reason.NOT_UTF8, "from line 21 on"),
    (mixed_line_ends, Reason.UNREADABLE, "line ends differ (CRLF and LF) from line 20 on"),
    (utf_16, Reason.NOT_UTF8, "UTF-16"),
    (cesu_8, Reason.NOT_UTF8, "CESU-8"),
    (a_nul, Reason.UNREADABLE, "NUL character (U+0000) from line 2 on"),
    (a_column_twice_in_other_case, Reason.MISSING_COLUMN, "protected is there twice"),
    (a_parquet_column_twice, Reason.MISSING_COLUMN, "protected is there twice"),
    (a_parquet_column_twice_in_other_case, Reason.MISSING_COLUMN, "protected is there twice"),
    (parquet_text_in_cp932, Reason.NOT_UTF8, "column name: not UTF-8 (CP932"),
    (parquet_text_in_cesu_8, Reason.NOT_UTF8, "column name: not UTF-8 but CESU-8"),
    (parquet_text_with_nul, Reason.NOT_UTF8, "in row 20"),
    (too_many_bad_rows, Reason.TOO_MANY_REJECTS, "(sex bad_code 6, first in row 1, 2, 3)"),
    (too_many_repeated_keys, Reason.TOO_MANY_REJECTS, "suffix) repeated, at least 6, first in row 1, 2, 3"),
    (unknown_contract, Reason.UNKNOWN_CONTRACT, "register/v1"),
    (wrong_as_of, Reason.WRONG_AS_OF, "manifest.json"),
]
by_name = pytest.mark.parametrize(
    ("spoil", "reason", "said"), BAD_INPUTS, ids=[spoil.__name__ for spoil, _, _ in BAD_INPUTS]
)


@by_name
def test_a_bad_drop_ends_in_one_message_and_no_fact(
    tmp_path: Path, spoil: Callable[[Path], None], reason: Reason, said: str
) -> None:
    store = FactStore(tmp_path / "data")
    store.initialise()
    earlier = deliver(tmp_path / "register", as_of=date(2025, 3, 31))
    land_register(store, stage_drop(drop_at(earlier), load_campaign(), tmp_path / "work"), date(2025, 3, 31))
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    folder = deliver(tmp_path / "register", ROWS, as_of=AS_OF)
    spoil(folder)

    with pytest.raises(RegisterDropError) as refusal:
        land_register(store, stage_drop(drop_at(folder), load_campaign(), tmp_path / "work"), AS_OF)

    message = str(refusal.value)
    assert refusal.value.reason is reason
    assert said in message
    assert message.startswith("as_of=2025-04-30/")
    assert "Nothing of it is loaded. What to do: " in message
    assert "\n" not in message
    shown = message + "".join(traceback.format_exception(refusal.value))
    assert not [word for word in (*PERSONAL, MY_NUMBER) if word in shown]
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before
    assert list((tmp_path / "work").iterdir()) == []


def test_five_bad_rows_are_always_accepted(tmp_path: Path) -> None:
    rows = {**clean(6), "members": [member(n, sex="x" if n <= 5 else "male") for n in range(1, 7)]}
    staged = stage_drop(drop_at(deliver(tmp_path / "register", rows)), load_campaign(), tmp_path / "work")
    assert staged.rejected["members"] == 5


def test_a_single_unknown_branch_is_one_reject(tmp_path: Path) -> None:
    rows = {**ROWS, "members": [*ROWS["members"], member(5, insurer_number="01990011")]}
    staged = stage_drop(drop_at(deliver(tmp_path / "register", rows)), load_campaign(), tmp_path / "work")
    assert staged.files["members"].rejects == {"bad_code": 1}
    assert staged.files["members"].accepted == 20


def test_one_bad_row_among_many_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = deliver(tmp_path / "register", clean(1), form="parquet")
    path = folder / "members.parquet"
    duckdb.sql(
        f"""
        copy (
            select
                * replace (
                    cast(number as varchar) as number,
                    case when number = 123456 then 'x' else sex end as sex
                )
            from (select * exclude (number) from read_parquet('{path}')) cross join range(1, 200001) as r (number)
            order by r.number
        ) to '{folder}/many.parquet'
        """
    )
    (folder / "many.parquet").replace(path)
    write_manifest(folder)
    staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / "work")
    assert staged.rows["members"] == 200_000
    assert staged.files["members"].rejects == {"bad_code": 1}
    assert pq.read_metadata(staged.table("members")).num_rows == 199_999
    sql = f"select file, row_number, column_name from '{staged.table('rejects')}'"
    assert duckdb.sql(sql).fetchall() == [("members", 123_456, "sex")]


def test_damage_inside_a_parquet_file_is_found_though_its_hash_was_promised(tmp_path: Path) -> None:
    folder = deliver(tmp_path / "register", ROWS, form="parquet")
    path = folder / "members.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(bytes(content))
    write_manifest(folder)
    with pytest.raises(RegisterDropError, match="damaged"):
        stage_drop(drop_at(folder), load_campaign(), tmp_path / "work")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: line.replace(b"employee,", b""),
        lambda line: line + b",",  # the field more is empty
        lambda line: line.replace("　".encode(), b","),
        lambda line: line.removesuffix(b",false"),
    ],
)
def test_a_row_with_more_or_fewer_fields_is_rejected_and_never_shifted(
    tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    folder = deliver(tmp_path / "register", ROWS)
    lines = csv_bytes(ROWS["members"]).split(b"\r\n")
    for row in (3, 20):
        lines[row] = spoil(lines[row])
    (folder / "members.csv").write_bytes(b"\r\n".join(lines))
    write_manifest(folder)
    staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / "work")
    assert staged.files["members"].rejects == {"bad_format": 2}
    sql = f"select row_number, column_name, row_key from '{staged.table('rejects')}'"
    assert duckdb.sql(sql).fetchall() == [(3, None, None), (20, None, None)]
    assert duckdb.sql(f"select distinct name from '{staged.table('members')}'").fetchall() == [(PERSONAL[0],)]


@pytest.mark.parametrize("above", ["country=GB", "protected=true", "name=x", "lost_on=2020-01-01"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_value_in_the_file_counts_and_never_a_folders_name(tmp_path: Path, above: str, form: str) -> None:
    folder = deliver(tmp_path / above, clean(2), form=form)
    staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / above / "work")
    members = pq.ParquetFile(staged.table("members")).read().select(["name", "protected", "lost_on"]).to_pylist()
    assert members == [{"name": PERSONAL[0], "protected": False, "lost_on": None}] * 2
    assert pq.ParquetFile(staged.table("addresses")).read()["country"].to_pylist() == ["JP", "JP"]


def test_parquet_text_without_its_mark_is_read_right(tmp_path: Path) -> None:
    folder = deliver(tmp_path / "register", clean(2), form="parquet")
    table = pq.ParquetFile(folder / "members.parquet").read()
    binary = [field.with_type(pa.binary()) if field.type == pa.string() else field for field in table.schema]
    pq.write_table(table.cast(pa.schema(binary)), folder / "members.parquet", store_schema=False)
    write_manifest(folder)
    staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / "work")
    assert pq.ParquetFile(staged.table("members")).read()["name"].to_pylist() == [PERSONAL[0]] * 2


@pytest.mark.parametrize("name", ["file_row_number", "filename", "row_number", "extra_0", "birth_date_value", "Notes"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_further_column_of_any_name_is_let_be(tmp_path: Path, name: str, form: str) -> None:
    folder = deliver(tmp_path / "register", clean(2), form=form)
    if form == "csv":
        (folder / "members.csv").write_bytes(csv_bytes([{name: "7", **row} for row in clean(2)["members"]]))
    else:
        table = pq.ParquetFile(folder / "members.parquet").read().append_column(name, pa.array([7, 7]))
        pq.write_table(table, folder / "members.parquet")
    write_manifest(folder)
    staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / "work")
    assert (staged.files["members"].accepted, staged.rejected["members"]) == (2, 0)


# --- the command --------------------------------------------------------------------------------------------


def test_the_check_command_counts_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kakuninsho.terminal.console.width", 200)
    register = tmp_path / "register"
    deliver(register, {**ROWS, "members": [*ROWS["members"], member(5)]})
    (deliver(register, as_of=date(2025, 5, 31)) / "manifest.json").unlink()
    result = CliRunner().invoke(app, ["check", str(register)], env={"LC_ALL": "C.UTF-8"})
    assert result.exit_code == 0
    assert "duplicate_row 1" in result.output
    assert "waiting: no manifest yet" in result.output


@pytest.mark.parametrize("whole_register", [True, False])
def test_the_check_command_fails_with_the_message(tmp_path: Path, whole_register: bool) -> None:
    folder = deliver(tmp_path / "register", ROWS)
    my_number_in_a_name(folder)
    result = CliRunner().invoke(app, ["check", str(folder.parent if whole_register else folder)])
    assert result.exit_code == 1
    assert "a My Number stands in name (1 row)" in result.output
    assert MY_NUMBER not in result.output


def test_the_check_command_writes_the_rejects_without_their_values(tmp_path: Path) -> None:
    folder, out = deliver(tmp_path / "register", ROWS), tmp_path / "rejects.csv"
    too_many_bad_rows(folder)
    result = CliRunner().invoke(app, ["check", str(folder.parent), "--out", str(out)])
    assert result.exit_code == 1
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "drop,file,row_number,column_name,reason_code"
    assert lines[1:] == [f"as_of=2025-04-30,members,{n},sex,bad_code" for n in range(1, 7)]


@pytest.mark.parametrize("name", ["as_of=2025-05-31.filepart", "as_of=2025-05-31.part", "as_of=2025-04-30_old",
                                  "as_of=2025-04-30 - コピー"])  # fmt: skip
def test_what_is_no_drop_beside_the_drops_is_passed_over(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = deliver(tmp_path / "register", ROWS)
    (tmp_path / "register" / name).mkdir()
    assert [drop.name for drop in list_drops(folder.parent, AS_OF)] == [folder.name]
    assert "no drop" in caplog.text
    assert CliRunner().invoke(app, ["check", str(folder.parent)]).exit_code == 0


def test_the_check_command_fails_where_no_drop_is(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["check", str(tmp_path)]).exit_code == 1
    assert CliRunner().invoke(app, ["check", str(tmp_path / "nowhere")]).exit_code == 1


def test_the_my_number_of_these_tests_is_one() -> None:
    weights = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    remainder = sum(int(digit) * weight for digit, weight in zip(MY_NUMBER, weights, strict=False)) % 11
    assert int(MY_NUMBER[11]) == (0 if remainder <= 1 else 11 - remainder)
