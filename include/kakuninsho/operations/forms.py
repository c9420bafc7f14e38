"""What the forms of the page ask for, as JSON schemas with Japanese words. Knows no Airflow.

A schema says everything about a field (title, help, bounds, choices), so that the page, the server that checks an
answer and the tests read the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from kakuninsho.campaign import Campaign
from kakuninsho.campaign.branches import load_branches

Schema = dict[str, Any]

NULLABLE = ["null", "string"]
WEEKDAYS = "月火水木金土日"
EVERY_BRANCH = "全支部"
NOT_CHOSEN = "指定しない"
DAYS_NAMED = 8  # a form that lists forty days is not read
DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


def bounds(campaign: Campaign) -> tuple[date, date]:
    """The days that a run can stand for: from the snapshot to the end of the fiscal year in which service ends.

    After the last day of service late answers are still taken in, and the season is closed again.
    """
    last = campaign.parameters.served_by
    return campaign.parameters.snapshot_as_of, date(last.year + (last.month > 3), 3, 31)


def as_of_field(campaign: Campaign, days: Sequence[date], *, bounded: bool = True) -> Schema:
    """The day that a run stands for. Proposes the DAG's own days; other days within the bounds can be typed.

    `bounded` is off for work that goes on for years, as deletion does.
    """
    first, last = bounds(campaign)
    within = f"{first} から {last} まで。" if bounded else f"{first} 以後。"
    planned = f" 予定日: {named_days(days)}。" if days else ""
    return {
        "type": NULLABLE,
        "title": "基準日",
        "description": f"この日の業務として実行します (YYYY-MM-DD)。{within}"
        f"空欄のときは、予定された実行なら予定日、手で始めたときは今日です。{planned}",
        "pattern": f"^({'|'.join(_months(first, last))})-(0[1-9]|[12][0-9]|3[01])$" if bounded else f"^{DAY}$",
        "examples": [day.isoformat() for day in days],
    }


def dry_run_field() -> Schema:
    """Whether to show only."""
    return {
        "type": "boolean",
        "title": "試行 (送らない)",
        "description": "何が起きるかを示すだけで、取込み・確定・送付・公開・削除をしません。"
        "支部ごとの件数・ロット・郵便料金・前回との差がログと <data>/published/previews/ に出ます。",
    }


def branch_field() -> Schema:
    """The branch that a dry run's report is narrowed to. Real runs are of every branch."""
    branches = load_branches()
    names = {branch.prefecture_code: f"{branch.prefecture_code} {branch.branch_name}" for branch in branches}
    return {
        "type": NULLABLE,
        "enum": [None, *names],
        "values_display": {"null": EVERY_BRANCH, "None": EVERY_BRANCH, **names},
        "title": "支部 (試行のみ)",
        "description": "試行の報告をこの支部に絞ります。実際の実行は常に全支部で、支部を選ぶと実行を断ります。",
    }


def wave_field(campaign: Campaign) -> Schema:
    """A month of home mailing."""
    months = campaign.parameters.wave_months
    names = {month: f"{month[:4]}年{int(month[5:])}月" for month in months}
    return {
        "type": NULLABLE,
        "enum": [None, *months],
        "values_display": {"null": NOT_CHOSEN, "None": NOT_CHOSEN, **names},
        "title": "発送月",
        "description": "個人宛に発送する月。指定しないときは基準日の月です。"
        "基準日が空欄なら、その月の最初の営業日とみなします。",
    }


def posting_date_field(campaign: Campaign) -> Schema:
    """A posting date of the campaign, with how many branches post on it."""
    posting = {day: sum(day in window.posting_dates for window in campaign.windows) for day in campaign.posting_dates}
    names = {day.isoformat(): f"{with_weekday(day)} {count} 支部" for day, count in posting.items()}
    return {
        "type": NULLABLE,
        "enum": [None, *names],
        "values_display": {"null": NOT_CHOSEN, "None": NOT_CHOSEN, **names},
        "title": "差出日",
        "description": "この差出日のロットを再確認して差出しを指示します。"
        f"再確認は差出日前 {campaign.parameters.recheck_max_business_days} 営業日以内に限ります。"
        "指定しないときは基準日から、基準日が空欄なら差出日から決まります。",
    }


def with_weekday(day: date) -> str:
    """A day and its weekday: 2025-08-01 (金)."""
    return f"{day} ({WEEKDAYS[day.weekday()]})"


def named_days(days: Iterable[date]) -> str:
    """The first of some days in words, and how many there are when they are many."""
    listed = [day.isoformat() for day in days]
    if len(listed) <= DAYS_NAMED:
        return ", ".join(listed)
    return f"{', '.join(listed[: DAYS_NAMED - 1])} … {listed[-1]} (全 {len(listed)} 日)"


def calendar_words(days: Sequence[date]) -> str:
    """A DAG's calendar in a few words, for the list of DAGs."""
    if not days:
        return "予定なし"
    if len(days) == 1:
        return with_weekday(days[0])
    return f"{days[0]} から {days[-1]} まで {len(days)} 回"


def _months(first: date, last: date) -> list[str]:
    months, day = [], first.replace(day=1)
    while day <= last:
        months.append(f"{day:%Y-%m}")
        day = (day + timedelta(days=31)).replace(day=1)
    return months


# Why lots are stopped; told apart in the fact, in fct_lots and on the stop order's approval.
STOP_REASONS = {
    "return_rate": "返戻率が高い",
    "wrong_content": "内容の誤り",
    "possible_leak": "情報漏えいのおそれ",
    "printer_fault": "印刷会社の事故・設備",
    "disaster": "災害・郵便の停止",
    "plan_again": "計画の作り直し",
    "cleared": "原因がなくなった (再開)",
}
STOP_EFFECTS = {
    "hold": "停止 (再開の指示まで印刷・差出しを止める)",
    "destroy": "廃棄 (全件を引き抜き、あとで新しいロットで送り直す)",
    "resume": "再開 (差出しには新しい差出指示が要る)",
}


def stop_fields(campaign: Campaign) -> dict[str, Schema]:
    """Fields of the form of a stop order. Lots must fit everything that is given; at least one of the three must be."""
    first, last = bounds(campaign)
    lot = r"[a-z0-9]+-[HSEL]-[0-9]{2}-[0-9]{8}-[0-9]{2,}"
    branches = {branch.prefecture_code: f"{branch.prefecture_code} {branch.branch_name}" for branch in load_branches()}
    return {
        "effect": {
            "type": "string",
            "default": "hold",
            "enum": list(STOP_EFFECTS),
            "values_display": STOP_EFFECTS,
            "title": "指示",
            "description": "差し出されたロットには効果がありません。",
        },
        "reason": {
            "type": "string",
            "default": "wrong_content",
            "enum": list(STOP_REASONS),
            "values_display": STOP_REASONS,
            "title": "理由",
            "description": "事実と fct_lots に残ります。個人が分かることは書けません。",
        },
        "lots": {
            "type": NULLABLE,
            "pattern": f"^{lot}([ ,]+{lot})*$",
            "title": "ロットID",
            "description": "空白かコンマで区切ります。例: <年度>-H-18-<差出日>-01",
        },
        "lots_of_branch": {
            "type": NULLABLE,
            "enum": [None, *branches],
            "values_display": {"null": NOT_CHOSEN, "None": NOT_CHOSEN, **branches},
            "title": "支部",
            "description": "この支部の、印刷会社にあるすべてのロット。",
        },
        "lots_posted_on": {
            "type": NULLABLE,
            "pattern": f"^{DAY}$",
            "title": "差出日",
            "description": f"この差出日のロット ({first} から {last})。"
            "ロットID・支部とともに入れると、すべてに合うロットだけです。",
        },
    }
