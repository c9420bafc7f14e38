"""What is ahead, read from the published copy: whether the last day of service holds, which cards expire when."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from kakuninsho.campaign import load_branches
from kakuninsho.documents.charts import stacked_months
from kakuninsho.messages import TwoLanguageError
from kakuninsho.operations.published_copy import NothingPublishedError, require_published
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published

REASONS = {
    "no_posting_date": "差し出す日のない封筒がある",
    "printer_too_small": "週の印刷能力が足りない",
    "post_too_small": "週の引受能力が足りない",
    "planned_too_late": "到達とみなす日数が期限までに残らない",
}
MONTHS_AHEAD = 12


class ForecastError(TwoLanguageError):
    """No such forecast can be shown. Says what to give instead."""


@dataclass(frozen=True)
class Week:
    """A week of the deadline forecast, in envelopes (mart fct_deadline_forecast)."""

    week_start: date
    to_post: int
    withheld: int
    pending: int
    printer_capacity: int
    post_capacity: int
    posted: int
    backlog_after: int


@dataclass(frozen=True)
class Deadline:
    """Whether everything is delivered by the last day of service (mart fct_deadline_verdict), and the weeks to it."""

    as_of: date
    served_by: date
    deliver_by_posting_on: date
    to_post: int
    without_date: int
    over_capacity: int
    planned_too_late: int
    late: int
    reason_code: str | None
    holds: bool
    weeks: tuple[Week, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: days as text, the weeks as a list."""
        return asdict(self)

    def sentence(self) -> str:
        """The verdict in one line, for a log or an approval."""
        start = f"{self.served_by} の期限 ({self.as_of} 時点、これから差し出す封筒 {self.to_post:,} 通): "
        if self.holds:
            return start + "間に合う見込み (the deadline holds)"
        reason = REASONS.get(str(self.reason_code), str(self.reason_code))
        return start + (
            f"間に合わない見込み {self.late:,} 通。{reason} "
            f"(at risk: {self.reason_code}, docs/runbooks/deadline_at_risk.md)"
        )


def deadline(settings: Settings) -> Deadline:
    """The deadline forecast of the newest publication.

    Raises:
        NothingPublishedError: nothing is published yet.
    """
    require_published(settings)
    with published(settings.data) as connection:
        verdict = _rows(connection, "from marts.fct_deadline_verdict")
        weeks = _rows(
            connection,
            f"select {', '.join(Week.__annotations__)} from marts.fct_deadline_forecast order by week_start",
        )
    return Deadline(**verdict[0], weeks=tuple(Week(**week) for week in weeks))


def deadline_sentence(settings: Settings) -> str:
    """The verdict of the newest publication in one line; says so where there is none yet."""
    try:
        return deadline(settings).sentence()
    except NothingPublishedError:
        return "期限の見込みはまだありません (no forecast is published yet)"


@dataclass(frozen=True)
class CardMonth:
    """A month of one branch: certificates that expire, and those whose grace ends (rules: My Number card validity)."""

    month: str
    branch: str
    expiring_count: int
    grace_ending_count: int
    rolling_count: int  # to whom the rolling route sends a certificate then, before their grace is over


def card_expiry(settings: Settings, branch: str | None = None) -> list[CardMonth]:
    """Card forecast of the coming twelve months, by month and branch; the month of the publication is the first.

    `branch` is the two digits of a prefecture; without it every branch.

    Raises:
        ForecastError: there is no such branch.
        NothingPublishedError: nothing is published yet.
    """
    names = {item.insurer_number: item.branch_name for item in load_branches()}
    codes = {item.prefecture_code: item.insurer_number for item in load_branches()}
    if branch is not None and branch not in codes:
        raise ForecastError(
            f"支部は都道府県コード 2桁 (01〜47) で指定します: {branch}",
            f"a branch is named by the two digits of its prefecture, 01 to 47, not {branch}",
        )
    require_published(settings)
    with published(settings.data) as connection:
        found = _rows(
            connection,
            f"""
            select month, insurer_number, expiring_count, grace_ending_count, rolling_count
            from marts.fct_card_expiry_forecast cross join marts.fct_deadline_verdict
            where month >= strftime(as_of, '%Y-%m')
                and month < strftime(as_of + interval {MONTHS_AHEAD} month, '%Y-%m')
                {f"and insurer_number = '{codes[branch]}'" if branch else ""}
            order by month, insurer_number
            """,
        )
    return [CardMonth(branch=names[row.pop("insurer_number")], **row) for row in found]


def by_month(cards: list[CardMonth]) -> dict[str, tuple[int, int, int]]:
    """Sums over branches: expiring, grace ending, and served by the rolling route, by month in order."""
    sums: dict[str, tuple[int, int, int]] = {}
    for card in cards:
        expiring, ending, rolling = sums.get(card.month, (0, 0, 0))
        sums[card.month] = (
            expiring + card.expiring_count,
            ending + card.grace_ending_count,
            rolling + card.rolling_count,
        )
    return sums


def draw_card_expiry(settings: Settings) -> Path | None:
    """Draw the coming twelve months of all branches as `<data>/published/charts/card_expiry.svg`.

    Returns None while there is no register to forecast from. Drawn again only when its figures have changed.
    """
    sums = by_month(card_expiry(settings))
    if not any(any(counts) for counts in sums.values()):
        return None
    return stacked_months(
        settings.data / "published" / "charts" / "card_expiry.svg",
        title="電子証明書の有効期限満了の見込み (今後12か月、全支部)",
        series={
            "有効期限が来る人": {month: counts[0] for month, counts in sums.items()},
            "猶予が終わる人": {month: counts[1] for month, counts in sums.items()},
            "猶予が終わる前に資格確認書を送る人": {month: counts[2] for month, counts in sums.items()},
        },
        unit="人",
    )


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = connection.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
