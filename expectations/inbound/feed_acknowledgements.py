"""acknowledgements: the printer's answer to each file (contract printer/v1)."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/feed_acknowledgements",
    title="印刷会社の受領通知の受入れ",
    what_to_do=common.FEED_WHAT_TO_DO,
    what_to_do_ja=common.FEED_WHAT_TO_DO_JA,
    tables=FEEDS["acknowledgements"],
    parameters=common.FEED_PARAMETERS,
    rules=(
        *common.feed_rules("acknowledgements", ("file_name", "result", "acknowledged_on")),
        Rule(
            "file_answered_one_way",
            "rows",
            CRITICAL,
            "同じファイルに受理と拒否の両方の通知がない",
            "printer/v1, acknowledgement: result",
            rows(
                "select 1 from {batch} where result in ('accepted', 'rejected')"
                " group by file_name having count(distinct result) > 1"
            ),
        ),
        Rule(
            "result_known",
            "rows",
            CRITICAL,
            "結果は accepted か rejected",
            "printer/v1, acknowledgement: result",
            lambda _: gxe.ExpectColumnValuesToBeInSet(column="result", value_set=["accepted", "rejected"]),
        ),
        Rule(
            "rejection_has_reason",
            "rows",
            CRITICAL,
            "拒否には理由コードがある",
            "printer/v1, acknowledgement: reason_code",
            rows("select 1 from {batch} where result = 'rejected' and is_blank(reason_code)"),
        ),
        Rule(
            "lot_has_counts",
            "rows",
            CRITICAL,
            "受理したロットには 0 より大きい通数と枚数（一覧表は 0 枚も可）がある",
            "printer/v1: control totals",
            rows(
                "select 1 from {batch} where result = 'accepted' and lot_id is not null"
                " and (coalesce(envelope_count, 0) <= 0 or coalesce(certificate_count, -1) < 0)"
            ),
        ),
        Rule(
            "acknowledged_by_receipt",
            "rows",
            CRITICAL,
            "通知日が受領日より後でない",
            "printer/v1, acknowledgement",
            rows("select 1 from {batch} where acknowledged_on > received_on"),
        ),
        Rule(
            "nothing_rejected",
            "rows",
            WARNING,
            "印刷会社が拒否したファイルがない",
            "printer/v1, acknowledgement: result",
            rows(
                "select 1 from {batch} group by file_name"
                " having bool_and(result = 'rejected' and not is_blank(reason_code))"
            ),
        ),
    ),
)
