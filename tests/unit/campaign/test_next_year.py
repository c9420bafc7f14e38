"""A second campaign file is enough for another year: its calendar, its validity, and no year anywhere else."""

from __future__ import annotations

import ast
import re
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from campaigns import write_next_year
from kakuninsho.campaign import Campaign, is_business_day, load_campaign
from kakuninsho.campaign.model import CampaignError
from kakuninsho.paths import PROJECT_ROOT


@pytest.fixture(scope="module")
def fy2026(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return load_campaign("fy2026", write_next_year(tmp_path_factory.mktemp("campaigns")))


def test_every_day_of_the_calendar_is_of_its_own_year(fy2026: Campaign) -> None:
    days = [
        *fy2026.posting_dates,
        *fy2026.releases,
        *fy2026.register_drops,
        *fy2026.wave_openings,
        *fy2026.follow_up_runs,
        *fy2026.printer_report_days,
        *fy2026.request_runs,
        *fy2026.monthly(20),
    ]
    assert {day.year for day in days} == {2026}
    assert (min(days), max(days)) == (date(2026, 4, 30), date(2026, 12, 1))
    assert list(fy2026.wave_openings.values()) == ["2026-07", "2026-08", "2026-09", "2026-10"]
    assert fy2026.follow_up_runs[3] == date(2026, 11, 2)  # 11-01 is a Sunday
    assert {window.source for window in fy2026.windows} == {"seed", "published", "assumed"}


def test_weeks_hold_the_business_days_to_the_last_day_of_service(fy2026: Campaign) -> None:
    for campaign in (load_campaign(), fy2026):
        weeks = {week.week_start: week for week in campaign.weeks}
        assert all((later - earlier).days == 7 for earlier, later in pairwise(weeks))
        first, last = campaign.parameters.snapshot_as_of, campaign.parameters.served_by
        assert min(weeks) <= first < min(weeks) + (date(2, 1, 8) - date(2, 1, 1))
        assert sum(week.working_days for week in campaign.weeks) == campaign.business_days_between(
            min(weeks), last
        ) + is_business_day(min(weeks))
        assert max(weeks) <= last
    golden_week = {week.week_start: week for week in load_campaign().weeks}[date(2025, 5, 5)]
    assert (golden_week.working_days, golden_week.working_days_to_deliver) == (3, 3)
    # 30 days before 2025-12-01 is Saturday 11-01; before 2026-12-01 it is Sunday 11-01.
    november = {week.week_start: week for week in load_campaign().weeks}[date(2025, 11, 3)]
    assert (november.working_days, november.working_days_to_deliver) == (4, 0)
    assert load_campaign().weeks[-1].working_days == 1
    assert fy2026.weeks[-1].working_days == 2


@pytest.mark.parametrize(
    ("issued_on", "valid_until"),
    [
        (date(2026, 7, 29), date(2030, 11, 30)),  # home, the first posting date
        (date(2026, 11, 30), date(2030, 11, 30)),  # requests and rolling issue, the last day of a validity year
        (date(2026, 12, 1), date(2031, 11, 30)),  # and the first day of the next
        (date(2025, 11, 30), date(2029, 11, 30)),
        (date(2025, 12, 1), date(2030, 11, 30)),
    ],
)
def test_validity_turns_over_on_december_1_of_any_year(fy2026: Campaign, issued_on: date, valid_until: date) -> None:
    assert _valid_until(fy2026, issued_on, date(1980, 6, 15), date(1980, 6, 15)) == valid_until


def test_caps_of_validity_in_another_year(fy2026: Campaign) -> None:
    issued = date(2026, 10, 2)
    young = date(1990, 1, 1)
    assert _valid_until(fy2026, issued, date(1952, 2, 29), young) == date(2027, 2, 28)  # the birthday is 1 March
    assert _valid_until(fy2026, issued, date(1955, 11, 30), young) == date(2030, 11, 29)
    assert _valid_until(fy2026, issued, date(1955, 12, 1), young) == date(2030, 11, 30)
    assert _valid_until(fy2026, issued, young, date(1953, 8, 1)) == date(2028, 7, 31)  # the insured's birthday
    qualified = date(2026, 4, 1)
    assert _valid_until(fy2026, issued, young, young, "voluntary", qualified) == date(2028, 3, 31)
    assert _valid_until(fy2026, date(2025, 1, 6), young, young, "voluntary", date(2024, 2, 29)) == date(2026, 2, 28)
    assert _valid_until(fy2026, issued, young, young, "employee", qualified) == date(2030, 11, 30)


def test_validity_is_what_the_campaign_file_says(tmp_path: Path) -> None:
    folder = write_next_year(tmp_path)
    path = folder / "fy2026" / "campaign.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("validity_years: {value: 5", "validity_years: {value: 2"), encoding="utf-8")
    campaign = load_campaign("fy2026", folder)
    assert _valid_until(campaign, date(2026, 7, 29), date(1980, 6, 15), date(1980, 6, 15)) == date(2027, 11, 30)


def test_a_share_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_next_year(tmp_path)
    path = folder / "fy2026" / "campaign.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["parameters"]["max_protected_share"]["value"] = 2.0
    document["parameters"]["min_insured_share"]["value"] = 0.9
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    with pytest.raises(CampaignError, match=r"max_protected_share is a share.*least share of insured"):
        load_campaign("fy2026", folder)


def _valid_until(
    campaign: Campaign,
    issued_on: date,
    born: date,
    insured_born: date,
    enrolment: str = "employee",
    qualified: date = date(2010, 4, 1),
) -> date:
    """The macro of the models with the campaign's own parameters."""
    import jinja2

    text = (PROJECT_ROOT / "dbt_project" / "macros" / "dates.sql").read_text(encoding="utf-8")
    module: Any = jinja2.Environment(autoescape=False).from_string(text).module
    sql = module.valid_until("issued", "born", "insured_born", "enrolment", "qualified")
    values = campaign.parameters
    parameters = ", ".join(
        f"{getattr(values, name)} as {name}"
        for name in (
            "validity_turns_over_month",
            "validity_turns_over_day",
            "validity_years",
            "age_of_late_stage_care",
            "voluntary_years",
        )
    )
    row = duckdb.execute(
        f"select {sql} from (select ?::date as issued, ?::date as born, ?::date as insured_born, ? as enrolment,"
        f" ?::date as qualified) cross join (select {parameters}) as campaign",
        [issued_on, born, insured_born, enrolment, qualified],
    ).fetchone()
    assert row is not None
    found: date = row[0]
    return found


# --- no year anywhere else ---------------------------------------------------------------------------

A_DAY_OF_A_YEAR = re.compile(
    r"20(?:2[4-9]|3\d)-\d\d(?:-\d\d)?\b|date(?:time)?\(20(?:2[4-9]|3\d),|令和\d+年|(?i:\bfy20\d\d)"
)
# What may name a year, and why. A file that no longer does is taken off.
NAMES_A_YEAR = {
    "include/kakuninsho/campaign/model.py": "the name of the campaign that is in force by default",
    "include/kakuninsho/printer/contract/": "examples of the contract's files, and its table of changes",
    "include/kakuninsho/printer/samples.py": "makes those examples",
    "include/kakuninsho/printer/acceptance.py": "made-up certificates of the acceptance test",
    "include/kakuninsho/documents/proofs.py": "the fixed moment inside a PDF",
    "dbt_project/seeds/usage_rates_published.csv": "rates as printed",
}
SEARCHED = ("dags", "expectations", "include", "dbt_project", "Makefile", "docker-compose.yaml", "Dockerfile")
ENDINGS = {".py", ".sql", ".yml", ".yaml", ".csv", ".typ", ""}


def _what_works(file: Path) -> str:
    """The text of a file without comments and docstrings, where examples may stand, and without tests of models."""
    text = file.read_text(encoding="utf-8", errors="replace")  # the printer's samples are in CP932
    if file.suffix == ".py":
        tree = ast.parse(text)
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        for node in ast.walk(tree):
            if isinstance(node, documented) and ast.get_docstring(node) and "dags" not in file.parts:
                node.body[0] = ast.Pass()
        return ast.unparse(tree)
    if file.suffix == ".sql":
        return re.sub(r"--[^\n]*|\{#.*?#\}", "", text, flags=re.DOTALL)
    if file.suffix == ".yml":
        return re.split(r"(?m)^unit_tests:", text)[0]
    return text


def _names_a_year() -> set[str]:
    """Files that name a day, month or fiscal year of a campaign."""
    found = set()
    for place in SEARCHED:
        path = PROJECT_ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            name = str(file.relative_to(PROJECT_ROOT))
            if file.suffix not in ENDINGS or not file.is_file() or "/campaign/fy" in name:
                continue
            if A_DAY_OF_A_YEAR.search(_what_works(file)):
                found.add(name)
    return found


def test_no_year_of_a_campaign_outside_its_folder() -> None:
    found = _names_a_year()
    allowed = {name for name in found if any(name.startswith(known) for known in NAMES_A_YEAR)}
    assert found - allowed == set()
    assert {known for known in NAMES_A_YEAR if not any(name.startswith(known) for name in found)} == set()


@pytest.mark.parametrize(
    "text", ["where day > date '2025-04-30'", "date(2025, 12, 1)", "令和7年度の暦", "FY2025", '"fy2025"', "2025-07"]
)
def test_a_year_would_be_seen(text: str) -> None:
    assert A_DAY_OF_A_YEAR.search(text)
