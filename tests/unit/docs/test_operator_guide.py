"""The operator guide: what it names exists, its calendar is the campaign's, and no alert is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from kakuninsho.campaign import load_campaign
from kakuninsho.cli import app
from kakuninsho.feeds.contract import DECISIONS
from kakuninsho.operations.rules_told import DISPOSITION_LINES
from kakuninsho.register.contract import TABLES

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "operator-guide.ja.md").read_text(encoding="utf-8")
DAG_IDS = {path.stem for path in (ROOT / "dags").glob("*.py")}
ALERTS = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
MODELS = {path.stem for path in (ROOT / "dbt_project" / "models").rglob("*.sql")}
PLAY = {"let_days_pass"}  # only beside a stand-in world


def commands() -> set[str]:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    found = set()
    for name, command in group.commands.items():
        inner = command.commands if isinstance(command, TyperGroup) else {}
        found |= {f"{name} {part}" for part in inner} or {name}
    return found


def test_every_command_that_it_names_exists_and_every_command_is_named() -> None:
    named = set()
    for words in re.findall(r"kakuninsho ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)", GUIDE):
        first = words.split(" ")[0]
        named.add(words if first in {"printer", "register"} else first)
    assert named == commands()


def test_every_make_target_that_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", GUIDE))
    assert named
    assert named <= targets


def test_every_dag_is_in_it() -> None:
    named = set(re.findall(r"[a-z]+(?:_[a-z]+)+", GUIDE)) & DAG_IDS
    assert named == DAG_IDS - PLAY


def test_every_name_in_it_is_one_of_ours() -> None:
    ours = DAG_IDS | ALERTS | MODELS | set(DECISIONS) | set(TABLES) | {code for code, _ in DISPOSITION_LINES}
    named = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", GUIDE))
    assert named - ours == set()


def test_every_alert_is_in_it_with_its_runbook() -> None:
    linked = set(re.findall(r"\[`([a-z_]+)`\]\(runbooks/\1\.md\)", GUIDE))
    assert linked == ALERTS


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (ROOT / "docs" / target).exists(), target
    headings = {
        re.sub(r"[^\w-]", "", line.lstrip("# ").replace(" ", "-")) for line in GUIDE.splitlines() if line[:1] == "#"
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", GUIDE):
        assert anchor in headings, anchor


def _calendar() -> dict[str, Iterable[date]]:
    campaign = load_campaign()
    values = campaign.parameters
    return {
        "extract_register": campaign.register_drops,
        "hand_off_to_printer": [values.hand_off_on],
        "send_employer_lists": [values.employer_lists_on],
        "mail_wave": campaign.wave_openings,
        "release_lots": campaign.releases,
        "take_in_printer_reports": campaign.printer_report_days,
        "follow_up_employers": campaign.follow_up_runs,
        "issue_on_request": campaign.request_runs,
        "publish_usage_rates": campaign.monthly(values.usage_rates_day_of_month),
        "delete_expired_data": campaign.monthly(values.deletion_day_of_month),
        "close_season": [values.served_by],
    }


@pytest.mark.parametrize(("dag_id", "days"), _calendar().items())
def test_its_calendar_is_the_campaigns(dag_id: str, days: Iterable[date]) -> None:
    (row,) = re.findall(rf"^\| `{dag_id}` \| ([0-9 -]+) \|$", GUIDE, flags=re.MULTILINE)
    assert row.split() == [f"{day:%m-%d}" for day in days]
