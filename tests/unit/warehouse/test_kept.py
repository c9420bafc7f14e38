"""Tables that need not be built again: what they hang on, and what makes them stale (warehouse/kept.py)."""

from __future__ import annotations

from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kakuninsho.campaign import load_campaign
from kakuninsho.facts.store import FactStore
from kakuninsho.warehouse import kept

SNAPSHOT, LATER = date(2025, 4, 30), date(2025, 7, 1)


def _land(store, kind, name, received_on, value=1):
    with store.land(kind, name, received_on=received_on, source="test") as draft:
        pq.write_table(pa.table({"value": [value]}), draft.table("members"))


@pytest.fixture
def store(tmp_path):
    store = FactStore(tmp_path)
    store.initialise()
    _land(store, "register", f"as_of={SNAPSHOT}", SNAPSHOT)
    return store


def _digest(store, as_of=LATER, project="models"):
    return kept.inputs_digest(store, load_campaign(), as_of, project)


def test_another_day_and_later_drops_change_nothing(store):
    before = _digest(store)
    _land(store, "register", "as_of=2025-05-31", date(2025, 5, 31))
    assert _digest(store, as_of=date(2025, 8, 1)) == before


def test_a_decision_counts_from_its_day_on(store):
    before = _digest(store)
    _land(store, "feeds/decisions", "abc", LATER)
    assert _digest(store) != before
    assert _digest(store, as_of=date(2025, 6, 30)) == before


def test_a_changed_row_of_the_register_is_seen_though_the_fact_says_otherwise(store):
    before = _digest(store)
    path = store.get("register", f"as_of={SNAPSHOT}").table("members")
    path.unlink()
    pq.write_table(pa.table({"value": [1, 2]}), path)
    assert _digest(store) != before


def test_another_state_of_the_models_or_another_parameter_counts(store):
    campaign = load_campaign()
    changed = campaign.model_copy(
        update={"parameters": campaign.parameters.model_copy(update={"mail_in_grace": False})}
    )
    before = _digest(store)
    assert _digest(store, project="changed models") != before
    assert kept.inputs_digest(store, changed, LATER, "models") != before


def test_the_mark_lies_in_the_warehouse_and_goes_with_it(store):
    assert not kept.are_current(store.data, "one")
    duckdb.connect(str(store.data / "warehouse.duckdb")).close()
    assert not kept.are_current(store.data, "one")
    kept.mark(store.data, "one")
    assert kept.are_current(store.data, "one")
    kept.mark(store.data, "")
    assert not kept.are_current(store.data, "one")
    kept.mark(store.data, "one")
    (store.data / "warehouse.duckdb").unlink()
    assert not kept.are_current(store.data, "one")
