"""The campaign as data: its parameters, branches, dispatch windows and calendar of business days."""

from kakuninsho.campaign.branches import Branch, branch_names, load_branches
from kakuninsho.campaign.calendar import add_business_days, first_business_day, is_business_day, on_or_after
from kakuninsho.campaign.model import (
    DEFAULT_CAMPAIGN,
    Campaign,
    DispatchWindow,
    Parameter,
    campaigns_folder,
    load_campaign,
)

__all__ = [
    "DEFAULT_CAMPAIGN",
    "Branch",
    "Campaign",
    "DispatchWindow",
    "Parameter",
    "add_business_days",
    "branch_names",
    "campaigns_folder",
    "first_business_day",
    "is_business_day",
    "load_branches",
    "load_campaign",
    "on_or_after",
]
