"""How long a My Number card and its electronic certificate last (rules: My Number card validity).

In these rules 29 February counts as 28 February in common years, other than where a 75th birthday ends membership.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date

CARD_BIRTHDAYS = 10
CARD_BIRTHDAYS_OF_MINORS = 5
CERTIFICATE_BIRTHDAYS = 5
ADULT_FROM, ADULT_BEFORE_REFORM = 18, 20
REFORM_ON = date(2022, 4, 1)  # the age of majority went from 20 to 18; it counts by the day of application
NOTICE_MONTHS_BEFORE = (3, 2)


@dataclass(frozen=True)
class Notice:
    """The days between which a notice of expiry goes out, both included."""

    first_on: date
    last_on: date


def birthday(born_on: date, year: int) -> date:
    """The birthday in a year; that of 29 February is 28 February in a common year."""
    return date(year, born_on.month, min(born_on.day, monthrange(year, born_on.month)[1]))


def nth_birthday_after(born_on: date, day: date, count: int) -> date:
    """The `count`-th birthday after a day, which is not counted itself when it is one."""
    first = day.year if birthday(born_on, day.year) > day else day.year + 1
    return birthday(born_on, first + count - 1)


def is_minor(born_on: date, applied_on: date) -> bool:
    """Whether somebody counts as a minor at application: under 18, under 20 before 2022-04-01."""
    majority = ADULT_FROM if applied_on >= REFORM_ON else ADULT_BEFORE_REFORM
    return applied_on < birthday(born_on, born_on.year + majority)


def card_valid_until(born_on: date, applied_on: date, issued_on: date) -> date:
    """Last valid day of a card: the 10th birthday after issue, the 5th of who was a minor at application.

    Raises:
        ValueError: issued before it was applied for, or applied for before birth.
    """
    if not born_on <= applied_on <= issued_on:
        raise ValueError("a card is applied for after birth and issued after its application")
    count = CARD_BIRTHDAYS_OF_MINORS if is_minor(born_on, applied_on) else CARD_BIRTHDAYS
    return nth_birthday_after(born_on, issued_on, count)


def certificate_valid_until(born_on: date, issued_on: date, card_until: date) -> date:
    """Last valid day of an electronic certificate issued on a day: the 5th birthday after it, never after the card."""
    return min(nth_birthday_after(born_on, issued_on, CERTIFICATE_BIRTHDAYS), card_until)


def notice_before(expires_on: date) -> Notice:
    """When the notice of an expiry goes out: 2 to 3 months before."""
    first, last = (_months_before(expires_on, months) for months in NOTICE_MONTHS_BEFORE)
    return Notice(first, last)


def _months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or the last day of that month."""
    since = day.year * 12 + day.month - 1 - months
    year, month = since // 12, since % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
