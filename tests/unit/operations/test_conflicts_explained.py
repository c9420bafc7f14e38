"""Reports that contradict each other are shown in a person's explanation, beside the reports themselves."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from kakuninsho.operations.explaining import _conflicts

PIECE = "00000000389"


def event(kind: str, day: int, *, twice: bool = False) -> dict[str, Any]:
    return {
        "envelope_id": PIECE,
        "event_type": kind,
        "occurred_on": date(2025, 10, day),
        "source_file": "a.csv",
        "is_posted_twice": twice,
    }


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([event("posted", 10)], []),
        ([event("posted", 10), event("returned", 10)], []),
        ([event("posted", 10, twice=True), event("posted", 11, twice=True)], ["reported posted twice"]),
        ([event("posted", 10, twice=True)], ["reported posted twice"]),  # one day, two tracking numbers
        ([event("returned", 9), event("posted", 10)], ["returned before it was posted"]),
        ([event("pulled", 9), event("posted", 10)], ["reported posted and pulled"]),
        ([event("posted", 10), event("spoiled", 12)], ["reported posted and spoiled"]),
        ([event("pulled", 9)], []),
        ([event("returned", 9)], []),  # without a posting it is returned_without_posting
    ],
)
def test_a_conflict_is_told_on_the_day_of_the_last_report(events: list[dict[str, Any]], words: list[str]) -> None:
    told = list(_conflicts(events))
    assert len(told) == len(words)
    for row, word in zip(told, words, strict=True):
        assert word in row["what"] and row["what"].startswith("⚠")
        assert (row["about"], row["on"]) == (PIECE, max(item["occurred_on"] for item in events))
