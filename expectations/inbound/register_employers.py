"""employers of a register drop (contract register/v1). Only keys, duplicates and dates reject; the rest is shown."""

from __future__ import annotations

from kakuninsho.facts.schemas import REGISTER
from kakuninsho.gates import common
from kakuninsho.gates.gx import rows
from kakuninsho.gates.suite import WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/register_employers",
    title="事業所データ（employers）の受入れ",
    what_to_do="Nothing of the drop was loaded; ask the core system for a corrected drop.",
    what_to_do_ja="このデータは一切取り込んでいません。基幹システムに訂正したデータの再提出を求めてください。",
    tables={"employers": REGISTER["employers"], "rejects": REGISTER["rejects"]},
    optional_tables={name: columns for name, columns in REGISTER.items() if name not in {"employers", "rejects"}},
    parameters=(
        *common.REGISTER_PARAMETERS,
        *common.share_limits(
            "max_blank_name_share",
            "max_blank_address_share",
            "max_closed_employer_share",
            "max_households_without_employer_share",
        ),
    ),
    derived={"employers": {"prefecture": "prefecture_of_employer(employer_key)"}},
    rules=(
        common.row_floor("employers", "register/v1, rejects: an empty full file"),
        common.rows_add_up("employers", "register/v1, manifest: row count", file="employers"),
        common.reject_limit("employers", "register/v1, rejects: max_reject_rate", file="employers"),
        common.reject_reasons_known("register/v1, rejects: reason codes"),
        common.one_day("employers", "register/v1, manifest: as_of"),
        common.present("employers", ("employer_key",), "register/v1, employers: key"),
        common.key_unique("employers", ("employer_key",), "register/v1, employers: one row per employer"),
        common.prefecture_known("employers", "register/v1, members: insurer_number"),
        common.no_my_number(
            "employers", ("name", "postal_code", "address", "building"), "register/v1: no 12-digit My Number anywhere"
        ),
        common.not_fewer_than_before("employers", "register/v1: a full drop holds every row"),
        common.share(
            "names_not_blank",
            "employers",
            "名称が空白の行がほとんどない",
            "register/v1, employers: name",
            "is_blank(name)",
            most="max_blank_name_share",
        ),
        common.share(
            "addresses_not_blank",
            "employers",
            "所在地または郵便番号が空白の行がほとんどない",
            "register/v1, employers: postal_code, address",
            "is_blank(address) or is_blank(postal_code)",
            most="max_blank_address_share",
        ),
        common.share(
            "closed_share",
            "employers",
            "廃止された事業所の割合が通常の範囲にある",
            "register/v1, employers: closed_on",
            "closed_on is not null",
            most="max_closed_employer_share",
        ),
        Rule(
            "households_have_an_employer",
            "employers",
            WARNING,
            "事業所の行がない世帯（任意継続を除く）が 1 % 以下",
            "rules: undelivered mail, employer unknown",
            rows(
                "select 1 from (select avg((employers.employer_key is null)::integer) as found from"
                " (select distinct household_key from members where enrolment = 'employee') as households"
                " left join {batch} as employers on employers.employer_key = employer_of_household(household_key))"
                " as shares where found > $max_households_without_employer_share"
            ),
            of_the_file=True,
            needs=("members",),
            skip_if=common.unless_full,
        ),
    ),
)
