"""Rules of any plan's pieces: lots, control numbers, order, samples and printed addresses (rules: envelopes and lots).

Shared by the outbound suites; the tables are those of a plan (facts/schemas.py, PLANS). A piece is a household's
envelope, an employer's bundle or an employer's list.
"""

from __future__ import annotations

from kakuninsho.facts.schemas import PLANS, Columns
from kakuninsho.gates import common
from kakuninsho.gates.gx import rows
from kakuninsho.gates.suite import CRITICAL, Parameter, Rule
from kakuninsho.gates.tables import BESIDE

WHAT_TO_DO = "Nothing was frozen or sent; find out why the models made this, mend it, and draft the plan again."
WHAT_TO_DO_JA = "この計画は確定も送付もしていません。原因を直してから、計画を作り直してください。"

PARAMETERS = (
    Parameter("highest_sequence_before", "the highest control number ever given before this plan", required=True),
    Parameter("declared_rows", "rows that the draft counted; 0 lets a plan without certificates of its own pass"),
    Parameter("lot_size", "pieces in a lot at most, samples included", from_campaign=True),
    Parameter("seed_households_per_lot", "samples in each lot", from_campaign=True),
    Parameter("samples_from_envelopes", "below it a lot of the other routes is small", from_campaign=True),
    Parameter("certificates_per_envelope", "certificates in an envelope at most", from_campaign=True),
    Parameter("min_days_valid", "days left at issue below which a certificate is shown", from_campaign=True),
    Parameter("max_name_width", "printed width of names and kana", from_campaign=True),
    Parameter("max_address_width", "printed width of addresses", from_campaign=True),
    Parameter("max_building_width", "printed width of buildings", from_campaign=True),
)

OPTIONAL: dict[str, Columns] = {
    **PLANS,
    **BESIDE,
}

# What several rules ask of each lot, joined once: its pieces, samples among them.
LOT_CONTENTS = """
    select
        lot_id,
        count(*) as piece_count,
        count_if(is_seed) as seed_count,
        count_if(not is_seed) as envelope_count,
        coalesce(sum(certificate_count), 0) as certificate_count,
        coalesce(sum(weight_g), 0) as weight_g,
        coalesce(sum(postage_yen), 0) as postage_yen,
        min(sequence) as first_sequence,
        max(sequence) as last_sequence,
        min(position_in_lot) as first_position,
        max(position_in_lot) as last_position,
        count(distinct position_in_lot) as position_count,
        max(position_in_lot) filter (where is_seed) as last_seed_position,
        min(position_in_lot) filter (where not is_seed) as first_envelope_position
    from (
        select lot_id, true as is_seed, sequence, position_in_lot,
            0 as certificate_count, 0 as weight_g, 0 as postage_yen
        from seed_pieces
        union all
        select lot_id, false, sequence, position_in_lot, certificate_count, weight_g, postage_yen from envelopes
        -- A packet is counted with the bundle that it lies in.
        where bundle_id is null
    ) as pieces
    group by lot_id
"""
PREPARED = {"lot_contents": LOT_CONTENTS}
# Small lots of the request, rolling and decided routes.
_IS_SMALL = "(lots.plan_id like 'request-%' and lots.envelope_count < $samples_from_envelopes)"


def not_protected(table: str, what_ja: str) -> Rule:
    """Nobody whom the newest register protects is in the plan."""
    return Rule(
        "not_protected",
        table,
        CRITICAL,
        f"支援措置の対象者が{what_ja}にいない",
        "rules: protection in the newest register beats every route",
        rows(
            "select 1 from {batch} where member_key in (select member_key from protected where member_key is not null)"
            " or member_key // 100 in (select household_key from protected where household_key is not null)"
        ),
        needs=("protected",),
    )


def not_voluntary(table: str, what_ja: str) -> Rule:
    """No voluntary household: it has no employer."""
    return Rule(
        "not_voluntary",
        table,
        CRITICAL,
        f"任意継続の世帯が{what_ja}にいない",
        "rules: undelivered mail, household voluntary; employer lists",
        rows("select 1 from {batch} where member_key // 100 in (select household_key from voluntary)"),
        needs=("voluntary",),
    )


def piece_rules() -> tuple[Rule, ...]:
    """The rules that every plan's pieces keep."""
    return (
        common.present(
            "lots",
            (
                "plan_id",
                "lot_id",
                "lot_kind",
                "prefecture",
                "posting_date",
                "wave_key",
                "envelope_count",
                "certificate_count",
                "seed_count",
                "weight_g",
                "postage_yen",
            ),
            "rules: envelopes and lots",
        ),
        common.present(
            "envelopes",
            (
                "plan_id",
                "envelope_id",
                "sequence",
                "lot_id",
                "position_in_lot",
                "certificate_count",
                "posting_date",
                "is_additional",
                "weight_g",
                "postage_yen",
            ),
            "rules: envelopes and lots",
        ),
        Rule(
            "one_plan",
            "lots",
            CRITICAL,
            "すべての行が同じ計画のもの",
            "design: a plan is one fact",
            rows(
                "select 1 from (select plan_id from {batch} union select plan_id from envelopes"
                " union select plan_id from seed_pieces union select plan_id from certificates"
                " union select plan_id from pulls union select plan_id from follow_ups"
                " union select plan_id from list_lines) as plan_ids having count(*) > 1"
            ),
            of_the_file=True,
        ),
        Rule(
            "control_number_unique",
            "envelopes",
            CRITICAL,
            "管理番号が重複しない（見本を含む）",
            "rules: envelopes and lots, control number never used twice",
            rows(
                "select 1 from (select envelope_id from {batch} union all select envelope_id from seed_pieces)"
                " as pieces group by envelope_id having count(*) > 1"
            ),
        ),
        Rule(
            "control_number_valid",
            "envelopes",
            CRITICAL,
            "管理番号は連番と検査数字からなる（見本を含む）",
            "rules: envelopes and lots, control number with a check digit",
            rows(
                "select 1 from (select envelope_id, sequence from {batch}"
                " union all select envelope_id, sequence from seed_pieces) as pieces"
                " where envelope_id is distinct from control_number(sequence)"
            ),
        ),
        Rule(
            "sequence_continues",
            "envelopes",
            CRITICAL,
            "管理番号がこれまでの最大の番号より後から始まる",
            "rules: envelopes and lots, continuing after the highest one ever given",
            rows(
                "select 1 from (select sequence from {batch} union all select sequence from seed_pieces) as pieces"
                " where sequence <= $highest_sequence_before"
            ),
        ),
        Rule(
            "replacement_numbers_apart",
            "lots",
            CRITICAL,
            "刷り直し用の番号が、どのロットの番号とも重ならない",
            "rules: a wave, spoiled is printed again under a new number",
            # Ranges in order of their start: one that begins before an earlier one has ended overlaps it.
            rows(
                "select 1 from (select first, max(last) over (order by first rows between unbounded preceding"
                " and 1 preceding) as earlier_last from (select first_sequence as first, last_sequence as last"
                " from lot_contents union all select replacement_first, replacement_last from {batch}"
                " where replacement_first is not null) as ranges) as ordered where first <= earlier_last"
            ),
        ),
        Rule(
            "lot_known",
            "envelopes",
            CRITICAL,
            "すべての発送物（見本を含む）のロットがロット表にある",
            "rules: envelopes and lots",
            rows(
                "select 1 from (select lot_id from {batch} union all select lot_id from seed_pieces) as pieces"
                " anti join lots using (lot_id)"
            ),
        ),
        common.key_unique("lots", ("lot_id",), "rules: envelopes and lots", "lot_unique"),
        Rule(
            "lot_id_agrees",
            "lots",
            CRITICAL,
            "ロット番号が支部と差出日を正しく表す",
            "rules: a lot is one branch, one posting date",
            rows(
                "select 1 from {batch} where not regexp_full_match(lot_id, '[a-z0-9]+-[A-Z]-'"
                " || lpad(prefecture::varchar, 2, '0') || '-' || replace(posting_date::varchar, '-', '')"
                " || '-[0-9]{2,}')"
            ),
        ),
        common.prefecture_known("lots", "rules: a lot is one branch, one posting date"),
        Rule(
            "lot_agrees",
            "envelopes",
            CRITICAL,
            "発送物の支部・差出日・種類・月が、そのロットと一致する",
            "rules: a lot is one branch, one posting date",
            rows(
                "select 1 from {batch} as envelopes join lots using (lot_id)"
                " where (envelopes.posting_date, envelopes.prefecture, envelopes.lot_kind, envelopes.wave_key)"
                " is distinct from (lots.posting_date, lots.prefecture, lots.lot_kind, lots.wave_key)"
            ),
        ),
        Rule(
            "wave_agrees",
            "lots",
            CRITICAL,
            "発送月は差出日の年月",
            "rules: wave_key is the month of the posting date",
            rows("select 1 from {batch} where wave_key is distinct from left(posting_date::varchar, 7)"),
        ),
        Rule(
            "lot_not_too_large",
            "lots",
            CRITICAL,
            "ロットの通数（見本を含む）が上限以内",
            "rules: envelopes and lots, at most lot_size",
            rows("select 1 from {batch} join lot_contents using (lot_id) where piece_count > $lot_size"),
        ),
        Rule(
            "samples_per_lot",
            "lots",
            CRITICAL,
            "各ロットに定められた数の見本がある",
            "rules: envelopes and lots, seed households",
            rows(
                "select 1 from {batch} as lots left join lot_contents using (lot_id)"
                " where coalesce(lot_contents.seed_count, 0) <> lots.seed_count"
                f" or if({_IS_SMALL}, lots.seed_count not in (0, 1), lots.seed_count <> $seed_households_per_lot)"
            ),
        ),
        Rule(
            "one_sample_a_month",
            "lots",
            CRITICAL,
            "申請・随時などの小さなロットは、支部と月ごとに最初の一つだけに見本が 1 通ある",
            "rules: envelopes and lots, small lots",
            rows(
                f"select 1 from {{batch}} as lots where {_IS_SMALL} group by prefecture, wave_key"
                " having sum(seed_count) <> if((prefecture, wave_key) in"
                " (select (prefecture, wave_key) from months_with_sample), 0, 1)"
            ),
            needs=("months_with_sample",),
        ),
        Rule(
            "positions_run_through",
            "lots",
            CRITICAL,
            "ロット内の順番が 1 から通数まで抜けなく続く",
            "rules: envelopes and lots, in order of postal code",
            rows(
                "select 1 from {batch} join lot_contents using (lot_id)"
                " where first_position <> 1 or last_position <> piece_count or position_count <> piece_count"
            ),
        ),
        Rule(
            "samples_come_first",
            "lots",
            CRITICAL,
            "見本がロットの先頭にある",
            "rules: envelopes and lots, seed households",
            rows(
                "select 1 from {batch} join lot_contents using (lot_id)"
                " where last_seed_position > first_envelope_position"
            ),
        ),
        Rule(
            "postal_order",
            "envelopes",
            CRITICAL,
            "ロット内は郵便番号の順",
            "rules: envelopes and lots, in order of postal code",
            rows(
                "select 1 from (select postal_code < lag(postal_code) over (partition by lot_id"
                " order by position_in_lot) as goes_back from {batch} where bundle_id is null) as ordered"
                " where goes_back"
            ),
        ),
        Rule(
            "lot_totals",
            "lots",
            CRITICAL,
            "ロットの通数・枚数が明細の合計と一致する",
            "rules: envelopes and lots, totals of the lot",
            rows(
                "select 1 from {batch} as lots left join lot_contents using (lot_id)"
                " where lots.envelope_count <> coalesce(lot_contents.envelope_count, 0)"
                " or lots.certificate_count <> coalesce(lot_contents.certificate_count, 0)"
            ),
        ),
        Rule(
            "lot_postage",
            "lots",
            CRITICAL,
            "ロットの重量と料金が明細の合計以上（差は見本の分）",
            "rules: envelopes and lots, weight and postage are totals of the lot",
            rows(
                "select 1 from {batch} as lots join lot_contents using (lot_id)"
                " where lots.weight_g < lot_contents.weight_g - 0.05"
                " or lots.postage_yen < lot_contents.postage_yen or lot_contents.postage_yen <= 0"
            ),
        ),
        Rule(
            "postal_code_has_7_digits",
            "envelopes",
            CRITICAL,
            "郵便番号は 7 桁の数字",
            "rules: what becomes of each row, line 10",
            rows("select 1 from {batch} where not coalesce(regexp_full_match(postal_code, '[0-9]{7}'), false)"),
        ),
        Rule(
            "addressee_not_blank",
            "envelopes",
            CRITICAL,
            "宛名と住所が空白でない",
            "rules: what becomes of each row, line 10",
            rows("select 1 from {batch} where is_blank(addressee_name) or is_blank(address)"),
        ),
        Rule(
            "address_printable",
            "envelopes",
            CRITICAL,
            "宛名・住所・建物名が印刷できる文字だけ",
            "rules: text that can be printed",
            rows(
                "select 1 from {batch} where not (is_printable(coalesce(addressee_name, ''))"
                " and is_printable(coalesce(address, '')) and is_printable(coalesce(building, '')))"
            ),
        ),
        Rule(
            "address_not_wide",
            "envelopes",
            CRITICAL,
            "宛名・住所・建物名が印字幅に収まる",
            "rules: text that can be printed, printed width",
            rows(
                "select 1 from {batch} where printed_width(addressee_name) > $max_name_width"
                " or printed_width(address) > $max_address_width or printed_width(building) > $max_building_width"
            ),
        ),
        common.no_my_number(
            "envelopes",
            ("addressee_name", "address", "building"),
            "register/v1: no 12-digit My Number anywhere",
            "no_my_number_in_addresses",
        ),
        Rule(
            "plan_totals",
            "plan",
            CRITICAL,
            "計画の合計（通数・番号の範囲）が明細と一致する",
            "design: control totals at freezing",
            rows(
                "select 1 from {batch} as plan"
                " where plan.envelope_count <> (select count(*) from envelopes where bundle_id is null)"
                " or plan.certificate_count <> (select count(*) from certificates)"
                " or plan.member_count <> (select count(distinct member_key) from certificates)"
                " or plan.first_sequence is distinct from (select min(first_sequence) from lot_contents)"
                " or plan.last_sequence < (select max(last_sequence) from lot_contents)"
            ),
            of_the_file=True,
            needs=("plan",),
        ),
    )
