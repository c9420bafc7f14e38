"""issued_certificates of a register drop (contract register/v1): certificates that another system issued."""

from __future__ import annotations

from kakuninsho.facts.schemas import REGISTER
from kakuninsho.gates import common
from kakuninsho.gates.gx import rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

_TABLES = {"issued_certificates", "rejects"}

SUITE = Suite(
    name="inbound/register_issued_certificates",
    title="他のシステムが交付した資格確認書データ（issued_certificates）の受入れ",
    what_to_do="Nothing of the drop was loaded; ask the core system for a corrected drop.",
    what_to_do_ja="このデータは一切取り込んでいません。基幹システムに訂正したデータの再提出を求めてください。",
    tables={"issued_certificates": REGISTER["issued_certificates"], "rejects": REGISTER["rejects"]},
    optional_tables={name: columns for name, columns in REGISTER.items() if name not in _TABLES},
    parameters=common.REGISTER_PARAMETERS,
    derived={"issued_certificates": {"prefecture": "prefecture_of_member(member_key)"}},
    rules=(
        common.row_floor("issued_certificates", "register/v1, rejects: an empty file declares no row"),
        common.rows_add_up("issued_certificates", "register/v1, manifest: row count", file="issued_certificates"),
        common.reject_limit("issued_certificates", "register/v1, rejects: max_reject_rate", file="issued_certificates"),
        common.reject_reasons_known("register/v1, rejects: reason codes"),
        common.one_day("issued_certificates", "register/v1, manifest: as_of"),
        common.present(
            "issued_certificates",
            ("member_key", "issued_on", "valid_until"),
            "register/v1, rejects: columns not marked null are required",
        ),
        common.key_unique(
            "issued_certificates",
            ("member_key", "issued_on"),
            "register/v1, issued_certificates: key member key and issued_on",
        ),
        common.prefecture_known("issued_certificates", "register/v1, members: insurer_number"),
        Rule(
            "days_in_order",
            "issued_certificates",
            CRITICAL,
            "有効期限と終了日が交付日より前でない",
            "register/v1, issued_certificates: valid_until and ended_on not before issued_on",
            rows("select 1 from {batch} where valid_until < issued_on or ended_on < issued_on"),
        ),
        Rule(
            "member_known",
            "issued_certificates",
            WARNING,
            "資格確認書の行の人が members にいる",
            "register/v1, issued_certificates: the member key",
            rows("select 1 from {batch} anti join members using (member_key) where member_key is not null"),
            needs=("members",),
            skip_if=common.unless_full,
        ),
    ),
)
