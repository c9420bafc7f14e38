"""What a person who leaves does with the old card (従来の保険証); the same rule as dbt's macro old_card_duty."""

from __future__ import annotations

from datetime import date
from typing import Literal

from kakuninsho.campaign.model import Parameters

OldCardDuty = Literal["return_to_employer", "may_discard"]


def old_card_duty(lost_on: date | None, parameters: Parameters) -> OldCardDuty | None:
    """What becomes of the old card of who leaves on a day (rules: campaign parameters, old card).

    Args:
        lost_on: first day without membership; None while membership goes on.
        parameters: the campaign's.
    """
    if lost_on is None:
        return None
    return "return_to_employer" if lost_on < parameters.old_cards_end_on else "may_discard"
