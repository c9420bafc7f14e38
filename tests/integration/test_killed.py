"""kill -9 at twenty random points of approving, recording, sealing and sending: what is run again ends right."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from test_misbehaviour_season import HANDED_OFF, SNAPSHOT, Season, address, household, person

from kakuninsho.facts.soundness import require_sound
from kakuninsho.operations import planning
from kakuninsho.plans.approvals import approvals_of
from kakuninsho.replay.installation import running_sandbox
from kakuninsho.sandbox import control

pytestmark = pytest.mark.slow

BRANCHES, KILLS = range(1, 21), 20
ANSWERED = date(2025, 5, 19)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Season, str, list[int]]:
    """A hand-off of twenty branches, killed twenty times and then let through."""
    season = Season(tmp_path_factory.mktemp("killed"))
    homes = [household(1, prefecture=branch) for branch in BRANCHES]
    season.facts.register(SNAPSHOT, [person(key) for key in homes], [address(key) for key in homes])
    with running_sandbox(season.outside, seed=7, arguments=tuple(season.arguments)) as outside:
        control.advance(season.outside, HANDED_OFF)
        settings = season.settings
        wish = planning.check(settings, planning.home_wish(settings, HANDED_OFF))
        planning.draft(settings, wish)
        planning.judge(settings, wish)
        plan_id = planning.freeze(settings, wish)
        planning.write_files(settings, plan_id)
        target = {name: str(value) if isinstance(value, Path) else value
                  for name, value in asdict(season.target(outside.port)).items()}  # fmt: skip
        work = {"data": str(settings.data), "target": target, "plan_id": plan_id, "day": HANDED_OFF.isoformat()}
        ended = kill_and_finish(work)
        control.advance(season.outside, ANSWERED)
        season.take_in(ANSWERED, season.target(outside.port))
        season.publish(ANSWERED)
    return season, plan_id, ended


def kill_and_finish(work: dict[str, Any]) -> list[int]:
    """Start the work, kill it at a random moment; in the end let it finish. Returns how each child ended."""
    chance, ended = random.Random(20), []
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("killed_worker.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as worker:
        assert worker.stdin and worker.stdout
        for number in range(KILLS + 1):
            worker.stdin.write(json.dumps(work) + "\n")
            worker.stdin.flush()
            child = int(worker.stdout.readline())
            if number < KILLS:
                time.sleep(chance.uniform(0.0, 0.6))
                os.kill(child, signal.SIGKILL)
            ended.append(int(worker.stdout.readline()))
        worker.stdin.close()
    return ended


def test_every_run_was_killed_but_the_last_which_ended_well(killed: tuple[Season, str, list[int]]) -> None:
    *before, last = killed[2]
    assert last == 0
    assert before.count(-signal.SIGKILL) >= KILLS // 2  # a run that had ended before its kill has nothing left to do
    assert set(before) <= {0, -signal.SIGKILL}


def test_each_person_has_answered_once(killed: tuple[Season, str, list[int]]) -> None:
    season, plan_id, _ = killed
    answers = [(row["decided_by"], row["decision"]) for row in approvals_of(season.settings.store, plan_id)]
    assert sorted(answers) == [("approver1", "approved"), ("approver2", "approved")]


def test_every_lot_was_announced_and_accepted_once(killed: tuple[Season, str, list[int]]) -> None:
    season, plan_id, _ = killed
    lots = pq.read_table(season.settings.store.get("plans", plan_id).table("lots")).column("lot_id").to_pylist()
    steps = Counter(
        (row["step"], row["lot_id"])
        for fact in season.settings.store.all("transfers")
        for row in pq.read_table(fact.table("transfers")).to_pylist()
    )
    assert steps == Counter({(step, lot): 1 for lot in lots for step in ("sealed", "uploaded", "announced")})
    assert season.rows("select status, count(*) from marts.fct_lots group by all") == [("accepted", len(BRANCHES))]
    arrived = [path.name for path in (season.outside / "sftp" / "to_printer").iterdir()]
    assert len(arrived) == 2 * len(lots) and not [name for name in arrived if name.endswith(".part")]


def test_the_facts_are_sound_and_the_ledger_has_no_difference(killed: tuple[Season, str, list[int]]) -> None:
    season, _, _ = killed
    require_sound(season.settings.store)
    assert {stage: figures for stage, figures in season.ledger[ANSWERED].items() if figures[0]} == {}
