"""Forms: what an answer may be, judged by the schema as the server judges it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from jsonschema import Draft7Validator

from kakuninsho.campaign import load_campaign
from kakuninsho.operations import forms

CAMPAIGN = load_campaign("fy2025")
DAYS = (date(2025, 7, 31), date(2025, 8, 7))


def accepts(schema: dict[str, Any], answer: Any) -> bool:
    return bool(Draft7Validator(schema).is_valid(answer))


@pytest.mark.parametrize("day", [None, "2025-04-30", "2025-12-01", "2026-03-31"])
def test_a_day_of_the_campaign_or_none_is_accepted(day: str | None) -> None:
    assert accepts(forms.as_of_field(CAMPAIGN, DAYS), day)


@pytest.mark.parametrize("day", ["2025-03-31", "2026-04-01", "2026-11-23", "2025-13-01", "2025-08-32", "8/1", ""])
def test_a_day_outside_the_campaign_or_no_day_is_refused(day: str) -> None:
    assert not accepts(forms.as_of_field(CAMPAIGN, DAYS), day)


def test_deletion_goes_on_after_the_campaign() -> None:
    assert accepts(forms.as_of_field(CAMPAIGN, DAYS, bounded=False), "2029-06-28")


def test_planned_days_are_proposed_and_other_days_may_be_typed() -> None:
    field = forms.as_of_field(CAMPAIGN, DAYS)
    assert field["examples"] == ["2025-07-31", "2025-08-07"]
    assert "2025-07-31, 2025-08-07" in field["description"]


def test_each_branch_can_be_chosen_by_name_and_no_other() -> None:
    field = forms.branch_field()
    assert len(field["enum"]) == 48
    assert field["values_display"]["18"] == "18 福井支部"
    assert accepts(field, "18")
    assert not accepts(field, "48")


def test_a_wave_is_a_month_of_home_mailing() -> None:
    field = forms.wave_field(CAMPAIGN)
    assert field["enum"] == [None, "2025-07", "2025-08", "2025-09", "2025-10"]
    assert not accepts(field, "2025-11")


def test_a_posting_date_is_the_campaigns_and_says_how_many_branches_post() -> None:
    field = forms.posting_date_field(CAMPAIGN)
    assert field["enum"][1:] == [day.isoformat() for day in CAMPAIGN.posting_dates]
    assert field["values_display"]["2025-08-01"].startswith("2025-08-01 (金) ")
    assert not accepts(field, "2025-08-02")


def test_every_field_has_a_title_and_help_in_japanese() -> None:
    fields = [
        forms.as_of_field(CAMPAIGN, DAYS),
        forms.dry_run_field(),
        forms.branch_field(),
        forms.wave_field(CAMPAIGN),
        forms.posting_date_field(CAMPAIGN),
    ]
    for field in fields:
        for text in (field["title"], field["description"]):
            assert any("ぁ" <= letter <= "ヿ" or "一" <= letter <= "鿿" for letter in text)


def test_calendar_in_a_few_words() -> None:
    assert forms.calendar_words([date(2025, 5, 15)]) == "2025-05-15 (木)"
    assert forms.calendar_words(DAYS) == "2025-07-31 から 2025-08-07 まで 2 回"
    assert forms.calendar_words([]) == "予定なし"
