"""Lots of household envelopes of a drafted plan (home, release, request), before it is frozen."""

from __future__ import annotations

from kakuninsho.facts.schemas import PLANS
from kakuninsho.gates import common, pieces
from kakuninsho.gates.gx import gxe, rows
from kakuninsho.gates.suite import CRITICAL, WARNING, Parameter, Rule, Suite

_TABLES = ("lots", "envelopes", "certificates", "seed_pieces", "pulls")
_NEEDS = [
    "no_card",
    "number_not_filed",
    "not_registered",
    "registration_cancelled",
    "certificate_in_grace",
    "certificate_expired",
    # Care-needed applicants get one also with a usable card.
    "care_needed",
    "lost_or_damaged",
    "card_lost_or_renewing",
    "card_returned",
]
_FINDINGS = [
    "row_missing",
    "membership_lost",
    "reached_75",
    "address_protected",
    "validity_over",
    "already_has_certificate",
    "by_person",
    "details_changed",
    "packed_anew",
]

SUITE = Suite(
    name="outbound/plan_lots",
    title="個人宛て発送計画のロット",
    what_to_do=pieces.WHAT_TO_DO,
    what_to_do_ja=pieces.WHAT_TO_DO_JA,
    tables={table: PLANS[table] for table in _TABLES},
    optional_tables={name: columns for name, columns in pieces.OPTIONAL.items() if name not in _TABLES},
    parameters=(
        *pieces.PARAMETERS,
        *(
            Parameter(name, "validity of a certificate (rule 4)", from_campaign=True)
            for name in ("validity_turns_over_month", "validity_turns_over_day", "validity_years")
        ),
    ),
    prepared={
        **pieces.PREPARED,
        # What an envelope holds, counted once over all certificates.
        "envelope_contents": """
            select
                envelope_id,
                count(*) as certificate_count,
                min(slot) as first_slot,
                max(slot) as last_slot,
                count(distinct slot) as slot_count
            from certificates
            group by envelope_id
        """,
        "households": """
            select household_key, is_additional, posting_date, count(*) as envelope_count,
                min(position) as first_position, max(position) as last_position,
                count(distinct position) as position_count,
                min(envelopes_in_household) as least_n, max(envelopes_in_household) as most_n,
                sum(certificate_count) as certificate_count
            from envelopes
            group by household_key, is_additional, posting_date
        """,
    },
    rules=(
        common.row_floor("certificates", "design: an empty table fails"),
        *pieces.piece_rules(),
        common.present(
            "certificates",
            (
                "plan_id",
                "certificate_id",
                "envelope_id",
                "slot",
                "member_key",
                "household_key",
                "issued_on",
                "valid_until",
                "name",
                "name_kana",
                "birth_date",
                "qualified_on",
            ),
            "rules: envelopes and lots",
        ),
        # --- a household and its envelopes ---
        Rule(
            "household_given",
            "envelopes",
            CRITICAL,
            "すべての封筒に世帯と k/n がある",
            "rules: envelopes and lots, envelope k of n",
            rows(
                # A bundle to an employer has no household; its packets have.
                "select 1 from {batch} where (household_key is null or position is null"
                " or envelopes_in_household is null) and (lot_kind <> 'employer' or bundle_id is not null)"
            ),
        ),
        Rule(
            "branch_agrees",
            "envelopes",
            CRITICAL,
            "世帯の支部がロットの支部と一致する",
            "rules: a lot is one branch, one posting date",
            rows("select 1 from {batch} where prefecture_of_household(household_key) <> prefecture"),
        ),
        Rule(
            "employer_agrees",
            "envelopes",
            CRITICAL,
            "封筒の事業所が世帯の事業所と一致する",
            "rules: household is insurer number, symbol, number",
            rows("select 1 from {batch} where employer_key <> employer_of_household(household_key)"),
        ),
        Rule(
            "k_of_n_complete",
            "households",
            CRITICAL,
            "世帯ごとに k/n が 1 から n までそろう",
            "rules: envelopes and lots, envelope k of n",
            rows(
                "select 1 from {batch} where household_key is not null and (first_position <> 1"
                " or last_position <> envelope_count or position_count <> envelope_count"
                " or least_n <> envelope_count or most_n <> envelope_count)"
            ),
        ),
        Rule(
            "packed_full",
            "households",
            CRITICAL,
            "世帯の封筒が必要な数より多くない",
            "rules: envelopes and lots, four to an envelope",
            rows(
                "select 1 from {batch} where household_key is not null"
                " and envelope_count > ceil(certificate_count / $certificates_per_envelope)"
            ),
        ),
        # --- an envelope and its certificates ---
        Rule(
            "certificate_count_in_range",
            "envelopes",
            CRITICAL,
            "封筒の枚数は 1 枚から上限まで",
            "rules: campaign parameters, certificates per envelope",
            rows(
                "select 1 from {batch} where certificate_count < 1 or (certificate_count > $certificates_per_envelope"
                " and (lot_kind <> 'employer' or bundle_id is not null))"
            ),
        ),
        Rule(
            "certificate_count_agrees",
            "envelopes",
            CRITICAL,
            "封筒の枚数が資格確認書の数と一致する",
            "rules: a live certificate is in exactly one live envelope",
            rows(
                "select 1 from {batch} as envelopes left join envelope_contents using (envelope_id)"
                " where envelopes.certificate_count <> coalesce(envelope_contents.certificate_count, 0)"
                " and (lot_kind <> 'employer' or bundle_id is not null)"
            ),
        ),
        # --- a bundle and its packets ---
        Rule(
            "bundle_of_one_employer",
            "envelopes",
            CRITICAL,
            "束の中の封筒はその束の事業所のもので、枚数が束と一致する",
            "rules: undelivered mail, nobody else's data in a bundle",
            rows(
                "select 1 from {batch} as bundles left join ("
                "select bundle_id, sum(certificate_count) as certificate_count, min(employer_key) as first_employer,"
                " max(employer_key) as last_employer, bool_and(lot_kind = 'employer') as in_employer_lot"
                " from envelopes where bundle_id is not null group by bundle_id"
                ") as packets on packets.bundle_id = bundles.envelope_id"
                " where (bundles.household_key is null or packets.bundle_id is not null)"
                " and (bundles.lot_kind <> 'employer' or bundles.household_key is not null"
                " or packets.certificate_count is distinct from bundles.certificate_count"
                " or packets.first_employer is distinct from bundles.employer_key"
                " or packets.last_employer is distinct from bundles.employer_key or not packets.in_employer_lot)"
            ),
        ),
        Rule(
            "bundle_known",
            "envelopes",
            CRITICAL,
            "束に入る封筒の束が計画にある",
            "rules: undelivered mail, one bundle per employer",
            rows(
                "select 1 from {batch} as packets where bundle_id is not null"
                " and bundle_id not in (select envelope_id from envelopes)"
            ),
        ),
        Rule(
            "envelope_known",
            "certificates",
            CRITICAL,
            "すべての資格確認書が計画の封筒に入っている",
            "rules: a live certificate is in exactly one live envelope",
            rows("select 1 from {batch} anti join envelopes using (envelope_id)"),
        ),
        Rule(
            "slots_run_through",
            "envelope_contents",
            CRITICAL,
            "封筒内の枝番が 1 から枚数まで抜けなく続く",
            "facts: certificate_id is envelope_id and slot",
            rows(
                "select 1 from {batch}"
                " where first_slot <> 1 or last_slot <> certificate_count or slot_count <> certificate_count"
            ),
        ),
        Rule(
            "certificate_id_agrees",
            "certificates",
            CRITICAL,
            "資格確認書番号が管理番号と枝番からなる",
            "facts: certificate_id is envelope_id and slot",
            rows("select 1 from {batch} where certificate_id is distinct from envelope_id || '-' || slot"),
        ),
        Rule(
            "household_not_mixed",
            "certificates",
            CRITICAL,
            "封筒に他の世帯の資格確認書が入っていない",
            "rules: no envelope holds two households",
            rows(
                "select 1 from {batch} as certificates join envelopes using (envelope_id)"
                " where certificates.household_key is distinct from envelopes.household_key"
            ),
        ),
        Rule(
            "member_of_household",
            "certificates",
            CRITICAL,
            "資格確認書の人がその世帯の人",
            "rules: household is insurer number, symbol, number",
            rows("select 1 from {batch} where member_key // 100 <> household_key"),
        ),
        Rule(
            "member_once",
            "certificates",
            CRITICAL,
            "一人に一枚（同じ計画に二度出ない）",
            "rules: every target has at most one live certificate",
            rows("select 1 from {batch} group by member_key having count(*) > 1"),
        ),
        Rule(
            "order_of_suffix",
            "certificates",
            CRITICAL,
            "世帯の資格確認書が枝番の順に入っている",
            "rules: envelopes and lots, in order of suffix",
            rows(
                "select 1 from (select member_key < lag(member_key) over (partition by certificates.household_key,"
                " is_additional, posting_date order by position, slot) as goes_back"
                " from {batch} as certificates join envelopes using (envelope_id)) as ordered where goes_back"
            ),
        ),
        # --- what is printed ---
        Rule(
            "issued_on_the_posting_date",
            "certificates",
            CRITICAL,
            "交付日がロットの差出日",
            "rules: validity, issue date is the lot's planned posting date",
            rows("select 1 from {batch} join envelopes using (envelope_id) where issued_on <> posting_date"),
        ),
        Rule(
            "valid_at_issue",
            "certificates",
            WARNING,
            "有効期限が交付日以後（差出し前の再確認で引き抜かれる）",
            "rules: validity of a certificate",
            rows("select 1 from {batch} where valid_until < issued_on"),
        ),
        Rule(
            "valid_to_the_base_at_most",
            "certificates",
            CRITICAL,
            "有効期限が交付日から決まる最長の期限を超えない",
            "rules: validity of a certificate, base",
            rows(
                "select 1 from {batch} where valid_until >= make_date(year(issued_on) + $validity_years"
                " - if((month(issued_on), day(issued_on))"
                " >= ($validity_turns_over_month, $validity_turns_over_day), 0, 1),"
                " $validity_turns_over_month, $validity_turns_over_day)"
            ),
        ),
        Rule(
            "valid_until_before_75",
            "certificates",
            CRITICAL,
            "有効期限が 75 歳の誕生日より前",
            "rules: validity of a certificate, the member turns 75",
            rows("select 1 from {batch} where valid_until >= birthday(birth_date, 75)"),
        ),
        Rule(
            "enough_days_valid",
            "certificates",
            WARNING,
            "有効期間の短い資格確認書がない",
            "rules: validity, less than min_days_valid left",
            rows("select 1 from {batch} where valid_until >= issued_on and valid_until - issued_on < $min_days_valid"),
        ),
        Rule(
            "dates_in_order",
            "certificates",
            CRITICAL,
            "生年月日 ≦ 資格取得日、生年月日 ≦ 交付日",
            "register/v1, members: qualified_on",
            rows("select 1 from {batch} where qualified_on < birth_date or birth_date > issued_on"),
        ),
        Rule(
            "codes_known",
            "certificates",
            CRITICAL,
            "経路・加入の種類・性別は定められたもの",
            "marts: fct_certificates",
            rows(
                "select 1 from {batch} where coalesce(route, '') not in ('home', 'request', 'rolling', 'decided')"
                " or coalesce(enrolment, '') not in ('employee', 'voluntary')"
                " or coalesce(sex, '') not in ('male', 'female')"
            ),
        ),
        Rule(
            "need_known",
            "certificates",
            CRITICAL,
            "必要とする理由は定められたもの",
            "rules: can the member use the card, need",
            lambda _: gxe.ExpectColumnValuesToBeInSet(column="need", value_set=_NEEDS),
        ),
        Rule(
            "voluntary_has_no_employer",
            "certificates",
            CRITICAL,
            "任意継続の世帯に事業所がなく、それ以外の世帯にはある",
            "rules: undelivered mail, household voluntary",
            rows(
                "select 1 from {batch} join envelopes using (envelope_id)"
                " where (enrolment = 'voluntary') <> (employer_key is null)"
            ),
        ),
        Rule(
            "names_not_blank",
            "certificates",
            CRITICAL,
            "氏名とカナ氏名が空白でない",
            "register/v1, members: name, name_kana",
            rows(
                "select 1 from {batch} where (name is not null and is_blank(name))"
                " or (name_kana is not null and is_blank(name_kana))"
            ),
        ),
        Rule(
            "names_printable",
            "certificates",
            CRITICAL,
            "氏名とカナ氏名が印刷できる文字だけ",
            "rules: text that can be printed",
            rows(
                "select 1 from {batch}"
                " where not (is_printable(coalesce(name, '')) and is_printable(coalesce(name_kana, '')))"
            ),
        ),
        Rule(
            "names_not_wide",
            "certificates",
            CRITICAL,
            "氏名とカナ氏名が印字幅に収まる",
            "rules: text that can be printed, printed width",
            rows(
                "select 1 from {batch} where printed_width(name) > $max_name_width"
                " or printed_width(name_kana) > $max_name_width"
            ),
        ),
        common.no_my_number(
            "certificates",
            ("name", "name_kana"),
            "register/v1: no 12-digit My Number anywhere",
            "no_my_number_in_names",
        ),
        # --- who must not be there ---
        pieces.not_protected("certificates", "計画"),
        Rule(
            "address_is_employer",
            "envelopes",
            WARNING,
            "世帯の住所が事業所の住所と同じ封筒がない",
            "rules: what becomes of each row, address_is_employer",
            rows("select 1 from {batch} where household_key in (select household_key from at_employer)"),
            needs=("at_employer",),
        ),
        # --- pulls of a release ---
        common.key_unique("pulls", ("certificate_id",), "rules: a wave, pull list", "pulled_once"),
        Rule(
            "pull_codes_known",
            "pulls",
            CRITICAL,
            "引抜きの理由と扱いは定められたもの",
            "rules: a wave, re-check",
            rows(
                f"select 1 from {{batch}} where coalesce(reason_code, '') not in {tuple(_FINDINGS)}"
                " or coalesce(outcome, '') not in ('held', 'closed', 'planned_again')"
            ),
        ),
        Rule(
            "planned_again_has_a_certificate",
            "pulls",
            CRITICAL,
            "再計画とした人に新しい資格確認書がある",
            "rules: a wave, members left over are packed anew",
            rows(
                "select 1 from {batch} as pulls anti join certificates using (member_key)"
                " where outcome = 'planned_again'"
            ),
        ),
        Rule(
            "held_or_closed_has_none",
            "pulls",
            CRITICAL,
            "保留・終了とした人に新しい資格確認書がない",
            "rules: a wave, re-check",
            rows(
                "select 1 from {batch} as pulls semi join certificates using (member_key)"
                " where outcome in ('held', 'closed')"
            ),
        ),
    ),
)
