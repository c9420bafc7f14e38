"""Tables of the terminal stay readable."""

from __future__ import annotations

from kakuninsho.replay.tables import EXPLANATION_PARTS, explanation_tables

NOTHING = {**dict.fromkeys(EXPLANATION_PARTS), "next_steps": ["待つ"], "old_card": "破棄できる"}


def test_a_wide_part_is_shown_upright() -> None:
    wide = {f"column_{number}": number for number in range(12)}
    tables = explanation_tables({**NOTHING, "certificates": [wide, wide]})
    assert [len(table.columns) for table in tables] == [2, 2, 1]


def test_a_narrow_part_has_a_row_each_and_no_key() -> None:
    rows = [{"event_type": "posted", "symbol": "1"}, {"event_type": "returned", "symbol": "1"}]
    events = explanation_tables({**NOTHING, "events": rows})[0]
    assert (events.row_count, len(events.columns)) == (2, 1)
