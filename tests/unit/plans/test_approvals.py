"""Two different people approve exactly the files that leave."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from kakuninsho.facts.store import FactStore
from kakuninsho.plans.approvals import Answer, ApprovalError, approvals_of, record_approvals, subject_hash

DAY = date(2025, 5, 15)
YES_A = Answer("approved", "approver1")
YES_B = Answer("approved", "approver2")
NO_B = Answer("rejected", "approver2")


@pytest.fixture
def store(tmp_path: Path) -> FactStore:
    facts = FactStore(tmp_path / "data")
    facts.initialise()
    return facts


def test_two_people_approve(store: FactStore) -> None:
    record_approvals(store, "home", "abc", [YES_A, YES_B], DAY)
    assert [row["decided_by"] for row in approvals_of(store, "home")] == ["approver1", "approver2"]


def test_the_same_person_twice_is_refused(store: FactStore) -> None:
    with pytest.raises(ApprovalError, match="two different people"):
        record_approvals(store, "home", "abc", [YES_A, YES_A], DAY)
    assert approvals_of(store, "home") == []


def test_a_rejection_is_recorded_and_stops(store: FactStore) -> None:
    with pytest.raises(ApprovalError, match="was rejected"):
        record_approvals(store, "home", "abc", [YES_A, NO_B], DAY)
    assert {row["decision"] for row in approvals_of(store, "home")} == {"approved", "rejected"}


def test_changed_files_void_the_approval(store: FactStore) -> None:
    record_approvals(store, "home", "abc", [YES_A, YES_B], DAY)
    with pytest.raises(ApprovalError, match="void"):
        record_approvals(store, "home", "other", [YES_A, YES_B], DAY)


def test_recording_again_changes_nothing(store: FactStore) -> None:
    record_approvals(store, "home", "abc", [YES_A, YES_B], DAY)
    record_approvals(store, "home", "abc", [YES_A, YES_B], DAY)
    assert len(approvals_of(store, "home")) == 2


def test_an_automatic_answer_says_so(store: FactStore) -> None:
    record_approvals(store, "home", "abc", [Answer("approved", f"replay-{n}", True) for n in (1, 2)], DAY)
    assert all(row["is_automatic"] for row in approvals_of(store, "home"))


def test_the_subject_covers_names_and_content_in_any_order() -> None:
    assert subject_hash({"a": "1", "b": "2"}) == subject_hash({"b": "2", "a": "1"})
    assert subject_hash({"a": "1"}) != subject_hash({"a": "2"})
    assert subject_hash({"a": "1"}) != subject_hash({"b": "1"})
