"""Dry runs in the middle of a season: each DAG shows what it would do, and no fact or file of anybody changes."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from kakuninsho.campaign import load_campaign

pytestmark = pytest.mark.slow

CAMPAIGN = load_campaign("fy2025")
POSTING_DATE = date(2025, 9, 5)
DAY = CAMPAIGN.release_on(POSTING_DATE)
# What a dry run may write: its report, a draft beside the facts, what the gates said of the draft, the warehouse.
MAY_CHANGE = ("published/previews", "published/validations", "candidates", "staging", "inbox", "context", "dbt", "tmp")
MAY_CHANGE_ALSO = (
    "runs",
    "airflow",
    "gathered",
    "warehouse.duckdb",
    "replay.log",
    "outside/sandbox.log",
    "outside/state",
)

RUN = """
import json, sys
from dataclasses import replace
from pathlib import Path
from kakuninsho.replay.driver import Season, open_log
from kakuninsho.replay.installation import running_sandbox
from kakuninsho.settings import Settings
data, wanted = Path(sys.argv[1]), json.loads(sys.argv[2])
core = data / "outside" / "core"
settings = replace(Settings.from_environment(), data=data, register=core / "register", feeds=core / "feeds",
                   keys=data / "keys")
states = {}
with running_sandbox(data / "outside", seed=2025, arguments=("--acknowledge", "daily")) as sandbox:
    with open_log(data) as log_file:
        season = Season(settings, sandbox, log_file=log_file)
        for dag_id, conf in wanted:
            with season._quiet(), season._dags_written_once():
                run = season.dags[dag_id].test(run_conf=conf)
            states[dag_id] = [str(run.state), sorted(
                task.task_id for task in run.get_task_instances() if str(task.state) == "success")]
print(json.dumps(states))
"""


@pytest.fixture
def middle(season_2000: Path, tmp_path: Path) -> Path:
    """The season as it was on the morning of a release: what came later is not there yet."""
    data = tmp_path / "data"
    shutil.copytree(season_2000, data, ignore=shutil.ignore_patterns("candidates", "context", "logs", "*.sock"))
    for file in sorted((data / "facts").rglob("fact.json")):
        if json.loads(file.read_text(encoding="utf-8"))["received_on"] >= DAY.isoformat():
            shutil.rmtree(file.parent)
    # What the printer and the core system wrote later tells of lots that are not there yet.
    for folder in (data / "outside" / "sftp" / "from_printer", data / "outside" / "core" / "feeds"):
        for path in folder.iterdir():
            day = re.search(r"_(20[0-9]{6})[_.]", path.name)
            if day and day[1] > f"{DAY:%Y%m%d}":
                path.unlink()
    return data


def contents(data: Path) -> dict[str, str]:
    """Hash by file of everything that a dry run must leave as it is."""
    found = {}
    for path in sorted(path for path in data.rglob("*") if path.is_file()):
        name = path.relative_to(data).as_posix()
        if not name.startswith((*MAY_CHANGE, *MAY_CHANGE_ALSO)):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def dry_run(data: Path, *wanted: tuple[str, dict[str, object]]) -> dict[str, tuple[str, list[str]]]:
    """State of each DAG's dry run and the tasks that succeeded in it."""
    runs = json.dumps([(dag_id, {"as_of": DAY.isoformat(), "dry_run": True, **conf}) for dag_id, conf in wanted])
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(data), runs], capture_output=True, text=True, check=False, timeout=1500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {dag_id: (state, tasks) for dag_id, (state, tasks) in json.loads(done.stdout.splitlines()[-1]).items()}


def report(data: Path, name: str) -> str:
    folder = data / "published" / "previews"
    assert (folder / f"{name}.html").is_file(), sorted(path.name for path in folder.iterdir())
    return (folder / f"{name}.md").read_text(encoding="utf-8")


def test_dry_run_of_a_release_shows_branches_and_pulls_and_freezes_nothing(middle: Path) -> None:
    before = contents(middle)
    state, tasks = dry_run(middle, ("release_lots", {}))["release_lots"]
    assert state == "success"
    assert tasks == ["check", "draft_plan", "judge_plan"]
    text = report(middle, f"release-{POSTING_DATE}")
    assert "| 支部 | ロット | 計画した封筒 | 引抜き | 組み直し | 封筒・束 | 資格確認書 | 郵便料金 (円) |" in text
    assert "14 神奈川支部" in text
    assert contents(middle) == before


def test_dry_runs_of_all_dags_change_no_fact_and_send_nothing(middle: Path) -> None:
    before = contents(middle)
    wanted: list[tuple[str, dict[str, object]]] = [
        ("extract_register", {"as_of": "2025-09-30"}),
        ("hand_off_to_printer", {}),
        ("send_employer_lists", {}),
        ("mail_wave", {"wave": "2025-10"}),
        ("release_lots", {"branch": "14"}),
        ("take_in_printer_reports", {}),
        ("follow_up_employers", {}),
        ("issue_on_request", {}),
        ("stop_lots", {"lots_of_branch": "14"}),
        ("publish_usage_rates", {}),
        ("publish_for_analysts", {}),
        ("close_season", {}),
        ("delete_expired_data", {"as_of": "2029-06-28"}),
    ]
    states = dry_run(middle, *wanted)
    assert {dag_id: state for dag_id, (state, _) in states.items()} == {dag_id: "success" for dag_id, _ in wanted}
    done = {task for _, tasks in states.values() for task in tasks}
    assert done.isdisjoint({"freeze_plan", "write_files", "send", "land", "land_files", "publish", "close", "delete"})
    assert contents(middle) == before
    assert "| as_of=2025-09-30 | members |" in report(middle, "extract_register-2025-09-30")
    assert "2025-10-" in report(middle, f"mail_wave-2025-10-{DAY}")
    assert "01 北海道支部" not in report(middle, f"release-{POSTING_DATE}-14")
    # Which feeds had files that day is the season's.
    (feeds,) = (middle / "published" / "previews").glob(f"feeds-acknowledgements-*-{DAY}.md")
    assert "差出報告" in feeds.read_text(encoding="utf-8")
    assert "台帳" in report(middle, f"close_season-{DAY}")
    (stop,) = (middle / "published" / "previews").glob(f"stop-{DAY}-*.md")
    assert "| ロット | 段階 | 封筒・束 |" in stop.read_text(encoding="utf-8")
    # A publication stands for the day of the newest fact.
    assert list((middle / "published" / "previews").glob("publish_for_analysts-*.md"))
    for name in (f"employer-list-{DAY}", f"follow-up-{DAY}"):
        report(middle, name)
    # The first plan was sent long ago: what a hand-off would do now is to send lots again, and there is none.
    assert "作り直して送るロットはありません" in report(middle, f"resend-{DAY}")


def test_a_branch_alone_can_be_tried_and_not_run(middle: Path) -> None:
    state, tasks = dry_run(middle, ("release_lots", {"branch": "14", "dry_run": False}))["release_lots"]
    assert state == "failed"
    assert tasks == []
    assert "支部を選べるのは試行だけ" in (middle / "replay.log").read_text(encoding="utf-8")
