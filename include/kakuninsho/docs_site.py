"""`make docs`: one page under `<data>/published/docs/` that leads to dbt docs, validation reports and the summary."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from kakuninsho.facts.store import FactStore
from kakuninsho.operations.publishing import newest_fact_on
from kakuninsho.settings import Settings
from kakuninsho.warehouse import Context, write_context
from kakuninsho.warehouse.transform import call_dbt

STATIC_PAGE = "static_index.html"  # what `dbt docs generate --static` writes: models, columns, lineage in one file

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.7 system-ui,"Noto Sans JP","Hiragino Sans",sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #8886;padding:.35rem .6rem;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}
tr.stop td{background:#b3261e22}tr.warn td{background:#b26a0022}
.lang{color:GrayText;font-size:.85em}
"""


@dataclass(frozen=True)
class Report:
    """One validation report: a gate that judged a drop, a feed's file or a plan."""

    subject: str
    suite: str
    page: Path
    failed_critical: int
    failed_warning: int

    @property
    def verdict(self) -> tuple[str, str]:
        """Row class and words."""
        if self.failed_critical:
            return "stop", f"停止 {self.failed_critical} 件 (stopped)"
        if self.failed_warning:
            return "warn", f"注意 {self.failed_warning} 件 (warnings)"
        return "ok", "合格 (passed)"


def build(settings: Settings) -> Path:
    """Write the page and what it leads to; returns the page.

    dbt reads the warehouse for the catalog, so nothing else may hold it meanwhile.

    Raises:
        TransformError: dbt could not make its documentation.
    """
    folder = settings.data / "published" / "docs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.store.initialise()
    _dbt_docs(settings, folder / "dbt.html")
    if (settings.data / "summary.json").exists():
        shutil.copyfile(settings.data / "summary.json", folder / "summary.json")
    page = folder / "index.html"
    reports = find_reports(settings.data / "published" / "validations")
    page.write_text(render(settings, reports, folder), encoding="utf-8")
    return page


def _dbt_docs(settings: Settings, page: Path) -> None:
    day = newest_fact_on(settings.store) or settings.campaign.parameters.snapshot_as_of
    if not (settings.data / "context").exists():
        write_context(settings.store, settings.campaign, Context(day))
    call_dbt(settings.data, ["docs", "generate", "--static"])
    part = page.with_suffix(".part")
    shutil.copyfile(settings.data / "dbt" / "target" / STATIC_PAGE, part)
    part.replace(page)


def find_reports(folder: Path) -> list[Report]:
    """Every validation report below a folder, by subject and suite."""
    reports = []
    for file in sorted(folder.rglob("*.json")):
        page = file.with_suffix(".html")
        if not page.exists():
            continue
        rules = json.loads(file.read_text(encoding="utf-8"))["rules"]
        failed = [rule["severity"] for rule in rules if rule["outcome"] in {"failed", "error"}]
        subject, *suite = file.relative_to(folder).with_suffix("").parts
        reports.append(
            Report(subject, "/".join(suite), page, failed.count("critical"), len(failed) - failed.count("critical"))
        )
    return reports


def render(settings: Settings, reports: Iterable[Report], folder: Path) -> str:
    """The page. Links are relative, so that the folder `published/` can be copied elsewhere."""
    rows = [
        f'<tr class="{report.verdict[0]}"><td>{escape(report.subject)}</td>'
        f'<td><a href="{escape(_relative(report.page, folder))}">{escape(report.suite)}</a></td>'
        f"<td>{escape(report.verdict[1])}</td></tr>"
        for report in reports
    ]
    return "\n".join(
        [
            '<!doctype html><html lang="ja"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(settings.campaign.title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(settings.campaign.title)}</h1>",
            f"<p>{_day(settings.store)}</p>",
            '<h2>データ <span class="lang" lang="en">data</span></h2>',
            '<p><a href="dbt.html">dbt docs: 表・列の説明と系統図</a> '
            '<span class="lang" lang="en">every table and column, and the lineage</span></p>',
            *_summary(settings.data / "summary.json"),
            '<h2>検査報告 <span class="lang" lang="en">validation reports</span></h2>',
            "<table><thead><tr><th>対象</th><th>検査</th><th>結果</th></tr></thead><tbody>",
            *(rows or ['<tr><td colspan="3">まだありません (none yet)</td></tr>']),
            "</tbody></table></body></html>",
        ]
    )


def _day(store: FactStore) -> str:
    day = newest_fact_on(store)
    return f"最新の事実 (newest fact): {day}" if day else "まだ何も取り込まれていません (no facts yet)"


def _summary(file: Path) -> list[str]:
    heading = '<h2>台帳 <span class="lang" lang="en">ledger</span></h2>'
    if not file.exists():
        return [heading, "<p>年度の要約はまだありません (no summary yet: <code>make season</code> writes it)</p>"]
    rows = [
        f'<tr class="{"ok" if row["difference"] == 0 else "stop"}"><td>{escape(str(row["stage"]))}</td>'
        + "".join(f'<td class="n">{row[side]:,}</td>' for side in ("left", "right", "difference"))
        + "</tr>"
        for row in json.loads(file.read_text(encoding="utf-8"))["ledger"]
    ]
    return [
        heading,
        '<p><a href="summary.json">summary.json</a></p>',
        "<table><thead><tr><th>恒等式</th><th>左辺</th><th>右辺</th><th>差</th></tr></thead><tbody>",
        *rows,
        "</tbody></table>",
    ]


def _relative(target: Path, folder: Path) -> str:
    return Path(os.path.relpath(target, folder)).as_posix()
