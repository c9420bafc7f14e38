"""A refused or corrected drop stops no later drop, and is written down (rules: to the letter box; contracts: drops)."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest

from kakuninsho.operations import extraction
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.register.errors import RegisterDropError
from kakuninsho.settings import Settings

sys.path.insert(0, str(PROJECT_ROOT / "tests" / "unit" / "register"))
from register_deliveries import clean, csv_bytes, deliver, member, write_manifest

APRIL, MAY, DELTA, JUNE = date(2025, 4, 30), date(2025, 5, 31), date(2025, 6, 10), date(2025, 6, 30)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        tmp_path / "data",
        tmp_path / "register",
        tmp_path / "feeds",
        tmp_path / "keys",
        "fy2025",
    )


def extract(settings: Settings, day: date, run: str = "") -> list[str]:
    names = extraction.find(settings, day)
    extraction.stage(settings, names, day, run)
    extraction.judge(settings, names, day, run)
    return extraction.land(settings, names, day, run)


def spoil(folder: Path, kind: str = "full") -> None:
    (folder / "members.csv").write_bytes(csv_bytes([member(n, sex="x") for n in range(1, 8)]))
    write_manifest(folder, kind)


def test_a_refused_delta_stops_no_later_drop_and_a_full_one_supersedes_it(settings: Settings) -> None:
    deliver(settings.register, as_of=APRIL)
    spoil(deliver(settings.register, as_of=DELTA, kind="delta"), "delta")
    assert extract(settings, DELTA) == ["as_of=2025-04-30"]
    (refused,) = extraction.refused_drops(settings, DELTA)
    assert refused.as_of == DELTA
    assert "sex bad_code 7, first in row 1, 2, 3" in refused.reason
    assert extraction.unread_drops(settings, DELTA) == []
    assert extract(settings, DELTA) == []  # told once, looked at no more

    deliver(settings.register, as_of=JUNE)
    assert [drop.as_of for drop in extraction.unread_drops(settings, JUNE)] == [JUNE]
    assert extract(settings, JUNE) == ["as_of=2025-06-30"]
    assert extraction.refused_drops(settings, JUNE) == []
    assert extraction.unread_drops(settings, JUNE) == []


def test_a_refused_drop_that_is_delivered_right_is_landed(settings: Settings) -> None:
    deliver(settings.register, as_of=APRIL)
    folder = deliver(settings.register, as_of=DELTA, kind="delta")
    spoil(folder, "delta")
    extract(settings, DELTA)
    deliver(settings.register, as_of=DELTA, kind="delta")
    assert extract(settings, DELTA) == ["as_of=2025-06-10"]
    assert extraction.refused_drops(settings, DELTA) == []


def test_a_second_delivery_of_a_landed_day_is_told_and_the_newer_drop_is_landed(settings: Settings) -> None:
    deliver(settings.register, as_of=APRIL)
    extract(settings, APRIL)
    deliver(settings.register, clean(4), as_of=APRIL)
    assert extract(settings, APRIL) == []
    (told,) = extraction.refused_drops(settings, APRIL)
    assert told.reason.startswith("conflict: as_of=2025-04-30")
    deliver(settings.register, as_of=MAY)
    assert extract(settings, MAY) == ["as_of=2025-05-31"]
    assert extraction.refused_drops(settings, MAY) == []


def test_without_any_register_a_refusal_is_red(settings: Settings) -> None:
    spoil(deliver(settings.register, as_of=APRIL))
    with pytest.raises(RegisterDropError, match="no register has landed"):
        extract(settings, APRIL)
    assert [drop.as_of for drop in extraction.refused_drops(settings, APRIL)] == [APRIL]


def test_a_drop_older_than_a_landed_full_one_is_not_unread_but_the_campaigns_own_is_looked_for(
    settings: Settings,
) -> None:
    deliver(settings.register, as_of=JUNE)
    extract(settings, JUNE)
    deliver(settings.register, as_of=APRIL)
    deliver(settings.register, as_of=MAY)
    assert extraction.unread_drops(settings, JUNE) == []
    assert extract(settings, JUNE) == ["as_of=2025-04-30"]


def test_two_runs_do_not_clear_away_each_others_staging(settings: Settings) -> None:
    deliver(settings.register, as_of=APRIL)
    names = extraction.find(settings, APRIL)
    for run in ("one", "two"):
        extraction.stage(settings, names, APRIL, run)
    assert [extraction.land(settings, names, APRIL, run) for run in ("one", "two")] == [names, names]
