"""issue_requests: forms of people who ask for a certificate (rules: other routes)."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/feed_issue_requests",
    title="交付申請データの受入れ",
    what_to_do=common.FEED_WHAT_TO_DO,
    what_to_do_ja=common.FEED_WHAT_TO_DO_JA,
    tables=FEEDS["issue_requests"],
    parameters=common.FEED_PARAMETERS,
    derived={"rows": {"prefecture": "prefecture_of_member(member_key)"}},
    rules=(
        *common.feed_rules("issue_requests", ("request_id", "member_key", "requested_on", "kind")),
        common.prefecture_known("rows", "register/v1, members: insurer_number"),
        common.key_unique("rows", ("request_id",), "issue_requests: request_id", "request_unique"),
        Rule(
            "kind_known",
            "rows",
            CRITICAL,
            "申請の種類は定められたもの",
            "issue_requests: kind",
            lambda _: gxe.ExpectColumnValuesToBeInSet(
                column="kind",
                value_set=["new_enrollee", "care_needed", "lost_or_damaged", "card_lost_or_renewing", "card_returned"],
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
