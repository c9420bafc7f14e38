"""The old card of who leaves (rules: campaign parameters). The dbt unit test of int_old_cards holds the same edges."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from kakuninsho.campaign import load_campaign
from kakuninsho.campaign.old_cards import old_card_duty

PARAMETERS = load_campaign().parameters


@pytest.mark.parametrize(
    ("lost_on", "duty"),
    [
        (date(2025, 12, 1), "return_to_employer"),
        (date(2025, 12, 2), "may_discard"),
        (date(2025, 5, 1), "return_to_employer"),
        (date(2026, 3, 31), "may_discard"),
        (None, None),
    ],
)
def test_who_leaves_before_old_cards_end_returns_the_card_to_the_employer(
    lost_on: date | None, duty: str | None
) -> None:
    assert old_card_duty(lost_on, PARAMETERS) == duty


def test_the_day_is_the_campaigns() -> None:
    later = PARAMETERS.model_copy(update={"old_cards_end_on": PARAMETERS.old_cards_end_on + timedelta(days=365)})
    assert old_card_duty(date(2025, 12, 2), later) == "return_to_employer"
