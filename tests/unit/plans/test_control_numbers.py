"""Control numbers: check digits find mistakes, numbers are never used twice."""

from __future__ import annotations

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from kakuninsho.plans.control_numbers import control_number, control_number_sql, is_control_number

SEQUENCES = st.integers(1, 10**9 - 1)


@given(SEQUENCES)
def test_every_number_given_is_valid(sequence: int) -> None:
    assert is_control_number(control_number(sequence))


@given(SEQUENCES, st.integers(0, 10), st.integers(1, 9))
def test_one_wrong_digit_is_found(sequence: int, place: int, by: int) -> None:
    number = control_number(sequence)
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    assert not is_control_number(wrong)


@given(SEQUENCES, st.integers(0, 9))
def test_two_swapped_neighbours_are_found(sequence: int, place: int) -> None:
    number = control_number(sequence)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert swapped == number or not is_control_number(swapped)


def test_sql_gives_the_same_numbers() -> None:
    sequences = [1, 97, 98, 123456789, 999999999]
    given_by_sql = duckdb.execute(
        f"select {control_number_sql('sequence')} from unnest(?::bigint[]) as t(sequence)", [sequences]
    ).fetchall()
    assert [row[0] for row in given_by_sql] == [control_number(sequence) for sequence in sequences]
