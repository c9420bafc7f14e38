"""Questions to people in the Airflow page, whose answers count by Airflow's own record (rules: approvals and evidence).

An approval task lands its fact itself when it resumes, and hashes what was asked about again. Who answered what it
knows from the server: Airflow's answer route copies its record of the question into the parked task, where neither a
task nor the API of any role can write. Nothing that tasks hand on proves an answer; what is done next believes landed
facts alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.hitl import HITLUser

from kakuninsho.orchestration import audit
from kakuninsho.orchestration.run import as_of, asking_user, decide, passed_on, settings
from kakuninsho.plans import approvals as landed
from kakuninsho.plans.approvals import APPROVED, REJECTED, ApprovalError, Subject

log = logging.getLogger(__name__)

APPROVE, REJECT = "承認する", "却下する"
BODY = Path(__file__).with_name("approval.md.j2").read_text(encoding="utf-8")


class PersonalApproval(HITLOperator):
    """One person's answer about a subject, `number` 1 or 2, landed as a fact.

    `about` gives the subject, hashed as it is now, or None where nobody needs to be asked. It is asked again when the
    answer is there: what has changed meanwhile was not approved.
    """

    def __init__(self, *, number: int, about: Callable[[Any], Subject | None], **arguments: Any) -> None:
        super().__init__(options=[APPROVE, REJECT], multiple=False, **arguments)
        self.number = number
        self.about = about

    def execute(self, context: Any) -> Any:
        """Ask the people whose answer would count; where one has landed for exactly this, end with it at once."""
        store = settings().store
        subject: Subject | None = decide(lambda: self.about(context))
        if subject is None:
            return {"decision": None, "by": None}
        known = landed.landed_answer(store, subject, self.number)
        if known is not None:
            log.info("%s: %s が答えています (%s)", subject.name, known["decided_by"], known["decision"])
            return {"decision": known["decision"], "by": known["decided_by"]}
        if landed.is_rejected(store, subject.name):
            log.info("%s は却下されています。もうたずねません", subject.name)
            return {"decision": REJECTED, "by": None}
        people = self._people(subject)
        self.assigned_users = [HITLUser(id=name, name=name) for name in people]
        log.info("%s: 承認を求めます: %s", subject.name, ", ".join(people))
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Land the answer that the server recorded, as it gave it to this task."""
        subject: Subject | None = decide(lambda: self.about(context))
        user, options = event.get("responded_by_user"), list(event.get("chosen_options") or [])
        if subject is None or not user or event.get("timedout") or options not in ([APPROVE], [REJECT]):
            raise AirflowFailException(
                "Airflow の記録に、だれかの答えがありません。何も承認されていません。"
                "このタスクをクリアすると、もう一度たずねます"
            )
        decision = APPROVED if options == [APPROVE] else REJECTED
        row = decide(lambda: self._land(context, subject, decision, user, str(event["responded_at"])))
        return {"decision": row["decision"], "by": row["decided_by"]}

    def _people(self, subject: Subject) -> list[str]:
        people: list[str] = decide(
            lambda: landed.people_to_ask(
                settings().store, subject, settings().approvers, started_by=asking_user(), number=self.number
            )
        )
        return people

    def _land(
        self, context: Any, subject: Subject, decision: str, user: dict[str, str], answered_at: str
    ) -> landed.Row:
        name = user["name"]  # as they log in; the id alone is a number where Airflow keeps its users in a database
        if name not in self._people(subject):
            raise ApprovalError(
                f"{subject.name}: {name} は、この質問に答えられる人ではありません。答えは記録していません。"
                "このタスクをクリアすると、もう一度たずねます",
                f"{subject.name}: {name} is none of those who may answer this question; nothing was recorded. "
                "Clear this task to ask again",
            )
        instance = context["ti"]
        return landed.land_answer(
            settings().store,
            subject,
            self.number,
            decision=decision,
            decided_by=name,
            received_on=as_of(),
            record={
                "dag_id": instance.dag_id,
                "run_id": instance.run_id,
                "task_id": instance.task_id,
                "user_id": user["id"],
                "answered_at": answered_at,
            },
        )


def plan_subject(context: Any) -> Subject:
    """The files of the plan that this run has written, hashed as they lie in the outbox.

    Raises:
        ApprovalError: they are not those that the people were shown.
    """
    from kakuninsho.operations import planning

    written = passed_on(context["ti"].xcom_pull(task_ids="write_files"), "write_files")
    subject = planning.subject_of(settings(), written["plan_id"])
    if subject.sha256 != written["sha256"]:
        raise ApprovalError(
            f"{subject.name}: 送付ファイルが、示したものから変わっています。承認は無効です。"
            "write_files をクリアしてください",
            f"{subject.name}: the files are not those that were shown; the approval is void. Clear write_files",
        )
    return subject


def two_questions(
    what: str, about: Callable[[Any], Subject | None], body: str
) -> tuple[PersonalApproval, PersonalApproval]:
    """Two questions about a subject, to be asked one after the other: whoever answers the first is not asked again."""
    first, second = (
        PersonalApproval(
            task_id=task_id,
            task_display_name=name,
            number=number,
            about=about,
            subject=f"{what}: {name}",
            body=body,
        )
        for number, task_id, name in ((1, "approve_first", "承認 1人目"), (2, "approve_second", "承認 2人目"))
    )
    return first, second


def plan_approvals(*, what: str) -> tuple[PersonalApproval, PersonalApproval]:
    """Two questions about the files of a plan."""
    return two_questions(what, plan_subject, BODY)


@task(task_display_name="承認の確認", multiple_outputs=False)
def check_approvals(files: dict[str, Any]) -> str:
    """End red where the landed facts do not say that two people approved these files; name who changed the run.

    Returns the plan's id.
    """
    from kakuninsho.operations import planning

    plan_id: str = passed_on(files, "write_files")["plan_id"]
    require(lambda: landed.require_approved(settings().store, planning.subject_of(settings(), plan_id)))
    return plan_id


def require(check: Callable[[], Any]) -> Any:
    """Run a check of landed approvals; where it refuses, tell who changed this run by hand (Airflow's audit log)."""

    def told() -> Any:
        try:
            return check()
        except ApprovalError as error:
            run = get_current_context()["dag_run"]
            by_hand = audit.told(run.dag_id, run.run_id)
            raise ApprovalError(f"{error.ja}。{by_hand}", f"{error.en}. {by_hand}") from None

    return decide(told)
