"""The ranking of usage rates: two months side by side as in the leaflet; what is unknown stays unknown (section 11)."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
from typer.testing import CliRunner

from kakuninsho.cli import app
from kakuninsho.operations import usage
from kakuninsho.paths import DBT_PROJECT
from kakuninsho.settings import Settings

# The mart as the model makes it of the seed alone: each prefecture in each month, unknown ones null.
MART = f"""
    create table marts.fct_usage_rates as
    with printed as (
        select * from read_csv('{DBT_PROJECT}/seeds/usage_rates_published.csv', types={{'prefecture_code': 'VARCHAR'}})
    ),
    grid as (
        select lpad(code::varchar, 2, '0') as prefecture_code, month
        from range(0, 48) as codes (code), (select distinct month from printed)
    )
    select grid.prefecture_code, grid.month, round(printed.rate_percent / 100, 6) as rate,
        printed.rank::integer as rank,
        coalesce(printed.source, 'unknown') as source, null::bigint as uses, null::bigint as verifications
    from grid left join printed using (prefecture_code, month)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "published").mkdir()
    with duckdb.connect(str(tmp_path / "published" / "analytics.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute(MART)
    return Settings(tmp_path, tmp_path, tmp_path, tmp_path, "fy2025")


def _count(settings: Settings, month: str, prefectures: int) -> None:
    """Counts of a month: rate n % in prefecture n; ranks and the national rate only where all 47 came."""
    complete = prefectures == 47
    with duckdb.connect(str(settings.data / "published" / "analytics.duckdb")) as connection:
        connection.execute(
            f"""
            insert into marts.fct_usage_rates
            select lpad(code::varchar, 2, '0'), '{month}',
                case when code between 1 and {prefectures} then code / 100.0 when {complete} and code = 0 then 0.24 end,
                case when {complete} and code > 0 then 48 - code end,
                case when code <= {prefectures} then 'counts' else 'unknown' end, null, null
            from range(0, 48) as codes (code)
            """
        )


def test_the_leaflet_s_two_months_stand_side_by_side(settings: Settings) -> None:
    header, lines = usage.side_by_side(usage.ranking(settings))
    assert header[0] == "2024-10 順位"
    assert header[3] == "2025-03 順位"
    assert lines[0] == ["1", "富山", "23.59", "1", "富山", "36.72"]
    assert lines[1] == ["2", "島根", "21.71", "2", "福井", "36.35"]
    assert lines[2] == ["3", "福井", "21.63", "3", "島根", "34.93"]
    assert lines[5] == ["", "全国", "15.67", "", "全国", "27.26"]
    assert lines[6] == ["43", "愛知", "13.92", "43", "高知", "24.28"]
    assert lines[10] == ["47", "沖縄", "7.43", "47", "沖縄", "15.90"]
    assert len(lines) == 11


def test_what_is_unknown_is_in_no_ranking_and_is_counted_as_unknown(settings: Settings) -> None:
    found = usage.ranking(settings)
    assert found.earlier is not None
    assert found.later.known_count == found.earlier.known_count == 10
    shown = {rate.name for month in (found.earlier, found.later) for rate in (*month.top, *month.bottom)}
    assert "東京" not in shown
    assert all(rate.rate is not None for rate in (*found.later.top, *found.later.bottom))


def test_a_month_with_all_counts_is_the_newest_and_fully_ranked(settings: Settings) -> None:
    _count(settings, "2025-06", 47)
    found = usage.ranking(settings)
    assert found.earlier is not None
    assert (found.earlier.month, found.later.month, found.later.known_count) == ("2025-03", "2025-06", 47)
    assert [(rate.rank, rate.name) for rate in found.later.top] == [
        (1, "沖縄"), (2, "鹿児島"), (3, "宮崎"), (4, "大分"), (5, "熊本"),
    ]  # fmt: skip
    assert [rate.rank for rate in found.later.bottom] == [43, 44, 45, 46, 47]


def test_an_incomplete_month_is_not_ranked(settings: Settings) -> None:
    _count(settings, "2025-06", 46)
    assert usage.ranking(settings).later.month == "2025-03"
    with pytest.raises(usage.UsageError, match=r"2025-06"):
        usage.ranking(settings, "2025-06")


@pytest.mark.parametrize(
    ("month", "beside"), [("2025-3", None), ("2025-03", "2025-03"), ("2024-10", "2025-03"), ("2025-13", None)]
)
def test_months_that_cannot_stand_beside_each_other_are_refused(
    settings: Settings, month: str, beside: str | None
) -> None:
    with pytest.raises(usage.UsageError):
        usage.ranking(settings, month, beside)


def test_the_chart_has_the_nation_and_no_bar_for_what_is_unknown(settings: Settings, tmp_path: Path) -> None:
    path = usage.draw_ranking(usage.ranking(settings), tmp_path / "ranking.svg")
    text = "".join(ElementTree.fromstring(path.read_bytes()).itertext())
    assert "全国" in text
    assert "36.72" in text
    figures = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    # Ten prefectures of each month; 宮城 and 愛知 are known of the earlier month only, 高知 and 長野 of the later.
    assert len(figures["names"]) == 13
    assert len(figures["rows"]) == 22
    assert sum(row["支部"] == "高知" for row in figures["rows"]) == 1


def test_ranking_file_is_the_table_that_is_shown(settings: Settings, tmp_path: Path) -> None:
    header, lines = usage.side_by_side(usage.ranking(settings))
    usage._write_csv(tmp_path / "ranking.csv", header, lines)
    with (tmp_path / "ranking.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [header, *lines]


def test_usage_rates_command(settings: Settings) -> None:
    data = ["--data", str(settings.data)]
    done = CliRunner().invoke(app, ["usage-rates", "--json", *data])
    found = json.loads(done.stdout)
    assert (found["later"]["month"], found["later"]["national"]["rate"]) == ("2025-03", 0.2726)
    assert found["later"]["top"][0] == {
        "prefecture_code": "16", "name": "富山", "rate": 0.3672, "rank": 1, "source": "seed",
    }  # fmt: skip
    shown = CliRunner().invoke(app, ["usage-rates", *data])
    assert shown.exit_code == 0
    assert "36.72" in shown.stdout
    assert CliRunner().invoke(app, ["usage-rates", "--month", "2020-01", *data]).exit_code == 1
