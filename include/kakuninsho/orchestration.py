"""The one module that knows Airflow: timetables of the campaign, forms, pools, and the tasks that DAGs are made of.

Tasks pass names, days and counts to each other, never a row of data.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import Asset, BaseNotifier, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
from airflow.timetables.events import EventsTimetable

from kakuninsho.campaign import Campaign
from kakuninsho.operations import forms
from kakuninsho.settings import Settings

log = logging.getLogger(__name__)

TOKYO = ZoneInfo("Asia/Tokyo")
POOL = "warehouse"
FACTS = Asset("kakuninsho_facts")
APPROVE = "Approve"
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
    PLAY = "練習"
    CASES = "個別の事案"


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


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The installation that this process works for."""
    return Settings.from_environment()


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
    day = _own_day(context or get_current_context())
    first, last = forms.bounds(campaign)
    if context is None and not first <= day <= last:
        raise AirflowFailException(
            f"今日 {day} は {campaign.title} の期間 ({first} から {last}) の外です。"
            "フォームの「基準日」に日付を入れて実行し直してください"
        )
    return day


def _own_day(context: Any) -> date:
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
        FeedError,
        GateError,
        HostKeyError,
        LotFileError,
        PlanError,
        RegisterDropError,
        SeasonOpenError,
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


# --- the tasks of every DAG that makes a plan ---------------------------------------------------------------


def _wish(given: dict[str, Any]) -> Any:
    from kakuninsho.plans.draft import PlanRequest, StopWish

    days = {key: date.fromisoformat(given[key]) if given[key] else None for key in ("posting_date", "run_on")}
    stop = StopWish.from_text(given["stop"]) if given["stop"] else None
    day = date.fromisoformat(given["as_of"])
    return PlanRequest(kind=given["kind"], as_of=day, attempt=given["attempt"], stop=stop, **days)


def _given(wish: Any) -> dict[str, Any]:
    return {
        "kind": wish.kind,
        "as_of": wish.as_of.isoformat(),
        "posting_date": wish.posting_date.isoformat() if wish.posting_date else None,
        "run_on": wish.run_on.isoformat() if wish.run_on else None,
        "attempt": wish.attempt,
        "stop": wish.stop.as_text() if wish.stop else None,
    }


def check_wish(wish: Any) -> dict[str, Any]:
    """Check what must already be true for a plan; returns the wish in a form that tasks can pass on."""
    from kakuninsho.operations import planning

    branch()
    checked: dict[str, Any] = _given(decide(lambda: planning.check(settings(), wish, dry_run=is_dry_run())))
    return checked


@task(task_display_name="作成 (dbt)", pool=POOL, multiple_outputs=False)
def draft_plan(wish: dict[str, Any]) -> dict[str, Any]:
    """Build what is pending and draft the plan, in one slot of the warehouse."""
    from kakuninsho.operations import planning

    totals = decide(lambda: planning.draft(settings(), _wish(wish)))
    log.info("draft %s: %s", _wish(wish).plan_id, json.dumps(totals))
    return {"wish": wish, "totals": totals}


@task(task_display_name="検査 (Great Expectations)", multiple_outputs=False)
def judge_plan(drafted: dict[str, Any]) -> dict[str, Any]:
    """Let the gate judge the draft."""
    from kakuninsho.operations import planning

    if drafted["wish"]["kind"] == "request" and not drafted["totals"]["row_count"]:
        skip("申請も対象者もありません (nothing to issue or to refuse)")
    wish = _wish(drafted["wish"])
    warnings = decide(lambda: planning.judge(settings(), wish))
    for warning in warnings:
        log.warning("%s", warning)
    if is_dry_run() or not settings().automatic_approvals:  # in a replay nobody reads it
        _preview(wish, drafted["totals"], warnings)
    return {**drafted, "warnings": warnings}


def _preview(wish: Any, totals: dict[str, Any], warnings: list[str]) -> None:
    """Write the report that people read before they approve, or instead of a run."""
    from kakuninsho.operations import planning, previews

    if wish.stop:
        previews.write(settings(), previews.of_stop(settings(), wish, totals))
        return
    before = planning.totals_before(settings(), wish.plan_id)
    report = previews.of_plan(settings(), wish, totals, warnings, branch=branch(), before=before)
    previews.write(settings(), report)


@task(task_display_name="確定", pool=POOL, multiple_outputs=False)
def freeze_plan(judged: dict[str, Any]) -> dict[str, Any]:
    """Make the draft a fact: from here on its control numbers are given."""
    from kakuninsho.operations import planning

    if is_dry_run():
        skip("試行のため確定しません (dry run)")
    return {**judged, "plan_id": decide(lambda: planning.freeze(settings(), _wish(judged["wish"])))}


@task(task_display_name="送付ファイル作成", multiple_outputs=False)
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


def user_name(user: Mapping[str, Any]) -> str:
    """Who answered, as they log in; the id alone is a number where Airflow keeps its users in a database."""
    return str(user.get("name") or user.get("id") or "")


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
        "ファイル {{ p['files'] | length }} 件。"
        "[校正刷り {{ p['proofs'] | length }} 件](/campaign/proofs/)・"
        "[検査報告](/campaign/docs/index.html)・"
        "[内訳](/campaign/previews/{{ p['plan_id'] }}.html) を見てから承認してください。\n\n"
        "{{ p['deadline'] }}\n\n"
        "{% for warning in p['warnings'] %}- ⚠ {{ warning }}\n{% endfor %}"
        "{% if p['wish']['stop'] %}\n{{ p['wish']['stop'] }}\n\n| 段階 | ロット | 封筒 |\n|---|---:|---:|\n"
        "{% for key, name in [('not_released', '指示前'), ('released', '指示済み・差出前'), ('held', '停止中'), "
        "('posted', '差出済み (効果なし、指示に含めない)')] %}{% if 'lots_' ~ key in now %}"
        "| {{ name }} | {{ now['lots_' ~ key] }} | {{ now['pieces_' ~ key] }} |\n{% endif %}{% endfor %}{% endif %}"
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


@task(task_display_name="承認の記録", multiple_outputs=False)
def record_approval(files: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Land both answers as facts, bound to the hash of the files."""
    from kakuninsho.operations import planning
    from kakuninsho.plans.approvals import Answer

    answers = [
        Answer(
            decision="approved" if answer["chosen_options"] == [APPROVE] else "rejected",
            decided_by=user_name(answer["responded_by_user"]),
            is_automatic=bool(answer["auto"]),
        )
        for answer in (first, second)
    ]
    subject = decide(lambda: planning.record_answers(settings(), files["plan_id"], files["files"], answers, as_of()))
    return {"plan_id": files["plan_id"], "subject": subject}


@task(task_display_name="封緘・送付", outlets=[FACTS], multiple_outputs=False)
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


def stop_form() -> dict[str, Param]:
    """The form of a stop order: which lots, what is to happen to them, and why. Free text could name a person."""
    fields = forms.stop_fields(settings().campaign)
    return {name: Param(field.pop("default", None), **field) for name, field in fields.items()}


def stop_wish() -> Any:
    """What the form of a stop order asks for."""
    from kakuninsho.plans.draft import PlanRequest, StopWish

    posting = chosen("lots_posted_on")
    branch_code = chosen("lots_of_branch")
    stop = StopWish(
        effect=str(chosen("effect")),
        reason_code=str(chosen("reason")),
        lot_ids=tuple(sorted((chosen("lots") or "").replace(",", " ").split())),
        prefecture=int(branch_code) if branch_code else None,
        posting_date=date.fromisoformat(posting) if posting else None,
    )
    return PlanRequest("stop", as_of(), stop=stop)


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

    decide(lambda: answers.judge_and_stage(settings(), files, Path(inbox), as_of(), run_key()))
    return files


@task(task_display_name="取込み", outlets=[FACTS])
def land_files(files: Files) -> list[str]:
    """Make the judged files facts."""
    from kakuninsho.operations import answers, dry_runs

    end_dry_run(lambda: dry_runs.feeds(settings(), files, as_of(), run_key()))
    return list(decide(lambda: answers.land(settings(), files, as_of(), run_key())))


# --- playing a season beside the stand-in world -------------------------------------------------------------


def days_form() -> dict[str, Param]:
    """The form of the DAG that lets days pass."""
    field = forms.as_of_field(settings().campaign, ())
    words = (
        "代役の世界をこの日まで進め、その間に予定された DAG を順に始めます。"
        "空欄のときは、次に予定のある一日だけ進めます。"
    )
    return {
        "to": Param(None, **{**field, "title": "この日まで", "description": words}),
        "start": Param(
            default=True,
            type="boolean",
            title="予定の DAG を始める",
            description="外すと日付だけを進めます。DAG は自分で基準日を入れて始めてください。",
        ),
    }


def days_to_play() -> list[dict[str, Any]]:
    """The runs that the calendar names for the days to pass, as arguments of `StartRun`."""
    from airflow.dag_processing.dagbag import DagBag

    from kakuninsho.paths import DAGS
    from kakuninsho.server import outside

    context = get_current_context()
    folder, to = outside.root(), chosen("to")
    if folder is None:
        raise AirflowFailException("代役の世界がありません: `make up` で始めてください")
    bag = DagBag(str(DAGS))
    runs = outside.planned({dag_id: getattr(dag.timetable, "event_dates", ()) for dag_id, dag in bag.dags.items()})
    try:
        now = outside.today(folder)
        if not settings().store.all("register"):  # nothing has been played: begin with the first day, not the next
            now = min(now, settings().campaign.parameters.snapshot_as_of - timedelta(days=1))
        due = outside.due(runs, now, date.fromisoformat(to) if to else None)
        if not due and to is None:
            skip(f"代役の日は {now} で、この先に予定はありません (the season is over)")
        if not context["params"]["start"] or not due:
            outside.reach(folder, date.fromisoformat(to) if to else due[-1].day)
    except outside.OutsideError as error:
        raise AirflowFailException(str(error)) from None
    for run in due:
        log.info("%s  %s", run.moment.strftime("%Y-%m-%d %H:%M"), run.dag_id)
    if not context["params"]["start"]:
        return []
    mark = context["dag_run"].run_id
    return [
        {
            "trigger_dag_id": run.dag_id,
            "trigger_run_id": f"{run.day}__{run.dag_id}__{mark}",
            "conf": {"as_of": run.day.isoformat()},
        }
        for run in due
    ]


class StartRun(TriggerDagRunOperator):
    """Starts one run of another DAG and waits for it; not when the one before it did not succeed."""

    def execute(self, context: Any) -> None:
        """Start it and wait.

        Raises:
            AirflowFailException: the run before this one did not succeed.
        """
        ti = context["ti"]
        if ti.map_index > 0:
            before = ti.xcom_pull(task_ids="look")[ti.map_index - 1]
            state = ti.get_dagrun_state(dag_id=before["trigger_dag_id"], run_id=before["trigger_run_id"])
            if state != "success":
                raise AirflowFailException(
                    f"{before['trigger_dag_id']} ({before['conf']['as_of']}) が成功していないので、"
                    "ここで止めます。原因を直してやり直してから、同じ日付で実行してください"
                )
        super().execute(context)


# --- single cases ---------------------------------------------------------------------------------------------


def case_arguments(
    dag_id: str, display_name: str, tags: list[Tag], params: dict[str, Param], *, at_once: int = 1
) -> dict[str, Any]:
    """What a DAG on single cases has: no calendar, a form of its own, and no alert where a form is refused."""
    arguments = dag_arguments(dag_id, display_name, tags, schedule=None)
    quiet = {name: value for name, value in DEFAULT_ARGUMENTS.items() if name != "on_failure_callback"}
    return arguments | {"params": params, "default_args": quiet, "max_active_runs": at_once}


def decision_form() -> dict[str, Param]:
    """The form of a decision on a held case or a stopped branch."""
    from kakuninsho.operations import case_forms

    return form(
        subject=Param(**case_forms.subject_field()),
        decision=Param(**case_forms.decision_field()),
        reason=Param(None, **case_forms.reason_field()),
    )


def explanation_form() -> dict[str, Param]:
    """The form of an explanation: only whom. It stands for no day and changes nothing."""
    from kakuninsho.operations import case_forms

    return {"person": Param(**case_forms.person_field())}


def asking_user() -> str:
    """The user of the page who started this run; nothing when nobody is known to have."""
    return str(getattr(get_current_context()["dag_run"], "triggering_user_name", None) or "")


def case_decision(on: date) -> Callable[[], Any]:
    """What the form asks to record. Its subject is read from the form by each task and passed by none."""
    from kakuninsho.operations.deciding import read_wish

    subject, decision, reason = chosen("subject") or "", chosen("decision") or "", chosen("reason")
    return lambda: read_wish(settings(), subject, decision, on, reason)


def check_case(on: date) -> dict[str, Any]:
    """Check what the form asks to record; returns it without anything personal. A dry run ends here."""
    from dataclasses import asdict

    from kakuninsho.messages import in_japanese
    from kakuninsho.operations.deciding import check_decision, known_user

    wish, first = case_decision(on), decide(lambda: known_user(asking_user()))
    with in_japanese():
        checked: dict[str, Any] = asdict(decide(lambda: check_decision(settings(), wish())))
    log.info("整理番号 %s: %s%s", checked["case"], checked["decision"], " (二人目が要る)" * checked["needs_second"])
    for warning in checked["warnings"]:
        log.warning("%s", warning)
    if is_dry_run():
        skip("試行のためここで終わります。判断は記録していません (dry run)")
    return {**checked, "first": first}


class SecondPerson(PersonalApproval):
    """Asks a second person, where the checked decision needs one; else passes by. The body says no more than a case."""

    BODY = (
        "{{% set c = ti.xcom_pull(task_ids='{0}') %}}"
        "整理番号 **{{{{ c['case'] }}}}** の支援措置の保留を解きます (判断日 {{{{ c['on'] }}}})。\n\n"
        "一人目: {{{{ c['first'] }}}}。**同じ人は二度答えられません。**\n\n"
        "承認する前に、送付先を確かめた記録 (correct_address) と、`explain_person` の説明を見てください。\n\n"
        "{{% for warning in c['warnings'] %}}- ⚠ {{{{ warning }}}}\n{{% endfor %}}"
    )

    def __init__(self, *, checked_by: str, **arguments: Any) -> None:
        subject = "支援措置の保留を解く: 二人目の承認"
        super().__init__(person=2, subject=subject, body=self.BODY.format(checked_by), **arguments)
        self.checked_by = checked_by

    def execute(self, context: Any) -> Any:
        """Ask, or pass by."""
        if not context["ti"].xcom_pull(task_ids=self.checked_by)["needs_second"]:
            return {"chosen_options": [], "responded_by_user": {}, "auto": False}
        return super().execute(context)

    @staticmethod
    def name_of(answer: dict[str, Any]) -> str | None:
        """Who answered, by the name that the page knows them by."""
        return user_name(answer["responded_by_user"]) or None

    @staticmethod
    def approved(answer: dict[str, Any]) -> bool:
        """Whether the answer is yes."""
        return bool(answer["chosen_options"] == [APPROVE])


def explain_case() -> str:
    """Write the explanation that the form asks for; returns and logs its path below the data folder, and no more."""
    from kakuninsho.documents.explanation import write_report
    from kakuninsho.messages import in_japanese
    from kakuninsho.operations.explaining import explain
    from kakuninsho.operations.work_list import find_member

    person, today = chosen("person") or "", _own_day(get_current_context())
    with in_japanese():
        explanation = decide(lambda: explain(settings(), find_member(settings(), person)))
    path = write_report(settings().data, explanation, asked_by=asking_user() or "-", asked_on=today)
    told = str(path.relative_to(settings().data))
    log.info("<data>/%s", told)
    return told
