"""One run of a DAG: its installation, the day that it stands for, its form, and how a task says no."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
from airflow.sdk import Asset, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from kakuninsho.operations import forms
from kakuninsho.settings import Settings

log = logging.getLogger(__name__)

TOKYO = ZoneInfo("Asia/Tokyo")
POOL = "warehouse"
FACTS = Asset("kakuninsho_facts")
PRINTER_CONNECTION = "printer_sftp"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The installation that this process works for."""
    return Settings.from_environment()


def core_feeds_folder() -> str:
    """Where the core system's feeds lie."""
    return str(settings().feeds)


def inbox_folder() -> str:
    """Where the printer's opened answers lie."""
    return str(settings().data / "inbox")


def as_of(context: Any = None) -> date:
    """The day that this run stands for: the form's, else that of its month or posting date, else the run's own date.

    A run that is started by hand on a day outside the campaign and with an empty form is refused; a callback, which
    gives its `context`, only tells the day.
    """
    given = (context or get_current_context())["params"]
    campaign = settings().campaign
    if given.get("as_of"):
        return date.fromisoformat(str(given["as_of"]))
    if given.get("posting_date"):
        return campaign.release_on(date.fromisoformat(str(given["posting_date"])))
    if given.get("wave"):
        return next(day for day, wave in campaign.wave_openings.items() if wave == given["wave"])
    day = own_day(context)
    if (context or get_current_context())["dag_run"].run_type == "asset_triggered":
        return _newest_day() or day
    first, last = forms.bounds(campaign)
    if context is None and not first <= day <= last:
        raise AirflowFailException(
            f"今日 {day} は {campaign.title} の期間 ({first} から {last}) の外です。"
            "フォームの「基準日」に日付を入れて実行し直してください"
        )
    return day


def _newest_day() -> date | None:
    """What facts have started stands for the day of the newest of them."""
    from kakuninsho.operations.publishing import newest_fact_on

    return newest_fact_on(settings().store)


def own_day(context: Any = None) -> date:
    """The day of the run itself, whatever its form says: its logical date, by hand the day on which it was started."""
    context = context or get_current_context()
    moment: datetime = context.get("logical_date") or context["dag_run"].run_after
    return pendulum.instance(moment).in_timezone("Asia/Tokyo").date()


def run_key() -> str:
    """What tells this run from every other, for folders that are its own."""
    run = get_current_context()["dag_run"]
    return f"{run.dag_id} {run.run_id}"


def is_dry_run() -> bool:
    """Whether the form asks to show only."""
    return bool(get_current_context()["params"].get("dry_run"))


def chosen(field: str) -> str | None:
    """What the form says in a field that may be left open."""
    given = get_current_context()["params"].get(field)
    return str(given) if given else None


def branch() -> str | None:
    """The branch that the report of a dry run is narrowed to. A real run is of every branch.

    A plan is bound to one hash, numbers and lots of all branches: part of it cannot be approved or sent.
    """
    given = chosen("branch")
    if given and not is_dry_run():
        raise AirflowFailException(
            f"支部 {given} だけを実行することはできません。支部を選べるのは試行だけです。"
            "一つの支部を止めるには、差出し停止の指示か判断の記録を使ってください"
        )
    return given


def end_dry_run(report: Callable[[], Path]) -> None:
    """End a dry run here with a report; a real run goes on."""
    if is_dry_run():
        decide(report)
        skip("試行のためここで終わります。何も確定・送付していません (dry run)")


def skip(reason: str) -> None:
    """End this branch of the run: there is nothing to do, and that is fine."""
    raise AirflowSkipException(reason)


def decide(work: Callable[[], Any]) -> Any:
    """Run work whose refusals are final: a rule that says no is shown as the task's failure and not tried again."""
    from kakuninsho.facts.chain import CorruptFactError
    from kakuninsho.facts.signing import SigningKeyError
    from kakuninsho.feeds import FeedError
    from kakuninsho.gates import GateError
    from kakuninsho.messages import TwoLanguageError
    from kakuninsho.operations.answers import AnswersRefusedError
    from kakuninsho.operations.closing import SeasonOpenError
    from kakuninsho.plans.approvals import ApprovalError
    from kakuninsho.plans.draft import PlanError
    from kakuninsho.printer.lot_file import LotFileError
    from kakuninsho.printer.transfer import HostKeyError, TransferConflictError
    from kakuninsho.register.errors import RegisterDropError
    from kakuninsho.warehouse import TransformError

    final = (
        AnswersRefusedError,
        ApprovalError,
        CorruptFactError,
        FeedError,
        GateError,
        HostKeyError,
        LotFileError,
        PlanError,
        RegisterDropError,
        SeasonOpenError,
        SigningKeyError,
        TransferConflictError,
        TransformError,
        TwoLanguageError,
    )
    try:
        return work()
    except final as error:
        told = getattr(error, "ja", None) or str(error)
        log.error("%s", told)
        (settings().data / "runs").mkdir(parents=True, exist_ok=True)
        (settings().data / "runs" / "last_refusal.txt").write_text(f"{told}\n", encoding="utf-8")
        raise AirflowFailException(told) from None


def printer_target() -> Any:
    """The printer's SFTP address, from the Airflow connection `printer_sftp`: host, port, login, extra.

    extra: client_key (path), host_key (one line of a known_hosts key: type and key).
    """
    from airflow.sdk import BaseHook

    from kakuninsho.printer.transfer import SftpTarget

    connection = BaseHook.get_connection(PRINTER_CONNECTION)
    extra = connection.extra_dejson
    return SftpTarget(
        host=str(connection.host),
        port=int(connection.port or 22),
        username=str(connection.login),
        client_key=Path(extra["client_key"]),
        host_key=str(extra["host_key"]),
    )


def asking_user() -> str:
    """The user of the page who started this run; nothing when nobody is known to have."""
    return str(getattr(get_current_context()["dag_run"], "triggering_user_name", None) or "")


def passed_on(value: Any, task_id: str) -> Any:
    """What the task before handed on; where it was marked as done without running, there is nothing to go on with."""
    if value is None:
        raise AirflowFailException(
            f"前のタスク {task_id} の結果がありません。実行せずに成功にされた可能性があります。"
            f"{task_id} をクリアして、もう一度実行してください。何も確定・送付していません"
        )
    return value
