-- The floor: the least work that gives the same certificates, envelopes and lots in the same order, and their lines in
-- files. One hand-tuned script on the accepted rows of the register: no gates, no tests, no facts, no seals, no samples
-- (見本), no header and trailer lines. Rules are those of the mailing for a first plan without any decision of a person.
--
-- $register is the folder of the drop, $out that of the files; campaign, posting_dates and branches are small tables,
-- postage(weight_g), substituted, is_blank, fits_print and normalised_postal_code macros that the runner makes from
-- the campaign and the project's own text rules. Statements are run one after the other; the last one once per lot.

-- Households whose insured person, and so everyone, may be written to. $as_of_75: born by then is 75 by the snapshot.
create table insured as
select household_key, name, birth_date, qualified_on, enrolment
from read_parquet('$register/members.parquet')
where
    member_key % 100 = 0
    and coalesce(lost_on > date '$snapshot', true)
    and birth_date > date '$as_of_75'
    and not protected
    and fits_print(name, $max_name_width);

-- Targets. The insured person's own row passes the same tests, so one pass does for both.
create table targets as
with unable as (
    select
        members.member_key, members.household_key, members.name, members.name_kana, members.sex, members.birth_date,
        members.qualified_on
    from read_parquet('$register/members.parquet') as members
    left join read_parquet('$register/my_number_cards.parquet') as cards on cards.member_key = members.member_key
    where
        coalesce(members.lost_on > date '$snapshot', true)
        and members.birth_date > date '$as_of_75'
        and not members.protected
        and members.decided_on <= date '$enrolled_through'
        and not (
            coalesce(cards.has_card, false) and cards.number_filed and cards.registered
            and coalesce(cards.registration_cancelled_on > date '$snapshot', true)
            and coalesce(cards.certificate_expires_on >= date '$snapshot', false)
        )
)
select unable.*
from unable
where
    fits_print(name, $max_name_width)
    and fits_print(name_kana, $max_name_width)
    and member_key not in (
        select row_key from read_parquet('$register/rejects.parquet')
        where file = 'my_number_cards' and row_key is not null
    );

create table households as
with counted as (
    select household_key, count(*)::integer as targets from targets group by household_key
)
select
    counted.household_key,
    counted.household_key // 1100000000000000 as prefecture,
    (counted.targets + $certificates_per_envelope - 1) // $certificates_per_envelope as envelopes,
    normalised_postal_code(addresses.postal_code) as postal_code,
    substituted(addresses.address) as address,
    substituted(addresses.building) as building,
    substituted(insured.name) as addressee_name,
    insured.birth_date as insured_birth_date,
    insured.qualified_on as insured_qualified_on,
    insured.enrolment
from counted
join insured on insured.household_key = counted.household_key
join read_parquet('$register/addresses.parquet') as addresses on addresses.household_key = counted.household_key
where
    addresses.country = 'JP'
    and not is_blank(addresses.address)
    and normalised_postal_code(addresses.postal_code) is not null
    and fits_print(addresses.address, $max_address_width)
    and fits_print(addresses.building, $max_building_width);

drop table insured;

-- Which household goes into which lot, and which number its first envelope gets.
create table placed as
with ranked as (
    select
        household_key, prefecture, envelopes,
        sum(envelopes) over (
            partition by prefecture order by postal_code, household_key rows unbounded preceding
        )::bigint - envelopes as first_rank
    from households
),
branches_counted as (
    select
        prefecture, sum(envelopes)::bigint as envelopes,
        ceil(sum(envelopes) / ($lot_size - $seeds - (max(envelopes) - 1)))::bigint as lots
    from households group by prefecture
),
indexed as (
    select
        ranked.household_key, ranked.prefecture, ranked.envelopes, ranked.first_rank,
        ranked.first_rank * branches_counted.lots // branches_counted.envelopes as lot_index, branches_counted.lots
    from ranked join branches_counted on branches_counted.prefecture = ranked.prefecture
)
select * from indexed;

create table lots as
with counted as (
    select prefecture, lot_index, any_value(lots) as lots, sum(envelopes)::bigint as envelopes,
        min(first_rank) as first_rank
    from placed group by prefecture, lot_index
),
dated as (
    select counted.*, posting_dates.posting_date,
        row_number() over (partition by counted.prefecture, posting_date order by lot_index) as lot_number
    from counted join posting_dates
        on posting_dates.prefecture = counted.prefecture
        and counted.lot_index * posting_dates.posting_date_count // counted.lots = posting_dates.ordinal
)
select
    dated.*,
    '$campaign-H-' || lpad(dated.prefecture::varchar, 2, '0') || '-' || strftime(posting_date, '%Y%m%d') || '-'
        || lpad(lot_number::varchar, 2, '0') as lot_id,
    branches.insurer_number, branches.insurer_name,
    coalesce(sum(envelopes + $seeds + greatest($spare_floor, ceil((envelopes + $seeds) * $spare_share))::bigint) over (
        order by posting_date, dated.prefecture, lot_number rows between unbounded preceding and 1 preceding
    ), 0)::bigint + 1 + $seeds as first_sequence
from dated join branches on branches.prefecture = dated.prefecture;

-- One row per certificate, in the order of the files. The number of an envelope is that of the household's first one
-- and its place after it: a sort by one number.
create table certificates as
with numbered as (
    select
        placed.household_key,
        lots.first_sequence + placed.first_rank - lots.first_rank as first_sequence,
        lots.first_rank as lot_first_rank,
        placed.first_rank,
        lots.lot_id,
        lots.posting_date
    from placed join lots on lots.prefecture = placed.prefecture and lots.lot_index = placed.lot_index
),
people as (
    select
        targets.*,
        row_number() over (partition by household_key order by member_key) - 1 as place,
        count(*) over (partition by household_key) as in_household
    from targets
)
select
    (numbered.first_sequence + people.place // $certificates_per_envelope) * 10
        + people.place % $certificates_per_envelope + 1 as sort_key,
    numbered.lot_id,
    numbered.posting_date,
    numbered.first_rank - numbered.lot_first_rank + $seeds + 1 + people.place // $certificates_per_envelope
        as position_in_lot,
    (people.place // $certificates_per_envelope + 1)::integer as position,
    households.envelopes,
    least($certificates_per_envelope, people.in_household
        - people.place // $certificates_per_envelope * $certificates_per_envelope)::integer as in_envelope,
    people.member_key, people.name, people.name_kana, people.sex, people.birth_date, people.qualified_on,
    households.addressee_name, households.postal_code, households.address, households.building,
    least(
        base_validity(numbered.posting_date),
        birthday(people.birth_date, 75) - 1,
        birthday(households.insured_birth_date, 75) - 1,
        case when households.enrolment = 'voluntary' then birthday(households.insured_qualified_on, 2) - 1 end
    ) as valid_until
from people
join households on households.household_key = people.household_key
join numbered on numbered.household_key = people.household_key
order by sort_key;

-- @for each lot
copy (
    select
        case when sort_key % 10 = 1 then
            '"E","' || number || '","","' || position_in_lot || '","0","' || position || '","' || envelopes
            || '","0","' || replace(addressee_name, '"', '""') || '","' || postal_code || '","'
            || replace(address, '"', '""') || '","' || coalesce(replace(building, '"', '""'), '') || '","'
            || in_envelope || '","10:1 20:' || in_envelope || ' 30:1 40:' || in_envelope || ' 50:1","'
            || weight_g(in_envelope) || '","' || postage(weight_g(in_envelope)) || '"' || chr(13) || chr(10)
        else '' end
        || '"C","' || number || '-' || sort_key % 10 || '","' || number || '","' || sort_key % 10 || '","0","'
        || case when symbol < 10000000 then lpad(symbol::varchar, 7, '0')
            else lpad((symbol - 10000000)::varchar, 8, '0') end || '","'
        || member_key // 100 % 10000000 || '","' || lpad((member_key % 100)::varchar, 2, '0') || '","'
        || replace(substituted(name), '"', '""') || '","' || replace(substituted(name_kana), '"', '""') || '","'
        || sex || '","' || birth_date || '","' || qualified_on || '","' || posting_date || '","' || valid_until
        || '","' || japanese_date(valid_until) || '","$insurer_number","$insurer_name","'
        || case when member_key % 100 = 0 then 'insured' else 'dependent' end || '"' || chr(13)
    from (
        select *, control_number(sort_key // 10) as number, member_key // 1000000000 % 110000000 as symbol
        from certificates where sort_key between $first_sequence * 10 and $last_sequence * 10 + 9
    )
) to '$out/$lot_id.csv' (format csv, header false, quote '', escape '', delimiter e'\x01');
