"""return_reports: undelivered pieces that came back (contract printer/v1, rules: undelivered mail)."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/feed_return_reports",
    title="不着返戻の報告の受入れ",
    what_to_do=common.FEED_WHAT_TO_DO,
    what_to_do_ja=common.FEED_WHAT_TO_DO_JA,
    tables=FEEDS["return_reports"],
    parameters=(*common.FEED_PARAMETERS, *common.share_limits("max_other_reason_share")),
    rules=(
        *common.feed_rules("return_reports", ("envelope_id", "returned_on", "reason_code")),
        common.key_unique(
            "rows", ("envelope_id", "returned_on"), "printer/v1, return report", "return_once", severity=WARNING
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
            "return_reason_known",
            "rows",
            CRITICAL,
            "返戻の理由コードは定められたもの",
            "rules: undelivered mail, return reasons",
            lambda _: gxe.ExpectColumnValuesToBeInSet(
                column="reason_code", value_set=["R01", "R02", "R03", "R04", "R05", "R06", "R09"]
            ),
        ),
        Rule(
            "returned_by_receipt",
            "rows",
            CRITICAL,
            "返戻日が受領日より後でない",
            "printer/v1, return report",
            rows("select 1 from {batch} where returned_on > received_on"),
        ),
        common.share(
            "other_reason_share",
            "rows",
            "理由「その他」（R09）の割合が通常の範囲にある",
            "rules: undelivered mail, return reasons",
            "reason_code = 'R09'",
            most="max_other_reason_share",
        ),
    ),
)
