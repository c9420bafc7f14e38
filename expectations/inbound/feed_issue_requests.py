"""issue_requests: forms of people who ask for a certificate (rules: other routes)."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/feed_issue_requests",
    title="交付申請データの受入れ",
    what_to_do="The file was not taken in; ask its sender for a corrected file under a new name.",
    what_to_do_ja="このファイルは取り込んでいません。送付元に、別の名前の訂正ファイルを求めてください。",
    tables=FEEDS["issue_requests"],
    parameters=common.FEED_PARAMETERS,
    derived={"rows": {"prefecture": "prefecture_of_member(member_key)"}},
    rules=(
        common.row_floor("rows", "feeds: a file without a row that it declares is no file"),
        common.rows_add_up("rows", "feeds: manifest of rows"),
        common.reject_limit("rows", "feeds: max_reject_rate"),
        common.reject_reasons_known("feeds: reason codes"),
        common.present(
            "rows", ("request_id", "member_key", "requested_on", "kind"), "issue_requests: required columns"
        ),
        common.key_unique("rows", ("source_file", "row_number"), "feeds: each row of a file once", "source_row_unique"),
        common.prefecture_known("rows", "register/v1, members: insurer_number"),
        common.key_unique("rows", ("request_id",), "issue_requests: request_id", "request_unique"),
        Rule(
            "kind_known",
            "rows",
            CRITICAL,
            "申請の種類は定められたもの",
            "issue_requests: kind",
            lambda _: gxe.ExpectColumnValuesToBeInSet(
                column="kind", value_set=["new_enrollee", "care_needed", "lost_or_damaged"]
            ),
        ),
        Rule(
            "requested_by_receipt",
            "rows",
            CRITICAL,
            "申請日が受領日より後でない",
            "issue_requests: requested_on",
            rows("select 1 from {batch} where requested_on > received_on"),
        ),
        Rule(
            "one_request_per_person",
            "rows",
            WARNING,
            "同じ人の同じ種類の申請は 1 ファイルに 1 件",
            "rules: other routes, never two live certificates",
            rows("select 1 from {batch} group by member_key, kind having count(*) > 1"),
        ),
        common.no_my_number("rows", ("request_id",), "register/v1: no 12-digit My Number anywhere"),
    ),
)
