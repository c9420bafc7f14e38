"""Business days of the printer and the post office in Japan.

A second, small implementation on purpose: a printer has its own calendar, and a mistake in the insurer's
must not be mirrored here.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import jpholiday

SATURDAY = 5
ONE_DAY = timedelta(days=1)


@lru_cache(maxsize=4096)
def works(day: date) -> bool:
    """Whether the printer and the post's counters work on this day."""
    if day.weekday() >= SATURDAY or jpholiday.is_holiday(day):
        return False
    return not ((day.month == 12 and day.day >= 29) or (day.month == 1 and day.day <= 3))


def on_or_after(day: date) -> date:
    """The day itself when it is worked, else the next one that is."""
    while not works(day):
        day += ONE_DAY
    return day


def next_worked(day: date) -> date:
    """The first worked day after this one."""
    return on_or_after(day + ONE_DAY)


def add_worked(day: date, count: int) -> date:
    """The count-th worked day after this one."""
    for _ in range(count):
        day = next_worked(day)
    return day
