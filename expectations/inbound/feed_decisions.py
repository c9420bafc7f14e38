"""decisions: what a person decided on a held case."""

from __future__ import annotations

from kakuninsho.facts.schemas import FEEDS
from kakuninsho.feeds.contract import EXCLUDE_REASONS, INCIDENT_REASONS, SHARE_REASONS
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, Rule, Suite

SUITE = Suite(
    name="inbound/feed_decisions",
    title="判断結果データの受入れ",
    what_to_do=common.FEED_WHAT_TO_DO,
    what_to_do_ja=common.FEED_WHAT_TO_DO_JA,
    tables=FEEDS["decisions"],
    parameters=common.FEED_PARAMETERS,
    derived={"rows": {"prefecture": "prefecture_of_member(member_key)"}},
    rules=(
        *common.feed_rules("decisions", ("member_key", "decided_on", "decision", "decided_by")),
        Rule(
            "prefecture_known",
            "rows",
            CRITICAL,
            "支部は 47 のどれか、全国の割合 (accept_share) だけは支部がない",
            "register/v1, members: insurer_number",
            rows(
                "select 1 from {batch} where prefecture not between 1 and 47"
                " and not (prefecture = 0 and member_key = 0 and decision = 'accept_share')"
            ),
        ),
        Rule(
            "decision_known",
            "rows",
            CRITICAL,
            "判断は定められたもの",
            "decisions: decision",
            lambda _: gxe.ExpectColumnValuesToBeInSet(
                column="decision",
                value_set=[
                    "release",
                    "exclude",
                    "correct_address",
                    "resume",
                    "hold_piece",
                    "issue",
                    "accept_share",
                    "reject_plan",
                    "incident_closed",
                ],
            ),
        ),
        Rule(
            "decided_by_not_blank",
            "rows",
            CRITICAL,
            "判断した人の名が空白でない",
            "decisions: by",
            rows("select 1 from {batch} where decided_by is not null and is_blank(decided_by)"),
        ),
        Rule(
            "reason_known",
            "rows",
            CRITICAL,
            "判断の理由は定められたもの",
            "decisions: reason_code",
            lambda _: gxe.ExpectColumnValuesToBeInSet(
                column="reason_code", value_set=[*EXCLUDE_REASONS, *INCIDENT_REASONS, *SHARE_REASONS]
            ),
        ),
        Rule(
            "reason_of_exclusion",
            "rows",
            CRITICAL,
            "理由は、理由のある判断 (対象外・事故の完了・割合) に、その判断のものだけがある",
            "decisions: reason_code",
            rows(
                "select 1 from {batch} where case decision"
                f" when 'exclude' then reason_code in {INCIDENT_REASONS + SHARE_REASONS}"
                f" when 'incident_closed' then reason_code is null or reason_code in {EXCLUDE_REASONS + SHARE_REASONS}"
                f" when 'accept_share' then reason_code is null or reason_code in {EXCLUDE_REASONS + INCIDENT_REASONS}"
                " else reason_code is not null end"
            ),
        ),
        Rule(
            "share_looked_at",
            "rows",
            CRITICAL,
            "割合を認める判断 (accept_share) だけに、見たデータの日と割合がある",
            "decisions: drop_as_of, found_share",
            rows(
                "select 1 from {batch} where (decision = 'accept_share') <> (drop_as_of is not null)"
                " or (decision = 'accept_share') <> (accepted_share is not null)"
                " or not coalesce(accepted_share between 0 and 1, true)"
            ),
        ),
        Rule(
            "decided_by_receipt",
            "rows",
            CRITICAL,
            "判断日が受領日より後でない",
            "decisions: decided_on",
            rows("select 1 from {batch} where decided_on > received_on"),
        ),
        Rule(
            "no_contradiction",
            "rows",
            CRITICAL,
            "同じ人・同じ日に release と exclude が並ばない",
            "decisions: a person decides",
            rows(
                "select 1 from {batch} where decision in ('release', 'exclude')"
                " group by member_key, decided_on having count(distinct decision) > 1"
            ),
        ),
        common.no_my_number("rows", ("decided_by",), "register/v1: no 12-digit My Number anywhere"),
    ),
)
