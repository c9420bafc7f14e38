"""Requests and rolling issue from facts to lot files: a frozen plan, its bundle, and what the marts say of it."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from mailing_facts import HANDED_OFF, SNAPSHOT, Envelope, Lot, MailingFacts, address, household, person

from kakuninsho.gates import require, run_gate
from kakuninsho.operations.planning import MODELS, _gate_tables
from kakuninsho.plans.draft import Draft, PlanRequest, draft_plan
from kakuninsho.plans.freeze import freeze_plan
from kakuninsho.printer.lot_file import write_lots

RUN_ON, POSTED_ON = date(2025, 5, 20), date(2025, 5, 21)
NEW, FAMILY, AT_HOME, BULK, OTHER_EMPLOYER = (household(number) for number in range(1, 6))
VOLUNTARY, ELSEWHERE = household(6), household(7, symbol=7654321)
EMPLOYERS = [
    {
        "employer_key": key // 10_000_000,
        "name": f"株式会社試験{number}",
        "postal_code": f"910000{number}",
        "address": "福井県福井市大手３丁目１",
        "building": None,
        "closed_on": None,
    }
    for number, key in enumerate((NEW, ELSEWHERE), start=1)
]


def _usable(member: int, **changes: Any) -> dict[str, Any]:
    return {
        "member_key": member,
        "has_card": True,
        "number_filed": True,
        "registered": True,
        "certificate_expires_on": date(2028, 1, 1),
        "registration_cancelled_on": None,
    } | changes


def _request(member: int, kind: str, day: date = date(2025, 5, 12)) -> dict[str, Any]:
    return {"request_id": f"{kind}-{member}-{day}", "member_key": member, "requested_on": day, "kind": kind}


def _freeze(facts: MailingFacts, run_on: date, posted_on: date) -> str:
    """Draft, judge and freeze the request plan of a day; two people approve, the files go out."""
    wish = PlanRequest("request", run_on, posting_date=posted_on, run_on=run_on)
    facts.build(run_on, select=MODELS["request"], run_kind="request", posting_date=posted_on, run_on=run_on)
    draft = draft_plan(facts.store, facts.campaign, wish)
    totals = Draft.read(draft.path).totals
    parameters: dict[str, Any] = {
        "highest_sequence_before": totals["highest_sequence_before"],
        "declared_rows": totals["certificate_count"],
    }
    suite = "outbound/plan_lots"
    tables, reports = _gate_tables(suite, draft.path), facts.store.data / "report"
    require(run_gate(suite, tables, reports, parameters, campaign=facts.campaign))
    return freeze_plan(facts.store, wish.plan_id, run_on).name


def test_certificates_on_request_reach_employers_in_bundles_and_voluntary_households_at_home(tmp_path: Path) -> None:
    facts = MailingFacts(tmp_path)
    recent = {"decided_on": date(2025, 1, 10), "qualified_on": date(2025, 1, 6)}
    members = [
        person(NEW, **recent),
        *(person(FAMILY, suffix, **recent) for suffix in range(2)),
        person(VOLUNTARY, enrolment="voluntary", **recent),
        person(ELSEWHERE, **recent),
        person(BULK),
    ]
    homes = [address(key) for key in (NEW, FAMILY, VOLUNTARY, ELSEWHERE, BULK)]
    facts.register(
        SNAPSHOT, members, homes, employers=EMPLOYERS, cards=[_usable(ELSEWHERE * 100), _usable(FAMILY * 100 + 1)]
    )
    bulk = Lot("fy2025-H-18-20251010-01", date(2025, 10, 10), [Envelope([BULK * 100])])
    facts.plan("home-2025-04-30", "home", HANDED_OFF, [bulk])
    facts.register(
        date(2025, 5, 15),
        [],
        kind="delta",
        cards=[_usable(FAMILY * 100 + 1, registration_cancelled_on=date(2025, 5, 10))],
    )
    facts.feed(
        "issue_requests",
        RUN_ON,
        [
            _request(NEW * 100, "new_enrollee"),
            _request(FAMILY * 100, "new_enrollee"),
            _request(VOLUNTARY * 100, "new_enrollee"),
            _request(ELSEWHERE * 100, "new_enrollee"),  # the card works: refused
            _request(ELSEWHERE * 100, "care_needed"),  # also with a usable card
            _request(BULK * 100, "care_needed"),  # the bulk one has not left: pulled later
        ],
    )
    plan_id = _freeze(facts, RUN_ON, POSTED_ON)
    plan = facts.store.get("plans", plan_id)
    files = write_lots(plan, ["fy2025-E-18-20250521-01", "fy2025-S-18-20250521-01"], "fy2025", tmp_path / "out")
    records = list(csv.reader(files[0].path.read_text(encoding="cp932").splitlines()))
    # One employer has three packets with four certificates: the rolling one lies with its household's request.
    bundles = [(row[3], row[7], row[8]) for row in records if row[0] == "B"]
    assert bundles == [("株式会社試験1", "3", "4"), ("株式会社試験2", "1", "1")]
    assert [row[0] for row in records] == list("H" + "EC" + "B" + "ECECCEC" + "B" + "EC" + "T")
    assert files[1].envelope_count == 1  # a small lot, and the branch's sample of the month lies in the one before
    facts.build(RUN_ON, select=["+path:models/marts"])
    outcomes = facts.rows(
        "select kind, outcome, reason_code, count(*) from marts.fct_requests group by all order by all"
    )
    assert outcomes == [
        ("care_needed", "issue", None, 2),
        ("new_enrollee", "issue", None, 3),
        ("new_enrollee", "refused", "card_usable", 1),
    ]
    routes = facts.rows("select route, status, need, count(*) from marts.fct_certificates group by all order by all")
    assert routes == [
        ("home", "superseded", "no_card", 1),
        ("request", "planned", "care_needed", 1),
        ("request", "planned", "no_card", 4),
        ("rolling", "planned", "registration_cancelled", 1),
    ]
    assert facts.ledger() == {}


def test_what_was_in_a_rejected_request_lot_is_issued_by_the_next_run_once(tmp_path: Path) -> None:
    facts = MailingFacts(tmp_path)
    recent = {"decided_on": date(2025, 1, 10), "qualified_on": date(2025, 1, 6)}
    members = [person(NEW, **recent), person(VOLUNTARY, enrolment="voluntary", **recent), person(BULK)]
    facts.register(SNAPSHOT, members, [address(key) for key in (NEW, VOLUNTARY, BULK)], employers=EMPLOYERS)
    bulk = Lot("fy2025-H-18-20251010-01", date(2025, 10, 10), [Envelope([BULK * 100])])
    facts.plan("home-2025-04-30", "home", HANDED_OFF, [bulk])
    asked = [_request(member, "new_enrollee") for member in (NEW * 100, VOLUNTARY * 100)]
    facts.feed("issue_requests", RUN_ON, asked)
    first = _freeze(facts, RUN_ON, POSTED_ON)
    facts.answer(first, RUN_ON, approved=True)
    lots = facts.sendable(first)
    assert sorted(lot.lot_id for lot in lots) == ["fy2025-E-18-20250521-01", "fy2025-S-18-20250521-01"]
    facts.send(lots, first, RUN_ON)
    facts.acknowledge(lots[:1], POSTED_ON, "rejected")
    facts.acknowledge(lots[1:], POSTED_ON)
    again_on, posted_again_on = date(2025, 5, 27), date(2025, 5, 28)
    second = _freeze(facts, again_on, posted_again_on)
    facts.build(again_on, select=["+path:models/marts"])
    live = (
        "select member_key, lot_id from intermediate.int_certificates"
        " where is_live and plan_kind = 'request' order by lot_id"
    )
    assert facts.rows(live) == [
        (NEW * 100, "fy2025-E-18-20250528-01"),
        (VOLUNTARY * 100, "fy2025-S-18-20250521-01"),
    ]
    bundles = (
        "select status, undone_reason_code from intermediate.int_lots where lot_id like 'fy2025-E-%' order by lot_id"
    )
    assert facts.rows(bundles) == [("replaced", "lot_rejected"), ("planned", None)]
    assert second != first
    # The sample of the rejected lot was never posted, so the month's next small lot carries one.
    samples = facts.rows(
        "select lot_id, seed_count from intermediate.int_lots where lot_id not like '%-H-%' order by 1"
    )
    assert samples == [
        ("fy2025-E-18-20250521-01", 1),
        ("fy2025-E-18-20250528-01", 1),
        ("fy2025-S-18-20250521-01", 0),
    ]
    assert facts.ledger() == {}


def test_a_branchs_first_small_lot_of_a_month_carries_one_sample_and_the_others_none(tmp_path: Path) -> None:
    facts = MailingFacts(tmp_path)
    recent = {"decided_on": date(2025, 1, 10), "qualified_on": date(2025, 1, 6)}
    people = (NEW, VOLUNTARY, ELSEWHERE, FAMILY)
    members = [person(key, enrolment="voluntary", **recent) for key in people]
    facts.register(SNAPSHOT, [*members, person(BULK)], [address(key) for key in (*people, BULK)], employers=EMPLOYERS)
    bulk = Lot("fy2025-H-18-20251010-01", date(2025, 10, 10), [Envelope([BULK * 100])])
    facts.plan("home-2025-04-30", "home", HANDED_OFF, [bulk])
    runs = [date(2025, 5, 21), date(2025, 5, 28), date(2025, 6, 4), date(2025, 6, 11)]
    for key, run_on in zip(people, runs, strict=True):
        facts.feed("issue_requests", run_on, [_request(key * 100, "new_enrollee")])
        facts.answer(_freeze(facts, run_on, run_on + timedelta(days=1)), run_on, approved=True)
    facts.build(runs[-1], select=["+path:models/marts"])
    lots = facts.rows(
        "select posting_date, seed_count from intermediate.int_lots where plan_kind = 'request' order by 1"
    )
    assert [(str(day), samples) for day, samples in lots] == [
        ("2025-05-22", 1),
        ("2025-05-29", 0),
        ("2025-06-05", 1),
        ("2025-06-12", 0),
    ]
    assert facts.ledger() == {}
