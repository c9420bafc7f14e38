"""Usage rates of the My Number card (利用率): the ranking of two months side by side, as the leaflet prints it."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from kakuninsho.campaign import load_branches
from kakuninsho.documents.charts import paired_bars
from kakuninsho.messages import TwoLanguageError
from kakuninsho.operations.published_copy import require_published
from kakuninsho.settings import Settings
from kakuninsho.warehouse import Context, published, run_models, warehouse

NATION = "00"
TOP = BOTTOM = 5
PREFECTURES = 47


class UsageError(TwoLanguageError):
    """The ranking cannot be shown. Says what is missing and what to do."""


@dataclass(frozen=True)
class Rate:
    """A prefecture's rate in a month; rate and rank are None where nobody has published them."""

    prefecture_code: str
    name: str
    rate: float | None
    rank: int | None
    source: str


@dataclass(frozen=True)
class Month:
    """One month of the ranking: the nation, the five highest and the five lowest ranks that are known."""

    month: str
    national: Rate
    top: tuple[Rate, ...]
    bottom: tuple[Rate, ...]
    known_count: int  # prefectures whose rate is known, of 47


@dataclass(frozen=True)
class Ranking:
    """A month beside an earlier one (rules: usage rate)."""

    earlier: Month | None
    later: Month

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def ranking(settings: Settings, month: str | None = None, beside: str | None = None) -> Ranking:
    """The ranking of a month beside an earlier one, from the published copy.

    Without months the newest with a rank or a national rate, and the newest such month before it.

    Raises:
        UsageError: a month is not YYYY-MM or holds no rate, or `beside` is not earlier.
        NothingPublishedError: nothing is published yet.
    """
    require_published(settings)
    with published(settings.data) as connection:
        return _ranking(connection, month, beside)


def publish_rates(settings: Settings, as_of: date) -> dict[str, int]:
    """Rank the rates known on a day and write table and chart, while the caller holds the warehouse's slot.

    Writes `<data>/published/usage_rates/`: `ranking.csv` (two months side by side), `ranking.svg`, and every rate as
    `rates.csv`, an unknown one empty. Returns the prefectures whose rate is known, by
    month shown.

    Raises:
        TransformError: the model cannot be built.
        UsageError: no month has a rate.
    """
    settings.store.initialise()
    run_models(settings.store, settings.campaign, Context(as_of), command="run", select=["fct_usage_rates"])
    with warehouse(settings.data) as connection:
        found = _ranking(connection, None, None)
        rates = connection.execute(
            """
            select month, prefecture_code, round(rate * 100, 2), rank, source
            from marts.fct_usage_rates order by month, prefecture_code
            """
        ).fetchall()
    folder = settings.data / "published" / "usage_rates"
    folder.mkdir(parents=True, exist_ok=True)
    _write_csv(folder / "rates.csv", ["月", "都道府県コード", "利用率(%)", "順位", "出典"], rates)
    _write_csv(folder / "ranking.csv", *_side_by_side(found))
    draw_ranking(found, folder / "ranking.svg")
    months = [month for month in (found.earlier, found.later) if month]
    return {month.month: month.known_count for month in months}


def draw_ranking(found: Ranking, path: Path) -> Path:
    """The nation and the highest and lowest ranks of both months as bars, each in the order of the later month."""
    months = [month for month in (found.earlier, found.later) if month]
    shown: dict[str, None] = {}
    for rates in (found.later.top, (found.later.national,), found.later.bottom):
        shown |= dict.fromkeys(rate.name for rate in rates)
    if found.earlier:
        shown |= dict.fromkeys(rate.name for rate in (*found.earlier.top, *found.earlier.bottom))
    bars = {
        month.month: {
            rate.name: rate.rate for rate in (*month.top, month.national, *month.bottom) if rate.rate is not None
        }
        for month in months
    }
    title = f"マイナ保険証の利用率 ({'・'.join(bars)}、上位と下位)"
    return paired_bars(path, title=title, names=list(shown), months=bars)


def _ranking(connection: duckdb.DuckDBPyConnection, month: str | None, beside: str | None) -> Ranking:
    months = [
        str(row[0])
        for row in connection.execute(
            f"""
            select month from marts.fct_usage_rates
            where rank is not null or (prefecture_code = '{NATION}' and rate is not null)
            group by month order by month desc
            """
        ).fetchall()
    ]
    for given in (month, beside):
        if given is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", given):
            raise UsageError(f"月は YYYY-MM で指定します: {given}", f"a month is written YYYY-MM, not {given}")
        if given is not None and given not in months:
            raise UsageError(
                f"{given} の順位も全国の率も分かりません。分かる月: {'、'.join(months)}",
                f"no rank and no national rate is known of {given}; known are {', '.join(months)}",
            )
    if not months:
        raise UsageError(
            "利用率の分かる月がありません (usage_rates_published が空で、件数も届いていません)",
            "no month has a known rate: the seed usage_rates_published is empty and no counts have come",
        )
    later = month or months[0]
    if beside is not None and beside >= later:
        raise UsageError(
            f"並べる月は前の月にします: {beside} は {later} より前ではありません",
            f"the month beside must be earlier: {beside} is not before {later}",
        )
    earlier = beside or next((found for found in months if found < later), None)
    return Ranking(_month(connection, earlier) if earlier else None, _month(connection, later))


def _month(connection: duckdb.DuckDBPyConnection, month: str) -> Month:
    names = {item.prefecture_code: item.branch_name.removesuffix("支部") for item in load_branches()} | {NATION: "全国"}
    rates = [
        Rate(code, names[code], rate, rank, source)
        for code, rate, rank, source in connection.execute(
            """
            select prefecture_code, rate, rank, source from marts.fct_usage_rates
            where month = ? order by rank nulls last, prefecture_code
            """,
            [month],
        ).fetchall()
    ]
    ranked = [rate for rate in rates if rate.rank is not None]
    return Month(
        month=month,
        national=next(rate for rate in rates if rate.prefecture_code == NATION),
        top=tuple(rate for rate in ranked if rate.rank is not None and rate.rank <= TOP),
        bottom=tuple(rate for rate in ranked if rate.rank is not None and rate.rank > PREFECTURES - BOTTOM),
        known_count=sum(rate.rate is not None for rate in rates if rate.prefecture_code != NATION),
    )


def _side_by_side(found: Ranking) -> tuple[list[str], list[list[Any]]]:
    """Heading and lines of both months beside each other: the top, the nation, the bottom."""
    months = [month for month in (found.earlier, found.later) if month]
    header = [f"{month.month} {name}" for month in months for name in ("順位", "都道府県", "利用率(%)")]
    lines = [
        [cell for rates in parts for cell in _cells(rates[index] if index < len(rates) else None)]
        for parts in (
            [month.top for month in months],
            [(month.national,) for month in months],
            [month.bottom for month in months],
        )
        for index in range(max((len(rates) for rates in parts), default=0))
    ]
    return header, lines


def _cells(rate: Rate | None) -> list[Any]:
    if rate is None:
        return ["", "", ""]
    return [rate.rank or "", rate.name, "" if rate.rate is None else f"{rate.rate * 100:.2f}"]


def side_by_side(found: Ranking) -> tuple[list[str], list[list[str]]]:
    """Heading and lines of the ranking as text, for a table."""
    header, lines = _side_by_side(found)
    return header, [[str(cell) for cell in line] for line in lines]


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
