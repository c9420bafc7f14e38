"""Two different people approve exactly the files that leave (rules: approvals and evidence)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from approvals_kit import answer
from kakuninsho.facts.store import FactStore
from kakuninsho.plans.approvals import (
    APPROVED,
    REJECTED,
    ApprovalError,
    Subject,
    approvals_of,
    is_rejected,
    land_answer,
    landed_answer,
    people_to_ask,
    people_who_answered,
    reject,
    require_approved,
    subject_hash,
)
from kakuninsho.settings import Settings

DAY = date(2025, 5, 15)
PLAN = Subject("home-2025-04-30", "a" * 64)
OTHER_FILES = Subject("home-2025-04-30", "b" * 64)


@pytest.fixture
def store(tmp_path: Path) -> FactStore:
    facts = FactStore(tmp_path / "data")
    facts.initialise()
    return facts


def test_two_people_approve(store: FactStore) -> None:
    answer(store, PLAN, APPROVED, APPROVED, on=DAY)
    require_approved(store, PLAN)
    assert people_who_answered(store) == {"approver1", "approver2"}


def test_one_answer_is_not_enough(store: FactStore) -> None:
    answer(store, PLAN, APPROVED, on=DAY)
    with pytest.raises(ApprovalError, match="answers of 1 people"):
        require_approved(store, PLAN)


def test_nobody_has_answered(store: FactStore) -> None:
    with pytest.raises(ApprovalError, match="answers of 0 people"):
        require_approved(store, PLAN)


def test_the_same_person_twice_is_refused_and_the_question_stays_open(store: FactStore) -> None:
    answer(store, PLAN, APPROVED, on=DAY)
    with pytest.raises(ApprovalError, match="same person"):
        land_answer(store, PLAN, 2, decision=APPROVED, decided_by="approver1", received_on=DAY)
    assert landed_answer(store, PLAN, 2) is None
    land_answer(store, PLAN, 2, decision=APPROVED, decided_by="approver2", received_on=DAY)
    require_approved(store, PLAN)


def test_a_crash_between_the_two_answers_is_gone_on_with(store: FactStore) -> None:
    answer(store, PLAN, APPROVED, on=DAY)
    assert people_to_ask(store, PLAN, ("approver1", "approver2"), started_by="", number=1) == [
        "approver1",
        "approver2",
    ]
    assert people_to_ask(store, PLAN, ("approver1", "approver2"), started_by="", number=2) == ["approver2"]
    answer(store, PLAN, APPROVED, APPROVED, on=DAY)
    assert len(approvals_of(store, PLAN.name)) == 2


def test_who_started_the_run_is_not_asked(store: FactStore) -> None:
    asked = people_to_ask(store, PLAN, ("approver1", "approver2"), started_by="approver1", number=1)
    assert asked == ["approver2"]


def test_nobody_left_to_ask_is_said(store: FactStore) -> None:
    answer(store, PLAN, APPROVED, on=DAY)
    with pytest.raises(ApprovalError, match="nobody is left"):
        people_to_ask(store, PLAN, ("approver1", "approver2"), started_by="approver2", number=2)


@pytest.mark.parametrize("decisions", [(REJECTED,), (APPROVED, REJECTED)])
def test_a_rejection_voids_the_plan(store: FactStore, decisions: tuple[str, ...]) -> None:
    answer(store, PLAN, *decisions, on=DAY)
    assert is_rejected(store, PLAN.name)
    with pytest.raises(ApprovalError, match="was rejected"):
        require_approved(store, PLAN)


def test_a_rejection_stands_whatever_was_answered_before(store: FactStore) -> None:
    answer(store, PLAN, APPROVED, APPROVED, on=DAY)
    reject(store, PLAN, decided_by="approver1", received_on=DAY)
    with pytest.raises(ApprovalError, match="was rejected"):
        require_approved(store, PLAN)
    with pytest.raises(ApprovalError, match="was rejected"):
        require_approved(store, OTHER_FILES)


def test_answers_about_other_files_do_not_count_and_people_are_asked_again(store: FactStore) -> None:
    answer(store, PLAN, APPROVED, APPROVED, on=DAY)
    with pytest.raises(ApprovalError, match="2 are about other content"):
        require_approved(store, OTHER_FILES)
    assert landed_answer(store, OTHER_FILES, 1) is None
    answer(store, OTHER_FILES, APPROVED, APPROVED, on=DAY)
    require_approved(store, OTHER_FILES)


def test_an_answer_that_has_landed_is_kept(store: FactStore) -> None:
    answer(store, PLAN, APPROVED, on=DAY)
    kept = land_answer(store, PLAN, 1, decision=REJECTED, decided_by="approver2", received_on=DAY)
    assert (kept["decision"], kept["decided_by"]) == (APPROVED, "approver1")
    assert not is_rejected(store, PLAN.name)


def test_where_the_answer_stands_in_airflow_is_kept_for_audit(store: FactStore) -> None:
    record = {"run_id": "manual__1", "task_id": "approve_first"}
    land_answer(store, PLAN, 1, decision=APPROVED, decided_by="approver1", received_on=DAY, record=record)
    assert store.get("approvals", PLAN.answer_name(1)).meta["totals"] == record


def test_an_answer_to_one_plan_is_none_to_its_next_try(store: FactStore) -> None:
    answer(store, Subject("home-2025-04-30-2", "a" * 64), REJECTED, on=DAY)
    assert not is_rejected(store, "home-2025-04-30")


def test_the_installation_names_its_approvers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKUNINSHO_APPROVERS", "sato, suzuki")
    settings = Settings.from_environment()
    assert settings.approvers == ("sato", "suzuki")
    assert settings.environment()["KAKUNINSHO_APPROVERS"] == "sato,suzuki"


def test_no_variable_of_the_environment_answers_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPROVALS", "auto")
    assert "APPROVALS" not in Settings.from_environment().environment()


def test_the_subject_covers_names_and_content_in_any_order() -> None:
    assert subject_hash({"a": "1", "b": "2"}) == subject_hash({"b": "2", "a": "1"})
    assert subject_hash({"a": "1"}) != subject_hash({"a": "2"})
    assert subject_hash({"a": "1"}) != subject_hash({"b": "1"})
