"""Everything known of one person: rules looked at, the one that decided, events and their files, what happens next.

Read from the published copy and the facts; shown to whoever asks for that one member, never logged. Names, addresses
and birth dates are not part of it: they decide nothing that the reasons do not say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import duckdb

from kakuninsho.campaign.old_cards import old_card_duty
from kakuninsho.facts.store import Fact
from kakuninsho.messages import TwoLanguageError, t
from kakuninsho.operations import rules_told as told
from kakuninsho.operations.deciding import decisions_of
from kakuninsho.operations.decision_words import DECISION_NAMES, REASON_NAMES
from kakuninsho.operations.members import CaseBook, MemberKey
from kakuninsho.operations.newest_rows import newest_row
from kakuninsho.operations.published_copy import require_published
from kakuninsho.operations.work_list import STAGES, to_decide
from kakuninsho.plans.approvals import is_rejected
from kakuninsho.settings import Settings
from kakuninsho.warehouse import published
from kakuninsho.warehouse.context import newest_register

__all__ = ["ExplainError", "Explanation", "Judgement", "MemberKey", "explain"]

Row = dict[str, Any]


class ExplainError(TwoLanguageError):
    """Nothing is known of the member that was asked for. Says what to check."""


@dataclass
class Judgement:
    """One table of the rules as it was gone through for this person."""

    table: str  # rejects, disposition, late, after_decision, recheck, follow_up, request
    title: str
    on: date | None
    source: str
    lines: list[dict[str, str]]  # line (code), question, answer; the last is the one that decided
    rule: str  # the line that decided, in words
    outcome: str


@dataclass
class Explanation:
    """What is known of one member."""

    member: str
    case: str
    as_of: date | None
    disposition: Row | None
    judgements: list[Judgement]
    register: Row | None
    rejects: list[Row]
    decisions: list[Row]
    requests: list[Row]
    certificates: list[Row]
    envelopes: list[Row]
    employer_list: list[Row]
    follow_ups: list[Row]
    events: list[Row]
    old_card: str
    waiting: list[Row] = field(default_factory=list)
    next_steps: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def explain(settings: Settings, key: MemberKey) -> Explanation:
    """Collect everything known of one member.

    Raises:
        ExplainError: no register, no request and no plan knows this member.
        NothingPublishedError: nothing is published yet.
    """
    require_published(settings)
    marts = _read_marts(settings, key)
    facts = _read_facts(settings, key, marts)
    register = newest_row(settings, "members", key.packed, date.max)
    insured = newest_row(settings, "members", key.packed // 100 * 100, date.max)
    if not (marts["disposition"] or marts["certificates"] or register or facts["rejects"] or marts["requests"]):
        raise ExplainError(
            "この加入者については何も分かっていません。4 つの番号と --data を確かめてください",
            "nothing is known of this member; check each of the four numbers, and --data",
        )
    disposition = marts["disposition"][0] if marts["disposition"] else None
    decisions = decisions_of(settings, key)
    certificates = [_certificate(row, facts) for row in marts["certificates"]]
    events = _events(settings, key, marts, facts, decisions)
    return Explanation(
        member=str(key),
        case=CaseBook(settings.data).number(key.packed),
        as_of=max((row["on"] for row in events if row["on"]), default=None),
        disposition=_worded_disposition(disposition),
        judgements=_judgements(settings, disposition, marts, facts, decisions),
        register=_register_part(register),
        rejects=facts["rejects"],
        decisions=[_worded_decision(row) for row in decisions],
        requests=marts["requests"],
        certificates=certificates,
        envelopes=marts["envelopes"],
        employer_list=marts["listed"],
        follow_ups=marts["follow_ups"],
        events=events,
        old_card=_old_card(settings, register, insured),
        waiting=marts["waiting"],
        next_steps=_next_steps(disposition, certificates, marts, facts),
    )


# --- reading --------------------------------------------------------------------------------------------------


def _read_marts(settings: Settings, key: MemberKey) -> dict[str, list[Row]]:
    values = [key.insurer_number, key.symbol, key.number, key.suffix]
    of_member = "where insurer_number = ? and symbol = ? and number = ? and suffix = ?"
    with published(settings.data) as connection:

        def rows(query: str, given: list[Any]) -> list[Row]:
            return _rows(connection, query, given)

        found = {
            "disposition": rows(f"select * from marts.fct_member_dispositions {of_member}", values),
            "late": rows(f"select * from marts.fct_late_dispositions {of_member}", values),
            "certificates": rows(
                f"select * from marts.fct_certificates {of_member} order by issued_on, certificate_id", values
            ),
            "listed": rows(f"select * from marts.fct_employer_lists {of_member} order by listed_on", values),
            "requests": rows(f"select * from marts.fct_requests {of_member} order by requested_on, request_id", values),
            "waiting": rows(
                f"select stage, reason_code, certificate_id, request_id from marts.fct_work_list {of_member}"
                " order by all",
                values,
            ),
        }
        mine = sorted({row["envelope_id"] for row in found["certificates"]})
        found["envelopes"] = rows(
            "select * from marts.fct_envelopes where envelope_id in (select unnest(?::varchar[])) order by envelope_id",
            [mine],
        )
        found["follow_ups"] = rows(
            "select * from marts.fct_employer_follow_ups"
            " where envelope_id in (select unnest(?::varchar[])) order by run_on, envelope_id",
            [mine],
        )
        bundles = sorted(
            {row["bundle_id"] for row in found["follow_ups"] if row["bundle_id"]} | _bundles(settings, mine)
        )
        lists = sorted({row["list_id"] for row in found["listed"]})
        found["pieces"] = rows(
            "select * from marts.fct_mail_events where envelope_id in (select unnest(?::varchar[]))"
            " order by occurred_on, event_id",
            [[*mine, *bundles, *lists]],
        )
        lots = sorted({row["lot_id"] for row in (*found["certificates"], *found["listed"], *found["pieces"])})
        found["lots"] = rows(
            "select * from marts.fct_lots where lot_id in (select unnest(?::varchar[])) order by lot_id", [lots]
        )
    return found


def _bundles(settings: Settings, envelopes: list[str]) -> set[str]:
    """Employers' bundles that these packets lie in: the printer reports the bundle alone."""
    if not envelopes:
        return set()
    connection = duckdb.connect(":memory:")
    try:
        files = [str(plan.table("envelopes")) for plan in settings.store.all("plans") if plan.meta["rows"]["envelopes"]]
        found = connection.execute(
            "select distinct bundle_id from read_parquet(?, union_by_name = true)"
            " where bundle_id is not null and envelope_id in (select unnest(?::varchar[]))",
            [files, envelopes],
        ).fetchall()
    finally:
        connection.close()
    return {str(row[0]) for row in found}


def _read_facts(settings: Settings, key: MemberKey, marts: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Rows of the facts about one member, with the fact that each stands in."""
    store = settings.store
    store.initialise()
    member, household = key.packed, key.packed // 100
    connection = duckdb.connect(":memory:")

    def rows(kind: str, table: str, columns: str, where: str, values: list[Any], order: str = "all") -> list[Row]:
        files = [
            str(fact.table(table))
            for fact in store.all(kind)
            if fact.meta["rows"].get(table) and fact.table(table).is_file()
        ]
        files.append(str(store.root / kind / "_empty" / f"{table}.parquet"))
        return _rows(
            connection,
            f"select {columns} from read_parquet(?, union_by_name = true, hive_partitioning = false)"
            f" where {where} order by {order}",
            [files, *values],
        )

    try:
        certificates = [row["certificate_id"] for row in marts["certificates"]]
        lots = [row["lot_id"] for row in marts["lots"]]
        found = {
            "rejects": rows(
                "register",
                "rejects",
                "as_of, file, row_number, column_name, reason_code",
                "(file in ('members', 'my_number_cards') and row_key = ?)"
                " or (file = 'addresses' and row_key = ?) or (file = 'employers' and row_key = ?)",
                [member, household, household // 10_000_000],
            ),
            "planned": rows(
                "plans", "certificates", "plan_id, certificate_id, route, need, received_on", "member_key = ?", [member]
            ),
            "pulls": rows(
                "plans",
                "pulls",
                "plan_id, certificate_id, reason_code, outcome, outcome_reason_code, posting_date, received_on",
                "member_key = ?",
                [member],
                "received_on, certificate_id",
            ),
            "followed_up": rows(
                "plans",
                "follow_ups",
                "plan_id, certificate_id, run_on, outcome, reason_code, bundle_id, received_on",
                "member_key = ?",
                [member],
                "received_on, certificate_id",
            ),
            "outcomes": rows(
                "plans",
                "request_outcomes",
                "plan_id, request_id, kind, outcome, reason_code, received_on",
                "member_key = ?",
                [member],
                "received_on, request_id",
            ),
            "asked": rows(
                "feeds/issue_requests",
                "rows",
                "request_id, kind, requested_on, source_file",
                "member_key = ?",
                [member],
                "requested_on, request_id",
            ),
            "sent_back": rows(
                "feeds/certificate_returns",
                "rows",
                "certificate_id, returned_on, source_file",
                "certificate_id in (select unnest(?::varchar[]))",
                [certificates],
            ),
            "acknowledged": rows(
                "feeds/acknowledgements",
                "rows",
                "lot_id, result, acknowledged_on, source_file",
                "lot_id in (select unnest(?::varchar[]))",
                [lots],
            ),
        }
    finally:
        connection.close()
    for table in ("pulls", "followed_up", "outcomes"):
        found[table] = [row for row in found[table] if not _is_voided(settings, row["plan_id"])]
    found["announced"] = [row for lot in marts["lots"] for row in _announced(settings, lot["lot_id"])]
    return found


def _is_voided(settings: Settings, plan_id: str) -> bool:
    return is_rejected(settings.store, plan_id)


def _announced(settings: Settings, lot_id: str) -> list[Row]:
    """The file of a lot that was announced to the printer. Its fact is named after it, so no other is opened."""
    names = [path.name for path in (settings.store.root / "transfers").glob(f"*{lot_id}_*--announced")]
    facts = [settings.store.get("transfers", name) for name in sorted(names)]
    return [
        {
            "lot_id": lot_id,
            "file_name": fact.name.removesuffix("--announced"),
            "received_on": date.fromisoformat(fact.meta["received_on"]),
        }
        for fact in facts
    ]


def _register_part(row: Row | None) -> Row | None:
    """What concerns the mailing of the newest row; who it is is asked elsewhere."""
    names = ("as_of", "enrolment", "qualified_on", "decided_on", "lost_on", "protected")
    return {name: row[name] for name in names} if row else None


def _rows(connection: duckdb.DuckDBPyConnection, query: str, values: list[Any]) -> list[Row]:
    cursor = connection.execute(query, values)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# --- rules ----------------------------------------------------------------------------------------------------


def _gone_through(lines: told.Lines, decided: str | None, outcome: str) -> tuple[list[dict[str, str]], str]:
    """The lines up to the one that decided, and that one in words; a code that is in no table is said as it is."""
    gone = []
    for code, text in lines:
        if code == decided:
            gone.append({"line": code, "question": t(*text), "answer": f"{t('はい', 'yes')} → {outcome}"})
            return gone, t(*text)
        gone.append({"line": code, "question": t(*text), "answer": t("いいえ", "no")})
    rest = t("上のどれでもない", "none of these")
    gone.append({"line": decided or "", "question": rest, "answer": outcome})
    return gone, rest


def _judgement(
    table: str, on: date | None, source: str, lines: told.Lines, decided: str | None, outcome: str
) -> Judgement:
    gone, rule = _gone_through(lines, decided, outcome)
    return Judgement(table, t(*told.TABLES[table]), on, source, gone, rule, outcome)


def _judgements(
    settings: Settings,
    disposition: Row | None,
    marts: dict[str, list[Row]],
    facts: dict[str, list[Row]],
    decisions: list[Row],
) -> list[Judgement]:
    """Every table of the rules that this person went through, in order of day."""
    snapshot = settings.campaign.parameters.snapshot_as_of
    found = [_rejected(row) for row in facts["rejects"]]
    if disposition is not None:
        found.append(_disposed(disposition, "", snapshot, f"register/as_of={snapshot}"))
    for row in marts["late"]:
        found.append(_disposed(row, "", row["judged_on"], f"register/as_of={row['judged_on']}", table="late"))
    # What a later drop judged is what decisions are about, once there is such a drop.
    for row in marts["late"] or marts["disposition"]:
        before = (row["disposition"], row["reason_code"])
        if (row["effective_disposition"], row["effective_reason_code"]) != before:
            last = decisions[-1] if decisions else {"decided_on": None, "source_file": ""}
            found.append(_after_decision(row, last))
    for row in facts["pulls"]:
        outcome = t(*told.REASONS.get(row["outcome_reason_code"] or "", ("", "")))
        words = {
            "held": t("引抜き、保留", "pulled and held"),
            "closed": t("引抜き、終了", "pulled, closed"),
            "planned_again": t("引抜き、追送で作り直し", "pulled, planned again"),
        }[row["outcome"]]
        outcome = f"{words} ({outcome})" if outcome else words
        found.append(
            _judgement(
                "recheck",
                row["received_on"],
                f"plans/{row['plan_id']}",
                told.RECHECK_LINES,
                row["reason_code"],
                outcome,
            )
        )
    for row in facts["followed_up"]:
        decided = row["reason_code"] or ("employer_bundle" if row["outcome"] == "employer_bundle" else None)
        outcome = {
            "employer_bundle": t("事業所へ", "to the employer"),
            "branch_desk": t("支部窓口へ", "to the branch desk"),
            "held": t("保留", "held"),
            "closed": t("終了", "closed"),
        }[row["outcome"]]
        found.append(
            _judgement("follow_up", row["run_on"], f"plans/{row['plan_id']}", told.FOLLOW_UP_LINES, decided, outcome)
        )
    for row in facts["planned"]:
        if row["route"] in {"rolling", "decided"}:
            route, asked = row["route"], told.ROLLING if row["route"] == "rolling" else told.DECIDED
            need = t(*told.NEEDS.get(row["need"], (row["need"], row["need"])))
            line = {"line": route, "question": t(*asked), "answer": f"{t('はい', 'yes')} → {need}"}
            title, source = t(*told.TABLES[route]), f"plans/{row['plan_id']}"
            rule = f"{t(*asked)} ({need})"
            found.append(Judgement(route, title, row["received_on"], source, [line], rule, t("交付", "issue")))
    for row in marts["requests"]:
        decided = row["reason_code"] or ("issue" if row["outcome"] == "issue" else None)
        outcome = {
            "issue": t("交付", "issue"),
            "refused": t("交付しない", "refused"),
            "held": t("保留", "held"),
        }[row["outcome"]]
        source = f"plans/{row['plan_id']}" if row["plan_id"] else t("次の交付で確定", "settled by the next run")
        found.append(_judgement("request", row["decided_on"], source, told.REQUEST_LINES, decided, outcome))
    return sorted(found, key=lambda item: item.on or date.max)


def _rejected(row: Row) -> Judgement:
    what = t(*told.REJECTS.get(row["reason_code"], (row["reason_code"], row["reason_code"])))
    column = row["column_name"] or t("行全体", "the whole row")
    outcome = t(*told.DISPOSITIONS["rejected"])
    line = {"line": row["reason_code"], "question": f"{row['file']}.{column}: {what}", "answer": outcome}
    source = f"register/as_of={row['as_of']} {row['file']} {t('行', 'row')} {row['row_number']}"
    return Judgement("rejects", t(*told.TABLES["rejects"]), row["as_of"], source, [line], what, outcome)


def _disposed(row: Row, prefix: str, on: date | None, source: str, table: str = "disposition") -> Judgement:
    outcome = t(*told.DISPOSITIONS[row[f"{prefix}disposition"]])
    reason = row[f"{prefix}reason_code"]
    lines = told.LATE_LINES if table == "late" else told.DISPOSITION_LINES
    if row[f"{prefix}disposition"] == "target":
        need = t(*told.NEEDS.get(reason, (reason, reason)))
        return _judgement(table, on, source, lines, reason, f"{outcome}: {need}")
    return _judgement(table, on, source, lines, reason, outcome)


def _after_decision(row: Row, last: Row) -> Judgement:
    """A released hold runs through the lines after it again; who was taken out went through none."""
    if row["effective_reason_code"] == "decided_excluded":
        text = t(*told.REASONS["decided_excluded"])
        outcome = t(*told.DISPOSITIONS["excluded"])
        line = {"line": "decided_excluded", "question": text, "answer": f"{t('はい', 'yes')} → {outcome}"}
        title = t(*told.TABLES["after_decision"])
        return Judgement("after_decision", title, last["decided_on"], last["source_file"], [line], text, outcome)
    judged = _disposed(row, "effective_", last["decided_on"], last["source_file"], "after_decision")
    codes = [code for code, _ in told.DISPOSITION_LINES]
    if row["reason_code"] in codes:
        judged.lines = judged.lines[codes.index(row["reason_code"]) + 1 :]
    return judged


def _certificate(row: Row, facts: dict[str, list[Row]]) -> Row:
    """A certificate with the rule that decided its status, and what comes next, in words."""
    status, reason = row["status"], row["reason_code"]
    rule = told.REASONS.get(reason) if reason else told.STATUS_RULES.get(status)
    following = told.NEXT_BY_REASON.get(reason or "") or told.NEXT.get(status)
    pull = next((pull for pull in facts["pulls"] if pull["certificate_id"] == row["certificate_id"]), None)
    if status == "pulled" and pull is not None and reason != "replacement_stopped":
        is_missing = pull["outcome_reason_code"] == "row_missing"
        following = told.NEXT_AFTER_PULL["row_missing" if is_missing else pull["outcome"]]
    plan = next((plan["plan_id"] for plan in facts["planned"] if plan["certificate_id"] == row["certificate_id"]), None)
    return {
        **row,
        "plan_id": plan,
        "rule": t(*rule) if rule else "",
        "next_step": t(*following) if following else "",
    }


def _worded_disposition(row: Row | None) -> Row | None:
    if row is None:
        return None
    words = {**told.NEEDS, **told.REASONS, **dict(told.DISPOSITION_LINES)}
    text = words.get(row["reason_code"])
    return {**row, "rule": t(*text) if text else ""}


def _worded_decision(row: Row) -> Row:
    kept = {name: value for name, value in row.items() if name != "member_key"}
    name, why = (
        DECISION_NAMES.get(row["decision"]),
        REASON_NAMES.get(row["reason_code"] or ""),
    )
    return {**kept, "what": t(*name) if name else row["decision"], "why": t(*why) if why else None}


# --- events ---------------------------------------------------------------------------------------------------

EVENTS: dict[str, told.Text] = {
    "posted": ("投函", "posted"),
    "pulled": ("引抜きの報告", "reported pulled"),
    "spoiled": ("刷り損じの報告", "reported spoiled"),
    "returned": ("返戻", "returned"),
}


def _events(
    settings: Settings, key: MemberKey, marts: dict[str, list[Row]], facts: dict[str, list[Row]], decisions: list[Row]
) -> list[Row]:
    """Everything that happened, by day, each with the file that tells of it."""
    found = [*_register_events(settings, key), *_conflicts(marts["pieces"])]

    def add(on: date | None, what: str, about: str | None, source: str) -> None:
        found.append({"on": on, "what": what, "about": about, "source": source})

    for row in facts["rejects"]:
        add(row["as_of"], t("行が却下された", "row rejected"), row["file"], f"register/as_of={row['as_of']}")
    for row in facts["asked"]:
        add(row["requested_on"], f"{t('申請', 'request')} {row['kind']}", row["request_id"], row["source_file"])
    for row in decisions:
        name = DECISION_NAMES.get(row["decision"], (row["decision"], row["decision"]))
        add(row["decided_on"], f"{t('判断', 'decision')}: {t(*name)}", row["decided_by"], row["source_file"])
    for row in facts["planned"]:
        add(row["received_on"], t("計画に載った", "planned"), row["certificate_id"], f"plans/{row['plan_id']}")
    for row in marts["listed"]:
        plan = _lot_file(facts, row["lot_id"])
        add(row["listed_on"], t("事業所の一覧に載った", "on the employer's list"), row["list_id"], plan)
    for row in facts["announced"]:
        add(row["received_on"], t("ロットを印刷会社へ渡した", "lot handed over"), row["lot_id"], row["file_name"])
    for row in facts["acknowledged"]:
        words = t(f"印刷会社の回答 ({row['result']})", f"answer of the printer ({row['result']})")
        add(row["acknowledged_on"], words, row["lot_id"], row["source_file"])
    for row in facts["pulls"]:
        words = f"{t('引抜き', 'pulled')}: {t(*told.REASONS.get(row['reason_code'], (row['reason_code'],) * 2))}"
        add(row["received_on"], words, row["certificate_id"], f"plans/{row['plan_id']}")
    for row in marts["pieces"]:
        add(row["occurred_on"], t(*EVENTS[row["event_type"]]), row["envelope_id"], row["source_file"])
    for row in facts["followed_up"]:
        words = f"{t('未着後の処理', 'follow-up')}: {row['outcome']}"
        add(row["run_on"], words, row["certificate_id"], f"plans/{row['plan_id']}")
    for row in facts["outcomes"]:
        words = f"{t('申請の判定', 'request judged')}: {row['outcome']}"
        add(row["received_on"], words, row["request_id"], f"plans/{row['plan_id']}")
    for row in facts["sent_back"]:
        words = t("本人が返した", "sent back by the member")
        add(row["returned_on"], words, row["certificate_id"], row["source_file"])
    return sorted(found, key=lambda row: row["on"] or date.max)


def _conflicts(events: list[Row]) -> Iterable[Row]:
    """Pieces whose reports contradict each other: each report is shown as it came, and that they do."""
    for envelope_id in sorted({row["envelope_id"] for row in events}):
        own = [row for row in events if row["envelope_id"] == envelope_id]
        days = {kind: [row["occurred_on"] for row in own if row["event_type"] == kind] for kind in EVENTS}
        posted, returned = days["posted"], days["returned"]
        told_of: dict[told.Text, bool] = {
            ("投函の報告が食い違う (二重発送か報告の誤り)", "reported posted twice"): own[0]["is_posted_twice"],
            ("投函より前の日付で戻っている", "returned before it was posted"): bool(
                posted and returned and min(returned) < min(posted)
            ),
            ("投函と引抜きの両方の報告がある", "reported posted and pulled"): bool(posted and days["pulled"]),
            ("投函と刷り損じの両方の報告がある", "reported posted and spoiled"): bool(posted and days["spoiled"]),
        }
        last = max(row["occurred_on"] for row in own)
        for words in [words for words, is_so in told_of.items() if is_so]:
            yield {"on": last, "what": f"⚠ {t(*words)}", "about": envelope_id, "source": "fct_alerts"}


def _register_events(settings: Settings, key: MemberKey) -> Iterable[Row]:
    """The drops that brought a row of this member."""
    full, deltas = newest_register(settings.store, date.max)
    snapshot = settings.store.find("register", f"as_of={settings.campaign.parameters.snapshot_as_of}")
    drops: dict[str, Fact] = {drop.name: drop for drop in (snapshot, full, *deltas) if drop is not None}
    connection = duckdb.connect(":memory:")
    try:
        for name, drop in sorted(drops.items()):
            if not drop.table("members").is_file():
                continue
            row = connection.execute(
                "select lost_on, protected from read_parquet(?, hive_partitioning = false) where member_key = ?",
                [str(drop.table("members")), key.packed],
            ).fetchone()
            if row is None:
                continue
            notes = [t(f"資格喪失日 {row[0]}", f"lost on {row[0]}")] if row[0] else []
            notes += [t("支援措置", "protected")] if row[1] else []
            words = t("加入者データに行がある", "row in the register")
            yield {
                "on": date.fromisoformat(name.removeprefix("as_of=")),
                "what": f"{words} ({'、'.join(notes)})" if notes else words,
                "about": str(drop.meta["totals"]["kind"]),
                "source": f"register/{name} members",
            }
    finally:
        connection.close()


def _lot_file(facts: dict[str, list[Row]], lot_id: str) -> str:
    return next((row["file_name"] for row in facts["announced"] if row["lot_id"] == lot_id), lot_id)


# --- what happens next ----------------------------------------------------------------------------------------


def _next_steps(
    disposition: Row | None, certificates: list[Row], marts: dict[str, list[Row]], facts: dict[str, list[Row]]
) -> list[str]:
    steps = [f"{row['certificate_id']}: {row['next_step']}" for row in certificates if row["is_live"]]
    if certificates and not steps:
        newest = max(certificates, key=lambda row: (row["status_on"] or date.min, row["certificate_id"]))
        steps.append(f"{newest['certificate_id']}: {newest['next_step']}")
    elif not certificates and not marts["requests"]:
        steps.append(t(*told.NEXT_OF_DISPOSITION[_standing(disposition, marts, facts)]))
    steps += [
        f"{row['request_id']}: {t(*told.NEXT_OF_REQUEST[row['outcome']])}"
        for row in marts["requests"]
        if row["outcome"] != "issue" or not row["certificate_id"]
    ]
    return steps + [
        f"{t(*STAGES[row['stage']])}: {to_decide(row['stage'], row['reason_code'], row['certificate_id'])}"
        for row in marts["waiting"]
    ]


def _standing(disposition: Row | None, marts: dict[str, list[Row]], facts: dict[str, list[Row]]) -> str:
    for row in marts["late"]:
        standing = str(row["effective_disposition"])
        return "target_later" if standing == "target" else standing
    if disposition is not None:
        return str(disposition["effective_disposition"])
    return "rejected" if any(row["file"] == "members" for row in facts["rejects"]) else "unknown"


def _old_card(settings: Settings, register: Row | None, insured: Row | None) -> str:
    """Rules: campaign parameters, old card. The insured's loss is the whole household's."""
    values = settings.campaign.parameters
    losses = [row["lost_on"] for row in (register, insured) if row and row["lost_on"]]
    lost_on = min(losses, default=None)
    duty = old_card_duty(lost_on, values) or "stays"
    return t(*told.OLD_CARD[duty]).format(lost_on=lost_on, end_on=values.old_cards_end_on)
