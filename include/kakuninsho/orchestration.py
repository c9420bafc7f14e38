"""The one module that knows Airflow: timetables of the campaign, forms, pools, and the tasks that DAGs are made of.

Tasks pass names, days and counts to each other, never a row of data.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Asset, BaseNotifier, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
from airflow.timetables.events import EventsTimetable

from kakuninsho.campaign import Campaign
from kakuninsho.settings import Settings

log = logging.getLogger(__name__)

TOKYO = ZoneInfo("Asia/Tokyo")
POOL = "warehouse"
FACTS = Asset("kakuninsho_facts")
APPROVE, REJECT = "Approve", "Reject"
PRINTER_CONNECTION = "printer_sftp"
WEBHOOK_CONNECTION, MAIL_CONNECTION = "alerts_webhook", "alerts_mail"


class Tag(StrEnum):
    """Tags of DAGs, so that the page can be filtered by who has to do with it."""

    REGISTER = "加入者データ"
    PRINTER = "印刷会社"
    MAILING = "個人宛発送"
    EMPLOYER = "事業所"
    REPORTING = "集計・公開"
    UPKEEP = "保守"


def alert_channels() -> list[Any]:
    """The ways by which alerts are said: the log, and those whose Airflow connection exists.

    `alerts_webhook`: host is the whole address, password the bearer token. `alerts_mail`: host, port, login, password;
    extra: sender, receivers (a list), starttls.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowRuntimeError

    from kakuninsho.alerting import LogChannel, MailChannel, WebhookChannel

    def connection(name: str) -> Any:
        try:
            return BaseHook.get_connection(name)
        except (AirflowNotFoundException, AirflowRuntimeError):
            return None

    channels: list[Any] = [LogChannel()]
    if webhook := connection(WEBHOOK_CONNECTION):
        channels.append(WebhookChannel(str(webhook.host), webhook.password or None))
    if mail := connection(MAIL_CONNECTION):
        extra = mail.extra_dejson
        channels.append(
            MailChannel(
                str(mail.host),
                int(mail.port or 25),
                str(extra["sender"]),
                tuple(extra["receivers"]),
                mail.login or None,
                mail.password or None,
                bool(extra.get("starttls", False)),
            )
        )
    return channels


class AlertNotifier(BaseNotifier):
    """Says which published alerts are new, have grown or are over, each once (kakuninsho.alerting)."""

    def notify(self, context: Any) -> None:
        """Write what is to be said, and bring it to people; what a channel refused before is tried again."""
        from kakuninsho import alerting

        channels = alert_channels()
        alerting.announce(settings().data, as_of(context), [channel.name for channel in channels])
        alerting.deliver(alerting.undelivered(settings().data), channels)


class FailureNotifier(BaseNotifier):
    """Says that a task has ended red: the callback of every task. A refusal in its words, else the error's name."""

    def notify(self, context: Any) -> None:
        """Write the failure and bring it to people."""
        from kakuninsho import alerting

        channels, error, instance = alert_channels(), context.get("exception"), context["ti"]
        ours = isinstance(error, AirflowFailException)  # raised by `decide`, so the words are ours
        batch = alerting.announce_failure(
            settings().data,
            dag_id=instance.dag_id,
            task_id=instance.task_id,
            run_id=instance.run_id,
            as_of=as_of(context),
            reason=str(error) if ours else type(error).__name__,
            channels=[channel.name for channel in channels],
        )
        alerting.deliver([batch], channels)


# Work is tried again, a rule that says no is not: those raise AirflowFailException.
DEFAULT_ARGUMENTS: dict[str, Any] = {
    "owner": "kakuninsho",
    "on_failure_callback": [FailureNotifier()],
    "retries": 2,
    "retry_delay": timedelta(minutes=int(os.environ.get("KAKUNINSHO_RETRY_MINUTES", "5"))),
}


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The installation that this process works for."""
    return Settings.from_environment()


def on_days(days: Callable[[Campaign], Iterable[date]], *, at: int) -> EventsTimetable:
    """A timetable of days of the campaign at a full hour of Tokyo's day. A cron would start again next year."""
    events = [pendulum.instance(datetime.combine(day, time(at), tzinfo=TOKYO)) for day in days(settings().campaign)]
    return EventsTimetable(
        event_dates=events, description=f"{len(events)} 回 ({settings().campaign.title})", restrict_to_events=False
    )


def dag_arguments(dag_id: str, display_name: str, tags: list[Tag], *, schedule: Any) -> dict[str, Any]:
    """What every DAG of the project has in common."""
    return {
        "dag_id": dag_id,
        "dag_display_name": display_name,
        "schedule": schedule,
        "start_date": pendulum.datetime(settings().campaign.parameters.snapshot_as_of.year, 4, 1, tz="Asia/Tokyo"),
        "catchup": False,
        "max_active_runs": 1,
        "tags": [tag.value for tag in tags],
        "default_args": DEFAULT_ARGUMENTS,
        "params": form(),
    }


def form(**more: Param) -> dict[str, Param]:
    """The form of a DAG: the day it stands for, whether it only shows, and what a DAG adds."""
    return {
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date",
            title="基準日",
            description="この日の業務として実行します。空欄のときは予定日です。",
        ),
        "dry_run": Param(
            default=False,
            type="boolean",
            title="試行",
            description="何が起きるかを示すだけで、確定も送付もしません。",
        ),
        **more,
    }


def core_feeds_folder() -> str:
    """Where the core system's feeds lie."""
    return str(settings().feeds)


def inbox_folder() -> str:
    """Where the printer's opened answers lie."""
    return str(settings().data / "inbox")


def as_of(context: Any = None) -> date:
    """The day that this run stands for: the form's, else the run's logical date in Tokyo."""
    context = context or get_current_context()
    given = context["params"].get("as_of")
    if given:
        return date.fromisoformat(str(given))
    moment: datetime = context.get("logical_date") or context["dag_run"].run_after
    return pendulum.instance(moment).in_timezone("Asia/Tokyo").date()


def is_dry_run() -> bool:
    """Whether the form asks to show only."""
    return bool(get_current_context()["params"].get("dry_run"))


def skip(reason: str) -> None:
    """End this branch of the run: there is nothing to do, and that is fine."""
    raise AirflowSkipException(reason)


def decide(work: Callable[[], Any]) -> Any:
    """Run work whose refusals are final: a rule that says no is shown as the task's failure and not tried again."""
    from kakuninsho.feeds import FeedError
    from kakuninsho.gates import GateError
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
        FeedError,
        GateError,
        HostKeyError,
        LotFileError,
        PlanError,
        RegisterDropError,
        SeasonOpenError,
        TransferConflictError,
        TransformError,
    )
    try:
        return work()
    except final as error:
        log.error("%s", error)
        (settings().data / "runs").mkdir(parents=True, exist_ok=True)
        (settings().data / "runs" / "last_refusal.txt").write_text(f"{error}\n", encoding="utf-8")
        raise AirflowFailException(str(error)) from None


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


# --- the tasks of every DAG that makes a plan ---------------------------------------------------------------


def _wish(given: dict[str, Any]) -> Any:
    from kakuninsho.plans.draft import PlanRequest

    days = {key: date.fromisoformat(given[key]) if given[key] else None for key in ("posting_date", "run_on")}
    return PlanRequest(kind=given["kind"], as_of=date.fromisoformat(given["as_of"]), attempt=given["attempt"], **days)


def _given(wish: Any) -> dict[str, Any]:
    return {
        "kind": wish.kind,
        "as_of": wish.as_of.isoformat(),
        "posting_date": wish.posting_date.isoformat() if wish.posting_date else None,
        "run_on": wish.run_on.isoformat() if wish.run_on else None,
        "attempt": wish.attempt,
    }


def check_wish(wish: Any) -> dict[str, Any]:
    """Check what must already be true for a plan; returns the wish in a form that tasks can pass on."""
    from kakuninsho.operations import planning

    checked: dict[str, Any] = _given(decide(lambda: planning.check(settings(), wish, dry_run=is_dry_run())))
    return checked


@task(task_display_name="作成 (dbt)", pool=POOL)
def draft_plan(wish: dict[str, Any]) -> dict[str, Any]:
    """Build what is pending and draft the plan, in one slot of the warehouse."""
    from kakuninsho.operations import planning

    totals = decide(lambda: planning.draft(settings(), _wish(wish)))
    log.info("draft %s: %s", _wish(wish).plan_id, json.dumps(totals))
    return {"wish": wish, "totals": totals}


@task(task_display_name="検査 (Great Expectations)")
def judge_plan(drafted: dict[str, Any]) -> dict[str, Any]:
    """Let the gate judge the draft."""
    from kakuninsho.operations import planning

    if drafted["wish"]["kind"] == "request" and not drafted["totals"]["row_count"]:
        skip("申請も対象者もありません (nothing to issue or to refuse)")
    warnings = decide(lambda: planning.judge(settings(), _wish(drafted["wish"])))
    for warning in warnings:
        log.warning("%s", warning)
    return {**drafted, "warnings": warnings}


@task(task_display_name="確定", pool=POOL)
def freeze_plan(judged: dict[str, Any]) -> dict[str, Any]:
    """Make the draft a fact: from here on its control numbers are given."""
    from kakuninsho.operations import planning

    if is_dry_run():
        skip("試行のため確定しません (dry run)")
    return {**judged, "plan_id": decide(lambda: planning.freeze(settings(), _wish(judged["wish"])))}


@task(task_display_name="送付ファイル作成")
def write_files(frozen: dict[str, Any]) -> dict[str, Any]:
    """Write the files that will leave, from the frozen plan alone."""
    from kakuninsho.operations import forecasting, planning

    files = decide(lambda: planning.write_files(settings(), frozen["plan_id"]))
    return {
        **frozen,
        "files": files,
        "proofs": planning.make_proofs(settings(), frozen["plan_id"]),
        "before": planning.totals_before(settings(), frozen["plan_id"]),
        "deadline": forecasting.deadline_sentence(settings()),
        "branches": planning.branches_before(settings(), frozen["plan_id"]),
    }


class PersonalApproval(ApprovalOperator):
    """One person's approval in the page; in a replay (APPROVALS=auto) answered at once, and the answer says so."""

    def __init__(self, *, person: int, **arguments: Any) -> None:
        super().__init__(fail_on_reject=False, **arguments)
        self.person = person

    def execute(self, context: Any) -> Any:
        """Ask, or answer for the person in a replay."""
        if settings().automatic_approvals:
            return {"chosen_options": [APPROVE], "responded_by_user": {"id": f"replay-{self.person}"}, "auto": True}
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Pass the answer on; the next task decides on both answers together."""
        return self._answer(event)

    @staticmethod
    def _answer(event: dict[str, Any]) -> dict[str, Any]:
        return {
            "chosen_options": list(event["chosen_options"]),
            "responded_by_user": dict(event.get("responded_by_user") or {}),
            "auto": False,
        }


def approvals(files: Any, *, what: str) -> tuple[Any, Any]:
    """Two approval tasks on the same files, one for each of two people."""
    body = (
        "{% set p = ti.xcom_pull(task_ids='write_files') %}{% set now, before = p['totals'], p['before'] %}"
        "**{{ p['plan_id'] }}**\n\n"
        "| | 今回 | 前回 {{ before.get('plan_id', '(なし)') }} | 差 |\n|---|---:|---:|---:|\n"
        "{% for key, name in [('envelope_count', '封筒'), ('certificate_count', '資格確認書'), "
        "('member_count', '対象者'), ('lots', 'ロット')] %}"
        "| {{ name }} | {{ now[key] }} | {{ before.get(key, '-') }} | "
        "{{ now[key] - before[key] if before else '-' }} |\n{% endfor %}\n"
        "{% if p['branches'] %}| 支部 | 封筒 | 前回 | 差 | 資格確認書 | 前回 | 差 | 新規 | 離脱 | 転居 | 事由変更 |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        "{% for b in p['branches'] %}| {{ b['branch'] }} "
        "{% for key in ('envelope_count', 'certificate_count') %}"
        "| {{ b[key] }} | {{ b[key ~ '_before'] }} | {{ b[key] - b[key ~ '_before'] }} {% endfor %}"
        "{% for key in ('came_in', 'left', 'moved', 'changed_need') %}| {{ b.get(key, '-') }} {% endfor %}|\n"
        "{% endfor %}\n{% endif %}"
        "ファイル {{ p['files'] | length }} 件、"
        "校正刷り {{ p['proofs'] | length }} 件 (`<data>/proofs/{{ p['plan_id'] }}/`)、"
        "検査報告 `<data>/published/validations/{{ p['plan_id'] }}/`\n\n"
        "{{ p['deadline'] }}\n\n"
        "{% for warning in p['warnings'] %}- ⚠ {{ warning }}\n{% endfor %}"
    )
    asked = []
    for person, name in ((1, "承認 1人目"), (2, "承認 2人目")):
        operator = PersonalApproval(
            task_id=f"approve_{'first' if person == 1 else 'second'}",
            task_display_name=name,
            person=person,
            subject=f"{what}: {name}",
            body=body,
        )
        files >> operator
        asked.append(operator)
    return asked[0], asked[1]


@task(task_display_name="承認の記録")
def record_approval(files: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Land both answers as facts, bound to the hash of the files."""
    from kakuninsho.operations import planning
    from kakuninsho.plans.approvals import Answer

    answers = [
        Answer(
            decision="approved" if answer["chosen_options"] == [APPROVE] else "rejected",
            decided_by=str(answer["responded_by_user"].get("id", "")),
            is_automatic=bool(answer["auto"]),
        )
        for answer in (first, second)
    ]
    subject = decide(lambda: planning.record_answers(settings(), files["plan_id"], files["files"], answers, as_of()))
    return {"plan_id": files["plan_id"], "subject": subject}


@task(task_display_name="封緘・送付", outlets=[FACTS])
def send(approved: dict[str, Any]) -> dict[str, int]:
    """Seal and send the approved files."""
    from kakuninsho.operations import planning

    sent: dict[str, int] = decide(
        lambda: planning.send_plan(settings(), approved["plan_id"], approved["subject"], printer_target(), as_of())
    )
    log.info("sent %s", sent)
    return sent


def plan_tasks(wish: Any, *, what: str) -> Any:
    """The way of every plan: draft, judge, freeze, write, two approvals, record, send."""
    drafted: Any = draft_plan(wish)
    judged: Any = judge_plan(drafted)
    frozen: Any = freeze_plan(judged)
    files: Any = write_files(frozen)
    first, second = approvals(files, what=what)
    approved: Any = record_approval(files, first.output, second.output)
    return send(approved)


# --- the tasks of every DAG that takes files in -------------------------------------------------------------

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

    decide(lambda: answers.judge_and_stage(settings(), files, Path(inbox), as_of()))
    return files


@task(task_display_name="取込み", outlets=[FACTS])
def land_files(files: Files) -> list[str]:
    """Make the judged files facts."""
    from kakuninsho.operations import answers

    return list(decide(lambda: answers.land(settings(), files, as_of())))
