"""members of a register drop (contract register/v1): accepted rows before they become a fact."""

from __future__ import annotations

from kakuninsho.facts.schemas import REGISTER
from kakuninsho.gates import common
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/register_members",
    title="被保険者・被扶養者データ（members）の受入れ",
    what_to_do="Nothing of the drop was loaded; ask the core system for a corrected drop.",
    what_to_do_ja="このデータは一切取り込んでいません。基幹システムに訂正したデータの再提出を求めてください。",
    tables={"members": REGISTER["members"], "rejects": REGISTER["rejects"]},
    optional_tables={name: columns for name, columns in REGISTER.items() if name not in {"members", "rejects"}},
    parameters=(
        *common.REGISTER_PARAMETERS,
        *common.share_limits(
            "min_insured_share",
            "max_insured_share",
            "max_protected_share",
            "max_voluntary_share",
            "max_households_without_insured_share",
        ),
    ),
    derived={"members": {"prefecture": "prefecture_of_member(member_key)", "suffix": "member_key % 100"}},
    rules=(
        common.row_floor("members", "register/v1, rejects: an empty full file"),
        common.rows_add_up("members", "register/v1, manifest: row count", file="members"),
        common.reject_limit("members", "register/v1, rejects: max_reject_rate", file="members"),
        common.reject_reasons_known("register/v1, rejects: reason codes"),
        common.one_day("members", "register/v1, manifest: as_of"),
        common.present(
            "members",
            (
                "member_key",
                "household_key",
                "enrolment",
                "name",
                "sex",
                "birth_date",
                "qualified_on",
                "decided_on",
                "protected",
            ),
            "register/v1, rejects: columns not marked null are required",
        ),
        common.key_unique("members", ("member_key",), "register/v1, members: key"),
        common.prefecture_known("members", "register/v1, members: insurer_number"),
        Rule(
            "household_agrees",
            "members",
            CRITICAL,
            "世帯のキーは被保険者等のキーから枝番を除いたもの",
            "register/v1, members: key",
            rows("select 1 from {batch} where household_key <> member_key // 100"),
        ),
        Rule(
            "number_not_zero",
            "members",
            CRITICAL,
            "番号は 1 以上（先頭に 0 のない 1〜7 桁）",
            "register/v1, members: number",
            # The household changes with the number, so this asks the member's own key.
            rows("select 1 from {batch} where member_key // 100 % 10000000 = 0"),
        ),
        Rule(
            "enrolment_known",
            "members",
            CRITICAL,
            "加入の種類は employee か voluntary",
            "register/v1, members: enrolment",
            lambda _: gxe.ExpectColumnValuesToBeInSet(column="enrolment", value_set=["employee", "voluntary"]),
        ),
        Rule(
            "sex_known",
            "members",
            CRITICAL,
            "性別は male か female",
            "register/v1, members: sex",
            lambda _: gxe.ExpectColumnValuesToBeInSet(column="sex", value_set=["male", "female"]),
        ),
        Rule(
            "name_not_blank",
            "members",
            CRITICAL,
            "氏名が空白でない",
            "register/v1, members: name",
            rows("select 1 from {batch} where name is not null and is_blank(name)"),
        ),
        Rule(
            "name_not_long",
            "members",
            CRITICAL,
            "氏名とカナ氏名は 200 文字以内",
            "register/v1, members: name, name_kana",
            rows("select 1 from {batch} where length(name) > 200 or length(name_kana) > 200"),
        ),
        Rule(
            "birth_date_in_range",
            "members",
            CRITICAL,
            "生年月日は 1900-01-01 より後で、基準日以前",
            "register/v1, members: birth_date",
            rows("select 1 from {batch} where birth_date <= date '1900-01-01' or birth_date > $as_of"),
        ),
        Rule(
            "qualified_after_birth",
            "members",
            CRITICAL,
            "資格取得日（認定日）は生年月日以後",
            "register/v1, members: qualified_on",
            lambda _: gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="qualified_on", column_B="birth_date", or_equal=True, ignore_row_if="either_value_is_missing"
            ),
        ),
        Rule(
            "lost_after_qualified",
            "members",
            CRITICAL,
            "資格喪失日は資格取得日以後",
            "register/v1, members: lost_on",
            lambda _: gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A="lost_on", column_B="qualified_on", or_equal=True, ignore_row_if="either_value_is_missing"
            ),
        ),
        common.no_my_number("members", ("name", "name_kana"), "register/v1: no 12-digit My Number anywhere"),
        common.not_fewer_than_before("members", "register/v1: a full drop holds every row"),
        Rule(
            "decided_by_the_day",
            "members",
            WARNING,
            "決定日が基準日より後でない",
            "register/v1, members: decided_on",
            rows("select 1 from {batch} where decided_on > $as_of"),
        ),
        Rule(
            "reached_75_is_closed",
            "members",
            WARNING,
            "75 歳に達した人は資格を喪失している（台帳側の処理もれ）",
            "rules: what becomes of each row, line 2",
            rows(
                "select 1 from {batch} where lost_on is null and birth_date > date '1900-01-01'"
                " and birthday(birth_date, 75) <= $as_of"
            ),
        ),
        common.share(
            "insured_share",
            "members",
            "被保険者本人の割合が通常の範囲にある",
            "rules: what becomes of each row, insured",
            "suffix = 0",
            least="min_insured_share",
            most="max_insured_share",
        ),
        common.share(
            "protected_share",
            "members",
            "支援措置の対象者の割合が通常の範囲にある",
            "rules: what becomes of each row, line 4",
            "protected",
            most="max_protected_share",
        ),
        common.share(
            "voluntary_share",
            "members",
            "任意継続の人の割合が通常の範囲にある",
            "register/v1, members: enrolment",
            "enrolment = 'voluntary'",
            most="max_voluntary_share",
        ),
        Rule(
            "households_have_an_insured",
            "members",
            WARNING,
            "被保険者本人のいない世帯がほとんどない（max_households_without_insured_share）",
            "rules: what becomes of each row, line 6",
            rows(
                "select 1 from (select avg((insured = 0)::integer) as found from"
                " (select count_if(suffix = 0) as insured from {batch} group by household_key) as households)"
                " as shares where found > $max_households_without_insured_share"
            ),
            of_the_file=True,
            skip_if=common.unless_full,
        ),
    ),
)
