"""piece_reports: what the printer did with each piece (contract printer/v1)."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/feed_piece_reports",
    title="印刷会社の差出し報告の受入れ",
    what_to_do=common.FEED_WHAT_TO_DO,
    what_to_do_ja=common.FEED_WHAT_TO_DO_JA,
    tables=FEEDS["piece_reports"],
    parameters=(*common.FEED_PARAMETERS, *common.share_limits("max_spoiled_share")),
    rules=(
        *common.feed_rules("piece_reports", ("lot_id", "envelope_id", "event_type", "occurred_on")),
        common.key_unique(
            "rows", ("envelope_id", "event_type"), "printer/v1, piece report", "event_once", severity=WARNING
        ),
        Rule(
            "control_number_valid",
            "rows",
            CRITICAL,
            "管理番号は 11 桁で検査数字が正しい",
            "printer/v1: control number",
            rows("select 1 from {batch} where envelope_id is not null and not is_control_number(envelope_id)"),
        ),
        Rule(
            "event_known",
            "rows",
            CRITICAL,
            "報告の種類は posted・pulled・spoiled",
            "printer/v1, piece report: event_type",
            lambda _: gxe.ExpectColumnValuesToBeInSet(column="event_type", value_set=["posted", "pulled", "spoiled"]),
        ),
        Rule(
            "posted_has_tracking_number",
            "rows",
            CRITICAL,
            "差し出した 1 通には引受番号がある",
            "printer/v1, piece report: tracking number",
            rows("select 1 from {batch} where event_type = 'posted' and is_blank(tracking_number)"),
        ),
        Rule(
            "tracking_number_once",
            "rows",
            CRITICAL,
            "引受番号は 1 通に一つ（別の 1 通と重ならない）",
            "printer/v1, piece report: tracking number",
            rows(
                "select 1 from {batch} where tracking_number is not null"
                " group by tracking_number having count(distinct envelope_id) > 1"
            ),
        ),
        Rule(
            "spoiled_has_replacement",
            "rows",
            WARNING,
            "書損じの 1 通に代わりの管理番号がある（ない 1 通は台帳に残り、警報になる）",
            "rules: a wave, each spoiled has one replacement",
            rows("select 1 from {batch} where event_type = 'spoiled' and replacement_id is null"),
        ),
        Rule(
            "replacement_valid",
            "rows",
            CRITICAL,
            "書損じの代わりは、別の有効な管理番号",
            "rules: a wave, each spoiled has one replacement",
            rows(
                "select 1 from {batch} where replacement_id is not null"
                " and (replacement_id = envelope_id or not is_control_number(replacement_id))"
            ),
        ),
        Rule(
            "replacement_once",
            "rows",
            CRITICAL,
            "代わりの管理番号は 1 通に一つ",
            "rules: a wave, each spoiled has one replacement",
            rows(
                "select 1 from {batch} where replacement_id is not null"
                " group by replacement_id having count(distinct envelope_id) > 1"
            ),
        ),
        Rule(
            "occurred_by_receipt",
            "rows",
            CRITICAL,
            "日付が受領日より後でない",
            "printer/v1, piece report",
            rows("select 1 from {batch} where occurred_on > received_on"),
        ),
        Rule(
            "one_end_of_a_piece",
            "rows",
            WARNING,
            "同じ 1 通が差出しと引抜き（または書損じ）の両方で報告されない",
            "rules: a wave, a pulled piece reported posted is an incident",
            rows("select 1 from {batch} group by envelope_id having count(distinct event_type) > 1"),
        ),
        common.share(
            "spoiled_share",
            "rows",
            "書損じの割合が通常の範囲にある",
            "rules: a wave, spoiled",
            "event_type = 'spoiled'",
            most="max_spoiled_share",
        ),
    ),
)
