"""Every alert that a model can raise has a runbook, and every runbook an alert."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_alert_has_a_runbook() -> None:
    sql = (ROOT / "dbt_project/models/marts/ledger/fct_alerts.sql").read_text(encoding="utf-8")
    joined = re.sub(r"\n\s+as alert_code", " as alert_code", sql)
    lines = [line.split("as alert_code")[0] for line in joined.splitlines() if "as alert_code" in line]
    raised = {code for line in lines for code in re.findall(r"(?:^|then |else |, )\s*'([a-z_]+)'", line)}
    written = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    assert raised
    assert raised == written
