"""Every task of the DAGs that plan, send, take in or publish is run twice in a row: the second time changes nothing.

The functions are those that the tasks call, against a real stand-in printer. What lies under `facts/` and at the
printer is compared by name and bytes; a draft by its bytes too, because nothing of it is a fact yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeVar

import pytest
from test_misbehaviour_season import HANDED_OFF, SNAPSHOT, Season, address, household, person

from approvals_kit import approve
from kakuninsho.campaign.calendar import is_business_day
from kakuninsho.operations import answers, closing, planning, publishing, retention, waves
from kakuninsho.plans.draft import PlanRequest, StopWish
from kakuninsho.printer.transfer import SftpTarget
from kakuninsho.replay.installation import running_sandbox
from kakuninsho.sandbox import control

pytestmark = pytest.mark.slow

LISTED, RELEASED, POSTED = date(2025, 6, 16), date(2025, 7, 31), date(2025, 8, 1)
REPORTED, FOLLOWED_UP, ASKED = date(2025, 8, 8), date(2025, 9, 1), date(2025, 9, 19)
T = TypeVar("T")


class Twice(Season):
    """A season whose every step is done twice; `steps` says which."""

    steps: list[str]

    def state(self) -> dict[str, str]:
        """Every file that must not change: facts, drafts, what lies at the printer."""
        data = self.settings.data
        folders = (data / "facts", data / "candidates", self.outside / "sftp" / "to_printer")
        files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}

    def twice(self, name: str, work: Callable[[], T]) -> T:
        """Do it, and do it again: the same answer, and the same files."""
        first = work()
        before = self.state()
        assert work() == first, name
        after = self.state()
        assert {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} == set(), name
        self.steps.append(name)
        return first

    def plan(self, wish: PlanRequest, target: SftpTarget) -> str:
        settings, kind = self.settings, wish.kind
        checked = self.twice(f"{kind}: check", lambda: planning.check(settings, wish))
        self.twice(f"{kind}: draft", lambda: planning.draft(settings, checked))
        self.twice(f"{kind}: judge", lambda: planning.judge(settings, checked))
        plan_id = self.twice(f"{kind}: freeze", lambda: planning.freeze(settings, checked))
        self.twice(f"{kind}: write", lambda: planning.write_files(settings, plan_id))
        self.twice(f"{kind}: approve", lambda: approve(settings, plan_id, wish.as_of))
        self.twice(f"{kind}: send", lambda: planning.send_plan(settings, plan_id, target, wish.as_of))
        assert self.twice(f"{kind}: draft of a frozen plan", lambda: planning.freeze(settings, checked)) == plan_id
        return plan_id

    def take_in(self, day: date, target: SftpTarget) -> None:
        inbox = self.settings.data / "inbox"
        files = self.twice("take in: fetch", lambda: answers.fetch(self.settings, target, day))
        if files:
            self.twice("take in: judge", lambda: answers.judge_and_stage(self.settings, files, inbox, day))
            answers.land(self.settings, files, day)
            before = self.state()
            # What has landed is no longer staged: the task is run again from the fetch on, and finds nothing new.
            assert answers.fetch(self.settings, target, day) == []
            assert self.state() == before
            self.steps.append("take in: land")


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    from kakuninsho.campaign import load_campaign

    campaign = load_campaign()
    days = {"opens_on": POSTED, "closes_on": POSTED, "posting_weekdays": "fri"}
    windows = tuple(type(window)(**dict(window) | days) for window in campaign.windows)
    moved = type(campaign)(**dict(campaign) | {"windows": windows})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kakuninsho.settings.load_campaign", lambda *_: moved)
        return play(Twice(tmp_path_factory.mktemp("twice")))


def play(season: Twice) -> Twice:
    season.steps = []
    homes = [household(number, prefecture=branch) for branch in (1, 2) for number in range(1, 7)]
    employers = [
        {"employer_key": key, "name": "株式会社みほん", "postal_code": "9100005", "address": "福井県福井市大手３丁目１"}
        for key in sorted({home // 10_000_000 for home in homes})
    ]
    season.facts.register(
        SNAPSHOT, [person(key) for key in homes], [address(key) for key in homes], employers=employers
    )
    with running_sandbox(season.outside, seed=7, arguments=tuple(season.arguments)) as outside:
        target = season.target(outside.port)

        def reach(day: date, *, first: date) -> None:
            while first <= day:
                if is_business_day(first):
                    control.advance(season.outside, first)
                first += timedelta(days=1)
            season.take_in(day, target)

        control.advance(season.outside, HANDED_OFF)
        season.plan(planning.home_wish(season.settings, HANDED_OFF), target)
        reach(date(2025, 5, 19), first=date(2025, 5, 16))
        season.plan(PlanRequest("employer_list", LISTED, run_on=LISTED), target)
        reach(RELEASED, first=LISTED)
        season.plan(waves.release_wish(season.settings, RELEASED), target)
        season.plan(PlanRequest("stop", RELEASED, stop=StopWish("hold", "disaster", prefecture=2)), target)
        reach(REPORTED, first=POSTED)
        reach(date(2025, 8, 29), first=date(2025, 8, 11))
        season.plan(PlanRequest("follow_up", FOLLOWED_UP, run_on=FOLLOWED_UP), target)
        season.plan(planning.request_wish(ASKED), target)
        season.twice("publish", lambda: (publishing.publish(season.settings, ASKED), None)[1])
        season.twice("delete", lambda: retention.delete(season.settings, retention.expired(season.settings, ASKED)))
    return season


def test_every_task_of_every_kind_of_plan_was_done_twice(season: Twice) -> None:
    tasks = ("check", "draft", "judge", "freeze", "write", "approve", "send")
    kinds = ("home", "employer_list", "release", "stop", "follow_up", "request")
    assert {f"{kind}: {task}" for kind in kinds for task in tasks} <= set(season.steps)
    assert {"take in: fetch", "take in: judge", "take in: land", "publish", "delete"} <= set(season.steps)


def test_nothing_lies_at_the_printer_twice(season: Twice) -> None:
    folder = season.outside / "sftp" / "to_printer"
    names = sorted(path.name for path in folder.glob("*.csv.pgp"))
    sealed = sorted(
        path.name.removesuffix("--sealed") + ".pgp"
        for path in (season.settings.data / "facts" / "transfers").iterdir()
        if path.name.endswith("--sealed")
    )
    assert names == sealed
    assert not list(folder.glob("*.part"))


def test_closing_twice_says_the_same_and_plans_once(season: Twice) -> None:
    """A held lot keeps the season open: said alike both times, with one plan for the returns that were left."""
    served_by = season.settings.campaign.parameters.served_by
    words = []
    for _ in range(2):
        with pytest.raises(closing.SeasonOpenError) as refused:
            closing.close_season(season.settings, served_by)
        words.append(str(refused.value))
    assert words[0] == words[1]
    assert "5e_stopped" in words[0]
    plans = [plan.name for plan in season.settings.store.all("plans") if plan.name.startswith("follow-up-")]
    assert plans == [f"follow-up-{FOLLOWED_UP}", f"follow-up-{served_by}"]
