"""The dbt unit tests of the mailing's rules, on a warehouse without facts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from kakuninsho.campaign import load_campaign
from kakuninsho.facts.store import FactStore
from kakuninsho.warehouse import Context, run_models

FOLDERS = (
    "intermediate/pieces",
    "intermediate/waves",
    "intermediate/follow_ups",
    "intermediate/requests",
    "marts/ledger",
)


def test_each_rule_of_the_mailing_holds(tmp_path: Path) -> None:
    store = FactStore(tmp_path)
    store.initialise()
    context = Context(date(2025, 4, 30))
    run_models(store, load_campaign(), context, command="run", select=[f"+path:models/{folder}" for folder in FOLDERS])
    unit_tests = [f"path:models/{folder},test_type:unit" for folder in FOLDERS]
    results = run_models(store, load_campaign(), context, command="test", select=unit_tests, exclude=())
    assert len(results) >= 63
    assert {result.status for result in results} == {"pass"}
