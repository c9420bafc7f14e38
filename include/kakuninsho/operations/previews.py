"""Previews: what a run would do, in counts, as a report for people. Makes no fact and sends nothing.

A dry run ends with it; the people who approve a plan read the same. A report holds counts by branch, lot, month and
reason, and no row of a person. It is written as HTML and as Markdown under `<data>/published/previews/`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import duckdb

from kakuninsho.campaign.branches import load_branches
from kakuninsho.operations import forms
from kakuninsho.operations.words import say
from kakuninsho.plans.draft import PlanRequest, candidate_path
from kakuninsho.settings import Settings
from kakuninsho.warehouse import memory

log = logging.getLogger(__name__)

# member_key = prefecture * this + … (facts/schemas.py)
PREFECTURE_IN_MEMBER_KEY = 110_000_000 * 10_000_000 * 100
PIECES_SHOWN = 500
KINDS = {
    "home": "個人宛発送の全ロット",
    "resend": "拒否されたロットの作り直し",
    "release": "差出し",
    "employer_list": "送付予定対象者一覧表",
    "follow_up": "未着分の事業所発送",
    "request": "申請・随時の交付",
    "pull": "急ぎの引抜き",
}


@dataclass(frozen=True)
class Table:
    """A table of a report: words in its first columns, counts in the others."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Preview:
    """What a run would do. For a plan the first table is the one by branch."""

    name: str  # of its files
    title: str
    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = field(default=())


def write(settings: Settings, preview: Preview) -> Path:
    """Write a report as HTML and Markdown, and log it. Returns the HTML file."""
    folder = settings.data / "published" / "previews"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = markdown(preview)
    for suffix, content in (("md", text), ("html", page(preview))):
        part = folder / f".{preview.name}.{suffix}"
        part.write_text(content, encoding="utf-8")
        part.replace(folder / f"{preview.name}.{suffix}")
    log.info("\n%s", text)
    log.info("報告: published/previews/%s.html", preview.name)
    return folder / f"{preview.name}.html"


# --- what each kind of run would do -------------------------------------------------------------------------


def of_plan(
    settings: Settings,
    wish: PlanRequest,
    totals: dict[str, Any],
    warnings: Sequence[str],
    *,
    branch: str | None = None,
    before: dict[str, Any] | None = None,
) -> Preview:
    """What a drafted plan would send, branch by branch, beside the plan of its kind before it.

    `before` is that plan's name and totals (`planning.totals_before`), empty for the first.
    """
    frozen = settings.store.find("plans", wish.plan_id)
    path = frozen.path if frozen else candidate_path(settings.store, wish.plan_id)
    earlier = settings.store.find("plans", str((before or {}).get("plan_id", "")))
    connection = memory(spill=settings.data / "tmp" / "duckdb", keep_order=False)
    try:
        now = _by_branch(connection, settings, wish.kind, path)
        # Posting dates are of different branches: what one of them posts is no measure for the next.
        is_comparable = earlier is not None and wish.kind != "release"
        then = _by_branch(connection, settings, wish.kind, earlier.path) if earlier and is_comparable else {}
        tables = [
            _branch_table(wish.kind, now, then, branch),
            *_details(connection, settings, wish.kind, path, int(branch) if branch else None),
        ]
    finally:
        connection.close()
    facts = [
        ("計画", f"{wish.plan_id} ({KINDS[wish.kind]})"),
        ("基準日", wish.as_of.isoformat()),
        ("状態", _state(frozen is not None)),
        ("範囲", _branch_names()[int(branch)] if branch else "全支部"),
        ("検査", "合格" if not warnings else f"合格、注意 {len(warnings)} 件"),
        # An urgent pull makes no piece: its tables say which it stops.
        *((name, _difference(totals, before or {}, key)) for key, name in TOTALS.items() if wish.kind != "pull"),
    ]
    if earlier:
        facts.append(("比べた計画", earlier.name))
    return Preview(
        f"{wish.plan_id}{f'-{branch}' if branch else ''}",
        f"計画の内訳: {KINDS[wish.kind]}",
        tuple(facts),
        tuple(table for table in tables if table.rows),
        tuple(warnings),
    )


STOP_STAGES = {"not_released": "差出指示の前", "released": "差出指示のあと、差出しの前", "held": "停止中"}


def of_stop(settings: Settings, wish: PlanRequest, totals: dict[str, Any]) -> Preview:
    """What a drafted stop order would hold, destroy or let go on, lot by lot; what is posted is counted, not stopped.

    Raises:
        ValueError: the wish is for another kind of plan.
    """
    if wish.stop is None:
        raise ValueError(f"plan {wish.plan_id} is no stop order")
    frozen = settings.store.find("plans", wish.plan_id)
    path = (frozen.path if frozen else candidate_path(settings.store, wish.plan_id)) / "stop_lots.parquet"
    connection = memory(spill=settings.data / "tmp" / "duckdb", keep_order=False)
    try:
        lots = connection.execute(
            "select lot_id, stage, envelope_count from read_parquet(?) order by lot_id", [str(path)]
        ).fetchall()
    finally:
        connection.close()
    facts = (
        ("計画", wish.plan_id),
        ("基準日", wish.as_of.isoformat()),
        ("状態", _state(frozen is not None)),
        ("指示", forms.STOP_EFFECTS[wish.stop.effect]),
        ("理由", forms.STOP_REASONS[wish.stop.reason_code]),
        ("対象のロット", _number(len(lots))),
        ("対象の封筒・束", _number(sum(count for _, _, count in lots))),
        ("差し出し済みで効果のないロット", _number(totals.get("lots_posted", 0))),
    )
    rows = tuple((lot_id, STOP_STAGES[stage], count) for lot_id, stage, count in lots)
    table = Table("対象のロット", ("ロット", "段階", "封筒・束"), rows)
    return Preview(wish.plan_id, "停止・廃棄・再開の内訳", facts, (table,))


def of_counts(name: str, title: str, as_of: date, counts: dict[str, Any], *tables: Table, note: str = "") -> Preview:
    """A report of a run that makes no plan: some counts, and what it would do with them."""
    return Preview(
        f"{name}-{as_of}",
        f"試行の報告: {title}",
        (("基準日", as_of.isoformat()), *((say(key), _number(value)) for key, value in counts.items())),
        tables,
        (note,) if note else (),
    )


TOTALS = {
    "lots": "ロット",
    "envelope_count": "封筒・束",
    "certificate_count": "資格確認書",
    "member_count": "対象者",
}


def _state(is_frozen: bool) -> str:
    return "確定済み: 実行しても新しい計画はできません" if is_frozen else "未確定 (案): まだ何も送っていません"


def _difference(totals: dict[str, Any], before: dict[str, Any], key: str) -> str:
    now = totals.get(key) or 0
    if not before:
        return f"{now:,}"
    then = before.get(key) or 0
    return f"{now:,} (前回 {then:,}、差 {now - then:+,})"


def _by_branch(
    connection: duckdb.DuckDBPyConnection, settings: Settings, kind: str, path: Path
) -> dict[int, dict[str, int]]:
    """Counts of a plan by prefecture."""
    if kind == "pull":
        query = f"""
            select lots.prefecture, count(distinct lot_id) as lots, count(distinct envelope_id) as envelopes,
                count(distinct certificate_id) as certificates, 0 as postage_yen
            from read_parquet('{path}/pulls.parquet') join (
                select lot_id, any_value(prefecture) as prefecture
                from read_parquet('{settings.store.root}/plans/*/lots.parquet') group by lot_id
            ) as lots using (lot_id)
            group by lots.prefecture order by lots.prefecture"""
    elif kind == "release":
        query = _release_query(settings, path)
    else:
        lines = (
            f"(select lot_id, count(*) as line_count from read_parquet('{path}/list_lines.parquet') group by lot_id)"
        )
        query = f"""
            select prefecture, count(*) as lots, sum(envelope_count) as envelopes,
                sum(certificate_count) as certificates, coalesce(sum(line_count), 0) as lines,
                sum(postage_yen) as postage_yen
            from read_parquet('{path}/lots.parquet') left join {lines} using (lot_id)
            group by prefecture order by prefecture"""
    found = connection.execute(query)
    names = [column[0] for column in found.description or ()]
    return {
        int(row[0]): {name: round(value or 0) for name, value in zip(names[1:], row[1:], strict=True)}
        for row in found.fetchall()
    }


def _release_query(settings: Settings, path: Path) -> str:
    """A posting date by prefecture: what was planned, what is pulled, what is packed anew, what is left to post."""
    root = settings.store.root
    # Lots of a rejected plan were never sent, and the attempt after it gives the same lots other numbers.
    live = f"""plan_id not in (
        select plan_id from read_parquet('{root}/approvals/*/approvals.parquet') where decision = 'rejected')"""
    return f"""
        with released as (
            select lots.prefecture, lots.lot_id, lots.envelope_count, lots.certificate_count, lots.postage_yen
            from read_parquet('{path}/release_lots.parquet') as release_lots
            join read_parquet('{root}/plans/*/lots.parquet') as lots using (lot_id)
            where release_lots.is_released and lots.{live}
        ),
        pulled as (
            select envelope_id, any_value(lot_id) as lot_id, count(*) as certificates
            from read_parquet('{path}/pulls.parquet') group by envelope_id
        ),
        pulled_lots as (
            select pulled.lot_id, count(*) as envelopes, sum(pulled.certificates) as certificates,
                sum(envelopes.postage_yen) as postage_yen
            from pulled join read_parquet('{root}/plans/*/envelopes.parquet') as envelopes using (envelope_id)
            group by pulled.lot_id
        ),
        parts as (
            select prefecture, 1 as lots, envelope_count as planned, 0 as pulled, 0 as packed_anew,
                certificate_count as certificates, postage_yen
            from released
            union all by name
            select released.prefecture, 0 as lots, 0 as planned, pulled_lots.envelopes as pulled, 0 as packed_anew,
                -pulled_lots.certificates as certificates, -pulled_lots.postage_yen as postage_yen
            from pulled_lots join released using (lot_id)
            union all by name
            select prefecture, 1 as lots, 0 as planned, 0 as pulled, envelope_count as packed_anew,
                certificate_count as certificates, postage_yen
            from read_parquet('{path}/lots.parquet')
        )
        select prefecture, sum(lots) as lots, sum(planned) as planned, sum(pulled) as pulled,
            sum(packed_anew) as packed_anew, sum(planned - pulled + packed_anew) as envelopes,
            sum(certificates) as certificates, sum(postage_yen) as postage_yen
        from parts group by prefecture order by prefecture"""


def _branch_table(
    kind: str, now: dict[int, dict[str, int]], then: dict[int, dict[str, int]], branch: str | None
) -> Table:
    counted = {
        "release": ("lots", "planned", "pulled", "packed_anew", "envelopes", "certificates", "postage_yen"),
        "employer_list": ("lots", "envelopes", "lines", "postage_yen"),
    }.get(kind, ("lots", "envelopes", "certificates", "postage_yen"))
    names = _branch_names()
    chosen = [code for code in sorted({*now, *then}) if branch is None or code == int(branch)]
    rows = []
    for code in chosen:
        counts, earlier = now.get(code, {}), then.get(code, {})
        changed = [counts.get("envelopes", 0) - earlier.get("envelopes", 0)] if then else []
        rows.append((names[code], *(counts.get(key, 0) for key in counted), *changed))
    if len(rows) > 1:
        rows.append(("計", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))))
    change = ("封筒・束の前回との差",) if then else ()
    return Table("支部ごと", ("支部", *(say(key) for key in counted), *change), tuple(rows))


def _details(
    connection: duckdb.DuckDBPyConnection, settings: Settings, kind: str, path: Path, branch: int | None
) -> list[Table]:
    """What is particular to a kind of plan: months of the first plan, pulls of a release, outcomes of the others."""
    root = settings.store.root
    of_lot = f"where prefecture = {branch}" if branch else ""
    of_member = f"where member_key // {PREFECTURE_IN_MEMBER_KEY} = {branch}" if branch else ""
    lots = (
        f"(select lot_id, any_value(prefecture) as prefecture from read_parquet('{root}/plans/*/lots.parquet') {of_lot}"
        " group by lot_id)"
    )
    # The pieces themselves, by number alone; nobody reads more, and the plan has them all.
    pieces = (
        f"引き抜く発送物 (初めの {PIECES_SHOWN} 件)",
        ("ロット", "管理番号", "理由"),
        f"""select lot_id, envelope_id, min(reason_code) filter (where reason_code <> 'packed_anew')
            from read_parquet('{path}/pulls.parquet') join {lots} using (lot_id)
            group by all order by all limit {PIECES_SHOWN}""",
    )
    queries: dict[str, list[tuple[str, tuple[str, ...], str]]] = {
        "home": [
            (
                "発送月ごと",
                ("発送月", "ロット", "封筒・束", "資格確認書", "郵便料金 (円)"),
                f"""select wave_key, count(*), sum(envelope_count)::bigint, sum(certificate_count)::bigint,
                        sum(postage_yen)::bigint
                    from read_parquet('{path}/lots.parquet') {of_lot} group by wave_key order by wave_key""",
            )
        ],
        "release": [
            (
                "引抜き",
                ("理由", "そのあと", "封筒・束", "資格確認書"),
                f"""select reason_code, outcome, count(distinct envelope_id), count(*)
                    from read_parquet('{path}/pulls.parquet') join {lots} using (lot_id)
                    group by all order by all""",
            ),
            (
                "差出しから除くロット",
                ("理由", "ロット"),
                f"""select withheld_reason_code, count(*)
                    from read_parquet('{path}/release_lots.parquet') join {lots} using (lot_id)
                    where not is_released group by all order by all""",
            ),
            pieces,
        ],
        "pull": [
            (
                "引き抜く理由",
                ("理由", "そのあと", "封筒・束", "人"),
                f"""select reason_code, outcome, count(distinct envelope_id), count(*)
                    from read_parquet('{path}/pulls.parquet') join {lots} using (lot_id)
                    group by all order by all""",
            ),
            (
                "ロットと差出日",
                ("ロット", "差出日", "封筒・束"),
                f"""select lot_id, posting_date, count(distinct envelope_id)
                    from read_parquet('{path}/pulls.parquet') join {lots} using (lot_id)
                    group by all order by all""",
            ),
            pieces,
        ],
        "follow_up": [
            (
                "返戻された封筒の行き先",
                ("行き先", "理由", "封筒・束", "資格確認書"),
                f"""select outcome, reason_code, count(distinct envelope_id), count(*)
                    from read_parquet('{path}/follow_ups.parquet') {of_member} group by all order by all""",
            )
        ],
        "request": [
            (
                "申請の判定",
                ("種類", "判定", "理由", "件"),
                f"""select kind, outcome, reason_code, count(*)
                    from read_parquet('{path}/request_outcomes.parquet') {of_member} group by all order by all""",
            )
        ],
    }
    return [
        Table(title, columns, tuple(tuple(map(_cell, row)) for row in connection.execute(query).fetchall()))
        for title, columns, query in queries.get(kind, [])
    ]


def _cell(value: Any) -> Any:
    return say(value) if isinstance(value, str) else "" if value is None else value


def _branch_names() -> dict[int, str]:
    return {int(branch.prefecture_code): f"{branch.prefecture_code} {branch.branch_name}" for branch in load_branches()}


# --- as text ------------------------------------------------------------------------------------------------


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def markdown(preview: Preview) -> str:
    """The report as Markdown."""
    facts = [f"- {name}: {value}" for name, value in preview.facts]
    notes = [f"- ⚠ {note}" for note in preview.notes]
    tables = [markdown_table(table) for table in preview.tables]
    return "\n".join([f"# {preview.title}", "", *facts, *notes, *tables])


def markdown_table(table: Table) -> str:
    """One table as Markdown, with its title."""
    rule = ["---:" if _is_count(table, index) else "---" for index, _ in enumerate(table.columns)]
    lines = [f"| {' | '.join(_number(value) for value in row)} |" for row in table.rows]
    head = ["", f"## {table.title}", "", f"| {' | '.join(table.columns)} |", f"| {' | '.join(rule)} |"]
    return "\n".join([*head, *lines]) + "\n"


_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.7 system-ui,"Noto Sans JP","Hiragino Sans","Noto Sans CJK JP",sans-serif;max-width:72rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.5rem}
dt{color:GrayText}dd{margin:0}.wide{overflow-x:auto}
table{border-collapse:collapse;min-width:36rem}th,td{border-bottom:1px solid #8886;padding:.3rem .8rem;text-align:left}
.n{text-align:right;font-variant-numeric:tabular-nums}tr:last-child td{font-weight:inherit}
.note{border-left:4px solid #b26a00;padding:.3rem .8rem;background:#b26a0018}
"""


def page(preview: Preview) -> str:
    """The report as a page of its own."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in preview.facts)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in preview.notes)
    return "\n".join(
        [
            '<!doctype html><html lang="ja"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(preview.title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{escape(preview.title)}</h1><dl>{facts}</dl>{notes}",
            *(_html_table(table) for table in preview.tables),
            "</body></html>",
            "",
        ]
    )


def _html_table(table: Table) -> str:
    classes = [' class="n"' if _is_count(table, index) else "" for index, _ in enumerate(table.columns)]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for kind, name in zip(classes, table.columns, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(_number(value))}</td>" for kind, value in zip(classes, row, strict=True))
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<h2>{escape(table.title)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _is_count(table: Table, index: int) -> bool:
    return bool(table.rows) and all(isinstance(row[index], int) for row in table.rows)
