"""Airflow's full access control (FAB), where a question is for people by the names that they log in with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.models import User


class NamedPeopleAuthManager(FabAuthManager):
    """Written for Airflow 3.3 with FAB 3: theirs compares numbers of its database, which no setting can name before.

    With single sign-on a person gets a number at the first login; approvers are named in the installation's settings.
    """

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Whether a question is for this person."""
        return user.get_name() in assigned_users
