"""Data extraction (データ抽出): drops of the register are found, checked, judged and landed as facts."""

from __future__ import annotations

import logging
import shutil
from datetime import date
from pathlib import Path

from kakuninsho.gates import require, run_gate
from kakuninsho.register.drops import Drop, incomplete_drops, list_drops
from kakuninsho.register.landing import StagedDrop, land_register, landed, stage_drop
from kakuninsho.runs import recorded
from kakuninsho.settings import Settings

log = logging.getLogger(__name__)

SUITES = ("members", "addresses", "employers", "my_number_cards")
# Tables that a suite looks at beside its own.
BESIDE = {"members": (), "addresses": ("members",), "employers": ("members",), "my_number_cards": ("members",)}


def find(settings: Settings, as_of: date) -> list[str]:
    """Complete drops of the register up to a day that have not landed, oldest first, by name.

    Raises:
        RegisterConflictError: a day that has landed was delivered again with other content.
    """
    settings.store.initialise()
    for drop in incomplete_drops(settings.register, as_of):
        log.warning("%s has no manifest yet: the drop is not complete, it will be looked for again", drop.name)
    return [drop.name for drop in list_drops(settings.register, as_of) if landed(settings.store, drop) is None]


def stage(settings: Settings, names: list[str], as_of: date) -> dict[str, dict[str, int]]:
    """Verify drops and classify each row into accepted or rejected, aside. Returns rejected rows by drop and file.

    Raises:
        RegisterDropError: a drop that must not be loaded; nothing is loaded.
    """
    counts: dict[str, dict[str, int]] = {}
    for drop in _drops(settings, names, as_of):
        with recorded(settings.data, "register-stage", as_of) as record:
            work = _work(settings, drop.name)
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            staged = stage_drop(drop, settings.campaign, work)
            counts[drop.name] = staged.rejected
            record.update(rows=sum(staged.rows.values()), rejected=sum(staged.rejected.values()))
    return counts


def judge(settings: Settings, names: list[str], as_of: date) -> list[str]:
    """Let the gates judge what was staged. Returns their warnings.

    Raises:
        GateFailedError: a critical expectation fails; nothing is loaded.
    """
    warnings: list[str] = []
    for name in names:
        work = _work(settings, name)
        staged = StagedDrop.read(Drop(date.fromisoformat(name.removeprefix("as_of=")), settings.register / name), work)
        with recorded(settings.data, "register-gate", as_of) as record:
            for table in SUITES:
                result = run_gate(
                    f"inbound/register_{table}",
                    {file: work / f"{file}.parquet" for file in (table, *BESIDE[table], "rejects")},
                    settings.data / "published" / "validations" / name,
                    _parameters(settings, name, table, staged),
                    campaign=settings.campaign,
                )
                require(result)
                warnings += [f"{name} {finding}" for finding in result.warnings]
            record["warnings"] = len(warnings)
    return warnings


def land(settings: Settings, names: list[str], as_of: date) -> list[str]:
    """Make staged drops facts. A drop that has landed already is left as it is."""
    landed = []
    for drop in _drops(settings, names, as_of):
        with recorded(settings.data, "register-land", as_of):
            staged = StagedDrop.read(drop, _work(settings, drop.name))
            landed.append(land_register(settings.store, staged, as_of).name)
        shutil.rmtree(_work(settings, drop.name), ignore_errors=True)
    return landed


def staged_drops(settings: Settings, names: list[str], as_of: date) -> list[StagedDrop]:
    """Drops that were staged and have not landed."""
    return [StagedDrop.read(drop, _work(settings, drop.name)) for drop in _drops(settings, names, as_of)]


def _drops(settings: Settings, names: list[str], as_of: date) -> list[Drop]:
    return [drop for drop in list_drops(settings.register, as_of) if drop.name in names]


def _work(settings: Settings, name: str) -> Path:
    return settings.data / "staging" / "register" / name


def _parameters(settings: Settings, name: str, table: str, staged: StagedDrop) -> dict[str, object]:
    """The gate's parameters: declared rows, row limits, and the rows of the newest full drop before this one."""
    values = settings.campaign.parameters
    before = [
        fact for fact in settings.store.all("register") if fact.name < name and fact.meta["totals"]["kind"] == "full"
    ]
    return {
        "declared_rows": staged.rows[table],
        "max_reject_rate": values.max_reject_rate,
        "max_reject_rows_always_accepted": values.max_reject_rows_always_accepted,
        "previous_rows": before[-1].meta["rows"][table] if before else None,
        "as_of": staged.as_of,
        "kind": staged.kind,
    }
