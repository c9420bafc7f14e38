"""Reports of dry runs whose DAGs make no plan of pieces: what they would take in, publish, close or delete.

Each ends with `<data>/published/previews/<name>-<day>.html` and makes no fact.
"""

from __future__ import annotations

from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from kakuninsho.campaign.branches import load_branches
from kakuninsho.facts.schemas import KINDS
from kakuninsho.feeds import StagedFeed
from kakuninsho.operations import answers, planning, publishing, retention, waves
from kakuninsho.operations.extraction import staged_drops
from kakuninsho.operations.previews import Table, of_counts, of_plan, write
from kakuninsho.operations.summary import summarise
from kakuninsho.operations.words import say
from kakuninsho.plans.draft import PlanRequest
from kakuninsho.settings import Settings


def register(settings: Settings, names: list[str], as_of: date, run: str = "") -> Path:
    """Drops that would land: rows by file, and rows that would be left out."""
    rows = []
    for drop in staged_drops(settings, names, as_of, run):
        for file, count in drop.rows.items():
            left_out = drop.rejected.get(file, 0)
            rows.append((drop.name, file, count, left_out, count - left_out))
    table = Table("取り込む行", ("配信", "ファイル", "行", "除いた行", "取り込む行"), tuple(rows))
    return write(settings, of_counts("extract_register", "データ抽出", as_of, {"drops": len(names)}, table))


def feeds(settings: Settings, files: list[tuple[str, str]], as_of: date, run: str = "") -> Path:
    """Files of feeds that would land: rows, and rows that would be left out."""
    work = answers.staging_folder(settings, files, run)
    refused = answers.set_aside(settings, files, run)
    rows: list[tuple[str, str, Any, Any]] = []
    for feed, name in files:
        if name in refused:
            rows.append((say(feed), name, "受け入れない", ""))
            continue
        item = StagedFeed.read(work / feed / name)
        rows.append((say(feed), name, item.declared_rows, item.declared_rows - item.accepted))
    table = Table("取り込むファイル", ("種類", "ファイル", "行", "除いた行"), tuple(rows))
    name = "feeds-" + "-".join(sorted({feed for feed, _ in files})) if files else "feeds"
    return write(settings, of_counts(name, "報告・申請の取込み", as_of, {"files": len(files)}, table))


def month(settings: Settings, as_of: date, wave: str | None, branch: str | None) -> Path:
    """What a month would post, by posting date and branch."""
    wave = wave or f"{as_of:%Y-%m}"
    names = {item.prefecture_code: f"{item.prefecture_code} {item.branch_name}" for item in load_branches()}
    lots = [(lot[0], _prefecture(lot[1]), *lot[2:]) for lot in waves.month_lots(settings, wave)]
    lots = [lot for lot in lots if branch is None or lot[1] == branch]
    rows = [
        (
            day.isoformat(),
            names[code],
            len(group),
            sum(lot[2] for lot in group),
            sum(lot[3] for lot in group),
            sum(lot[5] for lot in group),
        )
        for (day, code), found in groupby(sorted(lots), key=lambda lot: (lot[0], lot[1]))
        for group in [list(found)]
    ]
    columns = ("差出日", "支部", "ロット", "封筒", "資格確認書", "郵便料金 (円)")
    counts = {
        "lots": len(lots),
        "envelopes": sum(lot[2] for lot in lots),
        "certificates": sum(lot[3] for lot in lots),
        "postage_yen": sum(lot[5] for lot in lots),
    }
    title = f"個人宛に発送 {wave}"
    return write(
        settings, of_counts(f"mail_wave-{wave}", title, as_of, counts, Table("差出日ごと", columns, tuple(rows)))
    )


def _prefecture(lot_id: str) -> str:
    """The prefecture in a lot's name: campaign-kind-prefecture-day-number."""
    return lot_id.split("-")[-3]


def publication(settings: Settings, as_of: date) -> Path:
    """Whether there is anything new to publish, and of how many facts."""
    day = publishing.newest_fact_on(settings.store)
    counts: dict[str, Any] = {
        "最新の事実": str(day) if day else "なし",
        "公開の写し": "最新" if publishing.is_current(settings) else "作り直す",
    }
    rows = tuple((say(kind.removeprefix("feeds/")), len(settings.store.all(kind))) for kind in KINDS)
    title = "公開 (分析用の写し)"
    return write(settings, of_counts("publish_for_analysts", title, as_of, counts, Table("事実", ("種類", "件"), rows)))


def close(settings: Settings, as_of: date, branch: str | None) -> Path:
    """Returns that would go to the branch desk, and what keeps the season open in the newest published copy.

    The caller holds the warehouse's slot.
    """
    wish = planning.check(settings, PlanRequest("follow_up", as_of, run_on=as_of), dry_run=True)
    totals = planning.draft(settings, wish)
    warnings = planning.judge(settings, wish)
    plan = of_plan(settings, wish, totals, warnings, branch=branch)
    tables = list(plan.tables)
    note = "公開された写しがまだないので、台帳は示せません"
    if (settings.data / "published" / "analytics.duckdb").exists():
        ledger = summarise(settings)["ledger"]
        rows = tuple((row["stage"], row["left"], row["right"], row["difference"], row["open"] or 0) for row in ledger)
        tables.append(Table("台帳 (公開された写し)", ("恒等式", "左辺", "右辺", "差", "未決"), rows))
        waiting = sum(bool(row["difference"] or row["open"]) for row in ledger)
        note = f"閉じていない恒等式: {waiting}" if waiting else "台帳は閉じています"
    report = of_counts(
        "close_season", "年度の締め", as_of, {"返戻 (今回処理するもの)": totals["row_count"]}, *tables, note=note
    )
    return write(settings, report)


def deletion(settings: Settings, as_of: date) -> Path:
    """Facts whose payload would be deleted, by kind."""
    counts = retention.expired(settings, as_of).counts
    return write(settings, of_counts("delete_expired_data", "保存期限を過ぎたデータの削除", as_of, counts))
