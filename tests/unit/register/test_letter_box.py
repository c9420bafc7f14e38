"""No plan is made while a drop lies unread; what was refused is told first (rules: a wave, to the letter box)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from register_deliveries import clean, deliver, member

from kakuninsho.operations import letter_box
from kakuninsho.settings import Settings

APRIL, JUNE, JULY = date(2025, 4, 30), date(2025, 6, 10), date(2025, 7, 30)


def told_of(settings: Settings, day: date) -> list[str]:
    """Warnings, but for those of the gates: the shares of three people are far from any usual ones."""
    return [line for line in letter_box.warnings(settings, day) if "に反しています" not in line]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = replace(
        Settings.from_environment(), data=tmp_path / "data", register=tmp_path / "register", keys=tmp_path / "keys"
    )
    deliver(made.register, as_of=APRIL)
    assert letter_box.land_unread(made, APRIL, "first") == [f"as_of={APRIL}"]
    return made


def test_a_delta_that_lies_complete_is_landed_before_a_plan_and_once(settings: Settings) -> None:
    deliver(settings.register, {**clean(1), "members": [member(1, protected="true")]}, as_of=JUNE, kind="delta")
    assert letter_box.land_unread(settings, date(2025, 6, 9), "early") == []
    assert letter_box.land_unread(settings, JUNE, "plan") == [f"as_of={JUNE}"]
    assert letter_box.land_unread(settings, JUNE, "again") == []
    assert told_of(settings, JUNE) == []


def test_a_drop_without_manifest_is_waited_for(settings: Settings) -> None:
    (deliver(settings.register, as_of=JUNE) / "manifest.json").unlink()
    assert letter_box.land_unread(settings, JUNE, "plan") == []


def test_a_refused_drop_stops_nothing_and_is_told_until_a_later_full_drop_has_landed(settings: Settings) -> None:
    folder = deliver(settings.register, as_of=JUNE, kind="delta")
    (folder / "members.csv").write_bytes(b"spoiled")
    assert letter_box.land_unread(settings, JUNE, "plan") == []
    (told,) = [line for line in letter_box.warnings(settings, JUNE) if "受け入れられていません" in line]
    assert str(JUNE) in told
    deliver(settings.register, as_of=JULY)
    assert letter_box.land_unread(settings, JULY, "later") == [f"as_of={JULY}"]
    assert told_of(settings, JULY) == []


def test_an_old_register_is_told_in_every_plan(settings: Settings) -> None:
    assert told_of(settings, date(2025, 5, 7)) == []
    (told,) = told_of(settings, date(2025, 5, 8))
    assert "8 日前" in told


def test_what_the_gates_said_of_the_newest_drops_is_told_in_every_plan_until_the_next_full_drop(
    settings: Settings,
) -> None:
    (usual,) = [line for line in letter_box.warnings(settings, APRIL) if "usable_share" in line]
    assert usual.startswith(f"{APRIL} の加入者データ my_number_cards: 「")
    deliver(settings.register, as_of=JULY)
    letter_box.land_unread(settings, JULY, "later")
    assert not [line for line in letter_box.warnings(settings, JULY) if str(APRIL) in line]
    assert [line for line in letter_box.warnings(settings, JULY) if str(JULY) in line]
