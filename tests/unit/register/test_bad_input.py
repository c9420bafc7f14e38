"""Each bad drop ends in one clear message and no fact; what was there before is untouched."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
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
    write_manifest,
)
from typer.testing import CliRunner

from kakuninsho.campaign import load_campaign
from kakuninsho.facts.store import FactStore
from kakuninsho.register.commands import app
from kakuninsho.register.drops import drop_at
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


def a_line_cut_short(folder: Path) -> None:
    content = csv_bytes(ROWS["members"]).decode()
    (folder / "members.csv").write_text(content.replace("employee,", "", 1), encoding="utf-8", newline="")
    write_manifest(folder)


def a_quotation_mark_lost(folder: Path) -> None:
    content = csv_bytes(ROWS["members"]).decode()
    (folder / "members.csv").write_text(content.replace(PERSONAL[0], '"' + PERSONAL[0], 1), encoding="utf-8")
    write_manifest(folder)
    more_rows_promised(folder)


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
    (a_line_cut_short, Reason.UNREADABLE, "at line 2"),
    (a_quotation_mark_lost, Reason.UNREADABLE, "members.csv"),
    (too_many_bad_rows, Reason.TOO_MANY_REJECTS, "6 of 99 rows break the contract (bad_code 6)"),
    (too_many_repeated_keys, Reason.TOO_MANY_REJECTS, "6 of 26 rows"),
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


def test_the_check_command_fails_where_no_drop_is(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["check", str(tmp_path)]).exit_code == 1
    assert CliRunner().invoke(app, ["check", str(tmp_path / "nowhere")]).exit_code == 1


def test_the_my_number_of_these_tests_is_one() -> None:
    weights = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    remainder = sum(int(digit) * weight for digit, weight in zip(MY_NUMBER, weights, strict=False)) % 11
    assert int(MY_NUMBER[11]) == (0 if remainder <= 1 else 11 - remainder)
