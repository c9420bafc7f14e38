"""Protection after the release, against the stand-in printer: pulled in time, and too late (rules: to the letter box).

Three branches of four households and two posting dates; in the third branch nothing happens.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from test_misbehaviour_season import HANDED_OFF, SNAPSHOT, Season, address, household, person

from kakuninsho.campaign.calendar import is_business_day
from kakuninsho.operations import planning, urgent_pulls, waves
from kakuninsho.replay.installation import running_sandbox
from kakuninsho.sandbox import control

pytestmark = pytest.mark.slow

ANSWERED = date(2025, 5, 19)
POSTED, LATER = date(2025, 8, 1), date(2025, 8, 8)
RELEASED, KNOWN_TOO_LATE = date(2025, 7, 31), date(2025, 8, 4)
SETTLED = date(2025, 8, 25)
HOUSEHOLDS = 4
IN_TIME, TOO_LATE, CALM = 1, 2, 3


def lot(branch: int) -> str:
    return f"fy2025-H-{branch:02d}-{POSTED:%Y%m%d}-01"


@pytest.fixture(scope="module", autouse=True)
def _two_posting_dates() -> Any:
    """The campaign with the same two Fridays for every branch."""
    from kakuninsho.campaign import load_campaign

    campaign = load_campaign()
    days = {"opens_on": POSTED, "closes_on": LATER, "posting_weekdays": "fri"}
    windows = tuple(type(window)(**dict(window) | days) for window in campaign.windows)
    moved = type(campaign)(**dict(campaign) | {"windows": windows})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kakuninsho.settings.load_campaign", lambda *_: moved)
        yield


def pull(season: Season, day: date, target: Any) -> bool:
    """What the DAG pull_pieces does on a day; whether there was anything to pull."""
    if not urgent_pulls.may_concern(season.settings, day):
        return False
    found = urgent_pulls.look(season.settings, day)
    if found is None:
        return False
    season.plan(urgent_pulls.wish_of(day, found), target)
    return True


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    season = Season(tmp_path_factory.mktemp("urgent"))
    branches = (IN_TIME, TOO_LATE, CALM)
    homes = [household(number, prefecture=branch) for branch in branches for number in range(1, HOUSEHOLDS + 1)]
    couple = person(household(1, prefecture=IN_TIME), 1)
    season.facts.register(SNAPSHOT, [*(person(key) for key in homes), couple], [address(key) for key in homes])
    with running_sandbox(season.outside, seed=7, arguments=tuple(season.arguments)) as outside:
        target = season.target(outside.port)

        def until(day: date, *, first: date) -> None:
            while first <= day:
                if is_business_day(first):
                    control.advance(season.outside, first)
                    season.take_in(first, target)
                first += timedelta(days=1)

        control.advance(season.outside, HANDED_OFF)
        season.plan(planning.home_wish(season.settings, HANDED_OFF), target)
        until(ANSWERED, first=ANSWERED)
        until(RELEASED, first=date(2025, 7, 30))
        season.plan(waves.release_wish(season.settings, RELEASED), target)
        assert not pull(season, RELEASED, target)
        # The evening before posting: a dependent is protected, the spouse's certificate lies in the same envelope.
        season.facts.register(RELEASED, [couple | {"protected": True}], kind="delta")
        assert pull(season, RELEASED, target)
        assert not pull(season, RELEASED, target)
        until(date(2025, 8, 1), first=POSTED)
        season.facts.register(KNOWN_TOO_LATE, [person(household(1, prefecture=TOO_LATE), protected=True)], kind="delta")
        # Posted on Friday, reported later: nobody knows on Monday morning.
        assert pull(season, KNOWN_TOO_LATE, target)
        season.publish(KNOWN_TOO_LATE)
        until(date(2025, 8, 7), first=KNOWN_TOO_LATE)
        season.plan(waves.release_wish(season.settings, date(2025, 8, 7)), target)
        until(SETTLED, first=LATER)
        season.publish(SETTLED)
        closed = {"member_key": household(1, prefecture=TOO_LATE) * 100, "decision": "incident_closed"}
        closed |= {"decided_on": SETTLED, "reason_code": "person_informed_and_safe"}
        for name in ("approver1", "approver2"):
            season.facts.feed("decisions", SETTLED, [closed | {"decided_by": name}])
        season.publish(date(2025, 8, 26))
    return season


def test_the_piece_that_was_pulled_in_time_never_left(season: Season) -> None:
    events = season.rows(
        f"""select event_type, count(distinct envelope_id) from marts.fct_mail_events
        where lot_id = '{lot(IN_TIME)}' and event_type <> 'returned' group by all order by all"""
    )
    assert events == [("posted", HOUSEHOLDS - 1), ("pulled", 1)]


def test_the_piece_that_was_protected_too_late_is_an_incident_that_two_people_close(season: Season) -> None:
    assert season.alerts[KNOWN_TOO_LATE]["protected_after_release"] == {lot(IN_TIME): 1, lot(TOO_LATE): 1}
    assert season.alerts[SETTLED]["protected_piece_posted"] == {lot(TOO_LATE): 1}
    assert season.ledger[SETTLED]["5d_pull_lists"] == (0, 1)
    assert season.alerts[SETTLED]["order_rejected"] == {"pv1_fy2025_urgent_20250804_01_1.csv": 1}
    assert "protected_piece_posted" not in season.alerts[date(2025, 8, 26)]
    assert season.ledger[date(2025, 8, 26)]["5d_pull_lists"] == (0, 0)


def test_the_spouse_is_planned_again_once_the_printer_has_confirmed_the_pull(season: Season) -> None:
    rows = season.rows(
        """select suffix, lot_id, status, reason_code from marts.fct_certificates
        where number = '1' and insurer_number like '0101%' order by suffix, lot_id"""
    )
    assert [row[:2] for row in rows] == [
        ("00", lot(IN_TIME)),
        ("00", f"fy2025-S-01-{LATER:%Y%m%d}-01"),
        ("01", lot(IN_TIME)),
    ]
    assert [row[3] for row in rows if row[2] == "pulled"] == ["packed_anew", "address_protected"]


def test_the_ledger_has_no_difference(season: Season) -> None:
    for day in (KNOWN_TOO_LATE, SETTLED):
        assert {stage: figures for stage, figures in season.ledger[day].items() if figures[0]} == {}
