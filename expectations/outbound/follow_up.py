"""A follow-up run: returned envelopes and the bundles to employers, before it is frozen (rules: undelivered mail)."""

from __future__ import annotations

from kakuninsho.facts.schemas import PLANS
from kakuninsho.gates import common, pieces
from kakuninsho.gates.gx import rows
from kakuninsho.gates.suite import CRITICAL, Rule, Suite

_TABLES = ("lots", "envelopes", "seed_pieces", "follow_ups")
_OUTCOMES = ("employer_bundle", "branch_desk", "held", "closed")
# Who is in a bundle; the protected and the voluntary may be in a run (held, or for the desk), not in a bundle.
_BUNDLED = "select member_key from follow_ups where outcome = 'employer_bundle'"

SUITE = Suite(
    name="outbound/follow_up",
    title="不着分の事業所宛て再送（毎月）",
    what_to_do=pieces.WHAT_TO_DO,
    what_to_do_ja=pieces.WHAT_TO_DO_JA,
    tables={table: PLANS[table] for table in _TABLES},
    optional_tables={name: columns for name, columns in pieces.OPTIONAL.items() if name not in _TABLES},
    parameters=pieces.PARAMETERS,
    prepared={**pieces.PREPARED, "bundled_members": _BUNDLED},
    rules=(
        common.row_floor("follow_ups", "design: an empty table fails"),
        *pieces.piece_rules(),
        common.present(
            "follow_ups",
            ("plan_id", "run_on", "envelope_id", "certificate_id", "member_key", "envelope_outcome", "outcome"),
            "marts: fct_employer_follow_ups",
        ),
        common.key_unique("follow_ups", ("certificate_id",), "rules: undelivered mail", "certificate_once"),
        Rule(
            "outcome_known",
            "follow_ups",
            CRITICAL,
            "扱いは定められたもの",
            "marts: fct_employer_follow_ups, outcome",
            rows(f"select 1 from {{batch}} where outcome not in {_OUTCOMES} or envelope_outcome not in {_OUTCOMES}"),
        ),
        Rule(
            "one_outcome_per_envelope",
            "follow_ups",
            CRITICAL,
            "一つの封筒の扱いは一つ",
            "rules: undelivered mail, each envelope goes one way",
            rows("select 1 from {batch} group by envelope_id having count(distinct envelope_outcome) > 1"),
        ),
        Rule(
            "held_whole",
            "follow_ups",
            CRITICAL,
            "保留の人がいる封筒は全員が保留",
            "rules: undelivered mail, protected: the whole envelope is held",
            rows(
                "select 1 from {batch} group by envelope_id"
                " having bool_or(outcome = 'held') and not bool_and(outcome = 'held')"
            ),
        ),
        Rule(
            "goes_on_in_one_way",
            "follow_ups",
            CRITICAL,
            "終了した人を除き、封筒の全員が同じ扱い",
            "rules: undelivered mail, the others go on",
            rows(
                "select 1 from {batch} where outcome not in ('closed', 'held') and outcome in"
                " ('employer_bundle', 'branch_desk') and envelope_outcome in ('employer_bundle', 'branch_desk')"
                " and outcome <> envelope_outcome"
            ),
        ),
        Rule(
            "bundle_given",
            "follow_ups",
            CRITICAL,
            "事業所へ再送する人だけが、計画にある束に入っている",
            "rules: undelivered mail, the employer's bundle of this run",
            rows(
                "select 1 from {batch} as follow_ups left join envelopes"
                " on envelopes.envelope_id = follow_ups.bundle_id"
                " where (outcome = 'employer_bundle') <> (envelopes.envelope_id is not null)"
                " or (outcome <> 'employer_bundle' and follow_ups.bundle_id is not null)"
            ),
        ),
        Rule(
            "bundles_only",
            "envelopes",
            CRITICAL,
            "束は事業所宛て（世帯宛てでない）",
            "rules: undelivered mail, one bundle per employer",
            rows("select 1 from {batch} where household_key is not null or employer_key is null"),
        ),
        common.key_unique("envelopes", ("employer_key",), "rules: undelivered mail", "one_bundle_per_employer"),
        Rule(
            "one_employer_per_bundle",
            "follow_ups",
            CRITICAL,
            "束に他の事業所の人がいない",
            "rules: undelivered mail, nobody else's data in it",
            rows(
                "select 1 from {batch} as follow_ups join envelopes on envelopes.envelope_id = follow_ups.bundle_id"
                " where employer_of_household(member_key // 100) is distinct from envelopes.employer_key"
            ),
        ),
        Rule(
            "bundle_count_agrees",
            "envelopes",
            CRITICAL,
            "束の枚数が再送する資格確認書の数と一致する（空の束がない）",
            "rules: undelivered mail, one bundle per employer",
            rows(
                "select 1 from {batch} as envelopes left join (select bundle_id, count(*) as found from follow_ups"
                " where bundle_id is not null group by bundle_id) as bundles"
                " on bundles.bundle_id = envelopes.envelope_id"
                " where certificate_count <> coalesce(found, 0) or coalesce(found, 0) = 0"
            ),
        ),
        Rule(
            "branch_agrees",
            "envelopes",
            CRITICAL,
            "事業所の支部がロットの支部と一致する",
            "rules: a lot is one branch, one posting date",
            rows("select 1 from {batch} where prefecture_of_employer(employer_key) <> prefecture"),
        ),
        Rule(
            "reason_given",
            "follow_ups",
            CRITICAL,
            "再送しない人には理由がある",
            "marts: fct_employer_follow_ups",
            rows("select 1 from {batch} where outcome in ('branch_desk', 'held', 'closed') and is_blank(reason_code)"),
        ),
        pieces.not_voluntary("bundled_members", "束"),
        pieces.not_protected("bundled_members", "束"),
    ),
)
