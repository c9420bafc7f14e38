"""The server as people use it: `kakuninsho up`, the REST API in the place of the page, `kakuninsho down`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from kakuninsho.facts.store import FactStore
from kakuninsho.plans.approvals import approvals_of
from kakuninsho.replay.installation import free_port
from kakuninsho.sandbox import control
from kakuninsho.server.page import Page, PageError

pytestmark = pytest.mark.slow

MEMBERS = 1000  # the smallest synthetic register
RUN_SECONDS = 420
# An answer that comes before the process that asked has ended is lost: Airflow 3.3 then takes the end of that process
# for the end of the task, tries it again and asks again. A person is seldom that quick.
READING_SECONDS = 8.0
PLAN = "home-2025-04-30"


def kakuninsho(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own, with tasks that are tried again at once."""
    command = [sys.executable, "-m", "kakuninsho.cli", *arguments, "--data", str(data)]
    environment = {**os.environ, "KAKUNINSHO_RETRY_MINUTES": "0", "COLUMNS": "200"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)


def until(seen: Callable[[], Any], what: str, seconds: float = RUN_SECONDS) -> Any:
    """Wait for something; fail with its name."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = seen()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"not seen in {seconds:.0f} s: {what}")


@dataclass(frozen=True)
class Run:
    """One run of a DAG, seen through the API."""

    page: Page
    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        return f"/api/v2/dags/{self.dag_id}/dagRuns/{self.run_id}"

    def tasks(self) -> dict[str, dict[str, Any]]:
        found = self.page.call("GET", f"{self.path}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def state(self) -> str:
        return str(self.page.call("GET", self.path)["state"])

    def end(self) -> str:
        """The state in which it ends, with what failed."""
        state = until(lambda: (s := self.state()) in {"success", "failed"} and s, f"end of {self.dag_id}")
        failed = [name for name, task in self.tasks().items() if task["state"] == "failed"]
        return f"{state} in {', '.join(failed)}" if failed else str(state)

    def wait_for(self, task_id: str, *states: str) -> dict[str, Any]:
        def seen() -> Any:
            task = self.tasks().get(task_id, {})
            assert self.state() != "failed" or task.get("state") in states, self.end()
            return task.get("state") in states and task

        return dict(until(seen, f"{task_id} of {self.dag_id} {states}"))


@dataclass(frozen=True)
class Server:
    """A server that is up, and its people."""

    data: Path
    url: str
    printed: str
    seconds: float

    @property
    def passwords(self) -> dict[str, str]:
        return dict(json.loads((self.data / "airflow" / "passwords.json").read_text(encoding="utf-8")))

    def as_person(self, name: str) -> Page:
        return Page(self.url).log_in(name, self.passwords[name])

    def trigger(self, dag_id: str, as_of: str) -> Run:
        page = self.as_person("operator")
        body = {"logical_date": None, "conf": {"as_of": as_of}}
        return Run(page, dag_id, str(page.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]))

    def runs(self, dag_id: str) -> list[Run]:
        page = self.as_person("operator")
        found = page.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
        return [Run(page, run["dag_id"], run["dag_run_id"]) for run in found]

    def answer(self, run: Run, task_id: str, person: str, option: str = "Approve") -> Any:
        run.wait_for(task_id, "awaiting_input", "deferred")
        time.sleep(READING_SECONDS)
        path = f"{run.path}/taskInstances/{task_id}/-1/hitlDetails"
        return self.as_person(person).call("PATCH", path, {"chosen_options": [option]})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("up") / "data"
    port = free_port()
    started = time.monotonic()
    done = kakuninsho(data, "up", "--members", str(MEMBERS), "--seed", "7", "--port", str(port))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield Server(data, f"http://127.0.0.1:{port}", done.stdout, time.monotonic() - started)
    finally:
        kakuninsho(data, "down")


@pytest.fixture(scope="module")
def landed(server: Server) -> Run:
    run = server.trigger("extract_register", "2025-04-30")
    assert run.end() == "success"
    return run


@pytest.fixture(scope="module")
def answered_twice_by_one(server: Server, landed: Run) -> Run:
    run = server.trigger("hand_off_to_printer", "2025-05-15")
    server.answer(run, "approve_first", "approver1")
    server.answer(run, "approve_second", "approver1")
    until(lambda: run.state() in {"success", "failed"}, "end of the hand-off")
    return run


@pytest.fixture(scope="module")
def handed_off(server: Server, answered_twice_by_one: Run) -> Run:
    run = server.trigger("hand_off_to_printer", "2025-05-15")
    server.answer(run, "approve_first", "approver1")
    server.answer(run, "approve_second", "approver2")
    assert run.end() == "success"
    return run


def test_up_shows_the_page_and_each_person_with_a_password(server: Server) -> None:
    print(f"up took {server.seconds:.0f} s")
    for name, password in server.passwords.items():
        assert name in server.printed
        assert password in server.printed


def test_passwords_and_secrets_are_for_their_owner_only(server: Server) -> None:
    for name in ("passwords.json", "secrets.json"):
        assert (server.data / "airflow" / name).stat().st_mode & 0o777 == 0o600


def test_second_up_starts_nothing_and_shows_no_password(server: Server) -> None:
    before = {process.pid for process in processes_of(server.data)}
    done = kakuninsho(server.data, "up", "--members", str(MEMBERS))
    assert done.returncode == 0, done.stderr
    assert server.url.rsplit(":", 1)[1] in done.stdout
    assert not any(password in done.stdout for password in server.passwords.values())
    assert {process.pid for process in processes_of(server.data)} >= before


def test_no_run_of_a_day_that_has_passed_is_started_or_planned(server: Server) -> None:
    dags = server.as_person("operator").call("GET", "/api/v2/dags?limit=100")["dags"]
    assert len(dags) == 12
    assert not any(dag["is_paused"] for dag in dags)
    assert {dag["next_dagrun_run_after"] for dag in dags} == {None}
    runs = server.as_person("operator").call("GET", "/api/v2/dags/~/dagRuns?limit=100")["dag_runs"]
    assert not [run["dag_id"] for run in runs if run["run_type"] == "scheduled"]


def test_anonymous_and_wrong_password_are_refused(server: Server) -> None:
    with pytest.raises(PageError) as nobody:
        Page(server.url).call("GET", "/api/v2/dags")
    assert nobody.value.status == 401
    with pytest.raises(PageError) as stranger:
        Page(server.url).log_in("operator", "wrong")
    assert stranger.value.status == 401


def test_analyst_reads_and_starts_nothing(server: Server) -> None:
    page = server.as_person("analyst")
    assert len(page.dag_ids()) == 12
    with pytest.raises(PageError) as refused:
        page.call("POST", "/api/v2/dags/extract_register/dagRuns", {"logical_date": None})
    assert refused.value.status == 403


def test_register_lands_through_the_scheduler(server: Server, landed: Run) -> None:
    assert FactStore(server.data).find("register", "as_of=2025-04-30") is not None


def test_second_approval_by_the_same_person_is_refused(server: Server, answered_twice_by_one: Run) -> None:
    tasks = answered_twice_by_one.tasks()
    assert tasks["record_approval"]["state"] == "failed"
    assert tasks["record_approval"]["try_number"] == 1  # a rule that says no is not tried again
    assert tasks["send"]["state"] == "upstream_failed"


def test_hand_off_sends_after_two_people_approved(server: Server, handed_off: Run) -> None:
    rows = approvals_of(FactStore(server.data), PLAN)
    assert [(row["decided_by"], row["decision"], row["is_automatic"]) for row in rows] == [
        ("approver1", "approved", False),
        ("approver2", "approved", False),
    ]
    assert any(fact.name.endswith("--announced") for fact in FactStore(server.data).all("transfers"))


def test_answer_is_accepted_once_and_not_from_an_analyst(server: Server, handed_off: Run) -> None:
    path = f"{handed_off.path}/taskInstances/approve_first/-1/hitlDetails"
    for person, status in (("approver2", 409), ("analyst", 403)):
        with pytest.raises(PageError) as refused:
            server.as_person(person).call("PATCH", path, {"chosen_options": ["Reject"]})
        assert refused.value.status == status


def test_rejected_plan_is_not_sent(server: Server, handed_off: Run) -> None:
    run = server.trigger("send_employer_lists", "2025-06-16")
    server.answer(run, "approve_first", "approver1")
    server.answer(run, "approve_second", "approver2", "Reject")
    until(lambda: run.state() in {"success", "failed"}, "end of the employer lists")
    assert run.tasks()["record_approval"]["state"] == "failed"
    assert run.tasks()["send"]["state"] == "upstream_failed"
    decisions = [row["decision"] for row in approvals_of(FactStore(server.data), "employer-list-2025-06-16")]
    assert decisions == ["approved", "rejected"]


def test_task_is_tried_again_when_the_printer_was_away(server: Server, handed_off: Run) -> None:
    control.stop(server.data / "outside")
    run = server.trigger("take_in_printer_reports", "2025-05-19")
    until(lambda: run.tasks().get("fetch", {}).get("state") == "up_for_retry", "first try of fetch failed", 120)
    done = kakuninsho(server.data, "up")  # starts what is missing, nothing else
    assert done.returncode == 0, done.stderr
    assert run.end() == "success"
    assert run.tasks()["fetch"]["try_number"] >= 2


def test_warehouse_has_one_task_at_a_time_and_the_other_waits(server: Server, handed_off: Run) -> None:
    # Each landing starts a publication (asset), so hand-off and publication wanted the warehouse together.
    until(lambda: all(run.state() in {"success", "failed"} for run in server.runs("publish_for_analysts")), "publish")
    together = [server.trigger("publish_for_analysts", "2025-06-17"), server.trigger("close_season", "2025-05-16")]
    for run in together:
        until(lambda run=run: run.state() in {"success", "failed"}, run.dag_id)
    runs = [run for dag_id in server.as_person("operator").dag_ids() for run in server.runs(dag_id)]
    tasks = [task for run in runs for task in run.tasks().values()]
    used = sorted(
        (span(task) for task in tasks if task["pool"] == "warehouse" and task["end_date"]), key=lambda item: item[1]
    )
    assert len(used) > 3
    assert all(earlier[2] <= later[1] for earlier, later in pairwise(used))
    assert any(later[0] < earlier[2] for earlier, later in pairwise(used)), "nobody waited"


def test_down_leaves_no_process(server: Server) -> None:
    done = kakuninsho(server.data, "down")
    assert "scheduler" in done.stdout
    assert processes_of(server.data) == []
    again = kakuninsho(server.data, "down")
    assert again.returncode == 0


def span(task: dict[str, Any]) -> tuple[datetime, datetime, datetime]:
    """When a task was ready, began and ended."""
    ready, began, ended = (datetime.fromisoformat(task[key]) for key in ("scheduled_when", "start_date", "end_date"))
    return ready, began, ended


def processes_of(data: Path) -> list[psutil.Process]:
    """Every process of this machine that belongs to a data folder, found without the server's own marks."""
    found = []
    for process in psutil.process_iter():
        try:
            mentions = process.environ().get("AIRFLOW_HOME") == str(data / "airflow")
            if mentions or str(data / "outside") in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
