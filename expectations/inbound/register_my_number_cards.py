"""my_number_cards of a register drop (contract register/v1): what is known of each member's card."""

from __future__ import annotations

from kakuninsho.facts.schemas import REGISTER
from kakuninsho.gates import common
from kakuninsho.gates.gx import rows
from kakuninsho.gates.suite import WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/register_my_number_cards",
    title="マイナンバーカードの状況データ（my_number_cards）の受入れ",
    what_to_do="Nothing of the drop was loaded; ask the core system for a corrected drop.",
    what_to_do_ja="このデータは一切取り込んでいません。基幹システムに訂正したデータの再提出を求めてください。",
    tables={"my_number_cards": REGISTER["my_number_cards"], "rejects": REGISTER["rejects"]},
    optional_tables={name: columns for name, columns in REGISTER.items() if name not in {"my_number_cards", "rejects"}},
    parameters=(*common.REGISTER_PARAMETERS, *common.share_limits("min_usable_share", "max_usable_share")),
    derived={"my_number_cards": {"prefecture": "prefecture_of_member(member_key)"}},
    rules=(
        common.row_floor("my_number_cards", "register/v1, rejects: an empty full file"),
        common.rows_add_up("my_number_cards", "register/v1, manifest: row count", file="my_number_cards"),
        common.reject_limit("my_number_cards", "register/v1, rejects: max_reject_rate", file="my_number_cards"),
        common.reject_reasons_known("register/v1, rejects: reason codes"),
        common.one_day("my_number_cards", "register/v1, manifest: as_of"),
        common.present(
            "my_number_cards",
            ("member_key", "has_card", "number_filed", "registered"),
            "register/v1, rejects: columns not marked null are required",
        ),
        common.key_unique("my_number_cards", ("member_key",), "register/v1, my_number_cards: one row per member"),
        common.prefecture_known("my_number_cards", "register/v1, members: insurer_number"),
        common.not_fewer_than_before("my_number_cards", "register/v1: a full drop holds every row"),
        Rule(
            "member_known",
            "my_number_cards",
            WARNING,
            "カードの行の人が members にいる",
            "register/v1, my_number_cards: one row per member",
            rows("select 1 from {batch} anti join members using (member_key) where member_key is not null"),
            needs=("members",),
            skip_if=common.unless_full,
        ),
        Rule(
            "registered_has_card",
            "my_number_cards",
            WARNING,
            "利用登録済みの人はカードと個人番号の届出がある",
            "rules: can the member use the card",
            rows("select 1 from {batch} where registered and not (has_card and number_filed)"),
        ),
        Rule(
            "certificate_not_beyond_card_life",
            "my_number_cards",
            WARNING,
            "電子証明書の有効期限が基準日から 6 年を超えない",
            "rules: My Number card validity",
            # Issued by the day of the drop, valid to the fifth birthday after: never more than six years away.
            rows("select 1 from {batch} where certificate_expires_on > $as_of + interval 6 year"),
        ),
        common.share(
            "usable_share",
            "my_number_cards",
            "マイナ保険証を使える人の割合が通常の範囲にある",
            "rules: can the member use the card",
            "has_card and number_filed and registered and coalesce(certificate_expires_on >= as_of, false)"
            " and not coalesce(registration_cancelled_on <= as_of, false)",
            least="min_usable_share",
            most="max_usable_share",
        ),
    ),
)
