"""An explanation of one person as tables for the terminal and as a page for the few who may read it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

from rich.table import Table

from kakuninsho.messages import in_japanese, t
from kakuninsho.operations import rules_told as told
from kakuninsho.operations.explaining import Explanation
from kakuninsho.operations.members import restricted_folder

MOST_COLUMNS = 6  # more are shown one below the other
KEY_COLUMNS = {"insurer_number", "symbol", "number", "suffix"}  # the title has them

# Parts as tables: key of the explanation, and its heading.
PARTS: dict[str, told.Text] = {
    "register": ("最新の加入者データ", "Newest register"),
    "decisions": ("人の判断", "Decisions"),
    "employer_list": ("事業所一覧", "Employer list"),
    "requests": ("申請", "Requests"),
    "certificates": ("資格確認書", "Certificates"),
    "envelopes": ("封筒", "Envelopes"),
    "follow_ups": ("未着後の処理", "Follow-ups"),
    "events": ("出来事", "Events"),
}
# Of parts with many columns: those that are shown. JSON has them all.
SHOWN: dict[str, tuple[str, ...]] = {
    "certificates": ("certificate_id", "need", "issued_on", "valid_until", "status", "status_on", "rule", "next_step"),
    "envelopes": ("envelope_id", "lot_id", "posting_date", "posted_on", "returned_on", "return_reason_code"),
    "follow_ups": ("envelope_id", "run_on", "outcome", "reason_code", "bundle_id"),
    "requests": ("request_id", "kind", "requested_on", "outcome", "reason_code", "certificate_id"),
    "employer_list": ("list_id", "lot_id", "listed_on"),
    "decisions": ("decided_on", "what", "why", "decided_by", "source_file"),
}
# Column names in words; a column that is not named here is shown by its own name.
COLUMNS: dict[str, told.Text] = {
    "about": ("対象", "about"),
    "as_of": ("基準日", "as of"),
    "bundle_id": ("事業所の束", "bundle"),
    "certificate_id": ("資格確認書番号", "certificate"),
    "decided_by": ("判断した人", "by"),
    "decided_on": ("判断日・決定日", "decided on"),
    "enrolment": ("加入区分", "enrolment"),
    "envelope_id": ("管理番号", "control number"),
    "issued_on": ("交付日", "issued on"),
    "kind": ("種別", "kind"),
    "list_id": ("一覧の番号", "list"),
    "listed_on": ("掲載日", "listed on"),
    "lot_id": ("ロット", "lot"),
    "lost_on": ("資格喪失日", "lost on"),
    "need": ("事由", "need"),
    "next_step": ("このあと", "what happens next"),
    "on": ("日", "on"),
    "outcome": ("結果", "outcome"),
    "plan_id": ("計画", "plan"),
    "posted_on": ("投函日", "posted on"),
    "posting_date": ("差出日", "posting date"),
    "protected": ("支援措置", "protected"),
    "qualified_on": ("資格取得日", "qualified on"),
    "reason_code": ("理由", "reason"),
    "received_on": ("受領日", "received on"),
    "request_id": ("申請番号", "request"),
    "requested_on": ("申請日", "requested on"),
    "return_reason_code": ("返戻の理由", "return reason"),
    "returned_on": ("返戻日", "returned on"),
    "route": ("経路", "route"),
    "rule": ("決めた規則", "deciding rule"),
    "run_on": ("実施日", "run on"),
    "source": ("元のファイル", "source"),
    "source_file": ("元のファイル", "source file"),
    "status": ("状態", "status"),
    "status_on": ("状態の日", "since"),
    "valid_until": ("有効期限", "valid until"),
    "wave_key": ("月", "wave"),
    "what": ("何が", "what"),
    "why": ("理由", "why"),
}


def explanation_tables(explanation: Explanation) -> list[Table]:
    """Tables for the terminal: who, each table of rules gone through, each part that has something, what comes next."""
    found = [_heading(explanation), *(_rules(item) for item in map(asdict, explanation.judgements))]
    whole = explanation.as_dict()
    for part, title in PARTS.items():
        found += _part(t(*title), part, whole[part])
    last = Table(title=t("このあと", "What happens next"), title_justify="left", show_header=False)
    for step in (*explanation.next_steps, explanation.old_card):
        last.add_row(step)
    return [*found, last]


def _heading(explanation: Explanation) -> Table:
    table = Table(title=explanation.member, title_justify="left", show_header=False)
    table.add_row(t("整理番号", "case number"), explanation.case)
    table.add_row(t("判定", "disposition"), _standing(explanation))
    return table


def _standing(explanation: Explanation) -> str:
    row = explanation.disposition
    if row is None:
        kind = "rejected" if explanation.rejects else None
        return t(*told.DISPOSITIONS[kind]) if kind else t("一括交付のデータにない", "not in the campaign's drop")
    text = f"{t(*told.DISPOSITIONS[row['disposition']])} ({row['reason_code']}: {row['rule']})"
    if row["effective_disposition"] != row["disposition"]:
        text += f" → {t(*told.DISPOSITIONS[row['effective_disposition']])} ({row['effective_reason_code']})"
    return text


def _rules(judgement: Mapping[str, Any]) -> Table:
    title = f"{judgement['title']}  {judgement['on'] or ''}  {judgement['source']}"
    table = Table(t("見た規則", "rule looked at"), t("答え", "answer"), title=title, title_justify="left")
    for number, line in enumerate(judgement["lines"], start=1):
        style = "bold" if number == len(judgement["lines"]) else None
        table.add_row(line["question"], line["answer"], style=style)
    return table


def _part(title: str, part: str, found: Any) -> list[Table]:
    rows, names = _shown(part, found)
    if not names:
        return []
    if len(names) > MOST_COLUMNS:
        return [_upright(title, row, names) for row in rows]
    table = Table(*map(_column, names), title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_text(row[name]) for name in names))
    return [table]


def _shown(part: str, found: Any) -> tuple[list[Mapping[str, Any]], list[str]]:
    rows: list[Mapping[str, Any]] = [found] if isinstance(found, Mapping) else list(found or [])
    asked = SHOWN.get(part, tuple(rows[0]) if rows else ())
    names = [name for name in asked if any(row.get(name) not in (None, "") for row in rows)]
    return rows, [name for name in names if name not in KEY_COLUMNS]


def _upright(title: str, row: Mapping[str, Any], names: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for name in names:
        if row.get(name) not in (None, ""):
            table.add_row(_column(name), _text(row[name]))
    return table


def _column(name: str) -> str:
    return t(*COLUMNS[name]) if name in COLUMNS else name


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return t("はい", "yes") if value else t("いいえ", "no")
    return "" if value is None else str(value)


# --- the page ---------------------------------------------------------------------------------------------------

STYLE = """
body { font-family: "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", sans-serif; margin: 2rem auto; max-width: 68rem;
       padding: 0 1rem; color: #1f2937; line-height: 1.6; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 2px solid #d1d5db; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
.wide { overflow-x: auto; } th, td { border: 1px solid #d1d5db; padding: 0.3rem 0.5rem; text-align: left;
       vertical-align: top; } th { background: #f3f4f6; white-space: nowrap; }
td { overflow-wrap: anywhere; min-width: 4.5rem; }
tr.decided { background: #fef3c7; font-weight: bold; } .note { color: #6b7280; font-size: 0.85rem; }
ul.next { background: #ecfdf5; border-left: 4px solid #10b981; padding: 0.6rem 0.6rem 0.6rem 2rem; }
@media print { body { margin: 0; max-width: none; } }
"""


def explanation_page(explanation: Explanation, *, asked_by: str, asked_on: date) -> str:
    """The explanation as one HTML page in Japanese, without anything from elsewhere."""
    with in_japanese():
        parts = [
            _html_table(
                "見た規則", ["規則", "答え"], _rule_rows(item), note=f"{item['on'] or ''} {item['source']}", of=item
            )
            for item in map(asdict, explanation.judgements)
        ]
        whole = explanation.as_dict()
        for part, title in PARTS.items():
            rows, names = _shown(part, whole[part])
            if rows:
                cells = [[_text(row.get(name)) for name in names] for row in rows]
                parts.append(_html_table(t(*title), list(map(_column, names)), [(row, False) for row in cells]))
        steps = "".join(f"<li>{escape(step)}</li>" for step in (*explanation.next_steps, explanation.old_card))
        return (
            '<!DOCTYPE html>\n<html lang="ja"><head><meta charset="utf-8"><title>説明 '
            f"{escape(explanation.case)}</title><style>{STYLE}</style></head><body>"
            f"<h1>説明: {escape(explanation.member)}</h1>"
            f"<p>整理番号 {escape(explanation.case)} / 判定: {escape(_standing(explanation))}</p>"
            f'<p class="note">問い合わせた人: {escape(asked_by)} ({asked_on})。個人の情報です。用が済んだら削除し、'
            "メールやチャットに貼らないでください。</p>"
            f'<h2>このあと</h2><ul class="next">{steps}</ul>{"".join(parts)}</body></html>\n'
        )


def _rule_rows(judgement: Mapping[str, Any]) -> list[tuple[list[str], bool]]:
    lines = judgement["lines"]
    return [([line["question"], line["answer"]], number == len(lines)) for number, line in enumerate(lines, start=1)]


def _html_table(
    title: str,
    headings: Sequence[str],
    rows: Sequence[tuple[Sequence[str], bool]],
    *,
    note: str = "",
    of: Mapping[str, Any] | None = None,
) -> str:
    heading = "".join(f"<th>{escape(text)}</th>" for text in headings)
    body = "".join(
        ('<tr class="decided">' if decided else "<tr>") + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row, decided in rows
    )
    name = f"{of['title']}: {of['rule']} → {of['outcome']}" if of else title
    remark = f'<p class="note">{escape(note)}</p>' if note else ""
    return (
        f'<h2>{escape(name)}</h2>{remark}<div class="wide"><table><thead><tr>{heading}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def write_report(data: Path, explanation: Explanation, *, asked_by: str, asked_on: date) -> Path:
    """Write the page below `<data>/restricted/explanations/`, readable by its owner alone, whole or not at all.

    Named by the case and the day: neither the name nor the returned path says who it is about. An explanation of the
    same day is written over. Who asked is added to `asked.csv` beside it.
    """
    folder = restricted_folder(data, "explanations")
    path = folder / f"explanation_{explanation.case}_{asked_on}.html"
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(explanation_page(explanation, asked_by=asked_by, asked_on=asked_on))
    part.replace(path)
    line = f"{asked_on},{asked_by.replace(',', ' ')},{explanation.case}\n"
    with os.fdopen(os.open(folder / "asked.csv", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as register:
        register.write(line)
    return path
