"""Airflow's own audit log, asked for who changed a run by hand.

Tasks cannot read Airflow's database, so the log is read through the page's API by a user of its own, who may read it
and nothing more: the connection `airflow_audit` (host: the page's address, login, password).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from kakuninsho.server.page import Page, PageError

log = logging.getLogger(__name__)

AUDIT_CONNECTION = "airflow_audit"
# What a person does to a run by hand, by the name of Airflow's own event, and how it is told.
CHANGES = {
    "patch_task_instance": "タスクの状態を変えた",
    "patch_task_instance_dry_run": "タスクの状態を変えようとした",
    "bulk_task_instances": "タスクの状態をまとめて変えた",
    "patch_dag_run": "実行の状態を変えた",
    "post_clear_task_instances": "タスクをクリアした",
    "create_xcom_entry": "タスクの結果 (XCom) を書いた",
    "update_xcom_entry": "タスクの結果 (XCom) を書き換えた",
    "delete_xcom_entry": "タスクの結果 (XCom) を消した",
}
ENTRIES = 100


@dataclass(frozen=True)
class Change:
    """One thing that a person did to a run by hand."""

    user: str
    event: str
    task_id: str

    def __str__(self) -> str:
        """In words of Japanese staff."""
        return f"{self.user} が{CHANGES.get(self.event, self.event)} ({self.task_id or '実行全体'})"


def changes_by_hand(dag_id: str, run_id: str) -> list[Change] | None:
    """What people did to a run by hand, oldest first; None where the audit log cannot be read."""
    from airflow.sdk import BaseHook

    try:
        connection = BaseHook.get_connection(AUDIT_CONNECTION)
        page = Page(str(connection.host)).log_in(str(connection.login), str(connection.password))
        path = f"/api/v2/eventLogs?dag_id={quote(dag_id)}&run_id={quote(run_id, safe='')}&limit={ENTRIES}&order_by=id"
        entries: list[dict[str, Any]] = page.call("GET", path)["event_logs"]
    except (AirflowNotFoundException, AirflowRuntimeError, PageError) as error:
        log.warning("the audit log cannot be read (%s): see the connection %s", type(error).__name__, AUDIT_CONNECTION)
        return None
    return [
        Change(str(entry["owner"] or "?"), str(entry["event"]), str(entry["task_id"] or ""))
        for entry in entries
        if entry["event"] in CHANGES
    ]


def told(dag_id: str, run_id: str) -> str:
    """One sentence on who changed a run by hand."""
    changes = changes_by_hand(dag_id, run_id)
    if changes is None:
        return "だれが操作したかは読み取れませんでした。監査記録 (Audit Log) を見てください"
    if not changes:
        return "監査記録に、手での操作はありません"
    return "監査記録: " + "、".join(dict.fromkeys(str(change) for change in changes))
