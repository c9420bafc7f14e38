"""Small numbers of people are not shown where the reader need not know them, nor can they be worked out."""

from __future__ import annotations

import pytest

from kakuninsho.page.figures import Waiting
from kakuninsho.page.render import work_table
from kakuninsho.page.small_numbers import part_of, people, rate, total


@pytest.mark.parametrize(("count", "shown"), [(0, "0"), (1, "10未満"), (9, "10未満"), (10, "10"), (12345, "12,345")])
def test_one_to_nine_people_of_a_branch_are_under_ten(count: int, shown: str) -> None:
    assert people(count) == shown


def test_a_sum_does_not_give_its_one_hidden_cell_away() -> None:
    assert total([40, 3, 0]) == "約40"
    assert total([40, 30]) == "70"


def test_a_sum_of_several_hidden_cells_is_exact_only_when_they_are_no_small_number_together() -> None:
    assert total([100, 6, 7]) == "113"
    assert total([100, 1, 1]) == "約100"


def test_any_hidden_cell_rounds_the_sum_of_one_branch() -> None:
    assert total([100, 6, 7], exact_from=3) == "約110"
    assert total([2, 3], exact_from=2) == "10未満"


def test_the_few_who_are_left_of_a_branch_are_not_told_by_subtraction() -> None:
    assert part_of(95, 100) == "約100"  # five are left
    assert part_of(100, 100) == "100"
    assert part_of(50, 100) == "50"


def test_a_share_of_fewer_than_ten_is_unknown() -> None:
    assert rate(1, 9) is None
    assert rate(1, 10) == 0.1


def test_the_table_of_work_tells_no_small_number() -> None:
    waiting = [
        Waiting("01", "北海道支部", "snapshot", 12),
        Waiting("01", "北海道支部", "branch_desk", 4),
        Waiting("02", "青森支部", "snapshot", 3),
        Waiting("13", "東京支部", "snapshot", 30),
        Waiting("13", "東京支部", "branch_desk", 20),
    ]
    table = work_table(waiting)
    assert [row.cells for row in table.rows] == [["12", "10未満"], ["10未満", "0"], ["30", "20"]]
    assert [row.total for row in table.rows] == ["約20", "10未満", "50"]
    # Each column hides one cell, so its sum is rounded, and then so is the sum of the columns.
    assert table.totals == ["約40", "約20"]
    assert table.total == "約70"
