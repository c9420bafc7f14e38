"""An approver can take an approval back until anything has left (rules: a wave, line 3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from approvals_kit import answer
from kakuninsho.facts.schemas import TRANSFERS
from kakuninsho.facts.store import ARROW_TYPES
from kakuninsho.operations.rejecting import RejectionError, reject_plan
from kakuninsho.plans.approvals import APPROVED, ApprovalError, Subject, require_approved
from kakuninsho.settings import Settings

DAY = date(2025, 7, 31)
PLAN = Subject("release-2025-08-01", "a" * 64)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = replace(Settings.from_environment(), data=tmp_path / "data")
    made.store.initialise()
    with made.store.land("plans", PLAN.name, received_on=DAY, source="test"):
        pass
    answer(made.store, PLAN, APPROVED, APPROVED, on=DAY)
    return made


def send(settings: Settings, step: str) -> None:
    with settings.store.land("transfers", f"file--{step}", received_on=DAY, source="test") as draft:
        schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in TRANSFERS["transfers"].items()])
        row = {"plan_id": PLAN.name, "file_name": "file", "step": step, "received_on": DAY}
        pq.write_table(pa.Table.from_pylist([row], schema=schema), draft.table("transfers"))


def test_what_was_approved_is_void_once_an_approver_rejects_it(settings: Settings) -> None:
    send(settings, "sealed")  # made ready, and the printer was away
    require_approved(settings.store, PLAN)
    assert reject_plan(settings, PLAN.name, "approver1", DAY) == PLAN.name
    with pytest.raises(ApprovalError, match="was rejected"):
        require_approved(settings.store, PLAN)
    assert reject_plan(settings, PLAN.name, "approver2", DAY) == PLAN.name, "a rejection stands"


def test_what_has_begun_to_leave_cannot_be_rejected(settings: Settings) -> None:
    send(settings, "uploaded")
    with pytest.raises(RejectionError, match="stop_lots"):
        reject_plan(settings, PLAN.name, "approver1", DAY)


@pytest.mark.parametrize(("plan_id", "by"), [(PLAN.name, "operator"), ("release-2025-08-02", "approver1")])
def test_nobody_else_rejects_and_no_other_plan(settings: Settings, plan_id: str, by: str) -> None:
    with pytest.raises(RejectionError):
        reject_plan(settings, plan_id, by, DAY)
    require_approved(settings.store, PLAN)
