"""The campaign page inside Airflow: behind its login, in its menu. Airflow finds this file in its plugins folder.

Anonymous requests are answered 401. Whoever may answer an approval in Airflow may open the proofs of what is approved.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

APPROVED_DAG = "release_lots"  # whoever may answer its approvals is an approver
URL_PREFIX = "/campaign"


class CampaignPage:
    """The application, made at its first request: every process of Airflow reads this file, one of them serves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request (ASGI)."""
        await application()(scope, receive, send)


@cache
def application() -> FastAPI:
    """The page's application, with Airflow's login before it and Airflow's word on who may approve."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails
    from airflow.api_fastapi.core_api.security import get_user, requires_access_view
    from fastapi import Depends

    from kakuninsho.page.app import Reader, build_app
    from kakuninsho.settings import Settings

    known = Depends(get_user)

    def reader(user: Any = known) -> Reader:
        may_approve = get_auth_manager().is_authorized_dag(
            method="PUT", access_entity=DagAccessEntity.HITL_DETAIL, details=DagDetails(id=APPROVED_DAG), user=user
        )
        return Reader(user.get_name(), may_approve)

    return build_app(
        Settings.from_environment, dependencies=[Depends(requires_access_view(AccessView.WEBSITE))], reader=reader
    )


class CampaignPagePlugin(AirflowPlugin):
    """The application and its entry in the menu."""

    name = "kakuninsho_campaign_page"
    fastapi_apps: ClassVar[list[Any]] = [{"app": CampaignPage(), "url_prefix": URL_PREFIX, "name": "一括交付の状況"}]
    external_views: ClassVar[list[Any]] = [
        {
            "name": "交付状況",  # as wide as the menu is
            "href": f"{URL_PREFIX}/",
            "destination": "nav",
            "url_route": "campaign",
            "nav_top_level": True,
        }
    ]
