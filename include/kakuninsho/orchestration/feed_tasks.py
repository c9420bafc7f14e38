"""The tasks of every DAG that takes files in, and the one that says what is new among the alerts."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import get_current_context, task

from kakuninsho.orchestration.notifiers import AlertNotifier
from kakuninsho.orchestration.run import FACTS, as_of, decide, end_dry_run, run_key, settings

Files = list[tuple[str, str]]


@task(task_display_name="受け入れなかった報告の確認", trigger_rule="none_failed")
def check_refusals() -> None:
    """End red when an answer was refused on this day, after the others have been taken in."""
    from kakuninsho.operations import answers

    decide(lambda: answers.check_refusals(settings(), as_of()))


@task(task_display_name="警報の通知")
def announce_alerts() -> None:
    """Say what is new among the published alerts. A channel that refuses makes this task red, and it is tried again."""
    AlertNotifier().notify(get_current_context())


@task(task_display_name="検査 (Great Expectations)")
def judge_files(files: Files, inbox: str) -> Files:
    """Read files of feeds aside and let their gates judge them. `inbox` is the folder that they lie in."""
    from kakuninsho.operations import answers

    decide(lambda: answers.judge_and_stage(settings(), files, Path(inbox), as_of(), run_key()))
    return files


@task(task_display_name="取込み", outlets=[FACTS])
def land_files(files: Files) -> list[str]:
    """Make the judged files facts."""
    from kakuninsho.operations import answers, dry_runs

    end_dry_run(lambda: dry_runs.feeds(settings(), files, as_of(), run_key()))
    return list(decide(lambda: answers.land(settings(), files, as_of(), run_key())))
