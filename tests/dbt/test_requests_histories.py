"""Histories of requests, losses, returns and moves, drawn from a seed and played through real plans.

Whatever people ask for: nobody holds two live certificates, what was superseded is never live again, and the bulk
certificate that a request replaced before it left is pulled.
"""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from mailing_facts import HANDED_OFF, SNAPSHOT, Envelope, Lot, MailingFacts, address, household, person

from kakuninsho.operations.planning import MODELS
from kakuninsho.plans.draft import PlanRequest, draft_plan
from kakuninsho.plans.freeze import freeze_plan

BULK_POSTED, BULK_RELEASED = date(2025, 10, 10), date(2025, 10, 9)
RUNS = [(date(2025, 6, 20), date(2025, 6, 23)), (date(2025, 8, 20), date(2025, 8, 21))]
LATE_RUNS = [(date(2025, 10, 20), date(2025, 10, 21)), (date(2025, 11, 20), date(2025, 11, 21))]
KINDS = ("new_enrollee", "care_needed", "lost_or_damaged")


class History:
    """One world: forty households, half of them in the bulk mailing, and what a seed does to them."""

    def __init__(self, data: Path, seed: int) -> None:
        self.facts, self.dice = MailingFacts(data), random.Random(seed)
        self.households = [household(number) for number in range(1, 41)]
        self.people = [
            person(
                key,
                suffix,
                enrolment="voluntary" if number % 5 == 0 else "employee",
                decided_on=date(2025, 1, 10) if number % 2 else date(2010, 4, 5),
            )
            for number, key in enumerate(self.households, start=1)
            for suffix in range(1 + number % 3)
        ]
        employer = {
            "employer_key": self.households[0] // 10_000_000,
            "name": "株式会社試験",
            "postal_code": "9100001",
            "address": "福井県福井市大手３丁目１",
        }
        homes = [address(key) for key in self.households]
        self.facts.register(SNAPSHOT, self.people, homes, employers=[employer])
        # Everyone whose household has an even number is in the bulk mailing.
        bulk = [
            Envelope(
                [row["member_key"] for row in self.people if row["household_key"] == key],
                changes={
                    "enrolment": "voluntary" if key % 5 == 0 else "employee",
                    **({"employer_key": None} if key % 5 == 0 else {}),
                },
            )
            for key in self.households
            if key % 2 == 0
        ]
        self.bulk = Lot("fy2025-H-18-20251010-01", BULK_POSTED, bulk)
        self.facts.plan("home-2025-04-30", "home", HANDED_OFF, [self.bulk])
        self.superseded: set[str] = set()

    def happen(self, run_on: date) -> None:
        """What comes in before a run: requests, losses of membership, certificates sent back."""
        asked = self.dice.sample(self.people, 30)
        rows = [
            {
                "request_id": f"{run_on}-{number}",
                "member_key": row["member_key"],
                "requested_on": run_on,
                "kind": self.dice.choice(KINDS),
            }
            for number, row in enumerate(asked + asked[:5])  # some ask twice
        ]
        self.facts.feed("issue_requests", run_on, rows)
        lost = [row | {"lost_on": run_on} for row in self.dice.sample(self.people, 3)]
        moved = [
            address(row["household_key"], address="福井県福井市中央１") for row in self.dice.sample(self.people, 3)
        ]
        self.facts.register(run_on, lost, moved, kind="delta")

    def plan(self, wish: PlanRequest) -> str:
        """Draft and freeze a plan from what is pending."""
        facts = self.facts
        facts.build(
            wish.as_of,
            select=MODELS[wish.kind],
            run_kind=wish.kind,
            posting_date=wish.posting_date,
            run_on=wish.run_on,
        )
        draft_plan(facts.store, facts.campaign, wish)
        return freeze_plan(facts.store, wish.plan_id, wish.as_of).name

    def send(self, plan_id: str, day: date) -> None:
        """Approve a plan, hand its lots over and let the printer post all of it; a tenth comes back."""
        plan = self.facts.store.get("plans", plan_id)
        envelopes = [row for row in pq.read_table(plan.table("envelopes")).to_pylist() if row["bundle_id"] is None]
        self.facts.answer(plan_id, day, approved=True)
        for lot_id in sorted({row["lot_id"] for row in envelopes}):
            numbers = [row["envelope_id"] for row in envelopes if row["lot_id"] == lot_id]
            lot = Lot(lot_id, envelopes[0]["posting_date"], [Envelope([]) for _ in numbers])
            self.facts.send([lot], plan_id, day)
            self.facts.acknowledge([lot], day)
            self.facts.report(lot.posting_date, lot, dict.fromkeys(numbers, "posted"))
            back = [number for number in numbers if self.dice.random() < 0.1]
            self.facts.returned(lot.posting_date, back)

    def check(self, day: date) -> None:
        """Hold the invariants on a day."""
        self.facts.build(day, select=["+int_certificates"])
        rows: list[tuple[Any, ...]] = self.facts.rows(
            "select certificate_id, member_key, is_live, status from intermediate.int_certificates"
        )
        live = [member for _, member, is_live, _ in rows if is_live]
        assert len(live) == len(set(live)), "somebody holds two live certificates"
        now = {certificate for certificate, _, _, status in rows if status == "superseded"}
        again = {certificate for certificate, _, is_live, _ in rows if is_live} & self.superseded
        assert not again, "a superseded certificate is live again"
        self.superseded |= now


@pytest.mark.parametrize("seed", [1, pytest.param(2025, marks=pytest.mark.slow)])
def test_nobody_ever_holds_two_live_certificates(tmp_path: Path, seed: int) -> None:
    history = History(tmp_path, seed)
    for number, (run_on, posted_on) in enumerate(RUNS):
        history.happen(run_on)
        wish = PlanRequest("request", run_on, posting_date=posted_on, run_on=run_on)
        plan_id = history.plan(wish)
        if number == 1:  # rejected by a person, and made again under new numbers
            history.facts.answer(plan_id, run_on, approved=False)
            plan_id = history.plan(PlanRequest("request", run_on, posting_date=posted_on, run_on=run_on, attempt=2))
        history.check(run_on)
        history.send(plan_id, run_on)
    release = history.plan(PlanRequest("release", BULK_RELEASED, posting_date=BULK_POSTED))
    pulls = pq.read_table(history.facts.store.get("plans", release).table("pulls")).to_pylist()
    replaced = {row["certificate_id"] for row in pulls if row["reason_code"] == "already_has_certificate"}
    of_bulk = {envelope.number for envelope in history.bulk.envelopes}
    unsent = {certificate for certificate in history.superseded if certificate.split("-")[0] in of_bulk}
    assert unsent
    assert unsent <= {row["certificate_id"] for row in pulls}
    assert replaced
    history.send(release, BULK_RELEASED)
    pulled = {row["envelope_id"] for row in pulls}
    events = {number: "pulled" if number in pulled else "posted" for number in sorted(of_bulk)}
    history.facts.report(BULK_POSTED, history.bulk, events)
    for run_on, posted_on in LATE_RUNS:
        history.happen(run_on)
        plan_id = history.plan(PlanRequest("request", run_on, posting_date=posted_on, run_on=run_on))
        history.check(run_on)
        history.send(plan_id, run_on)
