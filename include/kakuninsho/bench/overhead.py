"""What Airflow itself takes: the first DAG runs of a small season, the time of each beside that of its stages."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kakuninsho.replay.driver import Run, Season, open_log
from kakuninsho.replay.installation import make_register, prepare, running_sandbox
from kakuninsho.runs import records
from kakuninsho.settings import Settings

DAG_RUNS = 10


class TimedSeason(Season):
    """A season whose DAG runs are timed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.seconds: list[float] = []

    def run(self, run: Run, conf: dict[str, Any] | None = None) -> dict[str, str]:
        """Run one DAG once, timed."""
        started = time.monotonic()
        states = super().run(run, conf)
        self.seconds.append(time.monotonic() - started)
        return states


def measure(settings: Settings, members: int, seed: int, phase: Callable[[str], Any]) -> dict[str, Any]:
    """Play the days of the first ten planned DAG runs, with the publications between them.

    The work is what the stages themselves recorded; everything else of a DAG run is Airflow's and its database's,
    and what tasks import.
    """
    outside: Path = settings.data / "outside"
    with phase("airflow: set up"):
        prepare(settings, outside)
        make_register(settings, outside / "core", members, seed, lambda _what, _share: None)
    with (
        running_sandbox(outside, seed=seed, arguments=("--acknowledge", "daily")) as sandbox,
        open_log(settings.data) as log,
    ):
        with phase("airflow: read the DAGs"):
            season = TimedSeason(settings, sandbox, log_file=log)
        until = season.runs()[DAG_RUNS - 1].moment.date()
        with phase("airflow: DAG runs") as counts:
            season.play(lambda _: None, until=until)
            counts["rows"] = len(season.seconds)
    whole, work = sum(season.seconds), sum(record["seconds"] for record in records(settings.data))
    return {
        "members": members,
        "until": until.isoformat(),
        "dag_runs": len(season.seconds),
        "seconds": round(whole, 1),
        "work_seconds": round(work, 1),
        "overhead_seconds": round(whole - work, 1),
        "overhead_per_dag_run": round((whole - work) / len(season.seconds), 2),
    }
