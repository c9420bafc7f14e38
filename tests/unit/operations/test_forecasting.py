"""What is ahead, read from a published copy made by hand: the deadline's sentence, the cards' twelve months, charts."""

from __future__ import annotations

import json
import logging
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
from typer.testing import CliRunner

from kakuninsho.cli import app
from kakuninsho.operations import forecasting
from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.settings import Settings

VERDICT = """
    create table marts.fct_deadline_verdict as
    select date '2025-10-20' as as_of, date '2025-12-01' as served_by, date '2025-11-01' as deliver_by_posting_on,
        1200::bigint as to_post, {late}::bigint as without_date, 0::bigint as over_capacity,
        0::bigint as planned_too_late, {late}::bigint as late, {reason} as reason_code, {late} = 0 as holds
"""
WEEKS = """
    create table marts.fct_deadline_forecast as
    select week_start, 5 as working_days, to_post, 0::bigint as withheld, 0::bigint as pending,
        0::bigint as posted_already, 1500000::bigint as printer_capacity, 2000000::bigint as post_capacity,
        to_post as posted, {late}::bigint as backlog_after
    from (values (date '2025-10-27', 200::bigint), (date '2025-10-20', 1000::bigint)) as weeks (week_start, to_post)
"""
WAVES = """
    create table marts.fct_waves (
        wave_key varchar, open_count bigint, unconfirmed_pull_count bigint, is_closed boolean
    )
"""
CARDS = """
    create table marts.fct_card_expiry_forecast as
    select insurer_number, strftime(month_on, '%Y-%m') as month, 10::bigint as expiring_count,
        7::bigint as grace_ending_count, 3::bigint as rolling_count
    from (values ('01180017'), ('01470012')) as branches (insurer_number),
        generate_series(date '2025-04-01', date '2027-03-01', interval 1 month) as months (month_on)
"""


def _installation(data: Path, *, late: int = 0, reason: str | None = None) -> Settings:
    (data / "published").mkdir(parents=True)
    with duckdb.connect(str(data / "published" / "analytics.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute(VERDICT.format(late=late, reason=f"'{reason}'" if reason else "null::varchar"))
        connection.execute(WEEKS.format(late=late))
        connection.execute(WAVES)
        connection.execute(CARDS)
    return Settings(data, data, data, data, "fy2025")


def test_the_sentence_says_that_the_deadline_holds(tmp_path: Path) -> None:
    sentence = forecasting.deadline_sentence(_installation(tmp_path))
    assert sentence == (
        "2025-12-01 の期限 (2025-10-20 時点、これから差し出す封筒 1,200 通): 間に合う見込み (the deadline holds)"
    )


def test_the_sentence_says_how_many_are_late_why_and_where_to_read_on(tmp_path: Path) -> None:
    sentence = forecasting.deadline_sentence(_installation(tmp_path, late=30, reason="no_posting_date"))
    assert "間に合わない見込み 30 通。差し出す日のない封筒がある" in sentence
    assert "docs/runbooks/deadline_at_risk.md" in sentence


def test_before_the_first_publication_an_approval_is_not_stopped(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path, tmp_path, tmp_path, "fy2025")
    assert "まだありません" in forecasting.deadline_sentence(settings)


def test_forecast_command_ends_with_1_when_the_deadline_does_not_hold(tmp_path: Path) -> None:
    for late, code in ((0, 0), (30, 1)):
        data = tmp_path / str(late)
        _installation(data, late=late, reason="no_posting_date" if late else None)
        done = CliRunner().invoke(app, ["forecast", "--json", "--data", str(data)])
        assert done.exit_code == code
        found = json.loads(done.stdout)
        assert (found["holds"], found["late"]) == (late == 0, late)
        assert [week["week_start"] for week in found["weeks"]] == ["2025-10-20", "2025-10-27"]
        shown = CliRunner().invoke(app, ["forecast", "--data", str(data)])
        assert shown.exit_code == code
        assert "2025-10-27" in shown.stdout


def test_every_reason_of_the_model_has_its_words() -> None:
    sql = (PROJECT_ROOT / "dbt_project/models/marts/forecast/fct_deadline_verdict.sql").read_text(encoding="utf-8")
    runbook = (PROJECT_ROOT / "docs/runbooks/deadline_at_risk.md").read_text(encoding="utf-8")
    for reason in forecasting.REASONS:
        assert f"then '{reason}'" in sql
        assert f"`{reason}`" in runbook
    assert sql.count("then '") == len(forecasting.REASONS)


def test_cards_of_the_coming_twelve_months_by_branch_and_together(tmp_path: Path) -> None:
    settings = _installation(tmp_path)
    both = forecasting.card_expiry(settings)
    assert len(both) == 2 * 12
    assert (both[0].month, both[-1].month) == ("2025-10", "2026-09")
    assert {card.branch for card in both} == {"福井支部", "沖縄支部"}
    assert forecasting.by_month(both)["2026-01"] == (20, 14, 6)
    assert {card.branch for card in forecasting.card_expiry(settings, "18")} == {"福井支部"}
    with pytest.raises(forecasting.ForecastError):
        forecasting.card_expiry(settings, "48")


def test_card_chart_is_drawn_once_for_the_same_figures(tmp_path: Path) -> None:
    settings = _installation(tmp_path)
    path = forecasting.draw_card_expiry(settings)
    assert path == tmp_path / "published" / "charts" / "card_expiry.svg"
    text = "".join(ElementTree.fromstring(path.read_bytes()).itertext())
    assert "猶予が終わる人" in text
    assert "2026-09" in text
    assert "2026-10" not in text
    before = path.stat().st_mtime_ns
    forecasting.draw_card_expiry(settings)
    assert path.stat().st_mtime_ns == before
    figures = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert {"月": "2025-10", "区分": "有効期限が来る人", "数": 20} in figures["rows"]


def test_no_chart_without_any_card(tmp_path: Path) -> None:
    settings = _installation(tmp_path)
    with duckdb.connect(str(tmp_path / "published" / "analytics.duckdb")) as connection:
        connection.execute("delete from marts.fct_card_expiry_forecast")
    assert forecasting.draw_card_expiry(settings) is None


def test_opening_a_month_logs_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from kakuninsho.operations import waves

    settings = _installation(tmp_path, late=30, reason="printer_too_small")
    monkeypatch.setattr(waves, "month_lots", lambda *_: [])
    with caplog.at_level(logging.INFO):
        waves.open_month(settings, date(2025, 10, 1))
    assert "間に合わない見込み 30 通。週の印刷能力が足りない" in caplog.text
