"""The tasks of the deletion of expired data: what has expired, two people, the deletion."""

from __future__ import annotations

from typing import Any

from kakuninsho.orchestration.approvals import PersonalApproval, require, two_questions
from kakuninsho.orchestration.run import as_of, own_day, settings
from kakuninsho.plans.approvals import Subject

BODY = (
    "{% set f = ti.xcom_pull(task_ids='find') %}"
    "**{{ f['on'] }} までに保存期限を過ぎたデータの中身を削除します。元に戻せません。**\n\n"
    "| 種類 | 件 |\n|---|---:|\n"
    "| 加入者データの配信 | {{ f['counts']['register'] }} |\n"
    "| 送受信したファイル | {{ f['counts']['transfers'] }} |\n\n"
    "fact.json と合計は残ります。"
    "削除する前に `kakuninsho backup` の日付を確かめてください (SHA-256 {{ f['sha256'] }})。"
)


def expired_today() -> Any:
    """What has expired on this run's day."""
    from kakuninsho.operations import retention

    return retention.expired(settings(), as_of(), own_day=own_day())


def deletion_subject(_context: Any) -> Subject:
    """What people are asked about: exactly the facts that have expired."""
    subject: Subject = expired_today().subject
    return subject


def deletion_approvals() -> tuple[PersonalApproval, PersonalApproval]:
    """Two questions about the deletion."""
    return two_questions("保存期限を過ぎたデータの削除", deletion_subject, BODY)


def delete_approved() -> dict[str, int]:
    """Delete what two people approved. Returns the facts that were emptied, by kind."""
    from kakuninsho.operations import retention

    deleted: dict[str, int] = require(lambda: retention.delete(settings(), expired_today()))
    return deleted
