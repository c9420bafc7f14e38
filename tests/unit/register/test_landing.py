"""A staged drop becomes a fact once (design: facts)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from register_deliveries import AS_OF, FUKUI, PERSONAL, address, card, clean, deliver, employer, member

from kakuninsho.campaign import load_campaign
from kakuninsho.facts.schemas import REGISTER
from kakuninsho.facts.store import ARROW_TYPES, Fact, FactStore
from kakuninsho.register.drops import drop_at
from kakuninsho.register.errors import Reason, RegisterConflictError, RegisterDropError
from kakuninsho.register.landing import StagedDrop, land_register, landed, stage_drop


@pytest.fixture
def store(tmp_path: Path) -> FactStore:
    store = FactStore(tmp_path / "data")
    store.initialise()
    return store


def land(store: FactStore, folder: Path, received_on: date = AS_OF) -> Fact:
    staged = stage_drop(drop_at(folder), load_campaign(), store.data / "staging" / folder.name)
    return land_register(store, staged, received_on)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_accepted_rows_are_typed_and_keyed_in_the_order_of_the_file(
    tmp_path: Path, store: FactStore, form: str
) -> None:
    rows = {
        "members": [member(2, symbol="00000009", lost_on="2025-04-01", protected="true"), member(1, "01")],
        "addresses": [address(2, building="ハイツ 101")],
        "employers": [employer(closed_on="2025-01-31")],
        "my_number_cards": [card(1, "01", registered="false", certificate_expires_on=None)],
    }
    fact = land(store, deliver(tmp_path / "register", rows, form=form))

    def read(table: str) -> list[tuple[object, ...]]:
        return duckdb.sql(f"select * from '{fact.table(table)}'").fetchall()

    first = (18 * 110_000_000 + 10_000_009) * 10_000_000 + 2
    second = (18 * 110_000_000 + 1_234_567) * 10_000_000 + 1
    assert [row[1:3] for row in read("members")] == [(first * 100, first), (second * 100 + 1, second)]
    assert read("members")[0][0] == AS_OF
    assert read("members")[0][7:] == (date(1980, 2, 29), date(2010, 4, 1), date(2010, 4, 5), date(2025, 4, 1), True)
    assert read("addresses")[0][1] == second + 1
    assert read("addresses")[0][4] == "ハイツ 101"
    assert read("employers")[0][1] == 18 * 110_000_000 + 1_234_567
    assert read("employers")[0][5:] == (None, date(2025, 1, 31))
    assert read("my_number_cards") == [(AS_OF, second * 100 + 1, True, True, False, None, None)]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_tables_of_a_fact_have_the_columns_that_readers_expect(tmp_path: Path, store: FactStore, form: str) -> None:
    fact = land(store, deliver(tmp_path / "register", form=form))
    for table, columns in REGISTER.items():
        schema = pq.read_schema(fact.table(table))
        assert {name: schema.field(name).type for name in schema.names} == {
            name: ARROW_TYPES[kind] for name, kind in columns.items()
        }
        assert schema.names == list(columns)


def test_csv_and_parquet_of_the_same_rows_give_the_same_tables(tmp_path: Path) -> None:
    content = []
    for form in ("csv", "parquet"):
        folder = deliver(tmp_path / form, clean(20), form=form)
        staged = stage_drop(drop_at(folder), load_campaign(), tmp_path / "work" / form)
        content.append([pq.read_table(staged.table(table)).to_pylist() for table in REGISTER])
    assert content[0] == content[1]


def test_a_byte_order_mark_is_accepted(tmp_path: Path, store: FactStore) -> None:
    from register_deliveries import csv_bytes, write_manifest

    folder = deliver(tmp_path / "register")
    (folder / "members.csv").write_bytes(csv_bytes([member(1)], bom=True))
    write_manifest(folder)
    assert land(store, folder).meta["rows"]["members"] == 1


def test_quoted_fields_may_hold_commas_quotes_and_line_ends(tmp_path: Path, store: FactStore) -> None:
    text = '福井市"大手",\r\n三丁目'
    fact = land(store, deliver(tmp_path / "register", {**clean(1), "addresses": [address(1, address=text)]}))
    assert duckdb.sql(f"select address from '{fact.table('addresses')}'").fetchall() == [(text,)]


def test_columns_may_come_in_any_order_and_with_more(tmp_path: Path, store: FactStore) -> None:
    from register_deliveries import csv_bytes, write_manifest

    folder = deliver(tmp_path / "register")
    row = {"remark": "備考", **dict(reversed(member(1).items()))}
    (folder / "members.csv").write_bytes(csv_bytes([row]))
    write_manifest(folder)
    assert land(store, folder).meta["rows"] == {
        "members": 1,
        "addresses": 3,
        "employers": 1,
        "my_number_cards": 3,
        "issued_certificates": 0,
        "rejects": 0,
    }


def test_the_fact_says_what_the_manifest_promised_and_what_was_rejected(tmp_path: Path, store: FactStore) -> None:
    rows = {**clean(3), "members": [member(1), member(2, sex="x"), member(3), member(3)]}
    fact = land(store, deliver(tmp_path / "register", rows), date(2025, 5, 1))
    assert fact.name == "as_of=2025-04-30"
    assert fact.meta["received_on"] == "2025-05-01"
    assert fact.meta["totals"] == {
        "kind": "full",
        "manifest_rows": {"members": 4, "addresses": 3, "employers": 1, "my_number_cards": 3},
        "rejects": {
            "members": {"bad_code": 1, "duplicate_row": 1},
            "addresses": {},
            "employers": {},
            "my_number_cards": {},
        },
        "warnings": [],
    }


def test_a_delta_may_have_empty_files(tmp_path: Path, store: FactStore) -> None:
    rows = {"members": [member(1)], "addresses": [], "employers": [], "my_number_cards": []}
    fact = land(store, deliver(tmp_path / "register", rows, kind="delta"))
    assert fact.meta["totals"]["kind"] == "delta"
    assert fact.meta["rows"]["addresses"] == 0


def test_the_same_drop_again_changes_nothing(tmp_path: Path, store: FactStore) -> None:
    folder = deliver(tmp_path / "register")
    first = land(store, folder)
    assert landed(store, drop_at(folder)) == first
    assert land(store, folder, date(2025, 6, 1)) == first
    assert first.meta["received_on"] == "2025-04-30"


def test_another_register_for_the_same_day_is_a_conflict(tmp_path: Path, store: FactStore) -> None:
    first = land(store, deliver(tmp_path / "register"))
    other = deliver(tmp_path / "other", clean(4))
    with pytest.raises(RegisterConflictError, match="replace"):
        land(store, other)
    with pytest.raises(RegisterConflictError):
        landed(store, drop_at(other))
    assert store.all("register") == [first]
    assert store.get("register", first.name).meta == first.meta


def test_what_was_staged_is_read_back_by_the_next_task(tmp_path: Path, store: FactStore) -> None:
    drop = drop_at(deliver(tmp_path / "register"))
    staged = stage_drop(drop, load_campaign(), tmp_path / "work")
    assert StagedDrop.read(drop, tmp_path / "work") == staged
    assert staged.rows == {"members": 3, "addresses": 3, "employers": 1, "my_number_cards": 3}
    assert staged.rejected == dict.fromkeys(staged.rows, 0)
    assert store.all("register") == []  # staging makes no fact


def test_a_folder_without_a_staged_drop_is_an_error(tmp_path: Path) -> None:
    drop = drop_at(deliver(tmp_path / "register"))
    with pytest.raises(RegisterDropError, match="stages it again") as refusal:
        StagedDrop.read(drop, tmp_path)
    assert refusal.value.reason is Reason.MISSING_FILE


def test_staging_again_replaces_what_an_earlier_attempt_left(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "members.parquet").write_bytes(b"half a file")
    stage_drop(drop_at(deliver(tmp_path / "register")), load_campaign(), work)
    assert sorted(path.name for path in work.iterdir()) == [
        "addresses.parquet", "employers.parquet", "issued_certificates.parquet", "members.parquet",
        "my_number_cards.parquet", "rejects.parquet", "staged.json",
    ]  # fmt: skip


def test_fact_json_and_staged_json_hold_nothing_of_a_person(tmp_path: Path, store: FactStore) -> None:
    rows = {**clean(3), "members": [member(1), member(4649123, sex=PERSONAL[0])]}
    folder = deliver(tmp_path / "register", rows)
    fact = land(store, folder)
    staged = (store.data / "staging" / folder.name / "staged.json").read_text(encoding="utf-8")
    text = staged + (fact.path / "fact.json").read_text(encoding="utf-8") + json.dumps(fact.meta)
    assert not [word for word in (*PERSONAL, FUKUI) if word in text]
