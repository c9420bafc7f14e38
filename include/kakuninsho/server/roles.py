"""Roles and people in Airflow's full access control (FAB): the same and least in every installation.

Starting a run, clearing a task and marking it are one permission of Airflow (`DAG Runs`, `Task Instances`): marking is
therefore without effect (rules: approvals and evidence). XComs, answers, connections, pools and variables are withheld.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kakuninsho.server.people import ANALYST, APPROVER, AUDITOR, OPERATOR, PEOPLE

Permission = tuple[str, str]


def role_permissions() -> dict[str, list[Permission]]:
    """What each role of ours may do: action and resource, in Airflow's names. The administrator's role is Airflow's."""
    from airflow.providers.fab.www.security import permissions as p

    read, edit, create, menu = p.ACTION_CAN_READ, p.ACTION_CAN_EDIT, p.ACTION_CAN_CREATE, p.ACTION_CAN_ACCESS_MENU
    own_account: list[Permission] = [
        (read, p.RESOURCE_WEBSITE),
        (read, p.RESOURCE_MY_PROFILE),
        (edit, p.RESOURCE_MY_PROFILE),
        (read, p.RESOURCE_MY_PASSWORD),
        (edit, p.RESOURCE_MY_PASSWORD),
    ]
    see_runs: list[Permission] = [
        (read, p.RESOURCE_DAG),
        (read, p.RESOURCE_DAG_RUN),
        (read, p.RESOURCE_DAG_VERSION),
        (read, p.RESOURCE_DAG_DEPENDENCIES),
        (read, p.RESOURCE_DAG_WARNING),
        (read, p.RESOURCE_TASK_INSTANCE),
        (read, p.RESOURCE_IMPORT_ERROR),
        (read, p.RESOURCE_JOB),
        (menu, p.RESOURCE_DAG),
        (menu, p.RESOURCE_DAG_RUN),
        (menu, p.RESOURCE_BROWSE_MENU),
        (menu, p.RESOURCE_TASK_INSTANCE),
    ]
    see_questions: list[Permission] = [(read, p.RESOURCE_HITL_DETAIL), (menu, p.RESOURCE_HITL_DETAIL)]
    return {
        ANALYST: [*own_account, *see_runs],
        OPERATOR: [
            *own_account,
            *see_runs,
            *see_questions,
            (read, p.RESOURCE_TASK_LOG),
            (read, p.RESOURCE_DAG_CODE),
            (edit, p.RESOURCE_DAG),
            (create, p.RESOURCE_DAG_RUN),
            (edit, p.RESOURCE_DAG_RUN),
            (create, p.RESOURCE_TASK_INSTANCE),
            (edit, p.RESOURCE_TASK_INSTANCE),
        ],
        APPROVER: [
            *own_account,
            *see_runs,
            *see_questions,
            (read, p.RESOURCE_TASK_LOG),
            # Answering counts as a change of the DAG's run: both are asked for.
            (edit, p.RESOURCE_DAG),
            (edit, p.RESOURCE_HITL_DETAIL),
            # Whoever approves can also reject later, by a decision (rules: to the letter box).
            (create, p.resource_name("record_decision", p.RESOURCE_DAG_RUN)),
        ],
        AUDITOR: [(read, p.RESOURCE_WEBSITE), (read, p.RESOURCE_DAG), (read, p.RESOURCE_AUDIT_LOG)],
    }


def ensure_people(passwords: Mapping[str, str]) -> list[str]:
    """Make the roles as they must be, and the people who are missing; returns the names of those made."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    made = []
    with get_application_builder() as builder:
        security = builder.sm
        security.sync_roles()
        for role, wanted in role_permissions().items():
            security.bulk_sync_roles([{"role": role, "perms": wanted}])
            _take_away(security, role, wanted)
        for person in PEOPLE:
            if security.find_user(person.name) is None:
                security.add_user(
                    person.name,
                    person.name,
                    person.title,
                    f"{person.name}@kakuninsho.invalid",
                    security.find_role(person.role),
                    passwords[person.name],
                )
                made.append(person.name)
    return made


def _take_away(security: Any, role_name: str, wanted: list[Permission]) -> None:
    """Take from a role of ours what it had in an earlier version; Airflow's own synchronisation only adds."""
    role = security.find_role(role_name)
    for permission in list(role.permissions):
        if (permission.action.name, permission.resource.name) not in wanted:
            security.remove_permission_from_role(role, permission)
