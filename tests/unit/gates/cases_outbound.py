"""Cases of the outbound suites: a plan of 40 households in three lots, its files, its lists and a follow-up run."""

from __future__ import annotations

from kakuninsho.facts.schemas import PLANS
from kakuninsho.gates.file_bytes import READ_FIELDS, READ_FILES, READ_RECORDS
from kakuninsho.gates.file_plan import LOT_RECORDS, ORDER_RECORDS, fields_of
from kakuninsho.gates.lot_files import FILES
from kakuninsho.gates.manifests import MANIFEST_FIELDS, manifest_fields
from kakuninsho.gates.tables import BESIDE

from .casework import Break, Case

MY_NUMBER = "123456789018"  # made up; its check digit is right
SCHEMA = {**PLANS, **BESIDE}
PARAMETERS = {
    "highest_sequence_before": 1000,
    "lot_size": 60,
    "seed_households_per_lot": 2,
    "samples_from_envelopes": 50,
    "certificates_per_envelope": 4,
    "min_days_valid": 30,
}

_LOTS = """
create temp table lot_names as select * from (values
    (1, 'fy2025-{letter}-13-20250701-01', 13, date '2025-07-01', '2025-07'),
    (2, 'fy2025-{letter}-13-20250801-01', 13, date '2025-08-01', '2025-08'),
    (3, 'fy2025-{letter}-27-20250801-01', 27, date '2025-08-01', '2025-08')
) as names (lot, lot_id, prefecture, posting_date, wave_key);
"""

_TOTALS = """
insert into seed_pieces by name
select 'p' as plan_id, control_number(1000 + (lot - 1) * 200 + seed) as envelope_id,
    1000 + (lot - 1) * 200 + seed as sequence, lot_id, seed as position_in_lot
from lot_names, range(1, 3) as seeds (seed);

insert into lots by name
select 'p' as plan_id, lot_id, any_value(lot_kind) as lot_kind, any_value(names.prefecture) as prefecture,
    any_value(names.posting_date) as posting_date, any_value(names.wave_key) as wave_key,
    count(*) as envelope_count, sum(certificate_count) as certificate_count, 2 as seed_count,
    1000 + (any_value(lot) - 1) * 200 + 1 as first_sequence,
    1000 + (any_value(lot) - 1) * 200 + 100 as replacement_first,
    1000 + (any_value(lot) - 1) * 200 + 120 as replacement_last,
    sum(weight_g) + 2 * 25.0 as weight_g, sum(postage_yen) + 2 * 320 as postage_yen
from envelopes join lot_names as names using (lot_id) group by lot_id;

insert into plan by name
select 'p' as plan_id, 1001 as first_sequence, 1520 as last_sequence,
    (select count(*) from envelopes) as envelope_count,
    (select count(*) from certificates) as certificate_count,
    (select count(distinct member_key) from certificates) as member_count;
"""

# Household i: in lot 1 (1 to 15), 2 (16 to 30) or 3; one to five people, every tenth voluntary.
PLAN_BASE = (
    _LOTS.format(letter="H")
    + """
create temp table people as
select
    i, lot, lot_id, prefecture, posting_date, wave_key, nth, nth // 4 + 1 as position, nth % 4 + 1 as slot,
    ceil((1 + i % 5) / 4)::integer as envelopes_in_household,
    (prefecture::bigint * 110000000 + 1000000 + i) * 10000000 + 100 + i as household_key,
    i % 10 = 0 as is_voluntary
from (select i, case when i <= 15 then 1 when i <= 30 then 2 else 3 end as lot from range(1, 41) as n (i)) as households
join lot_names using (lot), range(0, 5) as nths (nth)
where nth < 1 + i % 5;

create temp table numbered as
select *, row_number() over (partition by lot order by i, position) as place
from (select distinct on (i, position) * from people);

insert into envelopes by name
select 'p' as plan_id, control_number(1002 + (lot - 1) * 200 + place) as envelope_id,
    1002 + (lot - 1) * 200 + place as sequence, lot_id, 'home' as lot_kind, 2 + place as position_in_lot,
    household_key, case when not is_voluntary then household_key // 10000000 end as employer_key, position,
    envelopes_in_household, false as is_additional,
    (select count(*) from people as inside where inside.i = numbered.i and inside.position = numbered.position)
        as certificate_count,
    posting_date, wave_key, prefecture, '試験花子' as addressee_name,
    lpad((1000000 + i)::varchar, 7, '0') as postal_code, '東京都千代田区千代田1-' || i as address,
    'ハイツ' as building, 25.0 as weight_g, 320 as postage_yen
from numbered;

insert into certificates by name
select 'p' as plan_id, envelope_id || '-' || slot as certificate_id, envelope_id, slot,
    people.household_key * 100 + nth as member_key, people.household_key, 'home' as route, 'no_card' as need,
    people.posting_date as issued_on, date '2029-11-30' as valid_until,
    if(is_voluntary, 'voluntary', 'employee') as enrolment, '試験花子' as name, 'シケンハナコ' as name_kana,
    'female' as sex, date '1980-01-01' as birth_date, date '2015-04-01' as qualified_on
from people join envelopes on envelopes.household_key = people.household_key and envelopes.position = people.position;

insert into pulls by name
select 'p' as plan_id, 'old-' || member_key as certificate_id, 'old' as envelope_id, member_key,
    'details_changed' as reason_code, 'planned_again' as outcome
from certificates limit 1;
insert into pulls by name
select 'p' as plan_id, 'old-2' as certificate_id, 'old2' as envelope_id, 1 as member_key,
    'address_protected' as reason_code, 'held' as outcome;
"""
    + _TOTALS
)

# Household 1 has two people in one envelope, 4 has five in two, 5 has one; all in the first lot.
_HOUSEHOLD = "(select household_key from people where i = {} limit 1)"
_ONE, _FOUR, _FIVE = (_HOUSEHOLD.format(i) for i in (1, 4, 5))
_OF_ONE, _OF_FIVE = f"where household_key = {_ONE}", f"where household_key = {_FIVE}"
_FIRST_LOT = "lot_id like '%20250701-01'"


def _packet_in(bundle: str) -> str:
    """One more household of the employer of household 5, as a packet that says it lies in `bundle`."""
    return (
        f"insert into certificates select * replace (control_number(1099) as envelope_id,"
        " control_number(1099) || '-' || slot as certificate_id, household_key + 1 as household_key,"
        f" member_key + 100 as member_key) from certificates {_OF_FIVE};"
        " insert into envelopes select * replace (control_number(1099) as envelope_id, 1099 as sequence,"
        f" household_key + 1 as household_key, {bundle} as bundle_id) from envelopes {_OF_FIVE};"
        " update plan set certificate_count = certificate_count + 1, member_count = member_count + 1"
    )


def _pieces(first: str = "position_in_lot = 3") -> dict[str, Break]:
    """Breaks of the rules that all plans of pieces share. `first`: the first piece of the first lot."""
    one = f"where {_FIRST_LOT} and {first}"
    return {
        "lots_complete": Break(f"update lots set seed_count = null where {_FIRST_LOT}"),
        "envelopes_complete": Break(f"update envelopes set is_additional = null {one}"),
        "one_plan": Break(f"update seed_pieces set plan_id = 'q' where {_FIRST_LOT}"),
        "control_number_unique": Break(
            "insert into seed_pieces by name"
            " select envelope_id, sequence, 'p' as plan_id, lot_id, 99 as position_in_lot"
            f" from envelopes {one};"
            " delete from seed_pieces where position_in_lot = 2 and " + _FIRST_LOT + ";"
            " update seed_pieces set position_in_lot = 2 where position_in_lot = 99"
        ),
        "control_number_valid": Break(
            f"update seed_pieces set envelope_id = '00000100100' where {_FIRST_LOT} and position_in_lot = 1"
        ),
        "sequence_continues": Break("", {"highest_sequence_before": 1001}),
        "replacement_numbers_apart": Break(f"update lots set replacement_last = 1201 where {_FIRST_LOT}"),
        "lot_known": Break(
            "insert into seed_pieces by name select control_number(1190) as envelope_id, 1190 as sequence,"
            " 'p' as plan_id, 'elsewhere' as lot_id, 1 as position_in_lot"
        ),
        "lot_unique": Break(
            f"insert into lots select * replace (null as replacement_first) from lots where {_FIRST_LOT}"
        ),
        "lot_id_agrees": Break(
            "; ".join(
                f"update {table} set lot_id = replace(lot_id, '-13-20250701', '-13-20250702')"
                for table in ("lots", "envelopes", "seed_pieces", "list_lines")
            )
        ),
        "lot_agrees": Break(f"update envelopes set wave_key = '2025-09' {one}"),
        "wave_agrees": Break(
            f"update lots set wave_key = '2025-09' where {_FIRST_LOT};"
            f" update envelopes set wave_key = '2025-09' where {_FIRST_LOT}"
        ),
        "lot_not_too_large": Break("", {"lot_size": 5}),
        "samples_per_lot": Break("", {"seed_households_per_lot": 3}),
        # Small lots of a request plan without any sample, in months that have none yet.
        "one_sample_a_month": Break(
            "; ".join(
                [f"update {table} set plan_id = 'request-p'" for table in PLANS if table not in ("seed_pieces",)]
                + [
                    "delete from seed_pieces",
                    "update lots set seed_count = 0",
                    "update envelopes set position_in_lot = position_in_lot - 2",
                    "update plan set first_sequence = (select min(sequence) from envelopes)",
                ]
            )
        ),
        "positions_run_through": Break(
            f"update envelopes set position_in_lot = 99 where {_FIRST_LOT} and position_in_lot ="
            f" (select max(position_in_lot) from envelopes where {_FIRST_LOT})"
        ),
        "samples_come_first": Break(
            f"update envelopes set position_in_lot = 2 {one};"
            f" update seed_pieces set position_in_lot = 3 where {_FIRST_LOT} and position_in_lot = 2"
        ),
        "postal_order": Break(f"update envelopes set postal_code = '9999999' {one}"),
        "lot_totals": Break(f"update lots set envelope_count = envelope_count + 1 where {_FIRST_LOT}"),
        "lot_postage": Break(f"update lots set postage_yen = 1 where {_FIRST_LOT}"),
        "postal_code_has_7_digits": Break(f"update envelopes set postal_code = '000-001' {one}"),
        "addressee_not_blank": Break(f"update envelopes set address = '　 ' {one}"),
        "address_printable": Break(f"update envelopes set building = '〜' {one}"),
        "address_not_wide": Break(f"update envelopes set address = repeat('丁', 61) {one}"),
        "no_my_number_in_addresses": Break(f"update envelopes set building = '{MY_NUMBER}' {one}"),
        "plan_totals": Break("update plan set envelope_count = envelope_count + 1"),
    }


def _moved(*statements: str) -> str:
    return "; ".join(statements)


CASES: dict[str, Case] = {
    "outbound/plan_lots": Case(
        SCHEMA,
        PLAN_BASE,
        PARAMETERS,
        {
            **_pieces(),
            "row_floor_certificates": Break(
                "delete from certificates; delete from envelopes; delete from lots; delete from seed_pieces;"
                " delete from pulls; update plan set envelope_count = 0, certificate_count = 0, member_count = 0,"
                " first_sequence = null"
            ),
            "prefecture_known": Break(
                _moved(
                    "update lots set prefecture = 48, lot_id = replace(lot_id, '-27-', '-48-') where prefecture = 27",
                    "update seed_pieces set lot_id = replace(lot_id, '-27-', '-48-')",
                    "update certificates set household_key = household_key + 21::bigint * 1100000000000000"
                    " where household_key // 1100000000000000 = 27",
                    "update certificates set member_key = household_key * 100 + member_key % 100",
                    "update envelopes set prefecture = 48, lot_id = replace(lot_id, '-27-', '-48-'),"
                    " household_key = household_key + 21::bigint * 1100000000000000,"
                    " employer_key = employer_key + 21 * 110000000::bigint where prefecture = 27",
                )
            ),
            "certificates_complete": Break(f"update certificates set name = null {_OF_FIVE}"),
            "household_given": Break(f"update envelopes set envelopes_in_household = null {_OF_FIVE}"),
            "branch_agrees": Break(
                _moved(
                    f"update certificates set household_key = household_key + 1100000000000000 {_OF_FIVE}",
                    "update certificates set member_key = household_key * 100 + member_key % 100",
                    "update envelopes set household_key = household_key + 1100000000000000,"
                    f" employer_key = employer_key + 110000000 {_OF_FIVE}",
                )
            ),
            "employer_agrees": Break(f"update envelopes set employer_key = employer_key + 1 {_OF_FIVE}"),
            "k_of_n_complete": Break(f"update envelopes set position = 2 {_OF_FIVE}"),
            "packed_full": Break("", {"certificates_per_envelope": 5}),
            "certificate_count_in_range": Break("", {"certificates_per_envelope": 3}),
            "certificate_count_agrees": Break(
                f"update envelopes set certificate_count = 2 {_OF_FIVE};"
                f" update lots set certificate_count = certificate_count + 1 where {_FIRST_LOT}"
            ),
            "bundle_of_one_employer": Break(_packet_in(f"(select envelope_id from envelopes {_OF_FIVE})")),
            "bundle_known": Break(_packet_in("'none'")),
            "envelope_known": Break(
                "insert into certificates select * replace ('x' as envelope_id, 'x-1' as certificate_id,"
                f" member_key + 50 as member_key) from certificates {_OF_FIVE};"
                " update plan set certificate_count = certificate_count + 1, member_count = member_count + 1"
            ),
            "slots_run_through": Break(
                f"update certificates set slot = 3, certificate_id = envelope_id || '-3' {_OF_FIVE}"
            ),
            "certificate_id_agrees": Break(f"update certificates set certificate_id = 'x' {_OF_FIVE}"),
            "household_not_mixed": Break(
                f"update certificates set household_key = household_key + 1, member_key = member_key + 100 {_OF_FIVE}"
            ),
            "member_of_household": Break(f"update certificates set member_key = member_key + 100 {_OF_FIVE}"),
            "member_once": Break(
                f"update certificates set member_key = household_key * 100 {_OF_ONE};"
                " update plan set member_count = member_count - 1"
            ),
            "order_of_suffix": Break(
                f"update certificates set slot = 3 - slot, certificate_id = envelope_id || '-' || (3 - slot) {_OF_ONE}"
            ),
            "issued_on_the_posting_date": Break(f"update certificates set issued_on = date '2025-07-02' {_OF_FIVE}"),
            "valid_at_issue": Break(f"update certificates set valid_until = date '2025-06-30' {_OF_FIVE}"),
            "valid_to_the_base_at_most": Break(f"update certificates set valid_until = date '2029-12-01' {_OF_FIVE}"),
            "valid_until_before_75": Break(f"update certificates set birth_date = date '1954-11-30' {_OF_FIVE}"),
            "enough_days_valid": Break(f"update certificates set valid_until = date '2025-07-30' {_OF_FIVE}"),
            "dates_in_order": Break(f"update certificates set qualified_on = date '1979-12-31' {_OF_FIVE}"),
            "codes_known": Break(f"update certificates set route = 'bicycle' {_OF_FIVE}"),
            "need_known": Break(f"update certificates set need = 'none' {_OF_FIVE}"),
            "voluntary_has_no_employer": Break(f"update certificates set enrolment = 'voluntary' {_OF_FIVE}"),
            "names_not_blank": Break(f"update certificates set name_kana = '　' {_OF_FIVE}"),
            "names_printable": Break(f"update certificates set name = '試験\U00020bb7' {_OF_FIVE}"),
            "names_not_wide": Break(f"update certificates set name = repeat('花', 41) {_OF_FIVE}"),
            "no_my_number_in_names": Break(f"update certificates set name = '花{MY_NUMBER}' {_OF_FIVE}"),
            "not_protected": Break(f"insert into protected select null, {_FOUR}"),
            "address_is_employer": Break(f"insert into at_employer select {_FOUR}"),
            "pulled_once": Break("insert into pulls select * from pulls where outcome = 'held'"),
            "pull_codes_known": Break("update pulls set reason_code = 'mood' where outcome = 'held'"),
            "planned_again_has_a_certificate": Break("update pulls set member_key = 2 where outcome <> 'held'"),
            "held_or_closed_has_none": Break(
                "update pulls set member_key = (select max(member_key) from certificates) where outcome = 'held'"
            ),
        },
    ),
}

# --- lists: ten employers in three lots, two to four people each ---
_LIST_BASE = (
    _LOTS.format(letter="L")
    + """
create temp table employers as
select i, lot, lot_id, prefecture, posting_date, wave_key, prefecture::bigint * 110000000 + 1000000 + i as employer_key,
    1002 + (lot - 1) * 200 + row_number() over (partition by lot order by i) as sequence,
    2 + row_number() over (partition by lot order by i) as position_in_lot
from (select i, 1 + i % 3 as lot from range(0, 10) as n (i)) join lot_names using (lot);

insert into envelopes by name
select 'p' as plan_id, control_number(sequence) as envelope_id, sequence, lot_id, '{kind}' as lot_kind,
    position_in_lot, employer_key, false as is_additional, {certificates} as certificate_count, posting_date, wave_key,
    prefecture, '試験商事' as addressee_name, lpad((1000000 + i)::varchar, 7, '0') as postal_code,
    '東京都千代田区皇居外苑1-' || i as address, 25.0 as weight_g, 320 as postage_yen
from employers;
"""
)
_LINES = """
insert into list_lines by name
select 'p' as plan_id, control_number(sequence) as list_id, lot_id, employer_key,
    (employer_key * 10000000 + 1 + line) * 100 as member_key, '試験花子' as name
from employers, range(0, 4) as lines (line) where line < 2 + i % 3;
"""
_FIRST_LIST = "(select min(list_id) from list_lines)"
_FIRST_LINE = "where member_key = (select min(member_key) from list_lines)"
_EMPLOYER_TO_48 = (
    "update lots set prefecture = 48, lot_id = replace(lot_id, '-27-', '-48-') where prefecture = 27",
    "update seed_pieces set lot_id = replace(lot_id, '-27-', '-48-')",
    "update envelopes set prefecture = 48, lot_id = replace(lot_id, '-27-', '-48-'),"
    " employer_key = employer_key + 21 * 110000000::bigint where prefecture = 27",
)

CASES["outbound/employer_lists"] = Case(
    SCHEMA,
    _LIST_BASE.format(kind="employer_list", certificates=0) + _LINES + _TOTALS,
    PARAMETERS,
    {
        **_pieces(),
        "row_floor_list_lines": Break(
            "delete from list_lines; delete from envelopes; delete from lots; delete from seed_pieces;"
            " update plan set envelope_count = 0, first_sequence = null"
        ),
        "prefecture_known": Break(
            _moved(
                *_EMPLOYER_TO_48,
                "update list_lines set lot_id = replace(lot_id, '-27-', '-48-'),"
                " employer_key = employer_key + 21 * 110000000::bigint,"
                " member_key = member_key + 21::bigint * 110000000000000000 where employer_key // 110000000 = 27",
            )
        ),
        "lot_kind_is_list": Break("update lots set lot_kind = 'home'; update envelopes set lot_kind = 'home'"),
        "list_lines_complete": Break(f"update list_lines set name = null {_FIRST_LINE}"),
        "lists_only": Break(
            "update envelopes set household_key = 1 where envelope_id = (select min(envelope_id) from envelopes)"
        ),
        "one_list_per_employer": Break(
            # The last piece of a lot becomes a second list of the first piece's employer, with one of its people.
            "update list_lines set list_id = control_number(1205),"
            " employer_key = (select min(employer_key) from employers where lot = 2),"
            " member_key = ((select min(employer_key) from employers where lot = 2) * 10000000 + 90"
            " + member_key // 100 % 10) * 100 where list_id = control_number(1205);"
            " update envelopes set employer_key = (select min(employer_key) from employers where lot = 2)"
            " where sequence = 1205"
        ),
        "list_known": Break(
            "insert into list_lines select * replace ('x' as list_id, member_key + 5000 as member_key)"
            f" from list_lines {_FIRST_LINE}"
        ),
        "list_not_empty": Break(f"delete from list_lines where list_id = {_FIRST_LIST}"),
        "one_employer_per_list": Break(f"update list_lines set member_key = member_key + 50000000000 {_FIRST_LINE}"),
        "member_once": Break(
            f"insert into list_lines select * from list_lines {_FIRST_LINE}",
        ),
        "branch_agrees": Break(
            "update list_lines set employer_key = employer_key + 110000000,"
            f" member_key = member_key + 110000000000000000 where list_id = {_FIRST_LIST};"
            f" update envelopes set employer_key = employer_key + 110000000 where envelope_id = {_FIRST_LIST}"
        ),
        "names_not_blank": Break(f"update list_lines set name = '　' {_FIRST_LINE}"),
        "names_printable": Break(f"update list_lines set name = '〜' {_FIRST_LINE}"),
        "no_my_number": Break(f"update list_lines set name = '{MY_NUMBER}' {_FIRST_LINE}"),
        "not_voluntary": Break("insert into voluntary select min(member_key) // 100 from list_lines"),
        "not_protected": Break("insert into protected select min(member_key), null from list_lines"),
    },
)

# --- a follow-up run: the same employers, a bundle of two envelopes each, and some that go elsewhere ---
_RETURNS = """
insert into follow_ups by name
select 'p' as plan_id, date '2025-07-01' as run_on, control_number(100 + i * 2 + line) as envelope_id,
    control_number(100 + i * 2 + line) || '-1' as certificate_id,
    (employer_key * 10000000 + 1 + line) * 100 as member_key, 'employer_bundle' as envelope_outcome,
    'employer_bundle' as outcome, control_number(sequence) as bundle_id
from employers, range(0, 2) as lines (line);
insert into follow_ups by name
select 'p' as plan_id, date '2025-07-01' as run_on, control_number(200 + nth // 2) as envelope_id,
    control_number(200 + nth // 2) || '-' || (1 + nth % 2) as certificate_id,
    (1501000001::bigint * 10000000 + nth // 2) * 100 + nth % 2 as member_key, outcome as envelope_outcome,
    outcome, 'closed_branch' as reason_code
from range(0, 6) as n (nth)
join (values (0, 'branch_desk'), (1, 'held'), (2, 'closed')) as outcomes (way, outcome) on way = nth // 2;
"""
_BUNDLED = "where certificate_id = (select min(certificate_id) from follow_ups where outcome = 'employer_bundle')"
_DESK = "where certificate_id = (select min(certificate_id) from follow_ups where outcome = 'branch_desk')"
_HELD = "where certificate_id = (select min(certificate_id) from follow_ups where outcome = 'held')"

CASES["outbound/follow_up"] = Case(
    SCHEMA,
    _LIST_BASE.format(kind="employer", certificates=2) + _RETURNS + _TOTALS,
    PARAMETERS,
    {
        **_pieces(),
        "row_floor_follow_ups": Break(
            "delete from follow_ups; delete from envelopes; delete from lots; delete from seed_pieces;"
            " update plan set envelope_count = 0, first_sequence = null"
        ),
        "prefecture_known": Break(
            _moved(
                *_EMPLOYER_TO_48,
                "update follow_ups set member_key = member_key + 21::bigint * 110000000000000000"
                " where member_key // 110000000000000000 = 27",
            )
        ),
        "follow_ups_complete": Break(f"update follow_ups set run_on = null {_BUNDLED}"),
        "certificate_once": Break(
            f"insert into follow_ups select * from follow_ups {_DESK}",
        ),
        "outcome_known": Break(
            "update follow_ups set outcome = 'lost', envelope_outcome = 'lost'"
            f" {_DESK.replace('certificate', 'envelope')}"
        ),
        "one_outcome_per_envelope": Break(f"update follow_ups set envelope_outcome = 'closed' {_DESK}"),
        "held_whole": Break(f"update follow_ups set outcome = 'closed' {_HELD}"),
        "goes_on_in_one_way": Break(
            f"update follow_ups set envelope_outcome = 'employer_bundle' {_DESK.replace('certificate', 'envelope')}"
        ),
        "bundle_given": Break(f"update follow_ups set bundle_id = 'x' {_DESK}"),
        "bundles_only": Break("update envelopes set household_key = 1 where sequence = 1003"),
        "one_bundle_per_employer": Break(
            "update envelopes set employer_key = (select employer_key from employers where sequence = 1203)"
            " where sequence = 1204;"
            " update follow_ups set member_key = (select employer_key from employers where sequence = 1203)"
            " * 1000000000 + member_key % 1000000000 + 700 where bundle_id = control_number(1204)"
        ),
        "one_employer_per_bundle": Break(f"update follow_ups set member_key = member_key + 1000000000 {_BUNDLED}"),
        "bundle_count_agrees": Break(
            "update envelopes set certificate_count = 3 where sequence = 1003;"
            f" update lots set certificate_count = certificate_count + 1 where {_FIRST_LOT}"
        ),
        "branch_agrees": Break(
            "update follow_ups set member_key = member_key + 110000000000000000 where bundle_id = control_number(1003);"
            " update envelopes set employer_key = employer_key + 110000000 where sequence = 1003"
        ),
        "reason_given": Break(f"update follow_ups set reason_code = null {_DESK}"),
        "not_voluntary": Break(f"insert into voluntary select member_key // 100 from follow_ups {_BUNDLED}"),
        "not_protected": Break(f"insert into protected select member_key, null from follow_ups {_BUNDLED}"),
    },
)

# --- clear lot files ---
_ONE_FILE = f"where {_FIRST_LOT}"
CASES["outbound/lot_file"] = Case(
    {**SCHEMA, "files": FILES},
    PLAN_BASE
    + """
insert into files by name
select lot_id, 'pv1_fy2025_lot_' || lot_id || '_' || (envelope_count + 2) || '.csv' as file_name,
    2 + envelope_count + 2 + certificate_count + 2 as row_count, 9000 as byte_count,
    envelope_count + 2 as envelope_count,
    2 as sample_count, certificate_count + 2 as certificate_count, weight_g, postage_yen, 'abc' as sha256_clear
from lots;
""",
    {},
    {
        "row_floor_files": Break("delete from files; delete from lots"),
        "files_complete": Break(f"update files set sha256_clear = null {_ONE_FILE}"),
        "one_file_per_lot": Break(f"insert into files select * from files {_ONE_FILE}"),
        "every_lot_has_a_file": Break(f"delete from files {_ONE_FILE}"),
        "file_of_a_lot": Break(f"delete from lots {_ONE_FILE}"),
        "file_name_agrees": Break(f"update files set file_name = 'lot.csv' {_ONE_FILE}"),
        "file_not_empty": Break(f"update files set byte_count = 0 {_ONE_FILE}"),
        "records_cover_the_pieces": Break(f"update files set row_count = row_count - 1 {_ONE_FILE}"),
        "envelope_count_agrees": Break(f"update lots set envelope_count = envelope_count + 1 {_ONE_FILE}"),
        "sample_count_agrees": Break(f"update files set sample_count = 1 {_ONE_FILE}"),
        "certificate_count_agrees": Break(f"update lots set certificate_count = certificate_count + 1 {_ONE_FILE}"),
        "weight_agrees": Break(f"update files set weight_g = weight_g + 1 {_ONE_FILE}"),
        "postage_agrees": Break(f"update files set postage_yen = postage_yen + 10 {_ONE_FILE}"),
    },
)

# --- the bytes of the files, as they were read back (test_file_bytes.py breaks the bytes themselves) ---
_READ = [(record, item["name"]) for record in (*LOT_RECORDS, *ORDER_RECORDS) for item in fields_of(record)]
_FILE_ROW = "where file_name = 'a.csv'"
CASES["outbound/file_bytes"] = Case(
    {"read_files": READ_FILES, "read_records": READ_RECORDS, "read_fields": READ_FIELDS},
    "insert into read_files select name, true, true, true, 7, 7, 900, 900, 'abc', 'abc'"
    " from (values ('a.csv'), ('b.csv')) as files (name);"
    + "".join(
        f"insert into read_records values ('a.csv', '{record}', 7, 7, 0, 0, 0, 0, 0);"
        for record in (*LOT_RECORDS, *ORDER_RECORDS)
    )
    + "insert into read_records values ('b.csv', 'unknown', 0, 0, 0, 0, 0, 0, 0);"
    + "".join(f"insert into read_fields values ('a.csv', '{record}', '{name}', 7, 0);" for record, name in _READ),
    {},
    {
        "row_floor_read_files": Break("delete from read_files"),
        "row_floor_read_records": Break("delete from read_records"),
        "row_floor_read_fields": Break("delete from read_fields; update read_records set planned = 0"),
        "every_planned_file_is_there": Break(f"update read_files set is_there = false {_FILE_ROW}"),
        "no_other_file": Break(f"update read_files set is_planned = false {_FILE_ROW}"),
        "file_is_readable": Break(f"update read_files set is_readable = false {_FILE_ROW}"),
        "claims_are_true": Break(f"update read_files set claimed_sha256 = 'abd' {_FILE_ROW}"),
        "no_record_missing": Break(
            "update read_records set missing = 1 where record = 'E';"
            "update read_fields set compared = 6 where record = 'E'"
        ),
        "no_record_over": Break("update read_records set \"over\" = 1 where record = 'E'"),
        "no_unknown_record": Break("update read_records set found = 1 where record = 'unknown'"),
        "no_record_twice": Break("update read_records set twice = 1 where record = 'E'"),
        "order_as_planned": Break("update read_records set out_of_order = 1 where record = 'E'"),
        "no_field_over": Break("update read_records set extra_fields = 1 where record = 'E'"),
        "every_field_is_compared": Break("delete from read_fields where record = 'E' and field = 'address'"),
        **{
            f"{record}_{name}": Break(
                f"update read_fields set differing = 3 where record = '{record}' and field = '{name}'"
            )
            for record, name in _READ
        },
    },
)

# --- manifests, as they were read back (test_manifests.py breaks the manifests themselves) ---
CASES["outbound/manifests"] = Case(
    {"manifest_fields": MANIFEST_FIELDS},
    "".join(
        f"insert into manifest_fields values ('a.csv', '{item['name']}', true, true, true);"
        for item in manifest_fields()
    ),
    {},
    {
        "row_floor_manifest_fields": Break("delete from manifest_fields"),
        "every_manifest_field_is_compared": Break("delete from manifest_fields where field = 'row_count'"),
        "no_other_member": Break("insert into manifest_fields values ('a.csv', 'other', false, true, true)"),
        **{
            f"manifest_{item['name']}": Break(
                f"update manifest_fields set is_equal = false where field = '{item['name']}'"
            )
            for item in manifest_fields()
        },
    },
)
