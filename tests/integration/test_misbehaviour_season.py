"""A printer that misbehaves in every way the sandbox knows, at once, each in a branch of its own.

A season of one posting date is played with the functions that the DAGs call, against a real sandbox. What the pipeline
says and which identity of the ledger names the discrepancy is held here; docs/misbehaviour.md is the table for readers.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from approvals_kit import approve
from kakuninsho.campaign.calendar import is_business_day
from kakuninsho.operations import answers, planning, publishing, waves
from kakuninsho.plans.draft import PlanRequest
from kakuninsho.printer.transfer import HostKeyError, SftpTarget
from kakuninsho.replay.installation import host_key, prepare, running_sandbox
from kakuninsho.sandbox import control
from kakuninsho.sandbox.misbehave import DEFAULT_COUNTS
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published

sys.path.insert(0, str(Path(__file__).parents[1] / "dbt"))
from mailing_facts import SNAPSHOT, MailingFacts, address, household, person

pytestmark = pytest.mark.slow

ANSWERED, SENT_AGAIN = date(2025, 5, 19), date(2025, 5, 20)
HANDED_OFF, RELEASED, POSTED = date(2025, 5, 15), date(2025, 7, 31), date(2025, 8, 1)
DUE = date(2025, 8, 18)  # more than 14 days after posting: every report should be there
SETTLED = date(2025, 9, 12)
HOUSEHOLDS = 8  # a branch
# A branch for each misbehaviour that strikes lots or pieces: prefecture by name.
BRANCH = {
    "reject_lot": 1,
    "silent_ack": 2,
    "wrong_ack_counts": 3,
    "drop_piece_report": 4,
    "duplicate_report": 5,
    "unknown_piece": 6,
    "post_pulled": 7,
    "unconfirmed_pull": 8,
    "spoil_without_replacement": 9,
    "late_report": 10,
    "post_unreleased": 11,
    "unknown_return_reason": 12,
}
CALM = 13  # nothing happens to this one
RATES = {"spoiled": 0.0, "returned_home": 0.4, "returned_very_late": 0.0, "reported_late": 0.0}

# Return reports that cannot be taken in, by the part of their name that the sandbox is told.
REFUSED = {
    "wrong_signature": "_return_20250814",
    "unsigned_answer": "_return_20250815",
    "truncated_answer": "_return_20250818",
}


def lot(name: str) -> str:
    """The lot of a misbehaviour's branch."""
    return f"fy2025-H-{BRANCH.get(name, CALM):02d}-{POSTED:%Y%m%d}-01"


MISBEHAVIOURS = [
    *(f"{name}:lot={lot(name)}" for name in BRANCH if name != "post_unreleased"),
    f"silent_ack:lot={lot('post_unreleased')}",  # the pipeline does not release what is not acknowledged …
    f"post_unreleased:lot={lot('post_unreleased')}",  # … and the printer posts it all the same
    "resend_changed_report:count=1,lot=_piece_",
    *(f"{name}:lot={day}" for name, day in REFUSED.items()),
]


class Season:
    """One installation, its sandbox, and what the pipeline said."""

    def __init__(self, folder: Path, *misbehaviours: str) -> None:
        self.outside = folder / "data" / "outside"
        self.settings = Settings(
            data=folder / "data",
            register=self.outside / "core" / "register",
            feeds=self.outside / "core" / "feeds",
            keys=folder / "data" / "keys",
            campaign_name="fy2025",
        )
        prepare(self.settings, self.outside)
        self.facts = MailingFacts(self.settings.data)
        self.misbehaviours = misbehaviours
        self.alerts: dict[date, dict[str, dict[str, int]]] = {}
        self.ledger: dict[date, dict[str, tuple[int, int]]] = {}
        rates = folder / "rates.json"
        rates.write_text(json.dumps(RATES))
        self.arguments = ["--acknowledge", "daily", "--start", f"{SNAPSHOT}", "--rates", str(rates)]
        for name in misbehaviours:
            self.arguments += ["--misbehave", name]

    def target(self, port: int) -> SftpTarget:
        keys = self.settings.keys
        return SftpTarget("127.0.0.1", port, "insurer", keys / "insurer_ssh", host_key(self.settings))

    def plan(self, wish: PlanRequest, target: SftpTarget) -> str:
        """Draft, judge, freeze, approve and send a plan, as the tasks of a DAG do."""
        wish = planning.check(self.settings, wish)
        planning.draft(self.settings, wish)
        planning.judge(self.settings, wish)
        plan_id = planning.freeze(self.settings, wish)
        planning.write_files(self.settings, plan_id)
        approve(self.settings, plan_id, wish.as_of)
        planning.send_plan(self.settings, plan_id, target, wish.as_of)
        return plan_id

    def nothing_to_do(self, wish: PlanRequest) -> str | None:
        """Draft a wish, as its tasks do, and ask whether there is anything to do."""
        wish = planning.check(self.settings, wish)
        planning.draft(self.settings, wish)
        return planning.nothing_to_do(self.settings, wish)

    def take_in(self, day: date, target: SftpTarget) -> None:
        files = answers.fetch(self.settings, target, day)
        if files:
            answers.judge_and_stage(self.settings, files, self.settings.data / "inbox", day)
            answers.land(self.settings, files, day)

    def publish(self, day: date) -> None:
        publishing.publish(self.settings, day)
        with published(self.settings.data) as connection:
            rows = connection.execute("select alert_code, subject, count from marts.fct_alerts").fetchall()
            found: dict[str, dict[str, int]] = {}
            for code, subject, count in rows:
                found.setdefault(code, {})[subject] = count
            self.alerts[day] = found
            rows = connection.execute("select stage, difference, open_count from marts.fct_ledger").fetchall()
            self.ledger[day] = {stage: (difference, waiting) for stage, difference, waiting in rows}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with published(self.settings.data) as connection:
            return list(connection.execute(query).fetchall())


def play(season: Season) -> Season:
    """Hand over in May, release for one posting date, take reports in each working day until the returns are in."""
    branches = range(1, CALM + 1)
    homes = [household(number, prefecture=branch) for branch in branches for number in range(1, HOUSEHOLDS + 1)]
    season.facts.register(SNAPSHOT, [person(key) for key in homes], [address(key) for key in homes])
    # One household of every branch leaves before posting: it is pulled.
    leavers = [person(household(1, prefecture=branch), lost_on=RELEASED) for branch in branches]
    with running_sandbox(season.outside, seed=7, arguments=tuple(season.arguments)) as outside:
        target = season.target(outside.port)
        control.advance(season.outside, HANDED_OFF)
        season.plan(planning.home_wish(season.settings, HANDED_OFF), target)
        control.advance(season.outside, ANSWERED)
        season.take_in(ANSWERED, target)
        season.publish(ANSWERED)
        season.plan(waves.hand_off_wish(season.settings, SENT_AGAIN), target)
        control.advance(season.outside, date(2025, 5, 26))
        season.take_in(date(2025, 5, 26), target)
        assert season.nothing_to_do(waves.hand_off_wish(season.settings, date(2025, 5, 26)))
        season.facts.register(date(2025, 7, 30), leavers, kind="delta")
        control.advance(season.outside, RELEASED)
        season.plan(waves.release_wish(season.settings, RELEASED), target)
        day = POSTED
        while day <= SETTLED:
            if is_business_day(day):
                control.advance(season.outside, day)
                season.take_in(day, target)
            if day in {DUE, SETTLED}:
                season.publish(day)
            day += timedelta(days=1)
    return season


@pytest.fixture(scope="module", autouse=True)
def _one_posting_date(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The campaign with every branch's window on one day."""
    from kakuninsho.campaign import load_campaign

    campaign = load_campaign()
    day = {"opens_on": POSTED, "closes_on": POSTED, "posting_weekdays": "fri"}
    windows = tuple(type(window)(**dict(window) | day) for window in campaign.windows)
    moved = type(campaign)(**dict(campaign) | {"windows": windows})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kakuninsho.settings.load_campaign", lambda *_: moved)
        yield


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Season:
    return play(Season(tmp_path_factory.mktemp("bad"), *MISBEHAVIOURS))


# What is said on the day when every report should be there, and for good.
SAID_FOR_GOOD = {
    "lot_unacknowledged": {lot("silent_ack"): 1, lot("post_unreleased"): 1},
    "lot_withheld": {lot("silent_ack"): HOUSEHOLDS},
    "deadline_at_risk": {"no_posting_date": HOUSEHOLDS},  # the same lot: no posting date is left for it
    "acknowledged_count_differs": {lot("wrong_ack_counts"): 1},
    "pieces_unreported": {lot("drop_piece_report"): 1, lot("unconfirmed_pull"): 1},
    "spoiled_without_replacement": {lot("spoil_without_replacement"): 1},
    "pull_unconfirmed": {lot("unconfirmed_pull"): 1},
    "pulled_piece_posted": {lot("post_pulled"): 1},
    "piece_unknown": {"no lot": 1},
    "posted_without_release": {lot("post_unreleased"): HOUSEHOLDS},
    "feed_rows_rejected": {"return_reports": 1},
}
LATE = lot("late_report")


def without_refusals(alerts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {code: subjects for code, subjects in alerts.items() if code != "answer_refused"}


def test_each_misbehaviour_is_said_by_code_and_lot(bad: Season) -> None:
    # The piece whose report was left out has come back meanwhile.
    returned = {"returned_without_posting": {lot("drop_piece_report"): 1}}
    assert without_refusals(bad.alerts[SETTLED]) == SAID_FOR_GOOD | returned


def test_a_rejected_lot_is_said_and_sent_again_under_new_numbers(bad: Season) -> None:
    assert bad.alerts[ANSWERED]["lot_rejected"] == {lot("reject_lot"): HOUSEHOLDS}
    again = lot("reject_lot").removesuffix("01") + "02"
    lots = bad.rows(f"select lot_id, status from marts.fct_lots where lot_id like '{again[:-2]}%' order by lot_id")
    assert lots == [(lot("reject_lot"), "replaced"), (again, "posted")]
    envelopes = bad.rows(
        f"""select before.status, replacement.status, count(*), count(distinct replacement.envelope_id)
        from marts.fct_envelopes as before
        left join marts.fct_envelopes as replacement on replacement.replaces_envelope_id = before.envelope_id
        where before.lot_id = '{lot("reject_lot")}' group by all order by all"""
    )
    assert envelopes == [("replaced", "live", 7, 7), ("replaced", "pulled", 1, 1)]
    twice = "select member_key from marts.fct_certificates where is_live group by all having count(*) > 1"
    assert bad.rows(twice.replace("member_key", "insurer_number, symbol, number, suffix")) == []


def test_a_report_that_is_only_late_is_missing_until_it_comes(bad: Season) -> None:
    also = {"report_missing": {LATE: HOUSEHOLDS}, "pull_unconfirmed": SAID_FOR_GOOD["pull_unconfirmed"] | {LATE: 1}}
    assert without_refusals(bad.alerts[DUE]) == SAID_FOR_GOOD | also


def test_answers_that_cannot_be_taken_in_are_said_by_file(bad: Season) -> None:
    refused = bad.alerts[SETTLED]["answer_refused"]
    assert set(refused.values()) == {1}
    parts = sorted("_".join(name.split("_")[1:4]) for name in refused)
    assert parts == ["fy2025_piece_20250804", *(f"fy2025{day}" for day in sorted(REFUSED.values()))]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (REFUSED["wrong_signature"], "no valid signature"),
        (REFUSED["unsigned_answer"], "no valid signature"),
        (REFUSED["truncated_answer"], "not the sealed file of its manifest"),
        ("_piece_20250804", "landed before with other content (name_conflict)"),
    ],
)
def test_a_refusal_says_why_in_words(bad: Season, part: str, reason: str) -> None:
    rows = [pq.read_table(fact.table("refusals")).to_pylist()[0] for fact in bad.settings.store.all("refusals")]
    (row,) = [row for row in rows if part in row["file_name"]]
    assert reason in row["reason"]


def test_a_changed_report_under_the_same_name_changes_nothing(bad: Season) -> None:
    rows = bad.rows("select occurred_on, count(*) from marts.fct_mail_events where event_type = 'posted' group by all")
    assert [day for day, _ in rows] == [POSTED]


def test_a_report_that_comes_twice_counts_once(bad: Season) -> None:
    events = Counter(
        bad.rows(
            f"""select event_type from marts.fct_mail_events
            where lot_id = '{lot("duplicate_report")}' and event_type <> 'returned'"""
        )
    )
    assert events == {("posted",): HOUSEHOLDS - 1, ("pulled",): 1}


def test_the_branch_that_nothing_happens_to_is_not_spoken_of(bad: Season) -> None:
    spoken_of = {subject for alerts in bad.alerts.values() for subjects in alerts.values() for subject in subjects}
    assert lot("calm") not in spoken_of
    assert lot("duplicate_report") not in spoken_of


def test_the_ledger_names_each_discrepancy_in_its_own_identity(bad: Season) -> None:
    named = {stage: figures for stage, figures in bad.ledger[SETTLED].items() if figures[0]}
    assert named == {
        "4_transfers": (-1, 2 * (HOUSEHOLDS + 2)),  # one counted too many; two lots unanswered
        "5_pieces": (2, 0),  # a report left out, a pull not confirmed
        "5b_reprints": (1, 0),  # a spoiled piece without its replacement
        "5d_pull_lists": (1, 0),  # a pulled piece posted
    }


def test_a_late_report_is_open_and_no_difference(bad: Season) -> None:
    assert bad.ledger[DUE]["5_pieces"] == (2, HOUSEHOLDS)
    assert bad.ledger[DUE]["5c_samples"] == (0, 2)


def test_lots_that_may_not_leave_were_not_released(bad: Season) -> None:
    released = dict(bad.rows("select lot_id, status from marts.fct_lots"))
    assert released[lot("silent_ack")] == "withheld"
    plan = bad.settings.store.get("plans", f"release-{POSTED}")
    rows = pq.read_table(plan.table("release_lots")).to_pylist()
    assert {row["lot_id"]: row["withheld_reason_code"] for row in rows if not row["is_released"]} == {
        lot("silent_ack"): "not_acknowledged",
        lot("post_unreleased"): "not_acknowledged",
    }


def test_another_host_key_ends_it_before_anything_is_fetched(tmp_path: Path) -> None:
    season = Season(tmp_path, "changed_host_key")
    with (
        running_sandbox(season.outside, seed=7, arguments=tuple(season.arguments)) as outside,
        pytest.raises(HostKeyError, match="does not show the pinned host key"),
    ):
        answers.fetch(season.settings, season.target(outside.port), HANDED_OFF)


def test_every_misbehaviour_of_the_sandbox_is_in_the_table() -> None:
    document = (Path(__file__).parents[2] / "docs" / "misbehaviour.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)`", document, re.MULTILINE) == list(DEFAULT_COUNTS)
