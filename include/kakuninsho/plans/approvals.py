"""What two people answered, bound to the hash of exactly what they were asked about (rules: approvals and evidence).

A subject is a plan with its files, a decision on a protected case, or a deletion. Each answer is a fact of its own, so
that a crash between two of them is gone on with. A landed rejection stands, whatever else was answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from kakuninsho.facts.schemas import APPROVALS
from kakuninsho.facts.store import ARROW_TYPES, Fact, FactConflictError, FactStore
from kakuninsho.messages import TwoLanguageError

PEOPLE_NEEDED = 2
APPROVED, REJECTED = "approved", "rejected"
LAST_LOOK = "last_look"  # in the place of a person, where the last look voided a plan
HASH_DIGITS = 12  # of the subject's hash in the name of an answer
Row = dict[str, Any]


class ApprovalError(TwoLanguageError):
    """An approval that cannot count. Says why and what to do."""


@dataclass(frozen=True)
class Subject:
    """What is asked about: its name (`release-2025-08-01`) and one SHA-256 over its exact content."""

    name: str
    sha256: str

    def answer_name(self, number: int) -> str:
        """Name of the fact of the first or second person's answer about exactly this content."""
        return f"{self.name}--{self.sha256[:HASH_DIGITS]}--{number}"


def subject_hash(files: Mapping[str, str]) -> str:
    """One SHA-256 over names and hashes of the files that an approval covers, in order of name."""
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def approvals_of(store: FactStore, name: str) -> list[Row]:
    """Every landed answer about a subject, whatever its content was, in order of the facts' names."""
    folder = store.root / "approvals"
    names = sorted(path.name for path in folder.glob(f"{name}--*")) if folder.is_dir() else []
    facts = [store.find("approvals", found) for found in names]
    return [row for fact in facts if fact for row in pq.read_table(fact.table("approvals")).to_pylist()]


def people_who_answered(store: FactStore) -> set[str]:
    """Everybody who has ever answered anything in this installation."""
    return {_row(fact)["decided_by"] for fact in store.all("approvals")} - {LAST_LOOK}


def is_rejected(store: FactStore, name: str) -> bool:
    """Whether anybody has rejected it: it is void from then on."""
    return any(row["decision"] == REJECTED for row in approvals_of(store, name))


def landed_answer(store: FactStore, subject: Subject, number: int) -> Row | None:
    """The answer of the first or second person to exactly this content, or None."""
    # Answers of earlier versions are named by the subject alone.
    for name in (subject.answer_name(number), f"{subject.name}--{number}"):
        fact = store.find("approvals", name)
        if fact is not None:
            row: Row = pq.read_table(fact.table("approvals")).to_pylist()[0]
            if row["subject_sha256"] == subject.sha256:
                return row
    return None


def people_to_ask(
    store: FactStore, subject: Subject, approvers: Sequence[str], *, started_by: str, number: int
) -> list[str]:
    """Whose answer would count: named approvers, but for who started the run and who has answered the other question.

    Raises:
        ApprovalError: nobody is left to ask.
    """
    others = {
        row["decided_by"]
        for other in range(1, PEOPLE_NEEDED + 1)
        if other != number and (row := landed_answer(store, subject, other))
    }
    people = [person for person in approvers if person not in {started_by, *others}]
    if not people:
        raise ApprovalError(
            f"{subject.name}: 承認を求める人がいません。"
            "承認者は、実行を始めた人でも、もう一方に答えた人でもない人です。"
            "別の人が実行を始めるか、承認者 (KAKUNINSHO_APPROVERS) を増やしてください",
            f"{subject.name}: nobody is left to ask: an approver is neither who started the run nor who answered the "
            "other question. Let somebody else start the run, or name more approvers in KAKUNINSHO_APPROVERS",
        )
    return people


def land_answer(
    store: FactStore,
    subject: Subject,
    number: int,
    *,
    decision: str,
    decided_by: str,
    received_on: date,
    record: Mapping[str, str] | None = None,
) -> Row:
    """Land one person's answer as a fact; what has landed for this content is kept and returned.

    Args:
        store: the facts.
        subject: what was answered.
        number: 1 or 2, the question.
        decision: approved or rejected.
        decided_by: the user's name, as Airflow itself recorded it.
        received_on: the run's day.
        record: where the answer stands in Airflow's own record, kept with the fact for audit.

    Raises:
        ApprovalError: the same person has answered the other question.
    """
    for other in range(1, PEOPLE_NEEDED + 1):
        earlier = landed_answer(store, subject, other) if other != number else None
        if earlier and earlier["decided_by"] == decided_by:
            raise ApprovalError(
                f"{subject.name}: 同じ人が二度答えています。異なる二人の承認が要ります。別の人が答えてください",
                f"{subject.name}: the same person answered twice; two different people must approve. "
                "Let another person answer",
            )
    row = {
        "plan_id": subject.name,
        "subject_sha256": subject.sha256,
        "decision": decision,
        "decided_by": decided_by,
        "received_on": received_on,
    }
    return _land(store, subject.answer_name(number), row, record) or row


def reject(store: FactStore, subject: Subject, *, decided_by: str, received_on: date) -> Row:
    """Land the rejection of an approver beside whatever was answered (decision `reject_plan`)."""
    row = {
        "plan_id": subject.name,
        "subject_sha256": subject.sha256,
        "decision": REJECTED,
        "decided_by": decided_by,
        "received_on": received_on,
    }
    return _land(store, f"{subject.name}--{REJECTED}", row, None) or row


def void(store: FactStore, subject: Subject, *, received_on: date) -> Row:
    """Void what was approved because of what landed since (rules: to the letter box); nobody has rejected it."""
    return reject(store, subject, decided_by=LAST_LOOK, received_on=received_on)


def require_approved(store: FactStore, subject: Subject) -> None:
    """Two different people have approved exactly this content, and nobody has rejected it.

    Raises:
        ApprovalError: otherwise. Says what is missing and what to do.
    """
    answers = approvals_of(store, subject.name)
    if any(row["decision"] == REJECTED for row in answers):
        raise ApprovalError(
            f"{subject.name} は却下されたため無効です。何も送っていません。"
            "原因を直してからこの DAG を新しく実行してください (番号は使われません)",
            f"{subject.name} was rejected: it is void and its control numbers are burnt. Nothing was sent. "
            "Mend the cause and start the DAG anew",
        )
    exact = [row for row in answers if row["subject_sha256"] == subject.sha256]
    people = {row["decided_by"] for row in exact}
    if len(people) < PEOPLE_NEEDED:
        other = len(answers) - len(exact)
        raise ApprovalError(
            f"{subject.name}: 承認されていません。このファイルを承認した人の記録は {len(people)} 人分です (2 人要る)。"
            + (f"別の内容への答えが {other} 件あり、数えません。" if other else "")
            + "何も送っていません。承認タスク (approve_first, approve_second) をクリアすると、もう一度たずねます",
            f"{subject.name}: not approved: answers of {len(people)} people about exactly this content have landed, "
            f"{PEOPLE_NEEDED} are needed, {other} are about other content. Nothing was sent. "
            "Clear the approval tasks to ask again",
        )


def _land(store: FactStore, name: str, row: Row, record: Mapping[str, str] | None) -> Row | None:
    """Land a row; None when it is new, else the row that another run landed under the name."""
    known = store.find("approvals", name)
    if known is None:
        try:
            with store.land("approvals", name, received_on=row["received_on"], source="airflow") as draft:
                schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in APPROVALS["approvals"].items()])
                pq.write_table(pa.Table.from_pylist([row], schema=schema), draft.table("approvals"))
                draft.totals.update(record or {})
        except FactConflictError:
            known = store.get("approvals", name)
        else:
            return None
    return _row(known)


def _row(fact: Fact) -> Row:
    found: Row = pq.read_table(fact.table("approvals")).to_pylist()[0]
    return found
