"""What each record of a lot file must say, by the frozen plan alone: SQL of the last door, apart from the writer's.

Each `planned_<record>` has a row per record with the lot, the record's key and place, and a text column per field of
the contract, under the field's own name: a field that the contract has and this SQL has not is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from kakuninsho.facts.store import Fact
from kakuninsho.printer.layout import contract, record_fields, table_fields

LOT_RECORDS = ("H", "E", "C", "B", "L", "N", "T")
ORDER_RECORDS = ("pull_list", "urgent_pull_list", "release_order", "stop_order")
# The fields that name a record within its file; none: there is one of it.
KEYS: dict[str, tuple[str, ...]] = {
    "H": (),
    "E": ("control_number",),
    "C": ("certificate_id",),
    "B": ("control_number",),
    "L": ("control_number",),
    "N": ("control_number", "line_number"),
    "T": (),
    "pull_list": ("envelope_id",),
    "urgent_pull_list": ("envelope_id",),
    "release_order": ("lot_id",),
    "stop_order": ("lot_id",),
}

# What a sample (見本) says: the insurer as addressee and nobody's certificate. Written down here a second time on
# purpose: the writer's own words are what this door judges (rules: envelopes and lots, seed households).
_SAMPLE_PLACE = ("1608507", "東京都新宿区四谷1丁目6-1", "YOTSUYA TOWER 6階")
_SAMPLE_PERSON = ("0000000", "0", "00", "見本 太郎", "ミホン タロウ", "male", "1980-01-01", "2020-04-01")

_MACROS = """
create macro digits_of(sequence) as printf('%09d%02d', sequence, 98 - (sequence * 100) % 97);
create macro one_digit(amount) as printf('%.1f', amount);
create macro flag(condition) as if(condition, '1', '0');
create macro iso(day) as day::varchar;
create macro two_digits(value) as right('0' || value::varchar, 2);
create macro reiwa(day) as
    concat('令和', if(year(day) = 2019, '元', (year(day) - 2018)::varchar), '年', month(day), '月', day(day), '日');
-- Packed keys (facts/schemas.py): a symbol of seven digits stands below ten million, one of eight above.
create macro symbol_of(employer) as
    if(employer % 110000000 >= 10000000, right((100000000 + employer % 110000000 - 10000000)::varchar, 8),
        right((10000000 + employer % 110000000)::varchar, 7));
-- Where a record stands: position in the lot, then the packet, then the kind of record, then its number.
create macro place_of(position_in_lot, packet, rank, part) as
    ((position_in_lot::hugeint * 100000000000 + packet::hugeint) * 4 + rank) * 1000000 + part;
"""


def fields_of(record: str) -> list[dict[str, Any]]:
    """Fields of a record of a lot file or of an order, in the contract's order."""
    return record_fields(record) if record in LOT_RECORDS else table_fields(record)


def make_planned_lots(
    connection: duckdb.DuckDBPyConnection,
    plan: Fact,
    lots: Sequence[tuple[int, str]],
    branches: Sequence[tuple[int, str, str]],
) -> None:
    """Make `planned_h` to `planned_t` for some lots of a plan.

    `lots`: the number of the file and the lot. `branches`: prefecture, insurer number and name of the branch.
    """
    insurer = contract()["parties"]["insurer"]["ja"]
    names = [lot_id for _, lot_id in lots]
    listed = ", ".join(f"'{lot_id}'" for lot_id in names)
    files = ", ".join(f"({file}, '{lot_id}')" for file, lot_id in lots)
    rows = ", ".join(f"({code}, '{number}', '{name}')" for code, number, name in branches)
    connection.execute(_MACROS)
    connection.execute(f"""
        create temp table lots as
        select files.file, lots.*, branches.insurer_number, branches.branch_name,
            '{insurer} ' || branch_name as insurer_name
        from read_parquet('{plan.table("lots")}') as lots
        join (values {files}) as files (file, lot_id) using (lot_id)
        left join (values {rows}) as branches (prefecture, insurer_number, branch_name) using (prefecture);

        create temp table pieces as
        select files.file, envelopes.* from read_parquet('{plan.table("envelopes")}') as envelopes
        join (values {files}) as files (file, lot_id) using (lot_id)
        where lot_id in ({listed}) and lot_id between '{min(names)}' and '{max(names)}';

        -- What a sample weighs and costs is what the lot has above its pieces, shared among its samples.
        create temp table samples as
        select seeds.envelope_id, seeds.position_in_lot, lots.*,
            (lots.weight_g - coalesce(sums.weight_g, 0)) / lots.seed_count as sample_weight,
            (lots.postage_yen - coalesce(sums.postage_yen, 0)) // lots.seed_count as sample_postage
        from read_parquet('{plan.table("seed_pieces")}') as seeds
        join lots using (lot_id)
        left join (select file, sum(weight_g) as weight_g, sum(postage_yen) as postage_yen from pieces group by file)
            as sums using (file)""")
    for statement in _returned(plan):
        connection.execute(statement)
    # Numbers of one lot lie side by side in the plan: bounds written out let the rest of a national file be skipped.
    bounds = connection.execute("select coalesce(min(envelope_id), ''), coalesce(max(envelope_id), '') from pieces")
    first, last = bounds.fetchall()[0]
    connection.execute(_mail(plan, first, last, listed))
    for statement in _records():
        connection.execute(statement)


def _returned(plan: Fact) -> Iterator[str]:
    """Packets that came back and lie in a bundle now: by which number they were first printed, in which plan."""
    plans, reports = plan.path.parent / "*", plan.path.parent.parent / "feeds" / "piece_reports" / "*" / "rows.parquet"
    yield f"""
        create temp table followed as
        select bundles.file, bundles.position_in_lot, told.bundle_id, told.envelope_id,
            right(told.certificate_id, 1)::integer as slot
        from read_parquet('{plan.table("follow_ups")}') as told
        join pieces as bundles on bundles.envelope_id = told.bundle_id"""
    yield f"""
        create temp table first_numbers as
        with recursive printed_again as (
            select replacement_id, min(envelope_id) as envelope_id from read_parquet('{reports}')
            where event_type = 'spoiled' and replacement_id is not null
                and received_on <= (select max(received_on) from read_parquet('{plan.table("plan")}'))
            group by replacement_id
        ),
        walked as (
            select distinct envelope_id, envelope_id as number, 0 as steps from followed
            union all
            select walked.envelope_id, printed_again.envelope_id, steps + 1
            from walked join printed_again on printed_again.replacement_id = walked.number
        )
        select envelope_id, arg_max(number, steps) as first_number from walked group by envelope_id"""
    # Without a packet the plans of the whole season need not be read.
    yield f"""
        create temp table first_envelopes as
        select numbers.envelope_id as packet_id, first.* from first_numbers as numbers
        join read_parquet('{plans}/envelopes.parquet', union_by_name = true) as first
            on first.envelope_id = numbers.first_number;

        create temp table first_certificates as
        select followed.*, first.* exclude (envelope_id, slot)
        from followed join first_numbers using (envelope_id)
        join read_parquet('{plans}/certificates.parquet', union_by_name = true) as first
            on first.envelope_id = first_numbers.first_number and first.slot = followed.slot"""


def _mail(plan: Fact, first: str, last: str, lot_ids: str) -> str:
    postal_code, address, building = _SAMPLE_PLACE
    return f"""
        create temp table mail as
        select file, envelope_id, coalesce(bundle_id, '') as bundle, position_in_lot, false as is_sample, position,
            envelopes_in_household, is_additional, addressee_name, postal_code, address, building, certificate_count,
            if(bundle_id is null, weight_g, 0) as weight, if(bundle_id is null, postage_yen, 0) as postage
        from pieces where household_key is not null
        union all
        select packets.file, packets.envelope_id, packets.bundle_id, packets.position_in_lot, false, first.position,
            first.envelopes_in_household, first.is_additional, first.addressee_name, first.postal_code, first.address,
            first.building, packets.certificate_count, 0, 0
        from (
            select file, envelope_id, bundle_id, position_in_lot, count(*) as certificate_count
            from followed group by all
        ) as packets
        left join first_envelopes as first on first.packet_id = packets.envelope_id
        union all
        select file, envelope_id, '', position_in_lot, true, 1, 1, false, insurer_name, '{postal_code}', '{address}',
            '{building}', 1, sample_weight, sample_postage
        from samples where lot_kind <> 'employer_list';

        create temp table cards as
        select own.file, own.bundle, own.position_in_lot, own.envelope_id, cards.slot, cards.member_key, cards.name,
            cards.name_kana, cards.sex, cards.birth_date, cards.qualified_on, cards.issued_on, cards.valid_until
        from read_parquet('{plan.table("certificates")}') as cards
        join mail as own on own.envelope_id = cards.envelope_id
        where cards.envelope_id between '{first}' and '{last}'
        union all
        select file, bundle_id, position_in_lot, envelope_id, slot, member_key, name, name_kana, sex, birth_date,
            qualified_on, issued_on, valid_until
        from first_certificates;

        create temp table listed as
        select pieces.file, pieces.position_in_lot, list_id, member_key, name,
            row_number() over (partition by list_id order by member_key) as line
        from read_parquet('{plan.table("list_lines")}') as told join pieces on pieces.envelope_id = told.list_id
        where told.lot_id in ({lot_ids})"""


def _records() -> Iterator[str]:
    postal_code, address, building = _SAMPLE_PLACE
    symbol, number, suffix, name, kana, sex, birth_date, qualified_on = _SAMPLE_PERSON
    version = contract()["contract"]
    yield """
        create temp table counted as
        select lots.file, lots.envelope_count + lots.seed_count as posted_count,
            lots.certificate_count + if(lots.lot_kind = 'employer_list', 0, lots.seed_count) as card_count,
            coalesce(packets, 0) as packets, coalesce(mounts, 0) as mounts, coalesce(bundles, 0) as bundles,
            if(lots.lot_kind = 'employer_list', lots.envelope_count + lots.seed_count, 0) as lists,
            coalesce(listed_lines, 0) + if(lots.lot_kind = 'employer_list', lots.seed_count, 0) as list_lines
        from lots
        left join (
            select file, count(*) as mounts, count(*) filter (bundle <> '') as packets from mail group by file
        ) using (file)
        left join (
            select file, count(*) as bundles from pieces
            where household_key is null and lot_kind = 'employer' group by file
        ) using (file)
        left join (select file, count(*) as listed_lines from listed group by file) using (file)"""
    yield f"""
        create temp view planned_h as
        select file, '' as key, -1::hugeint as place, 'H' as record_type, '{version}' as contract,
            split_part(lot_id, '-', 1) as campaign, lot_id, lot_kind, insurer_number, branch_name,
            iso(posting_date) as posting_date, posted_count::varchar as envelope_count,
            card_count::varchar as certificate_count, seed_count::varchar as sample_count,
            coalesce(digits_of(replacement_first), '') as replacement_first,
            coalesce(digits_of(replacement_last), '') as replacement_last
        from lots join counted using (file)"""
    yield """
        create temp view planned_e as
        select file, envelope_id as key,
            place_of(position_in_lot, if(bundle = '', 0, envelope_id::bigint), 1, 0) as place, 'E' as record_type,
            envelope_id as control_number, bundle as bundle_control_number, position_in_lot::varchar as position_in_lot,
            flag(is_sample) as is_sample, position::varchar as position,
            envelopes_in_household::varchar as envelopes_in_household, flag(is_additional) as is_additional,
            addressee_name, postal_code, address, coalesce(building, '') as building,
            certificate_count::varchar as certificate_count,
            concat('10:1 20:', certificate_count, ' 30:1 40:', certificate_count, ' 50:1') as enclosures,
            one_digit(weight) as weight_g, postage::varchar as postage_yen
        from mail"""
    yield f"""
        create temp view planned_c as
        select file, envelope_id || '-' || slot as key,
            place_of(position_in_lot, if(bundle = '', 0, envelope_id::bigint), 2, slot) as place, 'C' as record_type,
            envelope_id || '-' || slot as certificate_id, envelope_id as control_number, slot::varchar as slot,
            '0' as is_sample, symbol_of(member_key // 1000000000) as symbol,
            (member_key // 100 % 10000000)::varchar as number, two_digits(member_key % 100) as suffix,
            name, name_kana, sex, iso(birth_date) as birth_date, iso(qualified_on) as qualified_on,
            iso(issued_on) as issued_on, iso(valid_until) as valid_until, reiwa(valid_until) as valid_until_japanese,
            insurer_number, insurer_name, if(member_key % 100 = 0, 'insured', 'dependent') as relationship
        from cards join lots using (file)
        union all
        select file, envelope_id || '-1', place_of(position_in_lot, 0, 2, 1), 'C', envelope_id || '-1', envelope_id,
            '1', '1', '{symbol}', '{number}', '{suffix}', '{name}', '{kana}', '{sex}', '{birth_date}', '{qualified_on}',
            iso(posting_date), iso(posting_date), reiwa(posting_date), insurer_number, insurer_name, 'insured'
        from samples where lot_kind <> 'employer_list'"""
    yield """
        create temp view planned_b as
        select file, pieces.envelope_id as key, place_of(position_in_lot, 0, 0, 0) as place, 'B' as record_type,
            pieces.envelope_id as control_number, position_in_lot::varchar as position_in_lot,
            addressee_name as employer_name, postal_code, address, coalesce(building, '') as building,
            coalesce(packets, 0)::varchar as packet_count, certificate_count::varchar as certificate_count,
            '60:1 61:1' as enclosures, one_digit(weight_g) as weight_g, postage_yen::varchar as postage_yen,
            coalesce(notice, '') as notice, coalesce(old_card_packets, '') as old_card_packets
        from pieces
        left join (select bundle, count(*) as packets from mail group by bundle) as held
            on held.bundle = pieces.envelope_id
        where household_key is null and lot_kind = 'employer'"""
    yield f"""
        create temp view planned_l as
        select file, envelope_id as key, place_of(position_in_lot, 0, 0, 0) as place, 'L' as record_type,
            envelope_id as control_number, position_in_lot::varchar as position_in_lot, '0' as is_sample,
            symbol_of(employer_key) as symbol, addressee_name as employer_name, postal_code, address,
            coalesce(building, '') as building, coalesce(lines, 0)::varchar as line_count, '70:1' as enclosures,
            one_digit(weight_g) as weight_g, postage_yen::varchar as postage_yen
        from pieces
        left join (select list_id, count(*) as lines from listed group by list_id) as held
            on held.list_id = pieces.envelope_id
        where household_key is null and lot_kind = 'employer_list'
        union all
        select file, envelope_id, place_of(position_in_lot, 0, 0, 0), 'L', envelope_id, position_in_lot::varchar, '1',
            '{symbol}', insurer_name, '{postal_code}', '{address}', '{building}', '1', '70:1', one_digit(sample_weight),
            sample_postage::varchar
        from samples where lot_kind = 'employer_list'"""
    yield f"""
        create temp view planned_n as
        select file, list_id || '/' || line as key, place_of(position_in_lot, 0, 1, line) as place,
            'N' as record_type, list_id as control_number, line::varchar as line_number,
            (member_key // 100 % 10000000)::varchar as number, two_digits(member_key % 100) as suffix, name
        from listed
        union all
        select file, envelope_id || '/1', place_of(position_in_lot, 0, 1, 1), 'N', envelope_id, '1', '{number}',
            '{suffix}', '{name}'
        from samples where lot_kind = 'employer_list'"""
    yield """
        create temp view planned_t as
        select file, '' as key, 1e30::hugeint as place, 'T' as record_type, lot_id,
            (2 + mounts + card_count + bundles + lists + list_lines)::varchar as record_count,
            posted_count::varchar as envelope_count, seed_count::varchar as sample_count,
            packets::varchar as packet_count, card_count::varchar as certificate_count,
            list_lines::varchar as list_line_count,
            concat_ws(' ', if(mounts > 0, '10:' || mounts, null), if(card_count > 0, '20:' || card_count, null),
                if(mounts > 0, '30:' || mounts, null), if(card_count > 0, '40:' || card_count, null),
                if(mounts > 0, '50:' || mounts, null), if(bundles > 0, '60:' || bundles, null),
                if(bundles > 0, '61:' || bundles, null), if(lists > 0, '70:' || lists, null)) as enclosures,
            one_digit(weight_g) as weight_g, postage_yen::varchar as postage_yen
        from lots join counted using (file)"""


def record_title(record: str) -> str:
    """What a record or an order is called in Japanese."""
    place = contract()["lot_file"]["records"] if record in LOT_RECORDS else contract()["order_files"]
    return str(place[record]["ja"])
