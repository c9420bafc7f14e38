"""Answers of two people, landed as an approval task lands them."""

from __future__ import annotations

from datetime import date

from kakuninsho.facts.store import FactStore
from kakuninsho.operations import planning
from kakuninsho.plans.approvals import APPROVED, Subject, land_answer
from kakuninsho.settings import Settings

PEOPLE = ("approver1", "approver2")


def answer(store: FactStore, subject: Subject, *decisions: str, on: date) -> None:
    """The first person answers the first decision, the second person the second."""
    for number, (person, decision) in enumerate(zip(PEOPLE, decisions, strict=False), start=1):
        land_answer(store, subject, number, decision=decision, decided_by=person, received_on=on)


def approve(settings: Settings, plan_id: str, on: date) -> None:
    """Two people approve the files of a plan that wait in its outbox."""
    answer(settings.store, planning.subject_of(settings, plan_id), APPROVED, APPROVED, on=on)
