"""Two different people approve exactly the files that leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kakuninsho.facts.store import FactStore
from kakuninsho.operations import planning
from kakuninsho.plans.approvals import (
    Answer,
    ApprovalError,
    approvals_of,
    record_approvals,
    refuse_strangers,
    subject_hash,
)
from kakuninsho.server.people import APPROVERS
from kakuninsho.settings import Settings

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


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_an_answer_of_whoever_is_no_approver_does_not_count(decision: str) -> None:
    with pytest.raises(ApprovalError, match=r"1 of 2 answers .* KAKUNINSHO_APPROVERS"):
        refuse_strangers("home", [Answer(decision, "operator"), YES_B], APPROVERS)
    refuse_strangers("home", [YES_A, YES_B], APPROVERS)
    refuse_strangers("home", [Answer("approved", f"replay-{n}", True) for n in (1, 2)], APPROVERS)


def test_nothing_is_recorded_of_whoever_is_no_approver(store: FactStore) -> None:
    settings = replace(Settings.from_environment(), data=store.data)
    with pytest.raises(ApprovalError, match="no answer was recorded"):
        planning.record_answers(settings, "home", {"lot": "abc"}, [YES_A, Answer("approved", "operator")], DAY)
    assert approvals_of(store, "home") == []


def test_the_installation_names_its_approvers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKUNINSHO_APPROVERS", "sato, suzuki")
    settings = Settings.from_environment()
    assert settings.approvers == ("sato", "suzuki")
    assert settings.environment()["KAKUNINSHO_APPROVERS"] == "sato,suzuki"


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
