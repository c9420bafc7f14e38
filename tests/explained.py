"""What every explanation must say, whoever it is about; and one member for each outcome that a season brings up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb

from kakuninsho.messages import in_japanese
from kakuninsho.operations import rules_told as told
from kakuninsho.operations.explaining import Explanation, explain
from kakuninsho.operations.members import MemberKey
from kakuninsho.settings import Settings

KEY = "concat_ws('-', insurer_number, symbol, number, suffix)"
OUTCOMES = {
    "disposition": f"""select {KEY}, concat_ws(' ', 'disposition', disposition, reason_code, effective_disposition,
        effective_reason_code) from marts.fct_member_dispositions""",
    "late": f"""select {KEY}, concat_ws(' ', 'late', disposition, reason_code, effective_reason_code)
        from marts.fct_late_dispositions""",
    "certificate": f"""select {KEY}, concat_ws(' ', 'certificate', route, status, reason_code)
        from marts.fct_certificates""",
    "work list": f"select {KEY}, concat_ws(' ', 'work list', stage, reason_code) from marts.fct_work_list",
    "request": f"select {KEY}, concat_ws(' ', 'request', kind, outcome, reason_code) from marts.fct_requests",
    "follow-up": f"""select {KEY}, concat_ws(' ', 'follow-up', outcome, follow_ups.reason_code)
        from marts.fct_employer_follow_ups as follow_ups
        inner join (select envelope_id, insurer_number, symbol, number, suffix from marts.fct_certificates)
            as certificates using (envelope_id, insurer_number, symbol, number)""",
}


def settings_of(data: Path) -> Settings:
    """The installation of a data folder."""
    return replace(Settings.from_environment(), data=data)


def one_member_for_each_outcome(data: Path) -> dict[str, set[str]]:
    """Outcomes by member key: few members that bring up every outcome of the published copy between them."""
    with duckdb.connect(str(data / "published" / "analytics.duckdb"), read_only=True) as connection:
        rows = [row for query in OUTCOMES.values() for row in connection.execute(query).fetchall()]
    by_member: dict[str, set[str]] = {}
    for member, outcome in rows:
        by_member.setdefault(member, set()).add(outcome)
    left, chosen = {outcome for _, outcome in rows}, {}
    candidates = sorted(by_member, key=lambda member: (-len(by_member[member]), member))
    for member in candidates:
        if by_member[member] & left:
            chosen[member] = by_member[member]
            left -= by_member[member]
    return chosen


def rejected_members(data: Path) -> list[str]:
    """Members of whom no drop has an accepted row: rejects with a key that can be read."""
    register = data / "facts" / "register"
    with duckdb.connect(":memory:") as connection:
        rows = connection.execute(
            f"""select distinct row_key
            from read_parquet('{register}/as_of=2025-04-30/rejects.parquet', hive_partitioning = false)
            where file = 'members' and row_key is not null and row_key not in (
                select member_key from read_parquet('{register}/*/members.parquet', hive_partitioning = false)
            ) order by all"""
        ).fetchall()
    return [str(MemberKey.unpack(key)) for (key,) in rows]


def assert_explained(settings: Settings, member: str) -> Explanation:
    """Explain a member and hold what must be said of everybody: the deciding rule, sources, and what comes next."""
    with in_japanese():
        explanation = explain(settings, MemberKey.parse(member))
    assert explanation.next_steps
    assert explanation.old_card
    assert all(step.split(": ")[-1] for step in explanation.next_steps), explanation.next_steps
    assert explanation.events
    assert [event for event in explanation.events if not (event["on"] and event["what"] and event["source"])] == []
    assert explanation.judgements or explanation.disposition is None
    for judgement in explanation.judgements:
        assert judgement.rule and judgement.source and judgement.outcome
        assert judgement.lines[-1]["answer"].endswith(judgement.outcome) or judgement.table == "rolling"
        assert all(line["answer"] == "いいえ" for line in judgement.lines[:-1])
        if judgement.table in {"recheck", "follow_up", "request"}:
            assert judgement.lines[-1]["line"] in {code for code, _ in _lines(judgement.table)}, judgement
    for certificate in explanation.certificates:
        assert certificate["rule"], (certificate["status"], certificate["reason_code"])
        assert certificate["next_step"], (certificate["status"], certificate["reason_code"])
        assert certificate["plan_id"] or certificate["reason_code"] != "plan_voided"
    if explanation.disposition is not None:
        assert explanation.disposition["rule"], explanation.disposition["reason_code"]
    return explanation


def _lines(table: str) -> told.Lines:
    return {"recheck": told.RECHECK_LINES, "follow_up": told.FOLLOW_UP_LINES, "request": told.REQUEST_LINES}[table]
