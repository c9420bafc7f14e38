"""certificate_returns: certificates that members sent back in the reply envelope."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.gates import common
from kakuninsho.gates.gx import rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/feed_certificate_returns",
    title="資格確認書の返却データの受入れ",
    what_to_do=common.FEED_WHAT_TO_DO,
    what_to_do_ja=common.FEED_WHAT_TO_DO_JA,
    tables=FEEDS["certificate_returns"],
    parameters=common.FEED_PARAMETERS,
    rules=(
        *common.feed_rules("certificate_returns", ("certificate_id", "returned_on")),
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
