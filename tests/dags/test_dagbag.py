"""The DAG files as Airflow reads them. In a process of its own: Airflow settles its home when it is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kakuninsho.paths import DAGS

DAG_IDS = {
    "extract_register",
    "hand_off_to_printer",
    "send_employer_lists",
    "mail_wave",
    "release_lots",
    "stop_lots",
    "pull_pieces",
    "take_in_printer_reports",
    "follow_up_employers",
    "issue_on_request",
    "publish_usage_rates",
    "publish_for_analysts",
    "close_season",
    "delete_expired_data",
}
# DAGs on single cases, started by hand.
CASE_DAG_IDS = {"record_decision", "explain_person"}
# Tasks that build or read the warehouse: each holds its only slot.
WAREHOUSE_TASKS = {"draft_plan", "freeze_plan", "publish", "close", "rank", "look_at_what_is_out"}
MOST_LINES = 120
MOST_SECONDS = 5  # of processor time, all files together: on a busy machine the clock says nothing

READ = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
started = time.process_time()
bag = DagBag(sys.argv[1])
print(json.dumps({
    "seconds": time.process_time() - started,
    "heavy": sorted({"dbt", "great_expectations", "duckdb", "pandas"} & set(sys.modules)),
    "errors": sorted(bag.import_errors),
    "dags": {dag_id: {
        "doc": dag.doc_md, "tags": sorted(dag.tags), "name": dag.dag_display_name, "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs, "params": sorted(dag.params),
        "events": [moment.isoformat() for moment in getattr(dag.timetable, "event_dates", ())],
        "tasks": {task.task_id: {"pool": task.pool, "name": task.task_display_name} for task in dag.tasks},
    } for dag_id, dag in bag.dags.items()},
}))
"""


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "KAKUNINSHO_DATA": str(home / "data"),
    }
    done = subprocess.run(
        [sys.executable, "-c", READ, str(DAGS)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_bag_holds_exactly_the_thirteen_dags_and_those_on_single_cases(bag: dict[str, Any]) -> None:
    assert bag["errors"] == []
    assert set(bag["dags"]) == DAG_IDS | CASE_DAG_IDS


def test_forms_on_single_cases_have_no_field_for_a_name_or_an_address(bag: dict[str, Any]) -> None:
    assert set(bag["dags"]["record_decision"]["params"]) == {"as_of", "dry_run", "subject", "decision", "reason"}
    assert set(bag["dags"]["explain_person"]["params"]) == {"person"}


@pytest.mark.parametrize("dag_id", sorted(CASE_DAG_IDS))
def test_dags_on_single_cases_are_their_own_runbooks_and_have_no_calendar(bag: dict[str, Any], dag_id: str) -> None:
    dag = bag["dags"][dag_id]
    assert "### 困ったとき (triage)" in dag["doc"]
    assert dag["events"] == []
    assert all(task["name"] != task_id for task_id, task in dag["tasks"].items())


def test_parsing_is_quick_and_loads_neither_dbt_nor_gates(bag: dict[str, Any]) -> None:
    print(f"{len(bag['dags'])} DAGs parsed in {bag['seconds']:.2f} s")
    assert bag["seconds"] < MOST_SECONDS
    assert bag["heavy"] == []


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS))
def test_each_dag_is_its_own_runbook(bag: dict[str, Any], dag_id: str) -> None:
    dag = bag["dags"][dag_id]
    assert "### 困ったとき (triage)" in dag["doc"]
    assert len(dag["tags"]) >= 1
    assert dag["name"] != dag_id
    assert {"as_of", "dry_run"} <= set(dag["params"])
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1
    for task_id, task in dag["tasks"].items():
        assert task["name"] != task_id


@pytest.mark.parametrize("dag_id", sorted(DAG_IDS | CASE_DAG_IDS))
def test_tasks_that_use_the_warehouse_hold_its_slot(bag: dict[str, Any], dag_id: str) -> None:
    for task_id, task in bag["dags"][dag_id]["tasks"].items():
        assert task["pool"] == ("warehouse" if task_id in WAREHOUSE_TASKS else "default_pool")


def test_every_warehouse_task_is_in_some_dag(bag: dict[str, Any]) -> None:
    tasks = {task_id for dag in bag["dags"].values() for task_id in dag["tasks"]}
    assert tasks >= WAREHOUSE_TASKS


def test_no_timetable_reaches_into_the_next_fiscal_year(bag: dict[str, Any]) -> None:
    events = [event for dag in bag["dags"].values() for event in dag["events"]]
    assert min(events) >= "2025-04-30"
    assert max(events) < "2026-04-01"


@pytest.mark.parametrize("file", sorted(DAGS.glob("*.py")), ids=lambda file: file.stem)
def test_dag_file_is_a_table_of_contents(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert "from dags" not in text
    assert not any(word in text for word in ("import duckdb", "import pandas", "select "))
