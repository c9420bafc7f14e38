"""The season in figures: `<data>/summary.json`, read from the published marts and the records of the runs."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import duckdb

from kakuninsho.derived import write_whole
from kakuninsho.runs import peak_rss_mb, records
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published

REGISTER_COUNTS = """
    select disposition, reason_code, count(*) from marts.fct_member_dispositions group by all order by all
"""
WAVES = """
    select wave_key, planned_count, pulled_count, posted_count, returned_count from marts.fct_waves order by wave_key
"""
LATE_COUNTS = """
    select disposition, reason_code, count(*) from marts.fct_late_dispositions group by all order by all
"""
FOLLOW_UPS = """
    select run_on::varchar, outcome, count(*) from marts.fct_employer_follow_ups group by all order by all
"""
LEDGER = """
    select stage, left_side, right_side, difference, open_count, closes from marts.fct_ledger order by stage
"""
EVERYONE = """
    select line, reason_code, sum(people)::bigint from marts.fct_everyone group by all order by all
"""
OUTCOMES = ("employer_bundle", "branch_desk", "held", "closed")


def summarise(settings: Settings) -> dict[str, Any]:
    """Collect the summary of a season. Keys and meaning are those that the README describes; counts only."""
    with published(settings.data) as connection:
        ledger = [
            {
                "stage": stage,
                "left": int(left),
                "right": int(right),
                "difference": int(difference),
                "open": int(open_count),
                "closes": closes,
            }
            for stage, left, right, difference, open_count, closes in connection.execute(LEDGER).fetchall()
        ]
        summary: dict[str, Any] = {
            "campaign": settings.campaign_name,
            "register": _register(settings, connection),
            "row_accepted_later": _late(connection),
            "waves": {
                wave: {"planned": planned, "pulled": pulled, "posted": posted, "returned": returned}
                for wave, planned, pulled, posted, returned in connection.execute(WAVES).fetchall()
            },
            "follow_ups": _follow_ups(settings, connection),
            "certificates": dict(
                connection.execute(
                    "select status, count(*) from marts.fct_certificates group by all order by all"
                ).fetchall()
            ),
            "envelopes": _one(connection, _FIRST_PLAN_ENVELOPES),
            "lots": _one(connection, "select count(*) from marts.fct_lots"),
            "employer_lists": _one(
                connection, "select count(distinct (insurer_number, symbol)) from marts.fct_employer_lists"
            ),
            "everyone": _everyone(connection),
            "accepted_shares": _accepted_shares(connection),
            "ledger": ledger,
            "closes": bool(ledger) and all(row["closes"] for row in ledger),
        }
    seconds: dict[str, float] = defaultdict(float)
    for record in records(settings.data):
        seconds[record["phase"]] += record["seconds"]
    summary["seconds"] = {phase: round(value, 1) for phase, value in sorted(seconds.items())}
    summary["peak_rss_mb"] = max([peak_rss_mb(), *(record["peak_rss_mb"] for record in records(settings.data))])
    return summary


def write_summary(settings: Settings) -> dict[str, Any]:
    """Write `<data>/summary.json` and return it."""
    summary = summarise(settings)
    path = settings.data / "summary.json"
    write_whole(path, json.dumps(summary, ensure_ascii=False, indent=1) + "\n")
    return summary


_FIRST_PLAN_ENVELOPES = """
    select count(*) from marts.fct_envelopes where lot_kind = 'home' and replaces_envelope_id is null
"""


def _register(settings: Settings, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    snapshot = settings.store.get("register", f"as_of={settings.campaign.parameters.snapshot_as_of}")
    counts: dict[str, dict[str, int]] = {"excluded": {}, "held": {}, "target": {}}
    for disposition, reason, count in connection.execute(REGISTER_COUNTS).fetchall():
        counts[disposition][reason] = count
    rejected = _one(
        connection,
        "select count(*) from marts.fct_register_rejects where file = 'members' and is_campaign_drop",
    )
    return {"rows": snapshot.meta["totals"]["manifest_rows"]["members"], "rejected": rejected, **counts}


def _late(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """People whom a later drop judged, by disposition and reason (rules: what becomes of each row)."""
    counts: dict[str, dict[str, int]] = {"excluded": {}, "held": {}, "target": {}}
    for disposition, reason, count in connection.execute(LATE_COUNTS).fetchall():
        counts[disposition][reason] = count
    return counts


def _follow_ups(settings: Settings, connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    runs = {day.isoformat(): dict.fromkeys(OUTCOMES, 0) for day in settings.campaign.follow_up_runs}
    for run_on, outcome, count in connection.execute(FOLLOW_UPS).fetchall():
        runs.setdefault(run_on, dict.fromkeys(OUTCOMES, 0))[outcome] = count
    return runs


def _everyone(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """People by line of rules, everyone on any day; the last line by reason."""
    found: dict[str, Any] = {"able": 0, "in_hand": 0, "on_the_way": 0, "without": {}}
    for line, reason, people in connection.execute(EVERYONE).fetchall():
        if line == "without":
            found["without"][reason] = people
        else:
            found[line] += people
    return found


def _accepted_shares(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Shares of targets that were far off and that a person accepted: branch (null: the nation), found, expected."""
    rows = connection.execute(
        "select insurer_number, share, expected_share from marts.fct_target_shares"
        " where state = 'stopped' and is_accepted order by all"
    ).fetchall()
    return [{"insurer_number": number, "share": share, "expected": expected} for number, share, expected in rows]


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
