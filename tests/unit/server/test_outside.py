"""What the stand-in world's day allows, and which runs come next."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from kakuninsho.server.outside import TOKYO, OutsideError, due, planned

RUNS = planned(
    {
        "release_lots": [datetime(2025, 7, 31, 9, tzinfo=TOKYO), datetime(2025, 8, 1, 9, tzinfo=TOKYO)],
        "extract_register": [datetime(2025, 7, 31, 19, tzinfo=TOKYO)],
        "take_in_printer_reports": [datetime(2025, 8, 1, 6, tzinfo=TOKYO)],
    }
)


def names(now: date, to: date | None) -> list[str]:
    return [run.dag_id for run in due(RUNS, now, to)]


def test_runs_of_a_day_come_in_the_order_of_their_hours() -> None:
    assert names(date(2025, 7, 1), None) == ["release_lots", "extract_register"]


def test_without_a_day_only_the_next_planned_one_is_played() -> None:
    assert names(date(2025, 7, 31), None) == ["take_in_printer_reports", "release_lots"]


def test_up_to_a_day_all_runs_between_are_played() -> None:
    assert len(names(date(2025, 7, 1), date(2025, 8, 5))) == 4


def test_today_can_be_played_again() -> None:
    assert names(date(2025, 7, 31), date(2025, 7, 31)) == ["release_lots", "extract_register"]


def test_after_the_last_day_nothing_is_due() -> None:
    assert names(date(2025, 8, 1), None) == []


def test_a_day_that_has_passed_is_refused() -> None:
    with pytest.raises(OutsideError, match="cannot go back"):
        names(date(2025, 8, 1), date(2025, 7, 31))
