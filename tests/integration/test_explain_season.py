"""Every disposition, status, follow-up, request and hold of a whole season is explained; nobody's is left in codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from explained import assert_explained, one_member_for_each_outcome, rejected_members, settings_of

pytestmark = pytest.mark.slow


def test_every_outcome_of_a_season_names_its_rule_and_what_comes_next(season_2000: Path) -> None:
    settings = settings_of(season_2000)
    chosen = one_member_for_each_outcome(season_2000)
    outcomes = {outcome for found in chosen.values() for outcome in found}
    kinds = {" ".join(outcome.split(" ")[:2]) for outcome in outcomes}
    assert {"disposition excluded", "disposition held", "disposition target"} <= kinds
    statuses = {outcome.split(" ")[2] for outcome in outcomes if outcome.startswith("certificate")}
    assert statuses >= {"pulled", "delivered", "at_employer", "at_branch_desk", "closed", "spoiled"}
    print(f"{len(chosen)} members for {len(outcomes)} outcomes")
    for member in chosen:
        assert_explained(settings, member)


def test_a_rejected_row_is_explained_by_its_reason(season_2000: Path) -> None:
    rejected = rejected_members(season_2000)
    assert rejected
    explanation = assert_explained(settings_of(season_2000), rejected[0])
    assert explanation.disposition is None
    assert [judgement.table for judgement in explanation.judgements][:1] == ["rejects"]
    assert "基幹システム" in explanation.next_steps[0]
