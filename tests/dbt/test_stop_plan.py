"""A stop order as a plan: which lots it takes, what it writes, what the ledger says of the pieces (quick version)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mailing_facts import HANDED_OFF, SNAPSHOT, Envelope, Lot, MailingFacts, address, household, person

from approvals_kit import approve
from kakuninsho.operations import planning
from kakuninsho.plans.draft import PlanError, PlanRequest, StopWish
from kakuninsho.printer.transfer import land_stopped
from kakuninsho.settings import Settings

A, B = household(1), household(2)
POSTED, STOPPED = date(2025, 10, 10), date(2025, 10, 10)
HELD, GONE = "fy2025-H-18-20251010-01", "fy2025-H-18-20251010-02"


def test_a_branch_is_stopped_but_for_what_is_posted_and_its_pieces_are_named(tmp_path: Path) -> None:
    facts = MailingFacts(tmp_path)
    settings = Settings(tmp_path, tmp_path, tmp_path, tmp_path / "keys", "fy2025")
    facts.register(SNAPSHOT, [person(A), person(B)], [address(A), address(B)])
    lots = [Lot(HELD, POSTED, [Envelope([A * 100])]), Lot(GONE, POSTED, [Envelope([B * 100])])]
    facts.plan("home-2025-04-30", "home", HANDED_OFF, lots)
    released = [{"lot_id": lot.lot_id, "posting_date": POSTED, "is_released": True} for lot in lots]
    facts.plan("release-2025-10-10", "release", date(2025, 10, 9), release_lots=released, posting_date=POSTED)
    gone = [*lots[1].samples, lots[1].envelopes[0].number]
    facts.report(STOPPED, lots[1], dict.fromkeys(gone, "posted"), occurred_on=date(2025, 10, 10))

    wish = planning.check(settings, PlanRequest("stop", STOPPED, stop=StopWish("hold", "disaster", prefecture=18)))
    totals = planning.draft(settings, wish)
    assert (totals["lots_released"], totals["pieces_released"], totals["lots_posted"]) == (1, 1, 1)
    assert planning.judge(settings, wish) == [
        "差出済みの 1 ロットには効果がないため、指示に含めません (posted: no effect)"
    ]
    plan_id = planning.freeze(settings, wish)
    (row,) = pq.read_table(settings.store.get("plans", plan_id).table("stop_lots")).to_pylist()
    assert (row["lot_id"], row["stage"], row["cancelled_plan_id"]) == (HELD, "released", "release-2025-10-10")
    files = planning.write_files(settings, plan_id)
    assert list(files) == ["pv1_fy2025_stop_20251010_01_1.csv"]
    approve(settings, plan_id, STOPPED)
    (order,) = planning.clear_files(settings, plan_id)
    assert land_stopped(facts.store, order, [HELD], plan_id, STOPPED).meta == (
        land_stopped(facts.store, order, [HELD], plan_id, STOPPED).meta
    )

    facts.build(date(2025, 10, 11), select=["+fct_ledger", "+fct_lots", "+fct_alerts"])
    assert facts.rows("select lot_id, status from marts.fct_lots order by lot_id") == [
        (HELD, "stopped"),
        (GONE, "posted"),
    ]
    assert facts.ledger() == {}
    assert facts.rows(
        "select term, term_count, open_count from marts.fct_ledger_terms where stage = '5e_stopped' and term_count > 0"
        " order by term"
    ) == [("kept_back", 1, 1), ("stopped", 1, 0)]
    assert facts.rows("select subject, count from marts.fct_alerts where alert_code = 'lot_stopped'") == [(HELD, 1)]
    nowhere = PlanRequest("stop", date(2025, 10, 14), stop=StopWish("hold", "disaster", lot_ids=("fy2025-H-01-x",)))
    with pytest.raises(PlanError, match="1 lots do not lie at the printer"):
        planning.draft(settings, nowhere)
