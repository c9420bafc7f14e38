"""Facts are chained and signed, and whatever is done to one afterwards is found and named (rules: evidence)."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from kakuninsho.facts.chain import CorruptFactError, Head, write_head
from kakuninsho.facts.schemas import KINDS
from kakuninsho.facts.signing import SECRET, SigningKeyError, generate_signing_key
from kakuninsho.facts.store import FactStore, write_empty
from kakuninsho.facts.verify import verify_facts

DAY = date(2025, 5, 15)
KIND = "refusals"


def land(store: FactStore, name: str, kind: str = KIND) -> None:
    with store.land(kind, name, received_on=DAY, source="test") as draft:
        for table, columns in KINDS[kind].items():
            write_empty(draft.table(table), columns)


@pytest.fixture
def store(tmp_path: Path) -> FactStore:
    facts = FactStore(tmp_path / "data")
    facts.initialise()
    for number in range(1, 6):
        land(facts, f"fact-{number}")
    return facts


def found(store: FactStore) -> list[tuple[str, str]]:
    return [(finding.code, finding.subject) for finding in verify_facts(store).findings]


def test_what_landed_is_vouched_for(store: FactStore) -> None:
    result = verify_facts(store)
    assert (result.findings, result.facts, result.head) == ([], 5, Head(5, store.head().sha256))
    assert store.head().count == 5


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"adoptions"}])
def test_one_flipped_bit_in_any_kind_of_fact_is_found(store: FactStore, kind: str) -> None:
    land(store, "flipped", kind)
    table = next(iter(KINDS[kind]))
    path = store.root / kind / "flipped" / f"{table}.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert ("changed", f"{kind}/flipped/{table}.parquet") in found(store)


def test_a_changed_fact_json_is_found_even_when_its_hashes_are_made_to_fit(store: FactStore) -> None:
    path = store.root / KIND / "fact-2" / "fact.json"
    meta = json.loads(path.read_text(encoding="utf-8")) | {"received_on": "2025-05-16"}
    path.write_text(json.dumps(meta), encoding="utf-8")
    assert found(store) == [("changed", f"{KIND}/fact-2/fact.json"), ("reordered", f"{KIND}/fact-3")]


@pytest.mark.parametrize("number", [1, 3])
def test_a_removed_fact_is_found(store: FactStore, number: int) -> None:
    shutil.rmtree(store.root / KIND / f"fact-{number}")
    assert found(store) == [("missing", f"link {number} of the chain")]


def test_a_removed_last_fact_is_found(store: FactStore) -> None:
    shutil.rmtree(store.root / KIND / "fact-5")
    assert found(store) == [("missing", f"{KIND}/fact-5")]


def test_a_shortened_chain_with_a_fitting_head_is_found_by_a_head_that_was_kept_elsewhere(store: FactStore) -> None:
    kept = store.head()
    before = verify_facts(store)
    shutil.rmtree(store.root / KIND / "fact-5")
    fourth = json.loads((store.root / "head.json").read_text(encoding="utf-8"))["previous"]
    write_head(store.root, Head(4, fourth, KIND, "fact-4"))
    assert found(store) == []  # nothing here can tell
    result = verify_facts(store, head=(kept.count, kept.sha256))
    assert [finding.code for finding in result.findings] == ["head_differs"]
    assert before.vouched_outside == 0


def test_a_head_in_a_manifest_vouches_for_what_came_before_it(store: FactStore) -> None:
    head = store.head()
    with store.land("transfers", "lot--sealed", received_on=DAY, source="test") as draft:
        content = {"facts_head": f"{head.count} {head.sha256}"}
        (draft.path / "lot.csv.manifest.json").write_text(json.dumps(content), encoding="utf-8")
    assert verify_facts(store).vouched_outside == 5


def test_added_folders_and_files_are_found(store: FactStore) -> None:
    (store.root / KIND / "fact-1" / "more.parquet").write_bytes(b"")
    (store.root / "extra").mkdir()
    (store.root / KIND / "folder").mkdir()
    assert found(store) == [
        ("added", "extra"),
        ("added", f"{KIND}/fact-1/more.parquet"),
        ("missing", f"{KIND}/folder"),
    ]


def test_a_fact_copied_under_another_name_is_found(store: FactStore) -> None:
    shutil.copytree(store.root / KIND / "fact-3", store.root / KIND / "fact-9")
    codes = {code for code, subject in found(store) if "fact-9" in subject}
    assert {"changed", "reordered"} <= codes


def test_two_facts_that_change_places_are_found(store: FactStore) -> None:
    one, other, aside = (store.root / KIND / name for name in ("fact-2", "fact-4", "aside"))
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    assert {subject for code, subject in found(store) if code == "changed"} == {
        f"{KIND}/fact-2/fact.json",
        f"{KIND}/fact-4/fact.json",
    }


def test_a_fact_signed_by_another_key_is_found(store: FactStore, tmp_path: Path) -> None:
    generate_signing_key(tmp_path / "thief")
    thief = FactStore(store.data, tmp_path / "thief")
    land(thief, "forged")
    assert found(store) == [("foreign_key", f"{KIND}/forged/fact.sig")]


def test_a_rotated_key_stays_readable(store: FactStore) -> None:
    (store.keys / SECRET).unlink()
    generate_signing_key(store.keys)
    land(store, "fact-6")
    assert found(store) == []


def test_without_its_key_nothing_lands(store: FactStore) -> None:
    (store.keys / SECRET).unlink()
    with pytest.raises(SigningKeyError, match="missing"):
        land(store, "fact-6")
    assert store.find(KIND, "fact-6") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x00" * 40])
def test_a_damaged_fact_json_is_named_and_stops(store: FactStore, content: bytes) -> None:
    (store.root / KIND / "fact-2" / "fact.json").write_bytes(content)
    with pytest.raises(CorruptFactError, match=f"{KIND}/fact-2"):
        store.find(KIND, "fact-2")
    assert ("corrupt", f"{KIND}/fact-2/fact.json") in found(store)


def test_a_damaged_head_is_named(store: FactStore) -> None:
    (store.root / "head.json").write_bytes(b"")
    with pytest.raises(CorruptFactError, match="head"):
        land(store, "fact-6")
    assert [finding.subject for finding in verify_facts(store).findings] == ["head.json"]


def test_a_landing_cut_off_before_its_name_is_gone_on_with(store: FactStore) -> None:
    """As after kill -9 between the two: the head names the fact, whose folder is still a draft."""

    def die(_source: object, _target: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("os.rename", die)
        patch.setattr("shutil.rmtree", lambda *_arguments, **_more: None)
        land(store, "fact-6")
    assert store.head().count == 5
    land(store, "fact-6")
    assert found(store) == []


def test_a_newest_fact_that_was_removed_stops_every_landing(store: FactStore) -> None:
    shutil.rmtree(store.root / KIND / "fact-5")
    with pytest.raises(CorruptFactError, match="fact-5 is missing"):
        land(store, "fact-6")


def _land_many(data: Path, worker: int, barrier: Callable[[], None]) -> None:
    barrier()
    for number in range(20):
        land(FactStore(data), f"worker-{worker}-{number}")


def _start(data: Path, worker: int, ready: object) -> None:
    _land_many(data, worker, ready.wait)  # type: ignore[attr-defined]


def test_two_processes_land_one_chain(store: FactStore) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [context.Process(target=_start, args=(store.data, worker, barrier)) for worker in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    result = verify_facts(store)
    assert (result.findings, result.facts) == ([], 45)


def test_deleted_payload_is_known_and_other_loss_is_not(store: FactStore) -> None:
    facts = [store.get(KIND, "fact-1")]
    store.delete_payloads([(facts[0], "refusals.parquet")], received_on=DAY, approved="deletion-2025-05-15")
    result = verify_facts(store)
    assert result.findings == []
    assert result.deleted == {f"{KIND}/fact-1": "2025-05-15"}
    assert store.deleted_on(facts[0]) == "2025-05-15"
    assert store.deleted_on(store.get(KIND, "fact-2")) is None
    store.get(KIND, "fact-2").table("refusals").unlink()
    assert found(store) == [("missing", f"{KIND}/fact-2/refusals.parquet")]


def test_a_deletion_cut_off_is_finished_the_next_time(store: FactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [store.get(KIND, "fact-1"), store.get(KIND, "fact-2")]
    payload = [(fact, "refusals.parquet") for fact in facts]
    with monkeypatch.context() as patch:
        patch.setattr(FactStore, "_remove_deleted", lambda _self: None)
        store.delete_payloads(payload, received_on=DAY, approved="deletion-2025-05-15")
    assert facts[0].table("refusals").is_file()
    store.delete_payloads(payload, received_on=DAY, approved="deletion-2025-05-15")
    assert not facts[0].table("refusals").is_file()
    assert found(store) == []


def test_facts_of_an_earlier_version_are_adopted_once_and_watched_from_then_on(store: FactStore) -> None:
    for name in ("fact-1", "old"):
        old = store.root / KIND / name
        shutil.copytree(store.root / KIND / "fact-5", old, dirs_exist_ok=True)
        meta = json.loads((old / "fact.json").read_text(encoding="utf-8")) | {"name": name, "schema_version": 1}
        (old / "fact.json").write_text(json.dumps({k: v for k, v in meta.items() if k != "chain"}), encoding="utf-8")
        (old / "fact.sig").unlink()
    shutil.rmtree(store.root / KIND / "fact-1")
    assert verify_facts(store).not_vouched == [f"{KIND}/old"]
    assert (store.adopt(DAY), store.adopt(DAY)) == (1, 0)
    assert verify_facts(store).not_vouched == []
    path = store.root / KIND / "old" / "fact.json"
    path.write_text(path.read_text(encoding="utf-8").replace("2025-05-15", "2025-05-14"), encoding="utf-8")
    assert ("changed", f"{KIND}/old/fact.json") in found(store)


def test_a_fact_of_a_later_version_is_refused(store: FactStore) -> None:
    path = store.root / KIND / "fact-2" / "fact.json"
    meta = json.loads(path.read_text(encoding="utf-8")) | {"schema_version": 99}
    path.write_text(json.dumps(meta), encoding="utf-8")
    with pytest.raises(CorruptFactError, match="later version"):
        store.find(KIND, "fact-2")
