"""The forms as Airflow has them, and the DAG that is only there beside a stand-in world."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from kakuninsho.paths import DAGS

READ = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag(sys.argv[1])
print(json.dumps({"errors": sorted(bag.import_errors), "dags": {dag_id: {
    "params": {name: {"schema": param.schema, "description": param.description} for name, param in
               ((name, dag.params.get_param(name)) for name in dag.params)},
    "run_types": sorted(dag.allowed_run_types or ()),
    "acts_before_tasks": [task.task_id for task in dag.tasks if getattr(task, "pre_execute", None) is not None
                          and "_reach_day" in repr(vars(task).get("_pre_execute_hook"))],
    "stored": bool(DagSerialization.to_dict(dag)),
} for dag_id, dag in bag.dags.items()}}))
"""
# Fields beside the day and the dry run.
MORE = {
    "hand_off_to_printer": {"branch"},
    "send_employer_lists": {"branch"},
    "mail_wave": {"wave", "branch"},
    "release_lots": {"posting_date", "branch"},
    "stop_lots": {"effect", "reason", "lots", "lots_of_branch", "lots_posted_on"},
    "follow_up_employers": {"branch"},
    "issue_on_request": {"branch"},
    "close_season": {"branch"},
}


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "KAKUNINSHO_DATA": str(home / "data"),
        "KAKUNINSHO_SANDBOX": str(home / "outside"),
    }
    done = subprocess.run(
        [sys.executable, "-c", READ, str(DAGS)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_days_can_be_let_pass_only_beside_a_stand_in_world(bag: dict[str, Any]) -> None:
    assert bag["errors"] == []
    assert set(bag["dags"]["let_days_pass"]["params"]) == {"to", "start"}


def test_each_form_asks_for_what_its_dag_needs(bag: dict[str, Any]) -> None:
    for dag_id, more in MORE.items():
        assert set(bag["dags"][dag_id]["params"]) == {"as_of", "dry_run", *more}


def test_every_field_has_a_title_and_help(bag: dict[str, Any]) -> None:
    fields = [param for dag in bag["dags"].values() for param in dag["params"].values()]
    assert [field for field in fields if not field["schema"].get("title") or not field["description"]] == []


def test_no_dag_can_be_run_over_past_dates(bag: dict[str, Any]) -> None:
    assert [dag_id for dag_id, dag in bag["dags"].items() if "backfill" in (dag["run_types"] or ["backfill"])] == []


def test_beside_a_stand_in_world_each_task_first_lets_its_day_come(bag: dict[str, Any]) -> None:
    assert "check" in bag["dags"]["release_lots"]["acts_before_tasks"]
    assert "fetch" in bag["dags"]["take_in_printer_reports"]["acts_before_tasks"]
