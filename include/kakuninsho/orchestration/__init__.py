"""The one package that knows Airflow: timetables of the campaign, forms, pools, and the tasks that DAGs are made of.

Tasks pass names, days and counts to each other, never a row of data.
"""

from kakuninsho.orchestration.case_tasks import (
    case_arguments,
    check_case,
    decision_form,
    explain_case,
    explanation_form,
    record_case,
    second_person,
)
from kakuninsho.orchestration.dag import (
    Tag,
    branch_param,
    dag_arguments,
    on_days,
    posting_date_param,
    sandbox_root,
    wave_param,
)
from kakuninsho.orchestration.deletion_tasks import delete_approved, deletion_approvals, expired_today
from kakuninsho.orchestration.feed_tasks import Files, announce_alerts, check_refusals, judge_files, land_files
from kakuninsho.orchestration.plan_tasks import check_wish, plan_tasks, stop_form, stop_wish
from kakuninsho.orchestration.run import (
    FACTS,
    POOL,
    as_of,
    branch,
    chosen,
    core_feeds_folder,
    decide,
    end_dry_run,
    inbox_folder,
    is_dry_run,
    own_day,
    printer_target,
    run_key,
    settings,
    skip,
)
from kakuninsho.orchestration.stand_in_days import StartRun, days_form, days_to_play

__all__ = [
    "FACTS",
    "POOL",
    "Files",
    "StartRun",
    "Tag",
    "announce_alerts",
    "as_of",
    "branch",
    "branch_param",
    "case_arguments",
    "check_case",
    "check_refusals",
    "check_wish",
    "chosen",
    "core_feeds_folder",
    "dag_arguments",
    "days_form",
    "days_to_play",
    "decide",
    "decision_form",
    "delete_approved",
    "deletion_approvals",
    "end_dry_run",
    "expired_today",
    "explain_case",
    "explanation_form",
    "inbox_folder",
    "is_dry_run",
    "judge_files",
    "land_files",
    "on_days",
    "own_day",
    "plan_tasks",
    "posting_date_param",
    "printer_target",
    "record_case",
    "run_key",
    "sandbox_root",
    "second_person",
    "settings",
    "skip",
    "stop_form",
    "stop_wish",
    "wave_param",
]
