"""Roles and people where Airflow has its full access control (FAB), as in docker-compose.yaml."""

from __future__ import annotations

from collections.abc import Mapping

from kakuninsho.server.people import PEOPLE

APPROVER = "Approver"
# Airflow's role by the role of the simple access control. Approvers answer; they start nothing.
ROLES = {"op": "Op", "user": APPROVER, "viewer": "Viewer"}


def ensure_people(passwords: Mapping[str, str]) -> list[str]:
    """Make the roles, and the people who are missing; returns the names of those made. Nobody is changed."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.providers.fab.www.security import permissions as allowed

    made = []
    with get_application_builder() as builder:
        security = builder.sm
        security.sync_roles()
        security.bulk_sync_roles(
            [
                {
                    "role": APPROVER,
                    "perms": [
                        *security.VIEWER_PERMISSIONS,
                        # Answering counts as a change of the DAG's run: both are asked for.
                        (allowed.ACTION_CAN_EDIT, allowed.RESOURCE_DAG),
                        (allowed.ACTION_CAN_EDIT, allowed.RESOURCE_HITL_DETAIL),
                        (allowed.ACTION_CAN_ACCESS_MENU, allowed.RESOURCE_HITL_DETAIL),
                    ],
                }
            ]
        )
        for person in PEOPLE:
            if security.find_user(person.name) is None:
                security.add_user(
                    person.name,
                    person.name,
                    person.title,
                    f"{person.name}@kakuninsho.invalid",
                    security.find_role(ROLES[person.role]),
                    passwords[person.name],
                )
                made.append(person.name)
    return made
