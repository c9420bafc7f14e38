-- Each identity of the ledger has equal sides. A warning, so that an open ledger can still be read; the season's end
-- refuses to close on it.
{{ config(severity='warn') }}

select
    stage,
    left_side,
    right_side
from {{ ref('fct_ledger') }}
where not closes
