"""No hand-off over a share of targets that nobody can believe (rules: campaign parameters, expected_target_share)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from kakuninsho.operations.target_shares import OffShare, TargetShareError, require_believable

HALF_OF_THE_CARDS_MISSING = OffShare(0, date(2025, 4, 30), 39_700_000, 24_600_000, 0.6196, 0.302, "stopped", False)


def test_a_share_that_is_far_off_stops_with_where_expected_and_found() -> None:
    with pytest.raises(TargetShareError) as caught:
        require_believable([HALF_OF_THE_CARDS_MISSING])
    assert "the nation: 24,600,000 targets of 39,700,000" in caught.value.en
    assert "0.6196; expected 0.3020" in caught.value.en
    assert "accept_share" in caught.value.ja and "62.0%" in caught.value.ja


def test_what_a_person_has_accepted_or_is_only_warned_of_stops_nothing() -> None:
    accepted = replace(HALF_OF_THE_CARDS_MISSING, is_accepted=True)
    require_believable([accepted, replace(HALF_OF_THE_CARDS_MISSING, prefecture=18, state="warned")])
    assert "認めています" in accepted.sentence
