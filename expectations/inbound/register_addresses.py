"""addresses of a register drop (contract register/v1). Only keys, duplicates and dates reject; the rest is shown."""

from __future__ import annotations

from kakuninsho.facts.schemas import REGISTER
from kakuninsho.gates import common
from kakuninsho.gates.gx import rows
from kakuninsho.gates.suite import WARNING, Rule, Suite

SUITE = Suite(
    name="inbound/register_addresses",
    title="住所データ（addresses）の受入れ",
    what_to_do="Nothing of the drop was loaded; ask the core system for a corrected drop.",
    what_to_do_ja="このデータは一切取り込んでいません。基幹システムに訂正したデータの再提出を求めてください。",
    tables={"addresses": REGISTER["addresses"], "rejects": REGISTER["rejects"]},
    optional_tables={name: columns for name, columns in REGISTER.items() if name not in {"addresses", "rejects"}},
    parameters=(
        *common.REGISTER_PARAMETERS,
        *common.share_limits(
            "max_households_without_address_share",
            "max_bad_postal_code_share",
            "max_blank_address_share",
            "max_overseas_share",
        ),
    ),
    derived={"addresses": {"prefecture": "prefecture_of_household(household_key)"}},
    rules=(
        common.row_floor("addresses", "register/v1, rejects: an empty full file"),
        common.rows_add_up("addresses", "register/v1, manifest: row count", file="addresses"),
        common.reject_limit("addresses", "register/v1, rejects: max_reject_rate", file="addresses"),
        common.reject_reasons_known("register/v1, rejects: reason codes"),
        common.one_day("addresses", "register/v1, manifest: as_of"),
        common.present("addresses", ("household_key",), "register/v1, addresses: key"),
        common.key_unique("addresses", ("household_key",), "register/v1, addresses: one row per household"),
        common.prefecture_known("addresses", "register/v1, members: insurer_number"),
        common.no_my_number(
            "addresses", ("postal_code", "address", "building"), "register/v1: no 12-digit My Number anywhere"
        ),
        common.not_fewer_than_before("addresses", "register/v1: a full drop holds every row"),
        Rule(
            "updated_by_the_day",
            "addresses",
            WARNING,
            "更新日が基準日より後でない",
            "register/v1, addresses: updated_on",
            rows("select 1 from {batch} where updated_on > $as_of"),
        ),
        Rule(
            "household_known",
            "addresses",
            WARNING,
            "住所の世帯に被保険者または被扶養者がいる",
            "register/v1, addresses: one row per household",
            rows("select 1 from {batch} anti join members using (household_key) where household_key is not null"),
            needs=("members",),
            skip_if=common.unless_full,
        ),
        Rule(
            "households_have_an_address",
            "addresses",
            WARNING,
            "住所のない世帯が 1 % 以下",
            "rules: what becomes of each row, line 10",
            rows(
                "select 1 from (select avg((addresses.household_key is null)::integer) as found"
                " from (select distinct household_key from members) as households"
                " left join {batch} as addresses using (household_key)) as shares"
                " where found > $max_households_without_address_share"
            ),
            of_the_file=True,
            needs=("members",),
            skip_if=common.unless_full,
        ),
        common.share(
            "postal_codes_have_7_digits",
            "addresses",
            "郵便番号が 7 桁の数字でない行がほとんどない（国内）",
            "register/v1, addresses: postal_code",
            "not coalesce(regexp_full_match(translate(postal_code, '０１２３４５６７８９－', '0123456789-'),"
            " '[0-9]{3}[-‐-―−ー]?[0-9]{4}'), false)",
            most="max_bad_postal_code_share",
            where="country = 'JP'",
        ),
        common.share(
            "addresses_not_blank",
            "addresses",
            "住所が空白の行がほとんどない",
            "rules: what becomes of each row, line 10",
            "is_blank(address)",
            most="max_blank_address_share",
        ),
        common.share(
            "overseas_share",
            "addresses",
            "国外の住所または国の不明な行が通常の範囲にある",
            "register/v1, addresses: country",
            "country is distinct from 'JP'",
            most="max_overseas_share",
        ),
    ),
)
