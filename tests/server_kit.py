"""A server as people use it, for tests: brought up on a data folder, its runs and people seen through the REST API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from kakuninsho.replay.installation import free_port
from kakuninsho.server.page import Page

APPROVE, REJECT = "承認する", "却下する"
MEMBERS = 1000  # the smallest synthetic register
RUN_SECONDS = float(os.environ.get("RUN_SECONDS", "420"))
# An answer that comes before the process that asked has ended is lost: Airflow 3.3 then takes the end of that process
# for the end of the task, tries it again and asks again. A person is seldom that quick.
READING_SECONDS = 8.0


def kakuninsho(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own; its tasks are tried again at once, unless the environment says when."""
    command = [sys.executable, "-m", "kakuninsho.cli", *arguments, "--data", str(data)]
    environment = {"KAKUNINSHO_RETRY_MINUTES": "0", **os.environ, "COLUMNS": "200"}
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

    def answer(self, run: Run, task_id: str, person: str, option: str = APPROVE) -> Any:
        run.wait_for(task_id, "awaiting_input", "deferred")
        time.sleep(READING_SECONDS)
        path = f"{run.path}/taskInstances/{task_id}/-1/hitlDetails"
        return self.as_person(person).call("PATCH", path, {"chosen_options": [option]})


@contextmanager
def running_server(data: Path) -> Iterator[Server]:
    """A server with a sandbox and a small register, stopped at the end. UP_DATA names one that is up to use instead."""
    if given := os.environ.get("UP_DATA"):
        ports = json.loads((Path(given) / "run" / "ports.json").read_text(encoding="utf-8"))
        yield Server(Path(given), f"http://localhost:{ports['page']}", "", 0.0)
        return
    port = free_port()
    started = time.monotonic()
    done = kakuninsho(data, "up", "--members", str(MEMBERS), "--seed", "7", "--port", str(port))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield Server(data, f"http://localhost:{port}", done.stdout, time.monotonic() - started)
    finally:
        kakuninsho(data, "down")


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
