"""Employer lists (送付予定対象者一覧表) of a drafted plan, before it is frozen (rules: employer lists)."""

from __future__ import annotations

from kakuninsho.facts.schemas import PLANS
from kakuninsho.gates import common, pieces
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, Rule, Suite

_TABLES = ("lots", "envelopes", "seed_pieces", "list_lines")

SUITE = Suite(
    name="outbound/employer_lists",
    title="事業所宛て送付予定対象者一覧表",
    what_to_do=pieces.WHAT_TO_DO,
    what_to_do_ja=pieces.WHAT_TO_DO_JA,
    tables={table: PLANS[table] for table in _TABLES},
    optional_tables={name: columns for name, columns in pieces.OPTIONAL.items() if name not in _TABLES},
    parameters=pieces.PARAMETERS,
    prepared=pieces.PREPARED,
    rules=(
        common.row_floor("list_lines", "design: an empty table fails"),
        *pieces.piece_rules(),
        common.present(
            "list_lines",
            ("plan_id", "list_id", "lot_id", "employer_key", "member_key", "name"),
            "rules: employer lists, line: number, suffix, name",
        ),
        Rule(
            "lists_only",
            "envelopes",
            CRITICAL,
            "一覧表の封筒に世帯も資格確認書もない",
            "rules: employer lists, no address, no birth date, no reason",
            rows(
                "select 1 from {batch} where household_key is not null or employer_key is null"
                " or certificate_count <> 0"
            ),
        ),
        common.key_unique("envelopes", ("employer_key",), "rules: employer lists, one list", "one_list_per_employer"),
        Rule(
            "list_known",
            "list_lines",
            CRITICAL,
            "すべての行の一覧表が計画にある",
            "rules: employer lists",
            rows(
                "select 1 from {batch} as list_lines anti join envelopes on envelopes.envelope_id = list_lines.list_id"
            ),
        ),
        Rule(
            "list_not_empty",
            "envelopes",
            CRITICAL,
            "空の一覧表がない",
            "rules: employer lists, at least one target",
            rows(
                "select 1 from {batch} as envelopes anti join list_lines on list_lines.list_id = envelopes.envelope_id"
            ),
        ),
        Rule(
            "one_employer_per_list",
            "list_lines",
            CRITICAL,
            "一覧表に他の事業所の人がいない",
            "rules: employer lists, one list for every employer",
            rows(
                "select 1 from {batch} as list_lines join envelopes on envelopes.envelope_id = list_lines.list_id"
                " where list_lines.employer_key is distinct from envelopes.employer_key"
                " or employer_of_household(member_key // 100) is distinct from envelopes.employer_key"
                " or list_lines.lot_id is distinct from envelopes.lot_id"
            ),
        ),
        common.key_unique("list_lines", ("member_key",), "rules: employer lists, a person once", "member_once"),
        Rule(
            "branch_agrees",
            "envelopes",
            CRITICAL,
            "事業所の支部がロットの支部と一致する",
            "rules: a lot is one branch, one posting date",
            rows("select 1 from {batch} where prefecture_of_employer(employer_key) <> prefecture"),
        ),
        Rule(
            "names_not_blank",
            "list_lines",
            CRITICAL,
            "氏名が空白でない",
            "rules: employer lists, line: number, suffix, name",
            rows("select 1 from {batch} where name is not null and is_blank(name)"),
        ),
        Rule(
            "names_printable",
            "list_lines",
            CRITICAL,
            "氏名が印刷できる文字だけ",
            "rules: text that can be printed",
            rows("select 1 from {batch} where not is_printable(coalesce(name, ''))"),
        ),
        common.no_my_number("list_lines", ("name",), "register/v1: no 12-digit My Number anywhere"),
        pieces.not_voluntary("list_lines", "一覧表"),
        pieces.not_protected("list_lines", "一覧表"),
        Rule(
            "lot_kind_is_list",
            "lots",
            CRITICAL,
            "ロットの種類は employer_list",
            "marts: fct_lots, kind",
            # Its pieces carry the same kind (rule lot_agrees).
            lambda _: gxe.ExpectColumnValuesToBeInSet(column="lot_kind", value_set=["employer_list"]),
        ),
    ),
)
