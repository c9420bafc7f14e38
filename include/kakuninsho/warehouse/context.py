"""What a dbt run reads besides facts: the day it stands for, the drops that count on it, the campaign.

Everything is written under `<data>/context/` before each run, so that models are a pure function of files and
a changed day costs no new parse of the project.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.campaign import Campaign, add_business_days
from kakuninsho.facts import gathered
from kakuninsho.facts.schemas import CONTEXT, REGISTER
from kakuninsho.facts.store import ARROW_TYPES, EMPTY, Fact, FactStore


@dataclass(frozen=True)
class Context:
    """One dbt run's view of the world. Facts received after `as_of` do not exist for it."""

    as_of: date
    run_kind: str = "publish"
    posting_date: date | None = None
    run_on: date | None = None


def newest_register(store: FactStore, as_of: date) -> tuple[Fact | None, list[Fact]]:
    """The newest full drop at or before a day and the deltas laid over it, oldest first."""
    drops = [fact for fact in store.all("register", until=as_of) if fact.name <= f"as_of={as_of.isoformat()}"]
    full = max((fact for fact in drops if fact.meta["totals"]["kind"] == "full"), key=_name, default=None)
    if full is None:
        return None, []
    deltas = [fact for fact in drops if fact.meta["totals"]["kind"] == "delta" and fact.name > full.name]
    return full, sorted(deltas, key=_name)


def newest_register_as_of(store: FactStore, as_of: date) -> date | None:
    """The day of the newest drop that counts on a day, full or delta."""
    full, deltas = newest_register(store, as_of)
    newest = deltas[-1] if deltas else full
    return date.fromisoformat(newest.name.removeprefix("as_of=")) if newest else None


def write_context(store: FactStore, campaign: Campaign, context: Context) -> None:
    """Write `<data>/context/` for a run: tables of facts/schemas.CONTEXT and the pointers to register drops.

    Transfers are gathered first: what they say is read from one file.
    """
    gathered.transfers(store)
    folder = store.data / "context"
    staging = store.data_tmp() / f"context-{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    snapshot = campaign.parameters.snapshot_as_of
    _write(
        staging,
        "context",
        [
            {
                "as_of": context.as_of,
                "run_kind": context.run_kind,
                "posting_date": context.posting_date,
                "run_on": context.run_on,
                "newest_register_as_of": newest_register_as_of(store, context.as_of),
            }
        ],
    )
    scalars = {
        key: value
        for key, value in campaign.parameters.model_dump().items()
        if isinstance(value, date | bool | int | float)
    }
    pq.write_table(pa.Table.from_pylist([{"campaign": campaign.name, **scalars}]), staging / "campaign.parquet")
    _write(staging, "posting_dates", _posting_dates(campaign))
    _write(staging, "dispatch_windows", [window.model_dump() for window in campaign.windows])
    _write(
        staging,
        "follow_up_runs",
        [{"run_on": day, "posting_on": add_business_days(day, 1)} for day in campaign.follow_up_runs],
    )
    _write(staging, "weeks", [dataclasses.asdict(week) for week in campaign.weeks])
    _write(
        staging,
        "registers",
        [
            {
                "as_of": date.fromisoformat(fact.name.removeprefix("as_of=")),
                "kind": fact.meta["totals"]["kind"],
                "file": file,
                "manifest_rows": rows,
                "is_campaign_drop": fact.name == f"as_of={snapshot.isoformat()}",
                "warning_count": len(fact.meta["totals"].get("warnings", ())),
            }
            for fact in store.all("register", until=context.as_of)
            for file, rows in fact.meta["totals"]["manifest_rows"].items()
        ],
    )
    _link_registers(store, staging / "register", snapshot, context.as_of)
    shutil.rmtree(folder, ignore_errors=True)
    staging.rename(folder)


def _name(fact: Fact) -> str:
    return fact.name


def _posting_dates(campaign: Campaign) -> list[dict[str, Any]]:
    return [
        {
            "prefecture": int(window.prefecture_code),
            "posting_date": day,
            "ordinal": ordinal,
            "posting_date_count": len(window.posting_dates),
            "wave_key": f"{day:%Y-%m}",
        }
        for window in campaign.windows
        for ordinal, day in enumerate(window.posting_dates)
    ]


def _write(folder: Path, table: str, rows: list[dict[str, Any]]) -> None:
    schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in CONTEXT[table].items()])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / f"{table}.parquet")


def _link_registers(store: FactStore, folder: Path, snapshot: date, as_of: date) -> None:
    """Pointers to drops: campaign/, newest_full/ and newest_deltas/<drop>/, each a folder of links."""
    empty = store.root / "register" / EMPTY
    campaign = store.find("register", f"as_of={snapshot.isoformat()}")
    if campaign is not None and campaign.meta["received_on"] > as_of.isoformat():
        campaign = None
    full, deltas = newest_register(store, as_of)
    targets = {
        folder / "campaign": campaign.path if campaign else empty,
        folder / "newest_full": full.path if full else empty,
        folder / "newest_deltas" / EMPTY: empty,
        **{folder / "newest_deltas" / delta.name: delta.path for delta in deltas},
    }
    for link, target in targets.items():
        link.mkdir(parents=True)
        for table in REGISTER:
            # A drop that landed before a table was known has no file of it.
            file = target / f"{table}.parquet"
            (link / file.name).symlink_to(file if file.exists() else empty / file.name)
