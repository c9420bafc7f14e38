"""A whole season of another fiscal year, by a second campaign file alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from campaigns import write_next_year

KAKUNINSHO = Path(sys.executable).parent / "kakuninsho"


@pytest.mark.slow
def test_season_of_another_year_closes_by_its_campaign_file_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = {
        **os.environ,
        "KAKUNINSHO_CAMPAIGNS": str(write_next_year(tmp_path / "campaigns")),
        "KAKUNINSHO_CAMPAIGN": "fy2026",
    }
    command = [KAKUNINSHO, "season", "--members", "1000", "--data", data]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    summary = json.loads((data / "summary.json").read_text(encoding="utf-8"))
    assert (summary["campaign"], summary["closes"]) == ("fy2026", True)
    assert set(summary["waves"]) <= {"2026-07", "2026-08", "2026-09", "2026-10"}
    assert set(summary["follow_ups"]) == {"2026-08-03", "2026-09-01", "2026-10-01", "2026-11-02", "2026-11-20"}
    with duckdb.connect(str(data / "published" / "analytics.duckdb"), read_only=True) as connection:
        days = connection.execute(
            "select min(issued_on) filter (where route = 'home'), max(issued_on), max(valid_until)"
            " from analytics.marts.fct_certificates"
        ).fetchone()
        lots = connection.execute("select distinct split_part(lot_id, '-', 1) from analytics.marts.fct_lots").fetchall()
        verdict = connection.execute(
            "select as_of, served_by, holds from analytics.marts.fct_deadline_verdict"
        ).fetchone()
    assert days is not None
    assert date(2026, 7, 29) <= days[0] <= days[1] <= date(2026, 12, 1)
    assert days[2] == date(2030, 11, 30)
    assert lots == [("fy2026",)]
    assert verdict == (date(2026, 12, 1), date(2026, 12, 1), True)
