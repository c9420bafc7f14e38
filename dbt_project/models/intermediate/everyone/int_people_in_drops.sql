{#-
    The left side of the ledger's identity of everyone: people counted by key from the files of the drops alone, by
    another way than the newest register is put together for the plans.
-#}
with full_rows as not materialized (
    select * from {{ source('register_newest_full', 'members') }}
),

delta_rows as (
    select * from {{ source('register_newest_deltas', 'members') }}
),

full_rejects as (
    select * from {{ source('register_newest_full', 'rejects') }}
),

delta_rejects as (
    select * from {{ source('register_newest_deltas', 'rejects') }}
),

all_rows as not materialized (
    select * from {{ source('landed', 'members') }}
),

all_rejects as (
    select * from {{ source('landed', 'rejects') }}
    where file = 'members'
),

registers as (
    select * from {{ ref('stg_registers') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

known_drops as (
    select distinct registers.as_of
    from registers
    cross join run_context
    where registers.as_of <= run_context.as_of
),

newest_full_drop as (
    select max(registers.as_of) as as_of
    from registers
    cross join run_context
    where registers.kind = 'full' and registers.as_of <= run_context.as_of
),

-- Every word of the deltas about a key, accepted or rejected; the newest one counts, and an accepted row beats the
-- rejection of its own copy.
delta_words as (
    select
        member_key,
        as_of,
        true as is_accepted,
        lost_on,
        birth_date
    from delta_rows
    union all
    select
        row_key as member_key,
        as_of,
        false as is_accepted,
        null as lost_on,
        null as birth_date
    from delta_rejects
    where file = 'members' and row_key is not null
),

newest_delta_words as (
    select
        member_key,
        arg_max(
            struct_pack(is_accepted := is_accepted, lost_on := lost_on, birth_date := birth_date), (as_of, is_accepted)
        ) as word
    from delta_words
    group by member_key
),

newest_rows as not materialized (
    select
        full_rows.member_key,
        full_rows.lost_on,
        full_rows.birth_date
    from full_rows
    anti join newest_delta_words on full_rows.member_key = newest_delta_words.member_key
    union all
    select
        newest_delta_words.member_key,
        newest_delta_words.word.lost_on,
        newest_delta_words.word.birth_date
    from newest_delta_words
    where newest_delta_words.word.is_accepted
),

over_on_the_day as not materialized (
    select newest_rows.member_key
    from newest_rows
    cross join run_context
    cross join campaign
    where
        newest_rows.lost_on <= run_context.as_of
        or {{ birthday_75('newest_rows.birth_date') }} <= run_context.as_of
),

over_insured as (
    select {{ household_of_member('member_key') }} as household_key
    from over_on_the_day
    where {{ suffix_of('member_key') }} = 0
),

over_people as (
    select member_key
    from over_on_the_day
    union
    select newest_rows.member_key
    from newest_rows
    semi join over_insured on {{ household_of_member('newest_rows.member_key') }} = over_insured.household_key
),

counted_members as (
    select (select count(*) from newest_rows) - (select count(*) from over_people) as people
),

-- Keys with a rejected row in any drop: the rejection counts unless a drop of its day or later accepted the key.
rejections as (
    select
        all_rejects.row_key as member_key,
        max(all_rejects.as_of) as as_of
    from all_rejects
    where
        all_rejects.row_key is not null
        and all_rejects.as_of in (select known_drops.as_of from known_drops)
    group by all_rejects.row_key
),

-- Few keys are ever rejected: what was accepted of them is found in one scan of the files.
accepted_since as (
    select distinct all_rows.member_key
    from all_rows
    inner join rejections
        on all_rows.member_key = rejections.member_key and all_rows.as_of >= rejections.as_of
    where all_rows.as_of in (select known_drops.as_of from known_drops)
),

rejected_people as (
    select rejections.member_key
    from rejections
    anti join accepted_since on rejections.member_key = accepted_since.member_key
),

-- Keys of earlier drops that the newest full drop and its deltas lack.
gone_rows as (
    select
        all_rows.member_key,
        all_rows.as_of,
        all_rows.lost_on,
        all_rows.birth_date
    from all_rows
    cross join newest_full_drop
    anti join full_rows on all_rows.member_key = full_rows.member_key
    anti join newest_delta_words on all_rows.member_key = newest_delta_words.member_key
    anti join rejected_people on all_rows.member_key = rejected_people.member_key
    where
        all_rows.as_of < newest_full_drop.as_of
        and all_rows.as_of in (select known_drops.as_of from known_drops)
),

gone_people as (
    select gone_rows.member_key
    from gone_rows
    cross join run_context
    cross join campaign
    group by gone_rows.member_key
    having
        not coalesce(
            max_by(
                gone_rows.lost_on <= run_context.as_of
                or {{ birthday_75('gone_rows.birth_date') }} <= run_context.as_of,
                gone_rows.as_of
            ),
            false
        )
),

rejects_without_key as (
    select row_number from full_rejects
    where file = 'members' and row_key is null
    union all
    select row_number from delta_rejects
    where file = 'members' and row_key is null
),

final as (
    select
        'members_of_newest_register' as term,
        people::bigint as people
    from counted_members
    union all
    select
        'keys_missing' as term,
        count(*) as people
    from gone_people
    union all
    select
        'keys_rejected' as term,
        count(*) as people
    from rejected_people
    union all
    select
        'rows_rejected_without_key' as term,
        count(*) as people
    from rejects_without_key
)

select * from final
