"""Who answers in a replay: two users whom only a replay knows, through Airflow's own answer route.

Production asks people and waits; it cannot tell that it is rehearsed. `dag.test()` polls while a question is parked:
the driver's stand-in for its sleep calls `Answering.answer`, so that no second is slept.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

PEOPLE = ("replay-1", "replay-2")
APPROVE = "承認する"


class AnswerError(RuntimeError):
    """A question of a replay that could not be answered. Says which."""


def environment() -> dict[str, str]:
    """Airflow's access control in a replay: its own simple one, with the two users and nobody else."""
    return {
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:user" for name in PEOPLE),
    }


@dataclass(frozen=True)
class Question:
    """One question that waits for an answer, and who may give it."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    people: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where Airflow takes the answer."""
        run = quote(self.run_id, safe="")
        return f"/dags/{self.dag_id}/dagRuns/{run}/taskInstances/{self.task_id}/{self.map_index}/hitlDetails"


class Answering:
    """Answers the questions that wait, each by somebody who may."""

    def __init__(self) -> None:
        from airflow.api_fastapi.app import get_auth_manager, init_auth_manager
        from airflow.api_fastapi.core_api.routes.public.hitl import task_instances_hitl_router
        from fastapi import FastAPI

        self.application = FastAPI()
        init_auth_manager()
        self.application.include_router(task_instances_hitl_router)
        manager: Any = get_auth_manager()
        users = {user.username: user for user in manager.get_users()}
        self.tokens = {name: manager.generate_jwt(users[name]) for name in PEOPLE}

    def answer(self) -> int:
        """Approve every question that waits; returns how many did.

        Raises:
            AnswerError: Airflow refuses an answer, or nobody of the two may give it.
        """
        questions = waiting()
        for question in questions:
            asyncio.run(self._answer(question))
        return len(questions)

    async def _answer(self, question: Question) -> None:
        person = next((name for name in PEOPLE if name in question.people), None)
        if person is None:
            raise AnswerError(f"{question.dag_id}.{question.task_id}: neither of {', '.join(PEOPLE)} may answer")
        transport = httpx.ASGITransport(app=self.application)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            answer = await client.patch(
                question.path,
                json={"chosen_options": [APPROVE]},
                headers={"Authorization": f"Bearer {self.tokens[person]}"},
            )
        if answer.is_error:
            raise AnswerError(f"{question.dag_id}.{question.task_id}: {answer.status_code} {answer.text[:200]}")


def waiting() -> list[Question]:
    """The questions that wait for an answer, in the order in which they were asked."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy import select

    asked = (
        select(HITLDetail)
        .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
        .where(TaskInstance.state == TaskInstanceState.AWAITING_INPUT, HITLDetail.responded_at.is_(None))
        .order_by(HITLDetail.created_at)
    )
    with create_session() as session:
        return [
            Question(
                detail.task_instance.dag_id,
                detail.task_instance.run_id,
                detail.task_instance.task_id,
                detail.task_instance.map_index,
                tuple(user["id"] for user in detail.assigned_users),
            )
            for detail in session.scalars(asked)
        ]
