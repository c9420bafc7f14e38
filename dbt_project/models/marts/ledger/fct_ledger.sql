with terms as (
    select * from {{ ref('fct_ledger_terms') }}
),

sides as (
    select
        stage,
        sum(term_count) filter (where side = 'left') as left_side,
        coalesce(sum(term_count) filter (where side = 'right'), 0) as right_side,
        sum(open_count) as open_count
    from terms
    group by stage
),

final as (
    select
        stage,
        case stage
            when '1_register' then 'manifest rows = rejected + excluded + held + target'
            when '1b_later_drops' then 'manifest rows of later drops = rejected + accepted'
            when '2_people'
                then 'targets + additions = people with a frozen certificate + pending + excluded or held since'
            when '3_envelopes' then 'frozen envelopes = transferred + voided + waiting'
            when '4_transfers' then 'transferred = accepted + rejected + unanswered'
            when '5_pieces' then 'released = posted + pulled + spoiled + open'
            when '5b_reprints' then 'spoiled = replacements posted + spoiled + open'
            when '5c_samples' then 'samples of released lots = posted + open'
            when '5d_pull_lists' then 'on a pull list = not posted + pulled too late + incidents closed'
            when '5e_stopped' then 'pieces of stopped lots = pulled + spoiled + kept back + to be destroyed'
            when '6_posted' then 'posted = delivered + returned + in transit'
            when '7_returned' then 'returned = outcomes of follow-ups + not yet due'
            when '8_everyone'
                then 'members + keys missing + keys rejected = able + in hand + on the way + without'
        end as identity,
        left_side::bigint as left_side,
        right_side::bigint as right_side,
        (left_side - right_side)::bigint as difference,
        left_side = right_side as closes,
        open_count::bigint as open_count
    from sides
)

select * from final
