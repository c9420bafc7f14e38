"""My Number card validity, edge days (rules: section 12)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakuninsho.campaign.cards import (
    Notice,
    card_valid_until,
    certificate_valid_until,
    is_minor,
    notice_before,
    nth_birthday_after,
)


@pytest.mark.parametrize(
    ("born", "applied", "issued", "until"),
    [
        (date(1980, 6, 15), date(2024, 5, 1), date(2024, 6, 14), date(2033, 6, 15)),  # the next day is the 1st birthday
        (date(1980, 6, 15), date(2024, 5, 1), date(2024, 6, 15), date(2034, 6, 15)),  # the birthday itself is not after
        (date(2006, 5, 2), date(2024, 5, 1), date(2024, 5, 20), date(2029, 5, 2)),  # 17 at application, 18 at issue
        (date(2006, 5, 1), date(2024, 5, 1), date(2024, 5, 20), date(2034, 5, 1)),  # 18 on the day of application
        (date(2002, 4, 1), date(2022, 3, 31), date(2022, 4, 20), date(2027, 4, 1)),  # 19, under the old law
        (date(2002, 4, 1), date(2022, 4, 1), date(2022, 4, 20), date(2032, 4, 1)),  # 20, and the new law
        (date(2003, 4, 2), date(2022, 4, 1), date(2022, 4, 20), date(2032, 4, 2)),  # 18 under the new law
        (date(2002, 3, 31), date(2022, 3, 31), date(2022, 4, 20), date(2032, 3, 31)),  # 20 on the last day of the old
        (date(1996, 2, 29), date(2024, 2, 1), date(2024, 2, 28), date(2033, 2, 28)),  # 29 February 2024 is the first
        (date(1996, 2, 29), date(2023, 2, 1), date(2023, 2, 28), date(2033, 2, 28)),  # 28 February 2023 counts as it
        (date(2020, 2, 29), date(2020, 3, 1), date(2020, 3, 1), date(2025, 2, 28)),
    ],
)
def test_card_lasts_to_the_tenth_birthday_the_fifth_of_minors(
    born: date, applied: date, issued: date, until: date
) -> None:
    assert card_valid_until(born, applied, issued) == until


def test_majority_of_29_february_is_28_february_in_a_common_year() -> None:
    assert is_minor(date(2004, 2, 29), date(2022, 2, 28))  # under 20, the old law
    assert is_minor(date(2008, 2, 29), date(2026, 2, 27))
    assert not is_minor(date(2008, 2, 29), date(2026, 2, 28))


def test_certificate_lasts_to_the_fifth_birthday_never_after_the_card() -> None:
    born = date(1980, 6, 15)
    card = card_valid_until(born, date(2024, 5, 1), date(2024, 6, 20))
    first = certificate_valid_until(born, date(2024, 6, 20), card)
    assert (card, first) == (date(2034, 6, 15), date(2029, 6, 15))
    assert certificate_valid_until(born, date(2029, 4, 1), card) == date(2033, 6, 15)  # renewed before the birthday
    assert certificate_valid_until(born, date(2033, 6, 16), card) == card  # renewed late: the card ends it


def test_notice_goes_out_three_to_two_months_before() -> None:
    assert notice_before(date(2025, 6, 15)) == Notice(date(2025, 3, 15), date(2025, 4, 15))
    assert notice_before(date(2025, 5, 31)) == Notice(date(2025, 2, 28), date(2025, 3, 31))
    assert notice_before(date(2025, 1, 31)) == Notice(date(2024, 10, 31), date(2024, 11, 30))


def test_card_issued_before_its_application_is_refused() -> None:
    with pytest.raises(ValueError, match="issued after its application"):
        card_valid_until(date(1980, 6, 15), date(2024, 5, 2), date(2024, 5, 1))


days = st.dates(date(2016, 1, 1), date(2040, 12, 31))


@given(st.dates(date(1920, 1, 1), date(2015, 12, 31)), days, st.integers(0, 200), days)
def test_no_certificate_outlives_its_card_and_none_lasts_under_four_or_over_ten_years(
    born: date, applied: date, wait: int, renewed: date
) -> None:
    issued = applied + timedelta(days=wait)
    card = card_valid_until(born, applied, issued)
    years = 5 if is_minor(born, applied) else 10
    assert timedelta(days=365 * (years - 1)) <= card - issued <= timedelta(days=366 * years)
    certificate = certificate_valid_until(born, renewed, card)
    assert certificate <= card
    assert certificate == card or renewed < certificate == nth_birthday_after(born, renewed, 5)
