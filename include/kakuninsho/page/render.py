"""The page's HTML from its figures. Everything is in one file: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from pathlib import Path

import jinja2
from markupsafe import Markup

from kakuninsho.page import charts, small_numbers, words
from kakuninsho.page.figures import Branch, Figures, UsageRate, Waiting, Wave

ALERTS_SHOWN = 100
LOTS_SHOWN = 500
NATION = "00"
BLUES = ((232, 241, 250), (8, 69, 148))
ORANGES = ((253, 240, 226), (166, 54, 3))
GREENS = ((233, 246, 236), (0, 90, 50))
REASONS = {
    "no_posting_date": "差出日のない封筒があります。",
    "printer_too_small": "印刷会社の能力が足りません。",
    "post_too_small": "郵便の能力が足りません。",
    "planned_too_late": "差出日が遅すぎる封筒があります。",
}


@dataclass(frozen=True)
class WorkRow:
    """A branch's line of the work list table, in words."""

    name: str
    cells: list[str]
    total: str


@dataclass(frozen=True)
class WorkTable:
    """The work list as a table of branches and stages."""

    stages: list[str]
    rows: list[WorkRow]
    totals: list[str]
    total: str


@dataclass(frozen=True)
class RankedRate:
    """One line of a ranking."""

    rank: int
    name: str
    rate: float | None


@dataclass(frozen=True)
class UsageMonth:
    """The ranking of one month."""

    month: str
    national: float | None
    rows: list[RankedRate]


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Templates with escaping on and undefined names refused."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("kakuninsho.page"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    found.filters.update(
        number=lambda value: f"{value:,}",
        people=small_numbers.people,
        part_of=small_numbers.part_of,
        percent=lambda value: "—" if value is None else f"{value:.1%}",
        percent2=lambda value: "—" if value is None else f"{value:.2%}",
        day=lambda value: f"{value.year}年{value.month}月{value.day}日" if isinstance(value, date) else "—",
        month=lambda value: f"{value[:4]}年{int(value[5:])}月" if value else "—",
    )
    style = (Path(__file__).parent / "templates" / "style.css").read_text(encoding="utf-8")
    found.globals.update(style=Markup(style), words=words)  # noqa: S704 (our own file)
    return found


def campaign_page(
    figures: Figures, *, title: str, base: str, runbooks: dict[str, str], may_approve: bool = False
) -> str:
    """The campaign page.

    Args:
        figures: what the published copy says.
        title: the campaign's name for people.
        base: what leads from the page to the folder that holds docs/ and validations/.
        runbooks: title by alert code of every runbook.
        may_approve: whether the reader may open proofs.
    """
    to_be_served = figures.people("to_be_served")
    scales = _scales(figures.usage_rates)
    states = {state for counts in figures.lot_states.values() for state in counts}
    lots = sorted(figures.lots, key=lambda lot: (lot.posting_date, lot.lot_id), reverse=True)[:LOTS_SHOWN]
    return environment().get_template("campaign.html").render(
        title=title,
        base=base,
        may_approve=may_approve,
        figures=figures,
        campaign=figures.campaign,
        to_be_served=to_be_served,
        served=figures.served_count,
        served_rate=figures.served_count / to_be_served if to_be_served else None,
        return_rate=figures.returned_count / figures.posted_count if figures.posted_count else None,
        ledger_closes=all(row.closes for row in figures.ledger),
        open_count=sum(row.open_count for row in figures.ledger),
        critical_count=sum(alert.severity == "critical" for alert in figures.alerts),
        season=charts.season(figures.steps, figures.campaign.as_of),
        states=list(charts.STATE_COLOURS.items()),
        alerts=figures.alerts[:ALERTS_SHOWN],
        runbooks=runbooks,
        waterfall=charts.waterfall(figures.flow),
        scales=scales,
        maps=[charts.tile_map(figures.branches, scale) for scale in scales],
        progress=progress,
        returns=returns,
        wave_bar=wave_bar,
        lot_states=[*(state for state in words.LOT_STATES if state in states), *sorted(states - set(words.LOT_STATES))],
        lots=lots,
        forecast=charts.forecast(figures.weeks),
        is_mail_left=any(week.to_post or week.backlog_after for week in figures.weeks),
        reasons=REASONS,
        work_list=work_table(figures.waiting),
        usage=usage_months(figures.usage_rates, figures.branches),
    )  # fmt: skip


def message_page(text: str, *, title: str, base: str, may_approve: bool) -> str:
    """A page that says why there is nothing to show."""
    return environment().get_template("message.html").render(title=title, text=text, base=base, may_approve=may_approve)


def proofs_page(plans: Sequence[tuple[str, Sequence[str]]], *, base: str) -> str:
    """Links to proofs by plan."""
    return environment().get_template("proofs.html").render(title="校正", plans=plans, base=base)


def progress(branch: Branch) -> float | None:
    """Envelopes posted of those that are to be posted."""
    return small_numbers.rate(branch.posted_count, branch.planned_count - branch.pulled_count)


def returns(branch: Branch) -> float | None:
    """Envelopes returned of those posted."""
    return small_numbers.rate(branch.returned_count, branch.posted_count)


def wave_bar(wave: Wave) -> Markup:
    """Posted and kept, returned, pulled and open envelopes of a month beside each other."""
    return charts.share_bar(
        [
            (wave.posted_count - wave.returned_count, charts.STATE_COLOURS["done"], "差出し"),
            (wave.returned_count, charts.FLOW_COLOURS["returned"], "返戻"),
            (wave.pulled_count, "#a9b4c2", "引抜き"),
            (max(wave.open_count, 0), "#e3e8ee", "残り"),
        ]
    )


def work_table(waiting: Sequence[Waiting]) -> WorkTable:
    """Branches by stage, without small numbers. Totals of the nation are exact unless they would give one away."""
    stages = [stage for stage in words.WORK_STAGES if any(item.stage == stage for item in waiting)]
    stages += sorted({item.stage for item in waiting} - set(stages))
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for item in waiting:
        counts.setdefault((item.prefecture_code, item.branch_name), {})[item.stage] = item.people_count
    columns = [[row.get(stage, 0) for row in counts.values()] for stage in stages]
    totals = [small_numbers.total(column) for column in columns]
    everyone = sum(count for column in columns for count in column)
    # An exact sum would give the one column away that is rounded.
    is_exact = totals == [f"{sum(column):,}" for column in columns]
    return WorkTable(
        stages,
        [
            WorkRow(
                name,
                [small_numbers.people(row.get(stage, 0)) for stage in stages],
                small_numbers.total([row.get(stage, 0) for stage in stages], exact_from=len(stages)),
            )
            for (_, name), row in sorted(counts.items())
        ],
        totals,
        f"{everyone:,}" if is_exact else small_numbers.rounded(everyone),
    )


def usage_months(rates: Sequence[UsageRate], branches: Sequence[Branch]) -> list[UsageMonth]:
    """The two newest months, newest first: whoever has a rank, in its order."""
    names = {branch.prefecture_code: words.short_branch(branch.branch_name) for branch in branches}
    months = []
    for month in sorted({rate.month for rate in rates}, reverse=True)[:2]:
        mine = [rate for rate in rates if rate.month == month]
        ranked = sorted((rate for rate in mine if rate.rank), key=lambda rate: rate.rank or 0)
        shown = ranked if len(ranked) <= 10 else [*ranked[:5], *ranked[-5:]]
        months.append(
            UsageMonth(
                month,
                next((rate.rate for rate in mine if rate.prefecture_code == NATION), None),
                [RankedRate(rate.rank or 0, names.get(rate.prefecture_code, "?"), rate.rate) for rate in shown],
            )
        )
    return months


def _scales(rates: Sequence[UsageRate]) -> list[charts.Scale]:
    """The measures of the tile map. The usage rate is that of the newest month in which any prefecture has one."""
    known = [rate for rate in rates if rate.prefecture_code != NATION and rate.rate is not None]
    month = max((rate.month for rate in known), default="")
    newest = {rate.prefecture_code: rate.rate for rate in known if rate.month == month}
    values = [rate for rate in newest.values() if rate is not None]
    least, most = (min(values), max(values)) if values else (0.0, 1.0)
    note = f"{month[:4]}年{int(month[5:])}月、公表された都道府県だけ" if month and len(values) < 47 else ""
    return [
        charts.Scale("progress", "進捗 (差出し済みの割合)", BLUES, progress, 0, 1),
        charts.Scale("returns", "返戻率", ORANGES, returns, 0, 0.1),
        charts.Scale("usage", "マイナ保険証の利用率", GREENS, partial(_usage, newest), least, most, note),
    ]


def _usage(newest: dict[str, float | None], branch: Branch) -> float | None:
    return newest.get(branch.prefecture_code)
