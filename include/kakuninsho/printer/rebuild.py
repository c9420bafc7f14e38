"""Making the clear bytes of any lot ever sent again from facts, and comparing them with what was sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from kakuninsho.facts.store import Fact, FactStore, sha256_of
from kakuninsho.printer.layout import parse_file_name
from kakuninsho.printer.lot_file import write_lot


class RebuildError(RuntimeError):
    """A lot that cannot be made again. Says which and why."""


@dataclass(frozen=True)
class Rebuilt:
    """A lot made again: `sent` and `made` are SHA-256 of the clear bytes.

    `kept` is that of the copy kept when it was sent; none when retention has deleted it.
    """

    lot_id: str
    file_name: str
    plan_id: str
    sent: str
    made: str
    kept: str | None
    path: Path

    @property
    def agrees(self) -> bool:
        """Whether the bytes made again are those that were sent."""
        return self.sent == self.made and self.kept in {None, self.sent}


def sealed_lot(store: FactStore, lot_id: str) -> Fact:
    """The fact of the sealed step of a lot: what was sent, kept beside it until retention deletes it.

    Raises:
        RebuildError: the lot was never sealed.
    """
    for fact in store.all("transfers"):
        if fact.name.endswith("--sealed") and parse_file_name(fact.meta["source"]).lot_id == lot_id:
            return fact
    raise RebuildError(f"lot {lot_id} was never sealed: there is nothing to compare with")


def rebuild_lot(store: FactStore, lot_id: str, out_dir: Path) -> Rebuilt:
    """Make the clear file of a lot that was sealed again from its frozen plan into `out_dir`.

    Raises:
        RebuildError: the lot was never sealed, or its plan's rows were deleted by retention.
        LotFileError: the plan no longer gives a valid lot file.
    """
    sealed = sealed_lot(store, lot_id)
    file_name = sealed.meta["source"]
    row = pq.read_table(sealed.table("transfers")).to_pylist()[0] if sealed.table("transfers").is_file() else {}
    plan_id = row.get("plan_id") or _plan_of(store, lot_id)
    plan = store.find("plans", plan_id) if plan_id else None
    if plan is None:
        raise RebuildError(f"lot {lot_id}: its plan is not among the facts")
    if not plan.table("envelopes").is_file():
        raise RebuildError(f"lot {lot_id}: the rows of {plan_id} were deleted on {store.deleted_on(plan) or 'a day'}")
    kept = sealed.path / file_name
    made = write_lot(plan, lot_id, parse_file_name(file_name).campaign, out_dir)
    return Rebuilt(
        lot_id=lot_id,
        file_name=file_name,
        plan_id=plan.name,
        sent=sealed.meta["source_sha256"],
        made=made.sha256,
        kept=sha256_of(kept) if kept.is_file() else None,
        path=made.path,
    )


def _plan_of(store: FactStore, lot_id: str) -> str | None:
    """The plan that holds a lot."""
    for plan in store.all("plans"):
        if plan.table("lots").is_file():
            lots = pq.read_table(plan.table("lots"), columns=["lot_id"]).column("lot_id").to_pylist()
            if lot_id in lots:
                return plan.name
    return None
