"""A stop order at each stage of a lot, against the stand-in printer: before the release, before posting, too late.

Four branches of four households, two posting dates. Nothing spoils; some of it comes back, which changes nothing here.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from test_misbehaviour_season import HANDED_OFF, SNAPSHOT, Season, address, household, person

from kakuninsho.campaign.calendar import is_business_day
from kakuninsho.operations import planning, waves
from kakuninsho.plans.draft import PlanError, PlanRequest, StopWish
from kakuninsho.replay.installation import running_sandbox
from kakuninsho.sandbox import control

pytestmark = pytest.mark.slow

ANSWERED = date(2025, 5, 19)
POSTED, LATER = date(2025, 8, 1), date(2025, 8, 8)
SETTLED = date(2025, 8, 25)
HOUSEHOLDS = 4
BEFORE_RELEASE, BEFORE_POSTING, TOO_LATE, CALM = 1, 2, 3, 4


def lot(branch: int, number: int = 1) -> str:
    return f"fy2025-H-{branch:02d}-{POSTED:%Y%m%d}-{number:02d}"


def stop(day: date, effect: str, branch: int, reason: str = "wrong_content") -> PlanRequest:
    return PlanRequest("stop", day, stop=StopWish(effect, reason, prefecture=branch))


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


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Season:
    return play(Season(tmp_path_factory.mktemp("stopped")))


def play(season: Season) -> Season:
    branches = (BEFORE_RELEASE, BEFORE_POSTING, TOO_LATE, CALM)
    homes = [household(number, prefecture=branch) for branch in branches for number in range(1, HOUSEHOLDS + 1)]
    season.facts.register(SNAPSHOT, [person(key) for key in homes], [address(key) for key in homes])
    leaver = household(1, prefecture=BEFORE_POSTING)  # pulled by the release that the stop order ends
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
        season.plan(stop(date(2025, 5, 20), "hold", BEFORE_RELEASE), target)
        season.facts.register(date(2025, 7, 30), [person(leaver, lost_on=POSTED)], kind="delta")
        until(date(2025, 7, 31), first=date(2025, 7, 30))
        season.plan(waves.release_wish(season.settings, date(2025, 7, 31)), target)
        season.plan(stop(date(2025, 7, 31), "hold", BEFORE_POSTING), target)
        control.advance(season.outside, POSTED)
        control.advance(season.outside, date(2025, 8, 4))
        season.publish(date(2025, 8, 4))
        # Its pieces are posted, and their report has not been taken in yet.
        season.plan(stop(date(2025, 8, 4), "hold", TOO_LATE), target)
        season.plan(stop(date(2025, 8, 5), "destroy", BEFORE_POSTING), target)
        season.plan(stop(date(2025, 8, 5), "resume", BEFORE_RELEASE, "cleared"), target)
        until(date(2025, 8, 6), first=date(2025, 8, 5))
        with pytest.raises(PlanError, match=r"hold would have no effect \(1 posted\)"):
            season.plan(stop(date(2025, 8, 6), "hold", TOO_LATE), target)
        with pytest.raises(PlanError, match=r"resume would have no effect \(no lot fits\)"):
            season.plan(stop(date(2025, 8, 6), "resume", 47), target)
        season.publish(date(2025, 8, 6))
        again = waves.hand_off_wish(season.settings, date(2025, 8, 6))
        assert again.kind == "resend"
        season.plan(again, target)
        assert waves.hand_off_wish(season.settings, date(2025, 8, 6)) == again
        assert season.nothing_to_do(waves.hand_off_wish(season.settings, date(2025, 8, 7)))
        until(date(2025, 8, 7), first=date(2025, 8, 7))
        season.plan(waves.release_wish(season.settings, date(2025, 8, 7)), target)
        until(SETTLED, first=LATER)
        season.publish(SETTLED)
    return season


def statuses(season: Season) -> dict[str, str]:
    return dict(season.rows("select lot_id, status from marts.fct_lots"))


def test_a_lot_held_before_its_release_waits_and_is_released_again_after_it_is_resumed(season: Season) -> None:
    released = {
        (plan, row["lot_id"]): row["withheld_reason_code"]
        for plan in (f"release-{POSTED}", f"release-{LATER}")
        for row in pq.read_table(season.settings.store.get("plans", plan).table("release_lots")).to_pylist()
    }
    assert released[f"release-{POSTED}", lot(BEFORE_RELEASE)] == "lot_stopped"
    assert released[f"release-{LATER}", lot(BEFORE_RELEASE)] is None
    assert season.rows(
        "select distinct occurred_on from marts.fct_mail_events"
        f" where lot_id = '{lot(BEFORE_RELEASE)}' and event_type <> 'returned'"
    ) == [(LATER,)]


def test_a_lot_held_after_its_release_is_kept_back_and_named_in_the_ledger(season: Season) -> None:
    day = date(2025, 8, 4)
    assert season.alerts[day]["lot_stopped"] == {lot(BEFORE_RELEASE): HOUSEHOLDS, lot(BEFORE_POSTING): HOUSEHOLDS}
    assert season.ledger[day]["5e_stopped"] == (0, 2 * HOUSEHOLDS)
    assert season.ledger[day]["5_pieces"][0] == 0


def test_a_destroyed_lot_is_reported_pulled_and_sent_again_under_a_new_number(season: Season) -> None:
    assert season.alerts[date(2025, 8, 6)]["lot_destroyed"] == {lot(BEFORE_POSTING): HOUSEHOLDS}
    assert "pulled_without_list" not in season.alerts[date(2025, 8, 6)]
    found = statuses(season)
    assert (found[lot(BEFORE_POSTING)], found[lot(BEFORE_POSTING, 2)]) == ("replaced", "posted")
    envelopes = season.rows(
        f"""select lot_id, status, status_reason_code, count(*) from marts.fct_envelopes
        where lot_id in ('{lot(BEFORE_POSTING)}', '{lot(BEFORE_POSTING, 2)}') group by all order by all"""
    )
    assert envelopes == [
        (lot(BEFORE_POSTING), "pulled", "pull_listed", 1),  # the one that left before posting stays pulled
        (lot(BEFORE_POSTING), "replaced", "lot_destroyed", HOUSEHOLDS - 1),
        (lot(BEFORE_POSTING, 2), "live", None, HOUSEHOLDS - 1),
    ]


def test_an_order_that_comes_too_late_has_no_effect_and_that_is_said(season: Season) -> None:
    assert statuses(season)[lot(TOO_LATE)] == "posted"
    assert season.alerts[SETTLED]["order_rejected"] == {"pv1_fy2025_stop_20250804_01_1.csv": 1}
    assert not {"posted_without_release", "stopped_piece_posted"} & set(season.alerts[SETTLED])


def test_each_order_is_sealed_sent_and_recorded_for_its_lots(season: Season) -> None:
    rows = [
        (fact.name, pq.read_table(fact.table("transfers")).to_pylist()[0]["lot_id"])
        for fact in season.settings.store.all("transfers")
        if fact.name.endswith("--stopped")
    ]
    assert rows == [
        ("pv1_fy2025_stop_20250520_01_1.csv--stopped", lot(BEFORE_RELEASE)),
        ("pv1_fy2025_stop_20250731_01_1.csv--stopped", lot(BEFORE_POSTING)),
        ("pv1_fy2025_stop_20250804_01_1.csv--stopped", lot(TOO_LATE)),
        ("pv1_fy2025_stop_20250805_01_1.csv--stopped", lot(BEFORE_POSTING)),
        ("pv1_fy2025_stop_20250805_02_1.csv--stopped", lot(BEFORE_RELEASE)),
    ]


def test_everybody_is_served_once_and_the_ledger_closes(season: Season) -> None:
    live = season.rows("select count(*), count(distinct symbol || number) from marts.fct_certificates where is_live")
    assert season.rows("select count(*) from marts.fct_certificates where is_live") == [(4 * HOUSEHOLDS - 1,)]
    assert live[0][0] == 4 * HOUSEHOLDS - 1
    assert {stage: figures for stage, figures in season.ledger[SETTLED].items() if figures[0]} == {}
    assert season.ledger[SETTLED]["5e_stopped"] == (0, 0)
