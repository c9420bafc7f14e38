"""Business days of Japan: Monday to Friday, no public holiday, not the year's end (12-29 to 01-03)."""

from __future__ import annotations

from datetime import date, timedelta

import jpholiday

SATURDAY = 5


def is_business_day(day: date) -> bool:
    """Whether offices, the printer and the post's business counters work on this day."""
    year_end = (day.month, day.day) >= (12, 29) or (day.month, day.day) <= (1, 3)
    return day.weekday() < SATURDAY and not year_end and not jpholiday.is_holiday(day)


def on_or_after(day: date) -> date:
    """The day itself when it is a business day, else the next one."""
    while not is_business_day(day):
        day += timedelta(days=1)
    return day


def add_business_days(day: date, count: int) -> date:
    """The business day `count` business days after (negative: before) a day, which is not counted itself."""
    step = timedelta(days=1 if count > 0 else -1)
    for _ in range(abs(count)):
        day += step
        while not is_business_day(day):
            day += step
    return day


def first_business_day(year: int, month: int) -> date:
    """The first business day of a month."""
    return on_or_after(date(year, month, 1))
