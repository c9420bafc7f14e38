"""Tables for the terminal: the ledger, waves, follow-ups and where the files lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from kakuninsho.messages import t
from kakuninsho.operations.work_list import STAGES

LEDGER_NAMES = {
    "1": ("加入者データの行 = 却下 + 対象外 + 保留 + 対象", "register rows = rejects + excluded + held + target"),
    "2": (
        "対象者 + 追加 = 計画に載った人 + 未定 + その後の対象外・保留",
        "targets + additions = planned + pending + excluded or held since",
    ),
    "3": ("計画した封筒 = 送付 + 無効 + 待ち", "frozen envelopes = sent + voided + waiting"),
    "4": ("送付 = 受領 + 拒否 + 未回答", "sent = accepted + rejected + unanswered"),
    "5": ("差出指示 = 投函 + 引抜き + 刷損 + 未報告", "released = posted + pulled + spoiled + open"),
    "6": ("投函 = 配達 + 返戻 + 配達中", "posted = delivered + returned + in transit"),
    "7": ("返戻 = 事業所 + 支部 + 保留 + 終了 + 次回", "returned = employer + desk + held + closed + not yet due"),
    "8": (
        "加入者 + 欠けた人 + 却下された人 = 使える + 手元 + 届く途中 + 手元になし",
        "members + missing + rejected = able + in hand + on the way + without",
    ),
}
# Headings in English, by the Japanese one; a heading that is not here is shown as it is.
HEADINGS = {
    "恒等式": "identity",
    "左辺": "left",
    "右辺": "right",
    "差": "difference",
    "計画": "planned",
    "引抜き": "pulled",
    "投函": "posted",
    "返戻": "returned",
    "事業所へ": "employer",
    "支部窓口": "branch desk",
    "保留": "held",
    "終了": "closed",
    "月": "month",
    "実施日": "run on",
    "区分": "disposition",
    "理由": "reason",
    "人": "people",
    "支部": "branch",
    "前": "before",
    "後": "after",
    "新規": "came in",
    "離脱": "left",
    "転居": "moved",
    "事由変更": "need",
    "前 → 後": "before → after",
    "却下": "rejected",
    "対象外": "excluded",
    "対象": "target",
    "週 (月曜)": "week (Monday)",
    "予定": "to post",
    "除外中": "withheld",
    "未確定": "pending",
    "印刷能力": "printer",
    "引受能力": "post",
    "差出し": "posted",
    "残り": "left over",
    "有効期限が来る人": "expiring",
    "猶予が終わる人": "grace ends",
    "猶予が終わる前に資格確認書を送る人": "served before grace ends",
}


def h(heading: str) -> str:
    """A heading in the language of the environment."""
    return t(heading, HEADINGS.get(heading, heading))


def ledger_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The identities of the ledger: both sides, the difference, whether it closes."""
    table = Table(title=t("台帳", "Ledger"), title_justify="left")
    table.add_column(h("恒等式"))
    for name in ("左辺", "右辺", "差"):
        table.add_column(h(name), justify="right")
    table.add_column("")
    for row in rows:
        name = t(*LEDGER_NAMES.get(str(row["stage"])[:1], ("", ""))) if str(row["stage"])[1:2] == "_" else ""
        closed, opened = t("閉", "closes"), t("開", "OPEN")
        mark = f"[green]{closed}[/]" if row["closes"] else f"[bold red]{opened}[/]"
        table.add_row(
            f"{row['stage']}  {name}", f"{row['left']:,}", f"{row['right']:,}", f"{row['difference']:,}", mark
        )
    return table


def counts_table(title: str, key: str, columns: Mapping[str, str], rows: Mapping[str, Mapping[str, int]]) -> Table:
    """One row per key with its counts under headings; those that are known have both languages."""
    table = Table(title=title, title_justify="left")
    table.add_column(h(key))
    for heading in columns.values():
        table.add_column(h(heading), justify="right")
    for name, counts in rows.items():
        table.add_row(name, *(f"{counts.get(column, 0):,}" for column in columns))
    return table


WAVE_COLUMNS = {"planned": "計画", "pulled": "引抜き", "posted": "投函", "returned": "返戻"}
FOLLOW_UP_COLUMNS = {"employer_bundle": "事業所へ", "branch_desk": "支部窓口", "held": "保留", "closed": "終了"}


def register_table(register: Mapping[str, Any]) -> Table:
    """What became of each row of the register."""
    table = Table(
        title=t(f"加入者データ {register['rows']:,} 行", f"Register: {register['rows']:,} rows"), title_justify="left"
    )
    table.add_column(h("区分"))
    table.add_column(h("理由"))
    table.add_column(h("人"), justify="right")
    table.add_row(h("却下"), "rejected", f"{register['rejected']:,}")
    for disposition, name in (("excluded", "対象外"), ("held", "保留"), ("target", "対象")):
        for reason, count in register[disposition].items():
            table.add_row(h(name), reason, f"{count:,}")
    return table


EVERYONE_LINES = {
    "able": ("マイナ保険証を使える", "can use the card"),
    "in_hand": ("資格確認書が手元にある", "certificate in hand"),
    "on_the_way": ("資格確認書が届く途中", "certificate on the way"),
}


def everyone_table(everyone: Mapping[str, Any]) -> Table:
    """Everyone on the day by line (rules: everyone, on any day); who has nothing in hand, by reason."""
    without: Mapping[str, int] = everyone["without"]
    total = sum(everyone[line] for line in EVERYONE_LINES) + sum(without.values())
    table = Table(title=t(f"全員 {total:,} 人", f"Everyone: {total:,} people"), title_justify="left")
    table.add_column(h("区分"))
    table.add_column(h("理由"))
    table.add_column(h("人"), justify="right")
    for line, name in EVERYONE_LINES.items():
        table.add_row(t(*name), "", f"{everyone[line]:,}")
    nothing = t("手元に何もない", "nothing in hand")
    table.add_row(nothing, "", f"{sum(without.values()):,}")
    for reason, people in without.items():
        table.add_row("", reason, f"{people:,}")
    return table


def forecast_table(found: Any) -> Table:
    """Weeks of the deadline forecast in which something is posted or left over, in envelopes."""
    table = Table(
        title=t(
            f"期限の見込み ({found.as_of} 時点、期限 {found.served_by})",
            f"Deadline: as of {found.as_of}, by {found.served_by}",
        ),
        title_justify="left",
    )
    table.add_column(h("週 (月曜)"), no_wrap=True)
    for heading in ("予定", "除外中", "未確定", "印刷能力", "引受能力", "差出し", "残り"):
        table.add_column(h(heading), justify="right", no_wrap=True)
    for week in found.weeks:
        if week.to_post or week.posted or week.backlog_after:
            counts = (
                week.to_post,
                week.withheld,
                week.pending,
                week.printer_capacity,
                week.post_capacity,
                week.posted,
                week.backlog_after,
            )
            table.add_row(str(week.week_start), *(f"{count:,}" for count in counts))
    return table


def card_table(months: Mapping[str, Sequence[int]]) -> Table:
    """Electronic certificates that expire and whose grace ends, by month."""
    table = Table(title=t("電子証明書の見込み", "Electronic certificates"), title_justify="left")
    table.add_column(h("月"))
    for heading in ("有効期限が来る人", "猶予が終わる人", "猶予が終わる前に資格確認書を送る人"):
        table.add_column(h(heading), justify="right")
    for month, counts in months.items():
        table.add_row(month, *(f"{count:,}" for count in counts))
    return table


def ranking_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    """The ranking of usage rates, two months side by side; what is unknown is empty."""
    table = Table(title=t("マイナ保険証の利用率", "Usage rates"), title_justify="left")
    for heading in header:
        table.add_column(h(heading), justify="left" if heading.endswith("都道府県") else "right")
    for line in lines:
        table.add_row(*line)
    return table


WORK_LIST_COLUMNS = (
    ("支部", "branch"),
    ("整理番号", "case"),
    ("加入者", "member"),
    ("段階", "stage"),
    ("理由", "reason"),
    ("決めること", "what to decide"),
)


def work_list_table(lines: Sequence[Any]) -> Table:
    """Who waits for a person: a line per person, stage and request."""
    table = Table(title=f"{t('作業一覧', 'Work list')}: {len(lines):,}", title_justify="left")
    for heading in WORK_LIST_COLUMNS:
        table.add_column(t(*heading))
    for line in lines:
        stage = t(*STAGES.get(line.stage, (line.stage, line.stage)))
        table.add_row(line.branch, line.case, line.member, stage, line.reason, line.decide)
    return table


CHANGE_COLUMNS = {
    "before": "前",
    "came_in": "新規",
    "left": "離脱",
    "after": "後",
    "moved": "転居",
    "changed_need": "事由変更",
}


def changes_tables(changes: Mapping[str, Any]) -> list[Table]:
    """What changed by branch, branches without a change left out, and how needs changed."""
    counted = [name for name in CHANGE_COLUMNS if name not in {"before", "after"}]
    changing = [row for row in changes["branches"] if any(row[name] for name in counted)]
    people = {row["branch"]: row for row in changing} | {t("計", "total"): changes["total"]}
    title = f"{t('変更点', 'What changed')}: {changes['before']} → {changes['after']}"
    tables = [counts_table(title, "支部", CHANGE_COLUMNS, people)]
    if changes["needs"]:
        rows = {f"{need['before']} → {need['after']}": need for need in changes["needs"]}
        tables.append(counts_table(t("事由の変更", "Changed need"), "前 → 後", {"people": "人"}, rows))
    return tables
