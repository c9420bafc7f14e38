"""Business days and the dates that follow from the campaign file."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from kakuninsho.campaign import add_business_days, first_business_day, is_business_day, load_branches, load_campaign
from kakuninsho.campaign.branches import insurer_check_digit
from kakuninsho.campaign.model import CampaignError

FY2025 = load_campaign("fy2025")


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2025, 7, 30), True),  # Wednesday
        (date(2025, 8, 11), False),  # Mountain Day
        (date(2025, 8, 15), True),  # Obon is no public holiday
        (date(2025, 11, 3), False),  # Culture Day
        (date(2025, 11, 24), False),  # substitute holiday for Sunday 11-23
        (date(2025, 12, 29), False),
        (date(2026, 1, 3), False),
        (date(2026, 1, 5), True),
    ],
)
def test_offices_work_on_weekdays_that_are_no_holiday(day: date, works: bool) -> None:
    assert is_business_day(day) is works


def test_first_business_day_of_november_is_after_the_weekend_and_culture_day() -> None:
    assert first_business_day(2025, 11) == date(2025, 11, 4)


def test_business_days_count_backwards_over_a_holiday() -> None:
    assert add_business_days(date(2025, 8, 12), -1) == date(2025, 8, 8)


def test_follow_ups_run_on_first_business_days_and_a_closing_day() -> None:
    assert FY2025.follow_up_runs == (
        date(2025, 8, 1),
        date(2025, 9, 1),
        date(2025, 10, 1),
        date(2025, 11, 4),
        date(2025, 11, 20),
    )


def test_months_open_on_their_first_business_day() -> None:
    assert list(FY2025.wave_openings.values()) == ["2025-07", "2025-08", "2025-09", "2025-10"]


def test_every_release_is_at_most_three_business_days_before_its_posting_date() -> None:
    for released, posted in FY2025.releases.items():
        assert 0 < FY2025.business_days_between(released, posted) <= 3


def test_full_drops_come_at_each_month_end_to_the_last_one_before_the_close() -> None:
    assert [day for day, kind in FY2025.register_drops.items() if kind == "full"] == [
        date(2025, month, last)
        for month, last in ((4, 30), (5, 31), (6, 30), (7, 31), (8, 31), (9, 30), (10, 31), (11, 30))
    ]


def test_a_drop_comes_the_business_day_before_everything_that_acts_on_the_newest_register() -> None:
    values, drops = FY2025.parameters, FY2025.register_drops
    acts = [
        *FY2025.releases,
        values.employer_lists_on,
        *FY2025.follow_up_runs,
        *FY2025.request_runs,
        values.served_by,
    ]
    assert [day for day in acts if add_business_days(day, -1) not in drops] == []
    assert [drops[day] for day in (date(2025, 6, 13), date(2025, 11, 19), date(2025, 11, 28))] == ["delta"] * 3
    assert max(drops) == date(2025, 11, 30)
    for released in FY2025.releases:
        newest = max(day for day in drops if day < released)
        assert (released - newest).days <= FY2025.parameters.recheck_max_age_days


def test_requests_are_issued_every_wednesday_or_the_business_day_after(tmp_path: Path) -> None:
    runs = FY2025.request_runs
    assert (runs[0], runs[-1], len(runs)) == (date(2025, 5, 21), date(2025, 11, 26), 28)
    assert {day.weekday() for day in runs} == {2}
    assert max(later - earlier for earlier, later in pairwise(runs)).days == 7
    holiday = load_campaign("fy2026", _copy_of(tmp_path, requests_weekday=0)).request_runs
    assert date(2025, 7, 22) in holiday  # 07-21 is Marine Day
    # What is issued on the last day of service would be posted after it.
    assert max(holiday) == date(2025, 11, 25)


def test_windows_hold_published_days() -> None:
    assert FY2025.window_of("13").posting_dates[0] == date(2025, 8, 1)
    assert FY2025.window_of("13").posting_dates[-1] == date(2025, 9, 12)
    # The window's end is a Tuesday after a holiday; its other days are Fridays.
    assert FY2025.window_of("43").posting_dates == (date(2025, 8, 1), date(2025, 8, 8), date(2025, 8, 12))
    assert {f"{day:%Y-%m}" for day in FY2025.window_of("11").posting_dates} == {"2025-09", "2025-10"}


def test_fukui_posts_in_october_as_the_leaflet_says() -> None:
    window = FY2025.window_of("18")
    assert window.source == "seed"
    assert {day.month for day in window.posting_dates} == {10}


def test_every_window_and_parameter_has_a_source() -> None:
    assert {window.source for window in FY2025.windows} == {"seed", "published", "assumed"}
    assert set(FY2025.sourced) == set(type(FY2025.parameters).model_fields)


def test_printer_reports_reach_the_last_day_of_service() -> None:
    assert FY2025.printer_report_days[-1] == date(2025, 12, 1)


@pytest.mark.parametrize(("seven", "digit"), [("3312001", 5), ("0118001", 7), ("0104001", 3), ("0117001", 8)])
def test_insurer_check_digit(seven: str, digit: int) -> None:
    assert insurer_check_digit(seven) == digit


def test_the_47_branches_have_right_check_digits() -> None:
    branches = load_branches()
    assert len(branches) == 47
    for branch in branches:
        assert branch.insurer_number[2:4] == branch.prefecture_code
        assert int(branch.insurer_number[7]) == insurer_check_digit(branch.insurer_number[:7])


def _copy_of(tmp_path: Path, **changes: object) -> Path:
    source = Path(__file__).parents[3] / "include/kakuninsho/campaign/fy2025"
    folder = tmp_path / "fy2026"
    folder.mkdir()
    raw = yaml.safe_load((source / "campaign.yaml").read_text(encoding="utf-8"))
    raw["campaign"] = "fy2026"
    for name, value in changes.items():
        raw["parameters"][name]["value"] = value
    (folder / "campaign.yaml").write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
    windows = (source / "dispatch_windows.csv").read_text(encoding="utf-8")
    (folder / "dispatch_windows.csv").write_text(windows, encoding="utf-8")
    return tmp_path


def test_another_campaign_is_another_folder(tmp_path: Path) -> None:
    assert load_campaign("fy2026", _copy_of(tmp_path, lot_size=1000)).parameters.lot_size == 1000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"release_business_days_before_posting": 4}, "release_business_days_before_posting"),
        ({"employer_lists_on": date(2025, 8, 1)}, "employer_lists_on must be before"),
        ({"served_by": date(2025, 11, 1)}, "must follow each other"),
        ({"lot_size": 10}, "lot_size"),
        ({"wave_months": ["2025-07", "2025-08", "2025-09"]}, "outside wave_months"),
    ],
)
def test_a_campaign_that_contradicts_itself_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        load_campaign("fy2026", _copy_of(tmp_path, **change))


def test_a_missing_campaign_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="no campaign file"):
        load_campaign("fy1999", tmp_path)
