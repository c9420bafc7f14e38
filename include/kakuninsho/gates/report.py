"""The validation report as one HTML page: self-contained, Japanese first, counts and no values."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.7 system-ui,"Noto Sans JP","Hiragino Sans",sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:0}
.lang{color:GrayText}
.verdict{border-left:.5rem solid;padding:.5rem 1rem;margin:1.5rem 0}
.verdict.ok{border-color:#2e7d32}.verdict.warn{border-color:#b26a00}.verdict.stop{border-color:#b3261e}
table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{border-bottom:1px solid #8886;padding:.35rem .6rem;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
tr.failed-critical td,tr.error td{background:#b3261e22}tr.failed-warning td{background:#b26a0022}
tr.not_judged td{color:GrayText}
code{font-size:.85em}
"""
_SEVERITY = {"critical": "停止 / critical", "warning": "注意 / warning"}
_OUTCOME = {
    "passed": "○ 合格",
    "failed": "× 不合格",
    "not_judged": "－ 判定せず",
    "error": "× 判定できず",
}


def _verdict(document: Mapping[str, Any], what_to_do: str) -> str:
    rules = document["rules"]
    stops = [
        rule
        for rule in rules
        if rule["outcome"] == "error" or (rule["outcome"] == "failed" and rule["severity"] == "critical")
    ]
    warnings = [rule for rule in rules if rule["outcome"] == "failed" and rule["severity"] == "warning"]
    if stops:
        kind, words = "stop", f"停止 — {len(stops)} 件の規則に反しています。{what_to_do}"
    elif warnings:
        kind, words = "warn", f"合格（注意 {len(warnings)} 件）— 承認者は内容を確かめてください。"
    else:
        kind, words = "ok", "合格 — 反する行はありません。"
    english = {"stop": "stopped", "warn": "passed with warnings", "ok": "passed"}[kind]
    return (
        f'<p class="verdict {kind}" role="status"><strong>{escape(words)}</strong>'
        f' <span class="lang" lang="en">{english}</span></p>'
    )


def _row(rule: Mapping[str, Any]) -> str:
    kind = f"failed-{rule['severity']}" if rule["outcome"] == "failed" else rule["outcome"]
    count = "—" if rule["count"] is None else f"{rule['count']:,}"
    note = f"<br><small>{escape(rule['note'])}</small>" if rule["note"] else ""
    return (
        f'<tr class="{kind}"><td>{_OUTCOME[rule["outcome"]]}{note}</td><td>{_SEVERITY[rule["severity"]]}</td>'
        f"<td>{escape(rule['description'])}<br><small><code>{escape(rule['rule'])}</code> "
        f'<span lang="en">{escape(rule["holds"])}</span></small></td>'
        f'<td><code>{escape(rule["table"])}</code></td><td class="n">{count}</td></tr>'
    )


def render(document: Mapping[str, Any], what_to_do: str) -> str:
    """The page of one validation. `document` is the report's JSON; it holds counts only, so the page does."""
    tables = "".join(
        f'<tr><td><code>{escape(table)}</code></td><td class="n">{rows:,}</td></tr>'
        for table, rows in document["tables"].items()
    )
    parameters = "".join(
        f'<tr><td><code>{escape(name)}</code></td><td class="n">{escape(value or "—")}</td></tr>'
        for name, value in document["parameters"].items()
    )
    rules = "".join(_row(rule) for rule in document["rules"])
    return f"""<!doctype html>
<html lang="ja"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>検査結果 {escape(document["title"])}</title><style>{_STYLE}</style></head><body>
<h1>検査結果：{escape(document["title"])}</h1>
<p class="lang" lang="en">Validation report <code>{escape(document["suite"])}</code>, {document["seconds"]} s</p>
{_verdict(document, what_to_do)}
<h2>検査した表 <span class="lang" lang="en">Tables</span></h2>
<table><thead><tr><th>表</th><th>行数</th></tr></thead><tbody>{tables}</tbody></table>
<h2>規則 <span class="lang" lang="en">Rules</span></h2>
<table><thead><tr><th>結果</th><th>重さ</th><th>規則</th><th>表</th><th>反する行数</th></tr></thead>
<tbody>{rules}</tbody></table>
<h2>検査の条件 <span class="lang" lang="en">Parameters</span></h2>
<table><tbody>{parameters}</tbody></table>
<p>この報告は件数だけを載せ、個人の値は載せません。
<span class="lang" lang="en">Counts only; no value of any row.</span></p>
</body></html>
"""
