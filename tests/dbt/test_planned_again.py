"""What went to employers and was rejected by the printer is taken up by the next run of its kind, judged afresh."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow.parquet as pq
import pytest
from mailing_facts import HANDED_OFF, SNAPSHOT, Envelope, Lot, MailingFacts, Row, address, household, person

from kakuninsho.operations import planning
from kakuninsho.plans.draft import PlanRequest
from kakuninsho.settings import Settings

pytestmark = pytest.mark.slow

A, B = household(1), household(2, symbol=7654321)  # two employers
HOME = "fy2025-H-18-20250710-01"
POSTED, RETURNED = date(2025, 7, 10), date(2025, 7, 20)
LISTED, LISTED_AGAIN = date(2025, 6, 16), date(2025, 6, 23)
FOLLOWED_UP, FOLLOWED_UP_AGAIN = date(2025, 8, 1), date(2025, 9, 1)


def employer(household_key: int) -> Row:
    return {
        "employer_key": household_key // 10_000_000,
        "name": "株式会社みほん",
        "postal_code": "9100005",
        "address": "福井県福井市大手３丁目１",
    }


@dataclass
class Played:
    facts: MailingFacts
    settings: Settings
    rows_of_third_list: int

    def plan(self, kind: str, day: date) -> tuple[str, dict[str, Any]]:
        """Draft, judge and freeze a plan."""
        wish = planning.check(self.settings, PlanRequest(kind, day, run_on=day))
        totals = planning.draft(self.settings, wish)
        planning.judge(self.settings, wish)
        return planning.freeze(self.settings, wish), totals

    def table(self, plan_id: str, name: str) -> list[Row]:
        rows: list[Row] = pq.read_table(self.facts.store.get("plans", plan_id).table(name)).to_pylist()
        return rows

    def send(self, plan_id: str, day: date, result: str) -> None:
        """Approve and send a plan, and let the printer answer."""
        lots = [
            Lot(row["lot_id"], row["posting_date"], [Envelope([])] * row["envelope_count"])
            for row in self.table(plan_id, "lots")
        ]
        self.facts.answer(plan_id, day, approved=True)
        self.facts.send(lots, plan_id, day)
        self.facts.acknowledge(lots, day, result)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    data = tmp_path_factory.mktemp("again")
    facts = MailingFacts(data)
    settings = Settings(data, data, data, data / "keys", "fy2025")
    people = [person(A), person(A, 1), person(B), person(B, 1)]
    facts.register(SNAPSHOT, people, [address(A), address(B)], employers=[employer(A), employer(B)])
    lot = Lot(HOME, POSTED, [Envelope([A * 100, A * 100 + 1]), Envelope([B * 100, B * 100 + 1])])
    facts.plan("home-2025-04-30", "home", HANDED_OFF, [lot])
    played = Played(facts, settings, -1)
    played.send(played.plan("employer_list", LISTED)[0], LISTED, "rejected")
    facts.register(date(2025, 6, 20), [person(B, 1, protected=True)], kind="delta")
    played.send(played.plan("employer_list", LISTED_AGAIN)[0], LISTED_AGAIN, "accepted")
    played.rows_of_third_list = played.plan("employer_list", date(2025, 6, 24))[1]["row_count"]
    release = {"lot_id": HOME, "posting_date": POSTED, "is_released": True}
    facts.plan("release-2025-07-10", "release", date(2025, 7, 9), release_lots=[release], posting_date=POSTED)
    facts.report(POSTED, lot, dict.fromkeys([*lot.samples, *(envelope.number for envelope in lot.envelopes)], "posted"))
    facts.returned(RETURNED, [lot.envelopes[0].number])
    played.send(played.plan("follow_up", FOLLOWED_UP)[0], FOLLOWED_UP, "rejected")
    facts.build(
        date(2025, 8, 4), select=["+fct_ledger", "+fct_employer_follow_ups", "+fct_certificates", "+fct_alerts"]
    )
    return played


def test_the_second_lists_are_those_of_the_rejected_lot_without_who_is_protected_by_now(played: Played) -> None:
    lines = [row["member_key"] for row in played.table(f"employer-list-{LISTED}", "list_lines")]
    again = [row["member_key"] for row in played.table(f"employer-list-{LISTED_AGAIN}", "list_lines")]
    assert sorted(lines) == [A * 100, A * 100 + 1, B * 100, B * 100 + 1]
    assert sorted(again) == [A * 100, A * 100 + 1, B * 100]
    (replaced,) = played.table(f"employer-list-{LISTED_AGAIN}", "replaced_lots")
    (lot,) = played.table(f"employer-list-{LISTED}", "lots")
    assert (replaced["lot_id"], replaced["reason_code"]) == (lot["lot_id"], "lot_rejected")


def test_an_employer_that_has_its_list_gets_no_second_one(played: Played) -> None:
    assert played.rows_of_third_list == 0


def test_a_rejected_bundle_leaves_its_envelope_due_and_open_in_the_ledger(played: Played) -> None:
    assert played.facts.rows("select count(*) from marts.fct_employer_follow_ups") == [(0,)]
    assert played.facts.ledger() == {}
    assert played.facts.rows(
        "select term, term_count, open_count from marts.fct_ledger_terms where stage = '7_returned' and side = 'right'"
        " and term_count > 0"
    ) == [("due_again", 1, 1)]
    assert played.facts.rows("select distinct status from marts.fct_certificates where symbol = '1234567'") == [
        ("returned",)
    ]
    codes = played.facts.rows("select alert_code from marts.fct_alerts where alert_code = 'lot_rejected'")
    assert codes == [("lot_rejected",)]


def test_the_next_run_takes_it_up_with_the_same_certificates(played: Played) -> None:
    plan_id, _ = played.plan("follow_up", FOLLOWED_UP_AGAIN)
    rows = played.table(plan_id, "follow_ups")
    assert {row["member_key"] for row in rows} == {A * 100, A * 100 + 1}
    assert {row["outcome"] for row in rows} == {"employer_bundle"}
    before = played.table(f"follow-up-{FOLLOWED_UP}", "follow_ups")
    assert {row["certificate_id"] for row in rows} == {row["certificate_id"] for row in before}
    assert {row["bundle_id"] for row in rows}.isdisjoint(row["bundle_id"] for row in before)
    played.send(plan_id, FOLLOWED_UP_AGAIN, "accepted")
    played.facts.build(date(2025, 9, 2), select=["+fct_ledger", "+fct_employer_follow_ups", "+fct_alerts", "+fct_lots"])
    assert played.facts.ledger() == {}
    assert played.facts.rows("select run_on, outcome from marts.fct_employer_follow_ups") == [
        (FOLLOWED_UP_AGAIN, "employer_bundle")
    ]
    assert played.facts.rows("select count(*) from marts.fct_alerts where alert_code = 'lot_rejected'") == [(0,)]
    assert played.facts.rows(
        "select status, count(*) from marts.fct_lots where kind = 'employer' group by all order by all"
    ) == [
        ("accepted", 1),
        ("replaced", 1),
    ]
