"""Thousands of household histories through the whole season: whatever happens to people, the mailing's rules hold.

Households are independent, so many of them make one world. HISTORIES_SEED begins other worlds; a world that fails
prints each broken rule with one household that breaks it, made as simple as can be.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from fast_player import CompiledProject
from household_histories import Change, History, Mail, Person, Request, histories
from hypothesis import HealthCheck, Phase, given, seed, settings
from season_of_histories import broken_rules, explain

WORLDS, HOUSEHOLDS = 20, 260
FIRST_SEED = int(os.environ.get("HISTORIES_SEED", "2025"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CompiledProject]:
    """The compiled dbt project."""
    yield CompiledProject(tmp_path_factory.mktemp("project"))


def drawn(number: int, count: int) -> list[History]:
    """So many different histories of one seed."""
    found: dict[History, None] = {}
    tries = 0
    while len(found) < count:

        @seed(number * 1000 + tries)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(histories())
        def collect(history: History) -> None:
            found[history] = None

        collect()
        tries += 1
    return list(found)[:count]


def hold(data: Path, project: CompiledProject, households: list[History]) -> None:
    """Play a world; on failure say which household breaks which rule."""
    broken = broken_rules(data, project, households)
    if broken:
        pytest.fail(explain(data, project, households, broken), pytrace=False)


def test_a_hundred_households_keep_every_rule_through_the_season(tmp_path: Path, project: CompiledProject) -> None:
    hold(tmp_path / "world", project, drawn(FIRST_SEED - 1, 100))


@pytest.mark.slow
@pytest.mark.parametrize("world", range(WORLDS))
def test_five_thousand_households_keep_every_rule_through_the_season(
    tmp_path: Path, project: CompiledProject, world: int
) -> None:
    hold(tmp_path / "world", project, drawn(FIRST_SEED + world, HOUSEHOLDS))


PROTECTED_LATE = History(
    people=(Person(), Person(card="usable")),
    changes=(Change(0, "name", "other"), Change(2, "protected", True)),
    requests=(Request(3, 0, "lost_or_damaged"),),
    mail=(Mail(spoiled=1),),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "rule_left_out", "broken"),
    [
        (
            "int_recheck_findings",
            "when changed.is_protected then 'address_protected'",
            "no protected person is in a plan (release)",
        ),
        (
            "int_certificates",
            "when superseded_on is not null then 'superseded'",
            "nobody holds two live certificates",
        ),
    ],
)
def test_a_rule_left_out_of_a_model_is_found_and_its_household_made_small(
    tmp_path: Path, project: CompiledProject, model: str, rule_left_out: str, broken: str
) -> None:
    key = project.by_name[model]
    assert rule_left_out in project.nodes[key].sql
    spoiled = CompiledProject.__new__(CompiledProject)
    spoiled.__dict__.update(project.__dict__)
    without = project.nodes[key].sql.replace(rule_left_out, "")
    spoiled.nodes = project.nodes | {key: replace(project.nodes[key], sql=without)}
    replaced = History(requests=(Request(3, 0, "lost_or_damaged"),))
    world = [History(), PROTECTED_LATE, replaced, History(voluntary_since=date(2024, 10, 1))]
    found = broken_rules(tmp_path / "world", spoiled, world)
    assert broken in found
    told = explain(tmp_path / "world", spoiled, world, {broken: found[broken]})
    assert len(told.splitlines()) <= 3, told
