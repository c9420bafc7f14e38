"""An approver takes an approval back: a plan is rejected by a decision, until anything has left (rules: 6)."""

from __future__ import annotations

from datetime import date

from kakuninsho.messages import TwoLanguageError
from kakuninsho.operations.planning import has_left
from kakuninsho.plans.approvals import Subject, approvals_of, is_rejected, reject
from kakuninsho.settings import Settings


class RejectionError(TwoLanguageError):
    """A plan that cannot be rejected, or not by this person. Says why and what to do."""


def check_rejection(settings: Settings, plan_id: str, by: str) -> None:
    """Check that a person may still reject a plan.

    Raises:
        RejectionError: who asks is no approver, there is no such plan, or something of it has left.
    """
    if by not in settings.approvers:
        raise RejectionError(
            f"計画を却下できるのは承認者 ({', '.join(settings.approvers)}) だけです。何も記録していません",
            f"only an approver ({', '.join(settings.approvers)}) can reject a plan; nothing was recorded",
        )
    if settings.store.find("plans", plan_id) is None:
        raise RejectionError(
            f"計画 {plan_id} はありません。承認タスクにある名前を入れてください",
            f"there is no plan {plan_id}; take its name from the approval task",
        )
    if has_left(settings, plan_id):
        raise RejectionError(
            f"計画 {plan_id} は送付が始まっています。却下はできません。差出しを止めるには stop_lots を使ってください",
            f"plan {plan_id} has begun to be sent and cannot be rejected; use stop_lots to stop its lots",
        )


def reject_plan(settings: Settings, plan_id: str, by: str, on: date) -> str:
    """Reject a plan in the name of an approver; a plan that is rejected stays so. Returns its name.

    Raises:
        RejectionError: see `check_rejection`.
    """
    if not is_rejected(settings.store, plan_id):
        check_rejection(settings, plan_id, by)
        answers = approvals_of(settings.store, plan_id)
        content = str(answers[0]["subject_sha256"]) if answers else ""
        reject(settings.store, Subject(plan_id, content), decided_by=by, received_on=on)
    return plan_id
