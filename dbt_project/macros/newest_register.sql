{#-
    A table of the newest register: the newest full drop with the later deltas laid over it by key (contract
    register/v1). The newest row of a key wins. A row that was rejected in a later drop counts as rejected: its older
    version is not used any more. A copy of an accepted row is rejected too, in the same drop, and harms nothing.
-#}
{% macro newest_register(table, key) -%}
with newest_full as (
    select * from {{ source('register_newest_full', table) }}
),

newest_deltas as (
    select * from {{ source('register_newest_deltas', table) }}
),

delta_rejects as (
    select * from {{ source('register_newest_deltas', 'rejects') }}
),

newest_changes as (
    select *
    from newest_deltas
    qualify row_number() over (partition by {{ key }} order by as_of desc) = 1
),

rejected_later as (
    select
        row_key,
        max(as_of) as rejected_as_of
    from delta_rejects
    where file = '{{ table }}' and row_key is not null
    group by row_key
),

changed_keys as (
    select {{ key }} from newest_changes
    union
    select row_key as {{ key }} from rejected_later
),

accepted_changes as (
    select newest_changes.*
    from newest_changes
    left join rejected_later on newest_changes.{{ key }} = rejected_later.row_key
    where rejected_later.row_key is null or rejected_later.rejected_as_of <= newest_changes.as_of
),

unchanged as (
    select newest_full.*
    from newest_full
    anti join changed_keys on newest_full.{{ key }} = changed_keys.{{ key }}
),

final as (
    select * from unchanged
    union all
    select * from accepted_changes
)

select * from final
{%- endmacro %}
