"""The replay driver: asks each DAG's own timetable for its days and runs them one after the other through Airflow.

Catch-up by the scheduler would be wrong, not merely slow: runs of later months would start beside earlier ones.
"""

from __future__ import annotations

import gc
import inspect
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO
from unittest.mock import patch
from zoneinfo import ZoneInfo

from kakuninsho.replay import answering, in_process_api
from kakuninsho.replay.installation import Sandbox, airflow_environment
from kakuninsho.sandbox import control
from kakuninsho.server.airflow_secrets import new_secrets
from kakuninsho.settings import Settings

TOKYO = ZoneInfo("Asia/Tokyo")
PUBLISH = "publish_for_analysts"
PUBLISH_HOUR = 20
PULL = "pull_pieces"
HAND_OFF = "hand_off_to_printer"
SELDOM = 100_000  # new objects between two collections


class ReplayError(RuntimeError):
    """A run of the season did not succeed. Says which, on which day, and what it answered."""


class ReplayStopped(BaseException):
    """Somebody has asked the replay to stop. No error: Airflow's code, which catches those, must not go on."""


@dataclass(frozen=True, order=True)
class Run:
    """One run of one DAG."""

    moment: datetime
    dag_id: str


@dataclass(frozen=True)
class Progress:
    """What the display is told before each run."""

    number: int
    of: int
    run: Run
    display_name: str


class Season:
    """All runs of the campaign, through Airflow's own code, in this process."""

    def __init__(self, settings: Settings, sandbox: Sandbox, *, log_file: TextIO, accepts_shares: bool = False) -> None:
        self.accepts_shares = accepts_shares
        self.settings = settings = replace(settings, approvers=answering.PEOPLE)
        self.sandbox = sandbox
        self.log_file = log_file
        self._dags_are_written = False
        self.is_stopping = False
        os.environ.update(airflow_environment(settings, port=sandbox.port) | answering.environment() | new_secrets())
        os.environ["KAKUNINSHO_RETRY_MINUTES"] = "0"
        with self._quiet():
            self.dags = _load_dags(settings)
            in_process_api.shorten()
            self.answering = answering.Answering()

    def runs(self) -> list[Run]:
        """Every run that the timetables name, by day and hour."""
        return sorted(
            Run(moment.astimezone(TOKYO), dag_id)
            for dag_id, dag in self.dags.items()
            for moment in getattr(dag.timetable, "event_dates", ())
        )

    def play(
        self, tell: Callable[[Progress], None], *, until: date | None = None, only: frozenset[str] | None = None
    ) -> int:
        """Run the season. Returns the number of runs.

        Args:
            tell: called before each run.
            until: stop after this day.
            only: leave other DAGs out.

        Raises:
            ReplayError: a run ended in another state than success; later runs are not started.
        """
        runs = [
            run
            for run in self.runs()
            if (until is None or run.moment.date() <= until) and (only is None or run.dag_id in only)
        ]
        with _garbage_collected_seldom():
            return self._play(runs, tell)

    def stop(self) -> None:
        """End after the run that is under way, or at once where it waits for an answer. Going on later is safe."""
        self.is_stopping = True

    def _play(self, runs: list[Run], tell: Callable[[Progress], None]) -> int:
        today: date | None = None
        for number, run in enumerate(runs, start=1):
            if self.is_stopping:
                raise ReplayStopped
            day = run.moment.date()
            if today is not None and (day.year, day.month) != (today.year, today.month):
                self._publish(today)
            if day != today:
                today = day
                self._let_days_pass(today)
            tell(Progress(number, len(runs), run, str(self.dags[run.dag_id].dag_display_name)))
            if run.dag_id == HAND_OFF and self.accepts_shares:
                self._accept_shares(run.moment.date())
            self.run(run)
            self._pull(run)
        if today is not None:
            self._publish(today)
        return len(runs)

    def _let_days_pass(self, day: date) -> None:
        """The outside world's day is the driver's, and never goes back: a season played again finds it at the end."""
        # Busy with what was just sent, it answers when it is done.
        if control.status(self.sandbox.root, timeout=None)["date"] < day.isoformat():
            control.advance(self.sandbox.root, day)

    def _accept_shares(self, day: date) -> None:
        """Whoever was told to accept the shares of targets of a given register does; each decision is a fact."""
        from kakuninsho.operations import deciding
        from kakuninsho.warehouse import published

        with published(self.settings.data) as connection:
            shares = connection.execute(
                "select coalesce(substr(insurer_number, 3, 2), '00') from marts.fct_target_shares"
                " where state = 'stopped' and not is_accepted order by all"
            ).fetchall()
        for (code,) in shares:
            wish = deciding.read_wish(self.settings, code, deciding.ACCEPT_SHARE, day, "core_system_confirmed")
            deciding.record_by(self.settings, wish, answering.PEOPLE[0], None, approved=False)

    def _pull(self, run: Run) -> None:
        """What a scheduler does when a run has landed facts, where it would find something to look at."""
        from kakuninsho.operations import urgent_pulls

        if urgent_pulls.may_concern(self.settings, run.moment.date()):
            self.run(Run(run.moment, PULL))

    def _publish(self, day: date) -> None:
        """What a scheduler does when facts have arrived, here at the end of a month with news: nobody reads in between.

        A drop alone changes nothing that is shown.
        """
        from kakuninsho.operations import publishing

        if publishing.is_current(self.settings, but_for_later_drops=True):
            return
        self.run(Run(datetime(day.year, day.month, day.day, PUBLISH_HOUR, tzinfo=TOKYO), PUBLISH))

    def run(self, run: Run, conf: dict[str, Any] | None = None) -> dict[str, str]:
        """Run one DAG once, with what a person would enter in its form. Returns the state of each task.

        Raises:
            ReplayError: the run ended in another state than success.
        """
        refusal = self.settings.data / "runs" / "last_refusal.txt"
        refusal.unlink(missing_ok=True)
        with self._quiet(), self._dags_written_once(), self._without_waiting():
            outcome = self.dags[run.dag_id].test(logical_date=run.moment, run_after=run.moment, run_conf=conf)
        if str(outcome.state) != "success":
            reason = refusal.read_text(encoding="utf-8").strip() if refusal.exists() else "see the log"
            failed = [task.task_id for task in outcome.get_task_instances() if str(task.state) == "failed"]
            raise ReplayError(
                f"{run.dag_id} of {run.moment:%Y-%m-%d %H:%M} ended as {outcome.state} in {', '.join(failed)}: {reason}"
            )
        return {task.task_id: str(task.state) for task in outcome.get_task_instances()}

    @contextmanager
    def _dags_written_once(self) -> Iterator[None]:
        """Spare `dag.test()` what it does at each call: read every DAG file and write it to Airflow's database.

        That is two thirds of a short run, and the files do not change during a replay.
        """
        if not self._dags_are_written:
            yield
            self._dags_are_written = True
            return
        module = "airflow.dag_processing.dagbag"
        with patch(f"{module}.BundleDagBag"), patch(f"{module}.sync_bag_to_db"):
            yield

    @contextmanager
    def _without_waiting(self) -> Iterator[None]:
        """In the place of the seconds that `dag.test()` sleeps: answer the questions that wait. Nothing else runs.

        Written for Airflow 3.3. It gains the second that is slept after each skipped task and for each question.
        """
        real = time.sleep

        def sleep(seconds: float) -> None:
            frame = inspect.currentframe()
            caller = frame.f_back if frame else None
            if caller is None or caller.f_globals.get("__name__") != "airflow.sdk.definitions.dag":
                real(seconds)
            elif self.is_stopping:
                raise ReplayStopped
            else:
                self.answering.answer()

        with patch("time.sleep", sleep):
            yield

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Task logs go to the log file, the terminal belongs to the progress display."""
        with redirect_stdout(self.log_file), redirect_stderr(self.log_file):
            yield
        self.log_file.flush()


@contextmanager
def _garbage_collected_seldom() -> Iterator[None]:
    """Spare the replay what a collection costs beside a million objects of Airflow, dbt and Great Expectations.

    They live to the end, yet each full collection walks through all of them: a twentieth of a small season.
    """
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _load_dags(settings: Settings) -> dict[str, Any]:
    from kakuninsho.server.database import ensure_pool, ensure_tables

    if not (settings.data / "airflow" / "airflow.db").exists():
        ensure_tables()
    from airflow.dag_processing.dagbag import DagBag

    from kakuninsho.paths import DAGS

    ensure_pool()
    bag = DagBag(str(DAGS))
    if bag.import_errors:
        raise ReplayError("DAG files cannot be read: " + ", ".join(Path(name).name for name in bag.import_errors))
    return dict(bag.dags)


def open_log(data: Path) -> TextIO:
    """The log of a replay, appended to."""
    (data / "runs").mkdir(parents=True, exist_ok=True)
    return (data / "replay.log").open("a", encoding="utf-8")
