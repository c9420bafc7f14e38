"""A small published copy for tests of the page."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from kakuninsho.campaign import load_branches

AS_OF = date(2025, 9, 10)


def tables() -> dict[str, list[dict[str, Any]]]:
    """Rows of the marts that the page reads, of a season in September."""
    branches = load_branches()
    flow = [
        ("register", "total", 39_700_000), ("rejected", "out", 100), ("card_usable", "out", 27_000_000),
        ("otherwise_excluded", "out", 600_000), ("held_at_snapshot", "out", 99_900), ("target", "total", 12_000_000),
        ("addition", "in", 1000), ("to_be_served", "total", 12_001_000), ("delivered", "today", 5_000_000),
        ("in_transit", "today", 1_000_000), ("at_employer", "today", 1000), ("waiting", "today", 5_900_000),
        ("returned", "today", 50_000), ("at_branch_desk", "today", 20_000), ("held", "today", 10_000),
        ("ended", "today", 20_000),
    ]  # fmt: skip
    steps = [
        (1, "extract", date(2025, 4, 30), date(2025, 4, 30), 1, 1, "done"),
        (4, "home_mail", date(2025, 8, 1), date(2025, 8, 29), 900, 1000, "running"),
        (4, "home_mail", date(2025, 9, 1), date(2025, 9, 30), 0, 1200, "waiting"),
        (5, "employer_follow_up", date(2025, 9, 1), date(2025, 9, 1), 0, 1, "late"),
        (6, "served", date(2025, 12, 1), date(2025, 12, 1), 6, 12, "waiting"),
    ]
    return {
        "rpt_campaign": [
            {
                "campaign": "fy2025", "as_of": AS_OF, "newest_register_as_of": date(2025, 9, 9),
                "snapshot_as_of": date(2025, 4, 30), "hand_off_on": date(2025, 5, 15),
                "employer_lists_on": date(2025, 6, 16), "closing_follow_up_on": date(2025, 11, 20),
                "served_by": date(2025, 12, 1), "stop_rate": 0.1,
            }
        ],
        "rpt_season_steps": [
            dict(
                zip(
                    ("step_no", "step_code", "starts_on", "ends_on", "done_count", "total_count", "state"),
                    step,
                    strict=True,
                )
            )
            for step in steps
        ],
        "rpt_people_flow": [
            {"step_no": number, "step_code": code, "step_kind": kind, "people_count": count}
            for number, (code, kind, count) in enumerate(flow, 1)
        ],
        "fct_ledger": [
            {"stage": "1_register", "left_side": 39_700_000, "right_side": 39_700_000, "difference": 0, "closes": True,
             "open_count": 0},
            {"stage": "5_pieces", "left_side": 7001, "right_side": 7000, "difference": 1, "closes": False,
             "open_count": 12},
        ],
        "dim_branches": [
            {"insurer_number": branch.insurer_number, "branch_name": branch.branch_name} for branch in branches
        ],
        "rpt_branch_progress": [
            {
                "prefecture_code": branch.prefecture_code, "branch_name": branch.branch_name,
                "to_be_served_count": 1000, "served_count": 600, "planned_count": 900, "pulled_count": 100,
                "posted_count": 400, "open_count": 400, "returned_count": 12, "employer_bundle_count": 8,
                "branch_desk_count": 2, "last_posting_on": date(2025, 9, 30),
                "is_stopped": branch.prefecture_code == "18",
            }
            for branch in branches
        ],
        "fct_everyone": [
            {"insurer_number": "01180017", "line": line, "reason_code": reason, "people": people}
            for line, reason, people in (
                ("able", "usable", 7000), ("in_hand", "delivered", 2500), ("on_the_way", "handed_off", 480),
                ("without", "address_missing", 15), ("without", "a_new_reason", 3),
            )
        ],
        "fct_waves": [
            {"wave_key": "2025-08", "planned_count": 1050, "pulled_count": 50, "posted_count": 900,
             "returned_count": 30, "open_count": 100},
        ],
        "fct_lots": [
            {
                "lot_id": "fy2025-18-202508-H-001", "wave_key": "2025-08", "insurer_number": "01180017",
                "kind": "home", "posting_date": date(2025, 8, 29), "envelope_count": 1000, "certificate_count": 1300,
                "postage_yen": 320_000, "status": "withheld", "posted_count": 0, "pulled_count": 0, "spoiled_count": 0,
                "returned_count": 0,
            }
        ],
        "fct_alerts": [
            {"alert_code": "lot_withheld", "subject": "fy2025-18-202508-H-001", "count": 1000,
             "raised_on": date(2025, 8, 29), "severity": "warning"},
            {"alert_code": "report_missing", "subject": "<b>lot</b>", "count": 1, "raised_on": AS_OF,
             "severity": "critical"},
        ],
        "rpt_work_list_counts": [
            {"prefecture_code": "18", "branch_name": "福井支部", "stage": "snapshot",
             "reason_code": "address_protected", "people_count": 3},
        ],
        "fct_usage_rates": [
            {"prefecture_code": "00", "month": "2025-03", "rate": 0.2726, "rank": None},
            {"prefecture_code": "16", "month": "2025-03", "rate": 0.3672, "rank": 1},
            {"prefecture_code": "47", "month": "2025-03", "rate": 0.159, "rank": 47},
            {"prefecture_code": "13", "month": "2025-03", "rate": None, "rank": None},
        ],
        "fct_deadline_forecast": [
            {"week_start": date(2025, 9, 8), "to_post": 500, "printer_capacity": 600, "post_capacity": 700,
             "posted": 500, "backlog_after": 0},
        ],
        "fct_deadline_verdict": [
            {"as_of": AS_OF, "to_post": 500, "late": 20, "without_date": 20, "reason_code": "no_posting_date",
             "holds": False, "deliver_by_posting_on": date(2025, 11, 1)},
        ],
    }  # fmt: skip


def publish(data: Path, **changes: list[dict[str, Any]]) -> None:
    """Write a published copy of these tables; `changes` replaces some of them."""
    folder = data / "published"
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(folder / "analytics.duckdb")) as connection:
        connection.execute("create schema if not exists marts")
        for name, rows in (tables() | changes).items():
            table = pa.Table.from_pylist(rows)
            connection.register("given", table)
            connection.execute(f"create or replace table marts.{name} as select * from given")
