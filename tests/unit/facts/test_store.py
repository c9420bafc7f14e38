"""Facts are landed whole, once, and never changed."""

from __future__ import annotations

import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kakuninsho.facts.chain import CorruptFactError
from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.store import FactConflictError, FactStore

DAY = date(2025, 5, 15)


def _land(store: FactStore, name: str = "one", value: int = 1, received_on: date = DAY) -> None:
    with store.land("plans", name, received_on=received_on, source="test") as draft:
        pq.write_table(pa.table({"value": [value]}), draft.table("values"))
        draft.totals["value"] = value


def test_every_table_starts_with_a_file_without_rows(store: FactStore) -> None:
    for kind, tables in KINDS.items():
        for table, columns in tables.items():
            empty = pq.read_table(store.root / kind / "_empty" / f"{table}.parquet")
            assert (empty.num_rows, empty.column_names) == (0, list(columns))


def test_a_fact_is_described_by_its_json(store: FactStore) -> None:
    _land(store)
    fact = store.get("plans", "one")
    assert fact.meta["rows"] == {"values": 1}
    assert fact.meta["totals"] == {"value": 1}
    assert fact.meta["received_on"] == "2025-05-15"
    assert set(fact.meta["sha256"]) == {"values.parquet"}
    assert json.loads((fact.path / "fact.json").read_text()) == fact.meta


def test_landing_over_a_fact_is_refused_and_changes_nothing(store: FactStore) -> None:
    _land(store)
    before = (store.get("plans", "one").path / "fact.json").read_bytes()
    with pytest.raises(FactConflictError, match="plans/one has landed already"):
        _land(store, value=2)
    assert (store.get("plans", "one").path / "fact.json").read_bytes() == before


def test_a_landing_that_fails_leaves_nothing(store: FactStore) -> None:
    with pytest.raises(ZeroDivisionError), store.land("plans", "two", received_on=DAY, source="test") as draft:
        draft.table("values").write_bytes(b"half")
        _ = 1 / 0
    assert store.find("plans", "two") is None
    assert list(store.data_tmp().iterdir()) == []


def test_facts_received_later_are_not_seen(store: FactStore) -> None:
    _land(store, "early", received_on=date(2025, 5, 1))
    _land(store, "late", received_on=date(2025, 6, 1))
    assert [fact.name for fact in store.all("plans", until=DAY)] == ["early"]


def test_folders_are_for_the_owner_only(store: FactStore) -> None:
    _land(store)
    for folder in (store.data, store.root / "plans", store.get("plans", "one").path):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_a_missing_fact_is_named(store: FactStore) -> None:
    with pytest.raises(KeyError, match="no fact plans/none"):
        store.get("plans", "none")


def test_a_reader_that_looks_while_a_landing_gets_its_name_sees_no_missing_fact(
    store: FactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.land("refusals", "a", received_on=date(2025, 5, 1), source="test"):
        pass
    folder, hidden = store.root / "refusals" / "a", store.root.parent / "hidden"
    folder.rename(hidden)  # named in the head, not there yet

    def named_meanwhile(*_: object) -> None:
        hidden.rename(folder)

    monkeypatch.setattr("kakuninsho.facts.chain.cut_off_draft", named_meanwhile)
    assert store.head().count == 1
    folder.rename(hidden)
    monkeypatch.setattr("kakuninsho.facts.chain.cut_off_draft", lambda *_: None)
    with pytest.raises(CorruptFactError, match="was removed after it had landed"):
        store.head()
