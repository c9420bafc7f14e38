"""What the orders of a frozen plan must say: pull lists, release order and stop order, from facts alone.

Written for the last door, apart from what writes the orders (operations/planning.py, printer/lot_file.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.parquet as pq

from kakuninsho.campaign import add_business_days
from kakuninsho.facts.store import Fact, FactStore


@dataclass(frozen=True)
class OrderFile:
    """An order that a plan asks for: its name, and its rows in order as text."""

    kind: str  # pull_list, urgent_pull_list, release_order, stop_order
    file_name: str
    rows: tuple[tuple[str, ...], ...]


def order_files(store: FactStore, plan: Fact, campaign: str, own_lots: Mapping[str, str]) -> list[OrderFile]:
    """The orders of a plan. `own_lots`: SHA-256 of the bytes of each of its own lot files, as read here."""
    head = pq.read_table(plan.table("plan"), columns=["plan_kind", "posting_date"]).to_pylist()[0]
    kind, posting_date = head["plan_kind"], head["posting_date"]
    if kind == "release":
        rows = pq.read_table(plan.table("pulls"), columns=["lot_id", "envelope_id", "posting_date"]).to_pylist()
        pulled = sorted({(row["lot_id"], row["envelope_id"]) for row in rows if row["posting_date"] == posting_date})
        lines = pq.read_table(plan.table("release_lots"), columns=["lot_id", "is_released"]).to_pylist()
        released = {row["lot_id"] for row in lines if row["is_released"]} | set(own_lots)
        sent = {**_sealed_hashes(store), **own_lots}
        return [
            _order("pull_list", campaign, posting_date, 1, pulled),
            _release(campaign, posting_date, 1, {lot_id: sent.get(lot_id, "") for lot_id in released}),
        ]
    if kind == "request":
        homes = {lot_id: digest for lot_id, digest in own_lots.items() if _letter(lot_id) == "S"}
        return [_release(campaign, posting_date, 2, homes)] if homes else []
    if kind == "stop":
        return _stop(store, plan, campaign)
    if kind == "pull":
        return [_urgent_pull(plan, campaign)]
    return []


def _stop(store: FactStore, plan: Fact, campaign: str) -> list[OrderFile]:
    """A stop order; and what a request plan may send to homes is let go again by a release order of its own."""
    lines: list[dict[str, Any]] = pq.read_table(
        plan.table("stop_lots"), columns=["lot_id", "effect", "order_number", "received_on"]
    ).to_pylist()
    day, number = lines[0]["received_on"], lines[0]["order_number"]
    orders = [_order("stop_order", campaign, day, number, sorted((row["lot_id"], row["effect"]) for row in lines))]
    resumed = {row["lot_id"] for row in lines if row["effect"] == "resume" and _letter(row["lot_id"]) == "S"}
    if resumed:
        asked: set[str] = set()
        for other in store.all("plans"):
            if other.table("plan").is_file() and other.name.startswith("request-"):
                asked |= set(pq.read_table(other.table("lots"), columns=["lot_id"]).column("lot_id").to_pylist())
        sent = _sealed_hashes(store)
        if again := {lot_id: sent.get(lot_id, "") for lot_id in resumed & asked}:
            orders.append(_release(campaign, add_business_days(day, 1), 10 + number, again))
    return orders


def _urgent_pull(plan: Fact, campaign: str) -> OrderFile:
    lines = pq.read_table(
        plan.table("pulls"), columns=["lot_id", "envelope_id", "order_number", "received_on"]
    ).to_pylist()
    day, number = lines[0]["received_on"], lines[0]["order_number"]
    rows = sorted({(row["lot_id"], row["envelope_id"]) for row in lines})
    return _order("urgent_pull_list", campaign, day, number, rows)


def _letter(lot_id: str) -> str:
    return lot_id.split("-")[1]


def _sealed_hashes(store: FactStore) -> dict[str, str]:
    """SHA-256 of the clear bytes of each lot that was sealed, by the fact of its sealing."""
    found = {}
    for fact in store.all("transfers"):
        parts = fact.name.removesuffix("--sealed").split("_lot_")
        if fact.name.endswith("--sealed") and len(parts) == 2:
            found[parts[1].rsplit("_", 1)[0]] = str(fact.meta["source_sha256"])
    return found


def _release(campaign: str, posting_date: date, ordinal: int, lots: Mapping[str, str]) -> OrderFile:
    rows = [(lot_id, posting_date.isoformat(), digest) for lot_id, digest in sorted(lots.items())]
    return _order("release_order", campaign, posting_date, ordinal, rows)


def _order(kind: str, campaign: str, day: date, ordinal: int, rows: list[tuple[Any, ...]]) -> OrderFile:
    word = kind.split("_", maxsplit=1)[0]  # the first word of each kind is that of its files
    name = f"pv1_{campaign}_{word}_{day:%Y%m%d}_{ordinal:02d}_{len(rows)}.csv"
    return OrderFile(kind, name, tuple(tuple(str(value) for value in row) for row in rows))
