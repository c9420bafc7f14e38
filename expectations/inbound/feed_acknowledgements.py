"""acknowledgements: the printer's answer to each file (contract printer/v1)."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/feed_acknowledgements",
    title="印刷会社の受領通知の受入れ",
    what_to_do="The file was not taken in; ask its sender for a corrected file under a new name.",
    what_to_do_ja="このファイルは取り込んでいません。送付元に、別の名前の訂正ファイルを求めてください。",
    tables=FEEDS["acknowledgements"],
    parameters=common.FEED_PARAMETERS,
    rules=(
        common.row_floor("rows", "feeds: a file without a row that it declares is no file"),
        common.rows_add_up("rows", "feeds: manifest of rows"),
        common.reject_limit("rows", "feeds: max_reject_rate"),
        common.reject_reasons_known("feeds: reason codes"),
        common.present("rows", ("file_name", "result", "acknowledged_on"), "acknowledgements: required columns"),
        common.key_unique("rows", ("source_file", "row_number"), "feeds: each row of a file once", "source_row_unique"),
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
