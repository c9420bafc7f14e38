"""The rows of many small facts are read from one file, which says no more and no less than the facts."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts import gathered
from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.store import FactStore

DAY = date(2025, 5, 15)


def _land(store: FactStore, name: str) -> Path:
    with store.land("transfers", name, received_on=DAY, source="test") as draft:
        pq.write_table(pa.table({"lot_id": [name], "step": ["sealed"]}), draft.table("transfers"))
    return store.get("transfers", name).table("transfers")


def _lots(store: FactStore) -> list[str]:
    return sorted(pq.read_table(gathered.transfers(store)).column("lot_id").to_pylist())


def test_no_fact_is_a_file_without_rows(store: FactStore) -> None:
    found = pq.read_table(gathered.transfers(store))
    assert (found.num_rows, found.column_names) == (0, list(KINDS["transfers"]["transfers"]))


def test_before_the_store_is_made_there_is_a_file_too(tmp_path: Path) -> None:
    tmp_path.joinpath("data").mkdir()
    assert _lots(FactStore(tmp_path / "data")) == []


def test_new_facts_are_added_and_nothing_is_written_without_one(store: FactStore) -> None:
    _land(store, "a")
    assert _lots(store) == ["a"]
    _land(store, "b")
    assert _lots(store) == ["a", "b"]
    before = gathered.transfers(store).stat().st_mtime_ns
    assert gathered.transfers(store).stat().st_mtime_ns == before


def test_a_fact_that_is_gone_is_gone_here_too(store: FactStore) -> None:
    _land(store, "a")
    _land(store, "b")
    assert _lots(store) == ["a", "b"]
    shutil.rmtree(store.get("transfers", "a").path)
    assert _lots(store) == ["b"]


def test_another_file_under_the_same_name_is_read_again(store: FactStore) -> None:
    path = _land(store, "a")
    assert _lots(store) == ["a"]
    path.unlink()
    pq.write_table(pa.table({"lot_id": ["z"], "step": ["sealed"]}), path)
    assert _lots(store) == ["z"]


def test_a_column_that_an_older_fact_lacks_is_null(store: FactStore) -> None:
    _land(store, "a")
    assert pq.read_table(gathered.transfers(store)).column("file_name").to_pylist() == [None]
