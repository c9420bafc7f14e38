"""One model says which lots are open, released, undone; what has nothing to do is not frozen and asks nobody."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from mailing_facts import HANDED_OFF, SNAPSHOT, Envelope, Lot, MailingFacts, address, household, person

from approvals_kit import approve
from kakuninsho.operations import planning, previews, waves
from kakuninsho.plans.draft import Draft, PlanRequest, StopWish, candidate_path
from kakuninsho.printer.transfer import land_stopped
from kakuninsho.settings import Settings

POSTED, STOPPED, ANSWERED = date(2025, 10, 10), date(2025, 10, 8), date(2025, 10, 9)
LOT = Lot("fy2025-H-18-20251010-01", POSTED, [Envelope([household(1) * 100])])


def nothing(settings: Settings, wish: PlanRequest) -> str | None:
    """Draft a wish, as its tasks do, and ask whether there is anything to do."""
    wish = planning.check(settings, wish)
    planning.draft(settings, wish)
    reason = planning.nothing_to_do(settings, wish)
    if reason:  # a dry run shows it
        totals = Draft.read(candidate_path(settings.store, wish.plan_id)).totals
        report = previews.of_plan(settings, wish, totals, [reason], branch=None, before={})
        assert reason in previews.write(settings, report).with_suffix(".md").read_text(encoding="utf-8")
    return reason


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path, tmp_path, tmp_path, tmp_path / "keys", "fy2025")


@pytest.fixture
def facts(settings: Settings) -> MailingFacts:
    made = MailingFacts(settings.data)
    made.register(SNAPSHOT, [person(household(1))], [address(household(1))])
    made.plan("home-2025-04-30", "home", HANDED_OFF, [LOT])
    return made


def destroy(settings: Settings, facts: MailingFacts, answer: str) -> None:
    """Order the lot's destruction; the printer answers the order."""
    wish = planning.check(settings, PlanRequest("stop", STOPPED, stop=StopWish("destroy", "disaster", prefecture=18)))
    planning.draft(settings, wish)
    planning.judge(settings, wish)
    plan_id = planning.freeze(settings, wish)
    planning.write_files(settings, plan_id)
    approve(settings, plan_id, STOPPED)
    (order,) = planning.clear_files(settings, plan_id)
    land_stopped(facts.store, order, [LOT.lot_id], plan_id, STOPPED)
    row = {"file_name": order.name, "lot_id": None, "result": answer, "acknowledged_on": ANSWERED}
    facts.feed("acknowledgements", ANSWERED, [row | {"reason_code": "too_late" if answer == "rejected" else None}])


def test_a_destruction_that_came_too_late_leaves_nothing_to_send_again(settings: Settings, facts: MailingFacts) -> None:
    destroy(settings, facts, "rejected")
    for days in range(3):  # again and again
        wish = waves.hand_off_wish(settings, ANSWERED + timedelta(days=days))
        assert wish.kind == "resend"
        assert nothing(settings, wish) == "作り直して送るロットはありません (no lot to send again)"
    assert [plan.name[:15] for plan in settings.store.all("plans")] == ["home-2025-04-30", "stop-2025-10-08"]


def test_a_destruction_that_was_carried_out_is_sent_again(settings: Settings, facts: MailingFacts) -> None:
    destroy(settings, facts, "accepted")
    assert nothing(settings, waves.hand_off_wish(settings, ANSWERED)) is None


def test_a_release_has_something_to_do_until_its_lots_are_released(settings: Settings, facts: MailingFacts) -> None:
    facts.acknowledge([LOT], STOPPED)
    assert nothing(settings, waves.release_wish(settings, ANSWERED, POSTED)) is None
    released = [{"lot_id": LOT.lot_id, "posting_date": POSTED, "is_released": True}]
    facts.plan("release-2025-10-10", "release", ANSWERED, release_lots=released, posting_date=POSTED)
    # Found again, it is gone on with; another posting date has nothing.
    assert nothing(settings, waves.release_wish(settings, ANSWERED, POSTED)) is None
    later = waves.release_wish(settings, POSTED, date(2025, 10, 14))
    assert nothing(settings, later) == "この差出日に差し出すロットはありません (no lot to release)"


def test_the_first_plan_is_handed_over_until_all_of_it_is_sent(tmp_path: Path, settings: Settings) -> None:
    facts = MailingFacts(tmp_path)
    facts.register(SNAPSHOT, [person(household(1))], [address(household(1))])
    assert waves.hand_off_wish(settings, HANDED_OFF).kind == "home"
    facts.plan("home-2025-04-30", "home", HANDED_OFF, [LOT], sent=False)
    assert waves.hand_off_wish(settings, HANDED_OFF).kind == "home"
    facts.send([LOT], "home-2025-04-30", HANDED_OFF)
    assert waves.hand_off_wish(settings, HANDED_OFF).kind == "resend"
    # Once a later day has been acted upon, the run of that day finds its own plan again.
    facts.plan("employer-list-2025-06-16", "employer_list", date(2025, 6, 16))
    assert waves.hand_off_wish(settings, HANDED_OFF).kind == "home"
    assert waves.hand_off_wish(settings, date(2025, 6, 17)).kind == "resend"
