with employers as (
    select * from {{ ref('stg_newest_register__employers') }}
),

run_context as (
    select * from {{ ref('stg_context') }}
),

campaign as (
    select * from {{ ref('stg_campaign') }}
),

final as (
    select
        employers.employer_key,
        {{ prefecture_of('employers.employer_key', of='employer') }} as prefecture,
        {{ substituted('employers.name') }} as name,
        {{ normalised_postal_code('employers.postal_code') }} as postal_code,
        {{ substituted('employers.address') }} as address,
        {{ printed_building('employers.building') }} as building,
        case
            when employers.closed_on <= coalesce(run_context.run_on, run_context.as_of) then 'closed'
            when
                {{ is_blank('employers.name') }}
                or {{ is_blank('employers.address') }}
                or {{ is_word_for_nothing('employers.address') }}
                or {{ normalised_postal_code('employers.postal_code') }} is null
                then 'address_missing'
            when
                {{ is_damaged_name('employers.name') }}
                or {{ is_damaged('employers.address') }}
                or {{ is_damaged('employers.building') }}
                then 'damaged_text'
            when
                not {{ all_fit_print([
                    ('employers.name', 'campaign.max_name_width'),
                    ('employers.address', 'campaign.max_address_width'),
                    ('employers.building', 'campaign.max_building_width'),
                ]) }}
                then 'unprintable_text'
        end as reason_code
    from employers
    cross join campaign
    cross join run_context
)

select * from final
