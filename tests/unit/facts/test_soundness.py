"""A run never goes on over a corrupt fact; what is derived is made anew (rules: evidence)."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from kakuninsho.facts import gathered
from kakuninsho.facts.chain import CorruptFactError
from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.soundness import SEEN, require_sound
from kakuninsho.facts.store import FactStore, write_empty

DAY = date(2025, 5, 15)


@pytest.fixture
def store(tmp_path: Path) -> FactStore:
    facts = FactStore(tmp_path / "data")
    facts.initialise()
    for kind in ("refusals", "transfers", "approvals"):
        with facts.land(kind, "fact", received_on=DAY, source="test") as draft:
            for table, columns in KINDS[kind].items():
                write_empty(draft.table(table), columns)
    return facts


def test_sound_facts_are_counted_and_looked_at_again(store: FactStore) -> None:
    assert (require_sound(store), require_sound(store)) == (3, 3)


@pytest.mark.parametrize("kind", ["refusals", "transfers", "approvals"])
def test_a_changed_payload_stops_the_run_and_is_named(store: FactStore, kind: str) -> None:
    require_sound(store)
    path = store.get(kind, "fact").table(next(iter(KINDS[kind])))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path, ns=(1, 1))
    with pytest.raises(CorruptFactError, match=f"{kind}/fact"):
        require_sound(store)


def test_a_missing_payload_a_missing_fact_and_a_changed_one_stop_the_run(store: FactStore) -> None:
    require_sound(store)
    table = store.get("refusals", "fact").table("refusals")
    content = table.read_bytes()
    table.unlink()
    with pytest.raises(CorruptFactError, match="missing"):
        require_sound(store)
    table.write_bytes(content)
    require_sound(store)
    meta = store.root / "transfers" / "fact" / "fact.json"
    text = meta.read_text(encoding="utf-8")
    meta.write_text(text.replace("2025-05-15", "2025-05-16"), encoding="utf-8")
    with pytest.raises(CorruptFactError, match="chain of facts is broken at approvals/fact"):
        require_sound(store)
    meta.write_text(text, encoding="utf-8")
    require_sound(store)
    shutil.rmtree(store.root / "approvals" / "fact")
    with pytest.raises(CorruptFactError, match="newest fact approvals/fact is missing"):
        require_sound(store)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{"])
def test_what_was_seen_is_derived_and_made_anew(store: FactStore, content: bytes) -> None:
    require_sound(store)
    (store.data / SEEN).write_bytes(content)
    assert require_sound(store) == 3


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\x00" * 100])
def test_gathered_rows_that_are_cut_short_are_made_anew(store: FactStore, content: bytes) -> None:
    path = gathered.transfers(store)
    good = path.read_bytes()
    path.write_bytes(content)
    assert gathered.transfers(store).read_bytes() == good
