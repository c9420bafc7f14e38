-- Everyone listed and everyone in the mail is in the comparison once, and every difference has its reason (rules:
-- employer lists). A warning, so that what is unexplained can still be read; the season's end refuses to close on it.
{{ config(severity='warn') }}

with differences as (
    select * from {{ ref('fct_list_differences') }}
),

listed as (
    select distinct
        insurer_number,
        symbol,
        number,
        suffix
    from {{ ref('fct_employer_lists') }}
),

mailed as (
    select distinct member_key
    from {{ ref('int_certificates') }}
    where has_left or is_live
),

sides as (
    select
        'listed' as side,
        coalesce(sum(people_count) filter (where relation <> 'mailed_not_listed'), 0) as compared,
        (select count(*) from listed) as counted
    from differences
    union all
    select
        'mailed' as side,
        coalesce(sum(people_count) filter (where relation <> 'listed_not_mailed'), 0) as compared,
        (select count(*) from mailed) as counted
    from differences
    union all
    select
        'without a reason' as side,
        coalesce(sum(people_count) filter (where reason_code is null), 0) as compared,
        0 as counted
    from differences
)

select
    side,
    compared,
    counted
from sides
where compared <> counted
