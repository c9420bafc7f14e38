"""Single cases: a decision on a held person or a stopped branch, an explanation of one person."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date
from typing import Any

from airflow.sdk import Param, get_current_context

from kakuninsho.orchestration.approvals import PersonalApproval
from kakuninsho.orchestration.dag import DEFAULT_ARGUMENTS, Tag, dag_arguments, form
from kakuninsho.orchestration.run import (
    as_of,
    asking_user,
    chosen,
    decide,
    is_dry_run,
    own_day,
    passed_on,
    settings,
    skip,
)
from kakuninsho.plans.approvals import APPROVED, Subject, landed_answer

log = logging.getLogger(__name__)

REJECT_PLAN = "reject_plan"


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

    first = decide(lambda: known_user(asking_user()))
    if chosen("decision") == REJECT_PLAN:
        return _check_rejection(on, first)
    wish = case_decision(on)
    with in_japanese():
        checked: dict[str, Any] = asdict(decide(lambda: check_decision(settings(), wish())))
    log.info("整理番号 %s: %s%s", checked["case"], checked["decision"], " (二人目が要る)" * checked["needs_second"])
    for warning in checked["warnings"]:
        log.warning("%s", warning)
    if is_dry_run():
        skip("試行のためここで終わります。判断は記録していません (dry run)")
    return {**checked, "first": first}


def _check_rejection(on: date, by: str) -> dict[str, Any]:
    from kakuninsho.operations.rejecting import check_rejection

    plan_id = (chosen("subject") or "").strip()
    decide(lambda: check_rejection(settings(), plan_id, by))
    if is_dry_run():
        skip("試行のためここで終わります。判断は記録していません (dry run)")
    told = {"case": plan_id, "warnings": [], "first": by}  # the second question is rendered, though nobody is asked
    return {**told, "plan_id": plan_id, "decision": REJECT_PLAN, "on": on.isoformat(), "needs_second": False}


SECOND_BODY = (
    "{% set c = ti.xcom_pull(task_ids='check') %}"
    "{% for warning in c['warnings'] %}- ⚠ {{ warning }}\n{% endfor %}\n"
    "{% if c['decision'] == 'incident_closed' %}"
    "整理番号 **{{ c['case'] }}** の発送物の事故を、対応が完了したものとして閉じます "
    "(理由 {{ c['reason_code'] }}、判断日 {{ c['on'] }})。\n\n"
    "承認する前に、事故の記録と警報の手順書、`explain_person` の説明を見てください。"
    "{% else %}"
    "整理番号 **{{ c['case'] }}** の支援措置の保留を解きます (判断日 {{ c['on'] }})。\n\n"
    "承認する前に、送付先を確かめた記録 (correct_address) と、`explain_person` の説明を見てください。"
    "{% endif %}\n\n"
    "一人目: {{ c['first'] }}。**同じ人は答えられません。**"
)


def case_subject(context: Any) -> Subject | None:
    """What a second person is asked about: the checked decision; None where it needs no second person."""
    from kakuninsho.operations.deciding import subject_of

    checked = passed_on(context["ti"].xcom_pull(task_ids="check"), "check")
    return subject_of(case_decision(as_of(context))(), checked["case"]) if checked["needs_second"] else None


def second_person() -> PersonalApproval:
    """Asks a second person, where the checked decision needs one; else passes by. The body says no more than a case."""
    return PersonalApproval(
        task_id="second_person",
        task_display_name="二人目の承認 (支援措置・事故のみ)",
        number=2,
        about=case_subject,
        subject="判断の記録: 二人目の承認",
        body=SECOND_BODY,
    )


def record_case(checked: dict[str, Any]) -> list[str]:
    """Record what was decided, in the name of the second person too where the landed fact says so."""
    from kakuninsho.operations.deciding import record_by

    passed_on(checked, "check")
    if checked["decision"] == REJECT_PLAN:
        from kakuninsho.operations.rejecting import reject_plan

        return [decide(lambda: reject_plan(settings(), checked["plan_id"], asking_user(), as_of()))]
    wish, subject = case_decision(as_of()), case_subject(get_current_context())
    answer = landed_answer(settings().store, subject, 2) if subject else None
    second = str(answer["decided_by"]) if answer else None
    approved = bool(answer and answer["decision"] == APPROVED)
    facts = decide(lambda: record_by(settings(), wish(), asking_user(), second, approved=approved))
    return [fact.name for fact in facts]


def explain_case() -> str:
    """Write the explanation that the form asks for; returns and logs its path below the data folder, and no more."""
    from kakuninsho.documents.explanation import write_report
    from kakuninsho.messages import in_japanese
    from kakuninsho.operations.explaining import explain
    from kakuninsho.operations.work_list import find_member

    person, today = chosen("person") or "", own_day()
    with in_japanese():
        explanation = decide(lambda: explain(settings(), find_member(settings(), person)))
    path = write_report(settings().data, explanation, asked_by=asking_user() or "-", asked_on=today)
    told = str(path.relative_to(settings().data))
    log.info("<data>/%s", told)
    return told
