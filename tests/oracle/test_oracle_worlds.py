"""Households at the edge of every rule, through the pipeline and through the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import played
import pytest
from season_oracle import SeasonOracle, disagreements
from worlds import World, register_world, season_world

from oracle import Key

# Where the rules are silent: the two readings differ, neither is tested. By words of a household's label.
SILENT = {
    # Whether characters that print nothing but are no spaces make a text blank (held or rejected either way).
    **dict.fromkeys(("U+001C", "U+001F", "U+180E", "U+200B", "U+200C", "U+2060", "U+FEFF", r"blank '\u200b'"), "blank"),
    # Whether a country of spaces is given (held either way).
    "country ' '": "given",
    r"country '\u3000'": "given",
    # Whether a household without its insured person, known at planning, still has members in the newest register.
    "insured's row rejected": "insured gone",
    "insured's row missing": "insured gone",
    # Whether the addressee, the postal code and the country belong to "name, address or building".
    "insured's name": "what is printed on the envelope",
    "postal code only": "address",
    "postal code invalid": "address",
    "country null": "address",
    "overseas": "address",
    # Whether an employer that no letter can reach has a list and a bundle.
    **dict.fromkeys(("symbol 71010201", "symbol 71010202", "symbol 71010203", "employer 72000004"), "employer"),
    "follow-up: own row rejected": "the follow-up says nothing of missing rows",
}


def _said(world: World, values: dict[Any, Any], household: Any = lambda key: key[:3]) -> dict[Any, Any]:
    """Without the households of a label on which the rules are silent."""
    labels = {key: world.labels.get(household(key), "") for key in values}
    return {key: value for key, value in values.items() if not any(word in labels[key] for word in SILENT)}


def _labelled(world: World, told: list[str]) -> str:
    names = "\n".join(
        f"{key}: {label}" for key, label in world.labels.items() if any(str(key)[1:-1] in line for line in told)
    )
    return "\n".join([*told, names])


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, SeasonOracle]:
    """A register of more than a thousand households, extracted, planned and published."""
    with pytest.MonkeyPatch.context() as patch:
        return _play(tmp_path_factory.mktemp("register"), register_world(), played.play_register, patch)


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, SeasonOracle]:
    """Some four hundred households through lists and a release."""
    with pytest.MonkeyPatch.context() as patch:
        return _play(tmp_path_factory.mktemp("season"), season_world(), played.play_season, patch)


@pytest.fixture(scope="module")
def followed_up(season: tuple[World, SeasonOracle]) -> tuple[World, SeasonOracle]:
    """The same households after their envelopes came back."""
    world, before = season
    settings = played.settings_of(before.data.parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAKUNINSHO_CAMPAIGNS", str(before.campaign_folder.parent))
        played.play_follow_up(settings)
    return world, SeasonOracle(settings.data, settings.register, before.campaign_folder)


def _play(base: Path, world: World, play: Any, patch: pytest.MonkeyPatch) -> tuple[World, SeasonOracle]:
    patch.setenv("KAKUNINSHO_CAMPAIGNS", str(base / "campaigns"))
    settings = play(base, world)
    return world, SeasonOracle(settings.data, settings.register, base / "campaigns" / "fy2025")


def test_world_has_four_hundred_households(register: tuple[World, SeasonOracle]) -> None:
    assert len(register[0].households) >= 400


def test_every_reject_of_the_register_world(register: tuple[World, SeasonOracle]) -> None:
    world, oracle = register
    rows = oracle.marts("select file, row_number, column_name, reason_code from marts.fct_register_rejects")
    theirs = {row[:2]: row[2:] for row in rows}
    ours = {(row.file, row.row_number): (row.column, row.code) for row in oracle.drops[0].rejects}
    tables = world.tables()

    def household(row: tuple[str, int]) -> Key:
        values = tables[row[0]][row[1] - 1]
        return tuple(str(values.get(name)) for name in ("insurer_number", "symbol", "number"))

    assert len(theirs) == len(rows)
    told = disagreements(_said(world, theirs, household), _said(world, ours, household))
    assert told == []


def test_every_disposition_of_the_register_world(register: tuple[World, SeasonOracle]) -> None:
    world, oracle = register
    rows = oracle.marts(
        "select insurer_number, symbol, number, suffix, disposition, reason_code from marts.fct_member_dispositions"
    )
    told = disagreements(_said(world, {row[:4]: row[4:] for row in rows}), _said(world, oracle.dispositions))
    assert told == [], _labelled(world, told)


@pytest.mark.parametrize("name", ["register", "season"])
def test_first_plan_and_validity_of_a_world(name: str, request: pytest.FixtureRequest) -> None:
    world, oracle = request.getfixturevalue(name)
    ours = {(env.household, env.position, env.posting_date): (env.count, env.members) for env in oracle.first_plan}
    theirs = oracle.envelopes_of(oracle.plan_ids("home")[-1])
    told = disagreements(_said(world, theirs, lambda key: key[0]), _said(world, ours, lambda key: key[0]))
    assert told == [], _labelled(world, told)
    certificates, expected = oracle.validity()
    told = disagreements(_said(world, certificates), _said(world, expected))
    assert told == [], _labelled(world, told)


def test_employer_lists_of_the_season_world(season: tuple[World, SeasonOracle]) -> None:
    world, oracle = season
    theirs, ours = (dict.fromkeys(people, "listed") for people in oracle.employer_lists())
    told = disagreements(_said(world, theirs), _said(world, ours))
    assert told == [], _labelled(world, told)


def test_pulls_and_supplementary_envelopes_of_the_season_world(season: tuple[World, SeasonOracle]) -> None:
    world, oracle = season
    ((posting_date, newest),) = oracle.releases()
    plan_id = f"release-{posting_date}"
    theirs = {
        oracle.members_of[row["envelope_id"]][int(row["certificate_id"].rsplit("-", 1)[1]) - 1]: (
            row["reason_code"],
            row["outcome"],
            row["outcome_reason_code"],
        )
        for row in oracle.plan(plan_id, "pulls")
    }
    ours, anew = oracle.recheck(posting_date, newest)
    told = disagreements(_said(world, theirs), _said(world, ours))
    assert told == [], _labelled(world, told)
    packed = {(env.household, env.position, env.posting_date): (env.count, env.members) for env in anew}
    envelopes = oracle.envelopes_of(plan_id)
    told = disagreements(_said(world, envelopes, lambda key: key[0]), _said(world, packed, lambda key: key[0]))
    assert told == [], _labelled(world, told)


def test_follow_up_of_the_season_world(followed_up: tuple[World, SeasonOracle]) -> None:
    world, oracle = followed_up
    rows = oracle.marts("select envelope_id, run_on, outcome from marts.fct_employer_follow_ups")
    ours = oracle.follow_ups()

    def household(key: tuple[str, Any]) -> Key:
        return oracle.members_of[key[0]][0][:3]

    told = disagreements(_said(world, {row[:2]: row[2] for row in rows}, household), _said(world, ours, household))
    assert told == [], told
    assert {"employer_bundle", "branch_desk", "held", "closed"} == set(ours.values())
