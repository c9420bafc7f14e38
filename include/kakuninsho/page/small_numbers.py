"""Small numbers of people: shown as such only where the reader must know them.

A cell of 1 to 9 people of one branch says 10未満, and a sum that would give a hidden cell away by subtraction is
rounded to tens. Figures of the nation name no place and stay exact: the ledger is settled with them. Envelopes are
pieces of work, not people, and stay exact as well.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST = 10
HIDDEN = "10未満"


def is_small(count: int) -> bool:
    """Whether a number of people is so small that it could point at somebody."""
    return 0 < count < LEAST


def people(count: int) -> str:
    """A number of people of one branch, in words."""
    return HIDDEN if is_small(count) else f"{count:,}"


def rounded(count: int) -> str:
    """A number of people to the nearest ten, in words."""
    return HIDDEN if is_small(count) else f"約{round(count, -1):,}"


def part_of(part: int, whole: int) -> str:
    """A part of the people of one branch, in words; rounded where the rest of them would be a small number."""
    return rounded(part) if is_small(whole - part) else people(part)


def total(parts: Sequence[int], *, exact_from: int = 1) -> str:
    """A sum of cells, in words.

    It is exact when no cell is hidden, or when more than `exact_from` are and together they are no small number. The
    total of one branch is about that branch, so its row passes the number of its cells: any hidden one rounds it.
    """
    hidden = [part for part in parts if is_small(part)]
    if not hidden or (len(hidden) > exact_from and sum(hidden) >= LEAST):
        return f"{sum(parts):,}"
    return rounded(sum(parts))


def rate(part: int, whole: int) -> float | None:
    """A share of one branch; None where the whole is too small for it to be about anybody but a few."""
    return part / whole if whole >= LEAST else None
