"""On which days a plan may be made, and how a run with nothing to do is found again (rules: approvals and evidence)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from approvals_kit import answer
from kakuninsho.facts.schemas import PLANS
from kakuninsho.facts.store import ARROW_TYPES, FactStore, write_empty
from kakuninsho.operations import planning
from kakuninsho.plans.approvals import APPROVED, REJECTED, Subject
from kakuninsho.plans.draft import PlanError, PlanRequest
from kakuninsho.plans.freeze import freeze_plan, refuse_backdated
from kakuninsho.settings import Settings

MAY, JUNE, NEXT_MARCH = date(2025, 5, 20), date(2025, 6, 16), date(2026, 3, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = replace(Settings.from_environment(), data=tmp_path / "data")
    made.store.initialise()
    for kind, name, day in (("register", "as_of=2025-04-30", date(2025, 4, 30)), ("plans", "home-2025-04-30", MAY)):
        with made.store.land(kind, name, received_on=day, source="test"):
            pass
    return made


def freeze(store: FactStore, plan_id: str, on: date) -> None:
    with store.land("plans", plan_id, received_on=on, source="test") as draft:
        for table, columns in PLANS.items():
            write_empty(draft.table(table), columns)
        schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in PLANS["plan"].items()])
        row = {"plan_id": plan_id, "plan_kind": "follow_up", "received_on": on}
        pq.write_table(pa.Table.from_pylist([row], schema=schema), draft.table("plan"))


def test_a_later_plan_that_is_frozen_makes_a_day_past(settings: Settings) -> None:
    freeze(settings.store, "follow-up-2026-03-01", NEXT_MARCH)
    with pytest.raises(PlanError, match="later day is frozen"):
        refuse_backdated(settings.store, "request-2025-06-16", JUNE)


def test_a_voided_plan_never_blocks_a_later_one(settings: Settings) -> None:
    freeze(settings.store, "follow-up-2026-03-01", NEXT_MARCH)
    answer(settings.store, Subject("follow-up-2026-03-01", "a" * 64), REJECTED, on=NEXT_MARCH)
    refuse_backdated(settings.store, "request-2025-06-16", JUNE)


@pytest.mark.parametrize("decisions", [(REJECTED,), (APPROVED, REJECTED)])
def test_a_rejected_plan_is_tried_again_under_another_name(settings: Settings, decisions: tuple[str, ...]) -> None:
    wish = PlanRequest("follow_up", JUNE, run_on=JUNE)
    freeze(settings.store, wish.plan_id, JUNE)
    answer(settings.store, Subject(wish.plan_id, "a" * 64), *decisions, on=JUNE)
    assert planning.check(settings, wish).plan_id == "follow-up-2025-06-16-2"


def test_no_plan_is_made_for_a_day_that_has_not_come_but_a_dry_run_looks_ahead(settings: Settings) -> None:
    wish = PlanRequest("follow_up", NEXT_MARCH, run_on=NEXT_MARCH)
    with pytest.raises(PlanError, match="has not come"):
        planning.check(settings, wish, own_day=JUNE)
    assert planning.check(settings, wish, own_day=NEXT_MARCH) == wish
    assert planning.check(settings, wish, own_day=JUNE, dry_run=True) == wish


def test_a_run_with_nothing_to_do_is_found_again_when_its_day_is_past(settings: Settings) -> None:
    wish = PlanRequest("follow_up", JUNE, run_on=JUNE)
    assert planning.note_nothing_to_do(settings, wish) == planning.note_nothing_to_do(settings, wish) == wish.plan_id
    assert not planning.had_nothing_to_do(settings, wish), "its day lasts: it looks again"
    freeze(settings.store, "follow-up-2026-03-01", NEXT_MARCH)
    assert planning.had_nothing_to_do(settings, wish)
    other = PlanRequest("employer_list", JUNE, run_on=JUNE)
    assert not planning.had_nothing_to_do(settings, other)
    with pytest.raises(PlanError, match="later day is frozen"):
        planning.check(settings, other)


def test_a_draft_that_was_not_judged_is_not_frozen(settings: Settings) -> None:
    wish = PlanRequest("follow_up", JUNE, run_on=JUNE)
    candidate = settings.data / "candidates" / wish.plan_id
    candidate.mkdir(parents=True)
    (candidate / "draft.json").write_text('{"highest_sequence_before": 0}', encoding="utf-8")
    with pytest.raises(PlanError, match="has not judged"):
        planning.freeze(settings, wish)
    with pytest.raises(PlanError, match="no draft"):
        freeze_plan(settings.store, "request-2025-06-16", JUNE)
