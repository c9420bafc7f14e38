"""Approval of a plan by two people, bound to the hash of the exact files that will leave (rules: a wave, line 3)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import APPROVALS
from kakuninsho.facts.store import ARROW_TYPES, FactStore

PEOPLE_NEEDED = 2


class ApprovalError(RuntimeError):
    """An approval that cannot count. Says why and what to do."""


@dataclass(frozen=True)
class Answer:
    """What one person answered."""

    decision: str  # approved, rejected
    decided_by: str
    is_automatic: bool = False


def subject_hash(files: Mapping[str, str]) -> str:
    """One SHA-256 over names and hashes of the files that an approval covers, in order of name."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def refuse_strangers(plan_id: str, answers: Sequence[Answer], approvers: Collection[str]) -> None:
    """Only named approvers answer: the page's own permissions let whoever may start a run answer for it as well.

    Raises:
        ApprovalError: an answer of somebody else.
    """
    strangers = sum(not answer.is_automatic and answer.decided_by not in approvers for answer in answers)
    if strangers:
        raise ApprovalError(
            f"plan {plan_id}: {strangers} of {len(answers)} answers are by people who are no approvers; no answer was "
            "recorded. Start the run again and let two approvers answer; KAKUNINSHO_APPROVERS names them"
        )


def record_approvals(store: FactStore, plan_id: str, subject: str, answers: list[Answer], received_on: date) -> None:
    """Land the answers of two people as facts; answers that are there already are kept.

    Raises:
        ApprovalError: fewer than two people, the same person twice, a rejection, or other files than before.
    """
    landed = approvals_of(store, plan_id)
    if landed:
        if any(row["subject_sha256"] != subject for row in landed):
            raise ApprovalError(
                f"plan {plan_id}: the files differ from those that were approved; the approval is void. "
                "Make the files again from the frozen plan and compare"
            )
    else:
        people = {answer.decided_by for answer in answers}
        if len(answers) < PEOPLE_NEEDED or len(people) < PEOPLE_NEEDED:
            raise ApprovalError(
                f"plan {plan_id}: two different people must approve; {len(people)} answered. "
                "Ask a second person to answer in the Airflow page"
            )
        for number, answer in enumerate(answers, start=1):
            with store.land("approvals", f"{plan_id}--{number}", received_on=received_on, source="airflow") as draft:
                row = {
                    "plan_id": plan_id,
                    "subject_sha256": subject,
                    "decision": answer.decision,
                    "decided_by": answer.decided_by,
                    "is_automatic": answer.is_automatic,
                    "received_on": received_on,
                }
                schema = pa.schema([(name, ARROW_TYPES[kind]) for name, kind in APPROVALS["approvals"].items()])
                pq.write_table(pa.Table.from_pylist([row], schema=schema), draft.table("approvals"))
    if any(row["decision"] == "rejected" for row in approvals_of(store, plan_id)):
        raise ApprovalError(
            f"plan {plan_id} was rejected: it is void and its control numbers are burnt. Nothing was sent"
        )


def approvals_of(store: FactStore, plan_id: str) -> list[dict[str, object]]:
    """The approvals of a plan that have landed."""
    rows: list[dict[str, object]] = []
    for number in range(1, PEOPLE_NEEDED + 1):
        fact = store.find("approvals", f"{plan_id}--{number}")
        if fact is not None:
            rows += pq.read_table(fact.table("approvals")).to_pylist()
    return rows
