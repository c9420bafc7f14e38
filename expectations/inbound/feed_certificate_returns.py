"""certificate_returns: certificates that members sent back in the reply envelope."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.gates import common
from kakuninsho.gates.gx import rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/feed_certificate_returns",
    title="資格確認書の返却データの受入れ",
    what_to_do="The file was not taken in; ask its sender for a corrected file under a new name.",
    what_to_do_ja="このファイルは取り込んでいません。送付元に、別の名前の訂正ファイルを求めてください。",
    tables=FEEDS["certificate_returns"],
    parameters=common.FEED_PARAMETERS,
    rules=(
        common.row_floor("rows", "feeds: a file without a row that it declares is no file"),
        common.rows_add_up("rows", "feeds: manifest of rows"),
        common.reject_limit("rows", "feeds: max_reject_rate"),
        common.reject_reasons_known("feeds: reason codes"),
        common.present("rows", ("certificate_id", "returned_on"), "certificate_returns: required columns"),
        common.key_unique("rows", ("source_file", "row_number"), "feeds: each row of a file once", "source_row_unique"),
        common.key_unique(
            "rows", ("certificate_id",), "certificate_returns: certificate_id", "certificate_once", severity=WARNING
        ),
        Rule(
            "certificate_id_valid",
            "rows",
            CRITICAL,
            "資格確認書番号は管理番号（検査数字つき）と枝番",
            "certificate_returns: certificate_id",
            rows(
                "select 1 from {batch} where certificate_id is not null"
                " and not (is_control_number(left(certificate_id, 11))"
                " and regexp_full_match(substr(certificate_id, 12), '-[1-9][0-9]?'))"
            ),
        ),
        Rule(
            "returned_by_receipt",
            "rows",
            CRITICAL,
            "返却日が受領日より後でない",
            "certificate_returns: received_on",
            rows("select 1 from {batch} where returned_on > received_on"),
        ),
    ),
)
