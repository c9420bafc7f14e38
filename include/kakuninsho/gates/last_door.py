"""The gates of the last door judge what leaves: clear files before anybody approves, manifests once they are sealed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from kakuninsho.facts.store import Fact, FactStore
from kakuninsho.gates.file_bytes import Claimed, read_files
from kakuninsho.gates.file_orders import order_files
from kakuninsho.gates.manifests import SealedFile, read_manifests
from kakuninsho.gates.runner import GateFailedError, GateResult, require, run_gate

SHOWN = 20  # differences named in a message


def judge_files(
    store: FactStore, plan: Fact, campaign: str, claimed: Sequence[Claimed], reports: Path
) -> GateResult | None:
    """Read the clear files of a frozen plan back and judge every record against the plan (outbound/file_bytes).

    None when the plan asks for no file and there is none.

    Raises:
        GateFailedError: names file, record, field and the number of records; no value.
    """
    work = store.data_tmp() / f"read-{plan.name}"
    shutil.rmtree(work, ignore_errors=True)
    try:
        own = {file.lot_id: file.sha256 for file in claimed if file.lot_id}
        reading = read_files(plan, claimed, order_files(store, plan, campaign, own), work)
        if not reading.files:
            return None
        result = run_gate("outbound/file_bytes", reading.write(work), reports)
        return _require(result, reading.broken())
    finally:
        shutil.rmtree(work, ignore_errors=True)


def judge_manifests(store: FactStore, plan: Fact, sealed: Sequence[SealedFile], reports: Path) -> GateResult | None:
    """Judge the manifests of sealed files against the files' own bytes, before one is uploaded (outbound/manifests).

    None when there is no file.

    Raises:
        GateFailedError: names file, field and the number of manifests; no value.
    """
    if not sealed:
        return None
    work = store.data_tmp() / f"manifests-{plan.name}"
    shutil.rmtree(work, ignore_errors=True)
    try:
        reading = read_manifests(sealed)
        result = run_gate("outbound/manifests", reading.write(work), reports)
        return _require(result, reading.broken())
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _require(result: GateResult, broken: Sequence[str]) -> GateResult:
    try:
        return require(result)
    except GateFailedError as error:
        more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise GateFailedError(f"{error} Where: {'; '.join(broken[:SHOWN])}{more}", result) from None
