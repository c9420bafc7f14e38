"""What every DAG has in common: its calendar, its form, its tags and its arguments."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import Param
from airflow.timetables.events import EventsTimetable

from kakuninsho.campaign import Campaign
from kakuninsho.operations import forms
from kakuninsho.orchestration.notifiers import FailureNotifier
from kakuninsho.orchestration.run import TOKYO, as_of, settings

log = logging.getLogger(__name__)


class Tag(StrEnum):
    """Tags of DAGs, so that the page can be filtered by who has to do with it."""

    REGISTER = "加入者データ"
    PRINTER = "印刷会社"
    MAILING = "個人宛発送"
    EMPLOYER = "事業所"
    REPORTING = "集計・公開"
    UPKEEP = "保守"
    PLAY = "練習"
    CASES = "個別の事案"


def sandbox_root() -> Path | None:
    """The folder of the stand-in world that `make up` runs beside Airflow; None in a real installation."""
    from kakuninsho.server import outside

    return outside.root()


def _reach_day(context: Any) -> None:
    """Before a task for the day of a form: let the stand-in world's days pass up to it. A dry run moves nothing."""
    from kakuninsho.server import outside

    folder, given = outside.root(), context["params"]
    if folder is None or given.get("dry_run") or not any(given.get(field) for field in FIELDS_OF_A_DAY):
        return
    day = as_of()
    if outside.reach(folder, day):
        log.info("代役の日を %s まで進めました (the stand-in world has reached this day)", day)


FIELDS_OF_A_DAY = ("as_of", "posting_date", "wave")

# Work is tried again, a rule that says no is not: those raise AirflowFailException.
DEFAULT_ARGUMENTS: dict[str, Any] = {
    "owner": "kakuninsho",
    "on_failure_callback": [FailureNotifier()],
    "retries": 2,
    "retry_delay": timedelta(minutes=int(os.environ.get("KAKUNINSHO_RETRY_MINUTES", "5"))),
    **({"pre_execute": _reach_day} if sandbox_root() else {}),
}


def on_days(days: Callable[[Campaign], Iterable[date]], *, at: int) -> EventsTimetable:
    """A timetable of days of the campaign at a full hour of Tokyo's day. A cron would start again next year."""
    events = [pendulum.instance(datetime.combine(day, time(at), tzinfo=TOKYO)) for day in days(settings().campaign)]
    words = forms.calendar_words(_days_of(events))
    return EventsTimetable(event_dates=events, description=words, restrict_to_events=False)


def _days_of(events: Iterable[datetime]) -> list[date]:
    return sorted({moment.astimezone(TOKYO).date() for moment in events})


def dag_arguments(
    dag_id: str,
    display_name: str,
    tags: list[Tag],
    *,
    schedule: Any,
    more: dict[str, Param] | None = None,
    bounded: bool = True,
) -> dict[str, Any]:
    """What every DAG of the project has in common. `more` are further fields of its form."""
    days = _days_of(getattr(schedule, "event_dates", ()))
    return {
        "dag_id": dag_id,
        "dag_display_name": display_name,
        "schedule": schedule,
        "start_date": pendulum.instance(
            datetime.combine(settings().campaign.parameters.snapshot_as_of.replace(day=1), time(), tzinfo=TOKYO)
        ),
        "catchup": False,
        "max_active_runs": 1,
        "tags": [tag.value for tag in tags],
        "default_args": DEFAULT_ARGUMENTS,
        # No backfill: runs of later months would start beside earlier ones.
        "allowed_run_types": ["manual", "operator_triggered", "scheduled", "asset_triggered"],
        "params": form(*days, bounded=bounded, **(more or {})),
    }


def form(*days: date, bounded: bool = True, **more: Param) -> dict[str, Param]:
    """The form of a DAG: the day it stands for, what a DAG adds, and whether it only shows."""
    field = forms.as_of_field(settings().campaign, days, bounded=bounded)
    if sandbox_root():
        field["description"] += " 代役の世界の日付もこの日まで進みます (戻せません)。"
    return {
        "as_of": Param(None, **field),
        **more,
        "dry_run": Param(default=False, **forms.dry_run_field()),
    }


def branch_param() -> Param:
    """The branch that a dry run's report is narrowed to."""
    return Param(None, **forms.branch_field())


def wave_param() -> Param:
    """A month of home mailing."""
    return Param(None, **forms.wave_field(settings().campaign))


def posting_date_param() -> Param:
    """A posting date of the campaign."""
    return Param(None, **forms.posting_date_field(settings().campaign))
