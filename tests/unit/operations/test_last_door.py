"""Before anybody is asked: the plan is the one that was frozen, and the files say what it says (issue: sent past)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from approvals_kit import approve
from kakuninsho.facts.chain import CorruptFactError
from kakuninsho.gates import GateFailedError
from kakuninsho.operations import planning
from kakuninsho.printer import lot_file, samples, transfer
from kakuninsho.printer.sealing import INSURER_PUBLIC, PRINTER_PUBLIC, generate_keys
from kakuninsho.settings import Settings

HOME = "home-2025-04-30"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(tmp_path, tmp_path, tmp_path, tmp_path / "keys", "fy2025")
    made.store.initialise()
    samples.home_plan(made.store)
    return made


def test_files_of_a_plan_are_read_back_and_reported(settings: Settings) -> None:
    files = planning.write_files(settings, HOME)
    assert list(files) == ["pv1_fy2025_lot_fy2025-H-18-20251003-01_4.csv"]
    report = settings.data / "published" / "validations" / HOME / "outbound" / "file_bytes.json"
    assert '"passed": true' in report.read_text(encoding="utf-8")


def test_a_writer_that_prints_others_and_1999_is_stopped(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer's own counts agree, and so does the old gate; the bytes do not say what the plan says."""
    right = lot_file._record_queries

    def wrong(lot: Any) -> dict[str, str]:
        queries = right(lot)
        for column in ("addressee_name", "address", "name", "name_kana"):
            told = f"replace({column},"
            queries = {table: query.replace(told, "replace('他人 太郎',") for table, query in queries.items()}
        return {table: query.replace("valid_until", "(date '1999-01-01')") for table, query in queries.items()}

    monkeypatch.setattr(lot_file, "_record_queries", wrong)
    with pytest.raises(GateFailedError) as raised:
        planning.write_files(settings, HOME)
    broken = {finding.rule: finding.count for finding in raised.value.result.failures}
    fields = ("name", "name_kana", "valid_until", "valid_until_japanese")
    assert broken == {"E_addressee_name": 4, "E_address": 4} | {f"C_{name}": 5 for name in fields}
    assert "他人" not in str(raised.value)
    assert not (settings.data / "outbox" / HOME / "files.json").exists()


@pytest.mark.parametrize("table", ["envelopes", "certificates", "lots"])
def test_a_frozen_plan_that_changed_on_disk_gives_no_file(settings: Settings, table: str) -> None:
    path = settings.store.get("plans", HOME).table(table)
    rows = pq.read_table(path)
    column = {"envelopes": "address", "certificates": "name", "lots": "wave_key"}[table]
    others = pa.array(["福井県福井市大手9丁目9", *rows.column(column).to_pylist()[1:]], pa.string())
    pq.write_table(rows.set_column(rows.column_names.index(column), column, others), path)
    with pytest.raises(CorruptFactError, match=rf"plans/{HOME}: {table}\.parquet has changed"):
        planning.write_files(settings, HOME)
    assert not list(settings.data.glob("outbox/*/*.csv"))


def test_a_table_that_is_missing_or_was_added_is_named(settings: Settings) -> None:
    plan = settings.store.get("plans", HOME)
    shutil.copy(plan.table("lots"), plan.path / "more.parquet")
    plan.table("pulls").unlink()
    with pytest.raises(CorruptFactError, match=r"pulls\.parquet is missing; more\.parquet was not landed with it"):
        planning.write_files(settings, HOME)


def test_a_bundle_is_not_printed_from_an_earlier_plan_that_changed(settings: Settings) -> None:
    """What came back is printed as the plan before said: that plan's bytes are looked at too."""
    follow_up = samples.follow_up_plan(settings.store)
    assert planning.write_files(settings, follow_up.name)
    path = settings.store.get("plans", HOME).table("certificates")
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(CorruptFactError, match=rf"plans/{HOME}: certificates\.parquet has changed"):
        planning.write_files(settings, follow_up.name)


def test_a_manifest_that_tells_other_counts_is_not_uploaded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate_keys(settings.keys)
    shutil.copy(settings.keys / INSURER_PUBLIC, settings.keys / PRINTER_PUBLIC)  # nobody opens it here
    right = transfer.make_manifest
    monkeypatch.setattr(transfer, "make_manifest", lambda file, *more: right(replace(file, certificate_count=6), *more))
    planning.write_files(settings, HOME)
    received_on = samples.POSTED
    approve(settings, HOME, received_on)
    _, files = planning.approved_files(settings, HOME)
    with pytest.raises(GateFailedError, match=r"manifest\.certificate_count"):
        planning.seal_plan(settings, HOME, files, received_on)
