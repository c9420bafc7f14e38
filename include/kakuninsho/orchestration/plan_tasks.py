"""The tasks of every DAG that makes a plan: draft, judge, freeze, write, two approvals, send."""

from __future__ import annotations

import json
import logging
from datetime import date
from typing import Any

from airflow.sdk import Param, get_current_context, task

from kakuninsho.operations import forms
from kakuninsho.orchestration.approvals import check_approvals, plan_approvals, require
from kakuninsho.orchestration.notifiers import alert_channels
from kakuninsho.orchestration.run import (
    FACTS,
    POOL,
    as_of,
    branch,
    chosen,
    decide,
    is_dry_run,
    own_day,
    passed_on,
    printer_target,
    run_key,
    settings,
    skip,
)
from kakuninsho.plans.approvals import subject_hash

log = logging.getLogger(__name__)


def _wish(given: dict[str, Any]) -> Any:
    from kakuninsho.plans.draft import PlanRequest, StopWish

    def day(field: str) -> date | None:
        return date.fromisoformat(given[field]) if given[field] else None

    return PlanRequest(
        kind=given["kind"],
        as_of=date.fromisoformat(given["as_of"]),
        posting_date=day("posting_date"),
        run_on=day("run_on"),
        attempt=given["attempt"],
        stop=StopWish.from_text(given["stop"]) if given["stop"] else None,
        pieces=given["pieces"],
    )


def _given(wish: Any) -> dict[str, Any]:
    return {
        "kind": wish.kind,
        "as_of": wish.as_of.isoformat(),
        "posting_date": wish.posting_date.isoformat() if wish.posting_date else None,
        "run_on": wish.run_on.isoformat() if wish.run_on else None,
        "attempt": wish.attempt,
        "stop": wish.stop.as_text() if wish.stop else None,
        "pieces": wish.pieces,
    }


def check_wish(wish: Any) -> dict[str, Any]:
    """Land what lies unread, and check what must already be true for a plan.

    Returns the wish in a form that tasks can pass on.
    """
    from kakuninsho.operations import letter_box, planning

    branch()
    landed = [] if is_dry_run() else decide(lambda: letter_box.land_unread(settings(), as_of(), run_key()))
    if not is_dry_run() and planning.had_nothing_to_do(settings(), wish):
        skip("この日には対象がなかったことが記録されています (nothing to do, found again)")
    checked: dict[str, Any] = _given(
        decide(lambda: planning.check(settings(), wish, dry_run=is_dry_run(), own_day=own_day()))
    )
    return {**checked, "has_landed": bool(landed)}


def check_what_is_out() -> dict[str, Any]:
    """Look for pieces that are out and must be stopped; an alert and the wish for their urgent pull, else a skip.

    The caller holds the warehouse's slot.
    """
    from kakuninsho.operations import planning, urgent_pulls

    day = as_of()
    # Whoever starts it by hand wants to look, whatever was looked at before.
    by_facts = get_current_context()["dag_run"].run_type == "asset_triggered"
    if by_facts and not urgent_pulls.may_concern(settings(), day):
        skip("急いで引き抜くものはありません (nothing new that could be out)")
    found = _tell_of_what_is_out(day)
    wish = urgent_pulls.wish_of(day, found)
    if found is None:
        if not is_dry_run():
            planning.note_nothing_to_do(settings(), wish)
        skip("急いで引き抜くものはありません (nothing to pull urgently)")
    checked: dict[str, Any] = _given(
        decide(lambda: planning.check(settings(), wish, dry_run=is_dry_run(), own_day=own_day()))
    )
    return checked


def alert_of_what_is_out() -> int:
    """In the run that lands a drop: tell people of what is out and must be stopped. Returns how many pieces.

    The caller holds the warehouse's slot. The urgent pull itself is drafted by the DAG pull_pieces.
    """
    from kakuninsho.operations import urgent_pulls

    day = as_of()
    if not urgent_pulls.may_concern(settings(), day):
        return 0
    found = _tell_of_what_is_out(day)
    return 0 if found is None else int(found.pieces)


def _tell_of_what_is_out(day: date) -> Any:
    """Look at what is out; where something must be stopped, tell people at once. Returns what was found, or None."""
    from kakuninsho.operations import urgent_pulls

    found = decide(lambda: urgent_pulls.look(settings(), day))
    if found is not None:
        urgent_pulls.raise_alert(settings(), day, found, alert_channels())
    return found


@task(task_display_name="作成 (dbt)", pool=POOL, multiple_outputs=False)
def draft_plan(wish: dict[str, Any]) -> dict[str, Any]:
    """Build what is pending and draft the plan, in one slot of the warehouse."""
    from kakuninsho.operations import planning

    if wish.get("has_landed"):
        alert_of_what_is_out()
    totals = decide(lambda: planning.draft(settings(), _wish(wish)))
    log.info("draft %s: %s", _wish(wish).plan_id, json.dumps(totals))
    return {"wish": wish, "totals": totals}


@task(task_display_name="検査 (Great Expectations)", multiple_outputs=False)
def judge_plan(drafted: dict[str, Any]) -> dict[str, Any]:
    """Let the gate judge the draft."""
    from kakuninsho.operations import letter_box, planning

    drafted = passed_on(drafted, "draft_plan")
    wish = _wish(drafted["wish"])
    if reason := planning.nothing_to_do(settings(), wish):
        if is_dry_run():
            _preview(wish, drafted["totals"], [reason])
        else:
            planning.note_nothing_to_do(settings(), wish)
        skip(reason)
    judged: list[str] = decide(lambda: planning.judge(settings(), wish))
    warnings = letter_box.warnings(settings(), wish.as_of) + judged
    for warning in warnings:
        log.warning("%s", warning)
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
    judged = passed_on(judged, "judge_plan")
    return {**judged, "plan_id": decide(lambda: planning.freeze(settings(), _wish(judged["wish"])))}


@task(task_display_name="送付ファイル作成", multiple_outputs=False)
def write_files(frozen: dict[str, Any]) -> dict[str, Any]:
    """Write the files that will leave, from the frozen plan alone."""
    from kakuninsho.operations import forecasting, planning

    frozen = passed_on(frozen, "freeze_plan")
    files = decide(lambda: planning.write_files(settings(), frozen["plan_id"]))
    return {
        **frozen,
        "files": files,
        "sha256": subject_hash(files),
        "before": planning.totals_before(settings(), frozen["plan_id"]),
        "deadline": forecasting.deadline_sentence(settings()),
        "branches": planning.branches_before(settings(), frozen["plan_id"]),
    }


@task(task_display_name="封緘・送付", outlets=[FACTS], multiple_outputs=False)
def send(plan_id: str) -> dict[str, int]:
    """Seal and send the approved files."""
    from kakuninsho.operations import planning

    passed_on(plan_id, "check_approvals")
    sent: dict[str, int] = require(lambda: planning.send_plan(settings(), plan_id, printer_target(), as_of()))
    log.info("sent %s", sent)
    return sent


def plan_tasks(wish: Any, *, what: str) -> Any:
    """The way of every plan: draft, judge, freeze, write, two people one after the other, send."""
    drafted: Any = draft_plan(wish)
    judged: Any = judge_plan(drafted)
    frozen: Any = freeze_plan(judged)
    files: Any = write_files(frozen)
    first, second = plan_approvals(what=what)
    approved: Any = check_approvals(files)
    files >> first >> second >> approved
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
