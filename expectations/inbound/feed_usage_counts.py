"""usage_counts: use of the card at the counter by prefecture and month (rules: usage rate)."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/feed_usage_counts",
    title="マイナ保険証利用件数データの受入れ",
    what_to_do=common.FEED_WHAT_TO_DO,
    what_to_do_ja=common.FEED_WHAT_TO_DO_JA,
    tables=FEEDS["usage_counts"],
    parameters=common.FEED_PARAMETERS,
    rules=(
        *common.feed_rules("usage_counts", ("month", "prefecture_code", "uses", "verifications")),
        common.key_unique(
            "rows", ("month", "prefecture_code"), "usage_counts: month, prefecture", "month_and_prefecture_once"
        ),
        Rule(
            "month_valid",
            "rows",
            CRITICAL,
            "月は YYYY-MM",
            "usage_counts: month",
            lambda _: gxe.ExpectColumnValuesToMatchRegex(column="month", regex="^20[0-9]{2}-(0[1-9]|1[0-2])$"),
        ),
        Rule(
            "prefecture_code_known",
            "rows",
            CRITICAL,
            "都道府県コードは 01〜47",
            "usage_counts: prefecture_code",
            lambda _: gxe.ExpectColumnValuesToMatchRegex(
                column="prefecture_code", regex="^(0[1-9]|[1-3][0-9]|4[0-7])$"
            ),
        ),
        Rule(
            "counts_not_negative",
            "rows",
            CRITICAL,
            "件数は 0 以上",
            "usage_counts: uses, verifications",
            rows("select 1 from {batch} where uses < 0 or verifications < 0"),
        ),
        Rule(
            "uses_within_verifications",
            "rows",
            CRITICAL,
            "利用件数が資格確認件数を超えない",
            "rules: usage rate",
            rows("select 1 from {batch} where uses > verifications and uses >= 0 and verifications >= 0"),
        ),
        Rule(
            "month_complete",
            "rows",
            WARNING,
            "1 か月の 47 都道府県がそろっている（順位は全県そろった月だけ計算する）",
            "rules: usage rate, rank only from a complete month",
            rows("select 1 from {batch} group by month having count(distinct prefecture_code) < 47"),
        ),
    ),
)
